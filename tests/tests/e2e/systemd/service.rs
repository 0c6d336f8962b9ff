//! Services of systemd that open a PAM session of their own (PAMName=).

use nsshell_tests::{PASSWORD, root_or_skip};

use super::{builder, confined, unconfined};

const RUN: &str = "systemd-run --quiet --wait --pipe -p User=alice -p PAMName=login";

#[test]
fn g6_a_service_with_pamname_is_refused_where_its_program_would_stay_outside() {
    root_or_skip!();
    let own = format!("{RUN} readlink /proc/self/ns/mnt");
    let host = unconfined();
    let outside = host.run("readlink /proc/self/ns/mnt").ok();
    assert_eq!(host.run(&own).ok(), outside);
    let host = confined();
    host.run(&own).fails();
    host.wait_for_log("whose program would stay outside of the session's pid namespace");
}

#[test]
fn a_service_with_pamname_is_confined_by_a_profile_without_a_pid_namespace() {
    root_or_skip!();
    let policy = "[[rule]]\nservices = ['login']\nprofile = 'light'\n\
                  [profile.light]\nnamespaces = ['mount', 'ipc', 'uts']\nhostname = 'inside'\n";
    let host = builder().policy(policy).start();
    let line = "hostname; id -un; ls -A /tmp; echo $NSSHELL_PROFILE";
    host.run("touch /tmp/of-the-host").ok();
    let seen = host.run(&format!("{RUN} sh -c '{line}'")).ok();
    assert_eq!(
        seen.lines().collect::<Vec<_>>(),
        ["inside", "alice", "light"]
    );
}

#[test]
fn a_login_on_a_terminal_of_a_service_is_confined_and_in_a_session_scope() {
    root_or_skip!();
    let host = confined();
    // What getty does once somebody has typed a name: a service of root's that becomes login.
    let mut terminal =
        host.pty("exec systemd-run --quiet --pty --wait -p KillMode=process /bin/login -- alice");
    terminal.expect("assword: ");
    terminal.line(PASSWORD);
    terminal.prompt();
    assert_eq!(terminal.ask("ps -o comm= -p 1"), "nsshell-init");
    let scope = host.run("cat /proc/$(pgrep -x nsshell-init)/cgroup").ok();
    assert!(
        scope.contains("/user.slice/user-1000.slice/session-"),
        "{scope}"
    );
}
