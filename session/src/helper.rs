//! session-init: what the PAM module starts, one process a question.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Display;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nsshell_config::{
    Account, Login, NONE, Plan, Policy, SessionPlan, Spared, is_systemd_user, left_alone, resolve,
};

use crate::accounts::{self, SystemHost};
use crate::audit::{Facts, Format, NAMESPACE};
use crate::error::Error;
use crate::join::{self, Joined, Sought};
use crate::protocol::{Confined, Reply, Request, Verb};
use crate::record::{self, Reserved};
use crate::sys::ns::Kinds;
use crate::sys::process::{self, Child};
use crate::sys::{Errno, fd, ns, signal, socket};
use crate::user_namespace::Maker;
use crate::view::{ephemeral, janitor};
use crate::{door, init, login_shell, policy, processes, trail, view};

/// How long the module may take to send its request: it is sent before the helper is started.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);

/// What is agreed with the module: where it leaves its descriptors.
const MODULE: i32 = 3;
const HOLDER: i32 = 4;

/// Answers the module's one question. The status is 0 if the answer could be given.
#[must_use]
pub fn run() -> i32 {
    let Ok((module, holder)) = become_helper() else {
        return 2;
    };
    let mut known = Facts::default();
    let (reply, fds) = match answer(&module, &holder, &mut known) {
        Ok((reply, made)) => (reply, made),
        Err(error) => (Reply::Refused(sentence(&error), known), None),
    };
    let fds: Vec<_> = fds.iter().flat_map(Made::descriptors).collect();
    // If nobody listens any more, the lease is dropped with this process.
    i32::from(socket::send(&module, &reply.encode(), &fds).is_err())
}

/// Leaves behind what the application had: it may be set-uid, with the user's real id, groups,
/// limits, mask and whatever signals they ignored. Gives back the agreed descriptors.
fn become_helper() -> Result<(OwnedFd, OwnedFd), Errno> {
    signal::default_all();
    process::set_dumpable(false)?;
    process::become_user(0, 0, &[])?;
    process::die_with_parent(true)?;
    // Out of the application's process group: what the terminal sends to that one is not for
    // the helper, nor for the session's init.
    process::new_session()?;
    process::reset_limits();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    rustix::process::chdir("/")?;
    Ok((fd::inherited(MODULE)?, fd::inherited(HOLDER)?))
}

/// A session that is ready to be entered.
struct Made {
    /// pidfd of its init
    init: OwnedFd,
    lease: OwnedFd,
}

impl Made {
    fn descriptors(&self) -> [std::os::fd::BorrowedFd<'_>; 2] {
        [self.init.as_fd(), self.lease.as_fd()]
    }
}

/// Request → policy → plan → what was asked for.
///
/// `known` is what a refusal says of the login in the audit trail, as far as it got.
fn answer(
    module: &OwnedFd,
    holder: &OwnedFd,
    known: &mut Facts,
) -> Result<(Reply, Option<Made>), Error> {
    let (message, _) = socket::receive(module, Instant::now() + REQUEST_LIMIT)
        .map_err(|errno| Error::system("no request from the PAM module", errno))?;
    let request = Request::decode(&message)?;
    *known = facts_of(&request, None);
    let (login, account) = (login(&request), account(&request)?);
    *known = facts_of(&request, Some(account.uid));
    if request.verb == Verb::Account && never_refused(&login, &account) {
        return Ok((Reply::Allowed, None));
    }
    // Before the policy is read: the maker is a copy of us that the user may look into.
    let early = request.verb == Verb::Open && !left_alone(&login, &account);
    let maker = early.then(|| Maker::start(&account));
    let policy = match load(&request) {
        // With a policy that cannot be used, nobody else gets in to mend it.
        Err(error) if account.uid == 0 => {
            return Ok((spared(NONE, "without a policy", &error), None));
        }
        policy => policy?,
    };
    // It may be a part of the plan's paths.
    let name = record::new_name()?;
    let host = match request.verb {
        Verb::Account => SystemHost::new(),
        Verb::Open => SystemHost::making(&name),
    };
    let plan = match resolve(&policy, &login, &account, &host) {
        Err(error) => match nsshell_config::spared(&policy, &login, &account, &host) {
            Some(why) => return Ok((spared(NONE, why, &error.into()), None)),
            None => return Err(error.into()),
        },
        Ok(plan) => plan,
    };
    *known = trail::facts(&plan, "");
    // A policy of many rules is not taken apart again: this process is about to end.
    std::mem::forget(policy);
    match (request.verb, &plan.session) {
        (Verb::Account, _) if plan.spared().is_some() => Ok((Reply::Allowed, None)),
        (Verb::Account, _) => login_shell::check(&plan).map(|()| (Reply::Allowed, None)),
        (Verb::Open, None) => Ok((unconfined(&plan.profile, String::new()), None)),
        (Verb::Open, Some(session)) => {
            let format = request.format;
            open_or_spare(&plan, session, name, maker, &Asking { holder, format })
        }
    }
}

/// Who asks, and how.
struct Asking<'a> {
    /// pidfd of the application
    holder: &'a OwnedFd,
    /// how init's lines of the audit trail are written
    format: Format,
}

/// What is known of a login before there is a plan.
fn facts_of(request: &Request, uid: Option<u32>) -> Facts {
    Facts::default()
        .with("user", &request.user)
        .with("uid", uid.map(|uid| uid.to_string()).unwrap_or_default())
        .with("service", &request.service)
        .with("tty", &request.tty)
        .with("rhost", &request.rhost)
}

/// Whether the account phase has nothing to ask the policy: it refuses accounts for their login
/// shell, and managers. What else is wrong refuses the session; a login reads a policy of ten
/// thousand rules once only.
fn never_refused(login: &Login, account: &Account) -> bool {
    login_shell::is_nsshell(account) && !is_systemd_user(&login.service)
}

/// Makes the session, and does with it, or with the failure, what the plan says.
fn open_or_spare(
    plan: &Plan,
    session: &SessionPlan,
    name: String,
    maker: Option<Result<Maker, Error>>,
    asking: &Asking<'_>,
) -> Result<(Reply, Option<Made>), Error> {
    // The account phase has let pass what it would have refused; here is where it is told.
    let allowed = match plan.spared() {
        Some(_) => login_shell::check(plan),
        None => Ok(()),
    };
    let made = allowed.and_then(|()| open(plan, session, name, maker, asking));
    match (made, plan.spared()) {
        // What the policy says no to is no failure.
        (Err(error @ Error::Refused(_)), Some(Spared::OnFailure)) => Err(error),
        (Err(error), Some(why)) => Ok((spared(&plan.profile, why, &error), None)),
        // Nothing was wrong. Nobody gets the lease, so the session ends.
        (Ok(_), Some(Spared::Observed)) => Ok((unconfined(&plan.profile, String::new()), None)),
        (made, _) => made.map(|(reply, made)| (reply, Some(made))),
    }
}

/// The login goes on without a session though one was meant, and the log says why.
fn spared(profile: &str, why: impl Display, error: &Error) -> Reply {
    unconfined(profile, format!("{why}: {}", sentence(error)))
}

fn unconfined(profile: &str, warning: String) -> Reply {
    Reply::Unconfined {
        profile: profile.to_owned(),
        warning,
    }
}

/// The error's sentence, cut so that it fits a message whatever a policy has put into it.
fn sentence(error: &Error) -> String {
    const LONGEST: usize = 1000;
    error.to_string().chars().take(LONGEST).collect()
}

fn login(request: &Request) -> Login {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let some = |bytes: &[u8]| (!bytes.is_empty()).then(|| text(bytes));
    Login {
        service: text(&request.service),
        tty: some(&request.tty),
        rhost: some(&request.rhost),
    }
}

fn account(request: &Request) -> Result<Account, Error> {
    // Not lossy: a name that is no UTF-8 must not become another one.
    let name = std::str::from_utf8(&request.user)
        .map_err(|_| Error::NoSuchUser(String::from_utf8_lossy(&request.user).into_owned()))?;
    accounts::by_name(name)
}

fn load(request: &Request) -> Result<Policy, Error> {
    let config = Path::new(OsStr::from_bytes(&request.config));
    policy::load((!request.config.is_empty()).then_some(config))
}

/// Shares the session that the user has, or makes one.
fn open(
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
        facts: with_init(facts, record.pid, kinds, &record.namespaces),
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
    };
    Ok((Reply::Confined(confined), made))
}

/// With the session's init and the namespaces that are its own.
fn with_init(facts: Facts, pid: i32, kinds: Kinds, inodes: &BTreeMap<String, u64>) -> Facts {
    inodes
        .iter()
        .filter(|(kind, _)| Kinds::named(kind).is_some_and(|kind| kinds.has(kind)))
        .fold(
            facts.with("init", pid.to_string()),
            |facts, (kind, inode)| facts.with(&format!("{NAMESPACE}{kind}"), inode.to_string()),
        )
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
    // Before init makes anything in them, or a crash would leave it.
    let claims = ephemeral::claim(session, &record.session)?;
    let cannot = |errno| Error::system("cannot make a socket", errno);
    let (lease, init_lease) = socket::pair().map_err(cannot)?;
    let (to_init, from_helper) = socket::pair().map_err(cannot)?;
    let holder = asking
        .holder
        .try_clone()
        .map_err(|_| cannot(Errno::MFILE))?;
    let has_door = join::has_door(plan);
    let init = init::start(init::Start {
        plan,
        session,
        deadline,
        helper: from_helper,
        lease: init_lease,
        holder,
        record: &record,
        has_door,
        format: asking.format,
    })?;
    let made = Making {
        plan,
        session,
        record: &record,
        init: &init,
        to_init: &to_init,
        deadline,
        has_door,
        replaced: wanted.replaced.as_deref().unwrap_or_default(),
    };
    let finished = finish(&made, maker).and_then(|reply| {
        janitor::start(&claims, &init)?;
        Ok(reply)
    });
    match finished {
        Ok(reply) => Ok((
            reply,
            Made {
                init: init.pidfd,
                lease,
            },
        )),
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
    /// the session that was ended for this one; empty: none
    replaced: &'a str,
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
    let facts = trail::facts(plan, &record.session).with("replaced", making.replaced);
    let facts = with_init(facts, init.pid, kinds, &namespaces);
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
