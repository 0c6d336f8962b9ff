//! A session on a terminal: login shell, job control, window size, tmux.

use nsshell_tests::{Host, Pty};

on_both_hosts!(
    a_login_shell_has_a_terminal_with_a_name,
    a_job_is_stopped_and_continued,
    control_c_ends_the_command_and_not_the_session,
    a_change_of_the_window_s_size_arrives,
    the_exit_status_of_a_login_shell_reaches_the_client,
    hanging_up_ends_the_shell,
    tmux_detaches_and_attaches,
    a_shell_started_again_inside_works,
);

fn login(host: &Host) -> Pty {
    let mut shell = host.ssh_pty("alice", "");
    shell.prompt();
    assert_eq!(shell.ask("id -un"), "alice");
    shell
}

/// Starts a command that says when it runs.
fn start_sleep(shell: &mut Pty) {
    shell.line("sh -c 'echo star''ted; exec sleep 1000'");
    shell.expect("started\r\n");
}

fn a_login_shell_has_a_terminal_with_a_name(host: &Host) {
    let mut shell = login(host);
    assert!(shell.ask("tty").starts_with("/dev/pts/"));
    assert_eq!(shell.ask("stat -c %U $(tty)"), "alice");
    assert_eq!(
        shell.ask("case $- in *i*) echo interactive; esac"),
        "interactive"
    );
    // No complaint such as "no job control in this shell".
    assert_eq!(
        shell.ask("case $- in *m*) echo job control; esac"),
        "job control"
    );
}

fn a_job_is_stopped_and_continued(host: &Host) {
    let mut shell = login(host);
    start_sleep(&mut shell);
    shell.control('z');
    shell.expect("Stopped");
    assert!(shell.ask("jobs").contains("Stopped"));
    shell.line("bg");
    assert!(shell.ask("jobs").contains("Running"));
    shell.line("fg");
    shell.expect("fg\r\n");
    shell.expect("sleep 1000");
    // The shell names the job before it gives it the terminal.
    nsshell_tests::wait_for("the job in the foreground", || {
        host.run("ps -o stat= -C sleep").text().contains('+')
    });
    shell.control('z');
    shell.expect("Stopped");
    assert!(
        shell
            .ask("kill %1; kill -CONT %1; wait; jobs; echo gone")
            .ends_with("gone")
    );
    assert_eq!(shell.ask("jobs"), "");
}

fn control_c_ends_the_command_and_not_the_session(host: &Host) {
    let mut shell = login(host);
    start_sleep(&mut shell);
    shell.control('c');
    assert_eq!(shell.ask("id -un"), "alice");
    start_sleep(&mut shell);
    shell.control('\\');
    assert_eq!(shell.ask("id -un"), "alice");
}

fn a_change_of_the_window_s_size_arrives(host: &Host) {
    let mut shell = login(host);
    assert_eq!(shell.ask("stty size"), "24 80");
    shell
        .line("sh -c 'trap \"echo sig''nal\" WINCH; echo wai''ting; while :; do sleep 0.05; done'");
    shell.expect("waiting\r\n");
    shell.resize(50, 140);
    shell.expect("signal\r\n");
    shell.control('c');
    assert_eq!(shell.ask("stty size"), "50 140");
}

fn the_exit_status_of_a_login_shell_reaches_the_client(host: &Host) {
    let mut shell = login(host);
    shell.line("exit 9");
    assert_eq!(shell.wait().0.code(), Some(9));
}

fn hanging_up_ends_the_shell(host: &Host) {
    let mut shell = login(host);
    start_sleep(&mut shell);
    assert!(!host.run("pgrep -x sleep").ok().is_empty());
    drop(shell);
    nsshell_tests::wait_for("the end of the command", || {
        !host.run("pgrep -x sleep").success()
    });
}

fn tmux_detaches_and_attaches(host: &Host) {
    let mut shell = host
        .ssh_cmd("alice", &["-tt"], "")
        .env("TERM", "xterm")
        .pty();
    shell.prompt();
    // Keys that come within a millisecond are text that is pasted, unless tmux is told otherwise.
    shell.line("tmux -f /dev/null new-session -s work ';' set -g assume-paste-time 0");
    shell.line("echo in''side $SHELL");
    shell.expect("inside /");
    shell.send("\u{2}d"); // Ctrl-B d
    shell.expect("[detached");
    assert!(shell.ask("tmux list-sessions").contains("work: 1 windows"));
    shell.line("tmux attach");
    shell.line("echo aga''in");
    shell.expect("again");
    shell.line("exit");
    shell.expect("[exited]");
    shell.line("exit 0");
    assert_eq!(shell.wait().0.code(), Some(0));
}

fn a_shell_started_again_inside_works(host: &Host) {
    let shell = host.run("getent passwd alice | cut -d: -f7").ok();
    assert_eq!(
        host.ssh("alice", &format!("{shell} -c '{shell} -c \"echo deep\"'"))
            .ok(),
        "deep"
    );
    assert_ne!(host.ssh("alice", "echo $SHELL").ok(), "");
}
