//! Inside a session: finds where the caller is, and enters the user layer for `nsctl enter`. The
//! login shell has its own: the crate nsshell-gate.

use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use nsshell_config::{Namespace, Plan};
use rustix::fs::OFlags;

use crate::error::Error;
use crate::sys::ns::Kinds;
use crate::sys::{Errno, fd, filter, ns, process};
use crate::{LONGEST_PLAN, NAME, PLAN, STATE, USER_NAMESPACE};

/// Where the caller stands.
#[derive(Debug)]
pub enum Place {
    /// in no session
    Outside,
    /// in a session's host layer, with its user namespace to be entered
    HostLayer(Plan),
    /// in a session, with nothing to be entered: it has no user namespace, or the caller is
    /// in it, or in one beneath
    Inside(Plan),
}

/// Finds out where the caller stands.
///
/// # Errors
/// There is a session, but its plan cannot be read.
pub fn place() -> Result<Place, Error> {
    let cannot = |errno| Error::system(format!("cannot read the session's plan {PLAN}"), errno);
    let file = match fd::open_beneath(rustix::fs::CWD, Path::new(PLAN), OFlags::RDONLY) {
        // There is no session: the directory is missing, or closed to users.
        Err(Errno::NOENT | Errno::ACCESS) if !is_in_a_session() => return Ok(Place::Outside),
        file => File::from(file.map_err(cannot)?),
    };
    let owner = fd::owner(&file).map_err(cannot)?;
    // Room for all of it but the longest, so that it is read at once.
    let mut text = Vec::with_capacity(16 << 10);
    file.take(LONGEST_PLAN)
        .read_to_end(&mut text)
        .map_err(|error| cannot(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
    let plan: Plan = serde_json::from_slice(&text)
        .map_err(|_| Error::Protocol("the session's plan is of another version"))?;
    // The plan is the host's root's. No user namespace of a session maps that id, so it reads
    // as 0 in the host layer alone, and as "nobody" in the user layer and beneath.
    let enter = owner == 0
        && plan
            .session
            .as_ref()
            .is_some_and(|s| s.has(Namespace::User));
    Ok(if enter {
        Place::HostLayer(plan)
    } else {
        Place::Inside(plan)
    })
}

/// Whether a session of the module's has its state here, so that there has to be a plan: what
/// keeps it from being read must not pass for no session, since the shell would then be one
/// without the user layer. In the host layer nobody but root can cover or remove it.
fn is_in_a_session() -> bool {
    match rustix::fs::stat(NAME) {
        Ok(_) => true,
        Err(Errno::NOENT) => false,
        // The host's directory may be closed to users; a session's is open to all.
        Err(_) => match rustix::fs::stat(STATE) {
            Ok(state) => state.st_mode & 0o001 != 0,
            Err(errno) => errno != Errno::NOENT,
        },
    }
}

/// Closes what leads outside: whoever started the login may have left directories of the host
/// open, as in `su - alice 9</`, and from one of them fchdir(2) and `..` reach all of it.
///
/// # Errors
/// /proc or /dev/null is not there.
pub fn close_outside() -> Result<(), Error> {
    fd::close_directories()
        .map_err(|errno| Error::system("cannot close inherited directories", errno))
}

/// Enters the user layer, as the gate does: the user namespace, a mount namespace of the caller's
/// own in it, whose mounts from the host layer the kernel has locked (mount_namespaces(7)), and the
/// filter against typing into terminals.
///
/// # Errors
/// The kernel refuses; then the caller must not go on to the shell.
pub fn user_layer() -> Result<(), Error> {
    let cannot = |errno| Error::system("cannot enter the session's user namespace", errno);
    ns::join_one(user_namespace()?).map_err(cannot)?;
    process::unshare(Kinds::MOUNT).map_err(|errno| {
        Error::namespaces("cannot make a mount namespace of the user's own", errno)
    })?;
    filter::forbid_typing()
        .map_err(|errno| Error::system("cannot forbid typing into terminals (seccomp)", errno))
}

fn user_namespace() -> Result<std::os::fd::OwnedFd, Error> {
    let path = CString::new(USER_NAMESPACE).unwrap_or_default();
    ns::open_link(&path)
        .map_err(|errno| Error::system(format!("cannot open {USER_NAMESPACE}"), errno))
}
