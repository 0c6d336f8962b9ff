//! The records of live sessions: one file a session in [`RECORDS`], root's alone.
//!
//! A record is alive while somebody holds the lock on it (flock(2)), and the somebody is the
//! session's init: a kernel object, which no crash can leave behind. A file that is not
//! locked belongs to a session whose init was killed, and is swept away.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use nsshell_config::{Plan, Scope};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::sys::{Errno, fd};
use crate::{RECORDS, STATE};

/// What is known of a live session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// name of the session
    pub session: String,
    /// login name
    pub user: String,
    /// user id on the host
    pub uid: u32,
    /// PAM service
    pub service: String,
    /// PAM_TTY
    pub tty: Option<String>,
    /// PAM_RHOST
    pub rhost: Option<String>,
    /// profile of the policy
    pub profile: String,
    /// process id of the session's init in the PID namespace of session-init, the host's
    pub pid: i32,
    /// when it was opened, in seconds since 1970
    pub started: u64,
    /// when `pid` was started, in clock ticks since boot; 0: not known
    #[serde(default)]
    pub start: u64,
    /// inodes of the namespaces of `pid`, by the names of their links in /proc/PID/ns
    #[serde(default)]
    pub namespaces: BTreeMap<String, u64>,
    /// who shares it
    #[serde(default)]
    pub scope: Scope,
    /// the kinds of namespaces that a login enters, as bits of [`crate::sys::ns::Kinds`]
    #[serde(default)]
    pub kinds: u32,
    /// of what was planned; another plan has another one
    #[serde(default)]
    pub planned: String,
    /// `NAME=value` pairs for the PAM environment of its logins
    #[serde(default)]
    pub environment: Vec<String>,
}

/// What is known of a session once it is made.
#[derive(Debug, Clone, Default)]
pub struct Made {
    /// see [`Record::start`]
    pub start: u64,
    /// see [`Record::namespaces`]
    pub namespaces: BTreeMap<String, u64>,
    /// whether it takes further logins
    pub has_door: bool,
    /// see [`Record::kinds`]
    pub kinds: u32,
    /// see [`Record::planned`]
    pub planned: String,
    /// see [`Record::environment`]
    pub environment: Vec<String>,
}

/// A record that is locked but not listed yet.
#[derive(Debug)]
pub struct Reserved {
    directory: OwnedFd,
    file: OwnedFd,
    /// the name that the session will have
    pub session: String,
}

/// Makes ready a record under a name that [`new_name`] has given. Nothing is left of it if the caller dies.
///
/// # Errors
/// /run is full or not writable, or somebody else has made our directory.
pub fn reserve(session: String) -> Result<Reserved, Error> {
    let cannot = |errno: Errno| {
        let advice = if errno == Errno::NOSPC {
            "free space on /run"
        } else {
            ""
        };
        let doing = format!("cannot write a session record in {RECORDS}");
        Error::System {
            doing,
            errno,
            advice: advice.to_owned(),
        }
    };
    let directory = directory()?;
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file =
        rustix::fs::openat(&directory, ".", flags, Mode::from_raw_mode(0o600)).map_err(cannot)?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(cannot)?;
    Ok(Reserved {
        directory,
        file,
        session,
    })
}

impl Reserved {
    /// Writes the record and lists it, complete from the first moment.
    ///
    /// # Errors
    /// /run is full.
    pub fn publish(&self, plan: &Plan, pid: i32, made: &Made) -> Result<(), Error> {
        let record = Record {
            session: self.session.clone(),
            user: plan.account.name.clone(),
            uid: plan.account.uid,
            service: plan.login.service.clone(),
            tty: plan.login.tty.clone(),
            rhost: plan.login.rhost.clone(),
            profile: plan.profile.clone(),
            pid,
            started: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            start: made.start,
            namespaces: made.namespaces.clone(),
            // One that has no door is nobody else's.
            scope: match &plan.session {
                Some(session) if made.has_door => session.life.scope,
                _ => Scope::Session,
            },
            kinds: made.kinds,
            planned: made.planned.clone(),
            environment: made.environment.clone(),
        };
        let text = serde_json::to_vec(&record)
            .map_err(|_| Error::Protocol("a record that cannot be written down"))?;
        let copy = self
            .file
            .try_clone()
            .map_err(|_| cannot_list(Errno::MFILE))?;
        File::from(copy)
            .write_all(&text)
            .map_err(|error| cannot_list(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
        rustix::fs::linkat(
            &self.file,
            "",
            &self.directory,
            &self.session,
            AtFlags::EMPTY_PATH,
        )
        .map_err(cannot_list)
    }

    /// Takes the record off the list; for the session's init at its end. Init has no
    /// capability left for it, but the directory is root's and so is init.
    pub fn remove(&self) {
        // One that is not there, or cannot be removed, is swept away by the next listing.
        let _ = rustix::fs::unlinkat(&self.directory, &self.session, AtFlags::empty());
    }

    /// The descriptors that init has to keep.
    #[must_use]
    pub fn descriptors(&self) -> [&OwnedFd; 2] {
        [&self.directory, &self.file]
    }
}

fn cannot_list(errno: Errno) -> Error {
    let advice = if errno == Errno::NOSPC {
        "free space on /run"
    } else {
        ""
    };
    let doing = format!("cannot list the session in {RECORDS}");
    Error::System {
        doing,
        errno,
        advice: advice.to_owned(),
    }
}

/// Every live session, oldest first. Records of dead ones are removed on the way.
///
/// # Errors
/// EACCES for anybody but root.
pub fn live() -> Result<Vec<Record>, Error> {
    let cannot = |errno: Errno| {
        let advice = if errno == Errno::ACCESS {
            "only root may list sessions"
        } else {
            ""
        };
        let doing = format!("cannot list the sessions in {RECORDS}");
        Error::System {
            doing,
            errno,
            advice: advice.to_owned(),
        }
    };
    let directory = match fd::open_beneath(rustix::fs::CWD, Path::new(RECORDS), OFlags::DIRECTORY) {
        Err(Errno::NOENT) => return Ok(Vec::new()),
        other => other.map_err(cannot)?,
    };
    let mut records = Vec::new();
    for entry in rustix::fs::Dir::read_from(&directory).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let name = entry.file_name();
        if !name.to_bytes().starts_with(b".")
            && let Some(record) = read(&directory, Path::new(&*name.to_string_lossy()))
        {
            records.push(record);
        }
    }
    records.sort_by(|a, b| (a.started, &a.session).cmp(&(b.started, &b.session)));
    Ok(records)
}

/// The record of the session of this name, if it is alive.
///
/// # Errors
/// The directory cannot be opened.
pub(crate) fn find(session: &str) -> Result<Option<Record>, Error> {
    match fd::open_beneath(rustix::fs::CWD, Path::new(RECORDS), OFlags::DIRECTORY) {
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(cannot_list(errno)),
        Ok(directory) => Ok(read(directory, Path::new(session))),
    }
}

/// One record, if its session is alive.
fn read(directory: impl AsFd, name: &Path) -> Option<Record> {
    let file = fd::open_beneath(&directory, name, OFlags::RDONLY).ok()?;
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) != Err(Errno::WOULDBLOCK) {
        // Nobody holds it: its init was killed before it could remove it.
        let _ = rustix::fs::unlinkat(&directory, name, AtFlags::empty());
        return None;
    }
    let mut text = Vec::new();
    File::from(file).take(1 << 20).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// [`RECORDS`], made if need be, and looked at: a directory that another user has made first
/// would be theirs to change.
fn directory() -> Result<OwnedFd, Error> {
    for path in [STATE, RECORDS] {
        match rustix::fs::mkdir(path, Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => {
                let advice = if errno == Errno::NOSPC {
                    "free space on /run"
                } else {
                    ""
                };
                let doing = format!("cannot make the directory {path}");
                return Err(Error::System {
                    doing,
                    errno,
                    advice: advice.to_owned(),
                });
            }
        }
        let cannot = |errno| Error::system(format!("cannot open the directory {path}"), errno);
        let directory = fd::open_beneath(rustix::fs::CWD, Path::new(path), OFlags::DIRECTORY)
            .map_err(cannot)?;
        let stat = rustix::fs::fstat(&directory).map_err(cannot)?;
        // Where a session is opened from within another one (sudo, su), the first is the outer
        // session's, which its user may read.
        let closed_to = if path == STATE { 0o022 } else { 0o077 };
        if stat.st_uid != 0 || stat.st_mode & closed_to != 0 {
            return Err(Error::NotAsPlanned(format!(
                "{path} is not root's alone (uid {}, mode {:04o}); remove it",
                stat.st_uid,
                stat.st_mode & 0o7777
            )));
        }
        if path == RECORDS {
            return Ok(directory);
        }
    }
    Err(Error::Protocol("no directory of records"))
}

/// A name for a session: eight letters and digits, without those that look alike, of 40 random
/// bits.
///
/// # Errors
/// The kernel gives no random numbers.
pub fn new_name() -> Result<String, Error> {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz123456789";
    let mut bits = [0; 8];
    rustix::rand::getrandom(&mut bits, rustix::rand::GetRandomFlags::empty())
        .map_err(|errno| Error::system("cannot choose a name for the session", errno))?;
    Ok(bits
        .iter()
        .map(|byte| LETTERS[usize::from(byte % 32)] as char)
        .collect())
}
