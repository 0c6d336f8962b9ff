//! The relay killed, stopped, or got hold of while it starts.

use std::os::unix::fs::MetadataExt as _;

use nsshell_tests::{Host, Pty, root_or_skip, wait_for};

use super::super::terminal::with_program;
use super::{modes, su};

/// Root's shell, its terminal, and the modes of that. dash leaves them alone; bash puts them back
/// itself when its job stops.
fn root(host: &Host, shell: &str) -> (Pty, String, String) {
    let mut shell = host.pty(&format!("exec {shell}"));
    shell.prompt();
    let terminal = shell.ask("tty");
    shell.prompt();
    let before = modes(host, &terminal);
    (shell, terminal, before)
}

/// The processes of the relay, as the host sees them.
fn relays(host: &Host) -> Vec<String> {
    let line = "for process in /proc/[0-9]*; do
        case $(readlink $process/exe) in
            /usr/libexec/nsshell/relay*) echo ${process#/proc/} ;;
        esac
    done";
    let found = host.run(line).text();
    found.split_whitespace().map(str::to_owned).collect()
}

const DASH: &str = "dash -i";
const BASH: &str = "bash --norc";

/// The process that su waits for, the parent of the user's shell, and the one that mends the modes,
/// which is there while the terminal is raw, in the order in which they were started.
const RELAY: &[usize] = &[0];
const LEADER: &[usize] = &[1];
const ALL: &[usize] = &[0, 1, 2];

/// Sends the signal to processes of the relay while alice's shell runs, and waits until root's
/// terminal has its modes back.
fn modes_come_back(signal: &str, cases: &[(&str, &[usize])]) {
    let host = Host::confined();
    for (shell, which) in cases {
        let (mut shell, terminal, before) = root(&host, shell);
        su(&mut shell);
        wait_for("a relay", || relays(&host).len() == ALL.len());
        assert_ne!(modes(&host, &terminal), before, "the relay copies keys");
        let all = relays(&host);
        let targets: Vec<&str> = which.iter().map(|at| all[*at].as_str()).collect();
        // Each alone: with one killed, others end before the signal reaches them.
        for target in targets {
            let _ = host.run(&format!("kill -{signal} {target}"));
        }
        wait_for(&format!("modes after {signal} to {which:?}"), || {
            modes(&host, &terminal) == before
        });
        // A stopped process does not end by itself.
        let _ = host.run(&format!("kill -KILL {}", all.join(" ")));
        drop(shell);
        wait_for("the end of the relay", || relays(&host).is_empty());
    }
}

#[test]
fn a_relay_that_is_killed_leaves_root_s_terminal_as_it_was() {
    root_or_skip!();
    modes_come_back("KILL", &[(DASH, RELAY), (DASH, LEADER), (DASH, ALL)]);
}

#[test]
fn a_relay_that_is_stopped_leaves_root_s_terminal_as_it_was() {
    root_or_skip!();
    // All of it stopped, no process is left but root's own shell: SECURITY.md says so.
    modes_come_back("STOP", &[(DASH, RELAY), (BASH, ALL)]);
}

/// A process of alice's in a job that root has put into the background wants to be typed at, stops,
/// and is continued by another process of hers: what root types then is for root's shell.
#[test]
fn nothing_that_root_types_to_another_program_reaches_alice() {
    root_or_skip!();
    let host = Host::confined();
    let login = host.session("alice");
    for way in ["su alice -c", "su alice --session-command"] {
        host.run("rm -f /home/alice/read").ok();
        let (mut shell, ..) = root(&host, DASH);
        let line = "trap \"\" TTIN TTOU HUP; exec 2>/dev/null; \
            while :; do head -n 1 >> /home/alice/read; done";
        shell.line(&format!("{way} '{line}' &"));
        wait_for("a relay", || relays(&host).len() >= 2);
        for round in 0..5 {
            let _ = host.run(&format!("kill -CONT {}", relays(&host).join(" ")));
            assert_eq!(
                shell.ask(&format!("echo secret{round}")),
                format!("secret{round}")
            );
        }
        assert_eq!(
            host.run("cat /home/alice/read 2>/dev/null; true").text(),
            "",
            "{way}"
        );
        let _ = host.run(&format!("kill -KILL {}", relays(&host).join(" ")));
        drop(shell);
        wait_for("the end of the relay", || relays(&host).is_empty());
    }
    login.end().ok();
}

#[test]
fn root_s_shell_goes_on_when_the_relay_is_killed() {
    root_or_skip!();
    let host = Host::confined();
    let (mut shell, ..) = root(&host, DASH);
    su(&mut shell);
    wait_for("a relay", || !relays(&host).is_empty());
    let _ = host.run(&format!("kill -KILL {}", relays(&host).join(" ")));
    shell.prompt();
    // The next prompt may be alice's last one.
    wait_for("the end of su", || !host.run("pgrep -x su").success());
    shell.line("");
    assert_eq!(shell.ask("id -un"), "root");
    wait_for("the end of alice's shell", || {
        !host.run("pgrep -u alice -x bash").success()
    });
}

#[test]
fn what_is_typed_beside_a_pipeline_is_for_its_other_programs() {
    root_or_skip!();
    let host = Host::confined();
    let (mut shell, ..) = root(&host, DASH);
    for line in [
        "su alice -c 'head -n 1 </dev/tty >>/home/alice/read' | cat",
        "echo x | su alice -c 'head -n 1 </dev/tty >>/home/alice/read'",
        "su alice --session-command 'head -n 1 </dev/tty >>/home/alice/read' | cat",
        "su alice -c 'head -n 1 >>/home/alice/read' 0>/dev/tty",
    ] {
        shell.line(line);
        shell.expect("nothing that is typed here is read");
        shell.prompt();
        assert_eq!(shell.ask("echo secret"), "secret");
        let read = host.run("cat /home/alice/read").text();
        assert_eq!(read, "", "{line}");
    }
}

#[test]
fn another_program_s_modes_are_left_alone_when_a_job_in_the_background_ends() {
    root_or_skip!();
    let host = Host::confined();
    let (mut shell, ..) = root(&host, DASH);
    for way in ["-c", "--session-command"] {
        let line = format!(
            "su alice {way} 'sleep 0.3' & stty -icanon; wait; stty -a | grep -o -e .icanon; stty icanon"
        );
        let seen = shell.ask(&line);
        assert!(seen.ends_with("-icanon"), "{seen}");
    }
}

#[test]
fn what_the_module_leaves_for_a_relay_reaches_no_program_of_alice_s() {
    root_or_skip!();
    let host = Host::confined();
    let (mut shell, ..) = root(&host, BASH);
    let look =
        "cd; env | grep -c ^NSSHELL_APPLICATION; find /proc/self/fd -lname \"*/stat\" | wc -l";
    for line in [
        format!("su alice -c '{look}'"),
        format!("su alice -c '{look}' </dev/null 2>&1 | cat"),
        format!("su alice --session-command '{look}' </dev/null >/srv/seen 2>&1; cat /srv/seen"),
    ] {
        assert_eq!(shell.ask(&line), "0\n0", "{line}");
    }
}

/// Another process of alice's, that looks for root's terminal again and again while su starts and
/// ends.
#[test]
fn no_process_of_alice_s_takes_the_terminal_while_su_starts_or_ends() {
    root_or_skip!();
    for confined in [true, false] {
        let builder = with_program(Host::builder());
        let host = match confined {
            true => builder.confined(),
            false => builder,
        }
        .user("alice")
        .start();
        let _login = host.session("alice");
        let mut shell = host.pty("exec bash --norc");
        shell.prompt();
        let terminal = shell.ask("tty");
        let inode = std::fs::metadata(format!("/proc/{}/root{terminal}", host.pid()));
        let device = inode.expect("the terminal").rdev();
        let mut spy = host
            .cmd(&format!(
                "exec setsid --wait su -s /bin/bash alice -c \
                 'while test ! -e /srv/root/over; do terminal spy {device}; done; echo over'"
            ))
            .spawn();
        spy.expect("spy-taken");
        for _ in 0..20 {
            shell.ask("su alice -c true; su - alice -c true </dev/null");
        }
        host.run("touch /srv/root/over").ok();
        let seen = spy.expect("over\n");
        let found: Vec<&str> = seen
            .lines()
            .filter(|line| line.starts_with("spy "))
            .collect();
        assert_eq!(found.is_empty(), confined, "{found:#?}");
    }
}
