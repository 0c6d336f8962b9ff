//! The session's init: PID 1 of its PID namespace.
//!
//! It builds the host layer, gives up every capability but CAP_KILL, and then only waits:
//! reaps what is orphaned, takes in further logins, and ends the session when nobody holds it
//! any more ([`crate::join`]). Nothing in here returns to the helper that it is a copy of.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nsshell_config::{Namespace, Plan, SessionPlan};

use crate::audit::{Facts, Format};
use crate::door::Door;
use crate::error::Error;
use crate::lease::{self, Lease, Leases};
use crate::processes;
use crate::record::Reserved;
use crate::sys::ns::Kinds;
use crate::sys::process::{self, Child};
use crate::sys::signal::{self, Mask, SignalFd};
use crate::sys::{Errno, caps, socket};
use crate::trail::{self, Trail};
use crate::view::ephemeral::Claim;
use crate::view::{self, Job};

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
    pub holder: OwnedFd,
    /// the record, locked
    pub record: &'a Reserved,
    /// directories on disk that are emptied when nobody has their locks any more
    pub claims: &'a [Claim],
    /// whether it takes further logins
    pub has_door: bool,
    /// how init's lines of the audit trail are written
    pub format: Format,
}

/// Starts init in the plan's namespaces, but the user namespace.
///
/// # Errors
/// The kernel makes no namespaces, or no process.
pub fn start(start: Start<'_>) -> Result<Child, Error> {
    let kinds = kinds(start.session);
    process::clone(kinds, || live(start))
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

fn live(start: Start<'_>) -> i32 {
    let born = Instant::now();
    let [directory, record] = start.record.descriptors();
    // The helper's socket to the module above all: it must end with the helper. And the user's
    // lock, which the helper may hold.
    let mut keep: Vec<&dyn AsRawFd> = vec![
        &start.helper,
        &start.lease,
        &start.holder,
        directory,
        record,
    ];
    // As long as init lives the claims are the session's, whatever becomes of their janitor.
    let locks = start.claims.iter().map(Claim::lock);
    keep.extend(locks.clone().map(|fd| -> &dyn AsRawFd { fd }));
    let closed = process::close_all_but(&keep);
    drop(keep);
    let closed = closed.map_err(|errno| Error::system("cannot close what is the helper's", errno));
    let prepared = closed.and_then(|()| prepare(&start));
    let answer = match &prepared {
        Ok(_) => b"=".to_vec(),
        Err(error) => [b"!", error.to_string().as_bytes()].concat(),
    };
    let told = socket::send(&start.helper, &answer, &[]);
    let prepared = match (prepared, told) {
        (Ok(prepared), Ok(())) => prepared,
        (Ok(unheard), Err(_)) => {
            unheard.door.into_iter().for_each(Door::close);
            return 1;
        }
        (Err(_), _) => return 1,
    };
    let Prepared {
        signals,
        door,
        trail,
        known_as,
    } = prepared;
    let mut keep: Vec<&dyn AsRawFd> =
        vec![&start.lease, &start.holder, directory, record, &signals];
    let doors = door.iter().flat_map(Door::descriptors);
    keep.extend(doors.chain(locks).map(|fd| -> &dyn AsRawFd { fd }));
    keep.extend(trail.descriptors());
    // The same call has been let through before.
    let _ = process::close_all_but(&keep);
    drop(keep);
    process::raise_descriptors();
    process::shrink();
    let (plan, session, own) = (start.plan, start.session, start.record);
    let first = Lease {
        connection: start.lease,
        holder: start.holder,
        login: trail::login_of(plan),
        since: born,
    };
    let mut host = Init {
        plan,
        session,
        record: own,
        signals: &signals,
        trail,
        known_as,
    };
    let leases = Leases::new(&session.life, door, first);
    let (reason, left) = leases.hold(&signals, &mut host);
    host.ended(reason, &left, born);
    end(session, &signals);
    own.remove();
    0
}

/// What init has once the layer is built.
struct Prepared {
    signals: SignalFd,
    door: Option<Door>,
    trail: Trail,
    known_as: KnownAs,
}

/// What the host knows init by: its process id there, and the inodes of its namespaces by the
/// names of their links.
type KnownAs = (i32, BTreeMap<String, u64>);

/// To be called before the first mount: /proc is still the host's.
fn known_as() -> KnownAs {
    let link = std::fs::read_link("/proc/self").unwrap_or_default();
    let pid = link.to_str().and_then(|pid| pid.parse().ok());
    pid.map_or_else(KnownAs::default, |pid| (pid, processes::namespaces(pid)))
}

/// Builds the layer and gives up what is not needed for the rest of init's life.
fn prepare(start: &Start<'_>) -> Result<Prepared, Error> {
    let cannot = |errno| Error::system("the session's init cannot prepare itself", errno);
    process::die_with_parent(true).map_err(cannot)?;
    process::set_name(c"nsshell-init").map_err(cannot)?;
    Mask::all().set();
    let signals = SignalFd::new().map_err(cannot)?;
    // Before the first mount: both are places of the host.
    let name = &start.record.session;
    let trail = Trail::open(start.format);
    let known_as = known_as();
    let door = match start.has_door {
        true => Some(Door::open(start.plan.account.uid, name)?),
        false => None,
    };
    if let Err(error) = build(start) {
        if let Some(door) = door {
            door.close();
        }
        return Err(error);
    }
    // Before the helper hears that we are ready, since it then ends. Should it die instead,
    // its end of the lease goes with it.
    process::die_with_parent(false).map_err(cannot)?;
    Ok(Prepared {
        signals,
        door,
        trail,
        known_as,
    })
}

fn build(start: &Start<'_>) -> Result<(), Error> {
    // It takes longer to be made than the mounts, which wait for it only if they must.
    let early = view::needs_user_namespace(start.session);
    let first = early.then(|| receive_user_namespace(start)).transpose()?;
    view::build(&Job {
        plan: start.plan,
        session: start.session,
        name: &start.record.session,
        user_namespace: first.as_ref().map(AsFd::as_fd),
        owner: (start.plan.account.uid, start.plan.account.gid),
        alone: false,
    })?;
    if start.session.has(Namespace::User) {
        let namespace = first.map_or_else(|| receive_user_namespace(start), Ok)?;
        view::pin(namespace)?;
    }
    // Last, and looked at: nothing above works without, nothing below needs more.
    caps::keep_only_kill()
        .map_err(|errno| Error::system("the session's init cannot prepare itself", errno))
}

fn receive_user_namespace(start: &Start<'_>) -> Result<OwnedFd, Error> {
    let (_, mut fds) = socket::receive(&start.helper, start.deadline)
        .map_err(|errno| Error::system("init got no user namespace", errno))?;
    fds.pop()
        .ok_or(Error::Protocol("init got no user namespace"))
}

/// What init does for its leases.
struct Init<'a> {
    plan: &'a Plan,
    session: &'a SessionPlan,
    record: &'a Reserved,
    signals: &'a SignalFd,
    trail: Trail,
    known_as: KnownAs,
}

impl lease::Host for Init<'_> {
    /// Reads the pending signals: reaps, passes on, and says whether one asks for the end.
    fn asked_to_end(&self) -> bool {
        let mut end = false;
        while let Ok(Some(received)) = self.signals.next() {
            match received.signal {
                libc::SIGCHLD => while process::next_change().is_some() {},
                // What ends a systemd scope or a container, too.
                libc::SIGTERM | libc::SIGPWR => end = true,
                // Only what somebody has sent to init: what the kernel raises is about init
                // alone.
                other if received.by_process => {
                    signal_session(self.session, other);
                }
                _ => {}
            }
        }
        end
    }

    fn has_processes(&self) -> bool {
        signal_session(self.session, 0)
    }

    fn lost(&mut self, lease: &Lease) {
        self.left(lease, "killed");
    }
}

impl Init<'_> {
    /// A login is gone of which no application can say so.
    fn left(&mut self, lease: &Lease, reason: &str) {
        let (session, user) = (&self.record.session, &self.plan.account.name);
        let facts = trail::session_facts(self.plan, session);
        let facts = trail::policy_facts(trail::login_facts(facts, &lease.login), self.plan);
        let facts = self
            .with_init(facts)
            .with("duration", lease.since.elapsed().as_secs().to_string())
            .with("reason", reason);
        let sentence = format!("session {session} lost a login of {user}");
        self.trail.write("leave", &sentence, &facts);
    }

    fn with_init(&self, facts: Facts) -> Facts {
        let (pid, namespaces) = &self.known_as;
        trail::with_init(facts, *pid, kinds(self.session), namespaces)
    }

    fn ended(&mut self, reason: lease::Reason, left: &[Lease], born: Instant) {
        let (session, user) = (&self.record.session, &self.plan.account.name);
        let facts = self
            .with_init(trail::facts(self.plan, session))
            .with("duration", born.elapsed().as_secs().to_string())
            .with("logins", left.len().to_string())
            .with("reason", reason.word());
        let sentence = format!("session {session} of {user} ends, {}", reason.word());
        self.trail.write("end", &sentence, &facts);
    }
}

/// Ends every process of the session: asks, waits for the plan's grace, and leaves the rest
/// to the kernel, which kills what is in a PID namespace when its init ends.
fn end(session: &SessionPlan, signals: &SignalFd) {
    let deadline = Instant::now() + Duration::from_secs(u64::from(session.grace));
    // HUP for shells, which ignore TERM; CONT so that what is stopped can see either.
    for signal in [libc::SIGTERM, libc::SIGHUP, libc::SIGCONT] {
        signal_session(session, signal);
    }
    while signal_session(session, 0) && Instant::now() < deadline {
        let _ = socket::readable(signals, Some(deadline.min(Instant::now() + LOOK)));
        while let Ok(Some(_)) = signals.next() {}
        while process::next_change().is_some() {}
    }
}

/// Signals everybody in the session; false if nobody is left. A session without a PID
/// namespace of its own has no "everybody": nothing is signalled.
fn signal_session(session: &SessionPlan, signal: signal::Signal) -> bool {
    if !session.has(Namespace::Pid) {
        return false;
    }
    match signal::signal_everybody(signal) {
        Ok(anybody) => anybody,
        // Nobody whom CAP_KILL does not reach; so there is somebody.
        Err(errno) => errno == Errno::PERM,
    }
}
