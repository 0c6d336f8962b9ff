//! Sessions in logind's scopes.

use std::collections::BTreeSet;
use std::time::Duration;

use nsshell_tests::{Host, PASSWORD, Session, root_or_skip, wait_for};

use super::{builder, confined, gone, records, unconfined};
use crate::life::tmux::found_again;

/// A process that ignores every signal that can be ignored, and has left the terminal.
const DAEMON: &str = "setsid -f sh -c 'trap \"\" HUP TERM INT; while :; do sleep 1; done' \
                      >/dev/null 2>&1";

/// The scopes that processes are in, by a pattern of their command lines.
fn scopes(host: &Host, pattern: &str) -> BTreeSet<String> {
    let line =
        format!("for pid in $(pgrep -f '{pattern}'); do sed -n s/^0:://p /proc/$pid/cgroup; done");
    host.run(&line).ok().lines().map(str::to_owned).collect()
}

#[test]
fn a_login_s_monitor_init_and_shell_are_all_in_its_session_scope() {
    root_or_skip!();
    let host = confined();
    let mut alice = host.session("alice");
    alice.ask("setsid -f sleep 1234 >/dev/null 2>&1").ok();
    let bob = host.session("bob");
    let id = alice.ask("echo $XDG_SESSION_ID").ok();
    let wanted = format!("/user.slice/user-1000.slice/session-{id}.scope");
    for pattern in ["^sshd: alice \\[priv\\]", "^sshd: alice@", "^sleep 1234"] {
        assert_eq!(scopes(&host, pattern), [wanted.clone()].into(), "{pattern}");
    }
    let line = "for pid in $(pgrep -x nsshell-init); do sed -n s/^0:://p /proc/$pid/cgroup; done";
    let inits = host.run(line).ok();
    assert_eq!(inits.lines().filter(|line| *line == wanted).count(), 1);
    assert_eq!(inits.lines().count(), 2);
    let known = host.run("loginctl list-sessions --no-legend").ok();
    let users = known.lines().map(|line| line.split_whitespace().nth(2));
    assert_eq!(users.collect::<Vec<_>>(), [Some("alice"), Some("bob")]);
    drop(bob);
}

#[test]
fn a_visit_is_in_the_session_s_scope_and_ends_with_it() {
    root_or_skip!();
    let host = confined();
    let mut alice = host.session("alice");
    let id = alice.ask("echo $XDG_SESSION_ID").ok();
    let name = alice.ask("echo $NSSHELL_SESSION").ok();
    let wanted = format!("/user.slice/user-1000.slice/session-{id}.scope");
    for layer in ["host", "user"] {
        let line = format!("nsctl enter {name} --layer {layer} -- sleep 4321");
        let mut visit = host.cmd(&line).spawn();
        wait_for("the visit", || host.run("pgrep -x sleep").success());
        assert_eq!(scopes(&host, "^sleep 4321"), [wanted.clone()].into());
        // who enters stays where they are
        assert!(!scopes(&host, "^nsctl enter").contains(&wanted), "{layer}");
        match layer {
            "host" => {
                host.run("pkill -x sleep").ok();
            }
            _ => {
                host.run(&format!("loginctl terminate-session {id}")).ok();
            }
        }
        let ended = visit.wait(Duration::from_secs(20));
        assert!(!ended.success(), "{ended}");
    }
    let _ = alice.wait();
    gone(&host, "alice");
}

#[test]
fn g5_a_tmux_of_two_logins_is_found_again_under_keep_where_logind_lets_it_stay() {
    root_or_skip!();
    let conf = "[Login]\nUserStopDelaySec=0\nKillUserProcesses=no\n";
    let host = builder()
        .policy("[profile.standard]\non_logout = 'keep'\n")
        .file("/etc/systemd/logind.conf", 0o644, conf)
        .start();
    let mut three = found_again(&host).expect("tmux is there");
    three.line("tmux kill-server");
    three.expect("[server exited]");
    three.line("exit");
    let _ = three.wait();
    wait_for("the end of the record", || records(&host).is_empty());
    gone(&host, "alice");
}

#[test]
fn g9_a_session_s_runtime_directory_is_where_pam_systemd_says_and_holds_nothing_of_the_host_s() {
    root_or_skip!();
    let host = confined();
    let mut alice = host.session("alice");
    host.run("test -d /run/user/1000 && touch /run/user/1000/of-the-host")
        .ok();
    let line = "echo $XDG_RUNTIME_DIR; ls -A $XDG_RUNTIME_DIR; stat -c '%U %a' $XDG_RUNTIME_DIR; \
                echo $DBUS_SESSION_BUS_ADDRESS";
    assert_eq!(alice.ask(line).ok(), "/run/user/1000\nalice 700");
}

#[test]
fn g1_a_session_is_one_though_pam_systemd_come_after_the_module_but_its_init_is_not_in_the_scope() {
    root_or_skip!();
    let host = builder()
        .prepare("sed -i /pam_systemd/d /etc/pam.d/sshd")
        .prepare("echo session optional pam_systemd.so >> /etc/pam.d/sshd")
        .start();
    let mut alice = host.session("alice");
    let id = alice.ask("echo $XDG_SESSION_ID; ps -o comm= -p 1").ok();
    let (id, init) = id.split_once('\n').unwrap();
    assert_eq!(init, "nsshell-init");
    let scope = host
        .run("sed -n s/^0:://p /proc/$(pgrep -x nsshell-init)/cgroup")
        .ok();
    assert_eq!(scope, "/system.slice/sshd.service");
    // It ends all the same: with the monitor goes the lease.
    alice.ask(DAEMON).ok();
    host.run(&format!("loginctl terminate-session {id}")).ok();
    let _ = alice.wait();
    wait_for("the end of the session", || {
        !host.run("pgrep -u alice; pgrep -x nsshell-init").success()
    });
}

/// Ends a session with a daemon in it as an administrator does.
fn ended_by(host: &Host, order: &str) -> Session {
    let mut alice = host.session("alice");
    alice.ask(DAEMON).ok();
    let id = alice.ask("echo $XDG_SESSION_ID").ok();
    host.run(&order.replace("ID", &id)).ok();
    alice
}

#[test]
fn g5_loginctl_ends_a_session_with_all_that_is_in_it_and_its_record() {
    root_or_skip!();
    for order in [
        "loginctl terminate-session ID",
        "loginctl terminate-user alice",
        "loginctl kill-session --signal=KILL ID",
        "systemctl stop session-ID.scope",
    ] {
        let host = confined();
        let bob = host.session("bob");
        let others = records(&host);
        let alice = ended_by(&host, order);
        let _ = alice.wait();
        wait_for(order, || !host.run("pgrep -u alice").success());
        wait_for("the end of the record", || {
            host.run("nsctl gc").ok();
            records(&host) == others
        });
        bob.end().ok();
    }
}

#[test]
fn g5_a_logout_ends_everything_whatever_kill_user_processes_says() {
    root_or_skip!();
    let left = |host: &Host| {
        let mut alice = host.session("alice");
        alice.ask(DAEMON).ok();
        alice.end().ok();
        wait_for("the end of sshd's processes", || {
            !host.run("pgrep -f '^sshd: alice'").success()
        });
        host.run("pgrep -u alice sh").success()
    };
    for keep in ["yes", "no"] {
        let conf = format!("[Login]\nUserStopDelaySec=0\nKillUserProcesses={keep}\n");
        let host = builder()
            .file("/etc/systemd/logind.conf", 0o644, &conf)
            .start();
        left(&host);
        gone(&host, "alice");
        wait_for("the end of the record", || records(&host).is_empty());
    }
    // The default is "no" or "yes" as the distribution has it; "no" shows the difference.
    let conf = "[Login]\nKillUserProcesses=no\n";
    let host = Host::builder().systemd().user("alice");
    let host = host.file("/etc/systemd/logind.conf", 0o644, conf).start();
    assert!(left(&host));
}

/// A host where logind kills or does not.
fn with_logind(kills: &str, policy: &str) -> Host {
    let conf = format!("[Login]\nUserStopDelaySec=0\nKillUserProcesses={kills}\n");
    builder()
        .file("/etc/systemd/logind.conf", 0o644, &conf)
        .policy(policy)
        .start()
}

/// Until logind has it as closing, or no more.
fn wait_for_logout(host: &Host, id: &str) {
    let state = format!("loginctl show-session {id} -p State --value");
    wait_for("the end of a login", || {
        !["active", "online"].contains(&host.run(&state).text().as_str())
    });
}

const WHICH: &str = "echo $XDG_SESSION_ID";

#[test]
fn g5_a_shared_session_outlives_the_logout_of_its_first_login_in_its_own_scope() {
    root_or_skip!();
    let host = with_logind("no", "");
    let mut first = host.session("alice");
    first.ask("setsid -f sleep 1234 >/dev/null 2>&1").ok();
    let id = first.ask(WHICH).ok();
    let mut second = host.session("alice");
    let (other, name) = (
        second.ask(WHICH).ok(),
        second.ask("echo $NSSHELL_SESSION").ok(),
    );
    assert_ne!(id, other);
    first.end().ok();
    wait_for_logout(&host, &id);
    assert_eq!(second.ask("pgrep -c -x sleep").ok(), "1");
    let mut third = host.session("alice");
    assert_eq!(third.ask("echo $NSSHELL_SESSION").ok(), name);
    // Another login's scope is its own alone.
    host.run(&format!("loginctl terminate-session {other}"))
        .ok();
    let _ = second.wait();
    assert_eq!(third.ask("pgrep -c -x sleep").ok(), "1");
    third.end().ok();
    gone(&host, "alice");
    wait_for("the end of the record", || records(&host).is_empty());
}

#[test]
fn a_kept_session_is_found_again_under_logind() {
    root_or_skip!();
    let host = with_logind("no", "[profile.standard]\non_logout = 'keep'\n");
    let mut first = host.session("alice");
    let id = first.ask(WHICH).ok();
    let name = first.ask("echo $NSSHELL_SESSION").ok();
    first.ask("tmux new-session -d -s work").ok();
    first.end().ok();
    wait_for_logout(&host, &id);
    let mut second = host.session("alice");
    assert_eq!(second.ask("echo $NSSHELL_SESSION").ok(), name);
    assert_eq!(second.ask("tmux ls -F '#S'").ok(), "work");
    second.ask("tmux kill-server").ok();
    second.end().ok();
    gone(&host, "alice");
    wait_for("the end of the record", || records(&host).is_empty());
}

#[test]
fn a_logind_that_kills_ends_shared_sessions_with_their_first_login_and_nsctl_check_says_so() {
    root_or_skip!();
    let warning = "logind kills the processes of a login that has ended";
    let apart = "[profile.standard]\nscope = 'session'\n";
    for (kills, policy, warned) in [("no", "", false), ("yes", apart, false), ("yes", "", true)] {
        let host = with_logind(kills, policy);
        let check = host.run("nsctl check");
        assert!(check.success(), "{check}");
        assert_eq!(check.complaint().contains(warning), warned, "{check}");
        if warned {
            assert!(check.complaint().contains("/etc/systemd/logind.conf:1:1"));
            let first = host.session("alice");
            let mut second = host.session("alice");
            second.ask("true").ok();
            first.end().ok();
            let _ = second.wait();
            wait_for("the end of the record", || records(&host).is_empty());
            assert_eq!(host.ssh("alice", "echo again").ok(), "again");
        }
    }
}

#[test]
fn a_su_of_root_s_in_a_scope_makes_a_session_that_ends_with_the_scope() {
    root_or_skip!();
    let host = confined();
    let mut root = host.session("root");
    let id = root.ask("echo $XDG_SESSION_ID").ok();
    let asked = "su - alice -c 'ps -o comm= -p 1'";
    assert_eq!(root.ask(asked).ok(), "nsshell-init");
    root.ask("setsid -f su - alice -c 'sleep 1234' >/dev/null 2>&1")
        .ok();
    wait_for("the sleep", || {
        host.run("pgrep -u alice -x sleep").success()
    });
    let wanted = format!("/user.slice/user-0.slice/session-{id}.scope");
    assert_eq!(scopes(&host, "^sleep 1234"), [wanted].into());
    host.run(&format!("loginctl terminate-session {id}")).ok();
    wait_for("the end of alice", || !host.run("pgrep -u alice").success());
    let _ = root.wait();
}

#[test]
fn g4_su_within_a_session_gives_no_other_account_though_the_password_is_right() {
    root_or_skip!();
    let becomes_bob = |host: &Host| {
        let mut shell = host.ssh_pty("alice", "su - bob -c id");
        shell.expect("assword: ");
        shell.line(PASSWORD);
        shell.wait().1.contains("uid=1001(bob)")
    };
    assert!(!becomes_bob(&confined()));
    assert!(becomes_bob(&unconfined()));
}

#[test]
fn g5_stopping_all_users_as_a_shutdown_does_ends_all_sessions_and_their_records() {
    root_or_skip!();
    let host = confined();
    let mut alice = host.session("alice");
    alice.ask(DAEMON).ok();
    let bob = host.session("bob");
    host.run("systemctl stop user.slice").ok();
    let _ = (alice.wait(), bob.wait());
    for user in ["alice", "bob"] {
        gone(&host, user);
    }
    wait_for("the end of the records", || {
        host.run("nsctl gc").ok();
        records(&host).is_empty()
    });
    assert_eq!(host.ssh("alice", "echo again").ok(), "again");
}

#[test]
fn a_host_that_powers_off_does_so_at_once_with_sessions_open() {
    root_or_skip!();
    let host = confined();
    let mut alice = host.session("alice");
    alice.ask(DAEMON).ok();
    let pid = host.pid();
    // Whoever gives the order loses the connection with everybody else.
    let _ = host.run("systemctl poweroff --no-wall");
    wait_for("the end of systemd", || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z "))
    });
    let _ = alice.wait();
}
