//! Directories of the host in which root acts for a session: stores of instances and of
//! ephemeral homes, skeletons, roots. Whoever can change a component of such a path could have
//! root make, copy or remove things anywhere, so every one of them is looked at, by descriptor.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};

use crate::error::Error;
use crate::sys::{Errno, fd};

/// What becomes of a component that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// ENOENT
    Refused,
    /// it is made, with mode 0700
    Made,
}

/// Opens a directory (for reading) of which every component, "/" and itself included, is a
/// directory of root's that nobody else can write, and no symbolic link. A sticky bit is of no
/// use here: in a directory that others can write, somebody else may be there first.
///
/// Write access by an ACL counts, since the group's bits show the most that an ACL allows
/// (acl(5)).
///
/// # Errors
/// A component is missing, no directory, or not as it has to be.
pub fn open(path: &Path) -> Result<OwnedFd, Error> {
    descend(CWD, path, 0, Missing::Refused)
}

/// As [`open`], but makes what is missing: root's, with mode 0700.
///
/// # Errors
/// A component cannot be made, is no directory, or not as it has to be.
pub fn open_or_make(path: &Path) -> Result<OwnedFd, Error> {
    descend(CWD, path, 0, Missing::Made)
}

/// As [`open`], without the last component, which the caller looks at itself: the directory
/// above it, and its name.
///
/// # Errors
/// As [`open_or_make`]; the path has no last component, as "/" has none.
pub fn open_or_make_parent(path: &Path) -> Result<(OwnedFd, &OsStr), Error> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(untrusted(path, "is no directory that can be made"));
    };
    Ok((open_or_make(parent)?, name))
}

/// Goes down `path`, absolute or beneath `from`, one component at a time; `owner` stands for
/// root.
fn descend(from: impl AsFd, path: &Path, owner: u32, missing: Missing) -> Result<OwnedFd, Error> {
    let mut so_far = PathBuf::new();
    let mut place: Option<OwnedFd> = None;
    for component in path.components() {
        so_far.push(component);
        let name = match component {
            Component::RootDir => Path::new("/"),
            Component::Normal(name) => Path::new(name),
            _ => return Err(untrusted(path, "is no plain absolute path")),
        };
        let next = match &place {
            Some(above) => step(above, name, missing),
            None => step(&from, name, missing),
        };
        let next = next.map_err(|errno| cannot(&so_far, errno, missing))?;
        check(&next, &so_far, owner)?;
        place = Some(next);
    }
    let place = place.ok_or_else(|| untrusted(path, "is no plain absolute path"))?;
    // What was looked at, now for reading.
    fd::open_beneath(&place, Path::new("."), OFlags::DIRECTORY)
        .map_err(|errno| cannot(path, errno, missing))
}

fn step(above: impl AsFd, name: &Path, missing: Missing) -> Result<OwnedFd, Errno> {
    let open = || fd::open_beneath(&above, name, OFlags::PATH | OFlags::DIRECTORY);
    match open() {
        Err(Errno::NOENT) if missing == Missing::Made => {
            match rustix::fs::mkdirat(&above, name, Mode::from_raw_mode(0o700)) {
                // Another login has made it at the same time.
                Ok(()) | Err(Errno::EXIST) => open(),
                Err(errno) => Err(errno),
            }
        }
        opened => opened,
    }
}

fn check(place: impl AsFd, path: &Path, owner: u32) -> Result<(), Error> {
    let stat = rustix::fs::fstat(place).map_err(|errno| cannot(path, errno, Missing::Refused))?;
    if stat.st_uid != owner {
        return Err(untrusted(
            path,
            &format!("belongs to uid {}, not to root", stat.st_uid),
        ));
    }
    if stat.st_mode & 0o022 != 0 {
        return Err(untrusted(
            path,
            &format!(
                "can be written by others than root (mode {:04o})",
                stat.st_mode & 0o7777
            ),
        ));
    }
    Ok(())
}

fn untrusted(path: &Path, problem: &str) -> Error {
    Error::Untrusted {
        path: path.to_owned(),
        problem: problem.to_owned(),
    }
}

fn cannot(path: &Path, errno: Errno, missing: Missing) -> Error {
    let doing = match missing {
        Missing::Refused => format!("cannot open the directory {}", path.display()),
        Missing::Made => format!("cannot open or make the directory {}", path.display()),
    };
    let advice = match errno {
        Errno::LOOP => "it is a symbolic link: name the real directory",
        Errno::NOTDIR => "it is no directory: name another one, or remove it",
        Errno::NOENT => "make it, or take it out of the profile",
        Errno::ROFS => "name a directory of a file system that can be written",
        Errno::NOSPC | Errno::DQUOT => "free space, or inodes, on its file system",
        _ => "",
    };
    Error::System {
        doing,
        errno,
        advice: advice.to_owned(),
    }
}

#[cfg(test)]
#[path = "trusted/tests.rs"]
mod tests;
