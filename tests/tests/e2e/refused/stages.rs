//! Fail closed (G6), at every stage: strace(1) has each system call of session-init and of what
//! it starts killed, or fail. There is a session then as it was planned, or none.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nsshell_tests::{Host, root_or_skip, wait_for};

use crate::attempt::with_application;

const HELPER: &str = "/usr/libexec/nsshell/session-init";

/// Starts session-init under strace. Not as strace's child: it is to be the module's own.
const WRAPPER: &str = "#!/bin/sh
exec strace -D -f -qq -o /run/trace $(cat /run/inject) /usr/libexec/nsshell/session-init.real
";

/// What makes a session what it was planned to be, without what differs from one to the next.
const LOOK: &str = "#!/bin/sh
for kind in cgroup ipc mnt pid uts; do
    test $(readlink /proc/self/ns/$kind) = $(sed -n s/$kind=//p /srv/outside) && echo unconfined: $kind
done
sed 's/^[^ ]* [^ ]* [^ ]* //; s/user:.[0-9]*. /user /' /proc/self/mountinfo
grep -E '^(Name|Uid|Gid|Groups|Cap|NoNewPrivs|Sig[BI])' /proc/1/status
stat -c '%n %a %u:%g' /tmp /var/tmp /dev/shm /run/user /run/user/* /run/nsshell /run/nsshell/*
cat /run/nsshell/plan
hostname
env | grep -E '^(NSSHELL_PROFILE|XDG)'
nsshell -c 'id; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; grep Cap /proc/self/status'
";

/// Opens a session with each line of standard input given to the strace of $1, and tells what
/// became of it.
const TRY_ALL: &str = "
mkdir -p /srv/looks
while read -r inject; do
    rm -f /home/alice/look
    logger \"stage $inject\"
    set -- $1
    case $1 in
        helper) echo \"$inject\" > /run/inject;;
        application) set -- $1 strace -qq -o /run/trace $inject;;
    esac
    which=$1; shift
    timeout 100 \"$@\" pamapp --syslog --same-state pamapp alice sh -c 'look > /home/alice/look' \\
        > /run/told 2>&1 < /dev/null
    status=$?
    set -- $which
    sum=$(md5sum < /home/alice/look 2>/dev/null | cut -c-32)
    test -z \"$sum\" || cp /home/alice/look /srv/looks/$sum
    changed=$(grep ^changed /run/told | tr '\\n' '\\t')
    echo \"$inject|$status|$sum|$changed\"
done
: > /run/inject
logger 'stage end'
";

/// Whose system calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    /// session-init's and its children's
    Helper,
    /// the application's, which the module runs in
    Application,
}

impl Of {
    fn name(self) -> &'static str {
        match self {
            Of::Helper => "helper",
            Of::Application => "application",
        }
    }
}

fn host(of: Of, policy: &str) -> Host {
    let mut builder = with_application(Host::builder().confined().without_sshd().user("alice"))
        .file("/usr/local/bin/look", 0o755, LOOK)
        .file("/root/wrapper", 0o755, WRAPPER)
        .file("/run/inject", 0o644, "")
        .policy(policy)
        .prepare("cd /proc/self/ns; for kind in cgroup ipc mnt pid uts; do echo $kind=$(readlink $kind); done > /srv/outside");
    if of == Of::Helper {
        builder = builder.prepare(&format!(
            "mv {HELPER} {HELPER}.real; cp /root/wrapper {HELPER}"
        ));
    }
    let host = builder.start();
    // What the first session makes for all that follow.
    host.run("pamapp pamapp alice true").ok();
    host
}

fn wait_for_strace(host: &Host) {
    wait_for("the end of strace", || {
        !host.run("pgrep -x strace").success()
    });
}

/// Every system call of a good session, with the most times that one process makes it.
fn system_calls(of: Of) -> BTreeMap<String, usize> {
    let host = host(of, "");
    let run = match of {
        Of::Helper => "pamapp pamapp alice true",
        Of::Application => "strace -qq -o /run/trace pamapp --syslog pamapp alice true",
    };
    host.run(run).ok();
    wait_for_strace(&host);
    // Only strace -f says whose a call is.
    let edit = match of {
        Of::Helper => "cat /run/trace",
        Of::Application => "sed 's/^/1 /' /run/trace",
    };
    let trace = host.run(edit).ok();
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for line in trace.lines() {
        let Some((process, call)) = line.split_once(' ') else {
            continue;
        };
        if let Some((name, _)) = call.trim_start().split_once('(')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            *counts.entry((process, name)).or_default() += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((_, name), count) in counts {
        let entry = most.entry(name.to_owned()).or_default();
        *entry = count.max(*entry);
    }
    assert!(most.len() > 30, "{most:?}");
    most
}

/// The first time, the second, the fourth … and the last.
fn times(most: usize) -> BTreeSet<usize> {
    let powers = std::iter::successors(Some(1), |at| Some(at * 2));
    powers.take_while(|&at| at < most).chain([most]).collect()
}

/// What fails for wrong arguments only.
const CANNOT_FAIL: [&str; 1] = ["rt_sigprocmask"];

fn injections(of: Of, what: &str) -> Vec<String> {
    let fails = what.starts_with("error");
    system_calls(of)
        .into_iter()
        .filter(|(name, _)| !fails || !CANNOT_FAIL.contains(&name.as_str()))
        .flat_map(|(name, most)| {
            let inject = move |when| format!("-e inject={name}:{what}:when={when}");
            times(most).into_iter().map(inject)
        })
        .collect()
}

/// What became of an attempt, as `TRY_ALL` tells it.
#[derive(Debug)]
struct Outcome {
    inject: String,
    status: i32,
    look: String,
    changed: String,
    /// refusals in the log
    lines: Vec<String>,
}

fn try_all(host: &Host, of: Of, injections: &[String]) -> Vec<Outcome> {
    let told = host
        .argv(&["sh", "-c", TRY_ALL, "sh", of.name()])
        .stdin(injections.join("\n") + "\n")
        .limit(Duration::from_secs(400))
        .output()
        .ok();
    host.wait_for_log("stage end");
    let log = host.log();
    told.lines()
        .map(|line| {
            let fields: Vec<&str> = line.split('|').collect();
            let &[inject, status, look, changed] = &fields[..] else {
                panic!("{line}");
            };
            let begin = format!("stage {inject}");
            let lines = log.lines().skip_while(|line| !line.ends_with(&begin));
            Outcome {
                inject: inject.to_owned(),
                status: status.parse().unwrap(),
                look: look.to_owned(),
                changed: changed.to_owned(),
                lines: lines
                    .skip(1)
                    .take_while(|line| !line.contains("stage "))
                    .filter(|line| line.contains(" refused: "))
                    .map(str::to_owned)
                    .collect(),
            }
        })
        .collect()
}

/// Exit status of pamapp if a session was refused.
const REFUSED: i32 = 4;

/// Has each of the injections made, and calls `check` with those that came to no session. Every
/// session that was opened all the same must be as it was planned.
fn all_planned_or_none(of: Of, injections: &[String], mut check: impl FnMut(&Outcome)) {
    let host = host(of, "");
    let good = &try_all(&host, of, &[String::new()])[0];
    assert_eq!((good.status, &*good.changed), (0, ""));
    let look = host.run(&format!("cat /srv/looks/{}", good.look)).ok();
    assert!(
        look.contains("nsshell-init") && !look.contains("unconfined"),
        "{look}"
    );
    let before = host.census();
    for outcome in try_all(&host, of, injections) {
        if outcome.status == 0 {
            let differs = format!("diff /srv/looks/{} /srv/looks/{}", good.look, outcome.look);
            assert_eq!(
                outcome.look,
                good.look,
                "{outcome:?}: {}",
                host.run(&differs)
            );
            continue;
        }
        // It may have begun if init was killed only then.
        let look = host.run(&format!("cat /srv/looks/{}", outcome.look)).text();
        assert!(!look.contains("unconfined"), "{outcome:?}: {look}");
        check(&outcome);
    }
    wait_for_strace(&host);
    // An init that was killed itself cannot remove its record.
    host.run("nsctl gc").ok();
    assert_eq!(host.run("nsctl ls --json").ok().trim(), "[]");
    host.wait_for_nothing_left(&before);
    assert_eq!(try_all(&host, of, &[String::new()])[0].look, good.look);
}

/// The same for the helper: the application is refused, once and for all, and otherwise as it was.
fn helper_s_are_planned_or_refused(what: &str) -> (usize, usize) {
    let all = injections(Of::Helper, what);
    let mut refused = 0;
    all_planned_or_none(Of::Helper, &all, |outcome| {
        assert_eq!(outcome.changed, "", "{outcome:?}");
        if outcome.status == REFUSED {
            refused += 1;
            assert_eq!(
                (&*outcome.look, outcome.lines.len()),
                ("", 1),
                "{outcome:?}"
            );
        }
    });
    (refused, all.len())
}

#[test]
fn g6_a_helper_that_is_killed_at_any_system_call_leaves_a_whole_session_or_none() {
    root_or_skip!();
    let (refused, all) = helper_s_are_planned_or_refused("signal=KILL");
    assert!(refused * 10 > all * 8, "{refused} of {all}");
}

#[test]
fn g6_an_error_of_any_system_call_of_the_helper_leaves_a_whole_session_or_none() {
    root_or_skip!();
    for error in ["error=ENOMEM", "error=EPERM"] {
        let (refused, all) = helper_s_are_planned_or_refused(error);
        assert!(refused * 10 > all * 3, "{refused} of {all}");
    }
}

#[test]
fn g5_g6_an_application_that_is_killed_at_any_system_call_leaves_nothing() {
    root_or_skip!();
    let all = injections(Of::Application, "signal=KILL");
    let mut killed = 0;
    all_planned_or_none(Of::Application, &all, |_| killed += 1);
    assert!(killed * 10 > all.len() * 9, "{killed} of {}", all.len());
}

#[test]
fn g6_an_error_of_any_system_call_of_the_application_leaves_a_whole_session_or_none() {
    root_or_skip!();
    let all = injections(Of::Application, "error=ENOMEM");
    let mut failed = 0;
    all_planned_or_none(Of::Application, &all, |_| failed += 1);
    assert!(failed > 20, "{failed} of {}", all.len());
}

/// One system call that fails, and what the log says. The helper's processes are init, the maker
/// of the user namespace, newuidmap and newgidmap.
const NAMED: [(Of, &str, &str); 12] = [
    (
        Of::Helper,
        "clone3:error=EAGAIN:when=1",
        ": Resource temporarily unavailable; no more processes: see `sysctl kernel.pid_max`",
    ),
    (
        Of::Helper,
        "clone3:error=EAGAIN:when=2",
        ": Resource temporarily unavailable; no more processes: see `sysctl kernel.pid_max`",
    ),
    (
        Of::Helper,
        "clone3:error=EAGAIN:when=3",
        ": Resource temporarily unavailable; no more processes: see `sysctl kernel.pid_max`",
    ),
    (
        Of::Helper,
        "clone3:error=EAGAIN:when=4",
        ": Resource temporarily unavailable; no more processes: see `sysctl kernel.pid_max`",
    ),
    (
        Of::Helper,
        "clone3:error=ENOSPC:when=1",
        ": No space left on device; a limit is reached: see the max_*_namespaces files in",
    ),
    (
        Of::Helper,
        "fsopen:delay_enter=6000000:when=1",
        "the session's init did not finish within ",
    ),
    (
        Of::Application,
        "clone3:error=EAGAIN:when=1",
        "cannot start session-init: Resource temporarily unavailable; no more processes",
    ),
    (
        Of::Application,
        "socketpair:error=EMFILE:when=1",
        "cannot start session-init: Too many open files",
    ),
    (
        Of::Application,
        "pidfd_open:error=EMFILE:when=1",
        "cannot start session-init: Too many open files",
    ),
    (
        Of::Application,
        "recvmsg:error=ENOMEM:when=1",
        "cannot hear session-init: Cannot allocate memory",
    ),
    (
        Of::Application,
        "setns:error=EPERM:when=1",
        "cannot enter the session: Operation not permitted",
    ),
    (
        Of::Application,
        "setns:error=ESRCH:when=1",
        "cannot enter the session: No such process; its init has ended",
    ),
];

#[test]
fn g6_the_log_names_what_failed_and_what_to_do() {
    root_or_skip!();
    for of in [Of::Helper, Of::Application] {
        let host = host(of, "[profile.standard]\ntimeout = 1\n");
        let named = || NAMED.iter().filter(|one| one.0 == of);
        let all: Vec<String> = named().map(|one| format!("-e inject={}", one.1)).collect();
        let before = host.census();
        for (outcome, (_, _, reason)) in try_all(&host, of, &all).iter().zip(named()) {
            assert_eq!(
                (outcome.status, &*outcome.look),
                (REFUSED, ""),
                "{outcome:?}"
            );
            let [line] = &outcome.lines[..] else {
                panic!("{outcome:?}");
            };
            let inject = &outcome.inject;
            assert!(line.contains(reason), "{inject}: no `{reason}` in: {line}");
        }
        wait_for_strace(&host);
        host.wait_for_nothing_left(&before);
    }
}

#[test]
fn g5_g8_a_session_that_cannot_be_left_ends_and_is_an_error_of_close() {
    root_or_skip!();
    const CLOSE: i32 = 5;
    let host = host(Of::Application, "");
    let before = host.census();
    let inject = "-e inject=setns:error=EIO:when=2".to_owned();
    let outcome = &try_all(&host, Of::Application, &[inject])[0];
    assert_eq!(outcome.status, CLOSE, "{outcome:?}");
    host.wait_for_log("cannot return the application to its own namespaces: Input/output error");
    host.wait_for_nothing_left(&before);
}
