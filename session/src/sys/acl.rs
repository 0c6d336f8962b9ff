//! Access control lists: one user more than a mode can name. acl(5).

use std::os::fd::AsFd;

use rustix::fs::XattrFlags;

use super::Result;

/// Lets the owner do everything with a directory, user `uid` read and pass it, and nobody else
/// anything.
///
/// # Errors
/// EOPNOTSUPP: the file system has none.
pub fn share_directory(directory: impl AsFd, uid: u32) -> Result<()> {
    // The kernel's include/uapi/linux/posix_acl_xattr.h: a version, then tag, permissions and id
    // of each entry, little-endian, sorted by tag.
    const VERSION: u32 = 2;
    const NO_ID: u32 = u32::MAX;
    let entries: [(u16, u16, u32); 5] = [
        (0x01, 7, NO_ID), // the owner
        (0x02, 5, uid),   // a user by name
        (0x04, 0, NO_ID), // the owning group
        (0x10, 5, NO_ID), // the most that named users and groups have
        (0x20, 0, NO_ID), // everybody else
    ];
    let mut value = VERSION.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        value.extend(tag.to_le_bytes());
        value.extend(permissions.to_le_bytes());
        value.extend(id.to_le_bytes());
    }
    rustix::fs::fsetxattr(
        directory,
        c"system.posix_acl_access",
        &value,
        XattrFlags::empty(),
    )
}
