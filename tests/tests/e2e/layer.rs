//! The host layer, where the user's code may run without nsshell: before it, beside it, instead.

use nsshell_tests::{Builder, Host, root_or_skip, wait_for};

fn with_set_uid_program(builder: Builder) -> Builder {
    builder
        .prepare("install -m 4755 /usr/bin/id /usr/local/bin/set-uid-id")
        .prepare("cp /usr/bin/head /usr/local/bin/capable-head; setcap cap_dac_read_search+ep /usr/local/bin/capable-head")
}

const TRY: &str = "{ test $(set-uid-id -u) = 0 && echo set-uid; capable-head -c 1 /etc/shadow >/dev/null 2>&1 && echo capable; } > /home/alice/gained";

/// What alice's attempt has left behind, once it is over.
fn gained(host: &Host) -> String {
    wait_for("the attempt", || {
        host.run("test -e /home/alice/over").success()
    });
    host.run("cat /home/alice/gained").ok()
}

#[test]
fn g4_set_uid_gives_nothing_where_the_login_shell_is_not_nsshell() {
    root_or_skip!();
    let try_it = |host: &Host| {
        // Its status is that of the last attempt.
        let _ = host.ssh("alice", TRY);
        host.run("touch /home/alice/over").ok();
        gained(host)
    };
    let policy = "[profile.standard]\nrequire_nsshell = false\n";
    let own_shell = |builder: Builder| {
        with_set_uid_program(builder)
            .user_with("alice", |user| user.shell("/bin/bash"))
            .start()
    };
    let confined = own_shell(Host::builder().confined().policy(policy));
    assert_eq!(try_it(&confined), "");
    // The kernel's word that it is the host layer, and not the user namespace, that is shown.
    assert!(
        confined
            .ssh("alice", "cat /proc/self/uid_map")
            .ok()
            .contains("4294967295")
    );
    assert_eq!(try_it(&own_shell(Host::builder())), "set-uid\ncapable");
}

#[test]
fn g4_set_uid_gives_nothing_in_a_job_of_cron() {
    root_or_skip!();
    let try_it = |builder: Builder| {
        let host = with_set_uid_program(builder).user("alice").start();
        let job =
            format!("@reboot PATH=/usr/local/bin:/usr/bin:/bin; {TRY}; touch /home/alice/over");
        host.cmd("crontab -u alice -")
            .stdin(format!("{job}\n"))
            .output()
            .ok();
        host.run("cron").ok();
        gained(&host)
    };
    assert_eq!(try_it(Host::builder().confined()), "");
    assert_eq!(try_it(Host::builder()), "set-uid\ncapable");
}

#[test]
fn g4_set_uid_gives_nothing_to_what_the_user_s_environment_brings_into_nsshell() {
    root_or_skip!();
    // A library that the user has loaded into every program started, nsshell among them.
    let library = "printf '#include <stdlib.h>\\n#include <unistd.h>\\n\
        __attribute__((constructor)) static void f(void) { \
        if (getenv(\"ONCE\")) return; setenv(\"ONCE\", \"1\", 1); system(getenv(\"TESTHOST_TRY\")); }' \
        | cc -x c -shared -fPIC -o /usr/local/lib/own.so -";
    let try_it = |builder: Builder| {
        let host = with_set_uid_program(builder)
            .prepare(library)
            .sshd_config("AcceptEnv LD_PRELOAD")
            .user("alice")
            .start();
        let ssh = host.ssh_cmd("alice", &["-o", "SendEnv=LD_PRELOAD TESTHOST_TRY"], "true");
        ssh.env("LD_PRELOAD", "/usr/local/lib/own.so")
            .env("ONCE", "1")
            .env(
                "TESTHOST_TRY",
                &format!("unset LD_PRELOAD; {TRY}; touch /home/alice/over"),
            )
            .output()
            .ok();
        gained(&host)
    };
    assert_eq!(try_it(Host::builder().confined()), "");
    assert_eq!(try_it(Host::builder()), "set-uid\ncapable");
}

#[test]
fn no_terminal_signals_the_session_s_init() {
    root_or_skip!();
    let host = Host::confined();
    // su does not make a session for its command: whatever is in its process group gets what
    // the terminal sends, and init would pass it on to every daemon of alice's.
    let mut terminal = host.pty("su alice -c 'echo ready; read line; echo over'");
    terminal.expect("ready");
    // -1: no terminal at all.
    assert_eq!(
        host.run("ps -o tpgid= -p $(pgrep -x nsshell-init)")
            .ok()
            .trim(),
        "-1"
    );
    assert_ne!(host.run("ps -o tpgid= -p $(pgrep -x su)").ok().trim(), "-1");
    terminal.line("");
    terminal.expect("over");
}

#[test]
fn a_session_is_opened_from_within_another_one() {
    root_or_skip!();
    // Without a user namespace sudo works in a session, and opens another one.
    let policy = "[profile.standard]\nnamespaces = ['mount', 'ipc', 'pid']\n";
    let host = Host::builder()
        .confined()
        .policy(policy)
        .user("alice")
        .user("bob")
        .file(
            "/etc/sudoers.d/alice",
            0o440,
            "alice ALL=(ALL) NOPASSWD: ALL\n",
        )
        .start();
    let before = host.census();
    let mut alice = host.session("alice");
    alice.ask("touch /tmp/of-alice; echo $NSSHELL_SESSION").ok();
    let seen = alice
        .ask("sudo -n -u bob sh -c 'id -un; ls /tmp; ps -e -o comm= | sort'")
        .ok();
    assert!(!seen.contains("of-alice"), "{seen}");
    let lines: Vec<_> = seen.lines().collect();
    assert_eq!(lines[0], "bob");
    assert!(
        lines.contains(&"nsshell-init") && !lines.contains(&"sshd"),
        "{seen}"
    );
    // The outer session is as it was.
    assert_eq!(alice.ask("ls /tmp").ok(), "of-alice");
    alice.end().ok();
    host.wait_for_nothing_left(&before);
}

#[test]
fn an_application_of_the_user_s_own_asks_about_the_account_in_vain_but_is_not_refused() {
    root_or_skip!();
    let host = Host::builder()
        .confined()
        .user("alice")
        .file(
            "/etc/pam.d/locker",
            0o644,
            "auth required pam_permit.so\naccount required pam_permit.so\n\
             account required pam_nsshell.so\nsession required pam_nsshell.so\n",
        )
        .start();
    host.cmd("pamtester locker alice acct_mgmt")
        .user("alice")
        .output()
        .ok();
    // A session is another matter: that would be none.
    let refused = host
        .cmd("pamtester locker alice open_session")
        .user("alice")
        .output();
    assert!(refused.fails().contains("System error"));
}

#[test]
fn a_name_with_a_newline_makes_one_line_in_the_log() {
    root_or_skip!();
    let host = Host::builder()
        .confined()
        .user("alice")
        .file(
            "/etc/pam.d/t",
            0o644,
            "auth required pam_permit.so\nsession required pam_nsshell.so\n",
        )
        .start();
    host.argv(&[
        "pamtester",
        "t",
        "eve\nforged line\u{1b}[31m",
        "open_session",
    ])
    .output()
    .fails();
    host.wait_for_log("forged line");
    let log = host.log();
    let line = log
        .lines()
        .find(|line| line.contains("forged line"))
        .unwrap();
    assert!(
        line.contains("pam_nsshell") && line.contains("eve\\n"),
        "{line}"
    );
    assert!(!line.contains('\u{1b}'), "{line}");
}
