//! The session's init: PID 1 of its PID namespace.
//!
//! It builds the host layer, gives up every capability but CAP_KILL, and then only waits:
//! reaps what is orphaned, and ends the session when nobody holds it any more. Nothing in
//! here returns to the helper that it is a copy of.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nsshell_config::{Namespace, Plan, SessionPlan};

use crate::error::Error;
use crate::layer;
use crate::record::Reserved;
use crate::sys::ns::Kinds;
use crate::sys::process::{self, Child};
use crate::sys::signal::{self, Mask, SignalFd};
use crate::sys::{Errno, caps, socket};

/// How often init looks whether anything of an ending session is left. Most of a session's
/// processes are not init's children, so their end is no event for it.
const LOOK: Duration = Duration::from_millis(20);

/// What init is started with.
pub struct Start<'a> {
    /// the whole plan
    pub plan: &'a Plan,
    /// its part that is about the session
    pub session: &'a SessionPlan,
    /// until when it has to be ready
    pub deadline: Instant,
    /// the socket to the helper: a user namespace comes in, one answer goes out
    pub helper: OwnedFd,
    /// init's end of the lease
    pub lease: OwnedFd,
    /// pidfd of the application that will hold the session
    pub holder: &'a OwnedFd,
    /// the record, locked
    pub record: &'a Reserved,
}

/// Starts init in the plan's namespaces, but the user namespace.
///
/// # Errors
/// The kernel makes no namespaces, or no process.
pub fn start(start: Start<'_>) -> Result<Child, Error> {
    let kinds = kinds(start.session);
    process::clone(kinds, || live(&start))
        .map_err(|errno| Error::namespaces("cannot make the session's namespaces", errno))
}

/// The kinds that init is made in, and that the application enters.
#[must_use]
pub fn kinds(session: &SessionPlan) -> Kinds {
    session
        .namespaces
        .iter()
        .fold(Kinds::default(), |kinds, kind| {
            kinds.with(match kind {
                Namespace::Mount => Kinds::MOUNT,
                Namespace::Ipc => Kinds::IPC,
                Namespace::Pid => Kinds::PID,
                Namespace::Uts => Kinds::UTS,
                Namespace::Net => Kinds::NET,
                Namespace::Cgroup => Kinds::CGROUP,
                Namespace::Time => Kinds::TIME,
                // The user layer's: an application of root's must never be in it.
                Namespace::User => Kinds::default(),
            })
        })
}

fn live(start: &Start<'_>) -> i32 {
    let [directory, record] = start.record.descriptors();
    // The helper's socket to the module above all: it must end with the helper.
    process::close_all_but(&[&start.helper, &start.lease, start.holder, directory, record]);
    let prepared = prepare(start);
    let answer = match &prepared {
        Ok(_) => b"=".to_vec(),
        Err(error) => [b"!", error.to_string().as_bytes()].concat(),
    };
    let told = socket::send(&start.helper, &answer, &[]);
    let (Ok(signals), Ok(())) = (prepared, told) else {
        return 1;
    };
    process::close_all_but(&[&start.lease, start.holder, directory, record, &signals]);
    process::shrink();
    hold(start, &signals);
    end(start, &signals);
    start.record.remove();
    0
}

/// Builds the layer and gives up what is not needed for the rest of init's life.
fn prepare(start: &Start<'_>) -> Result<SignalFd, Error> {
    let cannot = |errno| Error::system("the session's init cannot prepare itself", errno);
    process::die_with_parent(true).map_err(cannot)?;
    process::set_name(c"nsshell-init").map_err(cannot)?;
    Mask::all().set();
    let signals = SignalFd::new().map_err(cannot)?;
    layer::build(start.plan, start.session, &start.record.session)?;
    if start.session.has(Namespace::User) {
        layer::pin(receive_user_namespace(start)?)?;
    }
    // Last, and looked at: nothing above works without, nothing below needs more.
    caps::keep_only_kill().map_err(cannot)?;
    // Before the helper hears that we are ready, since it then ends. Should it die instead,
    // its end of the lease goes with it.
    process::die_with_parent(false).map_err(cannot)?;
    Ok(signals)
}

fn receive_user_namespace(start: &Start<'_>) -> Result<OwnedFd, Error> {
    let (_, mut fds) = socket::receive(&start.helper, start.deadline)
        .map_err(|errno| Error::system("init got no user namespace", errno))?;
    fds.pop()
        .ok_or(Error::Protocol("init got no user namespace"))
}

/// Waits while somebody holds the session: the application is alive and has not hung up.
fn hold(start: &Start<'_>, signals: &SignalFd) {
    use std::os::fd::AsFd;
    loop {
        let fds = [signals.as_fd(), start.lease.as_fd(), start.holder.as_fd()];
        let Ok([_, given_up, holder_gone]) = socket::readable_among(&fds, None) else {
            return;
        };
        if given_up || holder_gone || asked_to_end(signals, start) {
            return;
        }
    }
}

/// Reads the pending signals: reaps, passes on, and says whether one asks for the end.
fn asked_to_end(signals: &SignalFd, start: &Start<'_>) -> bool {
    let mut end = false;
    while let Ok(Some(received)) = signals.next() {
        match received.signal {
            libc::SIGCHLD => while process::next_change().is_some() {},
            // What ends a systemd scope or a container, too.
            libc::SIGTERM | libc::SIGPWR => end = true,
            // Only what somebody has sent to init: what the kernel raises is about init alone.
            other if received.by_process => {
                signal_session(start, other);
            }
            _ => {}
        }
    }
    end
}

/// Ends every process of the session: asks, waits for the plan's grace, and leaves the rest
/// to the kernel, which kills what is in a PID namespace when its init ends.
fn end(start: &Start<'_>, signals: &SignalFd) {
    let deadline = Instant::now() + Duration::from_secs(u64::from(start.session.grace));
    // HUP for shells, which ignore TERM; CONT so that what is stopped can see either.
    for signal in [libc::SIGTERM, libc::SIGHUP, libc::SIGCONT] {
        signal_session(start, signal);
    }
    while signal_session(start, 0) && Instant::now() < deadline {
        let _ = socket::readable(signals, Some(deadline.min(Instant::now() + LOOK)));
        while let Ok(Some(_)) = signals.next() {}
        while process::next_change().is_some() {}
    }
}

/// Signals everybody in the session; false if nobody is left. A session without a PID
/// namespace of its own has no "everybody": nothing is signalled.
fn signal_session(start: &Start<'_>, signal: signal::Signal) -> bool {
    if !start.session.has(Namespace::Pid) {
        return false;
    }
    match signal::signal_everybody(signal) {
        Ok(anybody) => anybody,
        // Nobody whom CAP_KILL does not reach; so there is somebody.
        Err(errno) => errno == Errno::PERM,
    }
}
