//! Doors: of inits that fail to answer, that are only just being opened, or that are dead.

use std::time::{Duration, Instant};

use nsshell_tests::{Host, Running, root_or_skip, wait_for};

use super::{builder, name, records, traces, wait_for_no_traces, with};
use crate::attempt::{Way, refused};

const HELPER: &str = "/usr/libexec/nsshell/session-init";

/// Has the system calls of the one init that lives come out as `inject` says.
fn spoil(host: &Host, inject: &str) -> Running {
    let init = host.run("pgrep -x nsshell-init").ok();
    let line = format!("exec strace -o /run/spoilt -p {init} -e inject={inject}");
    let strace = host.cmd(&line).spawn();
    wait_for("strace", || {
        let tracer = host.run(&format!("grep TracerPid /proc/{init}/status"));
        !tracer.text().ends_with("\t0")
    });
    strace
}

const LOGIN: &str = "su alice -c 'echo $NSSHELL_SESSION'";

#[test]
fn an_init_that_drops_a_question_is_asked_again_and_the_login_joins_its_session() {
    root_or_skip!();
    let host = with("timeout = 2");
    let mut one = host.session("alice");
    let session = name(&mut one);
    for call in ["recvmsg:error=ENOMEM", "getsockopt:error=ENOMEM"] {
        let mut strace = spoil(&host, &format!("{call}:when=1..3"));
        assert_eq!(host.run(LOGIN).ok(), session, "{call}");
        assert!(host.run("grep -c INJECTED /run/spoilt").ok() == "3");
        strace.kill();
    }
    // As long as it neither answers nor shuts its door there is no second session beside it.
    let mut strace = spoil(&host, "recvmsg:error=ENOMEM");
    let says = format!("the init of session {session} has answered nothing for 2 s");
    refused(&host, Way::Su, &[&says, "`nsctl end"]);
    host.ssh("bob", "true").ok();
    strace.kill();
    assert_eq!(host.run(LOGIN).ok(), session);
    one.end().ok();
    wait_for_no_traces(&host);
}

#[test]
fn an_init_that_had_no_room_for_a_login_takes_the_next_one_though_nobody_has_left() {
    root_or_skip!();
    let host = with("on_logout = 'keep'");
    let mut one = host.session("alice");
    let session = name(&mut one);
    one.ask("setsid -f sleep 1000 >/dev/null 2>&1").ok();
    one.end().ok();
    wait_for("the end of the login", || {
        !host.run("pgrep -f '^sshd: alice'").success()
    });
    let mut strace = spoil(&host, "accept4:error=ENFILE:when=1..2");
    let begun = Instant::now();
    assert_eq!(host.run(LOGIN).ok(), session);
    assert!(begun.elapsed() < Duration::from_secs(4));
    assert_eq!(host.run("grep -c INJECTED /run/spoilt").ok(), "2");
    strace.kill();
    host.run("nsctl end --all").ok();
    wait_for_no_traces(&host);
}

/// Asks init as a helper of another version would.
const OTHER_VERSION: &str = "import socket, os
door = '/run/nsshell/users/1000/' + os.listdir('/run/nsshell/users/1000')[0]
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(door)
s.send(b'J9\\0\\0\\0\\0\\0')
print(s.recv(9).decode())
";

#[test]
fn an_init_tells_a_helper_of_another_version_that_it_does_not_understand() {
    root_or_skip!();
    let host = builder("")
        .file("/root/other.py", 0o644, OTHER_VERSION)
        .start();
    let one = host.session("alice");
    assert_eq!(host.run("/usr/bin/python3 /root/other.py").ok(), "V");
    one.end().ok();
    wait_for_no_traces(&host);
}

#[test]
fn another_account_of_the_same_number_never_joins() {
    root_or_skip!();
    let copy = |file| format!("sed -n '/^alice:/{{s/alice/carol/g;p}}' /etc/{file} >> /etc/{file}");
    let host = ["passwd", "shadow", "subuid", "subgid"]
        .into_iter()
        .fold(builder(""), |host, file| host.prepare(&copy(file)))
        .prepare("mkdir -m 0700 /home/carol; chown 1000:1000 /home/carol")
        .start();
    let mut one = host.session("alice");
    let alice = name(&mut one);
    let line = "echo $NSSHELL_SESSION; cd; pwd";
    let carol = host.run(&format!("su - carol -c '{line}'")).ok();
    let (session, home) = carol.split_once('\n').unwrap();
    assert_ne!(session, alice);
    assert_eq!(home, "/home/carol");
    assert_eq!(host.run(LOGIN).ok(), alice);
    one.end().ok();
    wait_for_no_traces(&host);
}

/// A host where init takes its time at a system call, and each login has its own session.
fn slow(call: &str, keys: &str) -> Host {
    let wrapper = format!(
        "#!/bin/sh\nexec strace -D -f -qq -o /run/slow -e inject={call}:delay_enter=1500000 \
         {HELPER}.real\n"
    );
    builder(keys)
        .file("/root/wrapper", 0o755, &wrapper)
        .prepare(&format!(
            "mv {HELPER} {HELPER}.real; cp /root/wrapper {HELPER}"
        ))
        .start()
}

const DOORS: &str = "ls -A /run/nsshell/users/1000";

#[test]
fn a_door_that_is_only_just_being_opened_is_left_alone() {
    root_or_skip!();
    let host = slow("listen", "scope = 'session'");
    let mut login = host.cmd("su alice -c 'echo in; sleep 3'").spawn();
    wait_for("a door that nobody listens at", || {
        host.run(DOORS).text().starts_with('.')
    });
    assert_eq!(host.run("nsctl gc").ok(), "");
    login.expect("in");
    let [session] = &records(&host)[..] else {
        panic!("{:?}", records(&host));
    };
    assert_eq!(&host.run(DOORS).ok(), session);
    let ls = host.run("nsctl ls --json").ok();
    let listed: serde_json::Value = serde_json::from_str(&ls).unwrap();
    assert_eq!(listed[0]["logins"], 1, "{ls}");
    login.wait(nsshell_tests::LIMIT).ok();
    wait_for_no_traces(&host);
}

#[test]
fn gc_removes_what_is_left_of_doors_where_there_is_no_session_at_all() {
    root_or_skip!();
    for call in ["listen", "open_tree"] {
        let host = slow(call, "scope = 'session'");
        let mut login = host.cmd("su alice -c true").spawn();
        wait_for("a door", || host.run(DOORS).text().len() >= 8);
        // With it goes init, which it has not heard of yet that it is ready.
        host.run("pkill -KILL -x session-init.re").ok();
        let _ = login.wait(nsshell_tests::LIMIT).fails();
        wait_for("the end of init", || {
            !host.run("pgrep -x nsshell-init").success()
        });
        assert_ne!(traces(&host), "", "{call}");
        let told = host.run("nsctl gc").ok();
        assert!(
            told.starts_with("removed the door of session ") && !told.contains("session ."),
            "{told}"
        );
        assert_eq!(traces(&host), "", "{call}");
    }
}

#[test]
fn what_a_dead_session_of_their_own_has_left_the_user_s_next_login_removes_in_each_scope() {
    root_or_skip!();
    for scope in ["user", "session"] {
        let host = with(&format!("scope = '{scope}'"));
        let mut su = host.pty("exec su - alice");
        su.prompt();
        // Stopped first: on its way out, su would clean up.
        host.run("pkill -STOP -x su; pkill -KILL -x nsshell-init; pkill -KILL -x su")
            .ok();
        wait_for("the end of init", || {
            !host.run("pgrep -x nsshell-init").success()
        });
        assert_eq!(traces(&host).lines().count(), 5, "{}", traces(&host));
        host.run(LOGIN).ok();
        wait_for_no_traces(&host);
    }
}
