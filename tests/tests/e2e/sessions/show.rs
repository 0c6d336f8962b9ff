//! `nsctl show` and `nsctl tree`.

use nsshell_tests::{Host, root_or_skip, wait_for};
use serde::Deserialize;

use super::{Process, Rule, inode, login_with_sleep, name_of, session_of};

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

    let json = host.run(&format!("nsctl show --json {name}")).json("show");
    let shown: Shown = serde_json::from_value(json).unwrap();
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
    let json = host.run(&format!("nsctl show --json {name}")).json("show");
    let shown: Shown = serde_json::from_value(json).unwrap();
    assert_eq!(shown.policy_changed, Some(true));
    assert!(shown.values.is_none());
}

#[test]
fn show_lists_every_login_that_shares_the_session_to_root() {
    root_or_skip!();
    let host = Host::confined();
    let mut first = host.session("alice");
    let name = first.ask("echo $NSSHELL_SESSION").ok();
    let mut second = host.pty("exec su - alice");
    second.prompt();
    let text = host.run(&format!("nsctl show {name}")).ok();
    let who: Vec<Vec<&str>> = text
        .lines()
        .skip_while(|line| !line.starts_with("who "))
        .take(3)
        .map(|line| line.trim_start_matches("who").split_whitespace().collect())
        .collect();
    assert_eq!(who[0], ["SERVICE", "TTY", "FROM", "FOR"], "{text}");
    assert_eq!(who[1][..3], ["sshd", "ssh", "127.0.0.1"], "{text}");
    assert_eq!((who[2][0], who[2][2]), ("su-l", "-"), "{text}");
    assert!(who[2][1].contains("pts/"), "{text}");
    let json = host.run(&format!("nsctl show --json {name}")).json("show");
    assert_eq!(
        json["present"].as_array().map(Vec::len),
        Some(2),
        "{json:#}"
    );
    // The user is told of the session, and not by init.
    let own = host.run(&format!(
        "su alice -s /bin/sh -c 'nsctl show --json {name}'"
    ));
    assert!(own.ok().contains("\"present\": null"), "{own}");
    second.line("exit");
    let _ = second.wait();
    wait_for("one login", || {
        let json = host.run(&format!("nsctl show --json {name}")).json("show");
        json["present"].as_array().map(Vec::len) == Some(1)
    });
    first.end().ok();
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
    let look = || -> Vec<Tree> {
        serde_json::from_value(host.run("nsctl tree --json").json("tree")).unwrap()
    };
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
