//! What ends a session or keeps a login out of it.

use std::time::{Duration, Instant};

use nsshell_tests::{root_or_skip, wait_for};

use super::{name, records, traces, wait_for_no_traces, with};
use crate::attempt::{Way, refused};

fn policy(host: &nsshell_tests::Host, keys: &str) {
    host.cmd("cat > /etc/nsshell/nsshell.toml")
        .stdin(format!("[profile.standard]\n{keys}\n"))
        .output()
        .ok();
}

#[test]
fn a_login_beyond_max_sessions_is_refused_in_both_scopes_and_let_in_again_later() {
    root_or_skip!();
    for scope in ["user", "session"] {
        let host = with(&format!(
            "scope = '{scope}'\nmax_sessions = 2\non_failure = 'unconfined'"
        ));
        let one = host.session("alice");
        let _two = host.session("alice");
        let words = ["alice has as many logins as max_sessions = 2 allows in profile \"standard\""];
        refused(&host, Way::Ssh, &words);
        refused(&host, Way::Su, &words);
        host.ssh("bob", "true").ok();
        one.end().ok();
        wait_for("room for a login", || host.ssh("alice", "true").success());
    }
}

#[test]
fn a_session_ends_when_its_lifetime_is_over_with_all_of_its_logins() {
    root_or_skip!();
    let host = with("max_lifetime = '3s'\ngrace = 1");
    let begun = Instant::now();
    let login = || {
        let line = "echo $NSSHELL_SESSION.; exec sleep 1000";
        let mut login = host.ssh_cmd("alice", &[], line).spawn();
        let name = login.expect(".").trim_end_matches('.').to_owned();
        (login, name)
    };
    let ((mut one, first), (mut two, second)) = (login(), login());
    assert_eq!(first, second);
    for login in [&mut one, &mut two] {
        let _ = login.wait(nsshell_tests::LIMIT).fails();
    }
    assert!(
        begun.elapsed() >= Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    host.wait_for_log("reason=lifetime");
    let mut next = host.session("alice");
    assert_ne!(name(&mut next), first);
}

#[test]
fn a_kept_session_ends_after_keep_for_though_something_is_left_in_it() {
    root_or_skip!();
    let host = with("on_logout = 'keep'\nkeep_for = '2s'\ngrace = 1");
    let mut one = host.session("alice");
    one.ask("setsid -f sleep 1000 >/dev/null 2>&1").ok();
    one.end().ok();
    assert_eq!(records(&host).len(), 1);
    wait_for_no_traces(&host);
    host.wait_for_log("reason=keep_for");
    host.run("pgrep -x sleep").fails();
}

#[test]
fn a_session_ends_when_nobody_types_for_long_enough_and_only_then() {
    root_or_skip!();
    let host = with("idle = '10s'\ngrace = 1");
    let without_terminal = host.session("bob");
    let mut idle = host.ssh_pty("alice", "");
    idle.prompt();
    let begun = Instant::now();
    // Somebody who types stays; the kernel notes it every 8 s.
    while begun.elapsed() < Duration::from_secs(14) {
        assert_eq!(idle.ask("echo here"), "here");
        std::thread::sleep(Duration::from_secs(1));
    }
    let stopped = Instant::now();
    idle.wait();
    let took = stopped.elapsed().as_secs();
    assert!((1..25).contains(&took), "{took}");
    host.wait_for_log("reason=idle");
    without_terminal.end().ok();
}

#[test]
fn a_session_of_another_policy_is_joined_replaced_when_empty_or_refused() {
    root_or_skip!();
    let host = with("on_logout = 'keep'");
    let mut one = host.session("alice");
    one.ask("setsid -f sleep 1000 >/dev/null 2>&1").ok();
    let first = name(&mut one);
    let login = || host.ssh("alice", "echo $NSSHELL_SESSION");

    policy(&host, "on_logout = 'keep'\ngrace = 1");
    assert_eq!(login().ok(), first);
    host.wait_for_log("policy=other");

    policy(
        &host,
        "on_logout = 'keep'\ngrace = 1\non_policy_change = 'refuse'",
    );
    refused(
        &host,
        Way::Ssh,
        &[
            &format!("session {first} of alice was made under another policy"),
            &format!("end it with `nsctl end {first}`"),
        ],
    );
    host.ssh("bob", "true").ok();

    policy(
        &host,
        "on_logout = 'keep'\ngrace = 1\non_policy_change = 'replace'",
    );
    assert_eq!(login().ok(), first, "somebody is in it");
    one.end().ok();
    wait_for("a new session", || login().text() != first);
    host.wait_for_log(&format!("replaced={first}"));
    host.wait_for_log("reason=replaced");
    // Under the policy that it was made by, a session is not another one.
    let mut same = host.session("alice");
    assert_eq!(login().ok(), name(&mut same));
    same.end().ok();
    wait_for("no session", || traces(&host).is_empty());
}

#[test]
fn a_session_that_is_only_observed_shares_nothing() {
    root_or_skip!();
    let host = with("mode = 'observe'");
    let inside = host.session("alice");
    assert_eq!(host.ssh("alice", "echo $NSSHELL_SESSION").ok(), "none");
    assert_eq!(traces(&host), "");
    inside.end().ok();
}
