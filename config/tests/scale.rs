//! What a policy of many rules costs a login. The limits hold for an optimised build; an
//! unoptimised one only shows the figures.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]
mod common;

use std::time::{Duration, Instant};

use common::{Table, account, login};
use nsshell_config::{Policy, resolve};

fn best(mut once: impl FnMut()) -> Duration {
    let mut time = || {
        let begun = Instant::now();
        once();
        begun.elapsed()
    };
    (0..10).map(|_| time()).min().unwrap()
}

#[test]
fn ten_thousand_rules_cost_a_login_less_than_ten_milliseconds() {
    let rules = (0..10_000).map(|at| {
        format!(
            "[[rule]]\nusers = [\"user{at}\", \"@group{at}\"]\nservices = [\"sshd\", \"login\"]\n\
             profile = \"standard\"\n\n"
        )
    });
    let text: String = rules.collect();
    let host = Table {
        uids: vec![(100_000, 65536)],
        groups: vec!["users", "alice"],
        ..Table::default()
    };
    let (login, alice) = (login("sshd"), account("alice", 1000));
    let mut policy = None;
    let read = best(|| policy = Some(Policy::parse(&text, "p.toml").unwrap()));
    let policy = policy.unwrap();
    let resolved = best(|| drop(resolve(&policy, &login, &alice, &host).unwrap()));
    let dropped = {
        let begun = Instant::now();
        drop(policy);
        begun.elapsed()
    };
    eprintln!(
        "{} bytes: read in {read:?}, resolved in {resolved:?}, dropped in {dropped:?}",
        text.len()
    );
    let limit = Duration::from_millis(if cfg!(debug_assertions) { 2000 } else { 20 });
    assert!(read + resolved < limit, "{read:?} {resolved:?}");
}
