//! The policy of nsshell and what becomes of it: a plan.
//!
//! policy (TOML) → [`resolve`] → [`Plan`]. Everything here is pure: no system call, no clock,
//! no environment. What the host has to say (groups, subordinate ids, its name) comes in
//! through the trait [`Host`], so that the same code runs in a login, in `nsctl explain`
//! and in a test.
#![forbid(unsafe_code)]

mod binds;
mod command;
mod conflict;
mod cover;
mod diagnostic;
#[cfg(test)]
mod dice;
mod entry;
mod environment;
mod error;
mod everybody;
mod explain;
pub mod group_file;
mod home;
mod host;
pub mod idmap;
mod lay;
mod life;
mod lint;
mod lint_disk;
mod lint_names;
mod lint_places;
mod lint_terminals;
mod lint_view;
mod login_defs;
mod login_policy;
mod manager;
mod matching;
mod mount;
mod network;
mod path;
mod pattern;
mod plain;
mod plan;
mod policy;
mod private;
mod profile;
mod reach;
mod resolve;
mod rule;
mod settle;
mod shape;
mod source;
mod spared;
pub mod subid;
pub mod subordinate;
mod subtable;
mod suggest;
mod syntax;
mod template;
mod tree;
mod view;
mod word;
mod written;

pub use binds::{BIND_KEYS, BIND_OPTIONS};
pub use diagnostic::{Diagnostic, Excerpt, Severity, printable};
pub use entry::ENTRY_KEYS;
pub use environment::{Unpassable, may_pass};
pub use error::Error;
pub use everybody::Everybody;
pub use explain::{Explanation, Missed, Origin, explain};
pub use home::HOME_KEYS;
pub use host::{Facts, Host, IdKind, Range, RangeFault};
pub use lay::TOP_KEYS;
pub use life::{Life, OnLogout, OnPolicyChange, Scope};
pub use lint::lint;
pub use lint_terminals::open_terminals;
pub use login_defs::Limits;
pub use login_policy::LoginPolicy;
pub use mount::{Attributes, BindIds, Contents, HidePid, Home, Mount, Propagation, SysView, Upper};
pub use plan::{
    Account, IdMapLine, IdMaps, Login, Matched, Mode, Namespace, OnFailure, Plan, SessionPlan,
};
pub use policy::{
    BUILT_IN, Layer, MAX_FILE_SIZE, MAX_FILES, NONE, Policy, PolicyFile, Stores, left_alone,
};
pub use private::PRIVATE_KEYS;
pub use profile::PROFILE_KEYS;
pub use reach::{Found, Obstacle, obstacle};
pub use resolve::resolve;
pub use rule::{RULE_KEYS, is_systemd_user};
pub use spared::{Refused, Spared, refused, spared};
pub use view::EXPOSED;
