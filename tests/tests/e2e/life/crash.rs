//! What is killed, or does not answer, while a login joins: the moments between two system calls,
//! and what takes time. Every single call of everybody is in `crate::points`.

use nsshell_tests::{Host, root_or_skip, wait_for};

use super::{builder, name, wait_for_no_traces};

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
