//! The audit trail of init, which outlives the application and its log.
//!
//! What init has to say goes to the host's /dev/log, to which it connects before its first
//! mount: whatever the session has there is the plan's affair. It never waits for the reader.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nsshell_config::Plan;
use rustix::fs::{CWD, OFlags};

use crate::audit::{Facts, Format, NAMESPACE};
use crate::sys::ns::Kinds;
use crate::sys::{fd, unix};

/// LOG_AUTHPRIV | LOG_INFO, as the module's lines have it (syslog(3)).
const PRIORITY: u8 = (10 << 3) | 6;

/// Init's way to the log of the host.
pub(crate) struct Trail {
    socket: Option<OwnedFd>,
    /// the directory of the socket and its name there, for a daemon that starts anew
    place: Option<(OwnedFd, PathBuf)>,
    format: Format,
    tag: String,
}

/// What an event's line says of a session.
pub(crate) fn session_facts(plan: &Plan, session: &str) -> Facts {
    Facts::default()
        .with("session", session)
        .with("user", &plan.account.name)
        .with("uid", plan.account.uid.to_string())
}

/// What it says of the login that is planned as well.
pub(crate) fn facts(plan: &Plan, session: &str) -> Facts {
    policy_facts(
        login_facts(session_facts(plan, session), &login_of(plan)),
        plan,
    )
}

/// With the profile and the rule that the session was made by.
pub(crate) fn policy_facts(facts: Facts, plan: &Plan) -> Facts {
    let rule = format!("{}:{}", plan.matched.file, plan.matched.line);
    facts.with("profile", &plan.profile).with("rule", rule)
}

/// Service, terminal and remote host of the login that is planned.
pub(crate) fn login_of(plan: &Plan) -> [Vec<u8>; 3] {
    let some = |text: &Option<String>| text.clone().unwrap_or_default().into_bytes();
    let login = &plan.login;
    [
        login.service.clone().into_bytes(),
        some(&login.tty),
        some(&login.rhost),
    ]
}

/// With service, terminal and remote host of a login.
pub(crate) fn login_facts(facts: Facts, [service, tty, rhost]: &[Vec<u8>; 3]) -> Facts {
    facts
        .with("service", service)
        .with("tty", tty)
        .with("rhost", rhost)
}

/// With the session's init and the namespaces that are its own.
pub(crate) fn with_init(
    facts: Facts,
    pid: i32,
    kinds: Kinds,
    inodes: &BTreeMap<String, u64>,
) -> Facts {
    inodes
        .iter()
        .filter(|(kind, _)| Kinds::named(kind).is_some_and(|kind| kinds.has(kind)))
        .fold(
            facts.with("init", pid.to_string()),
            |facts, (kind, inode)| facts.with(&format!("{NAMESPACE}{kind}"), inode.to_string()),
        )
}

impl Trail {
    /// Connects. To be called before the first mount. Without a daemon there is no trail.
    pub(crate) fn open(format: Format) -> Trail {
        // A link on hosts with systemd: what it leads to is root's.
        let path = std::fs::canonicalize("/dev/log").ok();
        let place = path.as_deref().and_then(|path| {
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            let directory = fd::open_beneath(CWD, path.parent()?, flags).ok()?;
            Some((directory, PathBuf::from(path.file_name()?)))
        });
        // The number that the host knows init by: /proc is still the host's.
        let pid = std::fs::read_link("/proc/self").unwrap_or_default();
        Trail {
            socket: path.and_then(|path| unix::datagrams_to(&path).ok()),
            place,
            format,
            tag: format!("<{PRIORITY}>nsshell-init[{}]: ", pid.display()),
        }
    }

    /// The descriptors that init has to keep.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = &dyn AsRawFd> {
        let place = self.place.as_ref().map(|(place, _)| place as &dyn AsRawFd);
        let socket = self.socket.as_ref().map(|socket| socket as &dyn AsRawFd);
        place.into_iter().chain(socket)
    }

    /// Writes the line of an event.
    pub(crate) fn write(&mut self, event: &str, sentence: &str, facts: &Facts) {
        self.send(&facts.line(self.format, event, sentence));
    }

    fn send(&mut self, line: &str) {
        let line = format!("{}{line}", self.tag);
        let sent = self
            .socket
            .as_ref()
            .map(|s| unix::send_datagram(s, line.as_bytes()));
        if matches!(sent, Some(Ok(()))) {
            return;
        }
        // A daemon that has started anew has a new socket in the same place. If it is just
        // behind with reading, this does no harm.
        if let Some(socket) = self.connect_again() {
            let _ = unix::send_datagram(&socket, line.as_bytes());
            self.socket = Some(socket);
        }
    }

    /// By way of the working directory, since the path may lead elsewhere in the session.
    fn connect_again(&self) -> Option<OwnedFd> {
        let (directory, name) = self.place.as_ref()?;
        fd::change_directory(directory).ok()?;
        let socket = unix::datagrams_to(Path::new(name)).ok();
        let _ = rustix::process::chdir("/");
        socket
    }
}
