//! The user's home directory: the host's, or one that is gone at the end.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use nsshell_config::{Account, Home, Upper};
use rustix::fs::{OFlags, Stat};

use crate::STATE;
use crate::error::Error;
use crate::sys::mount::{self, Programs};
use crate::sys::tree::{self, Depth};
use crate::sys::{Errno, fd};

use super::{Job, ephemeral, instance, place, trusted};

/// A home that is gone at the end, as a detached mount without set-user-id and devices.
/// Nothing for a home that stays.
///
/// To be called by the session's init before anything is mounted, and before its /proc changes.
/// An [`Upper::Disk`] has to be claimed before ([`ephemeral::claim`]).
///
/// # Errors
/// The home is missing, no directory, or somebody else's; the store is not root's alone; the
/// kernel cannot put an overlay over it.
pub(super) fn gather(job: &Job<'_>, home: &Home) -> Result<Option<OwnedFd>, Error> {
    let (account, session) = (&job.plan.account, job.name);
    match home {
        Home::Real | Home::ReadOnly => Ok(None),
        Home::Overlay { upper } => {
            let (lower, stat) = open(account)?;
            let layers = Layers::new(upper, account, session, &stat)?;
            layers.overlay(account, &lower).map(Some)
        }
        Home::Fresh { skeleton, upper } => fresh(skeleton, upper, account, session).map(Some),
    }
}

/// Opens the home that an overlay shows. As root, and for reading: whoever makes an overlay is
/// the one who reads what is below it, and a home that root may not read (NFS with root_squash,
/// FUSE) would be there and unreadable.
fn open(account: &Account) -> Result<(OwnedFd, Stat), Error> {
    let failed = |errno| {
        let advice = match errno {
            Errno::LOOP => place::loop_advice(&account.home, place::HOME_LINK),
            Errno::NOENT => "make it, or have pam_mkhomedir make it before",
            Errno::NOTDIR => "it has to be a directory",
            Errno::ACCESS => {
                "root may not read it, as on NFS with root_squash, and an overlay needs that: \
                 give the ephemeral home a `skeleton`"
            }
            _ => "",
        };
        cannot(account, errno, advice)
    };
    let home =
        fd::open_beneath(rustix::fs::CWD, &account.home, OFlags::DIRECTORY).map_err(failed)?;
    let stat = rustix::fs::fstat(&home).map_err(failed)?;
    if stat.st_uid != account.uid && stat.st_uid != 0 {
        return Err(Error::NotAsPlanned(format!(
            "the home directory {} belongs to uid {}; it has to be the user's or root's",
            account.home.display(),
            stat.st_uid
        )));
    }
    Ok((home, stat))
}

/// Where an overlay keeps what is written.
struct Layers {
    /// the tmpfs, if they are in one
    memory: Option<OwnedFd>,
    upper: OwnedFd,
    work: OwnedFd,
}

impl Layers {
    fn new(upper: &Upper, account: &Account, session: &str, home: &Stat) -> Result<Self, Error> {
        let (memory, place) = place(upper, account, session)?;
        let failed = |errno| cannot(account, errno, "the layer above it cannot be made");
        let directory = |name, mode, uid, gid| {
            mount::make_directory(&place, name, mode, uid, gid)?;
            fd::open_beneath(&place, Path::new(name), OFlags::PATH | OFlags::DIRECTORY)
        };
        // The root of an overlay looks as the upper one does.
        let mode = home.st_mode & 0o7777;
        let upper = directory("upper", mode, home.st_uid, home.st_gid).map_err(failed)?;
        let work = directory("work", 0o700, 0, 0).map_err(failed)?;
        Ok(Self {
            memory,
            upper,
            work,
        })
    }

    fn overlay(&self, account: &Account, lower: &OwnedFd) -> Result<OwnedFd, Error> {
        let made = self.make(lower);
        let made = match (made, &self.memory) {
            // Before Linux 6.15 the layers have to be in the caller's mount namespace.
            (Err((Errno::INVAL, _)), Some(memory)) => {
                let state = attach_for_a_moment(memory).map_err(|errno| {
                    cannot(account, errno, "the layer above it cannot be mounted")
                })?;
                let made = self.make(lower);
                state.detach().map_err(|errno| {
                    cannot(account, errno, "the layer above it cannot be unmounted")
                })?;
                made
            }
            (made, _) => made,
        };
        made.map_err(|(errno, said)| {
            let advice = match errno {
                Errno::NODEV => "the kernel has no overlay: modprobe overlay",
                Errno::INVAL if said.is_empty() => {
                    "the file system of the home or of the store cannot be a layer of an overlay"
                }
                _ => &said,
            };
            cannot(account, errno, advice)
        })
    }

    fn make(&self, lower: &OwnedFd) -> Result<OwnedFd, (Errno, String)> {
        // Names of descriptors, since a path would be walked again, and may have any characters.
        let name = |fd: &OwnedFd| format!("/proc/self/fd/{}", fd.as_raw_fd());
        let (lower, upper, work) = (name(lower), name(&self.upper), name(&self.work));
        let options = [
            ("lowerdir", lower.as_str()),
            ("upperdir", &upper),
            ("workdir", &work),
            // Nothing in a layer sends the kernel elsewhere, whoever has written the layer.
            ("redirect_dir", "nofollow"),
            ("metacopy", "off"),
            ("index", "off"),
        ];
        mount::make("overlay", &options, Programs::Allowed)
    }
}

/// Where a home lies that is gone at the end: an empty directory of root's, in a tmpfs of its
/// own, which is the first value then, or in the store.
fn place(
    upper: &Upper,
    account: &Account,
    session: &str,
) -> Result<(Option<OwnedFd>, OwnedFd), Error> {
    match upper {
        Upper::Memory { size, inodes } => {
            let inodes = inodes.map(|number| number.to_string());
            let mut options = vec![("mode", "700")];
            options.extend(size.as_deref().map(|size| ("size", size)));
            options.extend(inodes.as_deref().map(|inodes| ("nr_inodes", inodes)));
            let memory = mount::make("tmpfs", &options, Programs::Allowed)
                .map_err(|(errno, said)| cannot(account, errno, &said))?;
            let root = fd::open_beneath(&memory, Path::new("."), OFlags::DIRECTORY)
                .map_err(|errno| cannot(account, errno, ""))?;
            Ok((Some(memory), root))
        }
        Upper::Disk { store } => {
            let path = ephemeral::of_session(store, session);
            Ok((None, trusted::open_or_make(&path)?))
        }
    }
}

/// A home with a copy of a skeleton in it.
fn fresh(
    skeleton: &Path,
    upper: &Upper,
    account: &Account,
    session: &str,
) -> Result<OwnedFd, Error> {
    let (memory, root) = place(upper, account, session)?;
    let owner = (account.uid, account.gid);
    let failed = |errno| cannot(account, errno, "");
    if let Some(memory) = memory {
        instance::copy_skeleton(skeleton, &root, owner)?;
        instance::give(&root, owner, 0o700).map_err(failed)?;
        return Ok(memory);
    }
    // Beneath a directory of root's, as the upper layer of an overlay is.
    mount::make_directory(&root, "upper", 0o700, 0, 0).map_err(failed)?;
    let directory =
        fd::open_beneath(&root, Path::new("upper"), OFlags::DIRECTORY).map_err(failed)?;
    instance::copy_skeleton(skeleton, &directory, owner)?;
    instance::give(&directory, owner, 0o700).map_err(failed)?;
    let mount = tree::copy(&directory, Depth::Single).map_err(failed)?;
    tree::make_private(&mount).map_err(failed)?;
    Ok(mount)
}

/// A mount that stands where the session's state comes later.
struct Attached;

fn attach_for_a_moment(memory: impl AsFd) -> Result<Attached, Errno> {
    mount::attach(memory, fd::open_place(Path::new(STATE))?)?;
    Ok(Attached)
}

impl Attached {
    fn detach(self) -> Result<(), Errno> {
        use rustix::mount::UnmountFlags;
        rustix::mount::unmount(STATE, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)
    }
}

fn cannot(account: &Account, errno: Errno, advice: &str) -> Error {
    Error::System {
        doing: format!("cannot make the home directory {}", account.home.display()),
        errno,
        advice: advice.to_owned(),
    }
}
