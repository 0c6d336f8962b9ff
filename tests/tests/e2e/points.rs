//! Kill at any point (G5, G6, G8): `apps/points.c` follows the processes of a login by ptrace(2),
//! and kills each at each of its system calls in turn, or has the call fail. None is left out.
//! Each time the login is as it was planned, or there is none; the next login works at once; and
//! after `nsctl gc` nothing is left.

use std::io::Write as _;
use std::time::Duration;

use nsshell_tests::{Host, root_or_skip};

use crate::attempt::with_application;

/// The processes of a login that opens a session …
const OPEN: &[&str] = &[
    "application",
    "keeper",
    "session-init",
    "maker",
    "init",
    "newuidmap",
    "newgidmap",
    "janitor",
    "nsshell",
];
/// … and of one that joins the session of another; its init is that other's.
const JOIN: &[&str] = &[
    "application",
    "keeper",
    "session-init",
    "maker",
    "init",
    "nsshell",
];

/// A process is killed; the next login comes first, then `nsctl gc`, or the other way round.
const KILLS: &[&str] = &["kill", "sweep"];
/// What a call fails with: each that it can fail with, and that the kernel has for it.
const ERRORS: &[&str] = &["ENOMEM", "EPERM", "EACCES", "ENOENT", "EMFILE"];

/// Something of everything that a session can have, on disk too, so that there is a janitor; and
/// no file that may be missing, since ENOENT means that it is.
const POLICY: &str = "\
[profile.standard]
grace = 1
timeout = 5
ranges = 'required'
private = ['/tmp', '/var/tmp', { path = '/srv/shared', instance = '/srv/disk/{session}', \
           contents = 'empty' }]
";
const STACK: &str = "session required pam_nsshell.so config=/etc/nsshell/nsshell.toml\n";

/// Names of the system calls for `apps/trace.h`.
const CALLS: &str = "echo '#include <sys/syscall.h>' | cc -E -dM - |
    sed -n 's/^#define SYS_\\([a-z0-9_]*\\) .*/[SYS_\\1] = \"\\1\",/p' > /root/calls.h";
const OUTSIDE: &str = "for kind in cgroup ipc mnt net pid user uts; do
    readlink /proc/self/ns/$kind; done > /srv/outside";

/// What became of the points of one process.
#[derive(Debug, Clone)]
struct Row {
    scenario: String,
    role: String,
    action: String,
    points: usize,
    refused: usize,
    good: usize,
    killed: usize,
}

impl Row {
    /// `points SCENARIO ROLE ACTION POINTS REFUSED GOOD KILLED`
    fn parse(line: &str) -> Option<Row> {
        let words: Vec<&str> = line.split(' ').collect();
        let &[
            "points",
            scenario,
            role,
            action,
            points,
            refused,
            good,
            killed,
        ] = &words[..]
        else {
            return None;
        };
        let number = |text: &str| text.parse().ok();
        Some(Row {
            scenario: scenario.to_owned(),
            role: role.to_owned(),
            action: action.to_owned(),
            points: number(points)?,
            refused: number(refused)?,
            good: number(good)?,
            killed: number(killed)?,
        })
    }
}

fn host(disk: &std::path::Path, policy: &str, stack: &str) -> Host {
    with_application(Host::builder().confined().without_sshd().user("alice"))
        .disk(disk, "/srv/disk")
        .file("/root/points.c", 0o644, include_str!("../../apps/points.c"))
        .file("/root/trace.h", 0o644, include_str!("../../apps/trace.h"))
        .file("/root/look.h", 0o644, include_str!("../../apps/look.h"))
        .file("/etc/pam.d/pamapp", 0o644, stack)
        .policy(policy)
        .prepare("mkdir -m 1777 /srv/shared")
        .prepare(CALLS)
        .prepare("cc -O1 -o /usr/local/bin/points /root/points.c")
        .prepare(OUTSIDE)
        .start()
}

/// Tries every point of these processes, prints the table, and gives it back.
#[track_caller]
fn all_planned_or_none(
    (scenario, keys): (&str, &str),
    actions: &[&str],
    roles: &[&str],
) -> Vec<Row> {
    let disk = tempfile::tempdir().expect("a directory for the disk");
    let host = host(disk.path(), &format!("{POLICY}{keys}\n"), STACK);
    let mut rows = Vec::new();
    for action in actions {
        let mut argv = vec!["points", "try", scenario, action];
        argv.extend(roles);
        let output = host.argv(&argv).limit(Duration::from_secs(1200)).output();
        let of_action: Vec<Row> = output.text().lines().filter_map(Row::parse).collect();
        let _ = print(&of_action);
        assert_eq!(output.code(), Some(0), "{output}");
        assert_eq!(of_action.len(), roles.len(), "{output}");
        rows.extend(of_action);
    }
    for row in &rows {
        let least = least(&row.scenario, &row.role);
        let enough = match row.action.as_str() {
            "kill" | "sweep" => row.points >= least,
            "ENOMEM" | "EPERM" => row.points * 3 >= least,
            // for calls that open something, which not everybody makes
            _ => true,
        };
        assert!(enough, "{row:?}: at least {least} were expected");
        assert_eq!(row.refused + row.good + row.killed, row.points, "{row:?}");
    }
    rows
}

/// How many system calls a process makes at the very least. With fewer something was not seen.
fn least(scenario: &str, role: &str) -> usize {
    match (scenario, role) {
        ("open", "init") => 150,
        ("open" | "join", "application") => 60,
        ("open" | "join", "session-init") => 200,
        (_, "newuidmap" | "newgidmap" | "nsctl") => 60,
        (_, "application" | "janitor" | "nsshell") => 25,
        ("last" | "end", "init") => 20,
        ("open", "maker") => 10,
        // nobody waits for it to have begun
        ("join", "maker") => 0,
        _ => 4,
    }
}

/// Shown whatever becomes of the test; print! would show it only if it fails.
fn print(rows: &[Row]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let mut line = |words: [&str; 7]| {
        let [scenario, role, action, numbers @ ..] = words;
        let [points, refused, good, killed] = numbers;
        writeln!(
            out,
            "{scenario:9}{role:14}{action:8}{points:>7}{refused:>9}{good:>6}{killed:>8}"
        )
    };
    line([
        "scenario", "process", "action", "points", "refused", "good", "killed",
    ])?;
    for row in rows {
        let numbers = [row.points, row.refused, row.good, row.killed].map(|n| n.to_string());
        let [points, refused, good, killed] = &numbers;
        line([
            &row.scenario,
            &row.role,
            &row.action,
            points,
            refused,
            good,
            killed,
        ])?;
    }
    Ok(())
}

fn row<'a>(rows: &'a [Row], role: &str, action: &str) -> &'a Row {
    let mut all = rows.iter();
    all.find(|row| row.role == role && row.action == action)
        .unwrap()
}

#[test]
fn g5_g6_g8_an_opening_of_which_anybody_is_killed_at_any_call_is_a_whole_session_or_none() {
    root_or_skip!();
    let rows = all_planned_or_none(("open", ""), KILLS, OPEN);
    for action in KILLS {
        // Until it has answered, there is nothing without it; the same for whom it waits for.
        for role in ["session-init", "newuidmap", "newgidmap"] {
            let row = row(&rows, role, action);
            assert!(row.refused * 10 > row.points * 9, "{row:?}");
        }
        let application = row(&rows, "application", action);
        assert_eq!(application.killed, application.points);
        let janitor = row(&rows, "janitor", action);
        assert_eq!(janitor.good, janitor.points);
    }
}

#[test]
fn g5_g6_g8_an_opening_of_which_any_call_fails_for_want_of_something_is_whole_or_none() {
    root_or_skip!();
    for row in all_planned_or_none(("open", ""), &["ENOMEM", "EMFILE"], OPEN) {
        // Whose start fails may end by a signal; without init, everything in the session does.
        let may_end = ["init", "nsshell"].contains(&row.role.as_str());
        assert!(row.killed == 0 || may_end, "{row:?}");
    }
}

#[test]
fn g5_g6_g8_an_opening_of_which_any_call_is_forbidden_is_a_whole_session_or_none() {
    root_or_skip!();
    for row in all_planned_or_none(("open", ""), &["EPERM", "EACCES", "ENOENT"], OPEN) {
        // Whose start fails may end by a signal; without init, everything in the session does.
        let may_end = ["init", "nsshell"].contains(&row.role.as_str());
        assert!(row.killed == 0 || may_end, "{row:?}");
    }
}

#[test]
fn g6_g8_g10_a_join_of_which_anybody_is_killed_at_any_call_harms_no_other_login() {
    root_or_skip!();
    let rows = all_planned_or_none(("join", ""), &["kill"], JOIN);
    let helper = row(&rows, "session-init", "kill");
    assert!(helper.refused * 10 > helper.points * 9, "{helper:?}");
}

#[test]
fn g6_g8_g10_a_join_of_which_any_call_fails_harms_no_other_login() {
    root_or_skip!();
    all_planned_or_none(("join", ""), ERRORS, JOIN);
}

#[test]
fn g5_g8_a_login_that_leaves_at_any_point_leaves_the_others_their_session() {
    root_or_skip!();
    let actions = [&["kill"], ERRORS].concat();
    all_planned_or_none(("leave", ""), &actions, &["application", "init"]);
}

#[test]
fn g5_g8_the_last_login_that_leaves_at_any_point_ends_the_session() {
    root_or_skip!();
    let actions = [KILLS, ERRORS].concat();
    let roles = ["application", "init", "janitor"];
    for row in all_planned_or_none(("last", ""), &actions, &roles) {
        assert!(
            row.role == "application" || row.good == row.points,
            "{row:?}"
        );
    }
}

#[test]
fn g5_g8_the_last_login_that_leaves_at_any_point_keeps_what_is_to_be_kept() {
    root_or_skip!();
    let actions = [&["kill"], ERRORS].concat();
    let roles = ["application", "init"];
    all_planned_or_none(("keep", "on_logout = 'keep'"), &actions, &roles);
}

#[test]
fn g5_a_session_is_ended_by_nsctl_at_any_point_or_nsctl_says_that_it_is_not() {
    root_or_skip!();
    let actions = [KILLS, ERRORS].concat();
    all_planned_or_none(("end", ""), &actions, &["nsctl", "init"]);
}

#[test]
fn a_login_that_goes_on_without_its_session_is_noticed() {
    root_or_skip!();
    let disk = tempfile::tempdir().expect("a directory for the disk");
    let stack = STACK.replace("required", "optional") + "session required pam_permit.so\n";
    // One that a user can make, too: nsshell does.
    let host = host(disk.path(), "[profile.standard]\n", &stack);
    let output = host.run("points try open kill keeper");
    assert_eq!(output.code(), Some(1), "{output}");
    let text = output.text();
    for word in [
        "half a session",
        "changed after user namespace of the session 0",
    ] {
        assert!(text.contains(word), "{output}");
    }
}
