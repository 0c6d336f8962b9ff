//! SIGKILL of any party while a login joins: another login works at once, and nothing is left.

use std::collections::BTreeMap;

use nsshell_tests::{Host, root_or_skip, wait_for};

use super::{builder, name, wait_for_no_traces};

const HELPER: &str = "/usr/libexec/nsshell/session-init";

/// session-init under strace, with what /run/inject says.
fn traced() -> Host {
    let wrapper = format!(
        "#!/bin/sh\nexec strace -o /run/strace $(cat /run/inject 2>/dev/null) {HELPER}.real\n"
    );
    builder("grace = 1")
        .file("/root/wrapper", 0o755, &wrapper)
        .prepare(&format!(
            "mv {HELPER} {HELPER}.real; cp /root/wrapper {HELPER}"
        ))
        .start()
}

/// How often each system call was made in the last login.
fn calls(host: &Host) -> BTreeMap<String, usize> {
    let mut calls = BTreeMap::new();
    for line in host.run("cat /run/strace").ok().lines() {
        if let Some((name, _)) = line.split_once('(')
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        {
            *calls.entry(name.to_owned()).or_default() += 1;
        }
    }
    calls
}

/// Kills session-init at each of its system calls in turn; how many there were, and how many of
/// the logins were refused.
fn kill_at_each_call(host: &Host, shared: Option<&str>) -> (usize, usize) {
    let login = "su alice -c 'echo $NSSHELL_SESSION'";
    host.run(&format!("rm -f /run/inject; {login}")).ok();
    let calls = calls(host);
    let (mut points, mut refused) = (0, 0);
    for (call, count) in &calls {
        for at in 1..=*count {
            host.run(&format!(
                "echo '--inject={call}:signal=KILL:when={at}' > /run/inject"
            ))
            .ok();
            let killed = host.run(login);
            points += 1;
            refused += usize::from(!killed.success());
            if killed.success() {
                // Whole: it is in a session, and in the one that there is.
                let session = killed.text();
                assert_eq!(session.len(), 8, "{call} {at}: {session}");
                assert!(shared.is_none_or(|shared| shared == session), "{call} {at}");
            }
            host.run("rm /run/inject").ok();
            let next = host.run(login).ok();
            assert!(
                shared.is_none_or(|shared| shared == next),
                "{call} {at}: {next}"
            );
        }
    }
    (points, refused)
}

#[test]
fn g6_g8_a_helper_killed_at_any_call_of_a_join_harms_no_other_login() {
    root_or_skip!();
    let host = traced();
    host.run("su alice -c true").ok();
    wait_for_no_traces(&host);
    let before = host.census();
    let mut one = host.session("alice");
    let session = name(&mut one);
    let (points, refused) = kill_at_each_call(&host, Some(&session));
    assert!(points > 60 && refused > 40, "{points}, {refused} refused");
    let _ = say(&format!("join: {points} points, {refused} refused"));
    assert_eq!(name(&mut one), session);
    one.end().ok();
    host.wait_for_nothing_left(&before);
}

#[test]
fn g6_g8_a_helper_killed_at_any_call_of_an_opening_harms_no_other_login() {
    root_or_skip!();
    let host = traced();
    host.run("su alice -c true").ok();
    wait_for_no_traces(&host);
    let before = host.census();
    let (points, refused) = kill_at_each_call(&host, None);
    assert!(points > 80 && refused > 60, "{points}, {refused} refused");
    let _ = say(&format!("open: {points} points, {refused} refused"));
    host.wait_for_nothing_left(&before);
}

/// Shown with `--nocapture`.
fn say(line: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    writeln!(std::io::stdout().lock(), "{line}")
}

/// A login that waits for init's answer, since init is stopped.
fn waiting(host: &Host) -> nsshell_tests::Running {
    host.run("pkill -STOP -x nsshell-init").ok();
    let login = host.cmd("su alice -c 'echo in $NSSHELL_SESSION'").spawn();
    // Init's end of the connection, which it cannot accept, has the name of its door.
    wait_for("the question to init", || {
        let doors = host.run("grep -c /run/nsshell/users/ /proc/net/unix");
        doors.text().parse::<u32>().is_ok_and(|count| count >= 2)
    });
    login
}

#[test]
fn an_init_killed_while_a_login_joins_gives_it_a_session_of_its_own() {
    root_or_skip!();
    let host = builder("grace = 1").start();
    let before_any = {
        host.run("su alice -c true").ok();
        wait_for_no_traces(&host);
        host.census()
    };
    let mut one = host.session("alice");
    let first = name(&mut one);
    let mut login = waiting(&host);
    host.run("pkill -KILL -x nsshell-init").ok();
    let text = login.wait(nsshell_tests::LIMIT).ok();
    assert!(text.starts_with("in ") && !text.contains(&first), "{text}");
    let _ = one.wait();
    host.ssh("alice", "true").ok();
    host.wait_for_nothing_left(&before_any);
}

#[test]
fn a_helper_or_an_application_killed_while_init_is_asked_leaves_no_login_in_the_session() {
    root_or_skip!();
    let host = builder("grace = 1").start();
    host.run("su alice -c true").ok();
    wait_for_no_traces(&host);
    let before = host.census();
    for victim in ["session-init", "su"] {
        let mut one = host.session("alice");
        let first = name(&mut one);
        let mut login = waiting(&host);
        host.run(&format!("pkill -KILL -x {victim}")).ok();
        let _ = login.wait(nsshell_tests::LIMIT).fails();
        host.run("pkill -CONT -x nsshell-init").ok();
        assert_eq!(host.ssh("alice", "echo $NSSHELL_SESSION").ok(), first);
        // If init counted the one that is gone, the session would not end.
        one.end().ok();
        host.wait_for_nothing_left(&before);
    }
}

#[test]
fn an_init_that_does_not_answer_holds_up_a_login_no_longer_than_its_timeout() {
    root_or_skip!();
    let host = builder("grace = 1\ntimeout = 1").start();
    let one = host.session("alice");
    let begun = std::time::Instant::now();
    let mut login = waiting(&host);
    let _ = login.wait(nsshell_tests::LIMIT).fails();
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    host.wait_for_log("has answered nothing for 1 s and takes logins still; end it with `nsctl");
    host.ssh("bob", "true").ok();
    host.run("pkill -CONT -x nsshell-init").ok();
    host.ssh("alice", "true").ok();
    one.end().ok();
    wait_for_no_traces(&host);
}
