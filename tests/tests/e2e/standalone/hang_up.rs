//! The end of the terminal is the end of everything.

use nsshell_tests::root_or_skip;

use super::terminal::{Terminal, terminal};
use super::{host, processes, wait_for_no_process};

/// Whether nothing is left when the terminal is gone.
fn ends_with_terminal(start: impl FnOnce(&mut Terminal)) {
    let host = host();
    let before = host.census();
    let mut shell = terminal(&host);
    start(&mut shell);
    assert!(processes(&host) > 3);
    drop(shell);
    wait_for_no_process(&host);
    host.wait_for_nothing_left(&before);
}

#[test]
fn hanging_up_ends_a_command() {
    root_or_skip!();
    ends_with_terminal(|shell| shell.start_sleep("nsshell -c"));
}

#[test]
fn hanging_up_ends_an_interactive_shell_and_its_job() {
    root_or_skip!();
    ends_with_terminal(|shell| {
        shell.enter();
        shell.start_sleep("sh -c");
    });
}

#[test]
fn hanging_up_ends_what_does_not_hear_of_it() {
    root_or_skip!();
    ends_with_terminal(|shell| {
        shell.enter();
        shell.ask("setsid -f sh -c 'trap \"\" HUP; exec sleep 1000'; { sleep 1000 & }");
    });
}

#[test]
fn hanging_up_ends_a_suspended_shell() {
    root_or_skip!();
    ends_with_terminal(|shell| {
        shell.enter();
        shell.back("suspend", "outer");
    });
}
