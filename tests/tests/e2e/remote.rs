//! Commands over ssh: what goes in and what comes back.

use nsshell_tests::{Host, root_or_skip};

on_both_hosts!(
    a_command_runs_as_the_user_in_the_home_directory,
    the_exit_status_reaches_the_client,
    a_death_by_signal_reaches_the_client,
    both_outputs_and_the_input_are_kept_apart,
    an_accepted_environment_variable_arrives,
    a_command_line_is_passed_on_untouched,
    a_login_shell_reads_the_profile,
    two_commands_at_once_each_get_their_own_output,
    root_logs_in,
);

fn a_command_runs_as_the_user_in_the_home_directory(host: &Host) {
    assert_eq!(
        host.ssh("alice", "id -un; id -u; id -g; pwd; echo $HOME")
            .ok(),
        "alice\n1000\n1000\n/home/alice\n/home/alice"
    );
    host.ssh("alice", "touch mine").ok();
    assert_eq!(
        host.run("stat -c '%U %G' /home/alice/mine").ok(),
        "alice alice"
    );
}

fn the_exit_status_reaches_the_client(host: &Host) {
    for code in [0, 1, 42, 126, 127, 255] {
        assert_eq!(
            host.ssh("alice", &format!("exit {code}")).code(),
            Some(code)
        );
    }
    assert_eq!(host.ssh("alice", "/nowhere/at/all").code(), Some(127));
    assert_eq!(host.ssh("alice", "/etc/passwd").code(), Some(126));
}

fn a_death_by_signal_reaches_the_client(host: &Host) {
    // ssh(1) exits with 255 when the server reports a signal instead of a status.
    let killed = host.ssh_cmd("alice", &["-v"], "kill -TERM $$").output();
    assert_eq!(killed.code(), Some(255), "{killed}");
    assert!(killed.complaint().contains("exit-signal"), "{killed}");
    assert_eq!(
        host.ssh("alice", "sh -c 'kill -9 $$'; exit $?").code(),
        Some(137)
    );
}

fn both_outputs_and_the_input_are_kept_apart(host: &Host) {
    let output = host
        .ssh_cmd("alice", &[], "tr a-z A-Z; echo complaint >&2")
        .stdin("some text")
        .output();
    assert_eq!(
        (output.ok().as_str(), output.complaint().as_str()),
        ("SOME TEXT", "complaint")
    );
}

fn an_accepted_environment_variable_arrives(host: &Host) {
    let ssh = host.ssh_cmd(
        "alice",
        &["-o", "SendEnv=TESTHOST_*"],
        "echo $TESTHOST_GREETING",
    );
    assert_eq!(
        ssh.env("TESTHOST_GREETING", "good day").output().ok(),
        "good day"
    );
}

fn a_command_line_is_passed_on_untouched(host: &Host) {
    let line = r#"printf '%s|' "a  b" 'c'"'"'d' '$HOME' "\\" "é" '*' -c; printf '\n%s' "$#""#;
    assert_eq!(host.ssh("alice", line).ok(), "a  b|c'd|$HOME|\\|é|*|-c|\n0");
}

fn a_login_shell_reads_the_profile(host: &Host) {
    host.ssh("alice", "echo 'PROFILE=read' > .profile").ok();
    let login = host
        .ssh_cmd("alice", &["-T"], "")
        .stdin("echo $PROFILE; shopt -q login_shell && echo login\n")
        .output();
    assert!(login.ok().ends_with("read\nlogin"), "{login}");
}

fn two_commands_at_once_each_get_their_own_output(host: &Host) {
    let (mut one, mut two) = (host.session("alice"), host.session("alice"));
    assert_eq!(one.ask("name=one").ok(), "");
    assert_eq!(two.ask("name=two").ok(), "");
    assert_eq!(
        (one.ask("echo $name").ok(), two.ask("echo $name").ok()),
        ("one".into(), "two".into())
    );
    assert!(one.end().success() && two.end().success());
}

fn root_logs_in(host: &Host) {
    assert_eq!(host.ssh("root", "id -u").ok(), "0");
}

/// The identifiers of the namespaces of the shell that `line` ends in.
fn namespaces(host: &Host, user: &str) -> Vec<String> {
    let line = "for kind in cgroup ipc mnt pid user uts; do readlink /proc/self/ns/$kind; done";
    host.ssh(user, line)
        .ok()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_session_has_mount_ipc_pid_and_user_namespaces_of_its_own() {
    root_or_skip!();
    let differing = |host: &Host| {
        let (alice, root) = (namespaces(host, "alice"), namespaces(host, "root"));
        let kinds = alice.into_iter().filter(|kind| !root.contains(kind));
        kinds
            .map(|kind| kind.split(':').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let confined = differing(&Host::confined());
    for kind in ["ipc", "mnt", "pid", "user"] {
        assert!(confined.contains(&kind.to_owned()), "{kind}: {confined:?}");
    }
    assert!(differing(&Host::unconfined()).is_empty());
}

#[test]
fn a_session_knows_its_name_and_profile() {
    root_or_skip!();
    let host = Host::confined();
    let names = host
        .ssh("alice", "echo $NSSHELL_PROFILE; echo $NSSHELL_SESSION")
        .ok();
    let lines: Vec<&str> = names.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, "standard"), "{names}");
    let none = "echo [$NSSHELL_PROFILE$NSSHELL_SESSION]";
    assert_eq!(Host::unconfined().ssh("alice", none).ok(), "[]");
}

#[test]
fn g1_a_session_shows_its_init_its_sshd_and_its_shell_only() {
    root_or_skip!();
    let commands = |host: &Host| host.ssh("alice", "ps -e -o comm= | sort; true").ok();
    let confined = commands(&Host::confined());
    assert_eq!(
        confined.lines().count(),
        5,
        "init, sshd, the shell, ps and sort: {confined}"
    );
    assert!(
        confined.contains("nsshell-init") && confined.contains("sshd"),
        "{confined}"
    );
    assert!(commands(&Host::unconfined()).contains("testhost_init"));
}
