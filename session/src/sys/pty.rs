//! Terminals that we make, and the caller's own while one of ours is shown on it. pty(7),
//! termios(3), ioctl_tty(2).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::{OptionalActions, Termios, Winsize};

use super::{Errno, Result};

/// A new terminal.
#[derive(Debug)]
pub struct Pair {
    /// our side, non-blocking
    pub master: OwnedFd,
    /// the side of the programs
    pub slave: OwnedFd,
}

/// Makes a terminal in the devpts of the caller's mount namespace. It belongs to `uid`, and to
/// the group that devpts gives.
///
/// # Errors
/// ENOENT: no devpts; ENOSPC: no terminal left (`sysctl kernel.pty.max`).
pub fn open(uid: u32) -> Result<Pair> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = rustix::pty::openpt(flags)?;
    rustix::pty::unlockpt(&master)?;
    // By the master and not by a name, which would be looked up.
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags)?;
    rustix::fs::fchown(&slave, Some(rustix::fs::Uid::from_raw(uid)), None)?;
    // Writable for the group (write(1)) only if that is tty's and not root's or the user's own.
    let mode = if rustix::fs::fstat(&slave)?.st_gid == 5 {
        0o620
    } else {
        0o600
    };
    rustix::fs::fchmod(&slave, Mode::from_raw_mode(mode))?;
    set_nonblocking(&master)?;
    Ok(Pair { master, slave })
}

/// Has reads and writes that would block fail with EAGAIN.
///
/// # Errors
/// EBADF.
pub fn set_nonblocking(fd: impl AsFd) -> Result<()> {
    let flags = rustix::fs::fcntl_getfl(&fd)?;
    rustix::fs::fcntl_setfl(&fd, flags | OFlags::NONBLOCK)
}

/// Makes a terminal that of the caller's session of setsid(2), which the caller leads.
///
/// # Errors
/// EPERM: it is another session's, or the caller leads none.
pub fn control(slave: impl AsFd) -> Result<()> {
    rustix::process::ioctl_tiocsctty(slave)
}

/// Whether this is a terminal.
#[must_use]
pub fn is_terminal(fd: impl AsFd) -> bool {
    rustix::termios::isatty(fd)
}

/// Gives one terminal the window size of another.
///
/// # Errors
/// ENOTTY.
pub fn copy_size(from: impl AsFd, to: impl AsFd) -> Result<()> {
    let size: Winsize = rustix::termios::tcgetwinsize(from)?;
    rustix::termios::tcsetwinsize(to, size)
}

/// The caller's terminal while it hands on every byte as it is; put back when dropped.
pub struct Raw<'fd> {
    terminal: BorrowedFd<'fd>,
    before: Termios,
}

impl<'fd> Raw<'fd> {
    /// Gives the terminal's modes to `slave`, and makes the terminal raw. SIGTTOU has to be
    /// blocked.
    ///
    /// # Errors
    /// ENOTTY; EIO: the terminal is gone.
    pub fn new(terminal: BorrowedFd<'fd>, slave: impl AsFd) -> Result<Self> {
        let before = rustix::termios::tcgetattr(terminal)?;
        rustix::termios::tcsetattr(slave, OptionalActions::Now, &before)?;
        let raw = Self { terminal, before };
        raw.again()?;
        Ok(raw)
    }

    /// Makes it raw again, after somebody else had it.
    ///
    /// # Errors
    /// EIO: the terminal is gone.
    pub fn again(&self) -> Result<()> {
        let mut raw = self.before.clone();
        raw.make_raw();
        rustix::termios::tcsetattr(self.terminal, OptionalActions::Drain, &raw)
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = rustix::termios::tcsetattr(self.terminal, OptionalActions::Drain, &self.before);
    }
}

/// Waits, without a limit, until something can be done: which of `reading` can be read (or have
/// come to their end), and whether `writing` takes more.
///
/// # Errors
/// ENOMEM.
pub fn wait(
    reading: &[BorrowedFd<'_>],
    writing: Option<BorrowedFd<'_>>,
) -> Result<(Vec<bool>, bool)> {
    let mut polled: Vec<_> = reading
        .iter()
        .map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN))
        .collect();
    polled.extend(writing.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT)));
    loop {
        match rustix::event::poll(&mut polled, None) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
            Ok(_) => break,
        }
    }
    let mut ready: Vec<bool> = polled.iter().map(|one| !one.revents().is_empty()).collect();
    let can_write = writing.is_some() && ready.pop() == Some(true);
    Ok((ready, can_write))
}

/// Writes once, some or all; how much.
///
/// # Errors
/// EAGAIN: nothing now; EIO: nobody has the other side any more.
pub fn write(fd: impl AsFd, bytes: &[u8]) -> Result<usize> {
    loop {
        match rustix::io::write(&fd, bytes) {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}
