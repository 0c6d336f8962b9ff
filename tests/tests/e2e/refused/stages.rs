//! What the log says when a system call fails, and what strace(1) can do beside: delay one. That
//! there is a session as planned or none at every other point is shown in `crate::points`.

use std::time::Duration;

use nsshell_tests::{Host, root_or_skip, wait_for};

use crate::attempt::with_application;

const HELPER: &str = "/usr/libexec/nsshell/session-init";

/// Starts session-init under strace. Not as strace's child: it is to be the module's own.
const WRAPPER: &str = "#!/bin/sh
exec strace -D -f -qq -o /run/trace $(cat /run/inject) /usr/libexec/nsshell/session-init.real
";

/// Opens a session with each line of standard input given to the strace of $1, and tells what
/// became of it.
const TRY_ALL: &str = "
while read -r inject; do
    rm -f /home/alice/ran
    logger \"stage $inject\"
    set -- $1
    case $1 in
        helper) echo \"$inject\" > /run/inject;;
        application) set -- $1 strace -qq -o /run/trace $inject;;
    esac
    which=$1; shift
    timeout 100 \"$@\" pamapp --syslog pamapp alice touch /home/alice/ran > /dev/null 2>&1 < /dev/null
    status=$?
    set -- $which
    echo \"$inject|$status|$(test -e /home/alice/ran && echo ran)\"
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

fn host(of: Of, policy: &str) -> Host {
    let mut builder = with_application(Host::builder().confined().without_sshd().user("alice"))
        .file("/root/wrapper", 0o755, WRAPPER)
        .file("/run/inject", 0o644, "")
        .policy(policy);
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

/// What became of an attempt, as `TRY_ALL` tells it.
#[derive(Debug)]
struct Outcome {
    inject: String,
    status: i32,
    ran: bool,
    /// refusals in the log
    lines: Vec<String>,
}

fn try_all(host: &Host, of: Of, injections: &[String]) -> Vec<Outcome> {
    let which = match of {
        Of::Helper => "helper",
        Of::Application => "application",
    };
    let told = host
        .argv(&["sh", "-c", TRY_ALL, "sh", which])
        .stdin(injections.join("\n") + "\n")
        .limit(Duration::from_secs(400))
        .output()
        .ok();
    host.wait_for_log("stage end");
    let log = host.log();
    told.lines()
        .map(|line| {
            let fields: Vec<&str> = line.split('|').collect();
            let &[inject, status, ran] = &fields[..] else {
                panic!("{line}");
            };
            let begin = format!("stage {inject}");
            let lines = log.lines().skip_while(|line| !line.ends_with(&begin));
            Outcome {
                inject: inject.to_owned(),
                status: status.parse().unwrap(),
                ran: !ran.is_empty(),
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
                (outcome.status, outcome.ran),
                (REFUSED, false),
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
