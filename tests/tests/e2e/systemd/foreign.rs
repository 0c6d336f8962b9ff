//! First logins of a user that another user has begun, in whose power the cgroup is.

use std::time::{Duration, Instant};

use nsshell_tests::{Builder, Host, PASSWORD, root_or_skip, wait_for};

use super::builder;

/// Bob is left alone, and so can become alice, as by sudo: without a scope of hers.
fn with(keys: &str) -> Builder {
    let bob = "[[rule]]\nusers = ['bob']\nprofile = 'none'\n";
    builder()
        .policy(&format!("{bob}[profile.standard]\n{keys}\n"))
        .prepare("sed -i /pam_systemd/d /etc/pam.d/su")
}

const SESSION: &str = "echo $NSSHELL_SESSION";

/// A cgroup of bob's, and a command in it as root.
const BOBS: &str = "/sys/fs/cgroup/bob-s.slice";

fn in_bobs(line: &str) -> String {
    format!("sh -c \"echo 0 > {BOBS}/cgroup.procs && {line}\"")
}

fn with_cgroup(host: Host) -> Host {
    host.run(&format!("mkdir {BOBS} && chown bob {BOBS}")).ok();
    host
}

fn sleeps(host: &Host) -> bool {
    host.run("pgrep -u alice -x sleep").success()
}

#[test]
fn g5_another_user_who_became_alice_first_does_not_end_her_session_with_an_own_one() {
    root_or_skip!();
    let host = with("").start();
    let mut bob = host.ssh_pty("bob", "");
    bob.line("echo id=$XDG_SESSION_ID=; exec su alice -c 'exec sleep 1234'");
    let seen = bob.expect("assword: ");
    bob.line(PASSWORD);
    let id = seen
        .rsplit("id=")
        .next()
        .unwrap()
        .split('=')
        .next()
        .unwrap();
    wait_for("bob to be alice", || sleeps(&host));
    let wanted = format!("/session-{id}.scope");
    let init = host.run("cat /proc/$(pgrep -x nsshell-init)/cgroup").ok();
    assert!(init.ends_with(&wanted), "{init} {seen}");
    host.wait_for_log("apart=cgroup");
    let mut alice = host.session("alice");
    let mut again = host.session("alice");
    assert_eq!(alice.ask(SESSION).ok(), again.ask(SESSION).ok());
    host.ssh("bob", &format!("loginctl terminate-session {id}"))
        .ok();
    wait_for("the end of bob's alice", || !sleeps(&host));
    let _ = bob.wait();
    assert_eq!(alice.ask("echo alive").ok(), "alive");
    assert_eq!(again.ask("echo alive").ok(), "alive");
}

#[test]
fn g5_another_user_who_freezes_a_first_login_of_alice_s_keeps_no_other_one_waiting() {
    root_or_skip!();
    let host = with_cgroup(with("").start());
    let line = in_bobs("exec su alice -c 'sleep 1234'");
    host.run(&format!("setsid -f {line} >/dev/null 2>&1")).ok();
    wait_for("the first login", || sleeps(&host));
    host.run(&format!("echo 1 > {BOBS}/cgroup.freeze")).ok();
    let begun = Instant::now();
    let mut alice = host.session("alice");
    assert_eq!(alice.ask("pgrep -x sleep; true").ok(), "");
    assert!(begun.elapsed() < Duration::from_secs(5));
    host.run(&format!("echo 1 > {BOBS}/cgroup.kill")).ok();
    assert_eq!(alice.ask("echo alive").ok(), "alive");
}

#[test]
fn a_login_from_another_user_s_cgroup_shares_what_is_there_and_waits_for_no_lock() {
    root_or_skip!();
    let host = with_cgroup(with("").start());
    let become_alice = in_bobs(&format!("su alice -c '{}'", SESSION.replace('$', "\\$")));
    let mut alice = host.session("alice");
    // Somebody is about to make or to look for a session of alice's.
    let lock = "setsid -f flock /run/nsshell/users/1000 sleep 1000 >/dev/null 2>&1; sleep 0.3";
    host.run(lock).ok();
    assert_eq!(host.run(&become_alice).ok(), alice.ask(SESSION).ok());
}

#[test]
fn a_login_that_max_sessions_could_not_count_is_refused() {
    root_or_skip!();
    let host = with_cgroup(with("max_sessions = 1").start());
    let become_alice = in_bobs("su alice -c 'echo in'");
    host.run(&become_alice).fails();
    host.wait_for_log("that max_sessions does not count");
    let alice = host.session("alice");
    host.run(&become_alice).fails();
    host.wait_for_log("as many logins as max_sessions");
    alice.end().ok();
}
