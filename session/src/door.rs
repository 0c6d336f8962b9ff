//! The doors of a user's sessions: sockets on which a session's init takes further logins.
//!
//! `/run/nsshell/users/UID/SESSION`, every directory root's with mode 0700. The directory of a
//! user is also the user's lock (flock(2)): there is no file for it that could be left behind,
//! and the kernel lets go of it with whoever holds it. Whoever removes the directory holds the
//! lock; whoever has just got the lock looks whether the directory is still there.
//!
//! A door is listened at from the moment that it has its name: it is made under the name with a
//! dot before it. So one at which nobody listens is that of a dead init, whoever looks, and with
//! the lock or without: sessions that are nobody else's are made without.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags};

use crate::error::Error;
use crate::sys::{Errno, fd, lock, unix};
use crate::{STATE, USERS, record};

/// How often the directory of a user may vanish between two calls of ours before it is odd.
const TRIES: usize = 50;

/// The directory of a user, locked; or not, by who may only look into it.
#[derive(Debug)]
pub(crate) struct Turn {
    directory: OwnedFd,
    uid: u32,
    locked: bool,
}

/// Takes a door away, or what was to become one, if its init is dead: whether it did.
///
/// # Errors
/// It cannot be removed.
pub(crate) fn sweep_dead(directory: &OwnedFd, path: &Path) -> Result<bool, Errno> {
    let name = path.file_name().unwrap_or_default();
    let unfinished = name.as_bytes().starts_with(b".");
    if !(unfinished && unix::is_unbound(path) || !unfinished && unix::is_unheard(path)) {
        return Ok(false);
    }
    match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) => Ok(true),
        // its own session was quicker
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Where the door of a session is.
pub(crate) fn path(uid: u32, session: &str) -> PathBuf {
    Path::new(USERS).join(uid.to_string()).join(session)
}

/// Where it is before anybody listens at it.
fn unfinished(uid: u32, session: &str) -> PathBuf {
    path(uid, &format!(".{session}"))
}

fn cannot(uid: u32) -> impl Fn(Errno) -> Error {
    move |errno| cannot_do("use", &Path::new(USERS).join(uid.to_string()), errno)
}

fn cannot_do(what: &str, path: &Path, errno: Errno) -> Error {
    let advice = if errno == Errno::NOSPC {
        "free space on /run"
    } else {
        ""
    };
    Error::System {
        doing: format!("cannot {what} the directory {}", path.display()),
        errno,
        advice: advice.to_owned(),
    }
}

/// The directory of a user, made if need be, and looked at: every directory on the way has to
/// be root's, and all but the first one, through which users pass to their copies of records,
/// root's alone.
fn directory(uid: u32) -> Result<OwnedFd, Error> {
    let own = Path::new(USERS).join(uid.to_string());
    'again: for _ in 0..TRIES {
        let mut directory = None;
        for path in [Path::new(STATE), Path::new(USERS), &own] {
            match rustix::fs::mkdir(path, Mode::from_raw_mode(0o700)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(cannot_do("make", path, errno)),
            }
            let place = match fd::open_beneath(CWD, path, OFlags::DIRECTORY) {
                // The last session of the user has just ended, and taken it away.
                Err(Errno::NOENT) => continue 'again,
                other => other.map_err(|errno| cannot_do("open", path, errno))?,
            };
            let stat = rustix::fs::fstat(&place).map_err(|errno| cannot_do("open", path, errno))?;
            let closed_to = if path == Path::new(STATE) {
                0o022
            } else {
                0o077
            };
            if stat.st_uid != 0 || stat.st_mode & closed_to != 0 {
                return Err(Error::NotAsPlanned(format!(
                    "{} is not root's alone (uid {}, mode {:04o}); remove it",
                    path.display(),
                    stat.st_uid,
                    stat.st_mode & 0o7777
                )));
            }
            directory = Some(place);
        }
        return directory.ok_or_else(|| cannot(uid)(Errno::NOENT));
    }
    Err(cannot(uid)(Errno::NOENT))
}

/// Waits for the user's turn: until nobody else makes or looks for a session of theirs.
///
/// # Errors
/// The deadline has come, `limit` seconds after the start; /run is full or not ours.
pub(crate) fn lock(uid: u32, deadline: Instant, limit: u32) -> Result<Turn, Error> {
    for _ in 0..TRIES {
        let directory = directory(uid)?;
        if !lock::exclusive(&directory, deadline).map_err(cannot(uid))? {
            return Err(Error::TooSlow {
                what: format!("another login of uid {uid}"),
                limit: limit.into(),
            });
        }
        // Removed while we waited: then it locks nobody else out.
        if rustix::fs::fstat(&directory).map_err(cannot(uid))?.st_nlink > 0 {
            return Ok(Turn {
                directory,
                uid,
                locked: true,
            });
        }
    }
    Err(cannot(uid)(Errno::NOENT))
}

/// Looks without waiting for anybody, and without anybody having to wait; none if the user has
/// no session with a door.
///
/// # Errors
/// /run is not ours.
pub(crate) fn glance(uid: u32) -> Result<Option<Turn>, Error> {
    let own = Path::new(USERS).join(uid.to_string());
    match fd::open_beneath(CWD, &own, OFlags::DIRECTORY) {
        Err(Errno::NOENT) => Ok(None),
        directory => Ok(Some(Turn {
            directory: directory.map_err(cannot(uid))?,
            uid,
            locked: false,
        })),
    }
}

impl Turn {
    /// The sessions that have a door.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(crate) fn sessions(&self) -> Result<Vec<String>, Error> {
        sessions(&self.directory, self.uid).map_err(cannot(self.uid))
    }

    /// Takes away the door of a session if it is dead.
    pub(crate) fn sweep(&self, session: &str) {
        if self.locked {
            let _ = sweep_dead(&self.directory, &path(self.uid, session));
        }
    }

    /// Takes away the directory if there is no door in it.
    pub(crate) fn tidy(self) {
        if self.locked {
            remove_directory(self.uid);
        }
    }
}

impl Drop for Turn {
    /// Closing would leave the lock to whoever has a copy of the descriptor: the janitor, until
    /// it comes to closing its own.
    fn drop(&mut self) {
        lock::release(&self.directory);
    }
}

/// The names in the directory of a user; what has not become a door, and never will, is removed.
fn sessions(directory: &OwnedFd, uid: u32) -> Result<Vec<String>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        match entry.file_name().to_str() {
            Ok("." | "..") | Err(_) => {}
            Ok(name) if name.starts_with('.') => {
                let _ = sweep_dead(directory, &path(uid, name));
            }
            Ok(name) => names.push(name.to_owned()),
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// How many sessions of a user a login looks at that needs none of them.
const LOOKED_AT: usize = 4;

/// Removes what dead sessions of a user have left, without the lock: for a login that needs
/// none. What cannot be removed is left to the next one. It looks at a few only, those that come
/// after the login's own `name`, which is a random one: who has a thousand sessions must not
/// wait for a look at each of them.
pub(crate) fn sweep_user(uid: u32, name: &str) {
    let own = Path::new(USERS).join(uid.to_string());
    let Ok(directory) = fd::open_beneath(CWD, &own, OFlags::DIRECTORY) else {
        return;
    };
    let mut names = sessions(&directory, uid).unwrap_or_default();
    let next = names.partition_point(|one| one.as_str() < name);
    names.rotate_left(next);
    names.truncate(LOOKED_AT);
    record::sweep(&names, uid);
    for session in &names {
        let _ = sweep_dead(&directory, &path(uid, session));
    }
}

/// Fails if there is something in it; to be called with the lock held.
fn remove_directory(uid: u32) {
    let path = Path::new(USERS).join(uid.to_string());
    let _ = rustix::fs::unlinkat(CWD, &path, AtFlags::REMOVEDIR);
}

/// Takes away the door of a session whose init was killed while it was made.
pub(crate) fn sweep(uid: u32, session: &str) {
    fd::remove_file(&path(uid, session));
    fd::remove_file(&unfinished(uid, session));
    let own = Path::new(USERS).join(uid.to_string());
    if let Ok(directory) = fd::open_beneath(CWD, &own, OFlags::DIRECTORY)
        && lock::try_exclusive(&directory)
    {
        remove_directory(uid);
    }
}

/// A door that is listened at.
fn listen(uid: u32, session: &str) -> Result<OwnedFd, Errno> {
    let unfinished = unfinished(uid, session);
    let listener = unix::listen(&unfinished)?;
    rustix::fs::rename(&unfinished, path(uid, session))?;
    Ok(listener)
}

/// The open door of a session, of its init. It is shut for good by [`Door::close`] or with init.
#[derive(Debug)]
pub(crate) struct Door {
    listener: OwnedFd,
    /// of the user, and the one with those of all users
    directories: [OwnedFd; 2],
    uid: u32,
    session: String,
}

impl Door {
    /// Opens it. To be called by init itself, and before its first mount: the kernel notes the
    /// process that listens, by which it is known again, and the path is the host's.
    ///
    /// # Errors
    /// /run is full or not ours.
    pub(crate) fn open(uid: u32, session: &str) -> Result<Door, Error> {
        for _ in 0..TRIES {
            drop(directory(uid)?);
            // Gone is the directory, or the door itself: to who swept it away in the moment
            // between its name and its socket (bind(2)), it was a dead one.
            let listener = match listen(uid, session) {
                Err(Errno::NOENT) => continue,
                other => other.map_err(cannot(uid))?,
            };
            // Again: with a door in it, it stays the one that it is.
            let directory = directory(uid)?;
            let all = fd::open_beneath(CWD, Path::new(USERS), OFlags::DIRECTORY);
            return Ok(Door {
                listener,
                directories: [directory, all.map_err(cannot(uid))?],
                uid,
                session: session.to_owned(),
            });
        }
        Err(cannot(uid)(Errno::NOENT))
    }

    /// The descriptors that init has to keep.
    pub(crate) fn descriptors(&self) -> [&OwnedFd; 3] {
        let [own, all] = &self.directories;
        [&self.listener, own, all]
    }

    /// A login that wants in.
    ///
    /// # Errors
    /// EMFILE.
    pub(crate) fn accept(&self) -> Result<Option<OwnedFd>, Errno> {
        unix::accept(&self.listener)
    }

    /// Shuts the door. Whoever has connected and was not accepted finds the connection broken,
    /// whoever comes later nothing to connect to. Init is root without a capability for it, and
    /// the directories are root's.
    pub(crate) fn close(self) {
        let [own, all] = &self.directories;
        let _ = rustix::fs::unlinkat(
            own,
            OsStr::from_bytes(self.session.as_bytes()),
            AtFlags::empty(),
        );
        drop(self.listener);
        if lock::try_exclusive(own) {
            let _ = rustix::fs::unlinkat(all, self.uid.to_string(), AtFlags::REMOVEDIR);
        }
    }
}

impl AsFd for Door {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.listener.as_fd()
    }
}
