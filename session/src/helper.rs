//! session-init: what the PAM module starts, one process a question.

use std::ffi::OsStr;
use std::fmt::Display;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nsshell_config::{
    Account, Login, NONE, Plan, SessionPlan, Spared, is_systemd_user, left_alone,
};

use crate::accounts::{self, SystemHost};
use crate::audit::Facts;
use crate::error::Error;
use crate::maker_limits::MakerLimits;
use crate::opening::{Asking, Made, open};
use crate::protocol::{Reply, Request, Verb};
use crate::sys::{Errno, fd, log, priority, process, signal, socket};
use crate::user_namespace::Maker;
use crate::{login_shell, policy, record, trail};

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
    // Before any process is made that makes a namespace.
    let limits = MakerLimits::take();
    let mut known = Facts::default();
    let (reply, made) = match answer(&module, &holder, &limits, &mut known) {
        Ok((reply, made)) => (reply, made),
        Err(error) => (Reply::Refused(sentence(&error), known), None),
    };
    let fds: Vec<_> = made.iter().flat_map(Made::descriptors).collect();
    // If nobody listens any more, the lease is dropped with this process.
    if socket::send(&module, &reply.encode(), &fds).is_err() {
        return 1;
    }
    // Last, when no login waits for the lock any more: a log that hangs may hold up nothing. The
    // module waits for our end, but not for long.
    if let Some(warning) = made.and_then(|made| made.warning) {
        log::warn(c"session-init", &warning);
    }
    0
}

/// Leaves behind what the application had: it may be set-uid, with the user's real id, groups,
/// limits, priority, mask and whatever signals they ignored; and that user may be another one
/// than who logs in, and whose further logins wait for us and share what we make. Gives back the
/// agreed descriptors.
fn become_helper() -> Result<(OwnedFd, OwnedFd), Errno> {
    signal::default_all();
    process::set_dumpable(false)?;
    process::become_user(0, 0, &[])?;
    process::die_with_parent(true)?;
    // Out of the application's process group: what the terminal sends to that one is not for
    // the helper, nor for the session's init.
    process::new_session()?;
    process::reset_limits();
    priority::reset();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    rustix::process::chdir("/")?;
    Ok((fd::inherited(MODULE)?, fd::inherited(HOLDER)?))
}

/// Request → policy → plan → what was asked for.
///
/// `known` is what a refusal says of the login in the audit trail, as far as it got.
fn answer(
    module: &OwnedFd,
    holder: &OwnedFd,
    limits: &MakerLimits,
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
    // It may be a part of the plan's paths.
    let name = record::new_name()?;
    let host = match request.verb {
        Verb::Account => SystemHost::new(),
        Verb::Open => SystemHost::making(&name),
    };
    let config = Path::new(OsStr::from_bytes(&request.config));
    let config = (!request.config.is_empty()).then_some(config);
    let policy = match policy::load_for(config, &login, &account, &host) {
        // With a policy that cannot be used, nobody else gets in to mend it.
        Err(error) if account.uid == 0 => {
            return Ok((spared(NONE, "without a policy", &error), None));
        }
        policy => policy?,
    };
    let plan = match policy.resolve() {
        Err(error) => match policy.spared() {
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
            let asking = Asking {
                holder,
                format: request.format,
                limits,
            };
            open_or_spare(&plan, session, name, maker, &asking)
        }
    }
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
