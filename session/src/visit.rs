//! Entering a session from outside, by root: with its user's ids, in its namespaces and cgroup,
//! and on a terminal of its own.
//!
//! The administrator's terminal is never given to the user's processes: whoever has it open
//! could read what is typed on it long after the visit. Where a standard descriptor is a
//! terminal, the visit gets another one, or a pipe, and we hand the bytes on.
//!
//! A visit is no login: with the last login the session ends, and the visit with it. But what it
//! runs is a process of the session like others, for which `on_logout = "keep"` lets it stay.

use std::ffi::{CString, OsStr, OsString};
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nsshell_config::{Namespace, Plan, SessionPlan};
use nsshell_gate::orders::PATH;

use crate::audit::Format;
use crate::enter::{self, Place};
use crate::error::Error;
use crate::live::Found;
use crate::relay::{Copying, Pipe, Typed};
use crate::sys::leave::{self, Limits};
use crate::sys::ns::Kinds;
use crate::sys::process::{self, Child, Ended};
use crate::sys::signal::{self, Mask, SignalFd};
use crate::sys::terminal::{Group, Terminal};
use crate::sys::{Errno, fd, log, ns, priority, pty};
use crate::{NSSHELL, accounts, cgroup, init, trail, view};

/// How far a visit goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// as far as the application that has opened the session, and what it starts before nsshell
    Host,
    /// as far as the user's shell: into the user namespace
    User,
}

/// The status for a visit that failed before its command was to be executed, as nsshell has it.
const NO_SESSION: i32 = 125;

/// Runs a command in a session, or without one the user's shell, and waits for its end.
/// `layer`: none for the innermost that the session has.
///
/// # Errors
/// The session has ended, or has no such layer; a step is refused, and nothing was run.
pub fn run(session: &Found, layer: Option<Layer>, command: &[OsString]) -> Result<Ended, Error> {
    let name = &session.record.session;
    let (Some(init), Some(plan)) = (session.init(), session.plan()?) else {
        return Err(Error::NotAsPlanned(format!(
            "only root enters session {name}"
        )));
    };
    let Some(made) = &plan.session else {
        return Err(Error::Protocol("a session whose plan makes none"));
    };
    let layer = chosen(layer, made, name)?;
    let cannot = |errno| Error::system(format!("cannot enter session {name}"), errno);
    // All that needs the host's view, or the user database, before anything is entered.
    let visitor = Visitor {
        groups: accounts::group_ids(&plan.account)?,
        doors: cgroup::doors(session.record.pid)?,
        limits: Limits::of(session.record.pid).map_err(cannot)?,
        environment: environment(&plan),
        layer,
        command,
        plan: &plan,
    };
    note(&plan, name);
    leave::audit_identity(plan.account.uid);
    Mask::all().set();
    let signals = SignalFd::new().map_err(cannot)?;
    // Only our children are in its PID namespace, and only they give up being root.
    ns::join(init, init::kinds(made)).map_err(cannot)?;
    visit(&visitor, &signals, name)
}

/// A line of the audit trail, while it is still known who it is that visits.
fn note(plan: &Plan, name: &str) {
    let by = leave::audited_uid().map(|uid| uid.to_string());
    let facts = trail::session_facts(plan, name).with("by", by.unwrap_or_default());
    let sentence = format!("nsshell session {name} of {} entered", plan.account.name);
    log::info(c"nsctl", &facts.line(Format::Text, "enter", &sentence));
}

fn chosen(layer: Option<Layer>, made: &SessionPlan, name: &str) -> Result<Layer, Error> {
    match (layer, made.has(Namespace::User)) {
        (None, true) => Ok(Layer::User),
        (None, false) => Ok(Layer::Host),
        (Some(Layer::User), false) => Err(Error::NotAsPlanned(format!(
            "session {name} has no user namespace, and so no user layer; use --layer host"
        ))),
        (Some(layer), _) => Ok(layer),
    }
}

/// Who enters, and what for.
struct Visitor<'a> {
    plan: &'a Plan,
    layer: Layer,
    command: &'a [OsString],
    groups: Vec<u32>,
    doors: Vec<OwnedFd>,
    limits: Limits,
    environment: Vec<CString>,
}

fn visit(visitor: &Visitor<'_>, signals: &SignalFd, name: &str) -> Result<Ended, Error> {
    let no_terminal = |errno| Error::system("cannot make a terminal in the session", errno);
    let cannot = |errno| Error::namespaces(format!("cannot start a process in {name}"), errno);
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let own: [BorrowedFd<'_>; 3] = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
    let terminals = own.map(pty::is_terminal);
    let mut given: [Option<OwnedFd>; 3] = [None, None, None];
    let mut pipes = Vec::new();
    let (mut typed, mut shown) = (None, None);
    if terminals[0] {
        if let Some(terminal) = Terminal::own() {
            terminal.wait_for_foreground();
        }
        let pair = pty::open(visitor.plan.account.uid).map_err(no_terminal)?;
        let _ = pty::copy_size(own[0], &pair.master);
        for at in (0..3).filter(|at| terminals[*at]) {
            given[at] = Some(
                pair.slave
                    .try_clone()
                    .map_err(|_| no_terminal(Errno::MFILE))?,
            );
        }
        let raw = pty::Raw::new(own[0], &pair.slave).map_err(no_terminal)?;
        // It is shown where there is a terminal to show it on; the one that is typed on is.
        let screen = [1, 2].into_iter().find(|at| terminals[*at]).unwrap_or(0);
        let master = pair
            .master
            .try_clone()
            .map_err(|_| no_terminal(Errno::MFILE))?;
        pipes.push(Pipe {
            from: pair.master,
            to: own[screen],
        });
        typed = Some(Typed {
            from: own[0],
            to: master,
        });
        shown = Some(raw);
    } else {
        for at in (1..3).filter(|at| terminals[*at]) {
            let (from, to) = fd::pipe().map_err(cannot)?;
            pty::set_nonblocking(&from).map_err(cannot)?;
            given[at] = Some(to);
            pipes.push(Pipe { from, to: own[at] });
        }
    }
    let child = process::clone(Kinds::default(), || visitor.become_it(&given, terminals[0]));
    let child = child.map_err(cannot)?;
    // Ours would keep the terminal, or the pipe, from ever coming to its end.
    drop(given);
    let mut copying = Copying::new(pipes, typed);
    let raw = shown.as_ref();
    let ended = copy_until_end(&child, signals, &mut copying, raw).map_err(cannot)?;
    ended.ok_or_else(|| {
        Error::NotAsPlanned(format!(
            "the command in {name} has ended, nobody knows how: a process of its user's traces it"
        ))
    })
}

/// How long the news of the child's end may take.
const LAST: Duration = Duration::from_secs(1);

/// Hands on bytes, window sizes and signals until the child ends; how it did, or none if a
/// process of the user's keeps the end of the child from us, by tracing it.
fn copy_until_end(
    child: &Child,
    signals: &SignalFd,
    copying: &mut Copying<'_>,
    raw: Option<&pty::Raw<'_>>,
) -> Result<Option<Ended>, Errno> {
    loop {
        let turn = copying.turn([child.pidfd.as_fd(), signals.as_fd()], || true)?;
        let [ended, signalled] = turn.ready;
        if ended {
            break;
        }
        if signalled {
            heed(signals, child, copying, raw);
        }
    }
    copying.finish();
    child.wait(Instant::now() + LAST)
}

/// Hands on signals: to the program that was started and what it has not put aside.
fn heed(signals: &SignalFd, child: &Child, copying: &Copying<'_>, raw: Option<&pty::Raw<'_>>) {
    while let Ok(Some(received)) = signals.next() {
        match (received.signal, raw) {
            (libc::SIGWINCH, Some(_)) => copying.copy_size(),
            (libc::SIGCONT, Some(raw)) => {
                let _ = raw.again();
                copying.copy_size();
            }
            (signal @ (libc::SIGHUP | libc::SIGINT | libc::SIGQUIT | libc::SIGTERM), _) => {
                // It leads a group of its own, for as long as its parent has not waited for it.
                if let Some(group) = Group::of(child.pid) {
                    group.signal(signal);
                }
            }
            _ => {}
        }
    }
}

impl Visitor<'_> {
    /// In the child: becomes the user, enters the layer, becomes the command.
    fn become_it(&self, given: &[Option<OwnedFd>; 3], interactive: bool) -> i32 {
        let status = self.prepare(given, interactive).map(|()| self.execute());
        status.unwrap_or_else(|error| {
            // Standard error is the terminal by now, or what it was.
            let _ = writeln!(std::io::stderr(), "nsctl: {error}");
            NO_SESSION
        })
    }

    fn prepare(&self, given: &[Option<OwnedFd>; 3], interactive: bool) -> Result<(), Error> {
        let cannot = |errno| Error::system("cannot prepare the visit", errno);
        signal::default_all();
        Mask::none().set();
        for door in &self.doors {
            pty::write(door, b"0")
                .map_err(|errno| Error::system("cannot enter the session's cgroup", errno))?;
        }
        // Away from the administrator's terminal, which could be typed into otherwise.
        process::new_session().map_err(cannot)?;
        for (standard, fd) in (0..).zip(given) {
            if let Some(fd) = fd {
                fd::install(fd, standard).map_err(cannot)?;
            }
        }
        if interactive {
            pty::control(std::io::stdin()).map_err(cannot)?;
        }
        process::close_all_but(&[]).map_err(cannot)?;
        // A standard descriptor may be one, as in `nsctl enter k3 </`.
        enter::close_outside()?;
        process::set_umask(0o022);
        // The user may trace what is the user's, and have what it has.
        leave::keyring().map_err(cannot)?;
        priority::reset();
        self.limits.take().map_err(cannot)?;
        let account = &self.plan.account;
        process::become_user(account.uid, account.gid, &self.groups)
            .map_err(|errno| Error::system(format!("cannot become {}", account.name), errno))?;
        // As the user: a home that only the user may enter.
        let home = fd::open_place(&account.home);
        if home.and_then(fd::change_directory).is_err() {
            fd::open_place(Path::new("/"))
                .and_then(fd::change_directory)
                .map_err(cannot)?;
        }
        if self.layer == Layer::User && !self.command.is_empty() {
            match enter::place()? {
                Place::HostLayer(_) => enter::user_layer()?,
                _ => return Err(Error::Protocol("a session without its plan")),
            }
        }
        Ok(())
    }

    fn execute(&self) -> i32 {
        let shell = &self.plan.shell;
        // Without a command nsshell does the rest, as in a login.
        let (program, arguments) = match (self.command, self.layer) {
            ([], Layer::User) => (OsStr::new(NSSHELL), vec![OsString::from("-nsshell")]),
            ([], Layer::Host) => {
                let mut name = OsString::from("-");
                name.push(shell.file_name().unwrap_or(shell.as_os_str()));
                (shell.as_os_str(), vec![name])
            }
            (command, _) => (command[0].as_os_str(), command.to_vec()),
        };
        let errno = self.search(program, &arguments);
        let shown = program.to_string_lossy();
        let error = Error::system(format!("cannot execute {shown:?} in the session"), errno);
        let _ = writeln!(std::io::stderr(), "nsctl: {error}");
        if errno == Errno::NOENT { 127 } else { 126 }
    }

    /// Executes the first program of this name on [`PATH`], or the one at this path.
    fn search(&self, program: &OsStr, arguments: &[OsString]) -> Errno {
        let arguments: Vec<CString> = arguments.iter().map(|one| c_string(one)).collect();
        let arguments: Vec<_> = arguments.iter().map(CString::as_c_str).collect();
        let environment: Vec<_> = self.environment.iter().map(CString::as_c_str).collect();
        let execute = |path: &OsStr| process::execute(&c_string(path), &arguments, &environment);
        if program.as_bytes().contains(&b'/') {
            return execute(program);
        }
        let mut result = Errno::NOENT;
        for directory in PATH.split(':') {
            match execute(Path::new(directory).join(program).as_os_str()) {
                Errno::NOENT | Errno::NOTDIR => {}
                errno => result = errno,
            }
        }
        result
    }
}

/// Strings of the command line, of paths and of the environment have no NUL.
fn c_string(text: &OsStr) -> CString {
    CString::new(text.as_bytes()).unwrap_or_default()
}

/// What a login would set, and of the administrator's own what describes the terminal.
fn environment(plan: &Plan) -> Vec<CString> {
    let account = &plan.account;
    let pair = |name: &str, value: &OsStr| {
        let mut text = OsString::from(name);
        text.push("=");
        text.push(value);
        c_string(&text)
    };
    let mut set = vec![
        pair("HOME", account.home.as_os_str()),
        pair("USER", OsStr::new(&account.name)),
        pair("LOGNAME", OsStr::new(&account.name)),
        pair("SHELL", plan.shell.as_os_str()),
        pair("PATH", OsStr::new(PATH)),
    ];
    if let Some(directory) = view::runtime_dir(plan) {
        set.push(pair("XDG_RUNTIME_DIR", directory.as_os_str()));
    }
    for name in ["TERM", "COLORTERM", "LANG", "LC_ALL", "LC_CTYPE", "TZ"] {
        set.extend(std::env::var_os(name).map(|value| pair(name, &value)));
    }
    set
}
