//! The verbs of nsctl that are about sessions, as root and as a user.

mod dead;
mod end;
mod enter;
mod logs;
mod own;
mod show;

use std::collections::BTreeMap;

use nsshell_tests::{Cmd, Host, Output, Session, root_or_skip, validate, wait_for};
use serde::Deserialize;

/// What `nsctl ls --json` has for each session.
#[derive(Debug, Deserialize)]
struct Listed {
    session: String,
    user: String,
    uid: u32,
    service: String,
    tty: Option<String>,
    rhost: Option<String>,
    profile: String,
    pid: i32,
    started: u64,
    start: u64,
    namespaces: BTreeMap<String, u64>,
    user_namespace: Option<u64>,
    rule: Option<Rule>,
    age: u64,
    logins: Option<usize>,
    processes: usize,
    memory: u64,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Rule {
    file: String,
    line: usize,
}

/// A process, as `show` and `tree` have it.
#[derive(Debug, Deserialize)]
struct Process {
    pid: i32,
    inside: Vec<i32>,
    uid: u32,
    command: String,
    namespaces: BTreeMap<String, u64>,
}

fn listed_by(cmd: Cmd) -> Vec<Listed> {
    listed_in(&cmd.output())
}

fn listed_in(output: &Output) -> Vec<Listed> {
    serde_json::from_value(output.json("ls")).unwrap()
}

fn listed(host: &Host) -> Vec<Listed> {
    listed_by(host.cmd("nsctl ls --json"))
}

/// The only session of this user.
fn session_of(host: &Host, user: &str) -> Listed {
    let mut all = listed(host);
    all.retain(|one| one.user == user);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn name_of(host: &Host, user: &str) -> String {
    session_of(host, user).session
}

/// The number that a link in /proc/PID/ns shows.
fn inode(host: &Host, pid: i32, link: &str) -> u64 {
    let text = host.run(&format!("readlink /proc/{pid}/ns/{link}")).ok();
    let number = text.split(['[', ']']).nth(1).unwrap();
    number.parse().unwrap()
}

/// A login that stays, and a daemon in it.
fn login_with_sleep(host: &Host, user: &str) -> Session {
    let mut session = host.session(user);
    session.ask("setsid -f sleep 1000 >/dev/null 2>&1").ok();
    wait_for("sleep", || session.ask("pgrep -x sleep").success());
    session
}

#[test]
fn ls_lists_every_session_with_what_it_has() {
    root_or_skip!();
    let host = Host::confined();
    assert_eq!(host.run("nsctl ls --names").ok(), "");
    assert_eq!(host.run("nsctl ls --json").ok(), "[]");
    let _alice = login_with_sleep(&host, "alice");
    let mut su = host.pty("exec su - bob");
    su.prompt();

    let all = listed(&host);
    let users: Vec<_> = all.iter().map(|one| one.user.as_str()).collect();
    assert_eq!(users, ["alice", "bob"], "oldest first");
    let (alice, bob) = (&all[0], &all[1]);
    assert_eq!((alice.uid, alice.service.as_str()), (1000, "sshd"));
    assert_eq!(alice.tty.as_deref(), Some("ssh"));
    assert_eq!(alice.rhost.as_deref(), Some("127.0.0.1"));
    assert_eq!(alice.profile, "standard");
    assert_eq!(alice.rule.as_ref().unwrap().file, "built-in policy");
    assert_eq!((bob.uid, bob.service.as_str()), (1001, "su-l"));
    assert!(bob.tty.as_ref().unwrap().contains("pts/"), "{bob:?}");
    for one in &all {
        let pid = one.pid;
        assert_eq!(
            host.run(&format!("cat /proc/{pid}/comm")).ok(),
            "nsshell-init"
        );
        let start = host.run(&format!("sed 's/.*) //' /proc/{pid}/stat | cut -d' ' -f20"));
        assert_eq!(start.ok(), one.start.to_string());
        for (link, number) in &one.namespaces {
            assert_eq!(inode(&host, pid, link), *number, "{link}");
        }
        assert_ne!(one.user_namespace, Some(one.namespaces["user"]));
        assert_eq!(one.logins, Some(1));
        assert!(one.age < 60 && one.started > 1_500_000_000, "{one:?}");
        let inside = format!("ps -e -o pidns= | grep -c {}", one.namespaces["pid"]);
        assert_eq!(host.run(&inside).ok(), one.processes.to_string());
        assert!(one.memory > 10_000 && one.memory < 1 << 30, "{one:?}");
    }

    let text = host.run("nsctl ls").ok();
    let lines: Vec<Vec<_>> = text
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    let head = "SESSION USER SERVICE TTY PROFILE AGE LOGINS PROCS MEMORY PID NAMESPACES FILES";
    assert_eq!(lines[0].join(" "), head);
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(
        lines[1][..5],
        [&alice.session, "alice", "sshd", "ssh", "standard"]
    );
    assert_eq!(
        lines[1][9..11],
        [&alice.pid.to_string(), "mount,ipc,pid,user,uts,cgroup"]
    );
    let names = format!("{}\n{}", alice.session, bob.session);
    assert_eq!(host.run("nsctl ls --names").ok(), names);
}

#[test]
fn a_list_that_is_watched_comes_again_with_what_has_changed() {
    root_or_skip!();
    let host = Host::confined();
    let mut watch = host.cmd("nsctl ls --json --watch").spawn();
    watch.expect("[]\n");
    let _alice = host.session("alice");
    let line = loop {
        let line = watch.expect("\n");
        if line != "[]\n" {
            break line;
        }
    };
    assert!(line.contains("\"user\":\"alice\""), "{line}");
    let value = serde_json::from_str(&line).unwrap();
    let faults = validate::faults_as("ls", &validate::outputs(), &value);
    assert!(faults.is_empty(), "{faults:?}: {line}");
    // whoever has seen enough is no failure
    host.run("bash -c 'set -o pipefail; nsctl ls --watch | head -n 2'")
        .ok();
    let mut screen = host.pty("nsctl ls --watch");
    screen.expect("\u{1b}[H\u{1b}[JSESSION");
    screen.expect("alice");
    screen.expect("\u{1b}[H\u{1b}[JSESSION");
}

#[test]
fn what_is_printed_of_a_session_as_json_has_every_key_of_the_schema_and_no_other() {
    root_or_skip!();
    let host = Host::confined();
    let mut alice = login_with_sleep(&host, "alice");
    let name = name_of(&host, "alice");
    let schema = validate::outputs();
    for (verb, line) in [
        ("ls", "nsctl ls --json".to_owned()),
        ("show", format!("nsctl show {name} --json")),
        ("tree", format!("nsctl tree {name} --json")),
    ] {
        let output = host.run(&line);
        output.ok();
        let value = output.json(verb);
        let unnoticed = validate::unnoticed(verb, &schema, &value);
        // the namespaces of a process are a table with a key for each that can be seen; a plan
        // has more keys if the policy says more
        let optional = |one: &String| {
            one.starts_with("namespaces/") && one != "namespaces/+"
                || ["session/id_maps", "mounts/mode", "mounts/size"].contains(&one.as_str())
        };
        let more: Vec<_> = unnoticed.iter().filter(|one| !optional(one)).collect();
        assert!(more.is_empty(), "{verb}: {more:?}");
    }
    // A user, from within and from without, sees less of it in the same shape.
    for verb in ["ls", "show"] {
        let line = match verb {
            "ls" => "/usr/sbin/nsctl ls --json".to_owned(),
            _ => format!("/usr/sbin/nsctl show {name} --json"),
        };
        let (inside, outside) = (alice.ask(&line), host.cmd(&line).user("alice").output());
        for output in [inside, outside] {
            output.ok();
            let _ = output.json(verb);
        }
    }
}
