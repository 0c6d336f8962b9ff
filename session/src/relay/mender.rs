//! The process that gives a terminal its modes back when the relay cannot.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::sys::ns::Kinds;
use crate::sys::process;
use crate::sys::pty::Modes;
use crate::sys::{Errno, fd, socket};

/// How often the mender looks while the terminal is raw. No event tells a process that its parent
/// has stopped.
const LOOK: Duration = Duration::from_secs(1);

/// How long the relay may take to answer before it counts as stopped.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// From the relay: the terminal has its own modes again.
const DONE: &[u8] = b"d";
/// From the mender: is the relay there?
const ASK: &[u8] = b"?";
/// From the relay: it is.
const THERE: &[u8] = b"!";

/// The relay's side.
pub(super) struct Mender(OwnedFd);

/// Starts it, for a terminal that is about to be made raw. It ends when it has put the modes back.
///
/// # Errors
/// No process can be made.
pub(super) fn start(modes: &Modes<'_>) -> Result<Mender, Errno> {
    let (ours, theirs) = socket::pair()?;
    process::clone(Kinds::default(), || live(modes, &theirs))?;
    Ok(Mender(ours))
}

impl Mender {
    /// Tells it that the terminal has its own modes again.
    pub(super) fn dismiss(self) {
        let _ = socket::send(&self.0, DONE, &[]);
    }

    /// Answers its question; false if it is gone.
    pub(super) fn answer(&self) -> bool {
        matches!(socket::receive_message(&self.0, Instant::now()), Ok(word) if word == ASK)
            && socket::send(&self.0, THERE, &[]).is_ok()
    }
}

impl AsFd for Mender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The mender's life: until it is dismissed, or the relay has stopped or ended.
fn live(modes: &Modes<'_>, relay: &OwnedFd) -> i32 {
    // A copy of the relay's side would keep its end from being seen.
    if process::close_all_but(&[relay, &modes.terminal()]).is_err() {
        return 1;
    }
    fd::empty_standard();
    loop {
        match socket::readable(relay, Some(Instant::now() + LOOK)) {
            Ok(false) if socket::send(relay, ASK, &[]).is_ok() => {}
            Ok(_) => {}
            Err(_) => return 1,
        }
        match socket::receive_message(relay, Instant::now() + ANSWER_LIMIT) {
            Ok(word) if word == THERE => {}
            Ok(word) if word == DONE => return 0,
            // No answer, or the end of the relay.
            _ => break,
        }
    }
    mend(modes);
    0
}

fn mend(modes: &Modes<'_>) {
    if modes.are_raw() {
        modes.put_back();
    }
}
