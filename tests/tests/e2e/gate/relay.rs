//! The terminal that alice gets where it is not hers: all that works on a terminal works through
//! the relay, and root's own is as it was afterwards.

mod ended;

use nsshell_tests::{Host, Pty, wait_for};

on_both_hosts!(
    a_job_is_stopped_and_continued,
    control_c_ends_the_command_and_not_the_shell,
    the_size_of_the_window_and_its_changes_arrive,
    the_exit_status_reaches_root_s_shell,
    every_byte_passes_through_files,
    every_byte_passes_through_the_terminal,
    a_shell_suspends_itself_and_is_continued,
    files_and_pipes_take_the_place_of_the_terminal,
    a_command_in_the_background_leaves_the_terminal_as_it_is,
    a_process_that_holds_the_terminal_does_not_hold_su,
    hanging_up_ends_the_shell,
);

/// Root's shell.
fn root(host: &Host) -> Pty {
    let mut shell = host.pty("exec bash --norc");
    shell.prompt();
    shell
}

/// Has root become alice, up to her prompt.
fn su(shell: &mut Pty) {
    shell.line("su - alice");
    // The name and the directory in her prompt.
    shell.prompt();
    assert_eq!(shell.ask("id -un"), "alice");
}

/// Back to root's prompt.
fn leave(shell: &mut Pty) {
    shell.prompt();
    shell.line("exit 0");
    shell.prompt();
    assert_eq!(shell.ask("id -un"), "root");
}

/// Starts a command that says when it runs.
fn start_sleep(shell: &mut Pty) {
    shell.line("sh -c 'echo star''ted; exec sleep 1000'");
    shell.expect("started\r\n");
}

fn a_job_is_stopped_and_continued(host: &Host) {
    let mut shell = root(host);
    su(&mut shell);
    assert!(shell.ask("tty").starts_with("/dev/pts/"));
    assert_eq!(
        shell.ask("case $- in *i*m*|*m*i*) echo job control; esac"),
        "job control"
    );
    start_sleep(&mut shell);
    shell.control('z');
    shell.expect("Stopped");
    assert!(shell.ask("jobs").contains("Stopped"));
    shell.line("bg");
    assert!(shell.ask("jobs").contains("Running"));
    shell.line("fg");
    shell.expect("sleep 1000'");
    wait_for("the job in the foreground", || {
        host.run("ps -o stat= -C sleep").text().contains('+')
    });
    shell.control('c');
    assert_eq!(shell.ask("jobs"), "");
    leave(&mut shell);
}

fn control_c_ends_the_command_and_not_the_shell(host: &Host) {
    let mut shell = root(host);
    su(&mut shell);
    for key in ['c', '\\'] {
        start_sleep(&mut shell);
        shell.control(key);
        assert_eq!(shell.ask("id -un"), "alice");
    }
    leave(&mut shell);
    shell.line("su alice -c 'echo star\"\"ted; exec sleep 1000'");
    shell.expect("started\r\n");
    shell.control('c');
    assert_eq!(shell.ask("id -un"), "root");
}

fn the_size_of_the_window_and_its_changes_arrive(host: &Host) {
    let mut shell = root(host);
    shell.resize(30, 90);
    su(&mut shell);
    assert_eq!(shell.ask("stty size"), "30 90");
    shell
        .line("sh -c 'trap \"echo sig''nal\" WINCH; echo wai''ting; while :; do sleep 0.05; done'");
    shell.expect("waiting\r\n");
    shell.resize(50, 140);
    shell.expect("signal\r\n");
    shell.control('c');
    assert_eq!(shell.ask("stty size"), "50 140");
    leave(&mut shell);
    assert_eq!(shell.ask("stty size"), "50 140");
}

fn the_exit_status_reaches_root_s_shell(host: &Host) {
    let mut shell = root(host);
    shell.line("su - alice; echo sta''tus $?");
    shell.prompt();
    shell.line("exit 9");
    shell.expect("status 9\r\n");
    assert_eq!(shell.ask("su alice -c 'exit 7'; echo $?"), "7");
    assert_eq!(
        shell.ask("su alice -c 'exit 7' </dev/null >/dev/null 2>&1; echo $?"),
        "7"
    );
    // su(1) says so itself, and gives 128 and the signal.
    let killed = shell.ask("su alice -c 'kill -KILL $$'; echo $?");
    assert!(killed.ends_with("137"), "{killed}");
}

/// A file with all 256 bytes many times over, for alice and root.
const ALL_BYTES: &str = "python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(256)) * 4096)' \
     > /srv/bytes; chmod 644 /srv/bytes; mkdir -m 777 /srv/out; chmod 777 /srv/out";

fn every_byte_passes_through_files(host: &Host) {
    host.run(ALL_BYTES).ok();
    let mut shell = root(host);
    for line in [
        "su alice -c cat </srv/bytes >/srv/copy",
        "su - alice -c cat </srv/bytes >/srv/copy",
        "cat /srv/bytes | su alice -c cat | cat >/srv/copy",
        "su alice -c 'cat >&2' </srv/bytes 2>/srv/copy",
        "su alice -c 'cat /srv/bytes' >/srv/copy",
        "su alice -c 'cat >/srv/out/copy' </srv/bytes; mv /srv/out/copy /srv/copy",
    ] {
        let compare = format!("{line}; cmp /srv/bytes /srv/copy && echo same; rm -f /srv/copy");
        assert_eq!(shell.ask(&compare), "same", "{line}");
    }
}

fn every_byte_passes_through_the_terminal(host: &Host) {
    host.run(ALL_BYTES).ok();
    let all: Vec<u8> = (0..=255).collect();
    let mut shell = root(host);
    su(&mut shell);
    shell.line(
        "stty raw -echo; printf 're''ady'; head -c 1024 >/srv/out/typed; head -c 65536 /srv/bytes; \
         stty sane; echo af''ter",
    );
    shell.expect("ready");
    for _ in 0..4 {
        shell.send_bytes(&all);
    }
    let shown = shell.take(65536);
    assert!(shown.chunks(256).all(|chunk| chunk == all));
    shell.expect("after");
    assert_eq!(
        shell.ask("head -c 1024 /srv/bytes | cmp - /srv/out/typed && echo same"),
        "same"
    );
    leave(&mut shell);
    // More than a terminal and a relay hold, at once and in order.
    shell.line("su alice -c 'seq 100000 130000; echo en''d'");
    let shown = shell.expect("end\r\n");
    let numbers: Vec<u32> = shown.lines().filter_map(|line| line.parse().ok()).collect();
    assert!(numbers.iter().copied().eq(100_000..=130_000));
}

/// The modes of the terminal, read by another process.
fn modes(host: &Host, terminal: &str) -> String {
    host.run(&format!("stty -g -F {terminal}")).ok()
}

fn a_shell_suspends_itself_and_is_continued(host: &Host) {
    // A shell that leaves the modes alone: what is put back, su or the relay has put back.
    let mut shell = host.pty("exec dash -i");
    shell.prompt();
    let terminal = shell.ask("tty");
    shell.prompt();
    let before = modes(host, &terminal);
    for again in ["", "again"] {
        match again {
            "" => su(&mut shell),
            _ => {
                shell.line("fg");
                shell.expect("su - alice");
                // The shell says nothing new by itself when it goes on.
                shell.line("");
                shell.prompt();
                assert_eq!(shell.ask("id -un"), "alice");
            }
        }
        shell.prompt();
        shell.line("suspend -f");
        shell.expect("Stopped");
        shell.prompt();
        assert_eq!(shell.ask("id -un"), "root");
        shell.prompt();
        assert_eq!(modes(host, &terminal), before);
    }
    shell.line("fg");
    shell.expect("su - alice");
    shell.line("");
    shell.prompt();
    assert_eq!(shell.ask("id -un; stty size"), "alice\n24 80");
    leave(&mut shell);
    shell.prompt();
    assert_eq!(modes(host, &terminal), before);
}

fn files_and_pipes_take_the_place_of_the_terminal(host: &Host) {
    let mut shell = root(host);
    for (line, expected) in [
        ("su - alice -c 'echo x' | cat", "x"),
        ("yes | su alice -c 'head -n 1'", "y"),
        ("su alice -c cat </etc/hostname", "testhost"),
        ("su alice -c 'cat >/dev/null; echo x' </dev/null", "x"),
        ("su alice -c 'echo x >&2' 2>&1 >/dev/null | cat", "x"),
        ("echo x | su alice -c 'cat; id -un'", "x\nalice"),
        ("su alice -c 'seq 100000; true' | head -n 1", "1"),
        // Which of them is a terminal stays as it is.
        (
            "su alice -c 'for n in 0 1 2; do test -t $n && echo $n; done'",
            "0\n1\n2",
        ),
        (
            "su alice -c 'test -t 0 || echo none; test -t 1 && echo one' </dev/null",
            "none\none",
        ),
    ] {
        assert_eq!(shell.ask(line), expected, "{line}");
    }
}

fn a_command_in_the_background_leaves_the_terminal_as_it_is(host: &Host) {
    host.run("mkfifo -m 666 /srv/go").ok();
    let mut shell = root(host);
    let terminal = shell.ask("tty");
    shell.prompt();
    let before = modes(host, &terminal);
    shell.line("su alice -c 'echo runs >/srv/go; cat /srv/go; echo do''ne' &");
    shell.prompt();
    assert_eq!(host.run("cat /srv/go").ok(), "runs");
    assert_eq!(modes(host, &terminal), before);
    // Root's shell has the terminal meanwhile.
    assert_eq!(shell.ask("id -un"), "root");
    host.run("echo >/srv/go").ok();
    shell.expect("done");
    assert_eq!(shell.ask("wait; id -un").lines().last(), Some("root"));
    shell.prompt();
    assert_eq!(modes(host, &terminal), before);
}

fn a_process_that_holds_the_terminal_does_not_hold_su(host: &Host) {
    // So that the session does not end it.
    let _login = host.session("alice");
    let mut shell = root(host);
    assert_eq!(
        shell.ask("su alice -c 'setsid sleep 1000 & echo le\"\"ft'; id -un"),
        "left\nroot"
    );
    assert!(host.run("pgrep -x sleep").success());
}

fn hanging_up_ends_the_shell(host: &Host) {
    let mut shell = root(host);
    su(&mut shell);
    start_sleep(&mut shell);
    drop(shell);
    wait_for("the end of the command", || {
        !host.run("pgrep -x sleep").success()
    });
}
