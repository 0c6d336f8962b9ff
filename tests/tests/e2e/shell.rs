//! nsshell in a session that the module has made: nobody can tell it from the shell that it
//! becomes.

mod closed;
mod place;

use nsshell_tests::{Cmd, Host, Output, root_or_skip};

/// A line of bash as alice in the host layer of a session: where sshd and login start nsshell.
fn in_host_layer(host: &Host, line: &str) -> Cmd {
    host.argv(&["su", "-s", "/bin/bash", "alice", "-c", line])
}

/// Runs a line twice, with `$shell` nsshell and then with the real shell: both outputs.
fn both(host: &Host, line: &str, stdin: &str) -> [Output; 2] {
    ["/usr/bin/nsshell", "/bin/bash"].map(|shell| {
        let line = format!("cd; shell={shell} name=${{shell##*/}}\n{line}");
        in_host_layer(host, &line).stdin(stdin).output()
    })
}

/// Requires that a line comes out alike with nsshell and with the real shell, and gives back
/// what it wrote.
#[track_caller]
fn same(host: &Host, line: &str, stdin: &str) -> String {
    let [ours, real] = both(host, line, stdin);
    assert_eq!(
        (ours.code(), ours.text(), ours.complaint()),
        (real.code(), real.text(), real.complaint()),
        "`{line}`: {ours}"
    );
    ours.text()
}

#[test]
fn every_argument_reaches_the_real_shell_untouched() {
    root_or_skip!();
    let host = Host::confined();
    host.run(
        "printf '%s\\n' 'printf \"<%s>\" \"$0\" \"$@\"' > /home/alice/script
        printf '#!/usr/bin/nsshell\\necho \"$0\" \"$1\" $SHELL' > /home/alice/executable
        chmod 755 /home/alice/*",
    )
    .ok();
    let show = r#"'printf "<%s>" "$0" "$@"; shopt login_shell; echo "$-"'"#;
    let odd = r#"zero "" "a  b" $'two\nlines' $'\'"\\' '$HOME' '*' é $'\xff' --help -c -l --"#;
    for line in [
        format!("$shell -c {show} {odd}"),
        format!("$shell -l -c {show}"),
        format!("$shell -lc {show} x"),
        format!("$shell --norc -i -c {show} 2>/dev/null"),
        format!("$shell --posix -e -u -o pipefail -c {show}"),
        format!("(exec -a -$name $shell -c {show})"),
        "$shell ./script a 'b c' ''".to_owned(),
        "$shell script -c --help".to_owned(),
        "$shell --help".to_owned(),
        "$shell --version".to_owned(),
        "$shell -c".to_owned(),
        "$shell -c 'echo ${#1}' x \"$(head -c 100000 /dev/zero | tr '\\0' a)\"".to_owned(),
        "$shell --no-such-option".to_owned(),
        "$shell ./no-such-script".to_owned(),
        "$shell -c no-such-command".to_owned(),
    ] {
        same(&host, &line, "");
    }
    let written = same(&host, &format!("$shell -c {show} {odd}"), "");
    assert!(
        written.starts_with("<zero><><a  b><two\nlines>"),
        "{written}"
    );
    assert_eq!(same(&host, "$shell -s a 'b c'", "echo $# \"$2\""), "2 b c");
    assert_eq!(same(&host, "$shell", "cat\nthe rest"), "the rest");
    assert_eq!(
        in_host_layer(&host, "cd; ./executable 1").output().ok(),
        "./executable 1 /bin/bash"
    );
}

#[test]
fn a_name_with_a_dash_makes_a_login_shell_and_only_that() {
    root_or_skip!();
    let host = Host::confined();
    host.run("echo 'echo profile' > /home/alice/.profile").ok();
    assert_eq!(
        same(&host, "(exec -a -$name $shell -c 'echo end')", ""),
        "profile\nend"
    );
    assert_eq!(same(&host, "$shell -c 'echo end'", ""), "end");
    assert_eq!(same(&host, "$shell -l -c 'echo end'", ""), "profile\nend");
    assert_eq!(
        same(&host, "(exec -a anything $shell -c 'echo end')", ""),
        "end"
    );
    // As login programs call it.
    let ssh = host
        .ssh_cmd("alice", &["-T"], "")
        .stdin("echo $0")
        .output()
        .ok();
    assert!(ssh.ends_with("profile\n-bash"), "{ssh}");
    assert_eq!(host.ssh("alice", "echo $0").ok(), "bash");
    assert_eq!(host.run("su - alice -c 'echo $0'").ok(), "profile\n-bash");
    assert_eq!(host.run("su alice -c 'echo $0'").ok(), "bash");
}

#[test]
fn it_ends_as_the_shell_ends() {
    root_or_skip!();
    let host = Host::confined();
    let statuses = (0..=255)
        .map(|status| format!("$shell -c 'exit {status}'; echo $?;"))
        .collect::<String>();
    let expected: Vec<String> = (0..=255).map(|status: u8| status.to_string()).collect();
    assert_eq!(
        same(&host, &statuses, "").lines().collect::<Vec<_>>(),
        expected
    );
    let signals = "for n in 1 2 6 9 11 15 34; do $shell -c \"kill -$n \\$\\$\"; echo $?; done";
    // Both complain with the number of the process that was killed: nothing to compare.
    let ours = in_host_layer(&host, &format!("shell=nsshell; {signals}")).output();
    assert_eq!(
        ours.text().replace('\n', " "),
        "129 130 134 137 139 143 162"
    );
}

#[test]
fn a_shell_that_is_missing_is_127_and_one_that_cannot_be_executed_126() {
    root_or_skip!();
    let with = |shell: &str| {
        let policy = format!("[profile.standard]\nshell = \"{shell}\"\n");
        let host = Host::builder()
            .confined()
            .user("alice")
            .policy(&policy)
            .start();
        let output = host.ssh("alice", "echo ran");
        (output.code(), output.text(), output.complaint())
    };
    let expected = |code, complaint: &str| (Some(code), String::new(), complaint.to_owned());
    assert_eq!(
        with("/no/such/shell"),
        expected(
            127,
            "nsshell: cannot become /no/such/shell: No such file or directory; see `shell` in the profile \"standard\""
        )
    );
    assert_eq!(
        with("/etc/passwd"),
        expected(
            126,
            "nsshell: cannot become /etc/passwd: Permission denied; see `shell` in the profile \"standard\""
        )
    );
    let (code, _, complaint) = with("/usr/bin");
    assert_eq!(code, Some(126), "{complaint}");
    assert_eq!(with("/bin/dash").1, "ran");
}

#[test]
fn the_directory_the_limits_and_the_mask_are_kept() {
    root_or_skip!();
    let host = Host::confined();
    assert_eq!(
        same(&host, "cd /usr/share; $shell -c 'pwd; pwd -P'", ""),
        "/usr/share\n/usr/share"
    );
    let gone =
        "mkdir gone; cd gone; rmdir ../gone; $shell -c 'readlink /proc/self/cwd' 2>/dev/null";
    assert_eq!(same(&host, gone, ""), "/home/alice/gone (deleted)");
    let limits = "umask 027; ulimit -n 100; ulimit -c 0; nice -n 5 $shell -c 'umask; ulimit -n; ulimit -c; nice'";
    assert_eq!(same(&host, limits, ""), "0027\n100\n0\n5");
}

#[test]
fn the_environment_is_kept_but_for_the_name_of_the_shell() {
    root_or_skip!();
    let host = Host::confined();
    let odd = "env -i SHELL=/usr/bin/nsshell A= B=$'two\\nlines' C=$'\\xff' 'D E=1' PATH=/bin $shell -c 'env -0 | sort -z | tr \"\\0\" \"|\"'";
    // The one variable in which the two differ, since env(1) sets it.
    let [ours, real] = both(&host, odd, "");
    assert_eq!(
        ours.ok()
            .replace("SHELL=/bin/bash", "SHELL=/usr/bin/nsshell"),
        real.ok()
    );
    assert!(ours.ok().contains("SHELL=/bin/bash"), "{ours}");
    assert_eq!(host.ssh("alice", "echo $SHELL").ok(), "/bin/bash");
}

#[test]
fn the_shell_gets_the_signals_as_they_were() {
    root_or_skip!();
    let host = Host::confined();
    let seen = "$shell -c 'grep -E \"^(Sig(Blk|Ign)|ShdPnd)\" /proc/self/status'";
    let plain = same(&host, seen, "");
    assert!(plain.contains("SigBlk:\t0000000000000000"), "{plain}");
    // Only these: what else is ignored, the test was started with.
    const PIPE_USR1_HUP: u64 = 0x1201;
    let ignored = |status: &str| {
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix("SigIgn:\t"))
            .unwrap();
        u64::from_str_radix(mask, 16).unwrap() & PIPE_USR1_HUP
    };
    assert_eq!(ignored(&plain), 0, "{plain}");
    let trapped = same(&host, &format!("trap '' PIPE HUP USR1; {seen}"), "");
    assert_eq!(ignored(&trapped), PIPE_USR1_HUP, "{trapped}");
    // As sshd leaves it.
    let status = |host: &Host| {
        host.ssh("alice", "grep -E '^Sig(Blk|Ign)' /proc/self/status")
            .ok()
    };
    assert_eq!(status(&host), status(&Host::unconfined()));
    assert_eq!(
        same(&host, "$shell -c 'yes; echo $? >&2' | head -n 1; true", ""),
        "y"
    );
}

#[test]
fn no_descriptor_leaks_into_the_shell_and_none_is_lost() {
    root_or_skip!();
    let host = Host::confined();
    let list = "'for fd in /proc/self/fd/*; do echo ${fd##*/} $(stat -L -c %F $fd); done'";
    same(&host, &format!("$shell -c {list}"), "some input");
    same(
        &host,
        &format!("$shell -c {list} 5</etc/passwd 42>/dev/null"),
        "",
    );
    let closed =
        "'for fd in 0 1 2; do [ -e /proc/self/fd/$fd ] || echo $fd; done >/proc/self/fd/9'";
    for redirection in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "0<&- 2>&-"] {
        let line = format!("exec 9> closed; $shell -c {closed} {redirection}; cat closed");
        same(&host, &line, "");
    }
    let count = |host: &Host| host.ssh("alice", "ls /proc/self/fd | wc -l").ok();
    assert_eq!(count(&host), count(&Host::unconfined()));
}

#[test]
fn nothing_of_ours_stands_between_the_login_program_and_the_shell() {
    root_or_skip!();
    let host = Host::confined();
    let line = "ps -o comm= -p $$,$PPID; cat /proc/$$/comm; true";
    let tree = host.ssh("alice", line).ok();
    assert!(
        tree.lines()
            .next()
            .is_some_and(|parent| parent.starts_with("sshd")),
        "{tree}"
    );
    assert_eq!(tree.lines().skip(1).collect::<Vec<_>>(), ["bash", "bash"]);
    // Executed in place, not started: the number stays the same.
    assert_eq!(
        in_host_layer(&host, "echo $$; exec nsshell -c 'echo $$'")
            .output()
            .ok()
            .lines()
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        1
    );
    assert!(
        !host
            .session("alice")
            .ask("ps -e -o comm= | grep -x nsshell")
            .success()
    );
}
