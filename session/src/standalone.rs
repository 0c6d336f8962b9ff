//! A session that a user makes alone, without root and without the PAM module: one layer, all
//! of it the user's. Privacy and convenience, not enforcement.
//!
//! caller → **init** (PID 1 of the new namespaces, a child of the caller) → shell.
//!
//! The caller stays, waits, and passes on: signals to the shell; the shell's stops, by
//! stopping itself, so that the shell it was started from gets the terminal back; its status.
//! All three stay in one process group, so that the terminal's own signals and the window's
//! size reach the shell without our help.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nsshell_config::{Namespace, Plan, SessionPlan};

use crate::error::Error;
use crate::program::As;
use crate::sys::ns::Kinds;
use crate::sys::process::{self, Change, Child, Ended};
use crate::sys::signal::{self, Mask, Signal, SignalFd};
use crate::sys::{Errno, caps, ns, socket, terminal};
use crate::{init, layer, maps};

/// The variable by which a shell in a session knows it. Its value for a session of this kind
/// names the user namespace, so that a stray copy of the variable elsewhere means nothing.
pub const VARIABLE: &str = "NSSHELL_SESSION";

/// How often init looks whether anything is left at the end; see [`crate::init`].
const LOOK: Duration = Duration::from_millis(20);

/// Whether the caller is in a session of this kind already.
#[must_use]
pub fn inside() -> bool {
    std::env::var(VARIABLE).is_ok_and(|value| own_name().is_ok_and(|name| name == value))
}

fn own_name() -> Result<String, Error> {
    let identity = ns::own_user_namespace()
        .map_err(|errno| Error::system("cannot see which user namespace this is", errno))?;
    Ok(format!("standalone-{}", identity.inode()))
}

/// Makes the session, has `shell` executed in it, and waits for its end: the status, 128 + n
/// for a signal. `shell` gets the value of [`VARIABLE`] and returns only if it cannot be
/// executed.
///
/// # Errors
/// The session cannot be made; no shell has run then.
pub fn run(
    plan: &Plan,
    session: &SessionPlan,
    shell: impl FnOnce(&str) -> u8,
) -> Result<u8, Error> {
    let cannot = |errno| Error::system("cannot prepare a session", errno);
    let deadline = Instant::now() + Duration::from_secs(u64::from(session.timeout));
    // Blocked before there is a child: nothing that concerns it can be missed.
    let before = Mask::all().set();
    let signals = SignalFd::new().map_err(cannot)?;
    let (ours, theirs) = socket::pair().map_err(cannot)?;
    let kinds = init::kinds(session).with(Kinds::USER);
    let doing = "cannot make namespaces of your own";
    let child = process::clone(kinds, || live(plan, session, &theirs, &before, shell))
        .map_err(|errno| Error::namespaces(doing, errno))?;
    drop(theirs);
    let foreground = terminal::foreground();
    let status = prepare(session, &child, &ours, deadline).and_then(|()| wait(&ours, &signals, &child));
    if status.is_err() {
        child.kill(Instant::now() + Duration::from_secs(1));
    }
    // An interactive shell took the terminal for a group that is gone now.
    foreground.restore();
    before.set();
    status
}

/// What only somebody outside the new namespaces can do: the maps.
fn prepare(
    session: &SessionPlan,
    child: &Child,
    init: &OwnedFd,
    deadline: Instant,
) -> Result<(), Error> {
    let Some(maps) = &session.id_maps else {
        return Err(Error::NotAsPlanned(
            "the profile has no user namespace, and without one only root can make the others; \
             have the PAM module make the session, or add \"user\" to the profile's namespaces"
                .to_owned(),
        ));
    };
    if !maps::own_id_only(maps) {
        maps::write(child.pid, maps, As::Caller, deadline)?;
        maps::verify(child.pid, maps)?;
    }
    socket::send(init, b"go", &[]).map_err(|errno| Error::system("cannot reach init", errno))?;
    match socket::receive(init, deadline) {
        Ok((word, _)) if word == b"=" => Ok(()),
        Ok((word, _)) if word.len() > 1 => {
            Err(Error::Said(String::from_utf8_lossy(&word[1..]).into_owned()))
        }
        Ok(_) => Err(Error::NotAsPlanned("the session's init was killed".to_owned())),
        Err(Errno::TIMEDOUT) => {
            Err(Error::TooSlow { what: "the session's init".into(), limit: session.timeout.into() })
        }
        Err(errno) => Err(Error::system("cannot hear the session's init", errno)),
    }
}

/// What init tells the caller, and the caller init: a letter and a number.
const STOPPED: u8 = b'z';
const ENDED: u8 = b'x';
const SIGNAL: u8 = b's';

/// The caller's life until the shell has ended.
fn wait(init: &OwnedFd, signals: &SignalFd, child: &Child) -> Result<u8, Error> {
    let lost = |errno| Error::system("lost the session's init", errno);
    loop {
        let fds = [signals.as_fd(), init.as_fd()];
        let [signalled, told] = socket::readable_among(&fds, None).map_err(lost)?;
        if signalled {
            pass_on(init, signals);
        }
        if !told {
            continue;
        }
        match socket::receive(init, Instant::now()).map_err(lost)?.0[..] {
            [ENDED, status] => {
                // Nothing of the session is left once its init is gone.
                let _ = child.wait(Instant::now() + Duration::from_secs(5));
                return Ok(status);
            }
            [STOPPED, _] => {
                signal::raise(libc::SIGSTOP);
                // Here we are again: somebody has said "continue", and means the shell.
                let _ = tell(init, SIGNAL, libc::SIGCONT);
            }
            _ => {
                let ended = child.wait(Instant::now() + Duration::from_secs(5)).map_err(lost)?;
                let status = ended.unwrap_or(Ended::Killed(libc::SIGKILL)).shell_status();
                return Ok(u8::try_from(status).unwrap_or(NO_STATUS));
            }
        }
    }
}

/// For a status that does not fit, which the kernel never gives.
const NO_STATUS: u8 = 255;

/// Passes signals on that somebody has sent to the caller alone. What the terminal raises has
/// gone to the shell as well; but a hang-up goes to the leader of the terminal's session only.
fn pass_on(init: &OwnedFd, signals: &SignalFd) {
    while let Ok(Some(received)) = signals.next() {
        let ours = matches!(received.signal, libc::SIGCHLD);
        let hang_up = received.signal == libc::SIGHUP;
        if !ours && (received.by_process || hang_up) {
            // If init is gone, its end of the socket says so.
            let _ = tell(init, SIGNAL, received.signal);
        }
    }
}

fn tell(socket: &OwnedFd, letter: u8, number: i32) -> Result<(), Errno> {
    socket::send(socket, &[letter, u8::try_from(number).unwrap_or(NO_STATUS)], &[])
}

/// Init's life.
fn live(
    plan: &Plan,
    session: &SessionPlan,
    caller: &OwnedFd,
    mask: &Mask,
    shell: impl FnOnce(&str) -> u8,
) -> i32 {
    let started = start(plan, session, caller, mask, shell);
    let answer = match &started {
        Ok(_) => b"=".to_vec(),
        Err(error) => [b"!", error.to_string().as_bytes()].concat(),
    };
    let told = socket::send(caller, &answer, &[]);
    let (Ok((shell, signals)), Ok(())) = (started, told) else { return 1 };
    // After the shell is made, which must be able to gain what a file gives.
    let _ = caps::keep_only_kill();
    let status = look_after(&shell, &signals, caller);
    end(session, &signals);
    i32::from(tell(caller, ENDED, status).is_err())
}

fn start(
    plan: &Plan,
    session: &SessionPlan,
    caller: &OwnedFd,
    mask: &Mask,
    shell: impl FnOnce(&str) -> u8,
) -> Result<(Child, SignalFd), Error> {
    let cannot = |errno| Error::system("the session's init cannot prepare itself", errno);
    process::die_with_parent(true).map_err(cannot)?;
    // Its parent may have died before that; then nobody says "go".
    let limit = Instant::now() + Duration::from_secs(u64::from(session.timeout) + 1);
    let (go, _) = socket::receive(caller, limit).map_err(cannot)?;
    if go != b"go" {
        return Err(Error::NotAsPlanned("nobody waits for the session".to_owned()));
    }
    if let Some(maps) = session.id_maps.as_ref().filter(|maps| maps::own_id_only(maps)) {
        maps::write_own(maps)?;
    }
    layer::build_own(plan, session, process::own_ids())?;
    let name = own_name()?;
    let signals = SignalFd::new().map_err(cannot)?;
    process::set_name(c"nsshell-init").map_err(cannot)?;
    let shell = process::clone(Kinds::default(), || {
        // Whatever else is open was given to us for the shell; what is ours closes by itself.
        mask.set();
        i32::from(shell(&name))
    });
    Ok((shell.map_err(|errno| Error::namespaces("cannot start the shell", errno))?, signals))
}

/// Reaps, passes on, and tells of stops, until the shell has ended; its status.
fn look_after(shell: &Child, signals: &SignalFd, caller: &OwnedFd) -> i32 {
    loop {
        let fds = [signals.as_fd(), caller.as_fd()];
        let Ok([signalled, told]) = socket::readable_among(&fds, None) else { return 1 };
        if signalled {
            while let Ok(Some(_)) = signals.next() {}
            while let Some(change) = process::next_change() {
                match change {
                    Change::Ended(pid, ended) if pid == shell.pid => return ended.shell_status(),
                    Change::Stopped(pid, signal) if pid == shell.pid => {
                        let _ = tell(caller, STOPPED, signal);
                    }
                    _ => {}
                }
            }
        }
        if told {
            match socket::receive(caller, Instant::now()).map(|(message, _)| message) {
                Ok(message) if !message.is_empty() => {
                    if let [SIGNAL, signal] = message[..] {
                        let _ = signal::send(&shell.pidfd, Signal::from(signal));
                    }
                }
                // The caller is gone, and its end is ours.
                _ => return 1,
            }
        }
    }
}

/// Ends what the shell has left behind, as [`crate::init`] does.
fn end(session: &SessionPlan, signals: &SignalFd) {
    if !session.has(Namespace::Pid) {
        return;
    }
    let deadline = Instant::now() + Duration::from_secs(u64::from(session.grace));
    for signal in [libc::SIGTERM, libc::SIGHUP, libc::SIGCONT] {
        let _ = signal::signal_everybody(signal);
    }
    while signal::signal_everybody(0) == Ok(true) && Instant::now() < deadline {
        let _ = socket::readable(signals, Some(deadline.min(Instant::now() + LOOK)));
        while let Ok(Some(_)) = signals.next() {}
        while process::next_change().is_some() {}
    }
}
