//! The PAM application is left as it was found (G8). `apps/pamapp.c` is one with the odd habits
//! that there are, and compares what it can find out about itself before and after.

mod helper;

use std::time::Duration;

use nsshell_tests::{Builder, Cmd, Host, Output, root_or_skip};

use crate::attempt::{logged, with_application};

fn builder() -> Builder {
    with_application(Host::builder().confined().without_sshd())
        .user("alice")
        .user("bob")
}

/// pamapp with these options, in the directory /tmp/x, which a session hides.
fn app(host: &Host, options: &str) -> Cmd {
    host.cmd(&format!(
        "mkdir -p /tmp/x; cd /tmp/x; umask 027
        exec env LIKE=this pamapp --syslog --same-state {options}"
    ))
}

/// What pamapp found changed.
fn changed(output: &Output) -> Vec<String> {
    let lines = output.text();
    let of = lines.lines().filter(|line| line.starts_with("changed"));
    of.map(str::to_owned).collect()
}

/// Ways of being an application.
const HABITS: [&str; 9] = [
    "",
    "--sigchld ignore",
    "--sigchld handler",
    "--own-child",
    "--own-child --sigchld handler",
    "--real-uid 1001",
    "--close-fds 0,1,2",
    "--close-fds 0",
    "--count 3",
];

#[test]
fn g8_an_application_of_any_habits_is_as_it_was_after_a_session() {
    root_or_skip!();
    let host = builder().start();
    // The first session makes the directory of records.
    host.run("pamapp pamapp alice true").ok();
    let before = host.census();
    for habits in HABITS {
        let output = app(
            &host,
            &format!("{habits} pamapp alice sh -c 'ls /tmp; exit 0'"),
        )
        .output();
        output.ok();
        assert_eq!(changed(&output), Vec::<String>::new(), "{habits}");
        assert!(!output.text().contains("status lost"), "{habits}: {output}");
    }
    host.run("rmdir /tmp/x").ok();
    host.wait_for_nothing_left(&before);
}

#[test]
fn g8_an_application_of_any_habits_is_as_it_was_after_a_refusal() {
    root_or_skip!();
    let host = builder().policy("rules = 1\n").start();
    for habits in HABITS {
        let output = app(&host, &format!("{habits} pamapp alice true")).output();
        assert_eq!(output.code(), Some(4), "{habits}: {output}");
        assert_eq!(changed(&output), Vec::<String>::new(), "{habits}");
    }
}

#[test]
fn g8_what_other_modules_do_to_an_application_is_noticed() {
    root_or_skip!();
    let service = |line: &str| format!("session required {line}\n");
    let host = builder()
        .file(
            "/etc/pam.d/umask",
            0o644,
            &service("pam_umask.so umask=0077"),
        )
        .file("/etc/pam.d/limits", 0o644, &service("pam_limits.so"))
        .file(
            "/etc/security/limits.d/test.conf",
            0o644,
            "alice hard nofile 512\n",
        )
        .file("/etc/pam.d/namespace", 0o644, &service("pam_namespace.so"))
        .file(
            "/etc/security/namespace.conf",
            0o644,
            "/var/tmp /var/tmp-of/ user root\n",
        )
        .prepare("mkdir -m 000 /var/tmp-of; mkdir /tmp/x")
        .file("/etc/pam.d/exec", 0o644, &service("pam_exec.so /bin/true"))
        .start();
    for (service, what) in [
        ("umask", "Umask"),
        ("limits", "Max open files"),
        ("namespace", "ns mnt "),
    ] {
        let output = app(&host, &format!("{service} alice true")).output();
        assert_eq!(output.code(), Some(7), "{output}");
        assert!(
            changed(&output).iter().any(|line| line.contains(what)),
            "{output}"
        );
    }
    assert_eq!(times_handled(&host, "exec"), 2, "opening and closing");
}

/// How often pamapp's handler of SIGCHLD runs in a session in which it has no child of its own.
fn times_handled(host: &Host, service: &str) -> u32 {
    let output = app(host, &format!("--sigchld handler --pause {service} alice")).output();
    let text = output.ok();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("handler ran "));
    line.unwrap().parse().unwrap()
}

#[test]
fn g8_no_handler_of_the_application_s_runs_for_us_and_no_status_is_lost() {
    root_or_skip!();
    let host = builder().start();
    assert_eq!(times_handled(&host, "pamapp"), 0);
    for way in ["default", "handler"] {
        let options = format!("--own-child --sigchld {way} --pause pamapp alice");
        assert!(
            app(&host, &options)
                .output()
                .ok()
                .contains("own child status kept")
        );
    }
    // Who ignores SIGCHLD has no statuses, and loses none.
    app(&host, "--sigchld ignore --own-child pamapp alice true")
        .output()
        .ok();
}

#[test]
fn g8_an_application_with_threads_is_refused_and_as_it_was() {
    root_or_skip!();
    let host = builder().start();
    host.run("pamapp pamapp alice true").ok();
    let before = host.census();
    for habits in ["--threads 1", "--threads 8 --sigchld handler"] {
        let (output, lines) = logged(&host, || {
            app(
                &host,
                &format!("{habits} pamapp alice touch /home/alice/ran"),
            )
            .output()
        });
        assert_eq!(output.code(), Some(4), "{output}");
        // PAM_SYSTEM_ERR
        assert!(output.complaint().contains("(4)"), "{output}");
        assert_eq!(changed(&output), Vec::<String>::new());
        assert!(
            matches!(&lines[..], [line] if line.contains("session of alice refused: ") && line.contains("threads")),
            "{lines:?}"
        );
        host.run("test -e /home/alice/ran").fails();
    }
    host.run("rmdir /tmp/x").ok();
    host.wait_for_nothing_left(&before);
}

#[test]
fn g8_an_application_in_a_chroot_is_refused_and_as_it_was() {
    root_or_skip!();
    let host = builder().start();
    host.run("pamapp pamapp alice true; mkdir /srv/root").ok();
    let before = host.census();
    host.run("mount --rbind / /srv/root; mount --make-rprivate /srv/root")
        .ok();
    let run = "chroot /srv/root pamapp --syslog --same-state pamapp alice touch /srv/ran";
    let (output, lines) = logged(&host, || host.run(run));
    assert_eq!(output.code(), Some(4), "{output}");
    assert_eq!(changed(&output), Vec::<String>::new());
    assert!(
        matches!(&lines[..], [line] if line.contains("the application runs in a chroot, which entering a session would let it out of; leave this service unconfined by a rule")),
        "{lines:?}"
    );
    host.run("umount -R -l /srv/root").ok();
    host.wait_for_nothing_left(&before);
    // Leaving it unconfined is possible.
    host.run("mkdir -p /etc/nsshell; printf '[[rule]]\nservices = [\"pamapp\"]\nprofile = \"none\"\n' > /etc/nsshell/nsshell.toml
        mount --rbind / /srv/root; chroot /srv/root pamapp pamapp alice true")
    .ok();
}

#[test]
fn g8_ten_thousand_sessions_in_one_process_leak_nothing() {
    root_or_skip!();
    let host = builder().start();
    host.run("pamapp pamapp alice true").ok();
    let before = host.census();
    // No command: it is the module that is looked at. --pause waits for an input that is at its end.
    let output = app(
        &host,
        "--count 10000 --pause pamapp alice | grep -v -x opened",
    )
    .limit(Duration::from_secs(600))
    .output();
    let text = output.ok();
    assert!(text.contains("failures 0 of 10000"), "{text}");
    assert_eq!(changed(&output), Vec::<String>::new());
    let memory = text.lines().find(|line| line.starts_with("memory before"));
    let numbers: Vec<i64> = memory
        .unwrap()
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    // kB; the modules and what they are linked with stay.
    assert!(numbers[1] - numbers[0] < 600, "{memory:?}");
    host.run("rmdir /tmp/x").ok();
    host.wait_for_nothing_left(&before);
    assert_eq!(host.run("nsctl ls --json").ok().trim(), "[]");
}

#[test]
fn a_working_directory_is_kept_if_it_is_the_same_inside_and_else_is_the_root() {
    root_or_skip!();
    let host = builder().start();
    host.run(
        "mkdir /tmp/x /srv/open /srv/closed; chmod 700 /srv/closed
        ln -s /srv/open /srv/link; touch /tmp/of-the-host",
    )
    .ok();
    for (here, inside) in [
        ("/home/alice", "/home/alice"),
        ("/srv/open", "/srv/open"),
        ("/srv/link", "/srv/open"),
        ("/srv/closed", "/srv/closed"),
        ("/", "/"),
        ("/tmp", "/"),
        ("/tmp/x", "/"),
        ("/run/user/1000", "/"),
        ("/proc/self", "/"),
    ] {
        let line = format!("cd {here}; exec su alice -c '/bin/pwd -P 2>&1; ls | grep of-the-host'");
        let output = host.run(&line);
        assert_eq!(output.text(), inside, "{here}: {output}");
    }
    // One that is gone, and one that a user has replaced by a link to another's.
    let gone = "mkdir /srv/gone; cd /srv/gone; rmdir /srv/gone; exec su alice -c '/bin/pwd'";
    assert_eq!(host.run(gone).ok(), "/");
    let moved = "mkdir -p /srv/one /srv/two; cd /srv/one; mv /srv/one /srv/three
        ln -s two /srv/one; exec su alice -c '/bin/pwd -P'";
    assert_eq!(host.run(moved).ok(), "/srv/three");
    // The application itself comes back to where it was in each case.
    for here in ["/tmp/x", "/run/user/1000", "/srv/closed"] {
        let line = format!("cd {here}; exec pamapp --syslog --same-state pamapp alice true");
        assert_eq!(changed(&host.run(&line)), Vec::<String>::new(), "{here}");
    }
}

#[test]
fn g8_a_session_that_a_module_after_ours_refuses_is_ended() {
    root_or_skip!();
    let host = builder()
        .file(
            "/etc/pam.d/late",
            0o644,
            "session required pam_nsshell.so\nsession required pam_deny.so\n",
        )
        .start();
    host.run("pamapp pamapp alice true").ok();
    let before = host.census();
    let output = host.run("pamapp late alice touch /home/alice/ran");
    assert_eq!(output.code(), Some(4), "{output}");
    host.run("test -e /home/alice/ran").fails();
    host.wait_for_nothing_left(&before);
}

#[test]
fn a_module_that_is_in_the_stack_twice_makes_one_session_and_says_so() {
    root_or_skip!();
    let host = builder()
        .file(
            "/etc/pam.d/twice",
            0o644,
            "session required pam_nsshell.so\nsession required pam_nsshell.so\n",
        )
        .start();
    host.run("pamapp pamapp alice true").ok();
    let before = host.census();
    let (output, lines) = logged(&host, || app(&host, "twice alice true").output());
    output.ok();
    assert_eq!(changed(&output), Vec::<String>::new());
    let line = "the session is open already; is the module in the stack twice?";
    assert!(lines.iter().any(|one| one.contains(line)), "{lines:?}");
    host.run("rmdir /tmp/x").ok();
    host.wait_for_nothing_left(&before);
}
