//! The relay killed, stopped, or got hold of while it starts.

use std::os::unix::fs::MetadataExt as _;

use nsshell_tests::{Host, Pty, root_or_skip, wait_for};

use super::super::terminal::with_program;
use super::{modes, su};

/// Root's shell, one that leaves the terminal's modes alone; its terminal, and their modes.
fn root(host: &Host) -> (Pty, String, String) {
    let mut shell = host.pty("exec dash -i");
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

/// Which of the relay's processes get the signal.
const CHOICES: [Option<usize>; 3] = [None, Some(0), Some(1)];

fn chosen(all: &[String], choice: Option<usize>) -> Option<String> {
    match choice {
        None => Some(all.join(" ")),
        Some(number) => all.get(number).cloned(),
    }
}

/// Sends the signal to the relay while alice's shell runs, and waits until root's terminal has
/// its modes back.
fn modes_come_back(signal: &str) {
    let host = Host::confined();
    for choice in CHOICES {
        let (mut shell, terminal, before) = root(&host);
        su(&mut shell);
        wait_for("a relay", || !relays(&host).is_empty());
        assert_ne!(modes(&host, &terminal), before, "the relay copies keys");
        let all = relays(&host);
        let Some(target) = chosen(&all, choice) else {
            // A relay may be one process.
            continue;
        };
        host.run(&format!("kill -{signal} {target}")).ok();
        wait_for(
            &format!("modes after {signal} to {choice:?} of {all:?}"),
            || modes(&host, &terminal) == before,
        );
        // A stopped process does not end by itself.
        let _ = host.run(&format!("kill -KILL {}", all.join(" ")));
        drop(shell);
        wait_for("the end of the relay", || relays(&host).is_empty());
    }
}

#[test]
fn a_relay_that_is_killed_leaves_root_s_terminal_as_it_was() {
    root_or_skip!();
    modes_come_back("KILL");
}

#[test]
fn a_relay_that_is_stopped_leaves_root_s_terminal_as_it_was() {
    root_or_skip!();
    modes_come_back("STOP");
}

#[test]
fn root_s_shell_goes_on_when_the_relay_is_killed() {
    root_or_skip!();
    let host = Host::confined();
    let (mut shell, ..) = root(&host);
    su(&mut shell);
    wait_for("a relay", || !relays(&host).is_empty());
    host.run(&format!("kill -KILL {}", relays(&host).join(" ")))
        .ok();
    shell.prompt();
    // The next prompt may be alice's last one.
    wait_for("the end of su", || !host.run("pgrep -x su").success());
    shell.line("");
    assert_eq!(shell.ask("id -un"), "root");
    wait_for("the end of alice's shell", || {
        !host.run("pgrep -u alice -x bash").success()
    });
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
