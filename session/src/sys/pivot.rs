//! Taking mounts off, and another one as root: pivot_root(2), umount(2).

use std::ffi::OsStr;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, StatxAttributes, StatxFlags};
use rustix::mount::UnmountFlags;

use super::{Errno, Result};

/// Makes an attached mount the root of the caller's mount namespace, and takes the old root off
/// with everything on it: unlike after chroot(2), no path leads there any more.
///
/// # Errors
/// EINVAL: the mount is not attached, or one of the two is shared; EPERM.
pub fn pivot(new_root: impl AsFd) -> Result<()> {
    let wanted = super::fd::identity(&new_root)?;
    rustix::process::fchdir(&new_root)?;
    // The old root comes to lie on the new one, where it needs no directory.
    rustix::process::pivot_root(".", ".")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    let root = super::fd::open_place("/".as_ref())?;
    if super::fd::identity(root)? == wanted {
        Ok(())
    } else {
        Err(Errno::INVAL)
    }
}

/// Takes off a mount of the caller's own by its open root. The working directory is "/" then.
///
/// # Errors
/// EINVAL if it is locked or no mount.
pub fn take_off(mount: impl AsFd) -> Result<()> {
    rustix::process::fchdir(mount)?;
    let done = rustix::mount::unmount(".", UnmountFlags::DETACH);
    rustix::process::chdir("/")?;
    done
}

/// Takes off every mount on `name` in an open directory, with those beneath; false if there was
/// none. A symbolic link is not followed. The working directory is "/" then.
///
/// # Errors
/// ENOENT; EINVAL if the mount is locked; EBUSY if one lies on another without end.
pub fn unmount_all(parent: impl AsFd, name: &OsStr) -> Result<bool> {
    const MOST: usize = 64;
    rustix::process::fchdir(&parent)?;
    let mut done = Err(Errno::BUSY);
    for times in 0..MOST {
        let flags = UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
        done = match is_mount_root(&parent, name) {
            Ok(false) => Ok(times > 0),
            Ok(true) => match rustix::mount::unmount(name, flags) {
                Ok(()) => continue,
                Err(errno) => Err(errno),
            },
            Err(errno) => Err(errno),
        };
        break;
    }
    rustix::process::chdir("/")?;
    done
}

/// Whether `name` in an open directory is the root of a mount (statx(2), since Linux 5.8).
fn is_mount_root(parent: impl AsFd, name: &OsStr) -> Result<bool> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let stat = rustix::fs::statx(parent, name, flags, StatxFlags::MNT_ID)?;
    Ok(stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}
