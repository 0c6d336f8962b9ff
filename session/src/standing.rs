//! Where a login stands, which decides whether it shares a session and may make one to be shared.
//!
//! A session lives in the cgroup of the login that it was made for, with a view of the file
//! system that began as a copy of that login's. Whoever may stop or kill one of these, or sees
//! another file system than the rest of the host, must not decide about the logins of others.

use std::path::Path;

use nsshell_config::{Mode, Plan};

use crate::error::Error;
use crate::sys::{Errno, fd, ns};
use crate::{PLAN, cgroup};

/// Where a login stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// on the host: it shares, and makes what is shared
    Host,
    /// in a cgroup that another user has power over, as that of who has called su: it shares
    /// what is there, without the user's lock, and makes only what nobody shares
    Foreign,
    /// in a mount namespace of its own, as a service that is shut off from a part of the host
    Apart,
    /// within a session, where the place of ours is the outer one's, or only observed
    Alone,
}

impl Standing {
    /// Where the caller stands, for a login with this plan.
    ///
    /// # Errors
    /// Its cgroups or mount namespace cannot be looked at.
    pub(crate) fn of(plan: &Plan) -> Result<Self, Error> {
        Ok(if plan.mode != Mode::Enforce || Path::new(PLAN).exists() {
            Self::Alone
        } else if !is_in_mount_namespace_of_pid_1()? {
            Self::Apart
        } else if cgroup::is_foreign(plan.account.uid)? {
            Self::Foreign
        } else {
            Self::Host
        })
    }

    /// Whether a session that is made from here has a door.
    pub(crate) fn has_door(self) -> bool {
        self == Self::Host
    }

    /// For the audit trail: why a session is not shared that would have been.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Foreign => "cgroup",
            Self::Apart => "mount",
            Self::Host | Self::Alone => "",
        }
    }
}

/// # Errors
/// That cannot be seen. Where it may not be (EACCES, as in a container), it is taken for another
/// one: nobody else's session is at stake then.
fn is_in_mount_namespace_of_pid_1() -> Result<bool, Error> {
    let identity = |link| ns::open_link(link).and_then(fd::identity);
    let cannot = |errno| Error::system("cannot look at the mount namespace of process 1", errno);
    match (identity(c"/proc/self/ns/mnt"), identity(c"/proc/1/ns/mnt")) {
        (Ok(own), Ok(first)) => Ok(own == first),
        (_, Err(Errno::ACCESS)) => Ok(false),
        (Err(errno), _) | (_, Err(errno)) => Err(cannot(errno)),
    }
}
