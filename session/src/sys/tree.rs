//! Detached copies of mounts, and what is changed about them before anybody sees them:
//! open_tree(2), mount_setattr(2).

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::mount::OpenTreeFlags;

use super::Result;

/// Whether mounts beneath count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// the one mount
    Single,
    /// with all beneath it
    Recursive,
}

/// A detached bind mount of an open place.
///
/// # Errors
/// EINVAL if the place is not in the caller's mount namespace, or a mount beneath must not be
/// uncovered; EPERM.
pub fn copy(place: impl AsFd, depth: Depth) -> Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    if depth == Depth::Recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    rustix::mount::open_tree(place, "", flags)
}

/// Takes set-user-id, set-group-id and device nodes off a detached mount, and cuts it off from
/// the mounts that come to its original.
///
/// # Errors
/// EPERM; ENOSYS before Linux 5.12.
pub fn make_private(mount: impl AsFd) -> Result<()> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV,
        attr_clr: 0,
        propagation: libc::MS_PRIVATE,
        userns_fd: 0,
    };
    change(mount, Depth::Single, &attributes)
}

/// Has the ids of the files of a detached mount read through the maps of a user namespace: an
/// id on disk is one inside of the namespace.
///
/// # Errors
/// EINVAL if the file system cannot; EPERM if the mount was mapped before, or for the initial
/// user namespace; ENOSYS before Linux 5.12.
pub fn map_ids(mount: impl AsFd, user_namespace: impl AsFd, depth: Depth) -> Result<()> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: user_namespace
            .as_fd()
            .as_raw_fd()
            .try_into()
            .unwrap_or(u64::MAX),
    };
    change(mount, depth, &attributes)
}

fn change(mount: impl AsFd, depth: Depth, attributes: &libc::mount_attr) -> Result<()> {
    let mut flags = libc::AT_EMPTY_PATH;
    if depth == Depth::Recursive {
        flags |= libc::AT_RECURSIVE;
    }
    // SAFETY: the path ends in NUL, and `attributes` has the size that is passed.
    let failed = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags,
            std::ptr::from_ref(attributes),
            size_of_val(attributes),
        )
    };
    if failed == 0 {
        Ok(())
    } else {
        Err(super::last_errno())
    }
}
