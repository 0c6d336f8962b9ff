//! Waiting for a lock, but not for ever. flock(2) knows no time limit.

use std::os::fd::AsFd;
use std::time::Instant;

use rustix::fs::FlockOperation;

use super::{Errno, Result, last_errno};

/// How often a wait is interrupted to look at the clock, in microseconds. It costs nothing
/// else: whoever waits is woken by the kernel the moment that the lock is free, in the order
/// in which they came.
const LOOK: libc::suseconds_t = 50_000;

/// Waits until the caller alone holds the lock on an open file, or until the deadline: whether
/// it has it. Uses the process's one interval timer and SIGALRM, which must not be blocked.
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

/// While it lives, SIGALRM comes again and again and interrupts what blocks. Again and again:
/// a single one could come just before the call that it is meant for.
struct Ticks;

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
        every(LOOK)?;
        Ok(Ticks)
    }
}

impl Drop for Ticks {
    fn drop(&mut self) {
        let _ = every(0);
        super::signal::default(libc::SIGALRM);
    }
}

fn every(microseconds: libc::suseconds_t) -> Result<()> {
    let time = libc::timeval {
        tv_sec: 0,
        tv_usec: microseconds,
    };
    let timer = libc::itimerval {
        it_interval: time,
        it_value: time,
    };
    // SAFETY: `timer` outlives the call; the old value is not asked for.
    let failed =
        unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
    if failed == 0 {
        Ok(())
    } else {
        Err(last_errno())
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
