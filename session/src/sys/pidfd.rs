//! Handles on processes that are not children of ours. pidfd_open(2).

use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{Pid, PidfdFlags};

use super::{Errno, Result};

/// A handle on the process that has this number now. What is read of /proc under the number
/// afterwards is about the same process exactly if it is still [`alive`] then.
///
/// # Errors
/// ESRCH: there is none, or it is a thread; EMFILE.
pub fn open(pid: i32) -> Result<OwnedFd> {
    let pid = Pid::from_raw(pid).filter(|pid| pid.as_raw_nonzero().get() > 0);
    rustix::process::pidfd_open(pid.ok_or(Errno::SRCH)?, PidfdFlags::empty())
}

/// Whether the process has neither ended nor been waited for.
#[must_use]
pub fn alive(pidfd: impl AsFd) -> bool {
    // Readable from the end on. EPERM of a signal would tell as much, but not of a zombie.
    super::socket::readable(pidfd, Some(std::time::Instant::now())) == Ok(false)
}
