//! A thousand sessions at once, and what they cost.

use std::io::Write as _;
use std::time::Duration;

use nsshell_tests::{Host, Running, root_or_skip, wait_for};

use crate::attempt::with_application;

/// Logins of users whose sessions are their own, one each …
const SESSIONS: usize = 1000;
/// … and of users whose logins share one.
const SHARING: usize = 200;
/// Logins that are under way at the same time.
const AT_ONCE: usize = 50;
const USERS: usize = 20;

/// user0 to user9 have the profile "apart", the other ten share.
const POLICY: &str = "[[rule]]\nusers = ['user?']\nprofile = 'apart'\n\
    [profile.apart]\nscope = 'session'\n[profile.standard]\nscope = 'user'\n";

/// Twenty users, half of them with sessions that all of their logins share.
fn host() -> Host {
    let names: Vec<String> = (0..USERS).map(|number| format!("user{number}")).collect();
    let builder = with_application(Host::builder().confined().without_sshd()).policy(POLICY);
    names
        .iter()
        .fold(builder, |builder, name| builder.user(name))
        .start()
}

/// Opens every session and keeps them all open until the value's input is closed.
///
/// Each application waits for the end of a FIFO that only the shell in this value has open for
/// writing.
fn open_all(host: &Host) -> Running {
    let line = format!(
        "mkfifo /run/hold; mkdir /run/held; exec 9<>/run/hold
        seq 0 {last} | xargs -P {AT_ONCE} -I@ sh -c '
            if [ @ -lt {SESSIONS} ]; then user=user$((@ % 10)); else user=user$((10 + @ % 10)); fi
            pamapp --pause pamapp $user true < /run/hold > /run/held/@ 2>&1 9>&- &
            for try in $(seq 6000); do grep -q opened /run/held/@ && exit 0
                kill -0 $! 2>/dev/null || break; sleep 0.01; done; exit 1'
        echo all $?
        read wait
        exec 9>&-
        while pgrep -x pamapp >/dev/null; do sleep 0.05; done
        echo over",
        last = SESSIONS + SHARING - 1,
    );
    let mut running = host.cmd(&line).spawn();
    // The harness's own limit is for one login; here are a thousand.
    running.expect_within("all ", Duration::from_secs(240));
    let status = running.expect("\n");
    let complaints = "grep -L opened /run/held/* | head -3 | xargs -r cat";
    assert_eq!(status.trim(), "0", "{}", host.run(complaints).text());
    running
}

/// The median time of opening one session, in ms.
fn time_of_open(host: &Host) -> f64 {
    let line = "pamapp --count 60 --per-process --timings pamapp user1 true";
    let printed = host.cmd(line).limit(Duration::from_secs(120)).output().ok();
    let found = printed.lines().find_map(|line| line.strip_prefix("open "));
    let median = found.and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
    median.unwrap_or_else(|| panic!("no time in: {printed}"))
}

#[test]
fn g5_a_thousand_sessions_at_once_open_as_fast_as_one_and_leave_nothing() {
    root_or_skip!();
    let host = host();
    // The first one makes the directories that stay.
    host.run("pamapp pamapp user0 true").ok();
    wait_for("the end of the first", || {
        !host.run("pgrep -x nsshell-init").success()
    });
    let before = host.census();
    let alone = time_of_open(&host);
    let mut held = open_all(&host);
    let among = time_of_open(&host);
    let private = "for pid in $(pgrep -x nsshell-init); do cat /proc/$pid/smaps_rollup; done | awk '/^Private/ { all += $2 } /Rss/ { count++ } END { print int(all / count), count }'";
    let seen = host
        .cmd(private)
        .limit(Duration::from_secs(60))
        .output()
        .ok();
    let numbers: Vec<usize> = seen.split(' ').map(|one| one.parse().unwrap()).collect();
    let _ = writeln!(
        std::io::stderr().lock(),
        "open: {alone:.2} ms alone, {among:.2} ms among {SESSIONS} ({:.2}); {} inits, {} kB private each",
        among / alone,
        numbers[1],
        numbers[0],
    );
    assert!(numbers[0] < 400, "{seen}");
    assert_eq!(numbers[1], SESSIONS + USERS / 2, "{seen}");
    assert!(
        among < alone * 2.0,
        "{among} ms among many, {alone} ms alone"
    );
    held.send("\n");
    held.expect_within("over", Duration::from_secs(120));
    assert!(held.wait(Duration::from_secs(10)).success());
    host.run("rm -r /run/hold /run/held").ok();
    host.wait_for_nothing_left(&before);
}

/// Open and close, one after the other in one process: its memory in kB at the most.
fn memory_of(host: &Host, count: usize) -> usize {
    let line = format!("pamapp --count {count} --timings pamapp user1 true");
    // 100,000 take some minutes; nobody waits for more than a login each.
    let limit = Duration::from_secs(60) + Duration::from_millis(50) * u32::try_from(count).unwrap();
    let printed = host.cmd(&line).limit(limit).output().ok();
    assert!(
        printed.contains(&format!("failures 0 of {count}")),
        "{printed}"
    );
    let found = printed
        .lines()
        .find_map(|line| line.strip_prefix("maxrss "));
    found
        .and_then(|rest| rest.parse().ok())
        .unwrap_or_else(|| panic!("{printed}"))
}

/// `NSSHELL_LOGINS=100000` makes it as many.
#[test]
fn g5_g8_open_and_close_again_and_again_grow_nothing() {
    root_or_skip!();
    let wanted = std::env::var("NSSHELL_LOGINS").ok();
    let count = wanted.map_or(2000, |number| {
        number.parse().expect("NSSHELL_LOGINS is a number")
    });
    let host = host();
    let few = memory_of(&host, count / 10);
    wait_for("the end of the last", || {
        !host.run("pgrep -x nsshell-init").success()
    });
    let before = host.census();
    let many = memory_of(&host, count);
    host.wait_for_nothing_left(&before);
    let _ = writeln!(
        std::io::stderr().lock(),
        "the application's memory: {few} kB after {}, {many} kB after {count}",
        count / 10
    );
    // The application keeps five numbers of each session.
    let own = count * 48 / 1024;
    assert!(many < few + own + 200, "{few} kB, then {many} kB");
}
