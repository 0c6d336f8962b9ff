//! The audit trail: who did what when.

use nsshell_tests::{Host, root_or_skip, wait_for};

use super::{builder, name, with};

/// The lines of the log with an event of the audit trail.
fn events(host: &Host) -> Vec<String> {
    let log = host.log();
    let lines = log.lines().filter(|line| line.contains("event"));
    lines.map(str::to_owned).collect()
}

#[track_caller]
fn one(lines: &[String], words: &[&str]) -> String {
    let found: Vec<_> = lines
        .iter()
        .filter(|line| words.iter().all(|word| line.contains(word)))
        .collect();
    assert_eq!(found.len(), 1, "{words:?}: {lines:#?}");
    found[0].clone()
}

#[test]
fn a_su_and_an_sftp_are_told_as_joins_of_the_session_that_ssh_has_opened() {
    root_or_skip!();
    let host = with("");
    let mut first = host.session("alice");
    let session = name(&mut first);
    let of = |service: &str| format!("session={session} user=alice uid=1000 service={service} ");
    host.run("su - alice -c true").ok();
    let sftp = host.cmd("sftp -q -b - alice@127.0.0.1");
    sftp.stdin("pwd\n").output().ok();
    wait_for("both to have left", || {
        host.log().matches("event=leave").count() == 2
    });
    let lines = events(&host);
    one(&lines, &["event=open", &of("sshd")]);
    for (service, tty) in [("su-l", None), ("sshd", Some("tty=ssh "))] {
        let join = one(&lines, &["event=join", &of(service), "policy=same"]);
        assert!(tty.is_none_or(|tty| join.contains(tty)), "{join}");
        one(&lines, &["event=leave", &of(service), "reason=logout"]);
    }
    assert_eq!(lines.len(), 5, "{lines:#?}");
    first.end().ok();
}

#[test]
fn each_event_of_a_session_is_one_line_with_who_whence_and_why() {
    root_or_skip!();
    let host = with("max_sessions = 2");
    let mut first = host.session("alice");
    let session = name(&mut first);
    let second = host.session("alice");
    host.run("su alice -c true").fails();
    second.end().ok();
    wait_for("the second to have left", || {
        host.log().contains("event=leave")
    });
    first.end().ok();
    host.wait_for_log("event=end");
    let lines = events(&host);
    let who = format!("session={session} user=alice uid=1000 service=sshd");
    let open = one(&lines, &["event=open", &who]);
    for word in [
        &format!("session {session} opened for alice, profile standard"),
        "rhost=127.0.0.1",
        "tty=ssh",
        "profile=standard",
        "rule=\"built-in policy:",
        " init=",
        " ns_mnt=",
        " ns_pid=",
    ] {
        assert!(open.contains(word), "{word}: {open}");
    }
    assert!(!open.contains("ns_net="), "not its own: {open}");
    one(
        &lines,
        &["event=join", &who, "policy=same", "joined by alice"],
    );
    one(
        &lines,
        &[
            "event=refuse",
            "user=alice",
            "service=su",
            "reason=\"alice has as many",
        ],
    );
    let leaves = lines.iter().filter(|line| line.contains("event=leave"));
    assert_eq!(leaves.clone().count(), 2);
    assert!(
        leaves
            .clone()
            .all(|line| line.contains("duration=") && line.contains("reason=logout"))
    );
    let end = one(
        &lines,
        &["event=end", &who, "reason=logout", "duration=", "logins=0"],
    );
    assert!(end.contains("nsshell-init["), "{end}");
    // The same session by the same numbers, so that a search for one finds the whole of it.
    let number = |line: &str, key: &str| {
        let rest = line.split_once(&format!(" {key}="));
        rest.map(|(_, rest)| rest.split([' ', ']']).next().unwrap().to_owned())
    };
    for key in ["init", "ns_mnt", "ns_pid", "ns_ipc", "ns_uts", "ns_cgroup"] {
        assert!(number(&open, key).is_some_and(|number| !number.is_empty()));
        assert_eq!(number(&end, key), number(&open, key), "{key}: {end}");
    }
    assert!(end.contains("rule=\"built-in policy:"), "{end}");
    assert_eq!(lines.len(), 6, "{lines:#?}");
}

#[test]
fn the_end_of_a_killed_application_and_of_a_signal_is_told_by_init() {
    root_or_skip!();
    let host = Host::confined();
    let mut session = host.session("alice");
    let first = name(&mut session);
    host.run("pkill -KILL -f '^sshd: alice [[]priv[]]'").ok();
    let _ = session.wait();
    host.wait_for_log(&format!("session {first} of alice ends, killed"));
    let killed = ["event=leave", "reason=killed", &first, " rule=", " ns_pid="];
    one(&events(&host), &killed);
    let mut session = host.session("alice");
    let second = name(&mut session);
    host.run("pkill -TERM -x nsshell-init").ok();
    let _ = session.wait();
    host.wait_for_log(&format!("session {second} of alice ends, asked"));
}

#[test]
fn a_login_that_cannot_enter_its_session_has_left_it_and_is_refused() {
    root_or_skip!();
    let host = Host::confined();
    let mut inside = host.session("alice");
    let session = name(&mut inside);
    host.run("strace -o /run/trace -e inject=setns:error=EPERM:when=1 su alice -c true")
        .fails();
    wait_for("the line of the refusal", || {
        host.log().contains("event=refuse")
    });
    let lines = events(&host);
    let who = format!("session={session} user=alice uid=1000 service=su");
    one(&lines, &["event=join", &who]);
    one(&lines, &["event=leave", &who, "reason=refused"]);
    one(&lines, &["event=refuse", &who, "reason=\"cannot enter"]);
    assert_eq!(lines.len(), 4, "{lines:#?}");
    inside.end().ok();
}

/// A log that nobody reads, in the place of the host's.
const DEAF: &str = "import os, socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind('/dev/log.new')
os.chmod('/dev/log.new', 0o666)
os.rename('/dev/log', '/dev/log.old')
os.rename('/dev/log.new', '/dev/log')
print('deaf', flush=True)
time.sleep(1000)
";

/// Fills it to the brim.
const FILL: &str = "import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setblocking(False)
s.connect('/dev/log')
try:
    while True: s.send(b'x')
except BlockingIOError: print('full')
";

#[test]
fn a_log_that_starts_anew_gets_the_trail_and_one_that_hangs_holds_up_no_end() {
    root_or_skip!();
    let host = builder("")
        .file("/root/deaf.py", 0o644, DEAF)
        .file("/root/fill.py", 0o644, FILL)
        .start();
    for full in [false, true] {
        let mut daemon = host.cmd("exec /usr/bin/python3 /root/deaf.py").spawn();
        daemon.expect("deaf");
        let mut session = host.session("alice");
        let session_name = name(&mut session);
        let ready = host.run("test -S /dev/log.old").success();
        assert!(ready);
        if full {
            assert_eq!(host.run("/usr/bin/python3 /root/fill.py").ok(), "full");
            // Not by a logout: sshd would wait for its log.
            host.run("pkill -KILL -f '^sshd: alice'").ok();
            let _ = session.wait();
            super::wait_for_no_traces(&host);
        }
        daemon.kill();
        host.run("pkill -f '[d]eaf.py'; mv /dev/log.old /dev/log")
            .ok();
        if !full {
            host.run("pkill -KILL -f '^sshd: alice'").ok();
            host.wait_for_log(&format!("session {session_name} of alice ends, killed"));
        }
    }
}

#[test]
fn with_json_every_line_is_an_object_whatever_a_client_says() {
    root_or_skip!();
    let host = builder("")
        .prepare("sed -i 's/pam_nsshell.so/& json/' /etc/pam.d/*")
        .start();
    host.ssh("alice", "true").ok();
    host.wait_for_log("\"event\":\"end\"");
    for line in events(&host) {
        let at = line.find('{').unwrap();
        let event: serde_json::Value = serde_json::from_str(&line[at..]).unwrap();
        assert_eq!(event["user"], "alice", "{line}");
        assert_eq!(event["uid"], 1000, "{line}");
    }
    assert_eq!(events(&host).len(), 3);
}
