//! Entering the user layer.

use rustix::fs::OFlags;

use nsshell_gate::environment;

use crate::failure::Failure;
use crate::sys::Called;
use crate::{sys, terminal};

/// Closes what leads outside. The program that started the login may have left directories of the
/// host open, as in `su - alice 9</`, and from one of them fchdir(2) and `..` reach all of it; or
/// its own terminal under another number than 0 to 2, which stay as they are. What the module has
/// left open for a relay goes as well.
///
/// # Errors
/// /proc or /dev/null is not there.
pub fn close_outside(called: &Called) -> Result<(), Failure> {
    let cannot = |errno| Failure::system("cannot close inherited directories", errno);
    let uid = sys::uid();
    let for_relay = called.environment.iter().find_map(|one| {
        let number = environment::application(one.to_bytes())?;
        core::str::from_utf8(number).ok()?.parse().ok()
    });
    for one in sys::inherited().map_err(cannot)? {
        let is_foreign_terminal = || one.number() > 2 && terminal::is_of_another(one, uid);
        let is_for_relay = || Some(one.number()) == for_relay && one.is_of_proc();
        if one.is_directory() || is_foreign_terminal() || is_for_relay() {
            one.close().map_err(cannot)?;
        }
    }
    Ok(())
}

/// Enters the user namespace, and a mount namespace of the caller's own in it, whose mounts from
/// the host layer the kernel has locked (mount_namespaces(7)).
///
/// # Errors
/// The kernel refuses; then the caller must not go on to the shell.
pub fn enter() -> Result<(), Failure> {
    let path = c"/run/nsshell/user";
    let namespace = sys::open(path, OFlags::RDONLY)
        .map_err(|errno| Failure::system("cannot open /run/nsshell/user", errno))?;
    sys::join(namespace)
        .map_err(|errno| Failure::system("cannot enter the session's user namespace", errno))?;
    sys::unshare_mounts().map_err(|errno| {
        Failure::namespaces("cannot make a mount namespace of the user's own", errno)
    })
}

/// Takes from the shell and all that it starts the means of typing into terminals. After entering
/// the user namespace, which gives the capability that the kernel demands, and before the shell is
/// executed, which loses it.
///
/// # Errors
/// The kernel has no filters of system calls.
pub fn restrict() -> Result<(), Failure> {
    sys::forbid_typing().map_err(|errno| Failure {
        advice: "nsshell needs a kernel with CONFIG_SECCOMP_FILTER".into(),
        ..Failure::system("cannot forbid typing into terminals (seccomp)", errno)
    })
}
