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
/// How many more are timed before, among and after the others, …
const TIMED: usize = 200;
/// … and how often all of it is done at the most: a round in which others were at work on the
/// machine at one time and not at another says little.
const ROUNDS: usize = 4;
/// How much longer opening one may take among the others than before and after them.
const LONGER: f64 = 1.3;

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

/// How long it takes to open one session, in ms, many times.
fn times_of_open(host: &Host) -> Vec<f64> {
    let line = format!("pamapp --count {TIMED} --per-process --samples pamapp user1 true");
    let printed = host
        .cmd(&line)
        .limit(Duration::from_secs(120))
        .output()
        .ok();
    let samples = printed
        .lines()
        .filter_map(|line| line.strip_prefix("sample "));
    let times: Vec<f64> = samples
        .map(|rest| rest.split(' ').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(times.len(), TIMED, "{printed}");
    times
}

/// The mean of the fastest tenth, and the median. All tests share the processors: what is slower
/// than the fastest has waited for the work of others.
fn fastest_and_median(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    let tenth = times.len() / 10;
    let sum: f64 = times[..tenth].iter().sum();
    let count = u32::try_from(tenth).unwrap();
    (sum / f64::from(count), times[times.len() / 2])
}

/// The inits of all sessions: how many, and how much memory each has that nobody shares, in kB.
fn inits(host: &Host) -> (usize, usize) {
    let line = "for pid in $(pgrep -x nsshell-init); do cat /proc/$pid/smaps_rollup; done | awk '/^Private/ { all += $2 } /Rss/ { count++ } END { print count, int(all / count) }'";
    let seen = host.cmd(line).limit(Duration::from_secs(60)).output().ok();
    let (count, each) = seen.split_once(' ').unwrap();
    (count.parse().unwrap(), each.parse().unwrap())
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
    let mounts = || host.run("wc -l < /proc/1/mountinfo").ok();
    let of_the_host = mounts();
    for round in 1.. {
        let mut alone = times_of_open(&host);
        let mut held = open_all(&host);
        assert_eq!(mounts(), of_the_host, "no mount of a session is the host's");
        let among = fastest_and_median(times_of_open(&host));
        let (count, private) = inits(&host);
        assert_eq!(count, SESSIONS + USERS / 2);
        assert!(private < 400, "{private} kB each");
        held.send("\n");
        held.expect_within("over", Duration::from_secs(120));
        assert!(held.wait(Duration::from_secs(10)).success());
        host.run("rm -r /run/hold /run/held").ok();
        host.wait_for_nothing_left(&before);
        alone.extend(times_of_open(&host));
        let alone = fastest_and_median(alone);
        let ratio = among.0 / alone.0;
        let told = format!(
            "round {round}: open, fastest and median: {alone:.2?} ms alone, {among:.2?} ms among \
             {count}, {ratio:.2} times as long; {private} kB private each"
        );
        let _ = writeln!(std::io::stderr().lock(), "{told}");
        if ratio <= LONGER {
            break;
        }
        assert!(round < ROUNDS, "{told}");
    }
}

/// What can be counted: of the host, and of the whole machine's kernel.
const FIGURES: &str = r#"
echo processes $(ps -e -o pid= | wc -l)
echo mounts $(wc -l </proc/1/mountinfo)
echo namespaces $(lsns --noheadings | wc -l)
echo cgroups $(find /sys/fs/cgroup -name 'nsshell-testhost-*' -prune -o -type d -print 2>/dev/null | wc -l)
echo sockets $(wc -l </proc/net/unix)
echo state $(find /run/nsshell | wc -l)
echo files-of-the-machine $(cut -f1 /proc/sys/fs/file-nr)
awk '/^(SUnreclaim|KernelStack|PageTables|Percpu):/ { all += $2 } END { print "kernel-memory-kB", all }' /proc/meminfo
"#;

fn figures(host: &Host) -> Vec<(String, i64)> {
    let figure = |line: &str| {
        let (name, number) = line.split_once(' ').unwrap();
        (name.to_owned(), number.parse().unwrap())
    };
    host.run(FIGURES).ok().lines().map(figure).collect()
}

/// Open and close, one after the other in one process: its own memory in kB at the end.
fn memory_of(host: &Host, count: usize) -> usize {
    let line = format!("pamapp --count {count} --timings pamapp user1 true");
    // 100,000 take some minutes; nobody waits for more than a login each.
    let limit =
        Duration::from_secs(60) + Duration::from_millis(200) * u32::try_from(count).unwrap();
    let printed = host.cmd(&line).limit(limit).output().ok();
    assert!(
        printed.contains(&format!("failures 0 of {count}")),
        "{printed}"
    );
    let found = printed
        .lines()
        .find_map(|line| line.strip_prefix("memory "));
    found
        .and_then(|rest| rest.parse().ok())
        .unwrap_or_else(|| panic!("{printed}"))
}

/// How much the kernel's memory may grow, for each login and besides: the machine's, so of others
/// too. A mount namespace that stayed would be ten times that.
const KERNEL_KB_EACH: i64 = 1;
const KERNEL_KB_BESIDE: i64 = 64 * 1024;

/// `make soak` makes it 100,000 by `NSSHELL_LOGINS`, with nothing beside it.
#[test]
fn g5_g8_open_and_close_again_and_again_grow_nothing() {
    root_or_skip!();
    let wanted = std::env::var("NSSHELL_LOGINS").ok();
    let soak = wanted.is_some();
    let count = wanted.map_or(2000, |number| {
        number.parse().expect("NSSHELL_LOGINS is a number")
    });
    let host = host();
    let few = memory_of(&host, count / 10);
    wait_for("the end of the last", || {
        !host.run("pgrep -x nsshell-init").success()
    });
    let (before, then) = (host.census(), figures(&host));
    let many = memory_of(&host, count);
    host.wait_for_nothing_left(&before);
    let now = figures(&host);
    let mut told = format!(
        "{:24}{:>12}{:>12}\n",
        "logins",
        count / 10,
        count / 10 + count
    );
    told += &format!("{:24}{few:>12}{many:>12}\n", "application-kB");
    for ((name, was), (_, is)) in then.iter().zip(&now) {
        told += &format!("{name:24}{was:>12}{is:>12}\n");
    }
    let _ = write!(std::io::stderr().lock(), "{told}");
    // The application keeps four times of each login.
    let own = count * 32 / 1024;
    assert!(many < few + own + 96, "{told}");
    for ((name, was), (_, is)) in then.iter().zip(&now) {
        let most = match name.as_str() {
            "files-of-the-machine" => continue,
            "kernel-memory-kB" if !soak => continue,
            "kernel-memory-kB" => {
                was + KERNEL_KB_BESIDE + KERNEL_KB_EACH * i64::try_from(count).unwrap()
            }
            _ => *was,
        };
        assert!(*is <= most, "{name}: {told}");
    }
}
