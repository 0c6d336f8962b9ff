//! Namespaces: kinds as bits, joining, identity. namespaces(7), setns(2), ioctl_ns(2).

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::thread::{LinkNameSpaceType, ThreadNameSpaceType};

use super::Result;
use super::fd::{Identity, identity};

/// A set of namespace kinds, as the CLONE_NEW* bits of setns(2) and clone(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kinds(u32);

impl Kinds {
    /// CLONE_NEWNS
    pub const MOUNT: Self = Self(0x0002_0000);
    /// CLONE_NEWCGROUP
    pub const CGROUP: Self = Self(0x0200_0000);
    /// CLONE_NEWUTS
    pub const UTS: Self = Self(0x0400_0000);
    /// CLONE_NEWIPC
    pub const IPC: Self = Self(0x0800_0000);
    /// CLONE_NEWUSER
    pub const USER: Self = Self(0x1000_0000);
    /// CLONE_NEWPID
    pub const PID: Self = Self(0x2000_0000);
    /// CLONE_NEWNET
    pub const NET: Self = Self(0x4000_0000);
    /// CLONE_NEWTIME
    pub const TIME: Self = Self(0x0000_0080);

    /// Every kind with the name of its link in /proc/PID/ns. For the kinds that only
    /// children enter, the link that tells where children go.
    const LINKS: [(Self, &'static CStr); 7] = [
        (Self::MOUNT, c"/proc/self/ns/mnt"),
        (Self::CGROUP, c"/proc/self/ns/cgroup"),
        (Self::UTS, c"/proc/self/ns/uts"),
        (Self::IPC, c"/proc/self/ns/ipc"),
        (Self::PID, c"/proc/self/ns/pid_for_children"),
        (Self::NET, c"/proc/self/ns/net"),
        (Self::TIME, c"/proc/self/ns/time_for_children"),
    ];

    /// The kind whose link in /proc/PID/ns has this name; none for the user namespace.
    #[must_use]
    pub fn named(link: &str) -> Option<Self> {
        Some(match link {
            "mnt" => Self::MOUNT,
            "cgroup" => Self::CGROUP,
            "uts" => Self::UTS,
            "ipc" => Self::IPC,
            "pid" => Self::PID,
            "net" => Self::NET,
            "time" => Self::TIME,
            _ => return None,
        })
    }

    /// The bits.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }

    /// A set from its bits; none if a bit is no kind that an application can be moved into.
    #[must_use]
    pub fn from_bits(bits: u32) -> Option<Self> {
        let known = Self::LINKS.iter().fold(0, |all, (kind, _)| all | kind.0);
        (bits & !known == 0).then_some(Self(bits))
    }

    /// This set and another.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in this set.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Moves the caller into namespaces of the process `pidfd`: all of `kinds`, or none (setns(2)
/// with a pidfd, since Linux 5.8). Into a PID namespace go only later children.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN; EINVAL or EUSERS if the caller has threads; ESRCH if the
/// process is gone.
pub fn join(pidfd: impl AsFd, kinds: Kinds) -> Result<()> {
    // The flags type of rustix carries the same bits; it does not interpret them.
    rustix::thread::move_into_thread_name_spaces(
        pidfd.as_fd(),
        ThreadNameSpaceType::from_bits_retain(kinds.0),
    )
}

/// Moves the caller into the one namespace behind an nsfs descriptor, whatever its kind.
///
/// # Errors
/// EINVAL if it is no namespace, or the caller's own user namespace; EPERM.
pub fn join_one(namespace: impl AsFd) -> Result<()> {
    rustix::thread::move_into_link_name_space(namespace.as_fd(), None::<LinkNameSpaceType>)
}

/// Opens the caller's own namespaces of these kinds, in an order in which [`join_one`] can
/// take them back: the mount namespace first, since it is the one that holds /proc.
///
/// # Errors
/// ENOENT if /proc is not mounted or does not show the caller.
pub fn own(kinds: Kinds) -> Result<Vec<OwnedFd>> {
    Kinds::LINKS
        .iter()
        .filter(|(kind, _)| kinds.has(*kind))
        .map(|(_, link)| open_link(link))
        .collect()
}

/// Opens a namespace through its link in /proc.
///
/// # Errors
/// As open(2).
pub fn open_link(link: &CStr) -> Result<OwnedFd> {
    rustix::fs::openat(CWD, link, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// Which user namespace the caller is in.
///
/// # Errors
/// As open(2), if /proc is not there.
pub fn own_user_namespace() -> Result<Identity> {
    identity(open_link(c"/proc/self/ns/user")?)
}

/// Whether the caller is in the user namespace that the kernel has begun with. False if that
/// cannot be seen.
#[must_use]
pub fn is_initial_user_namespace() -> bool {
    /// PROC_USER_INIT_INO of the kernel's include/uapi/linux/nsfs.h, the same on every host.
    const INITIAL: u64 = 0xEFFF_FFFD;
    own_user_namespace().is_ok_and(|identity| identity.inode() == INITIAL)
}

/// Whether the caller's root directory is other than the root of its mount namespace, as in
/// a chroot: setns(2) to one's own mount namespace puts the root there, so a changed "/" was
/// elsewhere before. Leaves the caller at the namespace's root.
///
/// # Errors
/// As setns(2), statx(2).
pub fn leave_chroot() -> Result<bool> {
    let before = place_of_root()?;
    join_one(open_link(c"/proc/self/ns/mnt")?)?;
    Ok(before != place_of_root()?)
}

fn place_of_root() -> Result<(u64, u64)> {
    use rustix::fs::{AtFlags, StatxFlags, statx};
    let wanted = StatxFlags::INO | StatxFlags::from_bits_retain(libc::STATX_MNT_ID);
    let stat = statx(CWD, "/", AtFlags::empty(), wanted)?;
    Ok((stat.stx_mnt_id, stat.stx_ino))
}

/// The user namespace that owns a namespace; of a user namespace, the one that it was made in.
///
/// # Errors
/// EPERM if that one is neither the caller's nor beneath it, as is what owns the first one.
pub fn owner(namespace: impl AsFd) -> Result<OwnedFd> {
    // NS_GET_USERNS of the kernel's include/uapi/linux/nsfs.h: _IO(0xb7, 1)
    relative(namespace, 0xB701)
}

/// The PID or user namespace that one of these kinds was made in.
///
/// # Errors
/// EPERM as [`owner`]; EINVAL for other kinds.
pub fn parent(namespace: impl AsFd) -> Result<OwnedFd> {
    // NS_GET_PARENT: _IO(0xb7, 2)
    relative(namespace, 0xB702)
}

fn relative(namespace: impl AsFd, request: libc::Ioctl) -> Result<OwnedFd> {
    use std::os::fd::{AsRawFd, FromRawFd};
    let fd = namespace.as_fd().as_raw_fd();
    // SAFETY: no memory is passed.
    match unsafe { libc::ioctl(fd, request) } {
        // SAFETY: the kernel just gave it to us, close-on-exec.
        new @ 0.. => Ok(unsafe { OwnedFd::from_raw_fd(new) }),
        _ => Err(super::last_errno()),
    }
}

/// What kind a namespace is of; of none that is known here: no kind.
///
/// # Errors
/// ENOTTY if it is no namespace.
pub fn kind(namespace: impl AsFd) -> Result<Kinds> {
    use std::os::fd::AsRawFd;
    let fd = namespace.as_fd().as_raw_fd();
    // SAFETY: no memory is passed. NS_GET_NSTYPE: _IO(0xb7, 3)
    match unsafe { libc::ioctl(fd, 0xB703) } {
        bits @ 0.. => Ok(Kinds(bits.cast_unsigned())),
        _ => Err(super::last_errno()),
    }
}

/// Who has made a user namespace: the effective user id of its maker, in the caller's terms.
///
/// # Errors
/// EINVAL for other kinds.
pub fn owner_uid(user_namespace: impl AsFd) -> Result<u32> {
    use std::os::fd::AsRawFd;
    let fd = user_namespace.as_fd().as_raw_fd();
    let mut uid: libc::uid_t = 0;
    // SAFETY: the kernel writes one uid_t, which outlives the call. NS_GET_OWNER_UID: _IO(0xb7, 4)
    match unsafe { libc::ioctl(fd, 0xB704, &raw mut uid) } {
        0.. => Ok(uid),
        _ => Err(super::last_errno()),
    }
}
