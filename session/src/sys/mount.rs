//! Mounts by descriptor: fsopen(2), fsmount(2), open_tree(2), move_mount(2).
//!
//! A file system is made detached, filled, and only then attached, to a place that was opened
//! without following a symbolic link: between the look and the act no path is walked again.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Uid};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
};

use super::attributes::{self, Change, Flags};
use super::tree::Depth;
use super::{Errno, Result};

/// What may be done on a mount; set-uid programs and device nodes never work on ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Programs {
    /// programs may be run from it
    Allowed,
    /// and no program may be run from it either
    Forbidden,
}

/// Makes a file system, mounted nowhere yet. On failure, with it, what the kernel had to say
/// beyond errno.
///
/// # Errors
/// ENODEV if the kernel has no such type; EPERM; EINVAL for a bad option.
pub fn make(
    fs_type: &str,
    options: &[(&str, &str)],
    programs: Programs,
) -> std::result::Result<OwnedFd, (Errno, String)> {
    let plain = |errno| (errno, String::new());
    let context = rustix::mount::fsopen(fs_type, FsOpenFlags::FSOPEN_CLOEXEC).map_err(plain)?;
    let explained = |errno| (errno, kernel_message(&context));
    // What findmnt(8) shows as the source; it has no other meaning here.
    for (key, value) in [&("source", fs_type)].into_iter().chain(options) {
        rustix::mount::fsconfig_set_string(&context, *key, *value).map_err(explained)?;
    }
    rustix::mount::fsconfig_create(&context).map_err(explained)?;
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    if programs == Programs::Forbidden {
        attributes |= MountAttrFlags::MOUNT_ATTR_NOEXEC;
    }
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).map_err(explained)
}

/// The last message of a file system context: "e tmpfs: Bad value for 'size'".
fn kernel_message(context: &OwnedFd) -> String {
    let (mut text, mut buffer) = (String::new(), [0; 512]);
    while let Ok(length @ 1..) = rustix::io::read(context, &mut buffer) {
        text = String::from_utf8_lossy(&buffer[..length])
            .trim_end()
            .to_owned();
    }
    text.strip_prefix("e ").unwrap_or(&text).to_owned()
}

/// Attaches a detached mount on a place.
///
/// # Errors
/// EPERM; EINVAL if the place is not in the caller's mount namespace.
pub fn attach(mount: impl AsFd, place: impl AsFd) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(mount, "", place, "", flags)
}

/// A detached bind mount of an open file, such as a namespace's.
///
/// # Errors
/// EPERM; EINVAL for a mount namespace's file where the kernel sees a loop.
pub fn bind(file: impl AsFd) -> Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    rustix::mount::open_tree(file, "", flags)
}

/// Makes every mount of the caller's namespace a slave: the host's later mounts show inside,
/// ours never outside. In a namespace of a user's own the kernel has done so already.
///
/// # Errors
/// EPERM; EINVAL if "/" is no mount point, as in a chroot.
pub fn receive_only() -> Result<()> {
    let flags = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", flags)
}

/// Takes set-user-id, set-group-id and file capabilities off every mount of the caller's
/// namespace (mount_setattr(2), since Linux 5.12). Whoever enters it from a user namespace of
/// their own cannot put them back: such flags are locked (mount_namespaces(7)).
///
/// # Errors
/// ENOSYS before Linux 5.12; EPERM.
pub fn forbid_set_id() -> Result<()> {
    let change = Change {
        set: Flags::NO_SUID,
        ..Change::default()
    };
    let root = super::fd::open_place("/".as_ref())?;
    attributes::change(root, Depth::Recursive, &change)
}

/// Makes a directory in a fresh file system of ours and gives it to somebody.
///
/// # Errors
/// As mkdir(2), fchown(2).
pub fn make_directory(
    parent: impl AsFd,
    name: impl AsRef<OsStr>,
    mode: u32,
    uid: u32,
    gid: u32,
) -> Result<()> {
    let name = name.as_ref();
    rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o700))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = rustix::fs::openat(&parent, name, flags, Mode::empty())?;
    rustix::fs::fchown(&made, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    rustix::fs::fchmod(&made, Mode::from_raw_mode(mode))
}

/// Makes a file in a fresh file system of ours, with this content, and leaves it open.
///
/// # Errors
/// As open(2), write(2).
pub fn make_file(
    parent: impl AsFd,
    name: impl AsRef<OsStr>,
    mode: u32,
    content: &[u8],
) -> Result<OwnedFd> {
    let name = name.as_ref();
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o600))?;
    let mut rest = content;
    while !rest.is_empty() {
        let written = rustix::io::write(&file, rest)?;
        rest = &rest[written..];
    }
    rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
    Ok(file)
}

/// Makes a character device in a fresh file system of ours, for everybody to read and write.
///
/// # Errors
/// EPERM without CAP_MKNOD in the host's user namespace.
#[cfg(feature = "engine")]
pub fn make_device(parent: impl AsFd, name: &str, (major, minor): (u32, u32)) -> Result<()> {
    use rustix::fs::FileType;
    let device = rustix::fs::makedev(major, minor);
    let none = Mode::empty();
    rustix::fs::mknodat(&parent, name, FileType::CharacterDevice, none, device)?;
    // The caller's mask does not count here.
    rustix::fs::chmodat(&parent, name, Mode::from_raw_mode(0o666), AtFlags::empty())
}

/// Makes a symbolic link in a fresh file system of ours.
///
/// # Errors
/// As symlink(2).
#[cfg(feature = "engine")]
pub fn make_link(parent: impl AsFd, name: &OsStr, to: &OsStr) -> Result<()> {
    rustix::fs::symlinkat(to, parent, name)
}

/// Whether something is there, symbolic links not followed.
#[must_use]
pub fn exists(path: &str) -> bool {
    rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).is_ok()
}
