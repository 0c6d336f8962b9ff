//! The ids with which files are reached: setfsuid(2), setfsgid(2).

use super::{Errno, Result};

/// Runs `act` with the file system ids of a user and their group, and so without root's rights
/// over files: what root cannot reach (NFS with root_squash), and what the user must not make
/// root reach, is reached as the user would reach it. Everything else of the caller stays.
///
/// # Errors
/// EPERM if the ids could not be taken, or not be given back; otherwise what `act` says.
pub fn as_user<T>(uid: u32, gid: u32, act: impl FnOnce() -> Result<T>) -> Result<T> {
    let (own_uid, own_gid) = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    // Either change clears it.
    let death = rustix::process::parent_process_death_signal();
    // The group first, since changing it takes the right that the user's id gives up.
    let done = match (set_gid(gid), set_uid(uid)) {
        (Ok(()), Ok(())) => act(),
        _ => Err(Errno::PERM),
    };
    set_uid(own_uid)?;
    set_gid(own_gid)?;
    if let Ok(Some(signal)) = death {
        rustix::process::set_parent_process_death_signal(Some(signal))?;
    }
    done
}

/// Neither call says whether it failed; a second one that changes nothing tells what there is.
fn set_uid(uid: u32) -> Result<()> {
    // SAFETY: plain numbers; the id 4294967295 changes nothing.
    let now = unsafe {
        libc::setfsuid(uid);
        libc::setfsuid(u32::MAX)
    };
    is(now, uid)
}

fn set_gid(gid: u32) -> Result<()> {
    // SAFETY: as above.
    let now = unsafe {
        libc::setfsgid(gid);
        libc::setfsgid(u32::MAX)
    };
    is(now, gid)
}

fn is(now: libc::c_int, wanted: u32) -> Result<()> {
    // The kernel gives the id back in a signed number.
    if now.cast_unsigned() == wanted {
        Ok(())
    } else {
        Err(Errno::PERM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process;

    #[test]
    fn who_is_to_die_with_the_parent_still_is_after_having_been_another_user_for_files() {
        if process::effective_uid() != 0 {
            return;
        }
        let signal = || rustix::process::parent_process_death_signal().map(|it| it.is_some());
        for yes in [true, false] {
            process::die_with_parent(yes).ok();
            assert_eq!(as_user(65534, 65534, signal), Ok(false));
            assert_eq!(signal(), Ok(yes));
        }
    }
}
