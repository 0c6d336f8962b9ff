//! The life of a session: who shares it, how it ends, and what is told of it.

mod audit;
mod crash;
mod door;
mod foreign;
mod forgery;
mod limits;
mod maker_limits;
pub mod tmux;
mod turns;

use nsshell_tests::{Builder, Host, Session, root_or_skip, wait_for};

/// A host of alice and bob with these keys in the profile of both.
fn builder(keys: &str) -> Builder {
    Host::builder()
        .confined()
        .policy(&format!("[profile.standard]\n{keys}\n"))
        .user("alice")
        .user("bob")
}

fn with(keys: &str) -> Host {
    builder(keys).start()
}

/// The name of the session that a login is in.
fn name(session: &mut Session) -> String {
    session.ask("echo $NSSHELL_SESSION").ok()
}

fn records(host: &Host) -> Vec<String> {
    let names = host.run("ls /run/nsshell/sessions 2>/dev/null").text();
    names.lines().map(str::to_owned).collect()
}

/// Everything of ours under /run/nsshell but the directories themselves.
fn traces(host: &Host) -> String {
    host.run(
        "cd /run/nsshell 2>/dev/null && find sessions users copies -mindepth 1 2>/dev/null; true",
    )
    .text()
}

fn wait_for_no_traces(host: &Host) {
    wait_for("the end of every session", || traces(host).is_empty());
}

/// What one login leaves for others to see; how many of them each way in sees.
const PLANT: &str = "touch /tmp/planted; sleep 4242 >/dev/null 2>&1 &";
const LOOK: &str = "ls /tmp/planted 2>/dev/null; pgrep -x sleep >/dev/null && echo sleep; true";

#[test]
fn g10_logins_by_ssh_su_and_sftp_share_a_session_and_another_user_never_does() {
    root_or_skip!();
    let look = |host: &Host| {
        let mut one = host.session("alice");
        one.ask(PLANT).ok();
        let mut two = host.session("alice");
        let sftp = host.cmd("sftp -q -b - alice@127.0.0.1");
        let seen = [
            two.ask(LOOK).ok(),
            host.run(&format!("su - alice -c '{LOOK}'")).ok(),
            sftp.stdin("ls /tmp/planted\n").output().text(),
            host.session("bob").ask(LOOK).ok(),
        ];
        let pids = |session: &mut Session| session.ask("readlink /proc/self/ns/pid").ok();
        (seen, pids(&mut one) == pids(&mut two))
    };
    let all = "/tmp/planted\nsleep".to_owned();
    let sftp = "sftp> ls /tmp/planted\n/tmp/planted".to_owned();
    let shared = look(&Host::confined());
    assert_eq!(
        shared,
        ([all.clone(), all.clone(), sftp, String::new()], true)
    );
    let (apart, same) = look(&with("scope = 'session'"));
    assert!(!same);
    assert_eq!((apart[0].as_str(), apart[1].as_str()), ("", ""));
    assert!(!apart[2].contains("\n/tmp/planted"), "{apart:?}");
}

#[test]
fn g5_a_shared_session_ends_with_its_last_login_and_not_before() {
    root_or_skip!();
    let host = Host::confined();
    host.ssh("alice", "true").ok();
    let before = host.census();
    let mut one = host.session("alice");
    let mut two = host.session("alice");
    let mut three = host.session("alice");
    assert_eq!(name(&mut one), name(&mut two));
    assert_eq!(records(&host), [name(&mut three)]);
    one.ask(PLANT).ok();
    one.end().ok();
    assert_eq!(two.ask(LOOK).ok(), "/tmp/planted\nsleep");
    two.vanish();
    assert_eq!(three.ask(LOOK).ok(), "/tmp/planted\nsleep");
    host.run("pkill -KILL -f '^sshd: alice [[]priv[]]'").ok();
    let _ = three.wait();
    host.wait_for_nothing_left(&before);
    assert_eq!(traces(&host), "");
}

#[test]
fn a_login_that_shares_a_session_has_half_the_work_of_one_that_makes_it() {
    root_or_skip!();
    let host = Host::confined();
    // Not the time, which is that of the other tests as well (make bench measures it), but the
    // system calls of su, of everything that it starts, and of the end of what ends with it.
    let calls = |user: &str| -> usize {
        let line = format!("strace -f -qq -o /run/calls su {user} -c : && wc -l < /run/calls");
        host.run(&line).ok().parse().expect("a number of lines")
    };
    // The first login writes what the later ones find.
    calls("alice");
    let makes = calls("alice");
    let one = host.session("alice");
    let shares = calls("alice");
    one.end().ok();
    wait_for_no_traces(&host);
    // Root has no session: what is left is su and a shell.
    let plain = calls("root");
    assert!(
        plain < shares && (shares - plain) * 2 < makes - plain,
        "{makes} system calls make it, {shares} share it, {plain} do without"
    );
}

#[test]
fn logins_that_come_at_once_and_go_at_once_are_all_good_and_leave_nothing() {
    root_or_skip!();
    let host = Host::confined();
    host.ssh("alice", "true").ok();
    let before = host.census();
    let line = "seq 120 | xargs -P 12 -I{} su alice -c 'echo $NSSHELL_SESSION; readlink /proc/self/ns/pid >/dev/null'";
    let names = host
        .cmd(line)
        .limit(std::time::Duration::from_secs(100))
        .output()
        .ok();
    assert_eq!(names.lines().count(), 120);
    let different: std::collections::BTreeSet<&str> = names.lines().collect();
    assert!(different.len() < 120, "none was shared");
    host.wait_for_nothing_left(&before);
    assert_eq!(traces(&host), "");
}

#[test]
fn a_session_within_a_session_is_its_own() {
    root_or_skip!();
    let host = builder("namespaces = ['mount', 'ipc', 'pid', 'uts', 'cgroup']").start();
    let mut one = host.session("alice");
    let outer = name(&mut one);
    // As root would by sudo from within alice's session.
    let init = host.run("pgrep -x nsshell-init").ok();
    let inner = host
        .run(&format!(
            "nsenter -t {init} -m -p -i -u -C su - alice -c 'echo $NSSHELL_SESSION'"
        ))
        .ok();
    assert_ne!(inner, outer);
    assert_eq!(records(&host), [outer]);
}
