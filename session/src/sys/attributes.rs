//! What may be done through a mount: mount_setattr(2), statvfs(3).

use std::os::fd::{AsFd, AsRawFd};

use super::Result;
use super::tree::Depth;

/// Restrictions of a mount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags(u64);

impl Flags {
    /// nothing can be written through it
    pub const READ_ONLY: Self = Self(libc::MOUNT_ATTR_RDONLY);
    /// set-user-id, set-group-id and file capabilities have no effect
    pub const NO_SUID: Self = Self(libc::MOUNT_ATTR_NOSUID);
    /// device nodes cannot be opened
    pub const NO_DEV: Self = Self(libc::MOUNT_ATTR_NODEV);
    /// no program can be executed from it
    pub const NO_EXEC: Self = Self(libc::MOUNT_ATTR_NOEXEC);

    /// These and others.
    #[must_use]
    pub const fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// These, and others if `yes`.
    #[must_use]
    pub const fn and_if(self, yes: bool, others: Self) -> Self {
        if yes { self.with(others) } else { self }
    }

    /// Whether all of `others` are among these.
    #[must_use]
    pub const fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}

/// What is changed about a mount.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change {
    /// restrictions that it takes on
    pub set: Flags,
    /// restrictions that it loses
    pub clear: Flags,
    /// later mounts elsewhere do not show beneath it any more
    pub private: bool,
}

/// Changes a mount, and those beneath it if asked: all of them, or none.
///
/// # Errors
/// EBUSY: something is open for writing through it; EPERM: a restriction that is locked;
/// ENOSYS before Linux 5.12.
pub fn change(mount: impl AsFd, depth: Depth, change: &Change) -> Result<()> {
    let attributes = libc::mount_attr {
        attr_set: change.set.0,
        attr_clr: change.clear.0,
        propagation: if change.private { libc::MS_PRIVATE } else { 0 },
        userns_fd: 0,
    };
    set(mount, depth, &attributes)
}

/// mount_setattr(2) itself.
pub(super) fn set(mount: impl AsFd, depth: Depth, attributes: &libc::mount_attr) -> Result<()> {
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

/// The restrictions of the mount that an open place is on.
///
/// # Errors
/// As statfs(2).
pub fn flags(place: impl AsFd) -> Result<Flags> {
    // The bits of statvfs(3) are those of mount_setattr(2) for these four.
    Ok(Flags(rustix::fs::fstatvfs(place)?.f_flag.bits() & 0xf))
}
