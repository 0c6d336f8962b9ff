//! The limits that the user namespace of a session has from its maker.
//!
//! The kernel keeps RLIMIT_NPROC, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE and RLIMIT_SIGPENDING of the
//! process that makes a user namespace, and holds all that its owner has in there to them, for as
//! long as the namespace lasts. The application may have these limits from the user who has
//! started it, such as that of su, while the session is shared by later logins. So they are
//! taken from process 1, and are the same for every session.

use crate::error::Error;
use crate::sys::Errno;
use crate::sys::leave::{Limits, Short};

/// How far the helper has the limits of process 1.
#[derive(Debug)]
pub(crate) enum MakerLimits {
    /// it has them all
    OfProcess1,
    /// it lacks the right to raise these any further
    Short(Vec<Short>),
    /// it could not read or set them, and has those of the application
    Kept(Errno),
}

impl MakerLimits {
    /// Takes the limits of process 1, as far as the kernel lets the caller. No failure refuses
    /// the login: the session is made with what there is.
    pub(crate) fn take() -> Self {
        let taken = Limits::of_namespaces(1).and_then(|limits| limits.take_as_far_as_allowed());
        match taken {
            Ok(short) if short.is_empty() => Self::OfProcess1,
            Ok(short) => Self::Short(short),
            Err(errno) => Self::Kept(errno),
        }
    }

    /// The line for the log about a session whose user namespace has other limits than those of
    /// process 1.
    pub(crate) fn warning(&self, session: &str, user: &str) -> Option<String> {
        let what = match self {
            Self::OfProcess1 => return None,
            Self::Short(short) => {
                let short: Vec<_> = short.iter().map(Short::to_string).collect();
                format!(
                    "its user namespace has lower limits than process 1 ({}), since session-init \
                     lacks CAP_SYS_RESOURCE; give that to this container, or start the login \
                     service with the hard limits of process 1",
                    short.join("; ")
                )
            }
            Self::Kept(errno) => {
                let why = Error::system("cannot take the limits of process 1", *errno);
                format!("its user namespace has the limits of the login service: {why}")
            }
        };
        Some(format!("session {session} of {user}: {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_limits_that_could_not_be_taken_are_told() {
        let of = |limits: MakerLimits| limits.warning("k3", "alice");
        assert_eq!(of(MakerLimits::OfProcess1), None);
        let short = |name, have, wanted| Short { name, have, wanted };
        let two = vec![
            short("nproc", 60, 96364),
            short("memlock", 65536, libc::RLIM_INFINITY),
        ];
        assert_eq!(
            of(MakerLimits::Short(two)).as_deref(),
            Some(
                "session k3 of alice: its user namespace has lower limits than process 1 \
                 (nproc 60, not 96364; memlock 65536, not unlimited), since session-init lacks \
                 CAP_SYS_RESOURCE; give that to this container, or start the login service with \
                 the hard limits of process 1"
            )
        );
        assert_eq!(
            of(MakerLimits::Kept(Errno::PERM)).as_deref(),
            Some(
                "session k3 of alice: its user namespace has the limits of the login service: \
                 cannot take the limits of process 1: Operation not permitted"
            )
        );
    }
}
