//! The protocol of nsshell_session::join, walked through in all interleavings of three logins
//! and their inits, with a crash of any of them at any step. The steps are called as there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "join_model/model.rs"]
mod model;

use std::io::Write as _;

use model::{Fault, Protocol};
use stateright::{Checker, HasDiscoveries, Model};

/// Walks through everything: how many states there are, and which property fails.
fn check(users: [u8; 3], fault: Fault) -> (usize, Option<String>) {
    let checker = Protocol { users, fault }
        .checker()
        .threads(2)
        .finish_when(HasDiscoveries::Any)
        .spawn_bfs()
        .join();
    let failed = checker.discoveries().into_keys().next();
    (checker.unique_state_count(), failed.map(str::to_owned))
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

#[test]
fn no_interleaving_of_three_logins_and_no_crash_breaks_the_protocol() {
    for (whose, users) in [("one user's", [0, 0, 0]), ("two users'", [0, 0, 1])] {
        let (states, failed) = check(users, Fault::None);
        say(&format!("three logins, {whose}: {states} states"));
        assert_eq!(failed, None, "{whose}");
        assert!(states > 10_000, "{states} states");
    }
}

#[test]
fn each_seeded_fault_is_found() {
    let cases = [
        // The door stays open while processes are being ended, and init goes on answering.
        (Fault::CloseLate, "nothing ends a session under its logins"),
        // The helper takes a connection for a lease.
        (Fault::NoAnswer, "nothing ends a session under its logins"),
        (Fault::NoLock, "one session of a user takes logins"),
        (
            Fault::LookFirst,
            "no login enters a session that has said that it ends",
        ),
        (Fault::AnyUser, "no login is in another user's session"),
        (Fault::LeaseCounted, "everything comes to its end"),
        (Fault::LockLeft, "everything comes to its end"),
    ];
    for (fault, property) in cases {
        let users = if fault == Fault::AnyUser {
            [0, 0, 1]
        } else {
            [0, 0, 0]
        };
        let (states, failed) = check(users, fault);
        say(&format!("{fault:?}: found after {states} states"));
        assert_eq!(failed.as_deref(), Some(property), "{fault:?}");
    }
}
