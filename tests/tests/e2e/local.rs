//! The ways in that are not ssh: login, su, cron.

use nsshell_tests::{Host, PASSWORD, Pty, root_or_skip};

on_both_hosts!(
    login_opens_a_login_shell,
    su_from_root_opens_a_login_shell,
    su_from_root_runs_a_command,
    su_from_a_user_asks_for_the_password,
    su_refuses_a_wrong_password,
    cron_runs_a_job,
);

/// The shell on this terminal is alice's login shell, and ends.
fn is_login_shell_of_alice(mut shell: Pty) {
    shell.prompt();
    assert_eq!(
        shell.ask("id -un; pwd; echo $HOME; shopt -q login_shell && echo login"),
        "alice\n/home/alice\n/home/alice\nlogin"
    );
    assert!(shell.ask("tty").starts_with("/dev/pts/"));
    shell.line("exit 5");
    shell.wait();
}

fn login_opens_a_login_shell(host: &Host) {
    let mut shell = host.pty("exec login");
    shell.expect("login: ");
    shell.line("alice");
    shell.expect("assword: ");
    shell.line(PASSWORD);
    is_login_shell_of_alice(shell);
}

fn su_from_root_opens_a_login_shell(host: &Host) {
    is_login_shell_of_alice(host.pty("exec su - alice"));
}

fn su_from_root_runs_a_command(host: &Host) {
    assert_eq!(host.run("su alice -c 'id -un; exit 6'").text(), "alice");
    assert_eq!(host.run("su alice -c 'id -un; exit 6'").code(), Some(6));
    assert_eq!(host.run("su - alice -c 'pwd'").ok(), "/home/alice");
}

fn su_from_a_user_asks_for_the_password(host: &Host) {
    // Not through a login: there no set-user-id program works (G4).
    let mut shell = host.cmd("exec su - alice").user("bob").pty();
    shell.expect("assword: ");
    shell.line(PASSWORD);
    is_login_shell_of_alice(shell);
    let mut command = host
        .cmd("exec su alice -c 'id -un; exit 6'")
        .user("bob")
        .pty();
    command.expect("assword: ");
    command.line(PASSWORD);
    let (status, text) = command.wait();
    assert_eq!((status.code(), text.trim()), (Some(6), "alice"));
}

fn su_refuses_a_wrong_password(host: &Host) {
    let mut command = host.cmd("exec su alice -c 'id -un'").user("bob").pty();
    command.expect("assword: ");
    command.line("wrong");
    let (status, text) = command.wait();
    assert!(
        status.code() == Some(1) && text.contains("failure"),
        "{status}: {text}"
    );
}

/// Lets alice's job run at the start of cron; what it wrote.
fn cron_job(host: &Host, line: &str) -> String {
    host.run(&format!(
        "cd /var/spool/cron/crontabs
        echo '@reboot {{ {line}; echo done; }} > /home/alice/out 2>&1' > alice
        chown alice:crontab alice; chmod 600 alice; cron"
    ))
    .ok();
    nsshell_tests::wait_for("the end of the job", || {
        host.run("grep -x done /home/alice/out").success()
    });
    host.run("cat /home/alice/out").ok()
}

fn cron_runs_a_job(host: &Host) {
    assert_eq!(cron_job(host, "id -un; pwd"), "alice\n/home/alice\ndone");
}

#[test]
fn g1_g2_a_cron_job_is_confined_by_the_host_layer() {
    root_or_skip!();
    let job = |host: &Host| {
        host.run("echo secret > /tmp/of-the-host").ok();
        let line = "ps -e -o comm=; ls /tmp; for kind in ipc mnt pid; do readlink /proc/self/ns/$kind; done";
        (
            cron_job(host, line),
            host.run("for kind in ipc mnt pid; do readlink /proc/self/ns/$kind; done")
                .ok(),
        )
    };
    let (seen, of_host) = job(&Host::confined());
    assert!(
        seen.contains("nsshell-init")
            && !seen.contains("testhost_init")
            && !seen.contains("of-the-host"),
        "{seen}"
    );
    assert!(
        of_host.lines().all(|namespace| !seen.contains(namespace)),
        "{seen}"
    );
    let (seen, of_host) = job(&Host::unconfined());
    assert!(
        seen.contains("testhost_init") && seen.contains("of-the-host"),
        "{seen}"
    );
    assert!(
        of_host.lines().all(|namespace| seen.contains(namespace)),
        "{seen}"
    );
}

#[test]
fn g1_g2_login_and_su_lead_into_sessions_like_ssh() {
    root_or_skip!();
    let looks = |host: &Host| {
        host.run("echo secret > /tmp/of-the-host").ok();
        let mut shells = [
            host.pty("exec su - alice"),
            host.pty("exec su alice"),
            host.pty("exec login -f alice"),
        ];
        shells.each_mut().map(|shell| {
            shell.prompt();
            shell.ask("ps -e -o comm=; ls /tmp")
        })
    };
    for seen in looks(&Host::confined()) {
        let lines: Vec<&str> = seen.lines().collect();
        assert!(
            lines.contains(&"nsshell-init") && !lines.contains(&"testhost_init"),
            "{seen}"
        );
        assert!(!lines.contains(&"of-the-host"), "{seen}");
    }
    for seen in looks(&Host::unconfined()) {
        assert!(
            seen.contains("testhost_init") && seen.contains("of-the-host"),
            "{seen}"
        );
    }
}

#[test]
fn g4_su_gives_nothing_inside_a_session() {
    root_or_skip!();
    let become_bob = |host: &Host| {
        let mut shell = host.ssh_pty("alice", "");
        shell.prompt();
        shell.line("su bob -c 'id -un'; echo sta''tus $?");
        let prompted = shell.expect_any(&["assword: ", "status "]);
        if prompted.ends_with("assword: ") {
            shell.line(PASSWORD);
            shell.expect("status ");
        }
        shell.expect("\n").trim().to_owned()
    };
    assert_ne!(become_bob(&Host::confined()), "0");
    assert_eq!(become_bob(&Host::unconfined()), "0");
}
