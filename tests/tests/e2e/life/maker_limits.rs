//! The limits that the kernel keeps of the maker of a user namespace (RLIMIT_NPROC and three
//! more): a login that another user has begun must not set them for the user's later logins.

use std::sync::atomic::{AtomicU32, Ordering};

use nsshell_tests::{Builder, Host, PASSWORD, root_or_skip};

/// Forks 80 processes, and prints how many the kernel has let it.
const FORK: &str = "perl -e 'for (1 .. 80) { my $pid = fork() // last; if (!$pid) { sleep 1000; \
                    exit } push @all, $pid } print scalar(@all), qq(\\n); kill KILL, @all'";

/// Runs a command without the right to raise hard limits.
const WITHOUT_CAPABILITY: &str = "setpriv --bounding-set -sys_resource --inh-caps -sys_resource";

/// The log's line about limits that could not be raised.
const LINE: &str = "its user namespace has lower limits than process 1";

/// A host of alice and bob with user ids of their own: the kernel counts processes by user id,
/// and the alice of every other host is 1000. Debian's pam_limits gives each login the limits of
/// process 1, which would hide who else sets them; that of other distributions does not.
fn builder() -> Builder {
    static HOSTS: AtomicU32 = AtomicU32::new(0);
    let host = HOSTS.fetch_add(1, Ordering::Relaxed);
    let uid = 20_000 + std::process::id() % 4_000 * 10 + host * 2;
    Host::builder()
        .confined()
        .user_with("alice", |alice| alice.uid(uid))
        .user_with("bob", |bob| bob.uid(uid + 1))
        .prepare("sed -i /pam_limits/d /etc/pam.d/*")
}

fn number(text: &str) -> u32 {
    text.trim().parse().unwrap()
}

/// The soft limits of the host's first process, as prlimit(1) writes them.
fn of_process_1(host: &Host, kind: &str) -> String {
    host.run(&format!(
        "prlimit --pid 1 --{kind} --output SOFT --noheadings"
    ))
    .ok()
    .trim()
    .to_owned()
}

fn lines(host: &Host) -> Vec<String> {
    let log = host.log();
    let lines = log.lines().filter(|line| line.contains("user namespace"));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_limit_of_who_calls_su_holds_for_that_login_and_for_no_later_one() {
    root_or_skip!();
    let host = builder().start();
    let command = format!("echo $NSSHELL_SESSION; {FORK}; echo rea''dy; exec sleep 1000");
    let mut su = host
        .cmd("exec prlimit --nproc=60: su alice -c \"$COMMAND\"")
        .env("COMMAND", &command)
        .user("bob")
        .pty();
    su.expect("assword: ");
    su.line(PASSWORD);
    let said = su.expect("ready");
    let [.., session, forked, _] = &said.lines().collect::<Vec<_>>()[..] else {
        panic!("{said}");
    };
    assert!(number(forked) < 60, "bob's limit counts for his su: {said}");
    let mut alice = host.session("alice");
    assert_eq!(alice.ask("echo $NSSHELL_SESSION").ok(), *session);
    assert_eq!(number(&alice.ask(FORK).ok()), 80);
    assert_eq!(lines(&host), [""; 0]);
}

#[test]
fn limits_of_process_1_that_are_lower_are_taken_as_well() {
    root_or_skip!();
    let host = builder().start();
    host.run("prlimit --pid 1 --nproc=60:").ok();
    let forked = number(&host.ssh("alice", FORK).ok());
    assert!(forked < 60, "{forked}");
    assert_eq!(lines(&host), [""; 0]);
}

#[test]
fn hard_limits_that_may_not_be_raised_refuse_no_login_and_are_told_once() {
    root_or_skip!();
    let plain = "[[rule]]\nusers = ['bob']\nprofile = 'plain'\n\
                 [profile.plain]\nextends = 'standard'\nnamespaces = ['mount', 'pid']\n";
    let host = builder().policy(plain).start();
    let su = |user: &str, command: &str| {
        let limits = "prlimit --nproc=60:60 --memlock=4096:4096";
        host.cmd(&format!(
            "{WITHOUT_CAPABILITY} {limits} su {user} -c \"$C\""
        ))
        .env("C", command)
    };
    let mut first = su("alice", "echo $NSSHELL_SESSION.; exec sleep 1000").spawn();
    let session = first.expect(".").trim_end_matches('.').to_owned();
    let forked = number(&host.ssh("alice", FORK).ok());
    assert!(forked < 60, "{forked}");
    let line = format!(
        "session {session} of alice: {LINE} (nproc 60, not {}; memlock 4096, not {}), since \
         session-init lacks CAP_SYS_RESOURCE; give that to this container, or start the login \
         service with the hard limits of process 1",
        of_process_1(&host, "nproc"),
        of_process_1(&host, "memlock"),
    );
    host.wait_for_log(&line);
    // Nothing about a login that shares the session, nor about one without a user namespace.
    assert_eq!(su("alice", "echo $NSSHELL_SESSION").output().ok(), session);
    su("bob", "test -e /run/nsshell/session").output().ok();
    host.run("logger the end").ok();
    host.wait_for_log("the end");
    let lines = lines(&host);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("session-init["), "{lines:#?}");
}
