//! Job control: process groups, the controlling terminal, and which group is in its
//! foreground. credentials(7), tcgetpgrp(3).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::process::Pid;

use super::signal::Signal;

/// A process group, by its number in the caller's PID namespace. Never 0 or 1, which mean
/// "mine" and "everybody" to kill(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group(i32);

impl Group {
    fn new(number: i32) -> Option<Self> {
        (number > 1).then_some(Self(number))
    }

    /// The caller's own; none if it is not of the caller's PID namespace.
    #[must_use]
    pub fn own() -> Option<Self> {
        Self::of(0)
    }

    /// That of a process; none if the process is gone, or its group is not of the caller's
    /// PID namespace.
    #[must_use]
    pub fn of(pid: i32) -> Option<Self> {
        // SAFETY: no memory is passed.
        Self::new(unsafe { libc::getpgid(pid) })
    }

    /// Whether any process is in it.
    #[must_use]
    pub fn exists(self) -> bool {
        self.signal(0) || super::last_errno() == super::Errno::PERM
    }

    /// Signals every process in it that the caller may signal; false if there is none.
    pub fn signal(self, signal: Signal) -> bool {
        // SAFETY: no memory is passed; the number is neither 0 nor 1.
        unsafe { libc::kill(-self.0, signal) == 0 }
    }
}

/// The caller's controlling terminal.
pub struct Terminal(OwnedFd);

impl Terminal {
    /// The caller's; none if it has none.
    #[must_use]
    pub fn own() -> Option<Self> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY;
        rustix::fs::openat(CWD, c"/dev/tty", flags, Mode::empty())
            .ok()
            .map(Self)
    }

    /// The group in the foreground; none if it is not of the caller's PID namespace, or the
    /// terminal is gone.
    #[must_use]
    pub fn foreground(&self) -> Option<Group> {
        let group = rustix::termios::tcgetpgrp(&self.0).ok()?;
        Group::new(group.as_raw_nonzero().get())
    }

    /// Puts a group into the foreground; false if it is gone. SIGTTOU has to be blocked if
    /// the caller is in the background.
    pub fn give(&self, group: Group) -> bool {
        Pid::from_raw(group.0).is_some_and(|pid| rustix::termios::tcsetpgrp(&self.0, pid).is_ok())
    }

    /// Makes a group of the caller alone and puts it into the foreground. SIGTTOU has to be
    /// blocked.
    pub fn take(&self) {
        // Both fail only for a leader of a terminal's session, or if the terminal is gone.
        super::process::new_group();
        if let Some(group) = Group::own() {
            self.give(group);
        }
    }

    /// Waits, stopped, until the caller's group is in the foreground, as an interactive shell
    /// does before it takes the terminal for itself. Comes back before long where nothing can
    /// stop the caller: in an orphaned group (setpgid(2)).
    pub fn wait_for_foreground(&self) {
        /// More often than somebody at a terminal continues what stops again.
        const MOST: usize = 100;
        for _ in 0..MOST {
            match self.foreground() {
                Some(group) if Some(group) != Group::own() => {}
                _ => return,
            }
            super::signal::default(libc::SIGTTIN);
            // SAFETY: no memory is passed.
            unsafe { libc::kill(0, libc::SIGTTIN) };
        }
    }
}

impl From<Terminal> for OwnedFd {
    fn from(terminal: Terminal) -> Self {
        terminal.0
    }
}

impl AsFd for Terminal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Terminal {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
