//! `nsctl end`: sessions are ended, and waited for.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nsshell_config::{Namespace, printable};
use nsshell_session::sys::Errno;
use nsshell_session::sys::signal::{CONTINUE, HANG_UP, KILL, Signal, TERMINATE};

use crate::cli::EndArguments;
use crate::error::Error;
use crate::host::{self, Found, Process, State};
use crate::session;

/// How much longer than the plan's grace a session may take to end: its application has to
/// notice, too.
const MORE: Duration = Duration::from_secs(10);

/// The grace where there is no plan to be read: what profiles have if they say nothing.
const GRACE: Duration = Duration::from_secs(5);

/// How often it is looked whether processes have ended that are not children of ours.
const LOOK: Duration = Duration::from_millis(50);

/// Ends the sessions that are meant, all at once, and says of each what became of it.
pub(crate) fn run(
    arguments: &EndArguments,
    out: &mut impl Write,
    told: &mut impl Write,
) -> Result<(), Error> {
    let sessions = chosen(arguments)?;
    if sessions.is_empty() {
        writeln!(told, "there is no live session")?;
    }
    for found in sessions.iter().filter(|found| is_within(found)) {
        // Later there may be nobody left to tell.
        let (name, user) = (&found.record.session, printable(&found.record.user));
        writeln!(out, "ending session {name} of {user}, this process with it")?;
        out.flush()?;
    }
    // One of them may be the caller's own.
    host::outlive_the_terminal();
    let started = Instant::now();
    let until = host::until_told();
    let asked: Vec<_> = sessions
        .iter()
        .map(|found| Asked::ask(found, arguments.now, until))
        .collect();
    let mut left = false;
    for one in &asked {
        left |= !one.finish(started, arguments.now, out, told)?;
    }
    match left {
        false => Ok(()),
        true => Err(Error::Told),
    }
}

fn chosen(arguments: &EndArguments) -> Result<Vec<Found>, Error> {
    if arguments.user.is_none() && !arguments.all {
        let mut found: Vec<Found> = Vec::new();
        for name in &arguments.sessions {
            let one = session::find(name)?;
            if found
                .iter()
                .all(|other| other.record.session != one.record.session)
            {
                found.push(one);
            }
        }
        return Ok(found);
    }
    let mut live = host::sessions()?;
    live.retain(|found| session::why_dead(found).is_none());
    if let Some(user) = &arguments.user {
        live.retain(|found| found.record.user == *user);
        if live.is_empty() {
            return Err(Error::NothingToEnd(user.clone()));
        }
    }
    Ok(live)
}

/// Whether the caller is in this session: its init has the number 1 to nobody else.
fn is_within(found: &Found) -> bool {
    found.record.pid == 1
}

/// A session that has been told to end.
struct Asked<'a> {
    found: &'a Found,
    /// its namespaces, so that what is in them is its own; none if init was gone before
    held: Option<Vec<OwnedFd>>,
    grace: Duration,
    /// as a sentence's end; empty if they cannot be counted
    logins: String,
    /// why its init could not be told, though it lives
    untold: Option<Errno>,
}

impl<'a> Asked<'a> {
    fn ask(found: &'a Found, now: bool, until: Instant) -> Self {
        let held = found.hold();
        let logins = match found.logins(until) {
            None => String::new(),
            Some(1) => "; it had 1 login".to_owned(),
            Some(many) => format!("; it had {many} logins"),
        };
        let plan = found.plan().ok().flatten().and_then(|plan| plan.session);
        let grace = plan.map_or(GRACE, |plan| Duration::from_secs(plan.grace.into()));
        let signal = if now { KILL } else { TERMINATE };
        let untold = match found.state {
            // One that is gone already is waited for in no time.
            State::Alive(_) => found.signal(signal).err().filter(|why| *why != Errno::SRCH),
            // A user's own: init is root's, but the processes are not.
            _ => {
                tell(&others(found), now);
                None
            }
        };
        Self {
            found,
            held,
            grace,
            logins,
            untold,
        }
    }

    /// Waits for the end; false if it does not come.
    fn finish(
        &self,
        started: Instant,
        now: bool,
        out: &mut impl Write,
        told: &mut impl Write,
    ) -> Result<bool, Error> {
        let record = &self.found.record;
        let name = format!("session {} of {}", record.session, printable(&record.user));
        if let Some(errno) = self.untold {
            writeln!(told, "{name} cannot be told to end: {errno}")?;
            return Ok(false);
        }
        let mut ended = true;
        if matches!(self.found.state, State::Alive(_)) {
            ended = self.found.wait(started + self.grace + MORE);
            if now && ended {
                // An init that was killed could not do it.
                host::sweep()?;
            }
        }
        // Without a PID namespace, the end of init is nobody else's. Nobody is looked for by
        // namespaces that may be another session's by now.
        let by_hand = !matches!(self.found.state, State::Alive(_))
            || self.held.is_some() && !record.own_namespaces().contains_key(&Namespace::Pid);
        if ended && by_hand {
            ended = end_by_hand(self.found, started + self.grace, now);
        }
        if ended && matches!(self.found.state, State::Listed) {
            return self.finish_own(&name, started, out);
        }
        let seconds = started.elapsed().as_secs_f32();
        let logins = &self.logins;
        match (ended, now) {
            (true, false) => writeln!(out, "{name} has ended, after {seconds:.1} s{logins}")?,
            (true, true) => writeln!(out, "{name} was killed{logins}")?,
            (false, _) => {
                let advice = if now {
                    "a process in it may wait for a disk"
                } else {
                    "--now kills it"
                };
                writeln!(told, "{name} has not ended within {seconds:.0} s; {advice}")?;
            }
        }
        out.flush()?;
        Ok(ended)
    }
}

impl Asked<'_> {
    /// Of a session of the caller's own: waits for what is root's, which ends it when it sees
    /// that nobody is left. Within it, the caller is.
    fn finish_own(
        &self,
        name: &str,
        started: Instant,
        out: &mut impl Write,
    ) -> Result<bool, Error> {
        let record = &self.found.record;
        let is_listed = || {
            host::sessions().is_ok_and(|all| {
                let same = |one: &&Found| one.record.session == record.session;
                all.iter()
                    .find(same)
                    .is_some_and(|one| session::why_dead(one).is_none())
            })
        };
        let within = is_within(self.found);
        let limit = Instant::now() + MORE;
        while !within && is_listed() && Instant::now() < limit {
            std::thread::sleep(LOOK);
        }
        let seconds = started.elapsed().as_secs_f32();
        match (within, !within && is_listed()) {
            (true, _) => writeln!(out, "every other process of {name} has ended")?,
            (_, true) => writeln!(
                out,
                "every process of {name} has ended; it ends when its login does"
            )?,
            (_, false) => writeln!(out, "{name} has ended, after {seconds:.1} s")?,
        }
        out.flush()?;
        Ok(true)
    }
}

/// Ends every process of a session that the caller may signal, but the caller: those that are
/// left at `deadline` by SIGKILL. False if some do not even end by that.
fn end_by_hand(found: &Found, deadline: Instant, now: bool) -> bool {
    if !now {
        tell(&others(found), false);
        while Instant::now() < deadline && !others(found).is_empty() {
            std::thread::sleep(LOOK);
        }
    }
    let last = Instant::now() + MORE;
    // Again and again: a process that is being killed may have made another one.
    loop {
        let left = others(found);
        if left.is_empty() {
            return true;
        }
        if Instant::now() > last {
            return false;
        }
        tell(&left, true);
        std::thread::sleep(LOOK);
    }
}

/// The processes of a session but the caller. Where there is no PID namespace, the application
/// that has opened the session shares its others; it is root's, and left alone.
fn others(found: &Found) -> Vec<Process> {
    let own = std::process::id().cast_signed();
    let all = host::processes();
    let own_uid = |process: &Process| process.uid != 0 || found.record.uid == 0;
    let members = all.of(&found.record).into_iter();
    members
        .filter(|process| process.pid != own && own_uid(process))
        .cloned()
        .collect()
}

fn tell(processes: &[Process], now: bool) {
    // HUP for shells, which ignore TERM; CONT so that what is stopped can see either.
    let signals: &[Signal] = if now {
        &[KILL]
    } else {
        &[TERMINATE, HANG_UP, CONTINUE]
    };
    for process in processes {
        for signal in signals {
            // Gone, or not the caller's to signal: the next look tells.
            let _ = process.signal(*signal);
        }
    }
}
