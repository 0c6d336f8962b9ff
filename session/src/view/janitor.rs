//! The process that removes what a session must not leave on disk. It is the host's, not the
//! session's: it sees the end of the session's init, however that ends, and outlives it by what
//! the removal takes.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::sys::ns::Kinds;
use crate::sys::process::{self, Child};
use crate::sys::signal::Mask;
use crate::sys::{caps, log, socket};

use super::ephemeral::Claim;
use super::removal::Left;

/// How long one try may take: a tree of some millions of files on a slow disk.
const REMOVAL_LIMIT: Duration = Duration::from_secs(600);

/// After a try that has left something, the next one comes so much later, and so on: a process
/// that has outlived the session may be filling what is to be emptied.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(300),
];

/// Starts a janitor for these claims; none is needed if there are none. To be called when the
/// session is ready: until then, whoever makes the session has the claims to give up.
///
/// # Errors
/// No process can be made.
pub fn start(claims: &[Claim], init: &Child) -> Result<(), Error> {
    if claims.is_empty() {
        return Ok(());
    }
    process::clone(Kinds::default(), || live(claims, &init.pidfd))
        .map(|_| ())
        .map_err(|errno| Error::system("cannot start the janitor of the session", errno))
}

/// Gives up the claims of a session that has not come to be. What cannot be removed at once is
/// left to the next login in the same stores: somebody waits for this one.
pub fn clean_at_once(claims: &[Claim]) {
    let deadline = Instant::now() + Duration::from_secs(2);
    for claim in claims {
        let _ = claim.give_up(deadline);
    }
}

/// Gives up the claims of a session that has ended; what is left in the end is logged.
fn clean(claims: &[Claim]) {
    let tries = PAUSES.iter().copied().map(Some).chain([None]);
    for pause in tries {
        let left: Vec<_> = claims
            .iter()
            .filter_map(|claim| {
                let deadline = Instant::now() + REMOVAL_LIMIT;
                claim.give_up(deadline).err().map(|left| (claim, left))
            })
            .collect();
        match (left.as_slice(), pause) {
            ([], _) => return,
            (_, Some(pause)) => std::thread::sleep(pause),
            (left, None) => left.iter().for_each(|(claim, left)| tell(claim, left)),
        }
    }
}

/// The one thing to say for each directory; it is tried again at the next login that uses the
/// same store.
fn tell(claim: &Claim, left: &Left) {
    let path = claim
        .path()
        .display()
        .to_string()
        .escape_debug()
        .to_string();
    log::warn(
        c"nsshell-janitor",
        &format!("cannot empty {path}, which a session has used: {left}"),
    );
}

fn live(claims: &[Claim], init: &OwnedFd) -> i32 {
    let mut keep: Vec<&dyn AsRawFd> = vec![init];
    for claim in claims {
        keep.extend(claim.descriptors().map(|fd| fd as &dyn AsRawFd));
    }
    // The helper's socket to the module above all: it must end with the helper.
    let closed = process::close_all_but(&keep);
    // What ends a systemd scope asks everybody to end; this one ends when the session has.
    Mask::all().set();
    let prepared = closed
        .and_then(|()| process::die_with_parent(false))
        .and_then(|()| process::new_session())
        .and_then(|()| process::set_name(c"nsshell-janitor"))
        .and_then(|()| caps::keep_only_for_files());
    if prepared.is_err() {
        // With its claims' locks free, the next login in the same stores sweeps.
        return 1;
    }
    // Nobody waits for it, and a process that goes on writing must not make it a burden.
    let _ = rustix::process::nice(19);
    process::shrink();
    for claim in claims {
        // Of sessions that are gone; what is left is told by whoever cannot remove their own.
        let _ = claim.sweep(Instant::now() + REMOVAL_LIMIT);
    }
    // Only its end counts: what a wait that fails would have removed is a live session's.
    while socket::readable(init, None) != Ok(true) {
        std::thread::sleep(PAUSES[0]);
    }
    clean(claims);
    0
}
