//! A session that a user makes alone, without root and without the PAM module: one layer, all
//! of it the user's. Privacy and convenience, not enforcement.
//!
//! caller → **init** (PID 1 of the new namespaces, a child of the caller) → shell.
//!
//! The caller stays, waits, and passes on: signals to the shell; the shell's stops, by
//! stopping itself, so that the shell it was started from gets the terminal back; its end.
//! All three are in one process group, so that the terminal's own signals reach the shell
//! without our help; but an interactive shell gets a group of its own and the terminal with
//! it, as it would make for itself: the caller's group has no number in the PID namespace of
//! the session, which confuses shells.

mod init;

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nsshell_config::{Plan, SessionPlan};

use crate::error::Error;
use crate::maps;
use crate::program::As;
use crate::sys::ns::{self, Kinds};
use crate::sys::process::{self, Child, Ended};
use crate::sys::signal::{self, Mask, Signal, SignalFd};
use crate::sys::terminal::{Group, Terminal};
use crate::sys::{fd, socket};
use crate::word::Word;

use init::Start;
pub use init::Variable;

/// The variable by which a shell in a session knows it. Its value for a session of this kind
/// names the user namespace, so that a stray copy of the variable elsewhere means nothing.
pub const VARIABLE: &str = "NSSHELL_SESSION";

/// The variable with the name of the session's profile.
pub const PROFILE: &str = "NSSHELL_PROFILE";

/// The name of a session's init in /proc/PID/comm.
const INIT: &CStr = c"nsshell-init";

/// How long to wait for the end of what is ending.
const END_LIMIT: Duration = Duration::from_secs(5);

/// Whether the caller is in a session already: by the variable, or, in a user namespace made
/// within the session or with an emptied environment, by the init that runs here. A user who
/// forges either gets what they could have had anyway: their shell without a session.
#[must_use]
pub fn inside() -> bool {
    std::env::var(VARIABLE).is_ok_and(|value| own_name().is_ok_and(|name| name == value))
        || std::fs::read("/proc/1/comm").is_ok_and(|comm| comm.trim_ascii_end() == INIT.to_bytes())
}

fn own_name() -> Result<String, Error> {
    let identity = ns::own_user_namespace()
        .map_err(|errno| Error::system("cannot see which user namespace this is", errno))?;
    Ok(format!("standalone-{}", identity.inode()))
}

/// Makes the session, has `shell` executed in it with some more variables in its environment,
/// and waits for its end. `shell` returns only if the shell cannot be executed.
///
/// `interactive`: the shell will want the terminal. In the background this waits, stopped, for
/// the foreground, as the shell itself would.
///
/// Whoever calls this has nothing to do afterwards but to end the same way
/// ([`process::end_as`]): all signals stay blocked, and no descriptor is left open.
///
/// # Errors
/// The session cannot be made; no shell has run then, and the descriptors are still there.
pub fn run(
    plan: &Plan,
    session: &SessionPlan,
    interactive: bool,
    shell: impl FnOnce(&[Variable]) -> u8,
) -> Result<Ended, Error> {
    if session.id_maps.is_none() {
        return Err(Error::NotAsPlanned(format!(
            "profile \"{}\" has no user namespace, without which nsshell alone can make no \
             session; have the PAM module make it, or add \"user\" to the profile's namespaces",
            plan.profile
        )));
    }
    let terminal = Terminal::own();
    if let Some(terminal) = terminal.as_ref().filter(|_| interactive) {
        terminal.wait_for_foreground();
    }
    let cannot = |errno| Error::system("cannot prepare a session", errno);
    let deadline = Instant::now() + Duration::from_secs(session.timeout.into());
    // Blocked before there is a child: nothing that concerns it can be missed.
    let mask = Mask::all().set();
    // Ignored, the kernel would throw our children's statuses away.
    let no_children = signal::default(libc::SIGCHLD);
    let signals = SignalFd::new().map_err(cannot)?;
    let (ours, theirs) = socket::pair().map_err(cannot)?;
    let kinds = crate::init::kinds(session).with(Kinds::USER);
    let start = Start {
        plan,
        session,
        caller: &theirs,
        terminal: terminal.as_ref(),
        interactive,
        mask: &mask,
        no_children,
    };
    let child = process::clone(kinds, || init::live(&start, shell))
        .map_err(|errno| Error::namespaces("cannot make namespaces of your own", errno))?;
    drop(theirs);
    if let Err(error) = prepare(session, &child, &ours, deadline) {
        child.kill(Instant::now() + END_LIMIT);
        return Err(error);
    }
    let_go(&[&ours, &signals, &child.pidfd], terminal.as_ref());
    let ended = wait(session, &ours, &signals, &child, terminal.as_ref());
    if ended.is_err() {
        child.kill(Instant::now() + END_LIMIT);
    }
    take_back(terminal.as_ref());
    ended
}

/// What only somebody outside the new namespaces can do: the maps.
fn prepare(
    session: &SessionPlan,
    child: &Child,
    init: &OwnedFd,
    deadline: Instant,
) -> Result<(), Error> {
    if let Some(maps) = session
        .id_maps
        .as_ref()
        .filter(|maps| !maps::own_id_only(maps))
    {
        maps::write(child.pid, maps, As::Caller, deadline)?;
        maps::verify(child.pid, maps)?;
    }
    // Should init be gone, there is no answer either.
    let _ = Word::Go.send(init);
    match Word::receive(init, deadline, session.timeout)? {
        Word::Ready => Ok(()),
        Word::Failed(why) => Err(Error::Said(why)),
        _ => Err(Error::NotAsPlanned(
            "the session's init was killed".to_owned(),
        )),
    }
}

/// Closes what the shell alone must hold, but for `keep` and the terminal.
fn let_go(keep: &[&dyn AsRawFd], terminal: Option<&Terminal>) {
    let terminal = terminal.map(|terminal| terminal as &dyn AsRawFd);
    let keep: Vec<_> = keep.iter().copied().chain(terminal).collect();
    // What stays open is the caller's own, and keeps no more than a pipe from its end.
    let _ = process::close_all_but(&keep);
    fd::empty_standard();
}

/// The caller's life until the shell has ended.
fn wait(
    session: &SessionPlan,
    init: &OwnedFd,
    signals: &SignalFd,
    child: &Child,
    terminal: Option<&Terminal>,
) -> Result<Ended, Error> {
    let lost = |errno| Error::system("lost the session's init", errno);
    // When to end what stays deaf to the end of the login.
    let mut deadline = None;
    loop {
        let fds = [signals.as_fd(), init.as_fd()];
        let [signalled, told] = socket::readable_among(&fds, deadline).map_err(lost)?;
        if signalled && pass_on(init, signals) && deadline.is_none() {
            deadline = Some(Instant::now() + Duration::from_secs(session.grace.into()));
        }
        if told {
            match Word::receive(init, Instant::now(), 0)? {
                Word::Stopped(signal) => stop(signal, init, terminal),
                Word::Ended(ended) => {
                    // Nothing of the session is left once its init is gone.
                    let _ = child.wait(Instant::now() + END_LIMIT);
                    return Ok(ended);
                }
                // Init was killed, and the kernel has killed the shell.
                _ => {
                    let ended = child.wait(Instant::now() + END_LIMIT).map_err(lost)?;
                    return Ok(ended.unwrap_or(Ended::Killed(libc::SIGKILL)));
                }
            }
        }
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            child.kill(Instant::now() + END_LIMIT);
            return Ok(Ended::Killed(libc::SIGHUP));
        }
    }
}

/// Passes signals on that somebody has sent to the caller alone; what the terminal raises has
/// gone to the shell as well. But a hang-up goes to the leader of the terminal's session only,
/// and for a login shell, which that is, it is the end of the login: then this is true.
fn pass_on(init: &OwnedFd, signals: &SignalFd) -> bool {
    let mut over = false;
    while let Ok(Some(received)) = signals.next() {
        let ours = received.signal == libc::SIGCHLD;
        let hang_up = received.signal == libc::SIGHUP;
        if !ours && (received.by_process || hang_up) {
            // If init is gone, its end of the socket says so.
            let _ = Word::Signal(received.signal).send(init);
        }
        over |= hang_up && !received.by_process && process::is_session_leader();
    }
    over
}

/// Stops as the shell has stopped, and lets it go on when somebody continues the caller.
fn stop(signal: Signal, init: &OwnedFd, terminal: Option<&Terminal>) {
    signal::suffer(signal);
    let group = terminal.and_then(Terminal::foreground);
    let foreground = group.is_some() && group == Group::own();
    // If init is gone, its end of the socket says so.
    let _ = Word::Continue { foreground }.send(init);
}

/// Takes the terminal back if an interactive shell in the session had it until its end: then
/// the group in the foreground is empty. Any other has the terminal by right, above all the
/// shell that we were started from, if we are in its background.
fn take_back(terminal: Option<&Terminal>) {
    let Some((terminal, own)) = terminal.zip(Group::own()) else {
        return;
    };
    if terminal.foreground().is_some_and(|group| !group.exists()) {
        terminal.give(own);
    }
}
