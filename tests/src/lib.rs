//! A throw-away host for end-to-end tests: the real sshd, ssh, login, su and cron, on a machine
//! of their own that exists only while the test runs.
//!
//! # A case in five lines
//! ```no_run
//! use nsshell_tests::{Host, root_or_skip};
//! # fn g1_a_session_has_a_pid_1_of_its_own() {
//! root_or_skip!(); // first line of every case
//! let host = Host::confined(); // alice and bob, the module in every PAM stack
//! assert!(host.ssh("alice", "ps -o comm= -p 1").ok().contains("nsshell-init"));
//! let control = Host::unconfined(); // the same attempt without the product must come out otherwise
//! assert!(!control.ssh("alice", "ps -o comm= -p 1").ok().contains("nsshell-init"));
//! # }
//! ```
//! Put it into a module of `tests/e2e/`; name it as a sentence, with the number of the guarantee
//! that it shows.
//!
//! # What there is
//! - [`Host::confined`], [`Host::unconfined`], and [`Host::builder`] for users, policy, PAM lines
//!   and files of one's own.
//! - [`Host::run`] runs a line of shell as root in the host, [`Host::ssh`] logs in first;
//!   [`Host::cmd`] and [`Host::ssh_cmd`] give the same with environment, standard input, a limit,
//!   in the background ([`Cmd::spawn`]) or on a terminal ([`Cmd::pty`]).
//! - [`Output::ok`] takes the standard output of a command that must succeed; [`Output::fails`]
//!   takes the standard error of one that must not, [`Output::json`] what `nsctl` prints with
//!   --json, if the schema has it so.
//! - [`Session`] ([`Host::session`]) is a login that stays open and answers one command after
//!   the other, for what happens between two users.
//! - [`Pty`] is a real terminal: send, expect, window size.
//! - [`Host::log`] is what went to syslog, [`Host::census`] counts what may be left behind,
//!   [`wait_for`] polls with a limit.
//!
//! `cargo run -p nsshell-tests --bin testhost` opens a shell in such a host, to look around.
//!
//! # What a host is
//! Namespaces of its own of every kind but user and time. Its root is an overlay over the machine's with
//! the upper layer on a tmpfs of that mount namespace, so nothing that happens in it reaches the
//! machine, and its own /etc/pam.d, accounts, sshd configuration, devpts, /dev, /run, /home and
//! /tmp. PID 1 is `testhost_init`: it builds all this, reaps, keeps the log, and ends when the
//! test does, even by SIGKILL (its standard input ends then); with it goes everything else.
//! The machine must be Linux with overlayfs and util-linux, and the test must run as root;
//! without root a case says that it was skipped, except that with `CI=true` it fails.
//!
//! With [`Builder::systemd`] PID 1 is the machine's systemd, with few units of ours and none of
//! the machine's; `testhost_init` stays outside of that and ends it. Its control groups lie in
//! one below the test's own, which is removed at the end.
//!
//! Confined hosts take the product from the release directory beside the test's own target
//! directory, or from the directory in `NSSHELL_BUILD`.
#![forbid(unsafe_code)]
// Test code: a failed expectation ends the case, with its reason.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod builder;
mod census;
mod command;
mod host;
mod output;
pub mod pam;
mod product;
mod pty;
mod session;
pub mod spec;
pub mod validate;
mod wait;

pub use builder::{Builder, UserBuilder};
pub use census::Census;
pub use command::{Cmd, Running};
pub use host::{Host, PASSWORD};
pub use output::Output;
pub use product::Product;
pub use pty::Pty;
pub use session::Session;
pub use wait::{LIMIT, privileged, wait_for};
