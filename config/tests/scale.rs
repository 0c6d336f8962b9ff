//! What a policy of many rules costs a login.
//!
//! How fast a machine is, and what else it does meanwhile, is not known here. So the limit is a
//! measure taken in the same run: the time in which the TOML reader alone goes through the same
//! text and keeps nothing of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]
use std::time::{Duration, Instant};

#[path = "all/common/mod.rs"]
mod common;

use common::{Table, account, login};
use nsshell_config::{Policy, resolve};
use toml_parser::parser::{Event, parse_document};

fn time<T>(once: impl FnOnce() -> T) -> (Duration, T) {
    let begun = Instant::now();
    let made = once();
    (begun.elapsed(), made)
}

/// Tokens and events, of which nothing is kept.
fn toml_alone(text: &str) -> usize {
    let mut events = 0;
    let tokens = toml_parser::Source::new(text).lex().into_vec();
    parse_document(&tokens, &mut |_: Event| events += 1, &mut ());
    events
}

fn ten_thousand_rules() -> String {
    let rules = (0..10_000).map(|at| {
        format!(
            "[[rule]]\nusers = [\"user{at}\", \"@group{at}\"]\nservices = [\"sshd\", \"login\"]\n\
             profile = \"standard\"\n\n"
        )
    });
    rules.collect()
}

#[test]
fn ten_thousand_rules_cost_a_login_at_most_twice_what_the_toml_reader_takes_alone() {
    let text = ten_thousand_rules();
    let host = Table {
        uids: vec![(100_000, 65536)],
        groups: vec!["users", "alice"],
        ..Table::default()
    };
    let (login, alice) = (login("sshd"), account("alice", 1000));
    let mut best = [Duration::MAX; 4];
    let mut first = None;
    for _ in 0..15 {
        // by turns, so that what else the machine does falls on all of them
        let (alone, events) = time(|| toml_alone(&text));
        assert!(events > 100_000, "{events}");
        let (read, policy) = time(|| Policy::parse(&text, "p.toml").unwrap());
        let (resolved, plan) = time(|| resolve(&policy, &login, &alice, &host).unwrap());
        assert_eq!(plan.profile, "standard");
        let (dropped, ()) = time(|| drop(policy));
        first.get_or_insert(read);
        for (best, now) in best.iter_mut().zip([alone, read, resolved, dropped]) {
            *best = now.min(*best);
        }
    }
    let [alone, read, resolved, dropped] = best;
    eprintln!(
        "{} bytes: read in {read:?} (the first time {:?}), resolved in {resolved:?}, dropped in \
         {dropped:?}; the TOML reader alone {alone:?}",
        text.len(),
        first.unwrap()
    );
    assert!(
        read + resolved < alone * 2,
        "{read:?} {resolved:?} {alone:?}"
    );
}

#[test]
fn what_one_rule_more_costs_does_not_depend_on_how_many_there_are() {
    let text = ten_thousand_rules();
    let (part, _) = text.split_at(text.find("user1000\"").unwrap());
    let part = part.rsplit_once("[[rule]]").unwrap().0;
    let mut best = [Duration::MAX; 2];
    for _ in 0..15 {
        for (best, text) in best.iter_mut().zip([part, &text]) {
            let (read, _) = time(|| Policy::parse(text, "p.toml").unwrap());
            *best = read.min(*best);
        }
    }
    // ten times the rules; were it by the square, it would be a hundred times the time
    assert!(best[1] < best[0] * 30, "{best:?}");
}
