//! Logins of a user that come at once: the lock that they take turns by, and how many get in.

use std::time::{Duration, Instant};

use nsshell_tests::{root_or_skip, wait_for};

use super::{traces, wait_for_no_traces, with};
use crate::attempt::{Way, refused};

#[test]
fn a_lock_that_is_held_refuses_logins_of_its_user_after_the_timeout_and_nobody_else_s() {
    root_or_skip!();
    let host = with("timeout = 1");
    let line = "mkdir -p -m 0711 /run/nsshell; mkdir -p -m 0700 /run/nsshell/users/1000; \
                chmod 0700 /run/nsshell/users; exec flock /run/nsshell/users/1000 sleep 1000";
    let mut holder = host.cmd(line).spawn();
    wait_for("the lock", || {
        let held = "test -d /run/nsshell/users/1000 && ! flock -n /run/nsshell/users/1000 true";
        host.run(held).success()
    });
    let begun = Instant::now();
    refused(
        &host,
        Way::Su,
        &["another login of uid 1000 did not finish within 1 s"],
    );
    let took = begun.elapsed();
    assert!((1..5).contains(&took.as_secs()), "{took:?}");
    host.run("su bob -c true").ok();
    // A lock is the kernel's: it goes with whoever had it.
    host.run("pkill -KILL -x flock; pkill -KILL -x sleep").ok();
    holder.kill();
    host.run("su alice -c true").ok();
    wait_for_no_traces(&host);
}

#[test]
fn of_twenty_logins_at_once_no_more_get_in_than_max_sessions_says() {
    root_or_skip!();
    for scope in ["user", "session"] {
        let host = with(&format!(
            "scope = '{scope}'\nmax_sessions = 3\ntimeout = 20"
        ));
        let line =
            "seq 20 | xargs -P 20 -I{} sh -c 'su alice -c \"echo in; sleep 6\" 2>/dev/null; true'";
        let inside = host.cmd(line).limit(Duration::from_secs(60)).output().ok();
        assert_eq!(
            inside.lines().filter(|line| *line == "in").count(),
            3,
            "{scope}"
        );
        wait_for("the end of all", || traces(&host).is_empty());
        wait_for("the lines of all others", || {
            let log = host.log();
            let full = |line: &&str| line.contains("max_sessions = 3 allows");
            log.lines().filter(full).count() == 17
        });
    }
}
