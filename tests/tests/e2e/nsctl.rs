//! The verbs of nsctl that are about sessions, as root and as a user.

mod dead;
mod end;
mod enter;
mod own;

use std::collections::BTreeMap;

use nsshell_tests::{Cmd, Host, Session, root_or_skip, wait_for};
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
    logins: usize,
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
    serde_json::from_str(&cmd.output().ok()).unwrap()
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
        assert_eq!(one.logins, 1);
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
    let head = "SESSION USER SERVICE TTY PROFILE AGE LOGINS PROCS MEMORY PID NAMESPACES";
    assert_eq!(lines[0].join(" "), head);
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(
        lines[1][..5],
        [&alice.session, "alice", "sshd", "ssh", "standard"]
    );
    assert_eq!(
        lines[1][9..],
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
    let line = watch.expect("\"memory\":");
    assert!(line.contains("\"user\":\"alice\""), "{line}");
    // whoever has seen enough is no failure
    host.run("bash -c 'set -o pipefail; nsctl ls --watch | head -n 2'")
        .ok();
    let mut screen = host.pty("nsctl ls --watch");
    screen.expect("\u{1b}[H\u{1b}[JSESSION");
    screen.expect("alice");
    screen.expect("\u{1b}[H\u{1b}[JSESSION");
}

#[test]
fn show_has_everything_and_the_lines_of_the_policy_that_it_came_from() {
    root_or_skip!();
    #[derive(Deserialize)]
    struct Shown {
        session: Listedless,
        processes: Vec<Process>,
        plan: nsshell_config::Plan,
        values: Option<Vec<Value>>,
        policy_changed: Option<bool>,
    }
    #[derive(Deserialize)]
    struct Listedless {
        session: String,
        rule: Rule,
    }
    #[derive(Deserialize)]
    struct Value {
        key: String,
        place: Option<Rule>,
    }
    let policy =
        "[profile.standard]\n\ngrace = 17\n[[rule]]\nusers = ['alice']\nprofile = 'standard'\n";
    let host = Host::builder()
        .confined()
        .user("alice")
        .policy(policy)
        .start();
    let mut alice = login_with_sleep(&host, "alice");
    let name = name_of(&host, "alice");
    let begin = &name[..4];
    let rows = host.run(&format!("nsctl show {begin}")).ok();
    let row = |key: &str| {
        let mut lines = rows.lines();
        let found = lines.find_map(|line| line.strip_prefix(&format!("{key} ")));
        found
            .unwrap_or_else(|| panic!("no {key}: {rows}"))
            .trim()
            .to_owned()
    };
    assert_eq!(row("session"), name);
    assert_eq!(row("user"), "alice (uid 1000, gid 1000)");
    assert_eq!(row("login"), "service sshd, tty ssh, from 127.0.0.1");
    assert_eq!(row("rule"), "/etc/nsshell/nsshell.toml:4");
    assert_eq!(row("profile"), "standard");
    assert!(row("grace").starts_with("17 s "), "{rows}");
    let from = rows
        .lines()
        .find(|line| line.contains("/etc/nsshell/nsshell.toml:3"));
    assert!(from.is_some_and(|line| line.contains("grace ")), "{rows}");
    let inside = alice.ask("pgrep -x sleep").ok();
    let process = rows.lines().find(|line| line.ends_with("  sleep")).unwrap();
    let columns: Vec<_> = process.split_whitespace().collect();
    assert_eq!(columns[1..3], [inside.trim(), "1000"], "{process}");

    let json = host.run(&format!("nsctl show --json {name}")).ok();
    let shown: Shown = serde_json::from_str(&json).unwrap();
    assert_eq!(shown.session.session, name);
    assert_eq!(shown.session.rule.line, 4);
    let init = &shown.processes[0];
    assert_eq!(
        (init.inside[1], init.uid, init.command.as_str()),
        (1, 0, "nsshell-init")
    );
    assert_eq!(shown.plan.session.unwrap().grace, 17);
    assert_eq!(shown.policy_changed, Some(false));
    let values = shown.values.unwrap();
    let grace = values.iter().find(|value| value.key == "grace").unwrap();
    assert_eq!(grace.place.as_ref().unwrap().line, 3);

    // The lines of another policy are not those that the session came from.
    host.run("sed -i s/17/18/ /etc/nsshell/nsshell.toml").ok();
    let text = host.run(&format!("nsctl show {name}")).ok();
    assert!(text.contains("policy       changed since: "), "{text}");
    assert!(
        text.contains("17 s ") && !text.contains("nsshell.toml:3"),
        "{text}"
    );
    let json = host.run(&format!("nsctl show --json {name}")).ok();
    let shown: Shown = serde_json::from_str(&json).unwrap();
    assert_eq!(shown.policy_changed, Some(true));
    assert!(shown.values.is_none());
}

#[test]
fn tree_shows_who_owns_each_namespace_and_who_is_in_it() {
    root_or_skip!();
    #[derive(Deserialize)]
    struct Tree {
        session: String,
        host: u64,
        namespaces: Vec<Node>,
        processes: Vec<Process>,
    }
    #[derive(Debug, Deserialize)]
    struct Node {
        kind: String,
        inode: u64,
        owner: Option<u64>,
        parent: Option<u64>,
        uid: Option<u32>,
    }
    let host = Host::confined();
    let mut alice = login_with_sleep(&host, "alice");
    // A PID namespace within the session's, with a process that has three numbers.
    alice
        .ask("setsid -f unshare -Urpf --mount-proc sleep 2000 >/dev/null 2>&1")
        .ok();
    let known = session_of(&host, "alice");
    let look =
        || -> Vec<Tree> { serde_json::from_str(&host.run("nsctl tree --json").ok()).unwrap() };
    let deep = |tree: &Tree| {
        tree.processes
            .iter()
            .any(|p| p.inside.len() == 3 && p.command == "sleep")
    };
    wait_for("the container", || deep(&look()[0]));
    let trees = look();
    assert_eq!(trees.len(), 1);
    let tree = &trees[0];
    assert_eq!(
        (&tree.session, tree.host),
        (&known.session, inode(&host, 1, "user"))
    );
    let find = |inode: u64| {
        tree.namespaces
            .iter()
            .find(|node| node.inode == inode)
            .unwrap()
    };
    for link in ["mnt", "ipc", "pid", "uts", "cgroup"] {
        let node = find(known.namespaces[link]);
        assert_eq!(
            (node.kind.as_str(), node.owner),
            (link, Some(tree.host)),
            "host's"
        );
        assert_eq!(node.uid, None);
    }
    let user = find(known.user_namespace.unwrap());
    assert_eq!(
        (user.kind.as_str(), user.owner, user.uid),
        ("user", Some(tree.host), Some(1000))
    );
    // lsns(8) says the same of every namespace.
    for node in &tree.namespaces {
        let line = format!("lsns -n -o ONS {}; true", node.inode);
        if let Ok(owner) = host.run(&line).ok().trim().parse::<u64>() {
            assert_eq!(node.owner, Some(owner), "{node:?}");
        }
    }
    let owned = |kind: &str| {
        let nodes = tree.namespaces.iter();
        nodes
            .filter(|node| node.kind == kind && node.owner == Some(user.inode))
            .count()
    };
    assert_eq!(
        (owned("mnt"), owned("user")),
        (1, 1),
        "{:?}",
        tree.namespaces
    );
    let inner = tree
        .namespaces
        .iter()
        .find(|node| node.kind == "pid" && node.parent == Some(known.namespaces["pid"]));
    let inner = inner.expect("the container's PID namespace").inode;
    let process = tree
        .processes
        .iter()
        .find(|process| process.namespaces["pid"] == inner)
        .unwrap();
    assert_eq!(process.inside[2], 1);
    assert_eq!(process.pid, process.inside[0]);

    let text = host.run(&format!("nsctl tree {}", known.session)).ok();
    assert!(
        text.starts_with(&format!(
            "session {} of alice\nuser {}, the host's\n",
            known.session, tree.host
        )),
        "{text}"
    );
    assert!(
        text.contains(&format!("─ {} → 1 nsshell-init\n", known.pid)),
        "{text}"
    );
    assert!(
        text.contains(&format!("─ user {}, made by uid 1000\n   ", user.inode))
            || text.contains(&format!("─ user {}, made by uid 1000\n│  ", user.inode)),
        "{text}"
    );
    assert!(
        text.contains(&format!(
            "─ pid {inner}, in pid {}\n",
            known.namespaces["pid"]
        )),
        "{text}"
    );
    let numbers: Vec<_> = process.inside.iter().map(i32::to_string).collect();
    assert!(
        text.contains(&format!("─ {} sleep, in user ", numbers.join(" → "))),
        "{text}"
    );
}

#[test]
fn logs_prints_what_the_log_has_about_the_session_and_nothing_else() {
    root_or_skip!();
    let host = Host::builder()
        .confined()
        .user("alice")
        .user("bob")
        .prepare("rm -f /var/log/auth.log /var/log/secure")
        .start();
    let (alice, _bob) = (host.session("alice"), host.session("bob"));
    let (name, other) = (name_of(&host, "alice"), name_of(&host, "bob"));
    let line = format!("nsctl logs {name}");
    let none = host.run(&line).fails();
    let want = format!("nsctl: no line about session {name} was found: ");
    assert!(
        none.starts_with(&want) && none.contains("there is no /var/log/auth.log"),
        "{none}"
    );
    host.wait_for_log(&name);
    host.run("ln -s /run/testlog /var/log/auth.log").ok();
    let text = host.run(&line).ok();
    assert!(
        text.contains(&name) && text.contains("alice") && !text.contains(&other),
        "{text}"
    );
    assert_eq!(host.run(&format!("nsctl logs {}", &name[..5])).ok(), text);
    // One that has ended is still in the log.
    alice.end().ok();
    wait_for("the end", || {
        !host.run(&format!("nsctl show {name}")).success()
    });
    host.wait_for_log(&format!("{name} closed"));
    assert!(host.run(&line).ok().lines().count() > text.lines().count());
    // Where there is a journal, it comes first.
    let journal =
        format!("#!/bin/sh\necho \"$@\" > /run/asked\necho 'pam_nsshell: of the journal {name}'\n");
    host.cmd("rm -f /usr/bin/journalctl; cat > /usr/bin/journalctl; chmod 755 /usr/bin/journalctl")
        .stdin(journal)
        .output()
        .ok();
    assert_eq!(
        host.run(&line).ok(),
        format!("pam_nsshell: of the journal {name}")
    );
    assert!(
        host.run("cat /run/asked")
            .ok()
            .contains("--facility=auth,authpriv")
    );
}
