//! The plan of one session: plain data, the only thing that the engine reads.
//!
//! `nsctl explain --json` prints this value, `session-init` carries it out, and it lies as
//! `/run/nsshell/plan` inside the session for `nsshell`. Nothing decides after the plan.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::life::Life;
use crate::mount::Mount;

/// A kind of Linux namespace (namespaces(7)), by the name that policies use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Namespace {
    /// mount_namespaces(7)
    Mount,
    /// ipc_namespaces(7): System V IPC and POSIX message queues
    Ipc,
    /// pid_namespaces(7)
    Pid,
    /// user_namespaces(7)
    User,
    /// uts_namespaces(7): the host name
    Uts,
    /// network_namespaces(7), with only loopback up
    Net,
    /// cgroup_namespaces(7)
    Cgroup,
    /// time_namespaces(7)
    Time,
}

/// Who logs in, as the user database has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// login name
    pub name: String,
    /// user id on the host
    pub uid: u32,
    /// primary group id on the host
    pub gid: u32,
    /// home directory, absolute
    pub home: PathBuf,
    /// the login shell of the user database, absolute; empty means /bin/sh
    pub shell: PathBuf,
}

/// How somebody logs in, as the PAM application tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// PAM service: "sshd", "login", "su", …
    pub service: String,
    /// PAM_TTY, if any: "ssh", "/dev/pts/3", …
    pub tty: Option<String>,
    /// PAM_RHOST, if any: a host name or an address
    pub rhost: Option<String>,
}

/// Which rule chose the profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matched {
    /// the policy file, or "built-in policy"
    pub file: String,
    /// line of the rule in that file, from 1; 0: no rule matched, and root and systemd-user are
    /// left alone then
    pub line: usize,
}

/// One line of /proc/PID/uid_map or gid_map: `count` ids from `inside` are the host's from
/// `outside` (user_namespaces(7)). Neither side ever reaches 4294967295.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMapLine {
    /// first id inside
    pub inside: u32,
    /// first id outside
    pub outside: u32,
    /// how many, at least 1
    pub count: u32,
}

/// Both maps of a user namespace. Lines do not overlap on either side; at most 340 each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMaps {
    /// lines of uid_map
    pub uid: Vec<IdMapLine>,
    /// lines of gid_map
    pub gid: Vec<IdMapLine>,
}

/// What becomes of a login whose session cannot be made as planned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// it is refused
    #[default]
    Deny,
    /// it goes on without a session, and the log says so each time
    Unconfined,
}

/// Whether the plan is carried out for the login.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// the login enters the session
    #[default]
    Enforce,
    /// the session is made beside the login, which stays as it is, to see what would fail
    Observe,
}

/// What is made for a confined session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionPlan {
    /// the kinds of namespaces that are made; always has `Mount`
    pub namespaces: BTreeSet<Namespace>,
    /// both maps; present exactly if `namespaces` has `User`
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id_maps: Option<IdMaps>,
    /// host name inside; present only if `namespaces` has `Uts`; none: the host's
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hostname: Option<String>,
    /// another directory of the host as root: its entries on a read-only root of the
    /// session's own. Every component root's, and writable by nobody else
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub root: Option<PathBuf>,
    /// mounts of the host layer, in order
    pub mounts: Vec<Mount>,
    /// seconds between SIGTERM and SIGKILL at the end of the session
    pub grace: u32,
    /// seconds that making the session may take before it is given up
    pub timeout: u32,
    /// who shares it and how long it lasts
    #[serde(default)]
    pub life: Life,
}

/// The plan of one login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// whose session it is
    pub account: Account,
    /// how they log in
    pub login: Login,
    /// name of the profile
    pub profile: String,
    /// the rule that chose it
    pub matched: Matched,
    /// the real shell that nsshell becomes, absolute
    pub shell: PathBuf,
    /// what nsshell becomes in place of the shell, with its arguments; the first is absolute;
    /// empty: the shell
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub command: Vec<String>,
    /// names of further variables of the login that the command gets, whatever their values are;
    /// each is one that [`may_pass`](crate::may_pass) takes; empty without a command
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub pass_environment: Vec<String>,
    /// the account phase refuses the user if their login shell is not nsshell; only ever true
    /// for a plan with a user namespace, which nothing but nsshell enters
    pub require_nsshell: bool,
    /// what if the session cannot be made; `Unconfined` also for an exempt user
    #[serde(default)]
    pub on_failure: OnFailure,
    /// the user is in a group that the policy never refuses
    #[serde(default)]
    pub exempt: bool,
    /// whether the login enters what is made
    #[serde(default)]
    pub mode: Mode,
    /// what to make; none: the login stays as it is
    pub session: Option<SessionPlan>,
}

impl SessionPlan {
    /// Whether a namespace of this kind is made.
    #[must_use]
    pub fn has(&self, kind: Namespace) -> bool {
        self.namespaces.contains(&kind)
    }
}
