//! The records of live sessions: one file a session in [`RECORDS`], root's alone.
//!
//! A record is alive while somebody holds the lock on it (flock(2)), and the somebody is the
//! session's init: a kernel object, which no crash can leave behind. A file that is not
//! locked belongs to a session whose init was killed; [`crate::live`] reads records, and
//! [`crate::sweep`] removes what was left behind.
//! The user gets a copy that nothing but the user's own listing relies on: [`crate::copies`].

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use nsshell_config::{Matched, Namespace, Plan, Scope};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::processes::KINDS;
use crate::sys::ns::Kinds;
use crate::sys::{Errno, fd};
use crate::view::ephemeral;
use crate::{RECORDS, STATE, copies, live};

/// [`RECORDS`] within [`STATE`].
const LISTED: &str = "sessions";

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
    /// when init was started, in clock ticks since the host was (proc(5), field 22 of stat): with
    /// the process id it names init for good
    #[serde(default)]
    pub start: u64,
    /// inodes of the namespaces of `pid`, by the names of their links in /proc/PID/ns
    #[serde(default)]
    pub namespaces: BTreeMap<String, u64>,
    /// the kinds of namespaces that a login enters, as bits of [`crate::sys::ns::Kinds`]
    #[serde(default)]
    pub kinds: u32,
    /// inode of the session's user namespace, in which init is not
    #[serde(default)]
    pub user_namespace: Option<u64>,
    /// the rule that chose the profile
    #[serde(default)]
    pub rule: Option<Matched>,
    /// who shares it
    #[serde(default)]
    pub scope: Scope,
    /// of what was planned; another plan has another one
    #[serde(default)]
    pub planned: String,
    /// `NAME=value` pairs for the PAM environment of its logins
    #[serde(default)]
    pub environment: Vec<String>,
    /// its directories on disk that are emptied at its end
    #[serde(default)]
    pub on_disk: Vec<PathBuf>,
}

/// What is known of a session once it is made.
#[derive(Debug, Clone, Default)]
pub struct Made {
    /// see [`Record::start`]
    pub start: u64,
    /// see [`Record::namespaces`]
    pub namespaces: BTreeMap<String, u64>,
    /// see [`Record::kinds`]
    pub kinds: u32,
    /// see [`Record::user_namespace`]
    pub user_namespace: Option<u64>,
    /// whether it takes further logins
    pub has_door: bool,
    /// see [`Record::planned`]
    pub planned: String,
    /// see [`Record::environment`]
    pub environment: Vec<String>,
}

impl Record {
    /// The namespaces that the session has made, by kind, with their inodes.
    #[must_use]
    pub fn own_namespaces(&self) -> BTreeMap<Namespace, u64> {
        let kinds = Kinds::from_bits(self.kinds).unwrap_or_default();
        let of_init = KINDS.iter().filter(|kind| kinds.has(kind.bits));
        let of_init =
            of_init.filter_map(|kind| Some((kind.namespace, *self.namespaces.get(kind.link)?)));
        let user = self.user_namespace.map(|inode| (Namespace::User, inode));
        of_init.chain(user).collect()
    }
}

/// A record that is locked but not listed yet.
#[derive(Debug)]
pub struct Reserved {
    /// [`STATE`], as the host has it: init stands where something else covers it
    state: OwnedFd,
    file: OwnedFd,
    uid: u32,
    /// the name that the session will have
    pub session: String,
}

/// Makes ready the record of a session of user `uid` under a name that [`new_name`] has given.
/// Nothing is left of it if the caller dies.
///
/// # Errors
/// /run is full or not writable, or somebody else has made our directory.
pub fn reserve(session: String, uid: u32) -> Result<Reserved, Error> {
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
    let state = state()?;
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o600);
    let file = rustix::fs::openat(&state, LISTED, flags, mode).map_err(cannot)?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(cannot)?;
    Ok(Reserved {
        state,
        file,
        uid,
        session,
    })
}

impl Reserved {
    /// Writes the record and lists it, complete from the first moment. `pid`: the session's init.
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
            kinds: made.kinds,
            user_namespace: made.user_namespace,
            rule: Some(plan.matched.clone()),
            // One that has no door is nobody else's.
            scope: match &plan.session {
                Some(session) if made.has_door => session.life.scope,
                _ => Scope::Session,
            },
            planned: made.planned.clone(),
            environment: made.environment.clone(),
            on_disk: (plan.session.as_ref())
                .map(|session| ephemeral::directories(session, &self.session))
                .unwrap_or_default(),
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
        let name = listed(&self.session);
        rustix::fs::linkat(&self.file, "", &self.state, &name, AtFlags::EMPTY_PATH)
            .map_err(cannot_list)?;
        // After the record: a copy without one is swept away. The session is none the worse
        // without a copy, only its user does not see it from outside.
        let _ = copies::put(&self.state, self.uid, &self.session, &text);
        Ok(())
    }

    /// Takes the record off the list; for the session's init at its end. Init has no
    /// capability left for it, but the directory is root's and so is init.
    pub fn remove(&self) {
        copies::remove(&self.state, self.uid, &self.session);
        // One that is not there, or cannot be removed, is swept away by `nsctl gc`.
        let _ = rustix::fs::unlinkat(&self.state, listed(&self.session), AtFlags::empty());
    }

    /// The descriptors that init has to keep.
    #[must_use]
    pub fn descriptors(&self) -> [&OwnedFd; 2] {
        [&self.state, &self.file]
    }
}

fn listed(session: &str) -> String {
    format!("{LISTED}/{session}")
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

/// The record of the session of this name, if it is alive. What is left of one that is dead is
/// removed.
///
/// # Errors
/// The directory cannot be opened, or the record not be read.
pub(crate) fn find(session: &str, uid: u32) -> Result<Option<Record>, Error> {
    let state = match live::open_directory(Path::new(STATE)) {
        Err(Errno::NOENT) => return Ok(None),
        other => other.map_err(cannot_list)?,
    };
    let listed = listed(session);
    let file = match fd::open_beneath(&state, Path::new(&listed), OFlags::RDONLY) {
        Err(Errno::NOENT) => return Ok(None),
        other => other.map_err(cannot_list)?,
    };
    if live::is_held(&file) {
        // One that cannot be read is not one that is dead: there would be two sessions.
        return live::parsed(file).map_err(|errno| {
            let doing = format!("cannot read the record of session {session}");
            Error::system(doing, errno)
        });
    }
    // Its init was killed before it could remove it.
    copies::remove(&state, uid, session);
    let _ = rustix::fs::unlinkat(&state, listed, AtFlags::empty());
    Ok(None)
}

/// Removes the records of dead ones of these sessions of a user; what cannot be is left.
pub(crate) fn sweep(sessions: &[String], uid: u32) {
    let Ok(state) = live::open_directory(Path::new(STATE)) else {
        return;
    };
    for session in sessions {
        let listed = listed(session);
        let file = fd::open_beneath(&state, Path::new(&listed), OFlags::RDONLY);
        if file.is_ok_and(|file| !live::is_held(&file)) {
            copies::remove(&state, uid, session);
            let _ = rustix::fs::unlinkat(&state, listed, AtFlags::empty());
        }
    }
}

/// [`STATE`] with [`RECORDS`] in it, made if need be, and looked at: a directory that another
/// user has made first would be theirs to change.
fn state() -> Result<OwnedFd, Error> {
    let mut opened = Vec::new();
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
        if path == STATE && stat.st_mode & 0o011 == 0 {
            // Users pass through it to their own copies; what is beside those is closed.
            // Where this fails, they do not see them, which is no reason to refuse a login.
            let _ = rustix::fs::fchmod(&directory, Mode::from_raw_mode(0o711));
        }
        opened.push(directory);
    }
    let mut opened = opened.into_iter();
    opened
        .next()
        .ok_or(Error::Protocol("no directory of records"))
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
