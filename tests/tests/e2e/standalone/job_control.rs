//! On a terminal: nsshell behaves towards the shell that it was started from as bash would.

use nsshell_tests::{root_or_skip, wait_for};

use super::terminal::{Terminal, terminal};
use super::{host, processes, with_policy};

#[test]
fn control_c_ends_a_command_and_all_around_it() {
    root_or_skip!();
    let host = host();
    let mut shell = terminal(&host);
    shell.start_sleep("nsshell -c");
    shell.key('c', "outer");
    assert_eq!(shell.status(), "130");
    wait_for("the end of the session", || processes(&host) == 1);
    // A loop ends at once, as it does with any command that a Ctrl-C kills.
    shell.run(
        "for n in 1 2 3; do nsshell -c 'echo star''ted; sleep 1000'; done",
        "started\r\n",
    );
    shell.key('c', "outer");
    assert_eq!(shell.status(), "130");
    // bash ignores this one, until it has executed something else.
    shell.run(
        "nsshell -c 'exec sh -c \"echo star\\\"\\\"ted; exec sleep 1000\"'",
        "started\r\n",
    );
    assert!(shell.key('\\', "outer").contains("Quit"));
    assert_eq!(shell.status(), "131");
    // One that does not die of it goes on.
    shell.run(
        "nsshell -c 'trap \"echo cau''ght\" INT; echo rea''dy; read x; read x; exit 7'",
        "ready\r\n",
    );
    shell.0.control('c');
    shell.0.expect("caught\r\n");
    shell.0.line("");
    shell.back("", "outer");
    assert_eq!(shell.status(), "7");
}

#[test]
fn a_command_is_stopped_and_continued_from_outside() {
    root_or_skip!();
    let host = host();
    let mut shell = terminal(&host);
    shell.start_sleep("nsshell -c");
    assert!(shell.key('z', "outer").contains("Stopped  "));
    assert_eq!(shell.status(), "148");
    shell.is_outside();
    shell.back("bg", "outer");
    assert!(shell.ask("jobs").contains("Running"));
    shell.is_outside();
    shell.fg(&host);
    assert!(shell.key('z', "outer").contains("Stopped  "));
    shell.fg(&host);
    shell.key('c', "outer");
    assert_eq!(shell.status(), "130");
    // Killed while it is stopped.
    shell.start_sleep("nsshell -c");
    shell.key('z', "outer");
    shell.kill_job();
    wait_for("the end of the session", || processes(&host) == 1);
}

#[test]
fn a_command_that_reads_in_the_background_stops_until_it_is_in_front() {
    root_or_skip!();
    let host = host();
    let mut shell = terminal(&host);
    shell.back("nsshell -c 'read x; echo got $x; exit 5' &", "outer");
    wait_for("it to stop", || shell.ask("jobs").contains("Stopped"));
    shell.is_outside();
    shell.run("fg", "exit 5'\r\n");
    assert!(shell.back("text", "outer").contains("got text"));
    assert_eq!(shell.status(), "5");
}

#[test]
fn a_command_that_ends_in_the_background_leaves_the_terminal_alone() {
    root_or_skip!();
    let host = host();
    let mut shell = terminal(&host);
    let wait = "until [ -e ~/go ]; do sleep 0.02; done";
    shell.run(
        &format!("nsshell -c 'echo star''ted; {wait}; exit 6'"),
        "started\r\n",
    );
    shell.key('z', "outer");
    shell.back("bg", "outer");
    assert_eq!(
        shell.ask("touch go; wait %1; echo $?").lines().last(),
        Some("6")
    );
    shell.is_outside();
    // Started there.
    shell.ask("rm go");
    shell.back(&format!("nsshell -c '{wait}; exit 7' &"), "outer");
    assert_eq!(
        shell.ask("touch go; wait %1; echo $?").lines().last(),
        Some("7")
    );
    shell.is_outside();
    shell.0.line("exit 5");
    assert_eq!(shell.0.wait().0.code(), Some(5));
}

#[test]
fn an_interactive_shell_has_job_control_of_its_own() {
    root_or_skip!();
    let host = host();
    let mut shell = terminal(&host);
    shell.enter();
    assert_eq!(
        shell.ask("case $- in *m*) echo $0 job control; esac"),
        "bash job control"
    );
    shell.start_sleep("sh -c");
    assert!(shell.key('z', "inner").contains("Stopped"));
    shell.back("bg", "inner");
    assert!(shell.ask("jobs").contains("Running"));
    shell.fg(&host);
    shell.key('c', "inner");
    assert_eq!(shell.status(), "130");
    shell.is_inside();
    shell.back("exit 9", "outer");
    assert_eq!(shell.status(), "9");
    shell.is_outside();
    shell.start_sleep("sh -c");
    shell.key('c', "outer");
    assert_eq!(shell.status(), "130");
}

#[test]
fn the_prompt_comes_without_a_complaint() {
    root_or_skip!();
    let host = host();
    let mut shell = terminal(&host);
    // Such as "cannot set terminal process group", "no job control in this shell".
    let seen = shell.back("PS1='in''ner> ' nsshell --norc", "inner");
    assert_eq!(
        seen.lines().count(),
        2,
        "the echo of the line and the prompt: {seen:?}"
    );
    let seen = shell.back("exit 0", "outer");
    assert_eq!(
        seen.lines().collect::<Vec<_>>(),
        ["exit 0", "exit", "outer> "]
    );
}

#[test]
fn an_interactive_shell_is_suspended_and_continued() {
    root_or_skip!();
    let host = host();
    let mut shell = terminal(&host);
    shell.enter();
    shell.ask("mark=still-the-same");
    for _ in 0..3 {
        assert!(shell.back("suspend", "outer").contains("Stopped"));
        shell.is_outside();
        assert!(shell.ask("jobs").contains("Stopped"));
        shell.back("fg", "inner");
        assert_eq!(
            shell.ask("echo $mark; cat /proc/1/comm"),
            "still-the-same\nnsshell-init"
        );
        // It has the terminal: its own jobs are stopped and continued.
        shell.start_sleep("sh -c");
        assert!(shell.key('z', "inner").contains("Stopped"));
        shell.kill_job();
    }
    shell.back("exit 3", "outer");
    assert_eq!(shell.status(), "3");
    shell.is_outside();
}

#[test]
fn a_shell_stopped_from_outside_while_a_job_runs_gives_the_job_the_terminal_again() {
    root_or_skip!();
    let host = host();
    let mut shell = terminal(&host);
    shell.enter();
    shell.start_sleep("sh -c");
    let inner = host.run("pgrep -P $(pgrep -x nsshell-init)").ok();
    host.run(&format!("kill -STOP {inner}")).ok();
    shell.0.expect("Stopped");
    shell.0.expect("outer> ");
    shell.is_outside();
    shell.fg(&host);
    shell.key('c', "inner");
    assert_eq!(shell.status(), "130");
    shell.back("exit", "outer");
}

#[test]
fn an_interactive_shell_started_in_the_background_waits_for_the_terminal() {
    root_or_skip!();
    let host = host();
    let mut shell = terminal(&host);
    shell.back("PS1='in''ner> ' nsshell --norc &", "outer");
    wait_for("it to stop", || shell.ask("jobs").contains("Stopped"));
    shell.is_outside();
    // In the background it stops again.
    shell.back("bg", "outer");
    wait_for("it to stop", || shell.ask("jobs").contains("Stopped"));
    shell.is_outside();
    shell.0.line("fg");
    shell.0.expect("inner> ");
    shell.is_inside();
    shell.start_sleep("sh -c");
    shell.key('c', "inner");
    shell.back("exit 3", "outer");
    assert_eq!(shell.status(), "3");
    shell.is_outside();
}

#[test]
fn a_suspended_shell_that_is_killed_leaves_the_terminal_to_the_outer_one() {
    root_or_skip!();
    let host = host();
    let mut shell = terminal(&host);
    shell.enter();
    shell.back("suspend", "outer");
    shell.ask("kill -KILL %1; wait");
    shell.is_outside();
    wait_for("the end of the session", || processes(&host) == 1);
}

#[test]
fn a_killed_session_gives_the_terminal_back() {
    root_or_skip!();
    let host = host();
    let mut shell = terminal(&host);
    for victim in ["nsshell", "nsshell-init"] {
        shell.enter();
        host.run(&format!("pkill -KILL -x {victim}")).ok();
        shell.0.expect("Killed");
        shell.0.expect("outer> ");
        assert_eq!(shell.status(), "137");
        shell.is_outside();
        wait_for("the end of the session", || processes(&host) == 1);
    }
}

#[test]
fn a_change_of_the_window_s_size_arrives() {
    root_or_skip!();
    let host = host();
    let mut shell = terminal(&host);
    let wait = "trap \"echo sig''nal\" WINCH; echo wai''ting; sleep 1000 & while :; do wait; done";
    shell.run(&format!("nsshell -c '{wait}'"), "waiting\r\n");
    shell.0.resize(50, 140);
    shell.0.expect("signal\r\n");
    shell.key('c', "outer");
    assert_eq!(shell.ask("nsshell -c 'stty size'"), "50 140");
    shell.enter();
    assert_eq!(shell.ask("stty size"), "50 140");
    shell.run(&format!("sh -c '{wait}'"), "waiting\r\n");
    shell.0.resize(30, 90);
    shell.0.expect("signal\r\n");
    shell.key('c', "inner");
    shell.0.resize(60, 100);
    assert_eq!(
        shell.ask("echo $LINES $COLUMNS").lines().last(),
        Some("60 100")
    );
}

#[test]
fn a_command_in_a_pipeline_shares_the_terminal_with_it() {
    root_or_skip!();
    let host = host();
    let mut shell = terminal(&host);
    let first = "nsshell -c 'echo fi''rst? >/dev/tty; read x </dev/tty; echo $x'";
    let second = "{ read y; echo sec''ond?; read z </dev/tty; echo got $y and $z; }";
    shell.run(&format!("{first} | {second}"), "first?\r\n");
    shell.run("one", "second?\r\n");
    assert!(shell.back("two", "outer").contains("got one and two"));
    shell.start_sleep("true | nsshell -c");
    assert!(shell.key('z', "outer").contains("Stopped"));
    shell.fg(&host);
    shell.key('c', "outer");
    assert_eq!(shell.status(), "130");
}

#[test]
fn another_shell_than_bash_has_job_control_as_well() {
    root_or_skip!();
    let host = with_policy("[profile.standard]\nshell = \"/bin/dash\"\n");
    let mut shell = Terminal::new(&host);
    shell.enter();
    assert_eq!(
        shell.ask("case $- in *m*) echo $0 job control; esac"),
        "dash job control"
    );
    shell.start_sleep("sh -c");
    assert!(shell.key('z', "inner").contains("Stopped"));
    shell.fg(&host);
    shell.key('c', "inner");
    assert_eq!(shell.status(), "130");
    assert!(shell.back("kill -STOP $$", "outer").contains("Stopped"));
    shell.is_outside();
    shell.0.line("fg");
    shell.0.expect("inner> ");
    shell.is_inside();
    shell.start_sleep("sh -c");
    shell.key('c', "inner");
    shell.back("exit 4", "outer");
    assert_eq!(shell.status(), "4");
    shell.is_outside();
}

#[test]
fn expect_and_script_drive_it_like_any_shell() {
    root_or_skip!();
    let host = host();
    let script = "spawn nsshell --norc; expect -ex {$ }; send \"cat /proc/1/comm; exit 8\\r\"; \
        expect nsshell-init; expect eof; lassign [wait] a b c status; exit $status";
    let output = host
        .argv(&["expect", "-c", script])
        .user("alice")
        .env("HOME", "/home/alice")
        .output();
    assert_eq!(output.code(), Some(8), "{output}");
    let script = "script -qec \"nsshell -c 'tty; exit 8'\" /dev/null";
    let output = super::alice(&host, script).output();
    assert_eq!(output.code(), Some(8), "{output}");
    assert!(output.text().starts_with("/dev/pts/"), "{output}");
}
