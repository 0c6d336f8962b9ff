//! Directories on disk that are emptied at the end: upper layers of homes, and instances whose
//! contents are not kept.
//!
//! Beside each of them, in [`SCRATCH`] of the directory above, lies a file of its name. Every
//! session that uses the directory holds a shared lock on it (flock(2)), which no crash and no
//! reboot can leave behind. Who gets the exclusive one without waiting is the last: the
//! directory is moved into [`SCRATCH`] and the file removed, both at once as far as anybody can
//! see, and what was moved is removed at leisure. So whatever is found there without a lock is
//! waste, of a session that is gone.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nsshell_config::{Contents, Home, Mount, SessionPlan, Upper};
use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags};

use crate::error::Error;
use crate::sys::{Errno, fd};

use super::removal::{self, Left};
use super::trusted;

/// The directory in a store for what is being made, what is being removed, and the locks; root's
/// alone.
pub(crate) const SCRATCH: &str = ".nsshell";

/// How often a lock is taken anew whose file somebody removes at the same moment.
const TRIES: u32 = 100;

/// A directory that the session uses, and that is emptied when nobody does any more.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    store: OwnedFd,
    scratch: OwnedFd,
    name: CString,
    lock: OwnedFd,
}

/// Claims every directory of the plan that is not kept; before it is made or opened.
///
/// # Errors
/// A store cannot be made, or somebody other than root could change it.
pub fn claim(session: &SessionPlan, name: &str) -> Result<Vec<Claim>, Error> {
    let paths = directories(session, name);
    paths.iter().map(|path| one(path)).collect()
}

/// The directory of a session in the store of ephemeral homes.
pub(crate) fn of_session(store: &Path, session: &str) -> PathBuf {
    store.join(session)
}

/// The directories on disk of the session `name` that are not kept.
#[must_use]
pub fn directories(session: &SessionPlan, name: &str) -> Vec<PathBuf> {
    let path = |mount: &Mount| match mount {
        Mount::Home {
            home:
                Home::Overlay {
                    upper: Upper::Disk { store },
                }
                | Home::Fresh {
                    upper: Upper::Disk { store },
                    ..
                },
        } => Some(of_session(store, name)),
        Mount::Instance {
            instance,
            contents: Contents::Empty,
            ..
        } => Some(instance.clone()),
        _ => None,
    };
    let mut paths: Vec<_> = session.mounts.iter().filter_map(path).collect();
    // The same one at two places is one directory.
    paths.sort();
    paths.dedup();
    paths
}

fn one(path: &Path) -> Result<Claim, Error> {
    let (store, name) = trusted::open_or_make_parent(path)?;
    plain_name(path, name)?;
    let scratch = scratch(path, &store)?;
    locked(path, store, scratch)
}

fn locked(path: &Path, store: OwnedFd, scratch: OwnedFd) -> Result<Claim, Error> {
    let cannot = |errno| {
        let doing = format!("cannot lock {} for the session", path.display());
        Error::system(doing, errno)
    };
    let name = plain_name(path, path.file_name().unwrap_or_default())?;
    for _ in 0..TRIES {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = rustix::fs::openat(&scratch, &name, flags, Mode::from_raw_mode(0o600))
            .map_err(cannot)?;
        // Whoever has it for themselves has it for a moment only.
        rustix::fs::flock(&lock, FlockOperation::LockShared).map_err(cannot)?;
        // Somebody else has removed it before we had the lock.
        if rustix::fs::fstat(&lock).map_err(cannot)?.st_nlink > 0 {
            return Ok(Claim {
                path: path.to_owned(),
                store,
                scratch,
                name,
                lock,
            });
        }
    }
    Err(cannot(Errno::AGAIN))
}

/// The last component of a path in a store, which must not be our own directory there.
pub(crate) fn plain_name(path: &Path, name: &OsStr) -> Result<CString, Error> {
    if name == SCRATCH {
        return Err(Error::NotAsPlanned(format!(
            "{} is a directory of nsshell's own; name another one",
            path.display()
        )));
    }
    CString::new(name.as_bytes())
        .map_err(|_| Error::NotAsPlanned(format!("{} has a NUL in it", path.display())))
}

/// [`SCRATCH`] of the store in which `path` lies.
pub(crate) fn scratch(path: &Path, store: impl AsFd) -> Result<OwnedFd, Error> {
    let above = path.parent().unwrap_or(Path::new("/"));
    let cannot = |errno| {
        let doing = format!("cannot make {}", above.join(SCRATCH).display());
        Error::system(doing, errno)
    };
    match rustix::fs::mkdirat(&store, SCRATCH, Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(cannot(errno)),
    }
    // In a directory that only root can write: it is root's, whoever else could not have made it.
    fd::open_beneath(&store, Path::new(SCRATCH), OFlags::DIRECTORY).map_err(cannot)
}

/// A new directory in [`SCRATCH`], locked while it is open: nobody takes it for waste.
pub(crate) fn new_directory(scratch: impl AsFd) -> Result<(CString, OwnedFd), Errno> {
    for _ in 0..TRIES {
        let name = waste_name()?;
        match rustix::fs::mkdirat(&scratch, &name, Mode::from_raw_mode(0o700)) {
            Ok(()) => {}
            Err(Errno::EXIST) => continue,
            Err(errno) => return Err(errno),
        }
        let path = Path::new(OsStr::from_bytes(name.to_bytes()));
        let Ok(made) = fd::open_beneath(&scratch, path, OFlags::DIRECTORY) else {
            continue;
        };
        let locked = rustix::fs::flock(&made, FlockOperation::NonBlockingLockExclusive).is_ok();
        // Swept away in the moment before the lock.
        if locked && rustix::fs::statat(&scratch, &name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
            return Ok((name, made));
        }
    }
    Err(Errno::AGAIN)
}

fn waste_name() -> Result<CString, Errno> {
    let mut bits = [0; 8];
    rustix::rand::getrandom(&mut bits, rustix::rand::GetRandomFlags::empty())?;
    let number = u64::from_ne_bytes(bits);
    CString::new(format!(".{number:016x}")).map_err(|_| Errno::INVAL)
}

impl Claim {
    /// The directory, as the policy names it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The descriptors that whoever gives it up has to keep.
    pub(crate) fn descriptors(&self) -> [&OwnedFd; 3] {
        [&self.store, &self.scratch, &self.lock]
    }

    /// While a copy of this is open, nobody takes the directory for waste.
    pub(crate) fn lock(&self) -> &OwnedFd {
        &self.lock
    }

    /// Gives the directory up, and empties it if nobody else has it. To be called again if it
    /// fails.
    ///
    /// # Errors
    /// What is left; it is in [`SCRATCH`] then and no session uses it any more.
    pub(crate) fn give_up(&self, deadline: Instant) -> Result<(), Left> {
        let taken = take_away(&self.store, &self.scratch, &self.name, &self.lock);
        let swept = self.sweep(deadline);
        taken.map_err(|errno| Left {
            name: self.name.clone(),
            errno,
        })?;
        swept
    }

    /// Removes what sessions have left in this store that could not remove it themselves.
    ///
    /// # Errors
    /// What is left.
    pub(crate) fn sweep(&self, deadline: Instant) -> Result<(), Left> {
        let listed = |errno| Left {
            name: c".nsshell".to_owned(),
            errno,
        };
        let mut first = None;
        for name in entries(&self.scratch, FileType::RegularFile).map_err(listed)? {
            let path = Path::new(OsStr::from_bytes(name.to_bytes()));
            let Ok(lock) = fd::open_beneath(&self.scratch, path, OFlags::RDONLY) else {
                continue;
            };
            if let Err(errno) = take_away(&self.store, &self.scratch, &name, &lock) {
                first = first.or(Some(Left { name, errno }));
            }
        }
        let swept = sweep_waste(&self.scratch, deadline);
        first.map_or(swept, Err)
    }
}

/// The names in [`SCRATCH`] of what is of this kind.
fn entries(scratch: impl AsFd, kind: FileType) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(&scratch)? {
        let name = entry?.file_name().to_owned();
        if name.as_c_str() == c"." || name.as_c_str() == c".." {
            continue;
        }
        let stat = rustix::fs::statat(&scratch, &name, AtFlags::SYMLINK_NOFOLLOW);
        if stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == kind) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Removes the directories in [`SCRATCH`] that nobody makes or removes.
///
/// # Errors
/// What is left.
pub(crate) fn sweep_waste(scratch: impl AsFd, deadline: Instant) -> Result<(), Left> {
    let scratch = scratch.as_fd();
    let listed = |errno| Left {
        name: c".nsshell".to_owned(),
        errno,
    };
    let mut first = None;
    for name in entries(scratch, FileType::Directory).map_err(listed)? {
        let path = Path::new(OsStr::from_bytes(name.to_bytes()));
        let Ok(waste) = fd::open_beneath(scratch, path, OFlags::DIRECTORY) else {
            continue;
        };
        if rustix::fs::flock(&waste, FlockOperation::NonBlockingLockExclusive).is_err() {
            continue;
        }
        if let Err(left) = removal::remove(scratch, &name, deadline) {
            first = first.or(Some(left));
        }
    }
    first.map_or(Ok(()), Err)
}

/// If nobody else has the lock: moves the directory out of everybody's way, and takes its file
/// off.
fn take_away(
    store: impl AsFd,
    scratch: impl AsFd,
    name: &CString,
    lock: impl AsFd,
) -> Result<(), Errno> {
    if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(());
    }
    // Another one has been here before, and what has the name now is another session's.
    if rustix::fs::fstat(&lock)?.st_nlink == 0 {
        return Ok(());
    }
    let waste = waste_name()?;
    let flags = RenameFlags::NOREPLACE;
    match rustix::fs::renameat_with(&store, name, &scratch, &waste, flags) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno),
    }
    rustix::fs::unlinkat(&scratch, name, AtFlags::empty())
}

#[cfg(test)]
#[path = "ephemeral/tests.rs"]
mod tests;
