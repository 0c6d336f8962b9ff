//! The engine of nsshell: carries out a plan as a session, and lets it be entered and ended.
//!
//! Who runs what:
//! - the PAM module uses [`caller`]: asks, enters, leaves;
//! - `session-init` is [`helper`], and what it leaves behind is the session's [`init`];
//! - `nsshell` uses [`enter`] inside a session and [`standalone`] where there is none;
//! - `nsctl` reads [`policy`], [`accounts`] and [`login_shell`], finds sessions by [`live`] and who is in them by
//!   [`processes`], how its namespaces hang together by [`family`], and enters them by [`visit`].
#![deny(unsafe_code)]

#[cfg(feature = "engine")]
pub mod accounts;
pub mod audit;
pub mod caller;
#[cfg(feature = "engine")]
mod cgroup;
#[cfg(feature = "engine")]
pub mod copies;
#[cfg(feature = "engine")]
mod door;
#[cfg(feature = "engine")]
pub mod enter;
mod error;
#[cfg(feature = "engine")]
pub mod family;
pub mod foreign_terminal;
#[cfg(feature = "engine")]
pub mod helper;
#[cfg(feature = "engine")]
pub mod init;
#[cfg(feature = "engine")]
pub mod inventory;
#[cfg(feature = "engine")]
pub mod join;
#[cfg(feature = "engine")]
mod lease;
#[cfg(feature = "engine")]
mod limits;
#[cfg(feature = "engine")]
pub mod live;
#[cfg(feature = "engine")]
pub mod login_shell;
#[cfg(feature = "engine")]
pub mod logind;
#[cfg(feature = "engine")]
mod maker_limits;
#[cfg(feature = "engine")]
pub mod manager;
#[cfg(feature = "engine")]
pub mod maps;
#[cfg(feature = "engine")]
mod opening;
#[cfg(feature = "engine")]
pub mod orders;
#[cfg(feature = "engine")]
pub mod places;
#[cfg(feature = "engine")]
pub mod policy;
#[cfg(feature = "engine")]
pub mod processes;
#[cfg(feature = "engine")]
pub mod program;
pub mod protocol;
#[cfg(feature = "engine")]
pub mod record;
#[cfg(feature = "engine")]
pub mod relay;
#[cfg(feature = "engine")]
mod snapshot;
#[cfg(feature = "engine")]
pub mod standalone;
#[cfg(feature = "engine")]
mod standing;
#[cfg(feature = "engine")]
pub mod subordinate;
#[cfg(feature = "engine")]
pub mod sweep;
#[cfg(feature = "engine")]
pub mod sweep_stores;
pub mod sys;
#[cfg(feature = "engine")]
mod trail;
#[cfg(feature = "engine")]
pub mod usage;
#[cfg(feature = "engine")]
pub mod user_namespace;
#[cfg(feature = "engine")]
pub mod view;
#[cfg(feature = "engine")]
pub mod visit;
#[cfg(feature = "engine")]
mod word;

pub use error::{Error, one_line};

/// Our directory under /run: on the host root's, 0711, with the records and the users' copies;
/// inside a session a tmpfs of its own that anybody there may read.
pub const STATE: &str = "/run/nsshell";

/// The directory of session records on the host; root, 0700. A record's file name is the
/// session's.
pub const RECORDS: &str = "/run/nsshell/sessions";

/// The directory of the copies of records that users may read: one directory a user, named by
/// the uid, that only that user and root may list. A copy's file name is the session's.
pub const COPIES: &str = "/run/nsshell/copies";

/// Inside a session: its name.
pub const NAME: &str = "/run/nsshell/session";

/// The directory of the doors of sessions on the host, a directory a user; root, 0700.
pub const USERS: &str = "/run/nsshell/users";

/// Inside a session: its plan, as JSON.
pub const PLAN: &str = "/run/nsshell/plan";

/// Inside a session: the gate's part of its plan, [`nsshell_gate::orders`].
pub const GATE: &str = "/run/nsshell/gate";

/// The longest plan that is read, in bytes: the state of a session has room for no more.
#[cfg(feature = "engine")]
pub(crate) const LONGEST_PLAN: u64 = 8 << 20;

/// Inside a session: its user namespace, a file that setns(2) takes.
pub const USER_NAMESPACE: &str = "/run/nsshell/user";

/// The login shell, where it is installed.
pub const NSSHELL: &str = concat!(env!("NSSHELL_BINDIR"), "/nsshell");
