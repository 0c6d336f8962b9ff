//! pam_nsshell.so: places a login session into the namespaces that the policy names.
//!
//! It runs in other people's root processes, so it decides nothing and makes nothing itself:
//! it asks session-init, and enters the session that was made with one system call. Until
//! that call the application is as it was, and every failure refuses the session.
#![deny(unsafe_code)]

mod arguments;
mod ffi;

use std::cell::RefCell;
use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::Instant;

use nsshell_session::audit::{Facts, Format};
use nsshell_session::caller::{self, Answer, Session};
use nsshell_session::foreign_terminal::{self, ForeignTerminal};
use nsshell_session::one_line;
use nsshell_session::protocol::{Reply, Request, Verb};
use pam::constants::{PAM_ERROR_MSG, PAM_SILENT, PamFlag, PamResultCode};
use pam::conv::Conv;
use pam::items::{RHost, Service, Tty, User};
use pam::module::{PamHandle, PamHooks};

use arguments::Arguments;
use ffi::{Priority, log};

struct Module;

/// The six entry points of pam(3); those that are not below return PAM_IGNORE.
#[allow(missing_docs)]
mod entry {
    use super::Module;
    pam::pam_hooks!(Module);
}

/// What lies in the handle between open and close: libpam cannot give stored data back, so
/// what is taken out leaves the place empty.
struct Slot(RefCell<Option<Open>>);

struct Open {
    session: Session,
    /// names of the variables that the module has put into the PAM environment
    variables: Vec<String>,
    since: Instant,
    format: Format,
    /// the terminal of another user that the application was started on
    terminal: Option<ForeignTerminal>,
}

impl PamHooks for Module {
    fn acct_mgmt(handle: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        if !caller::may_confine() {
            // A screen locker, run by the user who is logged in: it lets nobody in.
            return PamResultCode::PAM_IGNORE;
        }
        guarded(handle, |handle| account(handle, &args, flags))
    }

    fn sm_open_session(handle: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        guarded(handle, |handle| open(handle, &args, flags))
    }

    fn sm_close_session(handle: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        guarded(handle, close)
    }
}

/// Why a login is not let through; the line is for the log, the code for the application.
///
/// Never PAM_SESSION_ERR: sudo goes on after it, and would run its command unconfined.
struct Refusal {
    line: String,
    code: PamResultCode,
    /// what session-init knows of the login; none: it was not asked, or has not answered
    facts: Option<Facts>,
}

impl Refusal {
    fn fault(line: impl ToString) -> Self {
        Self {
            line: line.to_string(),
            code: PamResultCode::PAM_SYSTEM_ERR,
            facts: None,
        }
    }
}

/// May this account log in?
fn account(handle: &mut PamHandle, args: &[&CStr], flags: PamFlag) -> PamResultCode {
    let decide = |handle: &mut PamHandle| {
        let arguments = Arguments::parse(args).map_err(Refusal::fault)?;
        let answer = match ask(handle, Verb::Account, &arguments) {
            // Said, once, when the session is opened.
            Err(_) if is_root(handle) => return Ok(()),
            answer => answer?,
        };
        match answer {
            Answer::Reply(Reply::Allowed | Reply::Unconfined { .. }) => Ok(()),
            Answer::Reply(Reply::Refused(line, facts)) => Err(Refusal {
                line,
                code: PamResultCode::PAM_PERM_DENIED,
                facts: Some(facts),
            }),
            _ => Err(Refusal::fault("session-init answered another question")),
        }
    };
    finish(handle, flags, format(args), "login", decide)
}

/// Ask for the session, make it known, enter it.
fn open(handle: &mut PamHandle, args: &[&CStr], flags: PamFlag) -> PamResultCode {
    let enter = |handle: &mut PamHandle| {
        let arguments = Arguments::parse(args).map_err(Refusal::fault)?;
        if is_open(handle) {
            let line = "the session is open already; is the module in the stack twice?";
            log(handle, Priority::Warning, line);
            return Ok(());
        }
        let answer = match ask(handle, Verb::Open, &arguments) {
            Err(refusal) if is_root(handle) => {
                let warning = format!("without a policy: {}", refusal.line);
                return unconfined(handle, "none", &warning, &arguments);
            }
            answer => answer?,
        };
        match answer {
            Answer::Reply(Reply::Unconfined { profile, warning }) => {
                unconfined(handle, &profile, &warning, &arguments)
            }
            Answer::Reply(Reply::Refused(line, facts)) => Err(Refusal {
                facts: Some(facts),
                ..Refusal::fault(line)
            }),
            Answer::Session(session) => confine(handle, session, format(args)),
            Answer::Reply(_) => Err(Refusal::fault("session-init answered another question")),
        }
    };
    finish(handle, flags, format(args), "session", enter)
}

/// Return the application to where it was; the session ends by itself.
fn close(handle: &mut PamHandle) -> PamResultCode {
    let Some(open) = take(handle) else {
        return PamResultCode::PAM_SUCCESS;
    };
    let Open {
        session,
        variables,
        terminal,
        ..
    } = open;
    let reason = if session.has_ended() {
        "ended"
    } else {
        "logout"
    };
    let left = session.leave();
    if let Some(terminal) = terminal {
        terminal.mend();
        terminal.let_go();
    }
    for name in &variables {
        ffi::put_environment(handle, name);
    }
    let name = &session.made.session;
    if let Err(error) = left {
        log(handle, Priority::Error, &format!("session {name}: {error}"));
        return PamResultCode::PAM_SYSTEM_ERR;
    }
    let sentence = format!("session {name} closed for {}", user(handle));
    let facts = session
        .made
        .facts
        .clone()
        .with("duration", open.since.elapsed().as_secs().to_string())
        .with("reason", reason);
    let line = facts.line(open.format, "leave", &sentence);
    log(handle, Priority::Info, &line);
    PamResultCode::PAM_SUCCESS
}

fn is_open(handle: &PamHandle) -> bool {
    ffi::data::<Slot>(handle).is_some_and(|slot| slot.0.borrow().is_some())
}

fn take(handle: &PamHandle) -> Option<Open> {
    ffi::data::<Slot>(handle)?.0.borrow_mut().take()
}

/// The policy leaves this login alone; nsshell, if it is the user's shell, is told so.
fn unconfined(
    handle: &mut PamHandle,
    profile: &str,
    warning: &str,
    arguments: &Arguments,
) -> Result<(), Refusal> {
    put(handle, "NSSHELL_SESSION=none")?;
    put(handle, &format!("NSSHELL_PROFILE={profile}"))?;
    // The account phase says nothing of it: one failure, one line.
    if !warning.is_empty() {
        let line = format!("session of {} left unconfined, {warning}", user(handle));
        log(handle, Priority::Error, &line);
    }
    if arguments.debug {
        log(
            handle,
            Priority::Debug,
            &format!("{}: profile {profile} leaves it unconfined", user(handle)),
        );
    }
    Ok(())
}

/// Everything that can still fail comes before the one call that moves the application.
fn confine(handle: &mut PamHandle, session: Session, format: Format) -> Result<(), Refusal> {
    session.check_application().map_err(Refusal::fault)?;
    let made = session.made.clone();
    let mut variables = vec!["NSSHELL_SESSION".to_owned(), "NSSHELL_PROFILE".to_owned()];
    put(handle, &format!("NSSHELL_SESSION={}", made.session))?;
    put(handle, &format!("NSSHELL_PROFILE={}", made.profile))?;
    for pair in &made.environment {
        // What a module before us has set (pam_systemd: XDG_RUNTIME_DIR) stays.
        let name = pair.split_once('=').map_or(pair.as_str(), |(name, _)| name);
        if !ffi::has_environment(handle, name) {
            put(handle, pair)?;
            variables.push(name.to_owned());
        }
    }
    let terminal = ForeignTerminal::find(&service(handle), made.uid);
    if let Some(pair) = terminal.as_ref().and_then(ForeignTerminal::variable) {
        put(handle, &pair)?;
        variables.push(foreign_terminal::VARIABLE.to_owned());
    }
    let open = Open {
        session,
        variables,
        since: Instant::now(),
        format,
        terminal,
    };
    if !ffi::keep(handle, Slot(RefCell::new(Some(open)))) {
        return Err(Refusal::fault(
            "libpam cannot keep the session's data; is memory short?",
        ));
    }
    // On this side of the door: what the session has for a /dev/log is the plan's affair.
    let (event, verb) = match made.joined {
        true => ("join", "joined by"),
        false => ("open", "opened for"),
    };
    let sentence = format!(
        "session {} {verb} {}, profile {}",
        made.session,
        user(handle),
        made.profile
    );
    let line = made.facts.line(format, event, &sentence);
    log(handle, Priority::Info, &line);
    let entered = match ffi::data::<Slot>(handle).map(|slot| slot.0.borrow()) {
        Some(open) => match open.as_ref() {
            Some(open) => enter(open),
            None => Err(Refusal::fault("libpam has lost the session's data")),
        },
        None => Err(Refusal::fault("libpam has lost the session's data")),
    };
    entered.map_err(|refusal| {
        // The trail has it as come, so it has to go as well.
        let sentence = format!("session {} not entered by {}", made.session, user(handle));
        let facts = made.facts.clone().with("duration", "0");
        let line = facts
            .with("reason", "refused")
            .line(format, "leave", &sentence);
        log(handle, Priority::Info, &line);
        Refusal {
            facts: Some(made.facts),
            ..refusal
        }
    })
}

/// Keeps the user from typing into the application's terminal, and moves the application. The
/// filter comes first: should it fail, the application is where it was.
fn enter(open: &Open) -> Result<(), Refusal> {
    if let Some(terminal) = &open.terminal {
        terminal.forbid_typing().map_err(Refusal::fault)?;
    }
    open.session.enter().map_err(Refusal::fault)
}

/// PAM_SERVICE.
fn service(handle: &PamHandle) -> Vec<u8> {
    let service = handle.get_item::<Service>().ok().flatten();
    service
        .map(|one| one.0.to_bytes().to_vec())
        .unwrap_or_default()
}

fn put(handle: &mut PamHandle, pair: &str) -> Result<(), Refusal> {
    if ffi::put_environment(handle, pair) {
        return Ok(());
    }
    Err(Refusal::fault(
        "libpam cannot set a variable; is memory short?",
    ))
}

fn ask(handle: &PamHandle, verb: Verb, arguments: &Arguments) -> Result<Answer, Refusal> {
    let bytes = |item: Option<&CStr>| item.map(|one| one.to_bytes().to_vec()).unwrap_or_default();
    let user = bytes(handle.get_item::<User>().ok().flatten().map(|one| one.0));
    if user.is_empty() {
        return Err(Refusal::fault("the application has named no user"));
    }
    let request = Request {
        verb,
        user,
        service: service(handle),
        tty: bytes(handle.get_item::<Tty>().ok().flatten().map(|one| one.0)),
        rhost: bytes(handle.get_item::<RHost>().ok().flatten().map(|one| one.0)),
        config: arguments.config.clone(),
        format: arguments.format(),
    };
    caller::ask(&request).map_err(Refusal::fault)
}

/// Turns what happened into the code for the application, and a refusal into its one line of
/// the log and a sentence for the person at the terminal, who can do nothing about it but
/// has to know whom to ask.
fn finish(
    handle: &mut PamHandle,
    flags: PamFlag,
    format: Format,
    what: &str,
    act: impl FnOnce(&mut PamHandle) -> Result<(), Refusal>,
) -> PamResultCode {
    let Err(refusal) = act(handle) else {
        return PamResultCode::PAM_SUCCESS;
    };
    if let Some(open) = take(handle) {
        open.session.give_up();
        if let Some(terminal) = open.terminal {
            terminal.let_go();
        }
    }
    let sentence = format!("{what} of {} refused: {}", user(handle), refusal.line);
    let facts = refusal.facts.unwrap_or_else(|| facts(handle));
    let line = facts
        .with("reason", &refusal.line)
        .line(format, "refuse", &sentence);
    log(handle, Priority::Error, &line);
    if flags & PAM_SILENT == 0
        && let Ok(Some(conversation)) = handle.get_item::<Conv>()
    {
        let sentence = "This host isolates logins, and yours could not be isolated as required. \
                        Your administrator finds the reason in the system log.";
        // An application without a conversation has nobody to tell.
        let _ = conversation.send(PAM_ERROR_MSG, sentence);
    }
    refusal.code
}

/// Whether it is root who logs in. Without session-init nobody is told what the policy says,
/// and nobody but root can put it back: a package half removed must not lock root out.
fn is_root(handle: &PamHandle) -> bool {
    matches!(handle.get_item::<User>(), Ok(Some(user)) if user.0 == c"root")
}

/// How the lines of the audit trail are to be written. With an argument that is wrong the
/// session is refused, and the log says so to people.
fn format(args: &[&CStr]) -> Format {
    Arguments::parse(args).unwrap_or_default().format()
}

/// What the application says of the login.
fn facts(handle: &PamHandle) -> Facts {
    let bytes = |item: Option<&CStr>| item.map(|one| one.to_bytes().to_vec()).unwrap_or_default();
    Facts::default()
        .with(
            "user",
            bytes(handle.get_item::<User>().ok().flatten().map(|one| one.0)),
        )
        .with(
            "service",
            bytes(handle.get_item::<Service>().ok().flatten().map(|one| one.0)),
        )
        .with(
            "tty",
            bytes(handle.get_item::<Tty>().ok().flatten().map(|one| one.0)),
        )
        .with(
            "rhost",
            bytes(handle.get_item::<RHost>().ok().flatten().map(|one| one.0)),
        )
}

/// PAM_USER, fit for a line of the log.
fn user(handle: &PamHandle) -> String {
    match handle.get_item::<User>() {
        Ok(Some(user)) => one_line(user.0.to_bytes()),
        _ => "an unnamed user".to_owned(),
    }
}

/// No panic leaves the module, and none prints: descriptor 2 belongs to the application.
fn guarded(
    handle: &mut PamHandle,
    act: impl FnOnce(&mut PamHandle) -> PamResultCode,
) -> PamResultCode {
    static QUIET: Once = Once::new();
    // The hook is that of the standard library inside this .so, not the application's.
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    catch_unwind(AssertUnwindSafe(|| act(handle))).unwrap_or_else(|_| {
        let line = "a fault in the module itself, please report it; the session is refused";
        log(handle, Priority::Error, line);
        PamResultCode::PAM_SYSTEM_ERR
    })
}
