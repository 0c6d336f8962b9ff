//! Who shares a session is decided by what root has written and the kernel says, and by nothing
//! that a user can make.

use std::collections::BTreeMap;

use nsshell_tests::{Host, Running, root_or_skip, wait_for};
use serde_json::{Value, json};

use super::{builder, name, records, traces, wait_for_no_traces};

/// What alice leaves behind to be taken for a session of bob's or root's.
const FORGE: &str = include_str!("../../../apps/forge.py");
/// A process with the number of one that is gone.
const REUSE: &str = include_str!("../../../apps/reuse.py");

/// What a record says of a process: its start and its namespaces.
fn identity(host: &Host, pid: &str) -> (u64, BTreeMap<String, u64>) {
    let stat = format!("sed 's/.*) //' /proc/{pid}/stat | cut -d' ' -f20");
    let links = format!("cd /proc/{pid}/ns && for one in *; do echo $one $(readlink $one); done");
    let inode = |line: &str| {
        let (link, shown) = line.split_once(' ')?;
        let number = shown.split(['[', ']']).nth(1)?;
        Some((link.to_owned(), number.parse().ok()?))
    };
    let links = host.run(&links).ok();
    let known = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];
    let namespaces = links.lines().filter_map(inode);
    let namespaces = namespaces.filter(|(link, _)| known.contains(&link.as_str()));
    (host.run(&stat).ok().parse().unwrap(), namespaces.collect())
}

/// Has alice forge, with a record that root could not have made better: bob's own, but of her
/// process, with its right number, start and namespaces.
fn forged(host: &Host, confined: bool, of_bob: &str) -> Running {
    let run = "exec /usr/bin/python3 /srv/forge.py";
    // Inside of a session of hers, and as a process of hers on the bare host.
    let mut alice = match confined {
        true => host.ssh_cmd("alice", &[], run).spawn(),
        false => host
            .cmd(run)
            .user("alice")
            .env("HOME", "/home/alice")
            .spawn(),
    };
    alice.expect("ready\n");
    let text = host
        .run(&format!("cat /run/nsshell/sessions/{of_bob}"))
        .ok();
    let mut record: Value = serde_json::from_str(&text).unwrap();
    let genuine = record["pid"].to_string();
    let (start, namespaces) = identity(host, &genuine);
    assert_eq!(record["start"], start, "as bob's init is described");
    assert_eq!(record["namespaces"], json!(namespaces));
    let pid = host.run("pgrep -x -u alice nsshell-init").ok();
    let (start, namespaces) = identity(host, &pid);
    assert_ne!(record["namespaces"]["pid"], namespaces["pid"]);
    assert_ne!(record["namespaces"]["user"], namespaces["user"]);
    record["session"] = "forged".into();
    record["pid"] = pid.parse::<i32>().unwrap().into();
    record["start"] = start.into();
    record["user_namespace"] = namespaces["user"].into();
    record["namespaces"] = json!(namespaces);
    record["environment"] = json!(["LD_PRELOAD=/tmp/evil.so"]);
    alice.send(&format!("{record}\n"));
    let said = alice.expect("\n");
    let words: Vec<_> = said.split_whitespace().collect();
    let made: u32 = words[1].parse().unwrap();
    assert!(made >= 60, "only {said}");
    for place in ["/tmp", "/var/tmp", "/dev/shm", "/home/alice"] {
        assert!(words[2..].contains(&place), "{place}: {said}");
    }
    alice
}

#[test]
fn g10_what_a_user_prepares_is_joined_by_nobody() {
    root_or_skip!();
    for confined in [true, false] {
        let host = builder("").file("/srv/forge.py", 0o644, FORGE).start();
        let mut bob = host.session("bob");
        let of_bob = name(&mut bob);
        let mut alice = forged(&host, confined, &of_bob);
        let variables = "NSSHELL_SESSION=forged NSSHELL_PROFILE=standard XDG_RUNTIME_DIR=/tmp";
        let line = "echo $NSSHELL_SESSION; readlink /proc/self/ns/mnt; pgrep -f [f]orge.py; true";
        for (user, wanted) in [("bob", &of_bob), ("root", &"none".to_owned())] {
            for way in [
                host.ssh(user, line).ok(),
                host.run(&format!("{variables} su {user} -c '{line}'")).ok(),
            ] {
                let lines: Vec<_> = way.lines().collect();
                assert_eq!(lines[0], wanted, "{user}: {way}");
                if user == "bob" {
                    assert_eq!(lines.len(), 2, "sees none of hers: {way}");
                } else {
                    let own = host.run("readlink /proc/self/ns/mnt").ok();
                    assert_eq!(lines[1], own, "{way}");
                }
            }
        }
        // alice herself shares what root has written, and not what she has.
        let again = host.ssh("alice", "echo $NSSHELL_SESSION").ok();
        assert_ne!(again, "forged");
        if confined {
            assert!(records(&host).contains(&again), "{again}");
        } else {
            wait_for("the end of a session of her own", || {
                !records(&host).contains(&again)
            });
        }
        host.run("cat /home/alice/joined").fails();
        host.run("pgrep -x -u alice nsshell-init").ok();
        alice.kill();
        host.run("pkill -KILL -f '[f]orge.py'; true").ok();
    }
}

#[test]
fn g10_what_a_user_prepares_is_shown_entered_and_ended_by_nobody_s_nsctl() {
    root_or_skip!();
    for confined in [true, false] {
        let host = builder("").file("/srv/forge.py", 0o644, FORGE).start();
        let mut bob = host.session("bob");
        let of_bob = name(&mut bob);
        let _alice = forged(&host, confined, &of_bob);
        let genuine = records(&host).len();
        assert_eq!(genuine, if confined { 2 } else { 1 });
        let none = "no session has a name that begins with";
        // In the midst of what she has made, with an environment that names it.
        for place in ["/tmp", "/home/alice", "/home/alice/nsshell"] {
            let within = |verb: &str| {
                host.cmd(&format!("cd {place} 2>/dev/null; nsctl {verb}"))
                    .env("NSSHELL_SESSION", "forged")
                    .env("XDG_RUNTIME_DIR", "/tmp")
            };
            let listed = within("ls --names").output().ok();
            assert_eq!(listed.lines().count(), genuine, "{listed}");
            assert!(!listed.contains("forged"), "{listed}");
            assert!(!within("tree").output().ok().contains("forge"), "{place}");
            for verb in [
                "show forged",
                "tree forged",
                "end forged",
                "end --now forged",
                "enter forged -- true",
                "enter forged --layer host -- true",
            ] {
                let said = within(verb).output().fails();
                assert!(said.contains(none), "{verb}: {said}");
            }
            let as_bob = within("ls --names").user("bob").output().ok();
            assert_eq!(as_bob, of_bob);
            let said = within("show forged").user("bob").output().fails();
            assert!(said.contains(none), "{said}");
            let swept = within("gc").output();
            assert_eq!(swept.complaint(), "nothing was left behind", "{swept}");
        }
        // A visit to bob is a visit to bob, and his end is his alone.
        let visit = host.run(&format!(
            "nsctl enter {of_bob} -- readlink /proc/self/ns/pid"
        ));
        assert_eq!(visit.ok(), bob.ask("readlink /proc/self/ns/pid").ok());
        host.run("nsctl end --now --user bob").ok();
        let _ = bob.wait();
        host.run("pgrep -x -u alice nsshell-init").ok();
        host.run("test -e /tmp/nsshell/sessions/forged -o -e /home/alice/nsshell/sessions/forged")
            .ok();
        host.run("cat /home/alice/joined").fails();
    }
}

#[test]
fn g10_an_environment_that_names_another_s_session_joins_none() {
    root_or_skip!();
    let host = builder("")
        .sshd_config("AcceptEnv NSSHELL_* XDG_* LD_*")
        .sshd_config("PermitUserEnvironment yes")
        .start();
    let mut bob = host.session("bob");
    let of_bob = name(&mut bob);
    let where_bob_is = bob.ask("readlink /proc/self/ns/pid").ok();
    let init = host.run("pgrep -x nsshell-init").ok();
    let named = [
        ("NSSHELL_SESSION", of_bob.clone()),
        (
            "NSSHELL_PLAN",
            format!("/proc/{init}/root/run/nsshell/plan"),
        ),
        ("NSSHELL_PID", init),
        ("XDG_RUNTIME_DIR", "/run/user/1001".to_owned()),
    ];
    let line =
        "readlink /proc/self/ns/pid; cat /run/nsshell/session; echo; /usr/sbin/nsctl ls --names";
    let check = |way: &str, said: String| {
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines.len(), 3, "{way}: {said}");
        assert_ne!(lines[0], where_bob_is, "{way}");
        assert_ne!(lines[1], of_bob, "{way}");
        assert_eq!(lines[1], lines[2], "{way}");
    };
    let send = ["-o", "SendEnv=NSSHELL_* XDG_*"];
    let ssh = named
        .iter()
        .fold(host.ssh_cmd("alice", &send, line), |cmd, (key, value)| {
            cmd.env(key, value)
        });
    check("SendEnv", ssh.output().ok());
    let su = named.iter().fold(
        host.cmd(&format!("su -m alice -c '{line}'")),
        |cmd, (key, value)| cmd.env(key, value),
    );
    check("su -m", su.output().ok());
    let file: String = named
        .iter()
        .map(|(key, value)| format!("{key}={value}\n"))
        .collect();
    let write = "umask 077; mkdir -p ~/.ssh && cat > ~/.ssh/environment";
    let cmd = host.cmd(write).user("alice").env("HOME", "/home/alice");
    cmd.stdin(file).output().ok();
    check("~/.ssh/environment", host.ssh("alice", line).ok());
    // The file was read, as far as that goes.
    let seen = host.ssh("alice", "echo $NSSHELL_PLAN").ok();
    assert!(seen.ends_with("/run/nsshell/plan"), "{seen}");
    assert_eq!(bob.ask("readlink /proc/self/ns/pid").ok(), where_bob_is);
}

#[test]
fn g10_a_process_that_gets_the_number_of_a_killed_init_is_joined_entered_and_ended_by_nobody() {
    root_or_skip!();
    for held in [false, true] {
        let host = builder("").file("/srv/reuse.py", 0o644, REUSE).start();
        let mut one = host.session("alice");
        let session = name(&mut one);
        let init = host.run("pgrep -x nsshell-init").ok();
        if held {
            // As if init were there to hold it: a lock outlives who has handed it on.
            host.run(&format!(
                "setsid -f flock /run/nsshell/sessions/{session} sleep 1000 >/dev/null 2>&1; true"
            ))
            .ok();
        }
        // sshd's monitor is stopped first: on its way out it would remove the record.
        let monitor = "-f '^sshd: alice [[]priv[]]'";
        host.run(&format!(
            "pkill -STOP {monitor}; kill -KILL {init}; pkill -KILL {monitor}"
        ))
        .ok();
        let _ = one.wait();
        assert_eq!(records(&host), [session.as_str()]);
        if held {
            wait_for("the lock", || host.run("pgrep -x sleep").success());
        }
        let reuse = format!("exec /usr/bin/python3 /srv/reuse.py {init} 1000");
        let mut reused = host.cmd(&reuse).spawn();
        assert_eq!(reused.expect("\n"), format!("reused {init}\n"));
        assert_eq!(host.run("pgrep -x -u alice nsshell-init").ok(), init);

        let why = match held {
            false => "its init was killed".to_owned(),
            true => format!("process {init} is not its init but another one"),
        };
        for verb in ["show", "tree", "end", "end --now", "enter"] {
            let said = host.run(&format!("nsctl {verb} {session}")).fails();
            assert!(
                said.contains(&format!("{session} is dead: {why}")),
                "{verb}: {said}"
            );
        }
        let rest = host.run("nsctl end --all --now");
        assert_eq!(rest.text(), "", "{rest}");
        assert_eq!(host.run("nsctl ls --names").ok(), "");
        let next = host.ssh("alice", "echo $NSSHELL_SESSION; pgrep -x python3; true");
        assert_ne!(next.ok(), session);
        assert_eq!(next.ok().lines().count(), 1, "{next}");
        // It goes on as if nothing were.
        assert_eq!(host.run("pgrep -x -u alice nsshell-init").ok(), init);
        host.run("pkill -x sleep; true").ok();
        wait_for("gc to find nothing held", || {
            host.run("nsctl gc").ok();
            traces(&host).is_empty()
        });
        assert_eq!(host.run("pgrep -x -u alice nsshell-init").ok(), init);
    }
}

/// Writes a record anew, in place, so that its lock stays.
fn rewrite(host: &Host, session: &str, change: &str) {
    host.run(&format!(
        "cd /run/nsshell/sessions && text=$(jq -c '{change}' {session}) && printf %s \"$text\" > {session}"
    ))
    .ok();
}

#[test]
fn g10_a_record_is_joined_only_if_its_process_started_when_and_stands_where_it_says() {
    root_or_skip!();
    let host = builder("").start();
    let mut one = host.session("alice");
    let session = name(&mut one);
    one.ask("sleep 1000 >/dev/null 2>&1 &").ok();
    let path = format!("/run/nsshell/sessions/{session}");
    let right = host.run(&format!("cat {path}")).ok();
    let login = || host.ssh("alice", "echo $NSSHELL_SESSION").ok();
    wait_for("the sleep", || host.run("pgrep -x sleep").success());
    let pid = host.run("pgrep -x sleep").ok();
    let changes = [
        // A number that is alice's process now: of another start, in other namespaces.
        format!(".pid = {pid}"),
        ".pid = 1".to_owned(),
        ".pid = 4000000".to_owned(),
        ".pid = 0".to_owned(),
        ".pid = -1".to_owned(),
        // The number of init, used again: by a process that started later.
        ".start += 1".to_owned(),
        ".namespaces.pid += 1".to_owned(),
        ".namespaces.mnt += 1".to_owned(),
        ".namespaces = {}".to_owned(),
        "del(.namespaces.user)".to_owned(),
        ".uid = 1001".to_owned(),
        ".profile = \"other\"".to_owned(),
        ".scope = \"session\"".to_owned(),
        ".session = \"other\"".to_owned(),
        "{}".to_owned(),
    ];
    for change in changes {
        rewrite(&host, &session, &change);
        assert_ne!(login(), session, "{change}");
        host.run(&format!("printf %s '{right}' > {path}")).ok();
        assert_eq!(login(), session, "the right record is joined again");
        wait_for("the end of the other session", || records(&host).len() == 1);
    }
    // Init's number and everything else as it was, but the socket is another process's.
    host.run(&format!(
        "cd /run/nsshell/users/1000 && mv {session} /run/door && \
         (setsid /usr/bin/python3 -c 'import socket,time; s=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET); \
         s.bind(\"/run/nsshell/users/1000/{session}\"); s.listen(5); time.sleep(1000)' >/dev/null 2>&1 &)"
    ))
    .ok();
    wait_for("the other door", || {
        host.run(&format!("test -S /run/nsshell/users/1000/{session}"))
            .success()
    });
    assert_ne!(login(), session);
    host.run(&format!("mv /run/door /run/nsshell/users/1000/{session}"))
        .ok();
    assert_eq!(login(), session);
    one.end().ok();
    wait_for_no_traces(&host);
}

#[test]
fn a_directory_of_doors_that_is_not_root_s_alone_lets_nobody_in() {
    root_or_skip!();
    let host = builder("").start();
    host.ssh("alice", "true").ok();
    for spoil in [
        "chmod 0711 /run/nsshell/users",
        "chmod 0700 /run/nsshell/users; mkdir -m 0700 /run/nsshell/users/1000 && chown alice /run/nsshell/users/1000",
    ] {
        wait_for("no session", || traces(&host).is_empty());
        host.run(spoil).ok();
        crate::attempt::refused(&host, crate::attempt::Way::Su, &["is not root's alone"]);
    }
    host.run("rmdir /run/nsshell/users/1000").ok();
    host.ssh("alice", "true").ok();
}
