//! The life of the init of a session that a user makes alone: PID 1 of the new namespaces,
//! parent of the shell.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nsshell_config::{Namespace, Plan, SessionPlan};

use super::{PROFILE, VARIABLE, own_name};
use crate::error::Error;
use crate::maps;
use crate::relay::{Reach, tend};
use crate::sys::ns::Kinds;
use crate::sys::process::{self, Child};
use crate::sys::signal::{self, Mask, SignalFd};
use crate::sys::terminal::Terminal;
use crate::sys::{caps, socket};
use crate::view::{self, Job};
use crate::word::Word;

/// How often init looks whether anything is left at the end: what is not init's child ends
/// without a word to it.
const LOOK: Duration = Duration::from_millis(20);

/// A variable for the environment of the shell: name, value.
pub type Variable = (&'static str, String);

/// What init is started with.
pub(super) struct Start<'a> {
    /// the whole plan
    pub(super) plan: &'a Plan,
    /// its part that is about the session
    pub(super) session: &'a SessionPlan,
    /// the socket to the caller
    pub(super) caller: &'a OwnedFd,
    /// the terminal, if there is one
    pub(super) terminal: Option<&'a Terminal>,
    /// whether the shell will want it
    pub(super) interactive: bool,
    /// what the caller blocked before it made a session
    pub(super) mask: &'a Mask,
    /// whether the caller was started with SIGCHLD ignored
    pub(super) no_children: bool,
}

/// From the clone to the end; the status to end with. `shell` becomes the shell, or comes
/// back with the status that says why not.
pub(super) fn live(start: &Start<'_>, shell: impl FnOnce(&[Variable]) -> u8) -> i32 {
    let started = prepare(start).and_then(|signals| Ok((start_shell(start, shell)?, signals)));
    let word = match &started {
        Ok(_) => Word::Ready,
        Err(error) => Word::Failed(error.to_string()),
    };
    let told = word.send(start.caller);
    let (Ok((shell, signals)), Ok(())) = (started, told) else {
        return 1;
    };
    // The shell has its own copies now. While anybody else had one, whoever is at the other
    // end of a pipe would not see that the shell has closed it.
    super::let_go(&[start.caller, &signals, &shell.pidfd], start.terminal);
    // After the shell is made, which must be able to gain what a file gives.
    let _ = caps::keep_only_kill();
    let Some(ended) = tend(&shell, &signals, start.caller, start.terminal, Reach::Shell) else {
        return 1;
    };
    end(start.session, &signals);
    i32::from(Word::Ended(ended).send(start.caller).is_err())
}

fn prepare(start: &Start<'_>) -> Result<SignalFd, Error> {
    let cannot = |errno| Error::system("the session's init cannot prepare itself", errno);
    process::die_with_parent(true).map_err(cannot)?;
    // Its parent may have died before that; then nobody says "go".
    let limit = start.session.timeout + 1;
    let deadline = Instant::now() + Duration::from_secs(limit.into());
    if Word::receive(start.caller, deadline, limit)? != Word::Go {
        return Err(Error::NotAsPlanned(
            "nobody waits for the session".to_owned(),
        ));
    }
    if let Some(maps) = start
        .session
        .id_maps
        .as_ref()
        .filter(|maps| maps::own_id_only(maps))
    {
        maps::write_own(&maps::own_lines(maps))
            .map_err(|errno| Error::system("cannot write the session's id maps", errno))?;
    }
    view::build_own(&Job {
        plan: start.plan,
        session: start.session,
        name: "",
        user_namespace: None,
        owner: process::own_ids(),
        alone: true,
    })?;
    // By which a shell started again in here knows where it is; see `inside`.
    process::set_name(super::INIT).map_err(cannot)?;
    SignalFd::new().map_err(cannot)
}

fn start_shell(start: &Start<'_>, shell: impl FnOnce(&[Variable]) -> u8) -> Result<Child, Error> {
    let mut variables = vec![
        (VARIABLE, own_name()?),
        (PROFILE, start.plan.profile.clone()),
    ];
    if let Some(path) = view::runtime_dir(start.plan) {
        variables.push(("XDG_RUNTIME_DIR", path.to_string_lossy().into_owned()));
    }
    process::clone(Kinds::default(), || {
        if let Some(terminal) = start.terminal.filter(|_| start.interactive) {
            terminal.take();
        }
        if start.no_children {
            signal::ignore(libc::SIGCHLD);
        }
        // Whatever else is open was given to us for the shell; what is ours closes by itself.
        start.mask.set();
        i32::from(shell(&variables))
    })
    .map_err(|errno| Error::namespaces("cannot start the shell", errno))
}

/// Ends what the shell has left behind, as [`crate::init`] does.
fn end(session: &SessionPlan, signals: &SignalFd) {
    if !session.has(Namespace::Pid) {
        return;
    }
    let deadline = Instant::now() + Duration::from_secs(u64::from(session.grace));
    for signal in [libc::SIGTERM, libc::SIGHUP, libc::SIGCONT] {
        if signal::signal_everybody(signal) == Ok(false) {
            return;
        }
    }
    while signal::signal_everybody(0) == Ok(true) && Instant::now() < deadline {
        let _ = socket::readable(signals, Some(deadline.min(Instant::now() + LOOK)));
        while let Ok(Some(_)) = signals.next() {}
        while process::next_change().is_some() {}
    }
}
