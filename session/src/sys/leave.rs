//! What a process of root's has that another user's must not get with it: keyrings(7),
//! getrlimit(2), audit(8).

use super::{Errno, Result, last_errno};

/// Gives the caller an empty session keyring of its own. Whoever may trace a process has what
/// is in its keyrings.
///
/// # Errors
/// EDQUOT, ENOMEM. A kernel without keyrings, or a filter that keeps them from everybody, is
/// none.
pub fn keyring() -> Result<()> {
    // KEYCTL_JOIN_SESSION_KEYRING, without a name
    // SAFETY: numbers and a null pointer, which this call knows.
    let made = unsafe { libc::syscall(libc::SYS_keyctl, 1, std::ptr::null::<u8>()) };
    match made {
        0.. => Ok(()),
        _ => match last_errno() {
            Errno::NOSYS | Errno::PERM => Ok(()),
            errno => Err(errno),
        },
    }
}

/// Has the kernel's audit trail count the caller, and all that it starts, as user `uid`, as a
/// login does. Where the kernel does not let anybody change that, it stays as it is.
pub fn audit_identity(uid: u32) {
    let _ = std::fs::write("/proc/self/loginuid", uid.to_string());
}

/// Who the kernel's audit trail says has logged in; none if nobody has, or it does not know.
#[must_use]
pub fn audited_uid() -> Option<u32> {
    let text = std::fs::read_to_string("/proc/self/loginuid").ok()?;
    text.trim().parse().ok().filter(|uid| *uid != u32::MAX)
}

/// The limits of a process that are about more than that process, or give it power over others.
#[derive(Debug, Clone)]
pub struct Limits(Vec<(u32, libc::rlimit)>);

impl Limits {
    const KINDS: [u32; 7] = [
        libc::RLIMIT_NPROC,
        libc::RLIMIT_MEMLOCK,
        libc::RLIMIT_MSGQUEUE,
        libc::RLIMIT_SIGPENDING,
        libc::RLIMIT_NICE,
        libc::RLIMIT_RTPRIO,
        libc::RLIMIT_RTTIME,
    ];

    /// Those of a process.
    ///
    /// # Errors
    /// ESRCH; EPERM.
    pub fn of(pid: i32) -> Result<Self> {
        let mut limits = Vec::new();
        for kind in Self::KINDS {
            let mut limit = libc::rlimit {
                rlim_cur: 0,
                rlim_max: 0,
            };
            // SAFETY: nothing is set, and what is got outlives the call.
            if unsafe { libc::prlimit(pid, kind, std::ptr::null(), &raw mut limit) } != 0 {
                return Err(last_errno());
            }
            limits.push((kind, limit));
        }
        Ok(Self(limits))
    }

    /// Makes them the caller's.
    ///
    /// # Errors
    /// EPERM: one is raised, and the caller may not.
    pub fn take(&self) -> Result<()> {
        for (kind, limit) in &self.0 {
            // SAFETY: the limit outlives the call.
            if unsafe { libc::setrlimit(*kind, limit) } != 0 {
                return Err(last_errno());
            }
        }
        Ok(())
    }
}
