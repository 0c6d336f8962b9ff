//! Signals to a session, and how it ends.

use std::time::Duration;

use nsshell_tests::{Host, LIMIT, Running, root_or_skip, wait_for};

use super::{alice, host, in_session, processes, wait_for_no_process, with_policy};

/// Starts a session whose shell runs `line` and then says "ready", and gives back the command and
/// the pid of the waiting nsshell.
fn start(host: &Host, line: &str) -> (Running, String) {
    let argv = ["/bin/sh", "-c", "echo $$; exec nsshell -c \"$0\"", line];
    let mut running = host.argv(&argv).user("alice").spawn();
    let pid = running.expect("\n").trim().to_owned();
    running.expect("ready");
    (running, pid)
}

#[test]
fn every_exit_status_comes_out() {
    root_or_skip!();
    let host = host();
    let line = "for s in $(seq 0 255); do nsshell -c \"exit $s\"; echo $?; done";
    let seen = alice(&host, line)
        .limit(Duration::from_secs(60))
        .output()
        .ok();
    let expected: Vec<String> = (0..=255).map(|status: u8| status.to_string()).collect();
    assert_eq!(seen.lines().collect::<Vec<_>>(), expected);
    assert_eq!(in_session(&host, "exit 42").code(), Some(42));
}

#[test]
fn a_death_by_signal_comes_out_as_what_it_is() {
    root_or_skip!();
    let host = host();
    let line = "for s in 1 2 6 7 8 9 10 11 12 13 14 15 34 64; do \
        nsshell -c \"ulimit -c 0; exec sh -c 'kill -$s \\$\\$'\"; echo $?; done; ls -A";
    let output = alice(&host, &format!("ulimit -c unlimited; {line}")).output();
    let statuses = "129 130 134 135 136 137 138 139 140 141 142 143 162 192";
    // And no core file is left.
    assert_eq!(output.ok().replace('\n', " "), statuses);
    // Whoever waits sees a death, not a status: bash tells of it.
    for word in ["Killed", "Terminated", "Aborted", "Segmentation fault"] {
        assert!(output.complaint().contains(word), "{word}: {output}");
    }
    assert_eq!(in_session(&host, "kill -TERM $$").code(), None);
}

#[test]
fn a_signal_to_the_waiting_nsshell_reaches_the_shell() {
    root_or_skip!();
    let host = host();
    for (signal, status) in [
        ("TERM", 15),
        ("HUP", 1),
        ("INT", 2),
        ("USR1", 10),
        ("USR2", 12),
        ("QUIT", 3),
        ("RTMIN", 34),
    ] {
        // With a trap, where the shell says what it got …
        let trap =
            format!("trap 'echo got; exit 7' {signal}; echo ready; while :; do sleep 0.02; done");
        let (mut running, pid) = start(&host, &trap);
        host.run(&format!("kill -{signal} {pid}")).ok();
        running.expect("got");
        assert_eq!(running.wait(LIMIT).code(), Some(7), "{signal}");
        // … and without, where it dies.
        let (mut running, pid) = start(&host, "echo ready; exec sleep 1000");
        host.run(&format!("kill -{signal} {pid}")).ok();
        let output = running.wait(LIMIT);
        assert_eq!(output.code(), None, "{signal} ({status}): {output}");
    }
    wait_for_no_process(&host);
}

#[test]
fn a_stop_is_passed_on_and_out_again() {
    root_or_skip!();
    let host = host();
    let state = |pid: &str| host.run(&format!("cut -d' ' -f3 /proc/{pid}/stat")).text();
    let (mut running, pid) = start(&host, "echo ready; cat; echo end");
    let inner = host.run(&format!("pgrep -P $(pgrep -P {pid})")).ok();
    host.run(&format!("kill -TSTP {pid}")).ok();
    wait_for("both to stop", || {
        state(&pid) == "T" && state(&inner) == "T"
    });
    host.run(&format!("kill -CONT {pid}")).ok();
    wait_for("both to go on", || {
        state(&pid) != "T" && state(&inner) != "T"
    });
    running.send("text\n");
    running.expect("text");
    running.close();
    running.expect("end");
}

#[test]
fn an_ignored_signal_stays_ignored() {
    root_or_skip!();
    let host = host();
    let masks = "grep -E '^Sig(Blk|Ign)' /proc/self/status";
    for trap in ["true", "trap '' HUP PIPE", "trap '' TERM INT QUIT USR1"] {
        let plain = alice(&host, &format!("{trap}; bash -c \"{masks}\""))
            .output()
            .ok();
        let ours = alice(&host, &format!("{trap}; nsshell -c \"{masks}\""))
            .output()
            .ok();
        assert_eq!(ours, plain, "{trap}");
    }
    // nohup(1) does it, and keeps the session alive.
    let line = "echo $$; exec nohup nsshell -c 'echo ready; cat; echo survived'";
    let mut running = host.argv(&["/bin/sh", "-c", line]).user("alice").spawn();
    let pid = running.expect("\n").trim().to_owned();
    running.expect("ready");
    host.run(&format!("kill -HUP {pid}")).ok();
    running.close();
    running.expect("survived");
    // Children that the kernel reaps by itself are seen to end nonetheless.
    let mut ignoring = host.argv(&[
        "perl",
        "-e",
        "$SIG{CHLD} = 'IGNORE'; exec 'nsshell', '-c', 'exit 9'",
    ]);
    ignoring = ignoring.user("alice");
    assert_eq!(ignoring.output().code(), Some(9));
}

#[test]
fn everything_ends_when_the_waiting_nsshell_is_killed() {
    root_or_skip!();
    let host = host();
    in_session(&host, "true").ok();
    let before = host.census();
    let (mut running, pid) = start(
        &host,
        "trap '' HUP TERM; setsid -f sleep 1000; echo ready; sleep 1000",
    );
    // Whether bash stays for the last of them is its own business.
    wait_for("nsshell, init and both sleeps", || processes(&host) >= 4);
    host.run(&format!("kill -KILL {pid}")).ok();
    let _ = running.wait(LIMIT);
    wait_for_no_process(&host);
    host.wait_for_nothing_left(&before);
}

#[test]
fn a_killed_init_is_a_death_by_sigkill() {
    root_or_skip!();
    let host = host();
    let (mut running, _) = start(&host, "setsid -f sleep 1000; echo ready; sleep 1000");
    host.run("pkill -KILL -x nsshell-init").ok();
    let output = running.wait(LIMIT);
    assert_eq!(output.code(), None, "{output}");
    wait_for_no_process(&host);
    let line = "nsshell -c 'kill -9 1; echo not from inside; sleep 1000' & \
        while ! kill -9 $(pgrep -x nsshell-init) 2>/dev/null; do :; done; wait $!; echo $?";
    let output = alice(&host, line).output();
    assert!(output.ok().ends_with("137"), "{output}");
}

#[test]
fn background_processes_end_with_the_shell() {
    root_or_skip!();
    let host = with_policy("[profile.standard]\ngrace = 50\n");
    let before = host.census();
    let started = std::time::Instant::now();
    let line = "sleep 1000 & setsid -f sleep 1000; nohup sleep 1000 >/dev/null 2>&1 & exit 4";
    assert_eq!(in_session(&host, line).code(), Some(4));
    assert_eq!(processes(&host), 0, "at the moment that nsshell ends");
    assert!(
        started.elapsed() < Duration::from_secs(15),
        "no grace is waited for in vain"
    );
    // What does not listen is killed after the grace.
    let host_of_short_grace = with_policy("[profile.standard]\ngrace = 1\n");
    let deaf = "setsid -f sh -c 'trap \"\" TERM HUP; echo deaf > ~/deaf; while :; do sleep 1; done' >/dev/null 2>&1; \
        until [ -e ~/deaf ]; do :; done";
    in_session(&host_of_short_grace, deaf).ok();
    assert_eq!(processes(&host_of_short_grace), 0);
    host.wait_for_nothing_left(&before);
}
