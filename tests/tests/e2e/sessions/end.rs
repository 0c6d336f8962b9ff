//! `nsctl end`.

use std::time::{Duration, Instant};

use nsshell_tests::{Host, root_or_skip, wait_for};

use super::{listed, login_with_sleep, name_of};

fn with_policy(policy: &str) -> Host {
    Host::builder()
        .confined()
        .user("alice")
        .user("bob")
        .policy(policy)
        .start()
}

/// A process in alice's session that ignores SIGTERM and SIGHUP.
fn stubborn(host: &Host) -> nsshell_tests::Session {
    let mut session = host.session("alice");
    session
        .ask("setsid -f sh -c 'trap \"\" HUP TERM; echo $$ > ~/stubborn; while :; do sleep 1; done' >/dev/null 2>&1")
        .ok();
    wait_for("the process", || {
        session.ask("test -s ~/stubborn").success()
    });
    session
}

fn is_left(host: &Host) -> bool {
    host.run("pgrep -u alice -f 'trap'").success()
}

#[test]
fn a_session_ends_in_good_order_and_others_go_on() {
    root_or_skip!();
    let host = Host::confined();
    host.ssh("alice", "true").ok();
    wait_for("the first", || listed(&host).is_empty());
    let before = host.census();
    let mut alice = host.session("alice");
    alice
        .ask("setsid -f sh -c 'trap \"\" HUP; trap \"echo asked > ~/asked; exit\" TERM; touch ~/ready; while :; do sleep 0.1; done' >/dev/null 2>&1")
        .ok();
    wait_for("the process", || alice.ask("test -e ~/ready").success());
    let mut bob = login_with_sleep(&host, "bob");
    let name = name_of(&host, "alice");
    let said = host.run(&format!("nsctl end {}", &name[..5])).ok();
    assert!(
        said.starts_with(&format!("session {name} of alice has ended, after ")),
        "{said}"
    );
    assert!(listed(&host).iter().all(|one| one.user == "bob"));
    assert_eq!(host.run("cat /home/alice/asked").ok(), "asked");
    assert!(!alice.wait().success());
    bob.ask("pgrep -x sleep").ok();
    bob.end().ok();
    host.wait_for_nothing_left(&before);
}

#[test]
fn the_logins_that_share_a_session_are_counted_and_end_with_it() {
    root_or_skip!();
    let host = Host::confined();
    let logins = [host.session("alice"), host.session("alice")];
    let all = listed(&host);
    assert_eq!((all.len(), all[0].logins), (1, Some(2)));
    let name = &all[0].session;
    let shown = host.run(&format!("nsctl show --json {name} | jq .logins"));
    assert_eq!(shown.ok(), "2");
    // A door that somebody only asks at stays as it is.
    let said = host.run(&format!("nsctl end {name}")).ok();
    assert!(said.ends_with("; it had 2 logins"), "{said}");
    for login in logins {
        assert!(!login.wait().success());
    }
    assert!(listed(&host).is_empty());
}

#[test]
fn a_process_that_ignores_sigterm_has_the_grace_and_no_more() {
    root_or_skip!();
    let host = with_policy("[profile.standard]\ngrace = 2\n");
    let _alice = stubborn(&host);
    let began = Instant::now();
    let said = host.run("nsctl end --user alice").ok();
    let took = began.elapsed();
    assert!(said.contains(" of alice has ended, after "), "{said}");
    assert!(
        took >= Duration::from_secs(2) && took < Duration::from_secs(8),
        "{took:?}"
    );
    assert!(!is_left(&host));
}

#[test]
fn now_kills_at_once_and_leaves_no_record() {
    root_or_skip!();
    let host = with_policy("[profile.standard]\ngrace = 60\n");
    host.ssh("bob", "true").ok();
    wait_for("the first", || listed(&host).is_empty());
    let before = host.census();
    let _alice = stubborn(&host);
    let _bob = login_with_sleep(&host, "bob");
    let (alice, bob) = (name_of(&host, "alice"), name_of(&host, "bob"));
    let began = Instant::now();
    let said = host.run("nsctl end --all --now").ok();
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(
        said,
        format!(
            "session {alice} of alice was killed; it had 1 login\n\
             session {bob} of bob was killed; it had 1 login"
        )
    );
    assert!(!is_left(&host) && listed(&host).is_empty());
    host.run("rm -f /home/alice/stubborn").ok();
    host.wait_for_nothing_left(&before);
}

#[test]
fn a_session_that_does_not_end_is_told_of_within_a_limit() {
    root_or_skip!();
    let host = with_policy("[profile.standard]\ngrace = 0\n");
    let _alice = login_with_sleep(&host, "alice");
    let name = name_of(&host, "alice");
    host.run("pkill -STOP -x nsshell-init").ok();
    let began = Instant::now();
    let output = host.run(&format!("nsctl end {name}"));
    assert!(began.elapsed() < Duration::from_secs(15));
    assert_eq!(output.code(), Some(1));
    let said = output.fails();
    assert!(
        said.starts_with(&format!(
            "session {name} of alice has not ended within 10 s; --now"
        )),
        "{said}"
    );
    host.run(&format!("nsctl end --now {name}")).ok();
    assert!(!host.run("pgrep -x sleep").success());
}

#[test]
fn a_session_without_a_pid_namespace_ends_with_its_processes() {
    root_or_skip!();
    let host = with_policy(
        "[[rule]]\nusers = ['alice']\nprofile = 'bare'\n\
         [profile.bare]\nnamespaces = ['mount', 'ipc']\nprivate = ['/tmp']\ngrace = 1\n",
    );
    let _alice = login_with_sleep(&host, "alice");
    host.run("setsid -f sleep 5000 >/dev/null 2>&1").ok();
    let name = name_of(&host, "alice");
    let said = host.run(&format!("nsctl end {name}")).ok();
    assert!(
        said.starts_with(&format!("session {name} of alice has ended")),
        "{said}"
    );
    assert!(!host.run("pgrep -u alice -x sleep").success());
    // root's own, which is in no session, and sshd live on
    host.run("pgrep -f '^sleep 5000'").ok();
    host.ssh("bob", "true").ok();
}
