//! Sessions as they are found: by root from the records, by a user from the user's own copies,
//! or from within one.
//!
//! Nobody acts on a session by what a record says alone. [`list`] looks, in this order: that
//! somebody holds the record, that there is a process of init's number, and, with that process
//! in hand (a pidfd), that it was started when the record says and is in the namespaces that the
//! record says; and at last that it is still the one in hand. A number that was used again fails
//! the second last, a swap in the middle the last.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Instant, UNIX_EPOCH};

use nsshell_config::{Namespace, Plan, SessionPlan};
use rustix::fs::{FlockOperation, OFlags};
use serde::Serialize;

use crate::enter::{self, Place};
use crate::error::Error;
use crate::record::Record;
use crate::sys::signal::{self, Signal};
use crate::sys::{Errno, fd, pidfd, process, socket};
use crate::{COPIES, LONGEST_PLAN, NAME, PLAN, RECORDS, init, join, processes};

/// A session that somebody has left word of.
#[derive(Debug)]
pub struct Found {
    /// what is known of it
    pub record: Record,
    /// whether it lives
    pub state: State,
}

/// Whether a session lives.
#[derive(Debug)]
pub enum State {
    /// yes, and this is its init
    Alive(OwnedFd),
    /// as far as its own user can see, who may not look at its init
    Listed,
    /// somebody holds its record, of which nothing but the name can be read: it is another
    /// version's
    Unreadable,
    /// no; why
    Dead(String),
}

/// A login that shares a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Present {
    /// PAM service
    pub service: String,
    /// PAM_TTY
    pub tty: Option<String>,
    /// PAM_RHOST
    pub rhost: Option<String>,
    /// seconds since it came
    pub seconds: u64,
}

/// Every session that the caller may know of, oldest first; for root also those whose record
/// was left behind. Changes nothing.
///
/// # Errors
/// The records cannot be read, or the plan of the session that the caller is in.
pub fn list() -> Result<Vec<Found>, Error> {
    let cannot = |errno| Error::system(format!("cannot list the sessions in {RECORDS}"), errno);
    let mut found = match open_directory(Path::new(RECORDS)) {
        Ok(directory) => records(&directory).map_err(cannot)?,
        // Within a session the directory is covered; a user may not open it.
        Err(Errno::NOENT | Errno::ACCESS) => match enter::place()? {
            Place::HostLayer(plan) | Place::Inside(plan) => vec![own(&plan)?],
            Place::Outside => copies(process::real_uid()).map_err(cannot)?,
        },
        Err(errno) => return Err(cannot(errno)),
    };
    found.sort_by(|a, b| {
        let key = |one: &Found| {
            (
                one.record.started,
                one.record.start,
                one.record.session.clone(),
            )
        };
        key(a).cmp(&key(b))
    });
    Ok(found)
}

pub(crate) fn open_directory(path: &Path) -> Result<OwnedFd, Errno> {
    fd::open_beneath(rustix::fs::CWD, path, OFlags::DIRECTORY)
}

/// What is listed in a directory of ours: what has a dot before its name is not yet.
pub(crate) fn names(directory: &OwnedFd) -> Result<Vec<PathBuf>, Errno> {
    let mut names = all_names(directory)?;
    names.retain(|name| !name.as_os_str().as_encoded_bytes().starts_with(b"."));
    Ok(names)
}

pub(crate) fn all_names(directory: &OwnedFd) -> Result<Vec<PathBuf>, Errno> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." {
            names.push(name.into());
        }
    }
    Ok(names)
}

fn records(directory: &OwnedFd) -> Result<Vec<Found>, Errno> {
    let mut found = Vec::new();
    for name in names(directory)? {
        let Ok(file) = fd::open_beneath(directory, &name, OFlags::RDONLY) else {
            continue;
        };
        let held = is_held(&file);
        let (record, state) = match (read(file), held) {
            (Some(record), true) => {
                let state = verify(&record);
                (record, state)
            }
            (Some(record), false) => (record, State::Dead("its init was killed".to_owned())),
            (None, true) => {
                let session = name.to_string_lossy().into_owned();
                let record = Record {
                    session,
                    ..Record::default()
                };
                (record, State::Unreadable)
            }
            (None, false) => continue,
        };
        found.push(Found { record, state });
    }
    Ok(found)
}

/// Whether anybody holds the lock on a record.
pub(crate) fn is_held(file: &OwnedFd) -> bool {
    // Any error, not only that of a lock that is held: a live session's record is not removed
    // for want of memory (flock(2): ENOLCK).
    rustix::fs::flock(file, FlockOperation::NonBlockingLockShared).is_err()
}

pub(crate) fn read(file: OwnedFd) -> Option<Record> {
    parsed(file).ok().flatten()
}

/// The record in a file; none if it is of another version.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn parsed(file: OwnedFd) -> Result<Option<Record>, Errno> {
    let mut text = Vec::new();
    File::from(file)
        .take(1 << 20)
        .read_to_end(&mut text)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    Ok(serde_json::from_slice(&text).ok())
}

/// Takes init in hand and looks whether it is the one that the record means.
fn verify(record: &Record) -> State {
    let pid = record.pid;
    let init = match pidfd::open(pid) {
        Ok(init) => init,
        Err(errno) => return State::Dead(format!("its init, process {pid}, is gone ({errno})")),
    };
    let other = || State::Dead(format!("process {pid} is not its init but another one"));
    let known = (record.start, &record.namespaces);
    match processes::identity(pid) {
        Ok((start, namespaces)) if (start, &namespaces) == known && !namespaces.is_empty() => {}
        _ => return other(),
    }
    match pidfd::alive(&init) {
        true => State::Alive(init),
        false => State::Dead(format!("its init, process {pid}, has ended")),
    }
}

/// What a user who is in no session sees: the copies. Init is root's, so that its namespaces
/// cannot be compared, and with hidepid not even its start.
fn copies(uid: u32) -> Result<Vec<Found>, Errno> {
    let directory = match open_directory(&Path::new(COPIES).join(uid.to_string())) {
        Err(Errno::NOENT | Errno::ACCESS) => return Ok(Vec::new()),
        directory => directory?,
    };
    let mut found = Vec::new();
    for name in names(&directory)? {
        let file = fd::open_beneath(&directory, &name, OFlags::RDONLY);
        let Some(record) = file.ok().and_then(read) else {
            continue;
        };
        let state = match processes::start(record.pid) {
            Ok(start) if start != record.start => State::Dead("its init has ended".to_owned()),
            Err(Errno::NOENT) if pidfd::open(record.pid).is_err() => {
                State::Dead("its init was killed".to_owned())
            }
            _ => State::Listed,
        };
        found.push(Found { record, state });
    }
    Ok(found)
}

/// The session that the caller is in, by what lies in it.
fn own(plan: &Plan) -> Result<Found, Error> {
    let cannot = |errno| Error::system(format!("cannot read {NAME}"), errno);
    let io = |error: std::io::Error| cannot(Errno::from_io_error(&error).unwrap_or(Errno::IO));
    let session = std::fs::read_to_string(NAME).map_err(io)?;
    let opened = std::fs::metadata(PLAN).and_then(|file| file.modified());
    let opened = opened.map_err(io)?.duration_since(UNIX_EPOCH);
    let own = std::process::id().cast_signed();
    let mut namespaces = processes::namespaces(own);
    let user_namespace = namespaces.remove("user");
    let has_user = |made: &SessionPlan| made.has(Namespace::User);
    let user_namespace = user_namespace.filter(|_| plan.session.as_ref().is_some_and(has_user));
    // A shell in the user layer has a mount namespace of its own.
    if user_namespace.is_some() {
        namespaces.remove("mnt");
    }
    Ok(Found {
        record: Record {
            session,
            user: plan.account.name.clone(),
            uid: plan.account.uid,
            service: plan.login.service.clone(),
            tty: plan.login.tty.clone(),
            rhost: plan.login.rhost.clone(),
            profile: plan.profile.clone(),
            pid: 1,
            started: opened.map_or(0, |since| since.as_secs()),
            start: processes::start(1).unwrap_or(0),
            namespaces,
            kinds: plan
                .session
                .as_ref()
                .map_or(0, |made| init::kinds(made).bits()),
            user_namespace,
            rule: Some(plan.matched.clone()),
            scope: plan
                .session
                .as_ref()
                .map_or_else(Default::default, |made| made.life.scope),
            ..Record::default()
        },
        state: State::Listed,
    })
}

impl Found {
    /// Init, if it was taken in hand.
    #[must_use]
    pub fn init(&self) -> Option<&OwnedFd> {
        match &self.state {
            State::Alive(init) => Some(init),
            _ => None,
        }
    }

    /// Signals init: SIGTERM has it end the session in good order, SIGKILL at once.
    ///
    /// # Errors
    /// ESRCH: it has ended, or the caller has not taken it in hand.
    pub fn signal(&self, signal: Signal) -> Result<(), Errno> {
        signal::send(self.init().ok_or(Errno::SRCH)?, signal)
    }

    /// Holds the namespaces that init has made, so that the kernel gives their numbers to no
    /// other ones, by which strangers could be taken for the session's; none if init has ended,
    /// or was not taken in hand. With the mount namespace goes the user namespace pinned in it.
    #[must_use]
    pub fn hold(&self) -> Option<Vec<OwnedFd>> {
        let init = self.init()?;
        let made = self.record.own_namespaces();
        let kinds = processes::KINDS.iter();
        let of_init = kinds
            .filter(|kind| kind.namespace != Namespace::User && made.contains_key(&kind.namespace));
        let open = |kind: &processes::Kind| processes::open_namespace(self.record.pid, kind.link);
        let held = of_init.map(open).collect::<Result<Vec<_>, _>>().ok()?;
        // They were its own exactly if it lives still.
        pidfd::alive(init).then_some(held)
    }

    /// Waits for the end of init, and with it of everything in its PID namespace; false if the
    /// deadline comes first.
    #[must_use]
    pub fn wait(&self, deadline: Instant) -> bool {
        self.init()
            .is_some_and(|init| socket::readable(init, Some(deadline)) == Ok(true))
    }

    /// How many logins share it, as its init counts them; none if the caller may not ask it, or
    /// it does not answer until the deadline.
    #[must_use]
    pub fn logins(&self, deadline: Instant) -> Option<usize> {
        self.init()?;
        join::logins(&self.record, deadline)
    }

    /// Who they are, as far as one message can tell; none as of [`Found::logins`].
    #[must_use]
    pub fn who(&self, deadline: Instant) -> Option<Vec<Present>> {
        self.init()?;
        join::who(&self.record, deadline)
    }

    /// The plan that the session was made from, as it lies in it; none if the caller may not
    /// look.
    ///
    /// # Errors
    /// It has ended meanwhile; it is of another version.
    pub fn plan(&self) -> Result<Option<Plan>, Error> {
        let Some(init) = self.init() else {
            return match enter::place()? {
                Place::HostLayer(plan) | Place::Inside(plan) => Ok(Some(plan)),
                Place::Outside => Ok(None),
            };
        };
        let name = &self.record.session;
        let cannot =
            |errno| Error::system(format!("cannot read the plan of session {name}"), errno);
        let root = fd::open_root(self.record.pid).map_err(cannot)?;
        // The number was still init's.
        if !pidfd::alive(init) {
            return Err(cannot(Errno::SRCH));
        }
        let path = Path::new(PLAN.trim_start_matches('/'));
        let file = fd::open_beneath(root, path, OFlags::RDONLY).map_err(cannot)?;
        let mut text = Vec::new();
        let read = File::from(file).take(LONGEST_PLAN).read_to_end(&mut text);
        read.map_err(|error| cannot(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|_| Error::Protocol("the session's plan is of another version"))
    }
}
