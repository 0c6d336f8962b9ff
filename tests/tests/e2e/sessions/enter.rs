//! `nsctl enter`.

use std::time::Duration;

use nsshell_tests::{Host, root_or_skip, wait_for};

use super::{inode, listed, login_with_sleep, name_of, session_of};

#[test]
fn a_visit_has_the_namespaces_and_the_ids_of_its_layer() {
    root_or_skip!();
    let host = Host::builder()
        .confined()
        .user("alice")
        .prepare("groupadd -g 4242 more && usermod -aG more alice")
        .start();
    let mut alice = login_with_sleep(&host, "alice");
    alice.ask("echo of the session > /tmp/file").ok();
    let known = session_of(&host, "alice");
    let enter = |layer: &str, line: &str| {
        host.run(&format!(
            "nsctl enter {} {layer} -- sh -c '{line}'",
            known.session
        ))
        .ok()
    };
    let number = |layer: &str, link: &str| {
        let text = enter(layer, &format!("readlink /proc/self/ns/{link}"));
        text.split(['[', ']'])
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let host_user = inode(&host, 1, "user");
    for layer in ["--layer host", "--layer user", ""] {
        for link in ["ipc", "pid", "uts", "cgroup", "net"] {
            assert_eq!(
                number(layer, link),
                known.namespaces[link],
                "{layer} {link}"
            );
        }
        assert_eq!(enter(layer, "cat /tmp/file"), "of the session");
        assert_eq!(
            enter(layer, "id -u; id -g; id -un").replace('\n', " "),
            "1000 1000 alice"
        );
        assert_eq!(
            enter(layer, "pwd; echo $HOME $USER $LOGNAME").replace('\n', " "),
            "/home/alice /home/alice alice alice"
        );
        assert_eq!(
            enter(
                layer,
                "grep CapEff /proc/self/status; pgrep -x testhost_init; true"
            ),
            "CapEff:\t0000000000000000"
        );
        // and nothing of root's comes along
        assert_eq!(
            enter(
                layer,
                "ls /proc/self/fd | wc -l; ls -l /proc/self/fd | grep -c nsshell; true"
            )
            .replace('\n', " "),
            "4 0"
        );
        assert_eq!(
            enter(layer, "env | grep -c ^SUDO_; ls /root 2>/dev/null; true"),
            "0"
        );
    }
    assert_eq!(number("--layer host", "user"), host_user);
    assert_eq!(number("--layer host", "mnt"), known.namespaces["mnt"]);
    assert_eq!(
        number("--layer user", "user"),
        known.user_namespace.unwrap()
    );
    assert_eq!(number("", "user"), known.user_namespace.unwrap());
    assert_ne!(number("", "mnt"), known.namespaces["mnt"]);
    let groups = enter("--layer host", "id -G");
    assert!(groups.split(' ').any(|gid| gid == "4242"), "{groups}");
}

#[test]
fn a_visit_ends_as_its_command_does() {
    root_or_skip!();
    let host = Host::confined();
    let _alice = host.session("alice");
    let name = name_of(&host, "alice");
    let code = |rest: &str| host.run(&format!("nsctl enter {name} {rest}")).code();
    assert_eq!(code("-- true"), Some(0));
    assert_eq!(code("-- sh -c 'exit 7'"), Some(7));
    assert_eq!(code("--layer host -- sh -c 'exit 8'"), Some(8));
    assert_eq!(code("-- sh -c 'kill -TERM $$'"), Some(128 + 15));
    let missing = host.run(&format!("nsctl enter {name} -- no-such-program"));
    assert_eq!(missing.code(), Some(127));
    assert_eq!(
        missing.fails(),
        "nsctl: cannot execute \"no-such-program\" in the session: No such file or directory"
    );
    assert_eq!(code("-- /etc/passwd"), Some(126));
    // the user's shell, with what it is to read
    let shell = |rest: &str| {
        host.cmd(&format!("nsctl enter {name} {rest}"))
            .stdin("echo $0 $SHELL; exit 9\n")
            .output()
    };
    for rest in ["", "--layer host"] {
        let output = shell(rest);
        assert_eq!(
            (output.code(), output.text().as_str()),
            (Some(9), "-bash /bin/bash"),
            "{output}"
        );
    }
    // pipes are given as they are
    let line = format!(
        "echo in | nsctl enter {name} -- sh -c 'cat; echo err >&2' 2>/root/err | tr a-z A-Z; cat /root/err"
    );
    assert_eq!(host.run(&line).ok(), "IN\nerr");
    // a signal to nsctl is one to the command
    let mut waits = host.cmd(&format!("exec nsctl enter {name} -- sh -c 'trap \"echo told; exit 3\" TERM; echo up; while :; do sleep 0.1; done'")).spawn();
    waits.expect("up");
    host.run("pkill -TERM -x nsctl").ok();
    waits.expect("told");
    assert_eq!(waits.wait(nsshell_tests::LIMIT).code(), Some(3));
}

#[test]
fn a_visit_on_a_terminal_has_one_of_its_own_with_size_and_job_control() {
    root_or_skip!();
    let host = Host::confined();
    let _alice = host.session("alice");
    let name = name_of(&host, "alice");
    let mut screen = host.pty(&format!(
        "tty; nsctl enter {name}; echo \"status $?\"; stty -a | grep -o ' .\\?icanon'; sleep 1000"
    ));
    let own = screen.expect("\r\n").trim().to_owned();
    screen.prompt();
    let tty = screen.ask("tty");
    assert!(tty.starts_with("/dev/pts/") && tty != own, "{tty}");
    assert_eq!(screen.ask("stat -c %U $(tty)"), "alice");
    assert_eq!(screen.ask("stty size"), "24 80");
    screen.resize(50, 132);
    wait_for("the new size", || screen.ask("stty size") == "50 132");
    // What is typed before the program runs is the shell's.
    let foreground = |number: &str| {
        let line = format!("ps -e -o stat=,args= | grep -q '^S+ *sleep {number}$'");
        wait_for("the program", || host.run(&line).success());
    };
    // ^C reaches the program and nobody else
    screen.line("echo be''gin; sleep 1000");
    screen.expect("begin\r\n");
    foreground("1000");
    screen.send("\u{3}");
    screen.prompt();
    screen.line("echo \"got $?\"");
    screen.expect("got 130");
    // ^Z stops it, and it goes on
    screen.line("echo be''gin; sleep 1001");
    screen.expect("begin\r\n");
    foreground("1001");
    screen.send("\u{1a}");
    screen.expect("Stopped");
    assert!(screen.ask("jobs").contains("sleep 1001"));
    screen.line("fg");
    foreground("1001");
    screen.send("\u{3}");
    screen.prompt();
    // much at once comes through
    let lines = screen.ask("seq 20000 | tail -n +1 | md5sum; seq 20000");
    assert!(lines.ends_with("\n20000"), "{}", lines.len());
    screen.line("exit 5");
    screen.expect("status 5");
    // the terminal is as it was
    screen.expect(" icanon");
}

#[test]
fn a_terminal_of_the_administrator_is_never_given_to_the_session() {
    root_or_skip!();
    let host = Host::confined();
    let _alice = host.session("alice");
    let name = name_of(&host, "alice");
    let probe = "for fd in 0 1 2; do test -t $fd && echo $fd:$(readlink /proc/$$/fd/$fd); done; (: </dev/tty) 2>/dev/null && echo controls; echo done";
    // Standard output and error are root's terminal here; no program of alice's sees it.
    let mut screen = host.pty(&format!(
        "nsctl enter {name} -- sh -c '{probe}' </dev/null; sleep 1000"
    ));
    let seen = screen.expect("done");
    assert_eq!(seen, "done");
    // The same without nsctl: there they are.
    let mut screen = host.pty(&format!(
        "setpriv --reuid alice --regid alice --clear-groups sh -c '{probe}' </dev/null; sleep 1000"
    ));
    let seen = screen.expect("done");
    assert!(
        seen.contains("1:/dev/pts/") && seen.contains("controls"),
        "{seen}"
    );
    // With standard input a terminal, all of them are the new one.
    let mut screen = host.pty(&format!(
        "tty; nsctl enter {name} -- sh -c '{probe}'; sleep 1000"
    ));
    let own = screen.expect("\r\n").trim().to_owned();
    let seen = screen.expect("done");
    assert_eq!(seen.matches("/dev/pts/").count(), 3, "{seen}");
    assert!(
        seen.contains("controls") && !seen.contains(&format!(":{own}\r")),
        "{seen}"
    );
}

#[test]
fn a_visit_ends_with_its_session_and_leaves_the_terminal_as_it_was() {
    root_or_skip!();
    let host = Host::confined();
    host.ssh("alice", "true").ok();
    let alice = host.session("alice");
    let name = name_of(&host, "alice");
    let mut screen = host.pty(&format!("nsctl enter {name} -- sh -c 'trap \"\" TERM HUP; echo up; while :; do sleep 0.1; done'; echo \"status $?\"; stty -a | grep -o ' .\\?icanon'; sleep 1000"));
    screen.expect("up");
    host.run(&format!("nsctl end --now {name}")).ok();
    screen.expect("status 137");
    screen.expect(" icanon");
    drop(alice);
}

#[test]
fn a_visit_is_no_login_but_under_keep_the_session_stays_for_what_it_runs() {
    root_or_skip!();
    for (on_logout, stays) in [("kill", false), ("keep", true)] {
        let host = Host::builder()
            .confined()
            .user("alice")
            .policy(&format!("[profile.standard]\non_logout = '{on_logout}'\n"))
            .start();
        let alice = host.session("alice");
        let name = name_of(&host, "alice");
        let mut visit = host
            .cmd(&format!("nsctl enter {name} -- sleep 1000"))
            .spawn();
        wait_for("the visit", || host.run("pgrep -x sleep").success());
        assert_eq!(session_of(&host, "alice").logins, Some(1), "{on_logout}");
        alice.end().ok();
        if stays {
            wait_for("the logout", || {
                session_of(&host, "alice").logins == Some(0)
            });
            // init has looked around since, and looks again each second
            std::thread::sleep(Duration::from_millis(1500));
            assert_eq!(name_of(&host, "alice"), name);
            host.run("pkill -x sleep").ok();
        }
        let ended = visit.wait(Duration::from_secs(20));
        // SIGTERM: of pkill, or of init, which asks first
        assert_eq!(ended.code(), Some(143), "{ended}");
        wait_for("the end of the session", || listed(&host).is_empty());
    }
}

#[test]
fn a_layer_that_the_session_does_not_have_is_refused() {
    root_or_skip!();
    let host = Host::builder()
        .confined()
        .user("alice")
        .policy("[profile.standard]\nnamespaces = ['mount', 'pid']\n")
        .start();
    let _alice = host.session("alice");
    let name = name_of(&host, "alice");
    let output = host.run(&format!("nsctl enter {name} --layer user -- true"));
    assert_eq!(output.code(), Some(125));
    assert_eq!(
        output.fails(),
        format!(
            "nsctl: session {name} has no user namespace, and so no user layer; use --layer host"
        )
    );
    assert_eq!(
        host.run(&format!("nsctl enter {name} -- id -u")).ok(),
        "1000"
    );
}

/// The number of a system call on this machine: keyctl(2), ptrace(2).
fn system_call(name: &str) -> u32 {
    match (name, std::env::consts::ARCH) {
        ("keyctl", "x86_64") => 250,
        ("keyctl", "aarch64") => 219,
        ("ptrace", "x86_64") => 101,
        ("ptrace", "aarch64") => 117,
        other => panic!("what is the number of {other:?}?"),
    }
}

#[test]
fn a_visit_ends_though_a_process_of_the_user_s_writes_to_its_terminal_for_ever() {
    root_or_skip!();
    let host = Host::confined();
    let _alice = host.session("alice");
    let name = name_of(&host, "alice");
    let mut screen = host.pty(&format!(
        "nsctl enter {name} -- sh -c 'setsid -f yes; sleep 0.5'; echo \"status $?\"; sleep 1000"
    ));
    screen.expect("y\r\n");
    screen.expect("status 0");
    // The same without a terminal to type on, where the output is a pipe.
    let mut screen = host.pty(&format!(
        "nsctl enter {name} -- sh -c 'setsid -f yes; sleep 0.5' </dev/null; echo \"status $?\"; \
         sleep 1000"
    ));
    screen.expect("y\r\n");
    screen.expect("status 0");
}

#[test]
fn a_visit_ends_though_a_process_of_the_user_s_hides_the_end_of_its_command() {
    root_or_skip!();
    let host = Host::confined();
    let _alice = host.session("alice");
    let name = name_of(&host, "alice");
    // PTRACE_SEIZE, and never a wait(2). No signal may come to the one that is traced: it would
    // stop for the tracer to see that, too.
    let script = format!(
        "my $me = $$ + 0; \
         if (!fork) {{ \
           close STDOUT; close STDERR; \
           syscall({}, 0x4206, $me, 0, 0) == 0 or exit 1; sleep 1000 \
         }} \
         select(undef, undef, undef, 1); exit 0",
        system_call("ptrace")
    );
    let visit = host.run(&format!("nsctl enter {name} -- perl -e '{script}'"));
    assert_eq!(visit.code(), Some(125), "{visit}");
    assert!(visit.fails().contains("has ended, nobody knows how"));
    assert!(host.run("pgrep -u alice -x perl").success());
}

#[test]
fn a_visit_has_none_of_the_administrator_s_keys_limits_and_audit_identity() {
    root_or_skip!();
    let host = Host::confined();
    let _login = host.session("alice");
    let name = name_of(&host, "alice");
    let of_process_1 = host.run("prlimit --pid 1 --nproc --output SOFT --noheadings");
    let keyctl = system_call("keyctl");
    // KEYCTL_GET_KEYRING_ID of KEY_SPEC_SESSION_KEYRING, after root has joined a new one
    let id = format!("print syscall({keyctl}, 0, -3, 0), qq(\\n);");
    let root = format!("perl -e '$| = 1; syscall({keyctl}, 1, 0); {id} exec @ARGV' --");
    let visit = format!(
        "nsctl enter {name} --layer host -- bash -c \"perl -e '{id}'; ulimit -u; \
         cat /proc/self/loginuid\""
    );
    let line = format!("echo 4242 > /proc/self/loginuid; prlimit --nproc=777: {root} {visit}");
    let seen = host.run(&line).ok();
    let seen: Vec<&str> = seen.lines().collect();
    let [own, theirs, limit, audited] = seen[..] else {
        panic!("{seen:?}");
    };
    let serial = |text: &str| text.parse::<i64>().unwrap();
    assert!(serial(own) > 0 && serial(theirs) > 0);
    assert_ne!(own, theirs);
    assert_eq!((limit, audited), (of_process_1.ok().trim(), "1000"));
    host.wait_for_log("event=enter");
    let log = host.log();
    let line = log.lines().find(|line| line.contains("event=enter"));
    assert!(line.unwrap().contains("by=4242"), "{line:?}");
}
