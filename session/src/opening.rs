//! How session-init gives a login its session: one that is there, or a new one.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nsshell_config::{Plan, Scope, SessionPlan};

use crate::audit::Format;
use crate::error::Error;
use crate::join::{self, Joined, Sought};
use crate::maker_limits::MakerLimits;
use crate::protocol::{Confined, Reply};
use crate::record::{self, Reserved};
use crate::sys::ns::Kinds;
use crate::sys::process::Child;
use crate::sys::{Errno, fd, ns, socket};
use crate::user_namespace::Maker;
use crate::view::{ephemeral, janitor};
use crate::{door, init, processes, trail, view};

/// A session that is ready to be entered.
pub(crate) struct Made {
    /// pidfd of its init
    init: OwnedFd,
    lease: OwnedFd,
    /// the line for the log about it
    pub(crate) warning: Option<String>,
}

impl Made {
    pub(crate) fn descriptors(&self) -> [std::os::fd::BorrowedFd<'_>; 2] {
        [self.init.as_fd(), self.lease.as_fd()]
    }
}

/// Who asks, and how.
pub(crate) struct Asking<'a> {
    /// pidfd of the application
    pub(crate) holder: &'a OwnedFd,
    /// how init's lines of the audit trail are written
    pub(crate) format: Format,
    /// what the makers of namespaces have of the limits of process 1
    pub(crate) limits: &'a MakerLimits,
}

/// Shares the session that the user has, or makes one.
pub(crate) fn open(
    plan: &Plan,
    session: &SessionPlan,
    name: String,
    maker: Option<Result<Maker, Error>>,
    asking: &Asking<'_>,
) -> Result<(Reply, Made), Error> {
    let deadline = Instant::now() + Duration::from_secs(u64::from(session.timeout));
    refuse_chroot()?;
    match join::seek(plan, session, &name, asking.holder, deadline)? {
        Sought::Joined(joined) => share(plan, *joined),
        // The lock is held until the session is published.
        Sought::Make(mut making) => {
            let made = make(plan, session, name, maker, asking, deadline, &making);
            if let (Err(_), Some(turn)) = (&made, making.turn.take()) {
                turn.tidy();
            }
            made
        }
    }
}

/// What the module hears of a session that was there.
fn share(plan: &Plan, joined: Joined) -> Result<(Reply, Made), Error> {
    let record = joined.record;
    let kinds = Kinds::from_bits(record.kinds)
        .ok_or(Error::Protocol("a record with unknown kinds of namespaces"))?;
    let policy = if joined.as_planned { "same" } else { "other" };
    let facts = trail::facts(plan, &record.session).with("policy", policy);
    let confined = Confined {
        facts: trail::with_init(facts, record.pid, kinds, &record.namespaces),
        session: record.session,
        profile: record.profile,
        kinds,
        uid: record.uid,
        joined: true,
        environment: record.environment,
    };
    let made = Made {
        init: joined.pidfd,
        lease: joined.lease,
        warning: None,
    };
    Ok((Reply::Confined(confined), made))
}

/// Makes the session: init builds the host layer while the user namespace is made here.
fn make(
    plan: &Plan,
    session: &SessionPlan,
    name: String,
    maker: Option<Result<Maker, Error>>,
    asking: &Asking<'_>,
    deadline: Instant,
    wanted: &join::Making,
) -> Result<(Reply, Made), Error> {
    let record = record::reserve(name, plan.account.uid)?;
    let cannot = |errno| Error::system("cannot make a socket", errno);
    let (lease, init_lease) = socket::pair().map_err(cannot)?;
    let (to_init, from_helper) = socket::pair().map_err(cannot)?;
    let holder = asking
        .holder
        .try_clone()
        .map_err(|_| cannot(Errno::MFILE))?;
    let has_door = wanted.standing.has_door();
    // Before init makes anything in them, or a crash would leave it.
    let claims = ephemeral::claim(session, &record.session, deadline)?;
    let init = init::start(init::Start {
        plan,
        session,
        deadline,
        helper: from_helper,
        lease: init_lease,
        holder,
        record: &record,
        claims: &claims,
        has_door,
        format: asking.format,
    });
    let init = match init {
        Ok(init) => init,
        Err(error) => {
            janitor::clean_at_once(&claims);
            return Err(error);
        }
    };
    let made = Making {
        plan,
        session,
        record: &record,
        init: &init,
        to_init: &to_init,
        deadline,
        has_door,
        wanted,
    };
    let finished = finish(&made, maker).and_then(|reply| {
        janitor::start(&claims, &init)?;
        Ok(reply)
    });
    match finished {
        Ok(reply) => {
            let has_limits = session.id_maps.is_some();
            let warning = || asking.limits.warning(&record.session, &plan.account.name);
            let made = Made {
                warning: has_limits.then(warning).flatten(),
                init: init.pidfd,
                lease,
            };
            Ok((reply, made))
        }
        Err(error) => {
            // It would end by itself, since nobody has its lease; but not if it hangs.
            init.kill(Instant::now() + Duration::from_secs(1));
            janitor::clean_at_once(&claims);
            record.remove();
            if has_door {
                door::sweep(plan.account.uid, &record.session);
            }
            Err(error)
        }
    }
}

/// A session whose init is running.
struct Making<'a> {
    plan: &'a Plan,
    session: &'a SessionPlan,
    record: &'a Reserved,
    init: &'a Child,
    to_init: &'a OwnedFd,
    deadline: Instant,
    has_door: bool,
    /// what became of the sessions that there were
    wanted: &'a join::Making,
}

/// What needs a running init: its user namespace, its word that it is ready, its record.
fn finish(making: &Making<'_>, maker: Option<Result<Maker, Error>>) -> Result<Reply, Error> {
    let Making {
        plan,
        session,
        record,
        init,
        to_init,
        deadline,
        ..
    } = *making;
    let mut user_namespace = None;
    if let Some(maps) = &session.id_maps {
        // A login that is left alone by default, and that a rule confines, has none yet.
        let maker = maker.unwrap_or_else(|| Maker::start(&plan.account))?;
        let namespace = maker.finish(&plan.account, maps, deadline)?;
        user_namespace = fd::identity(&namespace).map(fd::Identity::inode).ok();
        // If init has failed meanwhile, its own word says why.
        let _ = socket::send(to_init, b"user", &[namespace.as_fd()]);
    }
    hear_ready(making)?;
    let kinds = init::kinds(session);
    let (start, namespaces) = processes::identity(init.pid)
        .map_err(|errno| Error::system("cannot look at the session's init in /proc", errno))?;
    let environment: Vec<String> = view::runtime_dir(plan)
        .map(|path| format!("XDG_RUNTIME_DIR={}", path.display()))
        .into_iter()
        .collect();
    let some = |name: &'_ Option<String>| name.clone().unwrap_or_default();
    // Why no other login of the user will share it, where they would.
    let apart = match session.life.scope {
        Scope::User => making.wanted.standing.reason(),
        Scope::Session => "",
    };
    let facts = trail::facts(plan, &record.session)
        .with("replaced", some(&making.wanted.replaced))
        .with("passed_by", some(&making.wanted.passed_by))
        .with("apart", apart);
    let facts = trail::with_init(facts, init.pid, kinds, &namespaces);
    record.publish(
        plan,
        init.pid,
        &record::Made {
            start,
            namespaces,
            has_door: making.has_door,
            kinds: kinds.bits(),
            user_namespace,
            planned: join::fingerprint(plan, &record.session),
            environment: environment.clone(),
        },
    )?;
    Ok(Reply::Confined(Confined {
        session: record.session.clone(),
        profile: plan.profile.clone(),
        kinds,
        uid: plan.account.uid,
        joined: false,
        environment,
        facts,
    }))
}

fn hear_ready(making: &Making<'_>) -> Result<(), Error> {
    let what = "the session's init";
    // A little longer than init itself waits, so that its reason arrives.
    match socket::receive(making.to_init, making.deadline + Duration::from_secs(1)) {
        Err(Errno::TIMEDOUT) => Err(Error::TooSlow {
            what: what.into(),
            limit: making.session.timeout.into(),
        }),
        Err(errno) => Err(Error::system("cannot hear the session's init", errno)),
        Ok((word, _)) if word == b"=" => Ok(()),
        Ok((word, _)) if word.is_empty() => {
            let ended = match making.init.wait(Instant::now() + Duration::from_secs(1)) {
                Ok(Some(ended)) => ended.to_string(),
                _ => "no sign of its end".to_owned(),
            };
            Err(Error::NotAsPlanned(format!(
                "{what} ended before it was ready, with {ended}"
            )))
        }
        Ok((word, _)) => Err(Error::Said(
            String::from_utf8_lossy(&word[1..]).into_owned(),
        )),
    }
}

/// An application in a chroot would be let out of it: entering a mount namespace puts the
/// root directory at the namespace's root (setns(2)).
fn refuse_chroot() -> Result<(), Error> {
    let cannot = |errno| Error::system("cannot look at the root directory", errno);
    if ns::leave_chroot().map_err(cannot)? {
        return Err(Error::NotAsPlanned(
            "the application runs in a chroot, which entering a session would let it out of; \
             leave this service unconfined by a rule"
                .to_owned(),
        ));
    }
    Ok(())
}
