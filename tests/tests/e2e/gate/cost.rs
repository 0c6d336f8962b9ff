//! The system calls that the gate adds to a login, counted. The time is in `make bench`.

use nsshell_tests::{Host, PASSWORD, root_or_skip, wait_for};

/// System calls of nsshell from its own execution to that of the shell. It was 65 as a program with
/// a C library and a loader. A change that raises it says what it has bought.
const MOST: usize = 42;

#[test]
fn the_gate_makes_few_system_calls_before_the_shell() {
    root_or_skip!();
    let host = Host::confined();
    let count = "cd; strace -o trace nsshell -c true; \
        awk '/^execve/ && ++n == 2 { exit } { print }' trace";
    let calls = host
        .argv(&["su", "-s", "/bin/bash", "alice", "-c", count])
        .output()
        .ok();
    let count = calls.lines().count();
    // Less than half would be no gate at all.
    assert!((20..=MOST).contains(&count), "{count} calls: {calls}");
}

/// The processes of the session but for those of the applications, and how many times a program
/// was executed in it: a shell that is started once, in place.
fn processes(host: &Host) -> String {
    host.run("ps -e -o comm= --sort comm | grep -E 'relay|nsshell|standalone|bash' | tr '\\n' ' '")
        .ok()
}

#[test]
fn a_login_on_a_terminal_of_the_user_s_own_has_no_relay_and_no_new_process() {
    root_or_skip!();
    let host = Host::confined();
    let mut ssh = host.ssh_pty("alice", "");
    ssh.prompt();
    assert_eq!(ssh.ask("id -un"), "alice");
    assert_eq!(processes(&host).trim(), "bash nsshell-init");
    ssh.line("exit");
    ssh.wait();
    wait_for("the end of the session", || {
        !host.run("pgrep -x nsshell-init").success()
    });
    let mut login = host.pty("login alice");
    login.expect("assword: ");
    login.line(PASSWORD);
    login.prompt();
    assert_eq!(login.ask("id -un"), "alice");
    assert_eq!(processes(&host).trim(), "bash nsshell-init");
    login.line("exit");
    login.wait();
    // The test would notice: here is a relay.
    let mut su = host.pty("su - alice");
    su.prompt();
    assert_eq!(su.ask("id -un"), "alice");
    assert_eq!(
        processes(&host).trim(),
        "bash nsshell-init relay relay relay"
    );
    su.line("exit");
    su.wait();
}
