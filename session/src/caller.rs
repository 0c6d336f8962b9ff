//! The application's side of a session: ask session-init, enter, leave.
//!
//! This is all that runs in somebody else's root process. It holds no policy, starts no
//! thread, waits for nothing without a limit, and until [`Session::enter`] it leaves the
//! process as it was.

use std::cell::RefCell;
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, OFlags};

use crate::error::Error;
use crate::protocol::{Confined, Reply, Request};
use crate::sys::fd::{self, Identity, Kept};
use crate::sys::ns::Kinds;
use crate::sys::process::{self, Child, Ended};
use crate::sys::{Errno, lock, ns, socket, spawn};
use crate::{COPIES, RECORDS, USERS};

/// What the module says through its lease when a login leaves in order.
pub const BYE: &[u8] = b"bye";

/// Where the helper is installed.
pub const HELPER: &CStr = match CStr::from_bytes_with_nul(
    concat!(env!("NSSHELL_LIBEXECDIR"), "/session-init\0").as_bytes(),
) {
    Ok(path) => path,
    Err(_) => panic!("NSSHELL_LIBEXECDIR has a NUL"),
};

/// How long the helper may take in all. A plan's own `timeout` is shorter (60 s at the most);
/// this is for what comes before there is a plan: a user database that does not answer.
const LIMIT: Duration = Duration::from_secs(75);

/// Whether this process can ask for a session at all: root's only.
#[must_use]
pub fn may_confine() -> bool {
    process::effective_uid() == 0
}

/// What the helper answered, with the descriptors of a session if one was made.
pub enum Answer {
    /// an account may log in, or a session is left alone or refused
    Reply(Reply),
    /// a session to enter
    Session(Session),
}

/// Asks the helper, and waits for its end.
///
/// # Errors
/// The helper cannot be started, dies without an answer, is too slow, or makes no sense. In
/// each case what it had begun ends by itself, since nobody holds its lease.
pub fn ask(request: &Request) -> Result<Answer, Error> {
    let deadline = Instant::now() + LIMIT;
    let start = |errno| Error::namespaces("cannot start session-init", errno);
    let (ours, theirs) = socket::pair().map_err(start)?;
    let ours = fd::above_standard(ours).map_err(start)?;
    // Who holds the session: if this process is killed, the kernel tells init so.
    let holder = process::own_pidfd().map_err(start)?;
    socket::send(&ours, &request.encode(), &[])
        .map_err(|errno| Error::system("the login's data do not fit a message", errno))?;
    let helper = spawn::spawn(HELPER, theirs.as_fd(), holder.as_fd()).map_err(start)?;
    drop((theirs, holder));
    let answer = hear(&ours, &helper, deadline);
    // It has nothing left to do after its answer; if it lingers all the same, it is ended.
    if !matches!(helper.wait(soon()), Ok(Some(_))) {
        helper.kill(soon());
    }
    answer
}

/// The helper's one message.
fn hear(from: &OwnedFd, helper: &Child, deadline: Instant) -> Result<Answer, Error> {
    let (message, fds) = match socket::receive(from, deadline) {
        Err(Errno::TIMEDOUT) => {
            let what = "session-init (is the user database slow to answer?)".to_owned();
            return Err(Error::TooSlow {
                what,
                limit: LIMIT.as_secs(),
            });
        }
        other => other.map_err(|errno| Error::system("cannot hear session-init", errno))?,
    };
    if message.is_empty() {
        return Err(died(helper));
    }
    let program = || HELPER.to_string_lossy().into_owned();
    match Reply::decode(&message)? {
        Reply::NotExecuted(Errno::NOENT) => {
            let remedy = "install nsshell again, all of its parts with the same PREFIX";
            Err(Error::Missing {
                program: program(),
                remedy,
            })
        }
        Reply::NotExecuted(errno) => Err(Error::system(
            format!("cannot execute {}", program()),
            errno,
        )),
        Reply::Confined(confined) => Ok(Answer::Session(Session::new(confined, fds)?)),
        reply => Ok(Answer::Reply(reply)),
    }
}

/// Why there was no message.
fn died(helper: &Child) -> Error {
    let ended = match helper.wait(soon()) {
        // The keeper hands on a signal as 128 + n.
        Ok(Some(Ended::Exited(status @ 129..))) => format!("signal {}", status - 128),
        Ok(Some(Ended::Exited(status))) => format!("exit status {status}"),
        Ok(Some(Ended::Killed(signal))) => format!("signal {signal}"),
        _ => "no answer".to_owned(),
    };
    let program = HELPER.to_string_lossy().into_owned();
    Error::Program {
        program,
        ended,
        said: "it ended before it answered".to_owned(),
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(2)
}

/// A session that was made for this application.
#[derive(Debug)]
pub struct Session {
    /// name, profile, kinds and environment
    pub made: Confined,
    /// pidfd of its init, until it is entered or given up. Not kept for longer: before Linux 6.9
    /// all pidfds look alike, and like much else, so that one which the application has closed
    /// could not be told from what it has got under the number since.
    init: RefCell<Option<OwnedFd>>,
    lease: Kept,
    before: Vec<Kept>,
    directory: Option<(PathBuf, Identity)>,
}

impl Session {
    /// Notes where the application is, so that it can be put back. Changes nothing.
    fn new(made: Confined, fds: Vec<OwnedFd>) -> Result<Self, Error> {
        let cannot = |errno| Error::system("cannot note the application's own namespaces", errno);
        let [init, lease] = <[OwnedFd; 2]>::try_from(fds)
            .map_err(|_| Error::Protocol("a session without its descriptors"))?;
        let before = ns::own(made.kinds).map_err(cannot)?;
        Ok(Self {
            init: RefCell::new(Some(fd::above_standard(init).map_err(cannot)?)),
            lease: Kept::new(lease).map_err(cannot)?,
            before: before
                .into_iter()
                .map(Kept::new)
                .collect::<Result<_, _>>()
                .map_err(cannot)?,
            directory: working_directory(),
            made,
        })
    }

    /// Whether this application can be moved; to be asked before anything of it is changed.
    ///
    /// # Errors
    /// It has threads. The kernel would not stop us: setns(2) with several kinds at once moves
    /// the calling thread alone, and takes the root and working directory of all of them along.
    /// Or it is systemd about to become the program of a service, which would be in the
    /// session's mount namespace but not in its PID namespace: only children enter that.
    pub fn check_application(&self) -> Result<(), Error> {
        if process::has_threads() {
            return Err(Error::NotAsPlanned(
                "the application has threads, and such a process cannot be moved as a whole; \
                 leave this service unconfined by a rule"
                    .to_owned(),
            ));
        }
        if self.made.kinds.bits() & Kinds::PID.bits() != 0 && is_systemd() {
            return Err(Error::NotAsPlanned(
                "systemd opens it for a service with PAMName=, whose program would stay outside \
                 of the session's pid namespace; give its PAM service a rule and a profile \
                 without `pid`"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// Moves the application into the session: all of it or, on an error, none.
    ///
    /// # Errors
    /// The kernel refuses; init has ended since.
    pub fn enter(&self) -> Result<(), Error> {
        let init = self
            .init
            .take()
            .ok_or(Error::Protocol("the session's descriptors are gone"))?;
        ns::join(&init, self.made.kinds).map_err(|errno| {
            let advice = match errno {
                Errno::SRCH => "its init has ended",
                _ => "",
            };
            let doing = "cannot enter the session".to_owned();
            Error::System {
                doing,
                errno,
                advice: advice.to_owned(),
            }
        })?;
        // Looked at after entering, not before: whatever init decides from here on is the end
        // of a session that the login was in.
        let state = self.lease.get().map(state);
        if state != Some(Init::Holds) {
            // Its failure is the lesser one. Whoever is refused gives the lease up, once: after that
            // it looks like that of an init that was killed.
            let _ = self.go_back();
            return Err(Error::NotAsPlanned(
                "the session has ended while it was entered; log in again".to_owned(),
            ));
        }
        self.go_back_to_directory();
        Ok(())
    }

    /// Returns the application to where it was, and gives up the session.
    ///
    /// # Errors
    /// A namespace could not be gone back to. The session ends all the same.
    pub fn leave(&self) -> Result<(), Error> {
        let result = self.go_back();
        self.give_up();
        result
    }

    fn go_back(&self) -> Result<(), Error> {
        let mut result = Ok(());
        for namespace in &self.before {
            let back = namespace.get().ok_or(Errno::BADF).and_then(ns::join_one);
            if let (Err(errno), Ok(())) = (back, &result) {
                let doing = "cannot return the application to its own namespaces";
                result = Err(Error::system(doing, errno));
            }
        }
        if result.is_ok() {
            self.go_back_to_directory();
        }
        result
    }

    /// Gives up the session without having entered it, or after leaving it: init ends it.
    ///
    /// Hanging up, and not only closing: a child of the application (sshd's process for the
    /// connection) may hold a copy of the descriptor.
    pub fn give_up(&self) {
        drop(self.init.take());
        let Some(lease) = self.lease.get() else {
            return;
        };
        // Init's end is closed: it was killed, and could not remove its record. Its pidfd would
        // tell too late: that waits for the application to reap what it has in the session.
        let killed = state(lease) == Init::Gone;
        // ENOTCONN: init has ended by itself.
        let _ = socket::send(lease, BYE, &[]);
        let _ = socket::hang_up(lease);
        if killed {
            self.sweep();
        }
    }

    /// Removes what an init leaves behind that was killed. The directory of the user's doors is
    /// their lock as well: it goes only with the lock held, and only if it is empty.
    fn sweep(&self) {
        let uid = self.made.uid.to_string();
        let directory = Path::new(COPIES).join(&uid);
        fd::remove_file(&directory.join(&self.made.session));
        fd::remove_directory(&directory);
        fd::remove_directory(Path::new(COPIES));
        fd::remove_file(&Path::new(RECORDS).join(&self.made.session));
        let directory = Path::new(USERS).join(uid);
        fd::remove_file(&directory.join(&self.made.session));
        if let Ok(place) = fd::open_beneath(CWD, &directory, OFlags::DIRECTORY)
            && lock::try_exclusive(&place)
        {
            fd::remove_directory(&directory);
        }
    }

    /// Whether init has ended, or is ending the session, before the login has left.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.lease.get().map(state) != Some(Init::Holds)
    }

    /// Entering a mount namespace puts the working directory at its root. The directory of
    /// the same name is taken again only if it is the very same directory: no link that a
    /// user has put there since, and no private /tmp, can bring root elsewhere.
    fn go_back_to_directory(&self) {
        let Some((path, identity)) = &self.directory else {
            return;
        };
        if let Ok(place) = fd::open_place(path)
            && fd::identity(&place) == Ok(*identity)
        {
            // Failing leaves it at "/", which is what setns(2) does.
            let _ = fd::change_directory(&place);
        }
    }
}

/// What a lease shows of the session's init.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Init {
    /// it holds its end
    Holds,
    /// it has said that the session ends
    Ends,
    /// it was killed
    Gone,
}

/// Init says one thing through a lease, and only when it ends the session.
fn state(lease: std::os::fd::BorrowedFd<'_>) -> Init {
    if socket::readable(lease, Some(Instant::now())) != Ok(true) {
        return Init::Holds;
    }
    match socket::receive(lease, Instant::now()) {
        Ok((word, _)) if !word.is_empty() => Init::Ends,
        _ => Init::Gone,
    }
}

fn working_directory() -> Option<(PathBuf, Identity)> {
    let path = std::env::current_dir().ok()?;
    let identity = fd::identity(fd::open_place(Path::new(".")).ok()?).ok()?;
    path.is_absolute().then_some((path, identity))
}

/// Whether this process is one of systemd's own that has not become another program yet.
fn is_systemd() -> bool {
    let program = std::fs::read_link("/proc/self/exe").unwrap_or_default();
    // "(deleted)" follows a name after an upgrade (proc(5)).
    let name = program.file_name().unwrap_or_default().as_encoded_bytes();
    let name = name.strip_suffix(b" (deleted)").unwrap_or(name);
    matches!(name, b"systemd" | b"systemd-executor")
}
