//! What goes to and fro between the administrator's terminal and a visit.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::sys::process::{Child, Ended};
use crate::sys::signal::SignalFd;
use crate::sys::terminal::Group;
use crate::sys::{Errno, fd, pty};

/// The most that is read at once, and that waits for a program which does not read.
const PIECE: usize = 16 * 1024;

/// The most that is handed on of each direction once the program has ended: more than the kernel
/// keeps of what was written and not read, in a terminal or a pipe.
const MOST_LEFT: usize = 128 * 1024;

/// How long that, and the news of its end, may take.
const LAST: Duration = Duration::from_secs(1);

/// One direction: what comes out of `from` goes to `to`.
pub struct Pipe<'fd> {
    /// non-blocking
    pub from: OwnedFd,
    /// blocking
    pub to: BorrowedFd<'fd>,
}

/// The terminal of a visit, and the one that it is shown on.
pub struct Shown<'fd> {
    /// the new terminal, which is also the `from` of one pipe
    pub master: OwnedFd,
    /// where it is typed
    pub typed: BorrowedFd<'fd>,
    /// the terminal's modes
    pub raw: pty::Raw<'fd>,
}

/// Hands on bytes, window sizes and signals until the child ends; how it did, or none if a
/// process of the user's keeps the end of the child from us, by tracing it.
///
/// # Errors
/// ENOMEM.
pub fn run(
    child: &Child,
    signals: &SignalFd,
    pipes: &[Pipe<'_>],
    shown: Option<&Shown<'_>>,
) -> Result<Option<Ended>, Errno> {
    let mut waiting: Vec<u8> = Vec::new();
    let mut typed = shown.map(|shown| shown.typed);
    let mut open: Vec<bool> = pipes.iter().map(|_| true).collect();
    loop {
        let mut reading = vec![child.pidfd.as_fd(), signals.as_fd()];
        let flowing: Vec<usize> = (0..pipes.len()).filter(|at| open[*at]).collect();
        reading.extend(flowing.iter().map(|at| pipes[*at].from.as_fd()));
        // What is typed waits in the terminal while the program does not read: reading on
        // would block us, and with us what the program writes.
        reading.extend(typed.filter(|_| waiting.is_empty()));
        let writing = shown
            .filter(|_| !waiting.is_empty())
            .map(|shown| shown.master.as_fd());
        let (ready, can_write) = pty::wait(&reading, writing)?;
        for (at, _) in flowing.iter().zip(&ready[2..]).filter(|(_, ready)| **ready) {
            open[*at] = hand_on(&pipes[*at]).is_some();
        }
        if ready[0] {
            break;
        }
        if ready[1] {
            heed(signals, child, shown);
        }
        if let (Some(from), Some(true)) = (typed, ready.get(2 + flowing.len())) {
            let mut piece = [0; PIECE];
            match fd::read(from, &mut piece) {
                Ok(length @ 1..) => waiting.extend_from_slice(&piece[..length]),
                // Hung up, or somebody else is in the foreground.
                _ => typed = None,
            }
        }
        if let (Some(shown), true) = (shown, can_write || !waiting.is_empty()) {
            match pty::write(&shown.master, &waiting) {
                Ok(written) => drop(waiting.drain(..written)),
                Err(Errno::AGAIN) => {}
                Err(_) => waiting.clear(),
            }
        }
    }
    // What it has written last. Others may still have the other side open, and go on writing: no
    // end is waited for.
    let soon = Instant::now() + LAST;
    for pipe in pipes {
        let mut left = MOST_LEFT;
        while left > 0 && Instant::now() < soon {
            match hand_on(pipe) {
                Some(length) => left = left.saturating_sub(length),
                None => break,
            }
        }
    }
    child.wait(soon)
}

/// Hands on once: how many bytes; none if there was nothing, or never will be.
fn hand_on(pipe: &Pipe<'_>) -> Option<usize> {
    let mut piece = [0; PIECE];
    let Ok(length @ 1..) = fd::read(&pipe.from, &mut piece) else {
        return None;
    };
    let mut rest = &piece[..length];
    while !rest.is_empty() {
        match pty::write(pipe.to, rest) {
            Ok(written) => rest = &rest[written..],
            // Nobody looks any more. The program is not kept from running on for that.
            Err(_) => break,
        }
    }
    Some(length)
}

/// Hands on signals: to the program that was started and what it has not put aside.
fn heed(signals: &SignalFd, child: &Child, shown: Option<&Shown<'_>>) {
    while let Ok(Some(received)) = signals.next() {
        match (received.signal, shown) {
            (libc::SIGWINCH, Some(shown)) => {
                let _ = pty::copy_size(shown.typed, &shown.master);
            }
            (libc::SIGCONT, Some(shown)) => {
                let _ = shown.raw.again();
                let _ = pty::copy_size(shown.typed, &shown.master);
            }
            (signal @ (libc::SIGHUP | libc::SIGINT | libc::SIGQUIT | libc::SIGTERM), _) => {
                // It leads a group of its own, for as long as nobody has waited for it.
                if let Some(group) = Group::of(child.pid) {
                    group.signal(signal);
                }
            }
            _ => {}
        }
    }
}
