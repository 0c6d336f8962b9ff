//! Where nsshell has nothing to enter, and what a user can do about the shell from inside.

use nsshell_tests::{Host, PASSWORD, root_or_skip, wait_for};

/// Prints the namespaces of the process that reads this.
const NAMESPACES: &str = "readlink /proc/self/ns/user /proc/self/ns/mnt /proc/self/ns/pid";

#[test]
fn started_again_inside_it_enters_nothing_more() {
    root_or_skip!();
    let host = Host::confined();
    let line = format!(
        "{NAMESPACES}; nsshell -c '{NAMESPACES}'; nsshell -c 'nsshell -lc \"{NAMESPACES}\"'; \
         env -i nsshell -c '/bin/{NAMESPACES}'"
    );
    let seen = host.ssh("alice", &line).ok();
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines.len(), 12, "{seen}");
    assert!(lines.chunks(3).all(|chunk| chunk == &lines[..3]), "{seen}");
}

#[test]
fn in_a_user_namespace_made_inside_it_stays_there() {
    root_or_skip!();
    let host = Host::confined();
    for unshare in [
        "unshare -Ur",
        "unshare -U --map-current-user",
        "unshare -Urm",
        "unshare -Urpf --mount-proc",
        "unshare -Ur unshare -Ur",
        "env -i /bin/unshare -Ur",
    ] {
        let line = format!("{unshare} /bin/sh -c '{NAMESPACES}; nsshell -c \"{NAMESPACES}\"'");
        let seen = host.ssh("alice", &line).ok();
        let lines: Vec<&str> = seen.lines().collect();
        assert_eq!(
            (lines.len(), &lines[..3]),
            (6, &lines[3..]),
            "{unshare}: {seen}"
        );
    }
}

#[test]
fn a_login_that_the_policy_leaves_alone_is_just_the_real_shell() {
    root_or_skip!();
    let policies = [
        "[[rule]]\nusers = [\"alice\"]\nprofile = \"none\"\n",
        // What nsshell cannot find out for itself.
        "[[rule]]\nservices = [\"sshd\", \"su\"]\nprofile = \"none\"\n",
        "[[rule]]\nservices = [\"sshd\", \"su\"]\nprofile = \"mine\"\n[profile.mine]\nnamespaces = []\n",
    ];
    for policy in policies {
        let host = Host::builder()
            .confined()
            .user("alice")
            .policy(policy)
            .start();
        let of_host = host.run(NAMESPACES).text();
        for line in [
            NAMESPACES,
            "nsshell -c 'readlink /proc/self/ns/user /proc/self/ns/mnt /proc/self/ns/pid'",
        ] {
            assert_eq!(host.ssh("alice", line).ok(), of_host, "{policy}");
        }
        assert_eq!(
            host.argv(&["su", "alice", "-c", NAMESPACES]).output().ok(),
            of_host
        );
        assert_eq!(
            host.ssh("alice", "echo $SHELL; ps -o comm= -p $$; true")
                .ok(),
            "/bin/bash\nbash"
        );
    }
}

#[test]
fn root_has_it_as_login_shell_and_is_left_alone() {
    root_or_skip!();
    let host = Host::confined();
    host.run("sed -i '/^root:/s:/bin/bash:/usr/bin/nsshell:' /etc/passwd")
        .ok();
    let of_host = host.run(NAMESPACES).ok();
    assert_eq!(host.ssh("root", NAMESPACES).ok(), of_host);
    assert_eq!(host.ssh("root", "echo $SHELL").ok(), "/bin/bash");
    assert_eq!(
        host.run(&format!("nsshell -c '{NAMESPACES}'")).ok(),
        of_host
    );
}

#[test]
fn a_user_changes_no_login_shell_from_inside() {
    root_or_skip!();
    let chsh = "auth required pam_unix.so\naccount required pam_unix.so\n";
    let shell_of = |host: &Host| host.run("getent passwd alice | cut -d: -f7").ok();
    let change = |host: &Host| {
        let mut shell = host.ssh_pty("alice", "");
        shell.prompt();
        shell.line("chsh -s /bin/sh");
        // What follows is typed whether or not it asks.
        if shell
            .expect_any(&["assword: ", "PAM", "annot", "$ "])
            .ends_with("assword: ")
        {
            shell.line(PASSWORD);
            shell.prompt();
        }
        shell_of(host)
    };
    let host = Host::builder()
        .confined()
        .file("/etc/pam.d/chsh", 0o644, chsh)
        .user("alice")
        .start();
    assert_eq!(change(&host), "/usr/bin/nsshell");
    let control = Host::builder()
        .file("/etc/pam.d/chsh", 0o644, chsh)
        .user("alice")
        .start();
    assert_eq!(change(&control), "/bin/sh");
}

#[test]
fn su_with_another_shell_gives_a_user_nothing_from_inside() {
    root_or_skip!();
    let attempt = |host: &Host| {
        let mut shell = host.ssh_pty("alice", "");
        shell.prompt();
        shell.line("su -s /bin/bash bob -c 'id -un; readlink /proc/self/ns/user'; echo en''d");
        if shell
            .expect_any(&["assword: ", "end\r\n"])
            .ends_with("assword: ")
        {
            shell.line(PASSWORD);
            return shell.expect("end\r\n");
        }
        String::new()
    };
    let seen = attempt(&Host::confined());
    assert!(!seen.contains("user:["), "{seen}");
    let seen = attempt(&Host::unconfined());
    assert!(seen.contains("bob\r\nuser:["), "{seen}");
}

#[test]
fn a_shell_that_somebody_else_starts_by_name_is_the_real_one() {
    root_or_skip!();
    let host = Host::confined();
    // script(1) and tmux take $SHELL; neither must end in a session within the session.
    let script = host.ssh_cmd("alice", &["-tt"], "script -qc 'ps -o comm= -p $$; readlink /proc/self/ns/user' /dev/null; readlink /proc/self/ns/user");
    let (status, text) = script.pty().wait();
    assert_eq!(status.code(), Some(0), "{text}");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    assert_eq!((lines[0], lines[1]), ("bash", lines[2]), "{text}");
    wait_for("the end of the session", || {
        !host.run("pgrep -x nsshell-init").success()
    });
}
