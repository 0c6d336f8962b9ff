//! The end of a session is the end of everything in it.

use std::time::Duration;

use nsshell_tests::{Host, Session, root_or_skip, wait_for};

/// A session that has let go of a process as well as a user can.
fn with_daemon(host: &Host) -> Session {
    let mut session = host.session("alice");
    session
        .ask("setsid -f sh -c 'trap \"\" HUP; exec sleep 1000' >/dev/null 2>&1")
        .ok();
    wait_for("the daemon", || session.ask("pgrep -x sleep").success());
    session
}

/// Whether the daemon ends when the session does, which `end` brings about, and nothing is left.
/// If it lives on it must be for long enough to be no coincidence.
fn ends_with_session(host: &Host, end: impl FnOnce(Session)) -> bool {
    // The first login of a host may make what the following find: it does not count.
    host.ssh("alice", "true").ok();
    let before = host.census();
    end(with_daemon(host));
    wait_for("the end of sshd's processes", || {
        !host.run("pgrep -f '^sshd: alice'").success()
    });
    let confined = host.run("test -e /usr/bin/nsshell").success();
    if confined {
        host.wait_for_nothing_left(&before);
    }
    !host.run("pgrep -x sleep").success()
}

fn kill_monitor(host: &Host, session: Session) {
    host.run("pkill -KILL -f '^sshd: alice [[]priv[]]'").ok();
    let _ = session.wait();
}

#[test]
fn g5_nothing_outlives_a_logout() {
    root_or_skip!();
    let end = |session: Session| assert!(session.end().success());
    assert!(ends_with_session(&Host::confined(), end));
    assert!(!ends_with_session(&Host::unconfined(), end));
}

#[test]
fn g5_nothing_outlives_a_client_that_vanishes() {
    root_or_skip!();
    assert!(ends_with_session(&Host::confined(), Session::vanish));
    assert!(!ends_with_session(&Host::unconfined(), Session::vanish));
}

#[test]
fn g5_nothing_outlives_the_sshd_monitor_killed_with_sigkill() {
    root_or_skip!();
    let host = Host::confined();
    assert!(ends_with_session(&host, |session| kill_monitor(
        &host, session
    )));
    let control = Host::unconfined();
    assert!(!ends_with_session(&control, |session| kill_monitor(
        &control, session
    )));
}

#[test]
fn g5_nothing_outlives_the_session_s_init() {
    root_or_skip!();
    let host = Host::confined();
    assert!(ends_with_session(&host, |session| {
        host.run("pkill -KILL -x nsshell-init").ok();
        let _ = session.wait();
    }));
    host.ssh("alice", "true").ok();
}

#[test]
fn g5_nothing_outlives_su_killed_with_sigkill() {
    root_or_skip!();
    let host = Host::confined();
    let before = host.census();
    let mut shell = host.pty("exec su - alice");
    shell.prompt();
    shell.ask("setsid -f sleep 1000");
    wait_for("the daemon", || {
        shell.ask("pgrep -x sleep; true").parse::<u32>().is_ok()
    });
    host.run("pkill -KILL -x su").ok();
    drop(shell);
    host.wait_for_nothing_left(&before);
}

#[test]
fn g5_a_daemon_that_ignores_sigterm_ends_after_the_grace() {
    root_or_skip!();
    let host = Host::confined();
    let before = host.census();
    let mut session = host.session("alice");
    session
        .ask("setsid -f sh -c 'trap \"\" HUP TERM INT; while :; do sleep 1; done' >/dev/null 2>&1")
        .ok();
    session.end().ok();
    host.wait_for_nothing_left(&before);
}

#[test]
fn g5_a_session_is_on_record_while_it_lives() {
    root_or_skip!();
    let host = Host::confined();
    let records = || {
        host.run("ls /run/nsshell/sessions 2>/dev/null")
            .text()
            .lines()
            .count()
    };
    let (alice, bob) = (host.session("alice"), host.session("bob"));
    assert_eq!(records(), 2);
    alice.end().ok();
    wait_for("the end of the record", || records() == 1);
    bob.vanish();
    wait_for("the end of the record", || records() == 0);
}

#[test]
fn g5_nothing_is_left_after_200_logins() {
    root_or_skip!();
    let host = Host::confined();
    let login = "ssh alice@127.0.0.1 'sleep 1000 >/dev/null 2>&1 & true'";
    host.run(login).ok();
    wait_for("the end of the first", || {
        !host.run("pgrep -x 'sleep|nsshell-init'").success()
    });
    let before = host.census();
    // Some at once: what is left behind by a race counts too.
    host.cmd(&format!("seq 200 | xargs -P 4 -I{{}} {login}"))
        .limit(Duration::from_secs(200))
        .output()
        .ok();
    host.wait_for_nothing_left(&before);
    assert_eq!(host.census().without(&before), Vec::<String>::new());
}

#[test]
fn g5_nothing_is_left_after_50_logins_by_su() {
    root_or_skip!();
    let host = Host::confined();
    let login = "su - bob -c 'setsid -f sleep 1000 >/dev/null 2>&1'";
    host.run(login).ok();
    wait_for("the end of the first", || {
        !host.run("pgrep -x 'sleep|nsshell-init'").success()
    });
    let before = host.census();
    host.cmd(&format!("seq 50 | xargs -P 4 -I{{}} {login}"))
        .limit(Duration::from_secs(100))
        .output()
        .ok();
    host.wait_for_nothing_left(&before);
}
