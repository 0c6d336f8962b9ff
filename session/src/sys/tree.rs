//! Detached copies of mounts, and what is changed about them before anybody sees them:
//! open_tree(2), mount_setattr(2).

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::mount::OpenTreeFlags;

use super::Result;
use super::attributes::{self, Change, Flags};

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
    let change = Change {
        set: Flags::NO_SUID.with(Flags::NO_DEV),
        private: true,
        ..Change::default()
    };
    attributes::change(mount, Depth::Single, &change)
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
    attributes::set(mount, depth, &attributes)
}
