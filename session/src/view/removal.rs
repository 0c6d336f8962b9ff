//! Removes a tree that somebody hostile has written, and may still be writing: any names, any
//! kinds of files, any depth. By descriptor from a directory of root's, so that nothing outside
//! of the tree is reached; with few descriptors and no recursion beyond [`DEEPEST`].

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Instant;

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, RenameFlags, ResolveFlags, Uid};

use crate::sys::Errno;

/// How many directories of the tree are open at once. What lies deeper is moved up.
const DEEPEST: u32 = 24;

/// Why something of a tree is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    /// the first name that could not be removed, as bytes
    pub name: CString,
    /// why: EPERM also for what is immutable or append-only (chattr(1)), EXDEV and EBUSY for
    /// what is mounted in it, ETIME for what is filled faster than it is emptied
    pub errno: Errno,
}

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.name.to_bytes().escape_ascii().to_string();
        let name: String = name.chars().take(100).collect();
        let why = match self.errno {
            Errno::PERM => {
                "it is immutable or append-only, see lsattr(1); run `chattr -R -ai` on it"
            }
            Errno::XDEV | Errno::BUSY => "something is mounted in it; unmount that",
            Errno::TIME => "a process goes on writing there; end that",
            Errno::ROFS => "its file system has become read-only",
            Errno::NOSPC | Errno::DQUOT => "its file system has no space left to move it up",
            Errno::IO => "its device fails",
            _ => "",
        };
        let errno = self.errno.raw_os_error();
        match why {
            "" => write!(f, "\"{name}\" cannot be removed: errno {errno}"),
            why => write!(f, "\"{name}\" cannot be removed: {why}"),
        }
    }
}

/// Removes `name` in `parent`, whatever it is, with everything in it. Nothing is done if it is
/// not there. No symbolic link is followed, and no mount entered.
///
/// # Errors
/// What is left, after everything else was removed as far as possible, or at the deadline.
pub(crate) fn remove(parent: impl AsFd, name: &CStr, deadline: Instant) -> Result<(), Left> {
    let left = |errno| Left {
        name: name.to_owned(),
        errno,
    };
    let parent = parent.as_fd();
    loop {
        let top = match unlink_or_open(parent, name) {
            Err(Errno::NOENT) => return Ok(()),
            // Something else stands there since the look.
            Err(Errno::NOTDIR | Errno::LOOP) => {
                in_time(deadline).map_err(left)?;
                continue;
            }
            other => other.map_err(left)?,
        };
        Removal {
            top: top.as_fd(),
            deadline,
            moved: 0,
        }
        .empty(&top, 0)?;
        match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {
                in_time(deadline).map_err(left)?;
            }
            Err(errno) => return Err(left(errno)),
        }
    }
}

fn in_time(deadline: Instant) -> Result<(), Errno> {
    if Instant::now() < deadline {
        Ok(())
    } else {
        Err(Errno::TIME)
    }
}

/// Removes what is no directory, which reads as ENOENT then, or opens what is one.
fn unlink_or_open(parent: impl AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
    match rustix::fs::unlinkat(&parent, name, AtFlags::empty()) {
        Ok(()) => Err(Errno::NOENT),
        // Only a directory says so; EPERM is what POSIX has for it, and immutable files.
        Err(Errno::ISDIR) => open(&parent, name),
        Err(Errno::PERM) => open(&parent, name).map_err(|errno| match errno {
            Errno::NOTDIR | Errno::LOOP => Errno::PERM,
            other => other,
        }),
        Err(errno) => Err(errno),
    }
}

fn open(parent: impl AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags =
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV | ResolveFlags::BENEATH;
    let directory = rustix::fs::openat2(parent, name, flags, Mode::empty(), resolve)?;
    // From now on nobody else makes anything in it. Where the ids have no place on this file
    // system it stays as it is, and emptying it is a race that ends in time.
    let stat = rustix::fs::fstat(&directory)?;
    if stat.st_uid != 0 {
        let _ = rustix::fs::fchown(&directory, Some(Uid::ROOT), Some(Gid::ROOT));
    }
    if stat.st_mode & 0o722 != 0o700 {
        let _ = rustix::fs::fchmod(&directory, Mode::from_raw_mode(0o700));
    }
    Ok(directory)
}

struct Removal<'a> {
    top: std::os::fd::BorrowedFd<'a>,
    deadline: Instant,
    /// how many directories were moved up into `top`
    moved: u64,
}

impl Removal<'_> {
    /// Empties a directory that lies `depth` beneath the top.
    fn empty(&mut self, directory: &OwnedFd, depth: u32) -> Result<(), Left> {
        let here = |errno| Left {
            name: c".".to_owned(),
            errno,
        };
        let mut listing = Dir::read_from(directory).map_err(here)?;
        loop {
            let (mut seen, mut gone, mut left) = (false, false, None);
            listing.rewind();
            while let Some(entry) = listing.read() {
                let entry = entry.map_err(here)?;
                let name = entry.file_name();
                if name == c"." || name == c".." {
                    continue;
                }
                seen = true;
                match self.remove(directory, name, entry.file_type(), depth) {
                    Ok(()) => gone = true,
                    Err(why) => left = left.or(Some(why)),
                }
                in_time(self.deadline).map_err(|errno| left.clone().unwrap_or(here(errno)))?;
            }
            match left {
                // What was removed may have made the rest removable (space to move it up).
                Some(why) if !gone => return Err(why),
                // Removing while listing may skip entries on some file systems, and somebody
                // may still be making some: it is empty when a whole listing is.
                _ if seen => {}
                _ => return Ok(()),
            }
        }
    }

    /// Removes one entry; one that is gone is as good.
    fn remove(
        &mut self,
        directory: &OwnedFd,
        name: &CStr,
        kind: FileType,
        depth: u32,
    ) -> Result<(), Left> {
        let left = |errno| Left {
            name: name.to_owned(),
            errno,
        };
        if kind == FileType::Directory {
            // Most are empty by now, or never held anything.
            match rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => return Ok(()),
                Err(_) => {}
            }
        }
        let inner = match unlink_or_open(directory, name) {
            Err(Errno::NOENT) => return Ok(()),
            other => other.map_err(left)?,
        };
        if depth >= DEEPEST {
            return self.move_up(directory, name).map_err(left);
        }
        self.empty(&inner, depth + 1)?;
        match rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            // Filled again meanwhile: the next listing shows it.
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => Ok(()),
            Err(errno) => Err(left(errno)),
        }
    }

    /// Moves a directory into the top one, where the next listing shows it.
    fn move_up(&mut self, directory: &OwnedFd, name: &CStr) -> Result<(), Errno> {
        loop {
            self.moved += 1;
            let up = format!(".nsshell-{}", self.moved);
            let up = Path::new(&up);
            let flags = RenameFlags::NOREPLACE;
            match rustix::fs::renameat_with(directory, name, self.top, up, flags) {
                // The user has made one of this name.
                Err(Errno::EXIST) => in_time(self.deadline)?,
                // A file system without it; a directory replaces an empty one at most.
                Err(Errno::INVAL) => match rustix::fs::renameat(directory, name, self.top, up) {
                    Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {
                        in_time(self.deadline)?;
                    }
                    done => return done,
                },
                Ok(()) | Err(Errno::NOENT) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
    }
}

#[cfg(test)]
#[path = "removal/tests.rs"]
mod tests;
