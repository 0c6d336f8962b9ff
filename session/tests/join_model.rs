//! The protocol of nsshell_session::join, walked through in all interleavings of three logins
//! and their inits, with any two accidents at any two steps: the crash of a helper, of an
//! application, of an init, an init that fails to answer, a deadline, an order to end. Two
//! logins are walked through with any number of them, and those of two users, who share nothing,
//! with one. `Step::function` has the names of the steps in
//! the code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "join_model/init.rs"]
mod init;
#[path = "join_model/login.rs"]
mod login;
#[path = "join_model/model.rs"]
mod model;
#[path = "join_model/state.rs"]
mod state;

use std::collections::{HashMap, HashSet};
use std::io::Write as _;
use std::mem::discriminant;

use model::Protocol;
use state::Fault;
use stateright::{Checker, HasDiscoveries, Model};

/// More logins than there are.
const ANY: usize = 9;

const ONE_USER: Protocol = Protocol {
    logins: &[(0, false), (0, false), (0, false)],
    accidents: 2,
    most: ANY,
    keep: false,
    apart: false,
    fault: Fault::None,
};

/// Walks through everything: how many states there are, and which property fails.
fn check(protocol: Protocol) -> (usize, Option<String>) {
    let checker = protocol
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
    let cases = [
        ("three logins of one user", ONE_USER),
        (
            "two logins only, any number of accidents",
            Protocol {
                logins: &[(0, false), (0, true)],
                accidents: model::ANY,
                keep: true,
                ..ONE_USER
            },
        ),
        (
            "three logins of two users",
            Protocol {
                logins: &[(0, false), (0, false), (1, false)],
                accidents: 1,
                ..ONE_USER
            },
        ),
        (
            "three logins, one of another policy, kept, two at most",
            Protocol {
                logins: &[(0, false), (0, false), (0, true)],
                most: 2,
                keep: true,
                ..ONE_USER
            },
        ),
        (
            "three logins, each its own session, two at most",
            Protocol {
                most: 2,
                apart: true,
                ..ONE_USER
            },
        ),
    ];
    for (whose, protocol) in cases {
        let begun = std::time::Instant::now();
        let (states, failed) = check(protocol);
        say(&format!("{whose}: {states} states, {:?}", begun.elapsed()));
        assert_eq!(failed, None, "{whose}");
        assert!(states > 10_000, "{states} states");
    }
}

#[test]
fn each_seeded_fault_is_found() {
    const UNDER: &str = "nothing ends a session under its logins";
    const ONE: &str = "one session of a user takes logins";
    const OVER: &str = "everything comes to its end";
    const LATE: &str = "no login enters a session that has said that it ends";
    let of = |fault| Protocol { fault, ..ONE_USER };
    let cases = [
        // The door stays open while processes are being ended, and init goes on answering.
        (of(Fault::CloseLate), UNDER),
        // The helper takes a connection for a lease.
        (of(Fault::NoAnswer), UNDER),
        (of(Fault::NoLock), ONE),
        (of(Fault::LookFirst), LATE),
        (
            Protocol {
                logins: &[(0, false), (0, false), (1, false)],
                ..of(Fault::AnyUser)
            },
            "no login is in another user's session",
        ),
        (of(Fault::LeaseCounted), OVER),
        (of(Fault::LockLeft), OVER),
        // An init that lives, and takes logins, has dropped one.
        (of(Fault::EofIsEnding), ONE),
        // gc between the name of a door and its listener.
        (of(Fault::NameFirst), "a live session has its door"),
        // A child of the application goes on holding its lease.
        (of(Fault::NoHolder), OVER),
        (of(Fault::LockShort), ONE),
        (
            Protocol {
                logins: &[(0, false), (0, true), (0, true)],
                ..of(Fault::ReplaceInUse)
            },
            UNDER,
        ),
        (
            Protocol {
                keep: true,
                ..of(Fault::ProcessesIgnored)
            },
            "nothing ends a session under what is kept in it",
        ),
        (
            Protocol {
                most: 1,
                apart: true,
                ..of(Fault::LockShort)
            },
            "no more logins than may be",
        ),
    ];
    for (protocol, property) in cases {
        let fault = protocol.fault;
        let (states, failed) = check(protocol);
        say(&format!("{fault:?}: found after {states} states"));
        assert_eq!(failed.as_deref(), Some(property), "{fault:?}");
    }
}

#[test]
fn each_step_of_the_model_is_taken_and_is_a_function_of_the_code() {
    let source = |file: &str| {
        let path = format!("{}/src/{file}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(&path).expect(&path)
    };
    const ALL: usize = 34;
    let model = Protocol {
        keep: true,
        ..ONE_USER
    };
    let (mut seen, mut next) = (HashSet::new(), model.init_states());
    let mut steps = HashMap::new();
    while steps.len() < ALL
        && let Some(state) = next.pop()
    {
        let mut possible = Vec::new();
        model.actions(&state, &mut possible);
        for step in possible {
            steps.insert(discriminant(&step), step);
            let after = model.next_state(&state, step).unwrap();
            if seen.insert(after.clone()) {
                next.push(after);
            }
        }
    }
    assert_eq!(steps.len(), ALL, "{:?}", steps.values());
    for step in steps.into_values() {
        if let Some((file, function)) = step.function() {
            assert!(
                source(file).contains(&format!("fn {function}(")),
                "{step:?} is {function} of {file}"
            );
        }
    }
}
