//! nsshell whose system calls fail: there is no shell without the user layer (G6).

use std::time::Duration;

use nsshell_tests::{Host, root_or_skip};

use super::in_host_layer;

/// Every call up to the execution of the real shell, how often, one after the other: fails with
/// each of the errors in turn. `call error time: status, user namespace`.
const EACH: &str = r#"
cd /home/alice
strace -o calls nsshell -c : || exit
awk '/^execve/ && ++n == 2 { exit } match($0, /^[a-z0-9_]+\(/) { print substr($0, 1, RLENGTH - 1) }' calls |
    sort | uniq -c > counts
while read -r count call; do
    for error in EACCES ENOENT ENOMEM EMFILE EINVAL; do
        for time in $(seq $count); do
            shell=$(strace -o trace -e inject=$call:error=$error:when=$time \
                nsshell -c 'readlink /proc/self/ns/user' 2>/dev/null < /dev/null)
            echo "$call $error $time: $? $shell"
        done
    done
done < counts
"#;

#[test]
fn g6_a_system_call_of_nsshell_that_fails_never_gives_a_shell_without_the_user_layer() {
    root_or_skip!();
    let host = Host::confined();
    let outside = host.run("readlink /proc/self/ns/user").ok();
    let inside = "echo $(nsshell -c 'readlink /proc/self/ns/user')";
    let inside = in_host_layer(&host, &format!("{inside}; {EACH}"))
        .limit(Duration::from_secs(200))
        .output()
        .ok();
    let mut lines = inside.lines();
    let planned = lines.next().unwrap();
    assert_ne!(planned, outside);
    let (mut points, mut refused) = (0, 0);
    for line in lines {
        assert!(!line.contains(&outside), "{line}");
        let (_, rest) = line.split_once(": ").unwrap();
        let (status, shell) = rest.split_once(' ').unwrap_or((rest, ""));
        points += 1;
        refused += usize::from(status == "125");
        // The failure of a call may be no failure; or the loader's, before nsshell runs.
        assert!(["", planned].contains(&shell), "{line}");
        assert!(status != "0" || shell == planned, "{line}");
    }
    assert!(points > 100 && refused > 20, "{points}, {refused} refused");
}

#[test]
fn g6_a_plan_that_may_not_be_read_gives_no_shell() {
    root_or_skip!();
    let host = Host::confined();
    let reasons = [
        (
            "EACCES",
            "cannot read the session's plan /run/nsshell/gate: Permission denied",
        ),
        (
            "ENOENT",
            "this session was made by another version of nsshell; end it",
        ),
    ];
    for (error, reason) in reasons {
        // The one call with which nsshell opens its part of the plan.
        let line = format!(
            "cd; strace -o trace -e inject=openat2:error={error}:when=1 nsshell -c id; echo $?; \
             grep -c INJECTED trace"
        );
        let output = in_host_layer(&host, &line).output();
        assert_eq!(output.text(), "125\n1", "{output}");
        let complaint = output.complaint();
        assert!(complaint.contains(reason), "{complaint}");
    }
}
