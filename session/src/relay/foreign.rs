//! The terminal of another user's that a login was started on, and when it may be read.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::FileType;

use super::application::Application;
use crate::sys::terminal::Terminal;
use crate::sys::{Errno, fd, process, pty, signal};

/// The standard descriptors, and the other user's terminal among them.
pub(super) struct Foreign {
    /// which of them are a terminal of another user's
    pub(super) standard: [bool; 3],
    /// none: only the controlling terminal is, and the user's side just gets none
    pub(super) terminal: Option<ForeignEnd>,
}

/// Both directions of that terminal.
pub(super) struct ForeignEnd {
    /// where it is typed
    pub(super) typed: OwnedFd,
    /// where it is shown
    pub(super) screen: OwnedFd,
    foreground: Foreground,
    /// other programs of the same job may be typed at as well
    is_shared: bool,
}

/// How it is known if the application, and so the relay, is in the terminal's foreground.
enum Foreground {
    /// it is the controlling terminal: the kernel lets nothing but its foreground read
    Kernel,
    /// it is the application's controlling one: by the application's own state
    Application(Application),
    /// not at all
    Unknown,
}

impl Foreign {
    /// Takes copies of the descriptors, above the standard ones.
    ///
    /// # Errors
    /// EMFILE.
    pub(super) fn find() -> Result<Self, Errno> {
        let uid = process::real_uid();
        let own = fd::standard();
        let standard = own.map(|fd| pty::is_terminal(fd) && fd::owner(fd) != Ok(uid));
        let first = |order: [usize; 3]| order.into_iter().find(|at| standard[*at]);
        let terminal = match (first([0, 1, 2]), first([1, 2, 0])) {
            (Some(typed), Some(screen)) => Some(ForeignEnd::new(own, typed, screen)?),
            _ => None,
        };
        Ok(Self { standard, terminal })
    }

    /// True if a person at the terminal has just started an interactive program. A command of
    /// `su -c`, which has lost the terminal's control, may be one or not: that shows when it reads.
    pub(super) fn is_interactive(&self) -> bool {
        let is_typed_at = |terminal: &ForeignEnd| {
            terminal.is_controlling() && terminal.may_be_typed_at() && terminal.is_in_foreground()
        };
        self.standard == [true; 3] && self.terminal.as_ref().is_some_and(is_typed_at)
    }
}

impl ForeignEnd {
    fn new(own: [BorrowedFd<'_>; 3], typed: usize, screen: usize) -> Result<Self, Errno> {
        let copy = |at: usize| rustix::io::fcntl_dupfd_cloexec(own[at], 3);
        let (mut from, screen) = (copy(typed)?, copy(screen)?);
        // In a pipeline the terminal is that of the other programs as well: `su alice -c dump |
        // less`. And a job that a script has put into the background has no terminal to read.
        // One that is open for writing alone cannot be read at all.
        let is_shared = typed != 0 || !fd::is_readable(&from) || own.into_iter().any(is_pipe);
        let controlling = Terminal::own().filter(|own| pty::are_same(own, &from));
        let foreground = match controlling {
            // By its own name: the kernel has no foreground for who reads /dev/console.
            Some(controlling) => {
                from = controlling.into();
                Foreground::Kernel
            }
            None => match Application::find(&from) {
                Some(application) => Foreground::Application(application),
                None => Foreground::Unknown,
            },
        };
        Ok(Self {
            typed: from,
            screen,
            foreground,
            is_shared,
        })
    }

    /// False if nothing that is typed may ever be read.
    pub(super) fn may_be_typed_at(&self) -> bool {
        !self.is_shared && !matches!(self.foreground, Foreground::Unknown)
    }

    /// False if another group is in the foreground of the terminal, or may be.
    pub(super) fn is_in_foreground(&self) -> bool {
        match &self.foreground {
            Foreground::Kernel => pty::lets_read(&self.typed),
            Foreground::Application(application) => application.is_in_foreground(),
            Foreground::Unknown => false,
        }
    }

    /// True if what is typed may be read now, or has just been read rightly. After a stop the
    /// relay's view is of before it: SIGCONT, which is blocked, is pending then.
    pub(super) fn may_be_read(&self) -> bool {
        self.is_in_foreground() && !signal::is_pending(libc::SIGCONT)
    }

    /// True if it is the controlling terminal of the relay as well.
    pub(super) fn is_controlling(&self) -> bool {
        matches!(self.foreground, Foreground::Kernel)
    }

    /// False if no shell would continue the application after a stop: it is started by a program
    /// that does not watch jobs.
    pub(super) fn is_watched(&self) -> bool {
        match &self.foreground {
            Foreground::Application(application) => application.is_watched(),
            // Otherwise the kernel knows: it stops no orphaned group.
            _ => true,
        }
    }

    /// True if the terminal has been hung up.
    pub(super) fn is_gone(&self) -> bool {
        pty::modes(self.typed.as_fd()).is_err()
    }
}

fn is_pipe(fd: BorrowedFd<'_>) -> bool {
    rustix::fs::fstat(fd).is_ok_and(|stat| {
        matches!(
            FileType::from_raw_mode(stat.st_mode),
            FileType::Fifo | FileType::Socket
        )
    })
}
