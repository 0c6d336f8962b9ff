//! What sessions leave behind whose init was killed, and how it is removed.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{AtFlags, OFlags};

use crate::error::Error;
use crate::live::{is_held, names, open_directory, read};
use crate::sys::{Errno, fd, lock, unix};
use crate::{COPIES, RECORDS, USERS};

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
    let directory = match open_directory(Path::new(RECORDS)) {
        Err(Errno::NOENT) => return Ok(swept),
        directory => directory.map_err(cannot(RECORDS))?,
    };
    for name in names(&directory).map_err(cannot(RECORDS))? {
        let Ok(file) = fd::open_beneath(&directory, &name, OFlags::RDONLY) else {
            continue;
        };
        // Every record is held before it is listed: none is too young to be looked at.
        if !is_held(&file) {
            remove(&directory, &name).map_err(cannot(RECORDS))?;
            let user = read(file).map(|record| record.user);
            swept.push(Swept::Record(shown(&name), user));
        }
    }
    let users = match open_directory(Path::new(COPIES)) {
        Err(Errno::NOENT) => return Ok(swept),
        users => users.map_err(cannot(COPIES))?,
    };
    for uid in names(&users).map_err(cannot(COPIES))? {
        let Ok(of_user) = fd::open_beneath(&users, &uid, OFlags::DIRECTORY) else {
            continue;
        };
        for name in names(&of_user).map_err(cannot(COPIES))? {
            // A copy is listed after its record, and goes before it.
            let record = fd::open_beneath(&directory, &name, OFlags::PATH);
            if record.err() == Some(Errno::NOENT) {
                remove(&of_user, &name).map_err(cannot(COPIES))?;
                swept.push(Swept::Copy(shown(&name), shown(&uid)));
            }
        }
        let _ = rustix::fs::unlinkat(&users, &uid, AtFlags::REMOVEDIR);
    }
    fd::remove_directory(Path::new(COPIES));
    sweep_doors(&mut swept).map_err(cannot(USERS))?;
    Ok(swept)
}

/// The doors of sessions whose init was killed, and the directories of users who have none.
fn sweep_doors(swept: &mut Vec<Swept>) -> Result<(), Errno> {
    let users = match open_directory(Path::new(USERS)) {
        Err(Errno::NOENT) => return Ok(()),
        users => users?,
    };
    for uid in names(&users)? {
        let Ok(of_user) = fd::open_beneath(&users, &uid, OFlags::DIRECTORY) else {
            continue;
        };
        // Somebody looks for a session of the user or makes one, and sweeps as well.
        if !lock::try_exclusive(&of_user) {
            continue;
        }
        for name in names(&of_user)? {
            let path = Path::new(USERS).join(&uid).join(&name);
            if unix::connect(&path).err() == Some(Errno::CONNREFUSED) {
                remove(&of_user, &name)?;
                swept.push(Swept::Door(shown(&name), shown(&uid)));
            }
        }
        // With the lock held, as whoever waits for it looks whether it is still there.
        let _ = rustix::fs::unlinkat(&users, &uid, AtFlags::REMOVEDIR);
    }
    Ok(())
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
