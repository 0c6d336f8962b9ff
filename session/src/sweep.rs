//! What sessions leave behind whose init was killed, and how it is removed.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, OFlags};

use crate::error::Error;
use crate::live::{all_names, is_held, names, open_directory, read};
use crate::sys::{Errno, fd, lock};
use crate::{COPIES, RECORDS, USERS, door};

/// What [`sweep`] has removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swept {
    /// the record of a session that nobody held any more; its user's name, if it could be read
    Record(String, Option<String>),
    /// a user's copy of a record that is gone: the session and the user's id
    Copy(String, String),
    /// a door at which nobody listens any more: the session and the user's id
    Door(String, String),
}

/// Removes what sessions have left behind whose init was killed. What is held is left alone,
/// whatever else is wrong with it.
///
/// # Errors
/// EACCES for anybody but root; something cannot be removed.
pub fn sweep() -> Result<Vec<Swept>, Error> {
    let cannot = |path: &str| {
        let doing = format!("cannot clean up {path}");
        move |errno| {
            let advice = match errno {
                Errno::ACCESS => "only root may",
                _ => "",
            };
            Error::System {
                doing: doing.clone(),
                errno,
                advice: advice.to_owned(),
            }
        }
    };
    let mut swept = Vec::new();
    let records = sweep_records(&mut swept).map_err(cannot(RECORDS))?;
    sweep_copies(records.as_ref(), &mut swept).map_err(cannot(COPIES))?;
    sweep_doors(&mut swept).map_err(cannot(USERS))?;
    Ok(swept)
}

/// A directory of ours; none if it is not there.
fn directory(path: &str) -> Result<Option<OwnedFd>, Errno> {
    match open_directory(Path::new(path)) {
        Err(Errno::NOENT) => Ok(None),
        directory => directory.map(Some),
    }
}

/// The records that nobody holds; their directory.
fn sweep_records(swept: &mut Vec<Swept>) -> Result<Option<OwnedFd>, Errno> {
    let Some(directory) = directory(RECORDS)? else {
        return Ok(None);
    };
    for name in names(&directory)? {
        let Ok(file) = fd::open_beneath(&directory, &name, OFlags::RDONLY) else {
            continue;
        };
        // Every record is held before it is listed: none is too young to be looked at.
        if !is_held(&file) {
            remove(&directory, &name)?;
            let user = read(file).map(|record| record.user);
            swept.push(Swept::Record(shown(&name), user));
        }
    }
    Ok(Some(directory))
}

/// The copies whose record is gone.
fn sweep_copies(records: Option<&OwnedFd>, swept: &mut Vec<Swept>) -> Result<(), Errno> {
    let Some(users) = directory(COPIES)? else {
        return Ok(());
    };
    for uid in names(&users)? {
        let Ok(of_user) = fd::open_beneath(&users, &uid, OFlags::DIRECTORY) else {
            continue;
        };
        for name in names(&of_user)? {
            // A copy is listed after its record, and goes before it.
            let record = records.map(|records| fd::open_beneath(records, &name, OFlags::PATH));
            if record.is_none_or(|record| record.err() == Some(Errno::NOENT)) {
                remove(&of_user, &name)?;
                swept.push(Swept::Copy(shown(&name), shown(&uid)));
            }
        }
        let _ = rustix::fs::unlinkat(&users, &uid, AtFlags::REMOVEDIR);
    }
    fd::remove_directory(Path::new(COPIES));
    Ok(())
}

/// The doors of sessions whose init was killed, and the directories of users who have none.
fn sweep_doors(swept: &mut Vec<Swept>) -> Result<(), Errno> {
    let Some(users) = directory(USERS)? else {
        return Ok(());
    };
    for uid in names(&users)? {
        // An init that shuts its door while the lock is held here leaves the directory to us.
        while sweep_doors_of(&users, &uid, swept)? {}
    }
    Ok(())
}

/// The same for one user; whether the directory has become empty only after it was looked at.
fn sweep_doors_of(users: &OwnedFd, uid: &Path, swept: &mut Vec<Swept>) -> Result<bool, Errno> {
    let Ok(of_user) = fd::open_beneath(users, uid, OFlags::DIRECTORY) else {
        return Ok(false);
    };
    // Somebody looks for a session of the user or makes one, and sweeps as well.
    if !lock::try_exclusive(&of_user) {
        return Ok(false);
    }
    for name in all_names(&of_user)? {
        let path = Path::new(USERS).join(uid).join(&name);
        if door::sweep_dead(&of_user, &path)? {
            let session = shown(&name).trim_start_matches('.').to_owned();
            swept.push(Swept::Door(session, shown(uid)));
        }
    }
    // With the lock held, as whoever waits for it looks whether it is still there.
    let removed = rustix::fs::unlinkat(users, uid, AtFlags::REMOVEDIR);
    lock::release(&of_user);
    Ok(removed == Err(Errno::NOTEMPTY) && all_names(&of_user)?.is_empty())
}

fn remove(directory: impl AsFd, name: &Path) -> Result<(), Errno> {
    match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
        // its own session was quicker
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

fn shown(name: &Path) -> String {
    name.to_string_lossy().into_owned()
}
