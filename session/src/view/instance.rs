//! Directories on disk that sessions see in place of others (polyinstantiation).

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nsshell_config::Mount;
use rustix::fs::{Gid, Mode, OFlags, RenameFlags, Stat, Uid};

use crate::error::Error;
use crate::sys::tree::{self, Depth};
use crate::sys::{Errno, fd};

use super::{copy, ephemeral, place, trusted};

/// An instance as the plan has it: [`nsshell_config::Mount::Instance`].
#[derive(Debug, Clone, Copy)]
pub struct Instance<'a> {
    /// the directory of the host that is replaced
    pub target: &'a Path,
    /// what is seen there
    pub instance: &'a Path,
    /// permission bits when it is made; none: the target's
    pub mode: Option<u32>,
    /// what is copied into it when it is made
    pub skeleton: Option<&'a Path>,
    /// the target may be missing
    pub optional: bool,
}

impl<'a> Instance<'a> {
    /// What a mount of the plan says of one; none for any other mount.
    pub(super) fn of(mount: &'a Mount) -> Option<Self> {
        match mount {
            Mount::Instance {
                target,
                instance,
                mode,
                skeleton,
                optional,
                contents: _,
            } => Some(Self {
                target,
                instance,
                mode: *mode,
                skeleton: skeleton.as_deref(),
                optional: *optional,
            }),
            _ => None,
        }
    }
}

/// The instance as a detached mount, without set-user-id and devices; it is made if it is not
/// there, complete from the first moment, by one of several logins at once. None if the target
/// is missing and may be; `user`: who may look at it where root may not.
///
/// To be called before anything is mounted: the owner and the mode of the target are the
/// host's. Something whose contents are not kept has to be claimed before
/// ([`ephemeral::claim`]).
///
/// # Errors
/// Somebody other than root could change the directories above; what is there is no directory,
/// a symbolic link, or not the owner's; no space.
pub fn gather(wanted: &Instance<'_>, user: Option<(u32, u32)>) -> Result<Option<OwnedFd>, Error> {
    let path = wanted.instance;
    let target = match place::open(wanted.target, user, OFlags::DIRECTORY) {
        Err(Errno::NOENT) if wanted.optional => return Ok(None),
        place => place.and_then(rustix::fs::fstat),
    };
    let target = target.map_err(|errno| {
        let advice = match errno {
            Errno::LOOP => place::loop_advice(wanted.target, place::LINK),
            Errno::NOENT | Errno::NOTDIR => "make this directory, or take it out of the profile",
            _ => "",
        };
        let doing = format!("cannot put an instance on {}", wanted.target.display());
        failed(doing, errno, advice)
    })?;
    let (store, name) = trusted::open_or_make_parent(path)?;
    let name = ephemeral::plain_name(path, name)?;
    let directory = match open(&store, &name) {
        Err(Errno::NOENT) => {
            make(wanted, &store, &name, &target)?;
            open(&store, &name)
        }
        opened => opened,
    };
    let directory = directory.map_err(|errno| {
        let advice = match errno {
            Errno::LOOP | Errno::NOTDIR => "it is no directory: remove it",
            _ => "",
        };
        failed(
            format!("cannot open the instance {}", path.display()),
            errno,
            advice,
        )
    })?;
    check(&directory, path, &target)?;
    let cannot = |errno| cannot_mount(path, errno);
    let mount = tree::copy(&directory, Depth::Single).map_err(cannot)?;
    tree::make_private(&mount).map_err(cannot)?;
    Ok(Some(mount))
}

fn open(store: impl AsFd, name: &CString) -> Result<OwnedFd, Errno> {
    let name = Path::new(OsStr::from_bytes(name.to_bytes()));
    fd::open_beneath(store, name, OFlags::PATH | OFlags::DIRECTORY)
}

/// Only root can have put it there, but an administrator may have meant it for somebody else.
fn check(directory: &OwnedFd, path: &Path, target: &Stat) -> Result<(), Error> {
    let found = rustix::fs::fstat(directory).map_err(|errno| cannot_mount(path, errno))?;
    if found.st_uid == target.st_uid {
        return Ok(());
    }
    Err(Error::NotAsPlanned(format!(
        "the instance {} belongs to uid {}, but what it replaces to uid {}; chown it, or remove \
         it so that it is made anew",
        path.display(),
        found.st_uid,
        target.st_uid
    )))
}

/// Makes the instance under a name that nobody looks for, and gives it its own when it is
/// complete.
fn make(
    wanted: &Instance<'_>,
    store: &OwnedFd,
    name: &CString,
    target: &Stat,
) -> Result<(), Error> {
    let path = wanted.instance;
    let cannot = |errno| {
        let advice = match errno {
            Errno::NOSPC | Errno::DQUOT => "free space, or inodes, on its file system",
            Errno::INVAL => "its file system cannot rename without replacing; name another one",
            _ => "",
        };
        failed(
            format!("cannot make the instance {}", path.display()),
            errno,
            advice,
        )
    };
    let scratch = ephemeral::scratch(path, store)?;
    let (waste, made) = ephemeral::new_directory(&scratch).map_err(cannot)?;
    let done = fill(wanted, &made, target).and_then(|()| {
        match rustix::fs::renameat_with(&scratch, &waste, store, name, RenameFlags::NOREPLACE) {
            // Or another login was faster.
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(cannot(errno)),
        }
    });
    // Ours if it was not needed, and those of logins that were killed at it. Instances are made
    // once, and somebody waits: what takes longer is left to the next time.
    drop(made);
    let _ = ephemeral::sweep_waste(&scratch, Instant::now() + Duration::from_millis(300));
    done
}

fn fill(wanted: &Instance<'_>, made: &OwnedFd, target: &Stat) -> Result<(), Error> {
    let owner = (target.st_uid, target.st_gid);
    if let Some(skeleton) = wanted.skeleton {
        copy_skeleton(skeleton, made, owner)?;
    }
    let mode = wanted.mode.unwrap_or(target.st_mode & 0o7777);
    give(made, owner, mode).map_err(|errno| {
        failed(
            format!("cannot make {}", wanted.instance.display()),
            errno,
            "",
        )
    })
}

/// Copies a skeleton for somebody.
pub(crate) fn copy_skeleton(
    skeleton: &Path,
    to: impl AsFd,
    owner: (u32, u32),
) -> Result<(), Error> {
    let from = trusted::open(skeleton)?;
    copy::tree(&from, to, owner).map_err(|errno| {
        let advice = match errno {
            Errno::NOSPC | Errno::DQUOT => "there is no space for it where it goes",
            Errno::LOOP => "it has directories in each other without an end, or a link in the way",
            Errno::XDEV => "something is mounted in it",
            _ => "",
        };
        failed(
            format!("cannot copy the skeleton {}", skeleton.display()),
            errno,
            advice,
        )
    })
}

/// Makes a directory somebody's, with this mode.
pub(crate) fn give(directory: impl AsFd, (uid, gid): (u32, u32), mode: u32) -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    rustix::fs::fchown(&directory, Some(uid), Some(gid))?;
    rustix::fs::fchmod(&directory, Mode::from_raw_mode(mode))
}

fn cannot_mount(path: &Path, errno: Errno) -> Error {
    let advice = match errno {
        Errno::NOSYS => "it needs Linux 5.12 or later",
        _ => "",
    };
    failed(
        format!("cannot mount the instance {}", path.display()),
        errno,
        advice,
    )
}

fn failed(doing: String, errno: Errno, advice: &str) -> Error {
    Error::System {
        doing,
        errno,
        advice: advice.to_owned(),
    }
}
