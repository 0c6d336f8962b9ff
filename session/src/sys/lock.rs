//! Waiting for a lock, but not for ever: flock(2) knows no time limit. And who writes a file: the
//! kernel tells it by granting a lease or not.

use std::os::fd::AsFd;
#[cfg(feature = "engine")]
use std::os::fd::AsRawFd;
use std::time::Instant;

use rustix::fs::FlockOperation;

use super::{Errno, Result, last_errno};

/// How often a wait is interrupted to look at the clock, in nanoseconds. It costs nothing
/// else: whoever waits is woken by the kernel the moment that the lock is free, in the order
/// in which they came.
const LOOK: libc::c_long = 50_000_000;

/// Waits until the caller alone holds the lock on an open file, or until the deadline: whether
/// it has it. Uses SIGALRM, which this thread must not block.
///
/// # Errors
/// ENOLCK; EBADF.
pub fn exclusive(file: impl AsFd, deadline: Instant) -> Result<bool> {
    use FlockOperation::{LockExclusive, NonBlockingLockExclusive};
    wait(file, NonBlockingLockExclusive, LockExclusive, deadline)
}

/// As [`exclusive`], for a lock that others may have at the same time.
///
/// # Errors
/// ENOLCK; EBADF.
pub fn shared(file: impl AsFd, deadline: Instant) -> Result<bool> {
    use FlockOperation::{LockShared, NonBlockingLockShared};
    wait(file, NonBlockingLockShared, LockShared, deadline)
}

fn wait(
    file: impl AsFd,
    now: FlockOperation,
    blocking: FlockOperation,
    deadline: Instant,
) -> Result<bool> {
    match rustix::fs::flock(&file, now) {
        Err(Errno::WOULDBLOCK) => {}
        taken => return taken.map(|()| true),
    }
    let _ticks = Ticks::start()?;
    loop {
        match rustix::fs::flock(&file, blocking) {
            Err(Errno::INTR) if Instant::now() < deadline => {}
            Err(Errno::INTR) => return Ok(false),
            taken => return taken.map(|()| true),
        }
    }
}

/// Takes the lock if nobody has it: whether it was taken.
#[must_use]
pub fn try_exclusive(file: impl AsFd) -> bool {
    rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// fcntl(2); the `libc` crate has it for few systems only.
#[cfg(feature = "engine")]
const F_SETSIG: libc::c_int = 10;

/// Whether somebody has a file open for writing: the kernel lends no lease on it then. Who opens
/// it meanwhile waits for the few microseconds that the lease is held.
///
/// # Errors
/// Nobody can tell. EACCES: the file is another user's; EINVAL: its file system has no leases.
#[cfg(feature = "engine")]
pub fn is_being_written(file: impl AsFd) -> Result<bool> {
    let file = file.as_fd().as_raw_fd();
    let control = |command, argument: libc::c_int| {
        // SAFETY: an open descriptor, and commands whose argument is a number.
        match unsafe { libc::fcntl(file, command, argument) } {
            -1 => Err(last_errno()),
            _ => Ok(()),
        }
    };
    // Whoever opens it meanwhile has a signal sent to us: this one ends nobody, as SIGIO would.
    control(F_SETSIG, libc::SIGURG)?;
    match control(libc::F_SETLEASE, libc::F_RDLCK) {
        Err(Errno::AGAIN) => Ok(true),
        lent => lent
            .and_then(|()| control(libc::F_SETLEASE, libc::F_UNLCK))
            .map(|()| false),
    }
}

/// Lets go of the lock, for every copy of the descriptor.
pub fn release(file: impl AsFd) {
    // Nothing to be done about it: the lock goes with the last copy.
    let _ = rustix::fs::flock(file, FlockOperation::Unlock);
}

/// While it lives, SIGALRM comes to this thread again and again and interrupts what blocks.
/// Again and again: a single one could come just before the call that it is meant for. To this
/// thread: any other that took it would leave this one waiting.
struct Ticks(libc::timer_t);

impl Ticks {
    fn start() -> Result<Ticks> {
        extern "C" fn nothing(_: libc::c_int) {}
        // SAFETY: all fields are integers or pointers, for which zero means "none".
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = nothing as *const () as libc::sighandler_t;
        // SAFETY: the handler does nothing; without SA_RESTART calls end with EINTR.
        if unsafe { libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut()) } != 0 {
            return Err(last_errno());
        }
        // SAFETY: as above.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = libc::SIGALRM;
        event.sigev_notify_thread_id = rustix::thread::gettid().as_raw_nonzero().get();
        let mut timer: libc::timer_t = std::ptr::null_mut();
        // SAFETY: both outlive the call, which fills in `timer` if it succeeds.
        let made =
            unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) };
        if made != 0 {
            return Err(last_errno());
        }
        let ticks = Ticks(timer);
        let time = libc::timespec {
            tv_sec: 0,
            tv_nsec: LOOK,
        };
        let again = libc::itimerspec {
            it_interval: time,
            it_value: time,
        };
        // SAFETY: the timer is ours; `again` outlives the call, and the old value is not asked for.
        if unsafe { libc::timer_settime(timer, 0, &raw const again, std::ptr::null_mut()) } != 0 {
            return Err(last_errno());
        }
        Ok(ticks)
    }
}

impl Drop for Ticks {
    fn drop(&mut self) {
        // SAFETY: made by `start`, and deleted here only. One that is pending still comes before
        // this call returns, to the handler.
        unsafe { libc::timer_delete(self.0) };
        super::signal::default(libc::SIGALRM);
    }
}

/// Held by tests that wait: the handler of SIGALRM is that of all threads.
#[cfg(test)]
pub(crate) static WAITING: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_lock_that_somebody_holds_is_waited_for_until_the_deadline_and_no_longer() {
        let _alone = WAITING.lock();
        let path = std::env::temp_dir().join(format!("nsshell-lock-{}", std::process::id()));
        let (one, two) = (
            std::fs::File::create(&path).unwrap(),
            std::fs::File::open(&path).unwrap(),
        );
        std::fs::remove_file(&path).unwrap();
        assert!(exclusive(&one, Instant::now()).unwrap());
        let begun = Instant::now();
        let deadline = begun + Duration::from_millis(200);
        assert!(!exclusive(&two, deadline).unwrap());
        let waited = begun.elapsed();
        assert!((200..2000).contains(&waited.as_millis()), "{waited:?}");
        drop(one);
        assert!(exclusive(&two, Instant::now()).unwrap());
    }

    #[test]
    #[cfg(feature = "engine")]
    fn a_file_is_being_written_while_somebody_has_it_open_for_writing() {
        let path = std::env::temp_dir().join(format!("nsshell-lease-{}", std::process::id()));
        let writer = std::fs::File::create(&path).unwrap();
        let reader = std::fs::File::open(&path).unwrap();
        // another file system than a temporary directory usually has may know no leases
        let Ok(written) = is_being_written(&reader) else {
            return std::fs::remove_file(&path).unwrap();
        };
        assert!(written);
        drop(writer);
        assert!(!is_being_written(&reader).unwrap());
        // and nothing is left of the asking
        let appends = std::fs::File::options().append(true).open(&path).unwrap();
        assert!(is_being_written(&reader).unwrap());
        drop(appends);
        std::fs::remove_file(&path).unwrap();
        assert!(!is_being_written(&reader).unwrap());
    }

    #[test]
    fn a_shared_lock_is_had_by_several_and_waits_for_the_one_who_is_alone() {
        let _alone = WAITING.lock();
        let file = tempfile::NamedTempFile::new().unwrap();
        let open = || std::fs::File::open(file.path()).unwrap();
        let (one, two, three) = (open(), open(), open());
        assert!(shared(&one, Instant::now()).unwrap());
        assert!(shared(&two, Instant::now()).unwrap());
        drop(two);
        assert!(exclusive(&one, Instant::now()).unwrap());
        let deadline = Instant::now() + Duration::from_millis(100);
        assert!(!shared(&three, deadline).unwrap());
        assert!(Instant::now() >= deadline);
    }
}
