//! Signals: blocked first, read synchronously, put back. signalfd(2), pidfd_send_signal(2).

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::{Errno, Result, last_errno};

/// A signal number, such as `libc::SIGTERM`.
pub type Signal = i32;

/// What asks a program to end; shells at a terminal ignore it.
pub const TERMINATE: Signal = libc::SIGTERM;
/// What tells a program that its terminal is gone; shells end by it.
pub const HANG_UP: Signal = libc::SIGHUP;
/// What lets a stopped program go on, so that it can see the others.
pub const CONTINUE: Signal = libc::SIGCONT;
/// What ends a program at once.
pub const KILL: Signal = libc::SIGKILL;

/// A set of blocked signals.
#[derive(Clone, Copy)]
pub struct Mask(libc::sigset_t);

impl Mask {
    /// Every signal but those that cannot be blocked.
    #[must_use]
    pub fn all() -> Self {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigfillset writes the whole set and cannot fail on a valid pointer.
        unsafe { libc::sigfillset(set.as_mut_ptr()) };
        // SAFETY: written just above.
        Self(unsafe { set.assume_init() })
    }

    /// No signal.
    #[must_use]
    pub fn none() -> Self {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset writes the whole set and cannot fail on a valid pointer.
        unsafe { libc::sigemptyset(set.as_mut_ptr()) };
        // SAFETY: written just above.
        Self(unsafe { set.assume_init() })
    }

    /// Makes this the calling thread's mask, and returns the one before.
    pub fn set(&self) -> Self {
        let mut before = MaybeUninit::uninit();
        // SAFETY: both pointers are to whole sets; with a valid `how` the call cannot fail.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, before.as_mut_ptr()) };
        // SAFETY: written by the call above.
        Self(unsafe { before.assume_init() })
    }
}

/// Puts every signal to its default action. A program started by somebody else inherits
/// what they ignored: with SIGCHLD ignored, the kernel would eat our children's statuses.
pub fn default_all() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: SIG_DFL installs no code. SIGKILL, SIGSTOP and the two that libc keeps for
        // itself are refused with EINVAL, which is what is wanted.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// True if this signal, which is blocked, has come and was not read yet (sigpending(2)).
#[must_use]
pub fn is_pending(signal: Signal) -> bool {
    let Mask(mut set) = Mask::none();
    // SAFETY: `set` is a whole set; sigismember only reads it.
    unsafe { libc::sigpending(&raw mut set) == 0 && libc::sigismember(&raw const set, signal) == 1 }
}

/// Puts one signal to its default action; whether it was ignored before.
pub fn default(signal: Signal) -> bool {
    // SAFETY: SIG_DFL installs no code.
    unsafe { libc::signal(signal, libc::SIG_DFL) == libc::SIG_IGN }
}

/// Puts SIGPIPE to its default action, which Rust's runtime has ignored.
pub fn default_pipe() {
    default(libc::SIGPIPE);
}

/// Ignores one signal.
pub fn ignore(signal: Signal) {
    // SAFETY: SIG_IGN installs no code.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// A descriptor from which signals are read.
pub struct SignalFd(OwnedFd);

/// One signal that was read.
#[derive(Debug, Clone, Copy)]
pub struct Received {
    /// which
    pub signal: Signal,
    /// sent by a process with kill(2) or the like; false if the kernel raised it, as a
    /// terminal does for Ctrl-C
    pub by_process: bool,
}

impl SignalFd {
    /// Reads every signal; they have to be blocked.
    ///
    /// # Errors
    /// EMFILE.
    pub fn new() -> Result<Self> {
        let Mask(set) = Mask::all();
        // SAFETY: `set` is a whole set; -1 asks for a new descriptor.
        let fd =
            unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(last_errno());
        }
        // SAFETY: the kernel just gave it to us.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The next pending signal, if any.
    ///
    /// # Errors
    /// None that can happen on a good descriptor.
    pub fn next(&self) -> Result<Option<Received>> {
        const SIZE: usize = size_of::<libc::signalfd_siginfo>();
        let mut bytes = [0u8; SIZE];
        match rustix::io::read(&self.0, &mut bytes) {
            Ok(SIZE) => {}
            Ok(_) => return Err(Errno::IO),
            Err(Errno::AGAIN) => return Ok(None),
            Err(errno) => return Err(errno),
        }
        // ssi_signo is the first field, ssi_code the third (signalfd(2)).
        let field = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        let signal = Signal::from_ne_bytes(field(0));
        let code = i32::from_ne_bytes(field(8));
        Ok(Some(Received {
            signal,
            by_process: code <= 0,
        }))
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for SignalFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Signals every process of the caller's PID namespace but the caller; false if there is
/// none. Only for PID 1 of a namespace: anywhere else kill(-1) would reach the whole host,
/// so anybody else is refused.
///
/// # Errors
/// EPERM if the caller is not PID 1, or may signal none of them.
pub fn signal_everybody(signal: Signal) -> Result<bool> {
    // SAFETY: getpid has no arguments.
    if unsafe { libc::getpid() } != 1 {
        return Err(Errno::PERM);
    }
    // SAFETY: no memory is passed.
    if unsafe { libc::kill(-1, signal) } == 0 {
        return Ok(true);
    }
    match last_errno() {
        Errno::SRCH => Ok(false),
        errno => Err(errno),
    }
}

/// Signals the process behind a pidfd.
///
/// # Errors
/// ESRCH if it is gone; EPERM.
pub fn send(pidfd: impl AsFd, signal: Signal) -> Result<()> {
    let fd = pidfd.as_fd().as_raw_fd();
    // SAFETY: no memory is passed: a null siginfo makes the kernel fill in kill(2)'s.
    let failed = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            fd,
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    if failed == 0 {
        Ok(())
    } else {
        Err(last_errno())
    }
}

/// Lets `signal` do to the caller what it does by default, though it be blocked: end the
/// caller, or stop it until somebody continues it. Comes back after a stop, or if the kernel
/// does not let it (an orphaned group cannot be stopped from the terminal, setpgid(2)).
pub fn suffer(signal: Signal) {
    default(signal);
    let Mask(mut set) = Mask::none();
    // SAFETY: `set` is a whole set; a number that is no signal leaves it empty.
    unsafe { libc::sigaddset(&raw mut set, signal) };
    // SAFETY: no memory is passed to kill; both masks are whole sets.
    unsafe {
        libc::kill(libc::getpid(), signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
}
