//! The policy of nsshell and what becomes of it: a plan.
//!
//! policy (TOML) → [`resolve`] → [`Plan`]. Everything here is pure: no system call, no clock,
//! no environment. What the host has to say (groups, subordinate ids, its name) comes in
//! through the trait [`Host`], so that the same code runs in a login, in `nsctl explain`
//! and in a test.
#![forbid(unsafe_code)]

mod diagnostic;
mod error;
mod host;
mod hostname;
pub mod idmap;
mod path;
mod plan;
mod policy;
mod profile;
mod resolve;
mod rule;
pub mod subid;
mod suggest;
mod text;

pub use diagnostic::{Diagnostic, printable};
pub use error::Error;
pub use host::{Host, IdKind, Range, RangeFault};
pub use plan::{Account, IdMapLine, IdMaps, Login, Matched, Mount, Namespace, Plan, SessionPlan};
pub use policy::{BUILT_IN, MAX_FILE_SIZE, NONE, Policy, left_alone};
pub use resolve::resolve;
