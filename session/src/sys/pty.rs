//! Terminals that we make, and the caller's own while one of ours is shown on it. pty(7),
//! termios(3), ioctl_tty(2).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::{LocalModes, OptionalActions, Termios, Winsize};

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

/// False if another process group is in the foreground of this terminal, which is the caller's
/// controlling one: the kernel refuses even a read of nothing there, if SIGTTIN is blocked.
#[must_use]
pub fn lets_read(fd: impl AsFd) -> bool {
    rustix::io::read(fd, &mut [0_u8; 0][..]).is_ok()
}

/// True if both are the same terminal, by whatever name they were opened.
#[must_use]
pub fn are_same(one: impl AsFd, other: impl AsFd) -> bool {
    let one = number(one);
    one.is_ok() && one == number(other)
}

/// The number of the terminal itself: /dev/tty and /dev/console have another one as files.
///
/// # Errors
/// ENOTTY.
pub fn number(terminal: impl AsFd) -> Result<u32> {
    let mut number = 0_u32;
    let fd = terminal.as_fd().as_raw_fd();
    // SAFETY: TIOCGDEV (ioctl_tty(2)) writes an unsigned int.
    if unsafe { libc::ioctl(fd, TIOCGDEV, &raw mut number) } == 0 {
        Ok(number)
    } else {
        Err(super::last_errno())
    }
}

/// asm-generic/ioctls.h
const TIOCGDEV: libc::c_ulong = 0x8004_5432;

/// Gives one terminal the window size of another.
///
/// # Errors
/// ENOTTY.
pub fn copy_size(from: impl AsFd, to: impl AsFd) -> Result<()> {
    let size: Winsize = rustix::termios::tcgetwinsize(from)?;
    rustix::termios::tcsetwinsize(to, size)
}

/// A terminal's modes (termios(3)).
///
/// # Errors
/// ENOTTY; EIO: the terminal is gone.
pub fn modes(terminal: impl AsFd) -> Result<Termios> {
    rustix::termios::tcgetattr(terminal)
}

/// The modes of a terminal, to be put back.
pub struct Modes<'fd> {
    terminal: BorrowedFd<'fd>,
    before: Termios,
}

impl<'fd> Modes<'fd> {
    /// Notes them.
    ///
    /// # Errors
    /// ENOTTY; EIO: the terminal is gone.
    pub fn note(terminal: BorrowedFd<'fd>) -> Result<Self> {
        let before = modes(terminal)?;
        Ok(Self { terminal, before })
    }

    /// Those that were noted before.
    #[must_use]
    pub fn of(terminal: &'fd impl AsFd, before: &Termios) -> Self {
        let (terminal, before) = (terminal.as_fd(), before.clone());
        Self { terminal, before }
    }

    /// The terminal.
    #[must_use]
    pub fn terminal(&self) -> BorrowedFd<'fd> {
        self.terminal
    }

    /// Gives the noted modes to another terminal.
    ///
    /// # Errors
    /// ENOTTY; EIO: the terminal is gone.
    pub fn give(&self, slave: impl AsFd) -> Result<()> {
        rustix::termios::tcsetattr(slave, OptionalActions::Now, &self.before)
    }

    /// Has the terminal hand on every byte as it is. SIGTTOU has to be blocked.
    ///
    /// # Errors
    /// EIO: the terminal is gone.
    pub fn make_raw(&self) -> Result<()> {
        rustix::termios::tcsetattr(self.terminal, OptionalActions::Drain, &self.raw())
    }

    fn raw(&self) -> Termios {
        let mut raw = self.before.clone();
        raw.make_raw();
        raw
    }

    /// Puts the noted modes back, without waiting for what is still to be shown. A terminal that is
    /// gone needs nothing.
    pub fn put_back(&self) {
        let _ = rustix::termios::tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }

    /// True if a person may edit lines in the noted modes, as while no program has changed them.
    #[must_use]
    pub fn have_lines(&self) -> bool {
        self.before.local_modes.contains(LocalModes::ICANON)
    }

    /// True if the modes are those that [`Modes::make_raw`] has set, and not another program's.
    #[must_use]
    pub fn are_raw(&self) -> bool {
        let flags = |modes: &Termios| {
            (
                modes.input_modes,
                modes.output_modes,
                modes.control_modes,
                modes.local_modes,
            )
        };
        let raw = self.raw();
        self.have_lines() && modes(self.terminal).is_ok_and(|now| flags(&now) == flags(&raw))
    }
}

/// The caller's terminal while it hands on every byte as it is; put back when dropped.
pub struct Raw<'fd>(Modes<'fd>);

impl<'fd> Raw<'fd> {
    /// Gives the terminal's modes to `slave`, and makes the terminal raw. SIGTTOU has to be
    /// blocked.
    ///
    /// # Errors
    /// ENOTTY; EIO: the terminal is gone.
    pub fn new(terminal: BorrowedFd<'fd>, slave: impl AsFd) -> Result<Self> {
        let raw = Self(Modes::note(terminal)?);
        raw.0.give(slave)?;
        raw.again()?;
        Ok(raw)
    }

    /// Makes it raw again, after another program had it.
    ///
    /// # Errors
    /// EIO: the terminal is gone.
    pub fn again(&self) -> Result<()> {
        self.0.make_raw()
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        self.0.put_back();
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
