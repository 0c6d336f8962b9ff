//! Whether a mount stays where it is put. Who can write a directory can move or remove what is
//! in it: the kernel keeps a mount point only from those who see the mount, and whoever takes
//! their own mount namespace off it, or is in no session, sees none. With the directory that is
//! moved goes the mount on it, and with one that is removed the mount is gone, in every
//! namespace (rename(2), rmdir(2)). What is there for the user's own sake may go that way; what
//! is there to keep the user from something must not.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nsshell_config::{Home, Mount};
use rustix::fs::OFlags;

use super::place;
use crate::error::Error;
use crate::sys::{Errno, fd};

/// FUSE_SUPER_MAGIC of the kernel's include/uapi/linux/magic.h.
const FUSE: i64 = 0x6573_5546;

/// S_ISVTX of inode(7).
const STICKY: u32 = 0o1000;

/// Why something does not stay at its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loose {
    /// the directory
    pub directory: PathBuf,
    /// what is wrong with it
    pub why: String,
}

/// Where a mount of the plan goes that keeps the user from something.
pub(super) fn target<'m>(mount: &'m Mount, home: &'m Path) -> Option<&'m Path> {
    match mount {
        Mount::Unmount { target, .. }
        | Mount::ReadOnly { target, .. }
        | Mount::Homes { target, .. }
        | Mount::Mask { target, .. } => Some(target),
        Mount::Bind {
            source,
            target,
            attributes,
            ..
        } if attributes.restrict(source == target) => Some(target),
        Mount::Home {
            home: Home::ReadOnly,
        } => Some(home),
        _ => None,
    }
}

/// Refuses a target that somebody else than root could move or remove.
///
/// # Errors
/// A directory above it is not root's alone; it cannot be looked at.
pub(super) fn check(target: &Path) -> Result<(), Error> {
    let found = above(target).map_err(|errno| {
        let doing = format!("cannot look at the directories above {}", target.display());
        let advice = match errno {
            Errno::LOOP => place::loop_advice(target, place::LINK),
            _ => "",
        };
        Error::advised(doing, errno, advice)
    })?;
    let Some(Loose { directory, why }) = found else {
        return Ok(());
    };
    Err(Error::NotAsPlanned(format!(
        "what the policy mounts on {} could be moved or taken off, since {} {why}; name a place \
         in directories that are root's alone, or take it out of the profile",
        target.display(),
        directory.display()
    )))
}

/// The first directory above a path in which somebody else than root can move or remove what
/// leads to it; none also where the path ends before there is one.
///
/// In a directory with the sticky bit, what is root's stays (unlink(2)).
///
/// # Errors
/// As openat2(2), but ENOENT.
pub fn above(path: &Path) -> Result<Option<Loose>, Errno> {
    walk(fd::open_place(Path::new("/"))?, path, 0)
}

/// Goes down from a directory that stands for "/"; `root` stands for root.
fn walk(from: OwnedFd, path: &Path, root: u32) -> Result<Option<Loose>, Errno> {
    let mut so_far = PathBuf::from("/");
    let mut directory = from;
    let mut rest = path.components().peekable();
    while let Some(component) = rest.next() {
        let Component::Normal(name) = component else {
            continue;
        };
        // A directory is opened as one, so that an automounter mounts it.
        let flags = match rest.peek() {
            Some(_) => OFlags::PATH | OFlags::DIRECTORY,
            None => OFlags::PATH,
        };
        let found = |why| {
            let directory = so_far.clone();
            Ok(Some(Loose { directory, why }))
        };
        // Before anything is opened that may be the user's.
        if let Some(why) = loose(&directory, true, root)? {
            return found(why);
        }
        let without_sticky = loose(&directory, false, root)?;
        if without_sticky.is_none() && rest.peek().is_none() {
            return Ok(None);
        }
        let next = match fd::open_beneath(&directory, Path::new(name), flags) {
            Err(Errno::NOENT) => return Ok(None),
            next => next?,
        };
        if let (Some(why), false) = (without_sticky, fd::owner(&next)? == root) {
            return found(why);
        }
        directory = next;
        so_far.push(name);
    }
    Ok(None)
}

/// What is wrong with a directory. Whether the sticky bit keeps in it what is in question.
fn loose(directory: impl AsFd, sticky_keeps: bool, root: u32) -> Result<Option<String>, Errno> {
    let stat = rustix::fs::fstat(&directory)?;
    let stays = stat.st_mode & STICKY != 0 && sticky_keeps;
    Ok(if stat.st_uid != root {
        Some(format!("belongs to uid {}", stat.st_uid))
    } else if stat.st_mode & 0o022 != 0 && !stays {
        let mode = stat.st_mode & 0o7777;
        Some(format!("can be written by others (mode {mode:04o})"))
    } else if rustix::fs::fstatfs(&directory)?.f_type == FUSE {
        Some("is on a FUSE file system, which shows what whoever serves it wants".to_owned())
    } else {
        None
    })
}

#[cfg(test)]
#[path = "firm/tests.rs"]
mod tests;
