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

/// Some of the limits of a process (getrlimit(2)).
#[derive(Debug, Clone)]
pub struct Limits(Vec<(Kind, libc::rlimit)>);

/// Number and name of a limit, the name as limits.conf(5) and prlimit(1) have it.
type Kind = (u32, &'static str);

/// A soft limit that the caller could not raise as far as it was to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Short {
    /// which
    pub name: &'static str,
    /// the limit that the caller has
    pub have: libc::rlim_t,
    /// the limit that it was to have
    pub wanted: libc::rlim_t,
}

impl std::fmt::Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |limit: libc::rlim_t| match limit {
            libc::RLIM_INFINITY => "unlimited".to_owned(),
            limit => limit.to_string(),
        };
        let (have, wanted) = (shown(self.have), shown(self.wanted));
        write!(f, "{} {have}, not {wanted}", self.name)
    }
}

impl Limits {
    /// The kernel counts these for a user, not for a process, and keeps the soft limits of the
    /// maker of a user namespace as the most that all processes of its owner in there may have.
    const OF_NAMESPACES: [Kind; 4] = [
        (libc::RLIMIT_NPROC, "nproc"),
        (libc::RLIMIT_MEMLOCK, "memlock"),
        (libc::RLIMIT_MSGQUEUE, "msgqueue"),
        (libc::RLIMIT_SIGPENDING, "sigpending"),
    ];

    /// These give a process power over others.
    const OF_PRIORITY: [Kind; 3] = [
        (libc::RLIMIT_NICE, "nice"),
        (libc::RLIMIT_RTPRIO, "rtprio"),
        (libc::RLIMIT_RTTIME, "rttime"),
    ];

    /// Those of a process that are about more than that process, or give it power over others.
    ///
    /// # Errors
    /// ESRCH; EPERM.
    pub fn of(pid: i32) -> Result<Self> {
        Self::read(
            pid,
            &[&Self::OF_NAMESPACES[..], &Self::OF_PRIORITY].concat(),
        )
    }

    /// Those of a process that a user namespace has from its maker.
    ///
    /// # Errors
    /// ESRCH; EPERM.
    pub fn of_namespaces(pid: i32) -> Result<Self> {
        Self::read(pid, &Self::OF_NAMESPACES)
    }

    fn read(pid: i32, kinds: &[Kind]) -> Result<Self> {
        let read = |&kind: &Kind| Ok((kind, get(pid, kind)?));
        kinds.iter().map(read).collect::<Result<_>>().map(Self)
    }

    /// Makes them the caller's.
    ///
    /// # Errors
    /// EPERM: one is raised, and the caller may not.
    pub fn take(&self) -> Result<()> {
        self.0
            .iter()
            .try_for_each(|(kind, limit)| set(*kind, limit))
    }

    /// Makes them the caller's as far as the kernel lets it: without CAP_SYS_RESOURCE a soft
    /// limit rises to the hard limit and no further. Returns the soft limits that are too low.
    ///
    /// # Errors
    /// None that can happen to limits that a process has.
    pub fn take_as_far_as_allowed(&self) -> Result<Vec<Short>> {
        let mut short = Vec::new();
        for (kind, limit) in &self.0 {
            match set(*kind, limit) {
                Err(Errno::PERM) => short.extend(raise_soft(*kind, limit.rlim_cur)?),
                done => done?,
            }
        }
        Ok(short)
    }
}

/// Sets a soft limit of the caller to `wanted`, or to the hard limit if that is lower.
fn raise_soft(kind: Kind, wanted: libc::rlim_t) -> Result<Option<Short>> {
    let mut limit = get(0, kind)?;
    limit.rlim_cur = wanted.min(limit.rlim_max);
    set(kind, &limit)?;
    let have = limit.rlim_cur;
    Ok((have < wanted).then_some(Short {
        name: kind.1,
        have,
        wanted,
    }))
}

/// A limit of a process; 0 is the caller.
fn get(pid: i32, (kind, _): Kind) -> Result<libc::rlimit> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: nothing is set, and what is got outlives the call.
    match unsafe { libc::prlimit(pid, kind, std::ptr::null(), &raw mut limit) } {
        0 => Ok(limit),
        _ => Err(last_errno()),
    }
}

/// Sets a limit of the caller.
fn set((kind, _): Kind, limit: &libc::rlimit) -> Result<()> {
    // SAFETY: the limit outlives the call.
    match unsafe { libc::setrlimit(kind, limit) } {
        0 => Ok(()),
        _ => Err(last_errno()),
    }
}
