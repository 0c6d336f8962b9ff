//! The test host itself: what every other case takes for granted.

use nsshell_tests::{Host, PASSWORD, root_or_skip};

#[test]
fn a_host_starts_in_less_than_300_ms() {
    root_or_skip!();
    let mut fastest = std::time::Duration::MAX;
    for _ in 0..5 {
        let start = std::time::Instant::now();
        let host = Host::unconfined();
        fastest = fastest.min(start.elapsed());
        drop(host);
    }
    // The fastest: other tests run on the same processors.
    assert!(fastest.as_millis() < 300, "{fastest:?}");
}

#[test]
fn a_user_logs_in_over_ssh() {
    root_or_skip!();
    let host = Host::unconfined();
    assert_eq!(
        host.ssh("alice", "id -un; id -u; pwd").ok(),
        "alice\n1000\n/home/alice"
    );
    host.wait_for_log("session opened for user alice");
}

#[test]
fn a_terminal_has_a_name_in_the_host() {
    root_or_skip!();
    let host = Host::unconfined();
    let mut pty = host.pty("exec bash --norc");
    pty.prompt();
    assert!(pty.ask("tty").starts_with("/dev/pts/"));
    assert_eq!(pty.ask("stty size"), "24 80");
    pty.resize(40, 132);
    assert_eq!(pty.ask("stty size"), "40 132");
    pty.line("exit 3");
    assert_eq!(pty.wait().0.code(), Some(3));
}

#[test]
fn a_user_logs_in_with_the_password() {
    root_or_skip!();
    let host = Host::unconfined();
    let mut pty = host
        .ssh_cmd("bob", &["-o", "PubkeyAuthentication=no"], "id -un")
        .pty();
    pty.expect("assword: ");
    pty.line(PASSWORD);
    let (status, text) = pty.wait();
    assert!(status.success() && text.contains("bob"), "{status}: {text}");
}

#[test]
fn an_ordinary_user_can_make_a_user_namespace_and_mount_proc() {
    root_or_skip!();
    let host = Host::unconfined();
    host.cmd("unshare --user true").user("alice").output().ok();
    host.cmd("unshare --user --map-root-user --pid --fork --mount-proc true")
        .user("alice")
        .output()
        .ok();
}

#[test]
fn the_machine_s_sysctls_are_out_of_reach_of_root() {
    root_or_skip!();
    let host = Host::unconfined();
    let complaint = host.run("echo 1 > /proc/sys/kernel/panic").fails();
    assert!(complaint.contains("Read-only file system"), "{complaint}");
}

#[test]
fn pid_1_reaps() {
    root_or_skip!();
    let host = Host::unconfined();
    host.run("(setsid sh -c 'exec true' &) ; true").ok();
    nsshell_tests::wait_for("no zombie", || {
        !host.run("ps -e -o stat=").ok().contains('Z')
    });
}

#[test]
fn a_census_sees_what_a_login_leaves_behind() {
    root_or_skip!();
    let host = Host::unconfined();
    let before = host.census();
    host.run("true").ok();
    host.wait_for_nothing_left(&before);
    host.ssh(
        "alice",
        "touch /tmp/left; setsid -f unshare --user sleep 1000 >/dev/null 2>&1 </dev/null; ipcmk -Q",
    )
    .ok();
    let left = host.census().without(&before);
    let has = |kind: &str| left.iter().any(|thing| thing.starts_with(kind));
    assert!(
        has("process ") && has("namespace user:[") && has("file /tmp/left") && has("ipc "),
        "{left:#?}"
    );
}
