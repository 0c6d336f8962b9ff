//! The application below which a relay runs, such as su, seen from inside of its session.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nsshell_gate::environment::APPLICATION;
use nsshell_gate::terminal_number::Job;

use crate::sys::{fd, process, pty};

/// A line of /proc/PID/stat is shorter.
const LONGEST: usize = 4096;

/// An application whose controlling terminal is the one of a relay.
pub(super) struct Application {
    /// its /proc/PID/stat
    stat: OwnedFd,
    /// number of the terminal
    terminal: u32,
}

impl Application {
    /// By /proc/PID/stat as the module has left it open, or, where there is no session and so no
    /// other PID namespace, that of the parent; none if neither is there, or its controlling
    /// terminal is another one.
    pub(super) fn find(terminal: impl AsFd) -> Option<Self> {
        // nsshell has put a dot before each variable's name.
        let name = [b".", APPLICATION.as_bytes()].concat();
        let number = std::env::var(OsStr::from_bytes(&name)).ok();
        let stat = number
            .and_then(|number| fd::inherited_of_proc(number.parse().ok()?))
            .or_else(|| fd::open_stat(process::parent()?).ok())?;
        let terminal = pty::number(terminal).ok()?;
        let application = Self { stat, terminal };
        application.job().map(|_| application)
    }

    /// True if it is in the foreground of the terminal.
    pub(super) fn is_in_foreground(&self) -> bool {
        self.job().is_some_and(|job| job.is_in_foreground())
    }

    /// False if it is in the group of the leader of its session: no shell is there that would
    /// continue it.
    pub(super) fn is_watched(&self) -> bool {
        self.job().is_some_and(|job| job.group != job.session)
    }

    /// None if it has ended, or has another terminal by now.
    fn job(&self) -> Option<Job> {
        let mut text = [0; LONGEST];
        let length = fd::read_at_start(&self.stat, &mut text).ok()?;
        Job::read(&text[..length]).filter(|job| job.terminal == Some(self.terminal))
    }
}
