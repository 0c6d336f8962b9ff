//! As the login shell of a host whose PAM knows nothing of it.

use nsshell_tests::{Host, PASSWORD, root_or_skip, wait_for};

use super::{host, processes, wait_for_front, wait_for_no_process, with_policy};

fn is_in_session(text: &str) -> bool {
    text.contains("nsshell-init")
}

#[test]
fn a_command_over_ssh_runs_in_a_session() {
    root_or_skip!();
    let host = host();
    assert!(is_in_session(&host.ssh("bob", "cat /proc/1/comm").ok()));
    assert_eq!(
        host.ssh("bob", "echo $0; pwd; exit 42").text(),
        "bash\n/home/bob"
    );
    for code in [0, 1, 42, 125, 126, 127, 254] {
        assert_eq!(host.ssh("bob", &format!("exit {code}")).code(), Some(code));
    }
    let killed = host.ssh_cmd("bob", &["-v"], "kill -TERM $$").output();
    assert_eq!(killed.code(), Some(255), "{killed}");
    assert!(
        killed.complaint().contains("exit-signal"),
        "as of a shell that was killed: {killed}"
    );
    let output = host
        .ssh_cmd("bob", &[], "tr a-z A-Z; echo complaint >&2")
        .stdin("text")
        .output();
    assert_eq!(
        (output.ok(), output.complaint()),
        ("TEXT".into(), "complaint".into())
    );
    wait_for_no_process(&host);
}

#[test]
fn a_login_on_a_terminal_works() {
    root_or_skip!();
    let host = host();
    host.run("echo 'PROFILE=read' > /home/bob/.profile").ok();
    let mut shell = host.ssh_pty("bob", "");
    shell.prompt();
    assert_eq!(
        shell.ask("echo $0 $PROFILE; cat /proc/1/comm"),
        "-bash read\nnsshell-init"
    );
    assert_eq!(
        shell.ask("case $- in *m*) echo job control; esac"),
        "job control"
    );
    assert_eq!(shell.ask("stat -c %U $(tty)"), "bob");
    shell.line("sh -c 'echo star''ted; exec sleep 1000'");
    shell.expect("started\r\n");
    shell.control('z');
    shell.expect("Stopped");
    shell.line("fg");
    wait_for_front(&host);
    shell.control('c');
    shell.prompt();
    shell.resize(40, 100);
    assert_eq!(shell.ask("stty size"), "40 100");
    shell.line("exit 9");
    assert_eq!(shell.wait().0.code(), Some(9));
    wait_for_no_process(&host);
}

#[test]
fn login_and_su_end_up_in_a_session() {
    root_or_skip!();
    let host = host();
    let mut login = host.pty("exec login");
    login.expect("login: ");
    login.line("bob");
    login.expect("assword: ");
    login.line(PASSWORD);
    login.prompt();
    assert_eq!(
        login.ask("echo $0; cat /proc/1/comm"),
        "-bash\nnsshell-init"
    );
    login.line("exit");
    login.wait();
    assert_eq!(
        host.run("su - bob -c 'echo $0; cat /proc/1/comm; exit 6'")
            .text(),
        "-bash\nnsshell-init"
    );
    assert_eq!(host.run("su - bob -c 'exit 6'").code(), Some(6));
    let mut su = host.pty("exec su - bob");
    su.prompt();
    assert_eq!(su.ask("cat /proc/1/comm"), "nsshell-init");
    su.line("exit 7");
    assert_eq!(su.wait().0.code(), Some(7));
    wait_for_no_process(&host);
}

#[test]
fn a_lost_client_ends_the_session() {
    root_or_skip!();
    let host = host();
    host.ssh("bob", "true").ok();
    let before = host.census();
    let mut shell = host.ssh_pty("bob", "");
    shell.prompt();
    shell.ask("setsid -f sh -c 'trap \"\" HUP; exec sleep 1000'");
    shell.line("sleep 1000");
    wait_for("both", || host.run("pgrep -c -x sleep").text() == "2");
    drop(shell);
    wait_for_no_process(&host);
    host.wait_for_nothing_left(&before);
    // sshd's process of the login is killed.
    let mut shell = host.ssh_pty("bob", "");
    shell.prompt();
    shell.ask("setsid -f sh -c 'trap \"\" HUP; exec sleep 1000'");
    host.run("pkill -KILL -f '^sshd: bob'").ok();
    drop(shell);
    wait_for("the end of the session", || processes(&host) == 0);
}

#[test]
fn a_hang_up_of_the_login_s_terminal_ends_what_is_deaf_to_it_after_the_grace() {
    root_or_skip!();
    let host = with_policy("[profile.standard]\ngrace = 1\n");
    let mut shell = host.ssh_pty(
        "bob",
        "trap '' HUP TERM; echo rea''dy; while :; do sleep 0.1; done",
    );
    shell.expect("ready");
    drop(shell);
    wait_for_no_process(&host);
    // Nothing of the kind for what a user has taken off the terminal on purpose.
    let mut shell = host.pty("exec su -s /bin/bash bob");
    shell.prompt();
    shell.line("cd; nohup nsshell -c 'echo rea''dy; sleep 2; touch survived' > out &");
    wait_for("the session", || {
        host.run("grep ready /home/bob/out").success()
    });
    drop(shell);
    wait_for("what goes on", || {
        host.run("test -e /home/bob/survived").success()
    });
}

/// Files of a copy are the same as what was copied.
fn same(host: &Host, one: &str, other: &str) {
    host.run(&format!("cmp {one} {other}")).ok();
}

#[test]
fn files_are_copied_both_ways() {
    root_or_skip!();
    let host = host();
    host.run(
        "head -c 3000000 /dev/urandom > /root/file; cd /home/bob; cp /root/file .; chown bob file",
    )
    .ok();
    for (there, back) in [
        (
            "scp -q file bob@127.0.0.1:new",
            "scp -q bob@127.0.0.1:new back",
        ),
        (
            "scp -q -O file bob@127.0.0.1:new",
            "scp -q -O bob@127.0.0.1:new back",
        ),
        (
            "printf 'put file new\\n' | sftp -q -b - bob@127.0.0.1",
            "printf 'get new back\\n' | sftp -q -b - bob@127.0.0.1",
        ),
        (
            "printf 'put file new\\n' | sftp -q -b - -s sftp-external bob@127.0.0.1",
            "printf 'get new back\\n' | sftp -q -b - -s sftp-external bob@127.0.0.1",
        ),
        (
            "rsync file bob@127.0.0.1:new",
            "rsync bob@127.0.0.1:new back",
        ),
        (
            "ssh bob@127.0.0.1 'cat > new' < file",
            "ssh bob@127.0.0.1 'cat new' > back",
        ),
    ] {
        host.run("rm -f /home/bob/new /root/back").ok();
        host.run(there).ok();
        same(&host, "/root/file", "/home/bob/new");
        host.run(back).ok();
        same(&host, "/root/file", "/root/back");
        assert_eq!(host.run("stat -c %U /home/bob/new").ok(), "bob", "{there}");
    }
}

#[test]
fn two_sessions_of_one_user_see_nothing_of_each_other() {
    root_or_skip!();
    let host = host();
    let (mut one, mut two) = (host.session("bob"), host.session("bob"));
    one.ask("touch /tmp/of-one; sleep 1000 & ipcmk -Q").ok();
    assert_eq!(
        two.ask("ls /tmp; pgrep -x sleep; ipcs -q | grep 0x").text(),
        ""
    );
    assert_eq!(one.ask("ls /tmp").ok(), "of-one");
    let inode = "stat -L -c %i /proc/self/ns/user";
    assert_ne!(one.ask(inode).ok(), two.ask(inode).ok());
    assert!(one.end().success() && two.end().success());
    wait_for_no_process(&host);
}

#[test]
fn tmux_keeps_what_is_in_it_for_the_session() {
    root_or_skip!();
    let host = host();
    let mut shell = host.ssh_cmd("bob", &["-tt"], "").env("TERM", "xterm").pty();
    shell.prompt();
    shell.line("tmux -f /dev/null new-session -s work");
    shell.line("cat /proc/1/comm; echo in''side $SHELL");
    shell.expect("nsshell-init");
    shell.expect("inside /bin/bash");
    shell.send("\u{2}d"); // Ctrl-B d
    shell.expect("[detached");
    shell.line("tmux attach");
    shell.line("exit");
    shell.expect("[exited]");
    shell.line("exit 0");
    assert_eq!(shell.wait().0.code(), Some(0));
    wait_for_no_process(&host);
}
