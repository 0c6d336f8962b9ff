//! Where mounts go: opened by descriptor, and made only where nobody else could have been.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{CWD, OFlags};

use crate::error::Error;
use crate::sys::{Errno, fd, fsid, mount};

/// What a place has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File,
}

impl Kind {
    /// What an open file is: a mount fits a place of its own kind only.
    pub(super) fn of(file: impl AsFd) -> Result<Self, Errno> {
        use rustix::fs::FileType;
        let stat = rustix::fs::fstat(file)?;
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Self::Directory,
            _ => Self::File,
        })
    }
}

/// Opens a path of the host or of the session as a place (`O_PATH`), following no symbolic
/// link: as root, and where root may not go as the user (NFS with root_squash, where only the
/// owner gets into a home). FUSE lets in neither root nor anybody with another id than all of
/// theirs, so that a file system of a user's own is refused and cannot keep us waiting, unless
/// root has allowed `allow_other`.
pub(super) fn open(path: &Path, user: Option<(u32, u32)>, flags: OFlags) -> Result<OwnedFd, Errno> {
    let open = || fd::open_beneath(CWD, path, OFlags::PATH | flags);
    match (open(), user) {
        (Err(Errno::ACCESS), Some((uid, gid))) => fsid::as_user(uid, gid, open),
        (opened, _) => opened,
    }
}

/// The places of one session.
pub(super) struct Places {
    /// the user's ids, if the caller can take them
    user: Option<(u32, u32)>,
    /// devices of file systems that are ours and new: nobody but us has ever written there, so
    /// what is missing can be made without a look at who else could
    fresh: Vec<u64>,
}

impl Places {
    pub(super) fn new(user: Option<(u32, u32)>) -> Self {
        let fresh = Vec::new();
        Self { user, fresh }
    }

    /// Counts a file system that was just made among those in which places can be made. A
    /// device number is nobody else's while its file system lives, which is as long as the
    /// session does.
    pub(super) fn add_fresh(&mut self, mount: impl AsFd) -> Result<(), Errno> {
        self.fresh.push(rustix::fs::fstat(mount)?.st_dev);
        Ok(())
    }

    /// An existing place; none if it is missing and may be.
    pub(super) fn find(
        &self,
        target: &Path,
        kind: Option<Kind>,
        optional: bool,
    ) -> Result<Option<OwnedFd>, Error> {
        let flags = match kind {
            Some(Kind::Directory) => OFlags::DIRECTORY,
            _ => OFlags::empty(),
        };
        match open(target, self.user, flags) {
            Ok(place) => Ok(Some(place)),
            Err(Errno::NOENT) if optional => Ok(None),
            Err(errno) => Err(cannot(target, errno)),
        }
    }

    /// A place that is made if it is missing in a fresh file system; none if it is missing
    /// elsewhere, and may be.
    pub(super) fn find_or_make(
        &self,
        target: &Path,
        kind: Kind,
        optional: bool,
    ) -> Result<Option<OwnedFd>, Error> {
        match self.find(target, Some(kind), true)? {
            Some(place) => Ok(Some(place)),
            None if self.make(target, kind)? => self.find(target, Some(kind), false),
            None if optional => Ok(None),
            None => Err(cannot(target, Errno::NOENT)),
        }
    }

    /// Makes a target and the directories above it, root's and readable, as far as the file
    /// system is fresh; false if it is not.
    fn make(&self, target: &Path, kind: Kind) -> Result<bool, Error> {
        if self.fresh.is_empty() {
            return Ok(false);
        }
        let names: Vec<&OsStr> = target.components().filter_map(name).collect();
        let mut above =
            open(Path::new("/"), None, OFlags::DIRECTORY).map_err(|errno| cannot(target, errno))?;
        for (index, name) in names.iter().enumerate() {
            let last = index + 1 == names.len();
            let one = if last { kind } else { Kind::Directory };
            match self.step(&above, name, one) {
                Ok(next) => above = next,
                Err(Errno::NOENT) => return Ok(false),
                Err(errno) => return Err(cannot(target, errno)),
            }
        }
        Ok(true)
    }

    /// One component down; ENOENT if it is missing where we make nothing.
    fn step(&self, above: &OwnedFd, name: &OsStr, kind: Kind) -> Result<OwnedFd, Errno> {
        let open = || fd::open_beneath(above, Path::new(name), OFlags::PATH);
        match open() {
            Err(Errno::NOENT) if self.fresh.contains(&rustix::fs::fstat(above)?.st_dev) => {
                match kind {
                    Kind::Directory => {
                        let (uid, gid) = crate::sys::process::own_ids();
                        mount::make_directory(above, name, 0o755, uid, gid)?;
                    }
                    Kind::File => drop(mount::make_file(above, name, 0o444, b"")?),
                }
                open()
            }
            opened => opened,
        }
    }
}

fn name(component: Component<'_>) -> Option<&OsStr> {
    match component {
        Component::Normal(name) => Some(name),
        _ => None,
    }
}

/// What to do about a path of the policy that leads over a link.
pub(super) const LINK: &str = "a part of this path is a symbolic link: name the real path";

/// What to do about a home directory that does.
pub(super) const HOME_LINK: &str =
    "a part of this path is a symbolic link: have the user database name the real one";

/// What to do about ELOOP at a path: `otherwise`, unless it is an automounter that is in the way.
pub(super) fn loop_advice<'a>(path: &Path, otherwise: &'a str) -> &'a str {
    if crate::places::Places::new().is_cut_off(path) {
        "an automounter has this path, and what it mounts shows in no session while the host's \
         mounts are private: mount --make-rshared / at each boot"
    } else {
        otherwise
    }
}

pub(super) fn cannot(target: &Path, errno: Errno) -> Error {
    let advice = match errno {
        Errno::LOOP => loop_advice(target, LINK),
        Errno::NOENT => "make it, or take it out of the profile",
        Errno::NOTDIR => "a part of this path is a file where a directory has to be",
        Errno::ACCESS => "neither root nor the user may go there",
        _ => "",
    };
    Error::advised(
        format!("cannot mount on {}", target.display()),
        errno,
        advice,
    )
}
