//! nsshell without the module and without root: alice makes her session herself. Her login shell
//! is bash, from which she starts nsshell; bob's login shell is nsshell.

mod ending;
mod hang_up;
mod job_control;
mod login;
mod refusals;
mod terminal;

use nsshell_tests::{Builder, Cmd, Host, Output, root_or_skip, wait_for};

const KINDS: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

fn builder() -> Builder {
    let host = Host::builder().installed().user("alice");
    host.user_with("bob", |bob| bob.shell("/usr/bin/nsshell"))
}

fn host() -> Host {
    builder().start()
}

fn with_policy(policy: &str) -> Host {
    builder().policy(policy).start()
}

/// A line of bash as alice.
fn alice(host: &Host, line: &str) -> Cmd {
    let command = format!("cd; {line}");
    host.argv(&["/bin/bash", "-c", &command])
        .user("alice")
        .env("HOME", "/home/alice")
}

/// A command line in a session that alice makes.
fn in_session(host: &Host, line: &str) -> Output {
    host.argv(&["/usr/bin/nsshell", "-c", line])
        .user("alice")
        .env("HOME", "/home/alice")
        .output()
}

/// How many processes of the host alice and bob have.
fn processes(host: &Host) -> usize {
    host.run("ps -e -o user= | grep -c -E '^(alice|bob)$'; true")
        .text()
        .parse()
        .unwrap()
}

fn wait_for_no_process(host: &Host) {
    wait_for("the end of every process", || processes(host) == 0);
}

/// Waits until the one sleep(1) of the host runs in the foreground of its terminal.
fn wait_for_front(host: &Host) {
    wait_for("sleep in the foreground", || {
        host.run("ps -C sleep -o stat=").text() == "S+"
    });
}

/// The namespaces of a process that prints them: a line for each of [`KINDS`].
fn namespaces(output: &Output) -> Vec<String> {
    let lines: Vec<String> = output.ok().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), KINDS.len(), "{output}");
    lines
}

fn list_namespaces() -> String {
    format!(
        "cd /proc/self/ns; for kind in {}; do readlink $kind; done",
        KINDS.join(" ")
    )
}

#[test]
fn the_namespaces_of_the_profile_are_new_and_the_others_are_kept() {
    root_or_skip!();
    let all = "[profile.standard]\nnamespaces = [\"mount\", \"ipc\", \"pid\", \"user\", \"uts\", \"net\", \"cgroup\", \"time\"]\n";
    let few = "[profile.standard]\nnamespaces = [\"mount\", \"user\"]\n";
    let standard = ["cgroup", "ipc", "mnt", "pid", "user", "uts"];
    for (policy, new) in [("", &standard[..]), (all, &KINDS), (few, &["mnt", "user"])] {
        let host = with_policy(policy);
        let outside = namespaces(&alice(&host, &list_namespaces()).output());
        let inside = namespaces(&in_session(&host, &list_namespaces()));
        let differing: Vec<_> = KINDS
            .into_iter()
            .zip(outside.iter().zip(&inside))
            .filter_map(|(kind, (outside, inside))| (outside != inside).then_some(kind))
            .collect();
        assert_eq!(differing, new, "{policy}");
    }
    let host = with_policy(all);
    assert!(in_session(&host, "ip -o link show lo").ok().contains("UP"));
}

#[test]
fn the_maps_are_as_planned() {
    root_or_skip!();
    let maps = |host: &Host| {
        let seen = in_session(
            host,
            "cat /proc/self/uid_map; echo /; cat /proc/self/gid_map",
        )
        .ok();
        seen.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let kept = "0 100000 1000 1000 1000 1 1001 101000 64536";
    assert_eq!(maps(&host()), format!("{kept} / {kept}"));

    let root = with_policy("[profile.standard]\nid_map = \"root\"\n");
    assert_eq!(
        maps(&root),
        "0 1000 1 1 100000 65536 / 0 1000 1 1 100000 65536"
    );
    assert_eq!(
        in_session(&root, "id -u; id -g; touch /tmp/file; stat -c %u /tmp/file").ok(),
        "0\n0\n0"
    );

    let none = Host::builder()
        .installed()
        .user_with("alice", |alice| alice.subordinate(&[]))
        .start();
    assert_eq!(maps(&none), "1000 1000 1 / 1000 1000 1");

    let many: Vec<(u32, u32)> = (1..=200).map(|n| (1_000_000 * n, 10)).collect();
    let many = Host::builder()
        .installed()
        .user_with("alice", |alice| alice.subordinate(&many))
        .start();
    assert_eq!(in_session(&many, "wc -l < /proc/self/uid_map").ok(), "201");
}

#[test]
fn its_directories_are_private_and_its_processes_few() {
    root_or_skip!();
    let host = host();
    host.run("touch /tmp/of-the-host /var/tmp/of-the-host /dev/shm/of-the-host; chmod 666 /tmp/*")
        .ok();
    let seen = in_session(
        &host,
        "ls -A /tmp /var/tmp /dev/shm | grep host; touch /tmp/mine && ls /tmp",
    );
    assert_eq!(seen.ok(), "mine");
    assert_eq!(host.run("ls /tmp").ok(), "of-the-host");
    let commands = in_session(&host, "ps -e -o comm=; true").ok();
    assert_eq!(
        commands.lines().collect::<Vec<_>>(),
        ["nsshell-init", "bash", "ps"]
    );
    assert_eq!(
        in_session(&host, "ipcmk -Q > /dev/null; ipcs -q | grep -c 0x").ok(),
        "1"
    );
    assert_eq!(host.run("ipcs -q | grep -c 0x").text(), "0");
    // The control: without it she sees them.
    let plain = alice(&host, "ls /tmp; ps -e -o comm=").output().ok();
    assert!(
        plain.contains("of-the-host") && plain.contains("testhost_init"),
        "{plain}"
    );
}

#[test]
fn the_shell_knows_its_session() {
    root_or_skip!();
    let host = host();
    let line = "echo $NSSHELL_SESSION; stat -L -c %i /proc/self/ns/user; echo $NSSHELL_PROFILE; \
        echo $SHELL; echo $XDG_RUNTIME_DIR; stat -c '%u %a' $XDG_RUNTIME_DIR";
    let seen = in_session(&host, line).ok();
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines[0], format!("standalone-{}", lines[1]));
    assert_eq!(
        lines[2..],
        ["standard", "/bin/bash", "/run/user/1000", "1000 700"]
    );
}

#[test]
fn started_again_inside_it_makes_no_session_within_the_session() {
    root_or_skip!();
    let host = host();
    for start in [
        "nsshell",
        "env -u NSSHELL_SESSION /usr/bin/nsshell",
        "env -i /usr/bin/nsshell",
        "unshare -U --map-current-user nsshell",
        "unshare -Ur nsshell",
        "nsshell -c 'nsshell \"$@\"' -",
    ] {
        let pid = "stat -L -c %i /proc/self/ns/pid";
        let seen = in_session(&host, &format!("{pid}; {start} -c '{pid}'")).ok();
        let lines: Vec<&str> = seen.lines().collect();
        assert_eq!((lines.len(), lines[0]), (2, lines[1]), "{start}");
    }
    // Neither does a policy stand in the way whose owner cannot be told in here, nor a rule that
    // would have another shell for whom the user is in here.
    let policy = "[profile.standard]\nid_map = \"root\"\nshell = \"/bin/dash\"\n";
    let line = "id -u; nsshell -c 'echo $0'; env -i /usr/bin/nsshell -c 'echo $0'";
    assert_eq!(
        in_session(&with_policy(policy), line).ok(),
        "0\ndash\n/bin/sh"
    );
    // A stray copy of the variable keeps nobody out.
    let stray = alice(
        &host,
        "NSSHELL_SESSION=standalone-1 nsshell -c 'cat /proc/1/comm'",
    );
    assert_eq!(stray.output().ok(), "nsshell-init");
}

#[test]
fn data_goes_through_untouched() {
    root_or_skip!();
    let host = host();
    let bytes: Vec<u8> = (0..1_000_000_u32)
        .map(|n| u8::try_from(n.wrapping_mul(31) >> 3 & 255).unwrap())
        .collect();
    let through = alice(&host, "nsshell -c cat").stdin(bytes.clone()).output();
    assert!(
        through.stdout == bytes,
        "{} bytes came back",
        through.stdout.len()
    );
    for (line, expected) in [
        ("echo in | nsshell -c 'read x; echo $x out' | cat", "in out"),
        (
            "cat <(nsshell -c 'echo one') <(nsshell -c 'echo two')",
            "one\ntwo",
        ),
        (
            "nsshell -c 'cat <(echo inner) - <&3' 3< <(echo outer)",
            "inner\nouter",
        ),
        ("echo $(nsshell -c 'echo a; echo b >&2' 2>&1)", "a b"),
        ("nsshell <<< 'echo script; cat\nrest'", "script\nrest"),
        (
            "{ nsshell -c 'yes; echo $? >status' | head -n 1; }; cat status",
            "y\n141",
        ),
        (
            "nsshell -c 'exec yes' | head -n 1; echo ${PIPESTATUS[0]}",
            "y\n141",
        ),
        ("x=$(nsshell -c 'exit 5'); echo $?", "5"),
        ("nsshell -c 'echo to 7 >&7' 7>&1", "to 7"),
        (
            "seq 3 | while read n; do nsshell -c \"echo $n\" < /dev/null; done",
            "1\n2\n3",
        ),
        ("nsshell -c 'pwd; cd /tmp; pwd'", "/home/alice\n/tmp"),
    ] {
        assert_eq!(alice(&host, line).output().text(), expected, "{line}");
    }
}

#[test]
fn the_shell_alone_holds_what_it_was_given() {
    root_or_skip!();
    let host = host();
    let list = "'for fd in /proc/self/fd/*; do echo ${fd##*/} $(stat -L -c %F $fd); done'";
    for redirection in ["", "7</etc/passwd", "<&-"] {
        let run = |shell: &str| {
            alice(&host, &format!("{shell} -c {list} {redirection}"))
                .output()
                .ok()
        };
        assert_eq!(run("nsshell"), run("bash"), "{redirection}");
    }
    // When the shell closes its end of a pipe, the other end sees it: nobody else holds one.
    let (mut reader, mut writer) = (
        alice(
            &host,
            "nsshell -c 'echo first; exec >&-; sleep 1000' | { cat; echo end; }",
        )
        .spawn(),
        alice(
            &host,
            "{ yes; echo end >&2; } 2>&1 | nsshell -c 'read x; exec <&-; sleep 1000' & wait",
        )
        .spawn(),
    );
    reader.expect("first\nend");
    drop(reader);
    // yes(1) has nobody to write to any more.
    wait_for("the end of yes", || !host.run("pgrep -x yes").success());
    writer.kill();
}

#[test]
fn closed_standard_descriptors_do_no_harm() {
    root_or_skip!();
    let host = host();
    for closed in ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"] {
        let line =
            format!("nsshell -c 'cat /proc/1/comm > ran' {closed}; echo $?; cat ran; rm ran");
        assert_eq!(
            alice(&host, &line).output().ok(),
            "0\nnsshell-init",
            "{closed}"
        );
    }
}

#[test]
fn another_shell_of_the_profile_works_as_well() {
    root_or_skip!();
    let host = with_policy("[profile.standard]\nshell = \"/bin/dash\"\n");
    let seen = in_session(&host, "echo $0 $SHELL; ps -o comm= -p $$; exit 3");
    assert_eq!(
        (seen.code(), seen.text().as_str()),
        (Some(3), "/bin/dash /bin/dash\ndash")
    );
}
