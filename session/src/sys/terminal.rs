//! The controlling terminal: who is in its foreground. tcgetpgrp(3).

use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::process::Pid;

/// The foreground of the caller's terminal as it was, to be put back.
pub struct Foreground(Option<(OwnedFd, Pid)>);

/// Notes whether the caller's process group is in the foreground of its terminal.
#[must_use]
pub fn foreground() -> Foreground {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY;
    let noted = rustix::fs::openat(CWD, c"/dev/tty", flags, Mode::empty()).ok().and_then(|tty| {
        let group = rustix::process::getpgrp();
        (rustix::termios::tcgetpgrp(&tty) == Ok(group)).then_some((tty, group))
    });
    Foreground(noted)
}

impl Foreground {
    /// Takes the foreground back, if the caller had it. SIGTTOU has to be blocked.
    pub fn restore(&self) {
        if let Some((tty, group)) = &self.0 {
            // The terminal may be gone.
            let _ = rustix::termios::tcsetpgrp(tty, *group);
        }
    }
}
