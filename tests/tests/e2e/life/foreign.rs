//! First logins that somebody else has begun, who can do to them what everybody can do to a
//! process of their own: they must not decide about the user's other logins.

use nsshell_tests::{Host, root_or_skip, wait_for};

use super::name;

/// What is known of the one init that there is, by a line of shell about process `$1`.
fn of_init(host: &Host, line: &str) -> String {
    host.run(&format!("set -- $(pgrep -x nsshell-init); {line}"))
        .ok()
}

#[test]
fn g5_a_session_s_init_has_nothing_of_what_its_first_login_was_slowed_down_by() {
    root_or_skip!();
    let host = Host::confined();
    let looks = [
        "cat /proc/$1/oom_score_adj",
        "ps -o ni= -p $1 | tr -d ' '",
        "chrt -p $1 | sed -n 's/.*policy: //p'",
        "ionice -p $1 | cut -d: -f1",
        "cmp -s <(grep Cpus_allowed: /proc/1/status) <(grep Cpus_allowed: /proc/$1/status) && echo same",
        "cat /proc/$1/timerslack_ns",
    ];
    let looks = looks.map(|look| format!("bash -c \"{}\" - $1", look.replace('$', "\\$")));
    let slow = "echo 1000 > /proc/self/oom_score_adj; ulimit -s 1024; ulimit -n 64; \
                exec nice -n 19 chrt -i 0 ionice -c 3 taskset -c 0 su alice -c 'sleep 1234'";
    host.run(&format!("({slow}) >/dev/null 2>&1 &")).ok();
    wait_for("the login", || {
        host.run("pgrep -u alice -x sleep").success()
    });
    let seen = looks.map(|look| of_init(&host, &look));
    let wanted = ["0", "0", "SCHED_OTHER", "none", "same", "50000"];
    assert_eq!(seen, wanted);
    // Only who may raise hard limits gets them back: root in a container may not.
    let status = host.run("grep CapEff: /proc/1/status").ok();
    let capabilities = status.split_whitespace().nth(1).unwrap();
    let capabilities = u64::from_str_radix(capabilities, 16).unwrap();
    if capabilities & 1 << 24 != 0 {
        let files = "grep -c '^Max open files  *65536 ' /proc/$1/limits";
        let stack = "grep -c '^Max stack size  *8388608  *unlimited ' /proc/$1/limits";
        assert_eq!([files, stack].map(|look| of_init(&host, look)), ["1", "1"]);
    }
    // The login itself is as it was begun.
    let policy = host.run("chrt -p $(pgrep -u alice -x sleep)").ok();
    assert!(policy.contains("SCHED_IDLE"), "{policy}");
}

#[test]
fn a_login_from_another_mount_namespace_neither_makes_a_session_to_be_shared_nor_shares_one() {
    root_or_skip!();
    let host = Host::confined();
    let hardened = |line: &str| {
        format!("unshare --mount sh -c \"mount -t tmpfs none /srv; touch /srv/mark; {line}\"")
    };
    let first = hardened("exec su alice -c 'sleep 1234'");
    host.run(&format!("({first}) >/dev/null 2>&1 &")).ok();
    wait_for("the first login", || {
        host.run("pgrep -u alice -x sleep").success()
    });
    host.wait_for_log("apart=mount");
    let mut one = host.session("alice");
    let mut two = host.session("alice");
    assert_eq!(name(&mut one), name(&mut two));
    assert_eq!(one.ask("ls /srv; pgrep -x sleep; true").ok(), "");
    // The other way round: what a service was shut off from stays out of its reach.
    let seen = host
        .run(&hardened("su alice -c 'ls /srv; echo \\$NSSHELL_SESSION'"))
        .ok();
    let (mark, other) = seen.split_once('\n').unwrap();
    assert_eq!(mark, "mark");
    assert_ne!(other, name(&mut one));
}
