//! Waiting for a lock, but not for ever. flock(2) knows no time limit.

use std::os::fd::AsFd;
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
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => {}
        taken => return taken.map(|()| true),
    }
    let _ticks = Ticks::start()?;
    loop {
        match rustix::fs::flock(&file, FlockOperation::LockExclusive) {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_lock_that_somebody_holds_is_waited_for_until_the_deadline_and_no_longer() {
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
}
