//! What people log in twice for: the same tmux on two terminals, and again after a logout.

use nsshell_tests::{Host, Pty, root_or_skip, wait_for};

use super::{wait_for_no_traces, with};

/// A login on a terminal that tmux can draw on, up to its prompt.
fn login(host: &Host) -> Pty {
    let login = host.ssh_cmd("alice", &["-tt"], "").env("TERM", "xterm");
    let mut pty = login.pty();
    pty.prompt();
    pty
}

fn wait_for_logout(host: &Host) {
    wait_for("the end of sshd's processes", || {
        !host.run("pgrep -f '^sshd: alice'").success()
    });
}

/// Two logins work in one tmux; both log out. What a third one finds of it: the screen, if tmux
/// is still there.
pub(crate) fn found_again(host: &Host) -> Option<Pty> {
    let (mut one, mut two) = (login(host), login(host));
    // Keys that come within a millisecond are text that is pasted, unless tmux is told otherwise.
    one.line("tmux new -s work ';' set -g assume-paste-time 0");
    one.expect("[work]");
    two.line("tmux attach -t work");
    two.expect("[work]");
    // The quotes keep the echo of what is typed apart from what is said.
    one.line("echo said''-by-one");
    one.expect("said-by-one");
    two.expect("said-by-one");
    two.line("echo said''-by-two");
    one.expect("said-by-two");
    two.expect("said-by-two");
    // The one that has begun it leaves, and the other goes on.
    one.control('b');
    one.send("d");
    one.expect("[detached (from session work)]");
    one.prompt();
    one.line("exit");
    assert!(one.wait().0.success());
    two.line("echo still''-there");
    two.expect("still-there");
    // The last one is cut off in the middle of it.
    drop(two);
    wait_for_logout(host);
    let mut three = login(host);
    three.line("tmux attach -t work || echo no''-tmux");
    let seen = three.expect_any(&["still-there", "no-tmux"]);
    seen.ends_with("still-there").then_some(three)
}

#[test]
fn g5_two_logins_type_in_one_tmux_and_a_third_finds_it_again_under_keep() {
    root_or_skip!();
    let host = with("on_logout = 'keep'");
    let mut three = found_again(&host).expect("tmux is there");
    three.line("echo said''-by-three");
    three.expect("said-by-three");
    // Kept as long as something is in it, and not longer.
    three.line("tmux kill-server");
    three.expect("[server exited]");
    three.line("exit");
    let _ = three.wait();
    wait_for_no_traces(&host);
}

#[test]
fn g5_the_tmux_of_two_logins_ends_with_the_last_of_them_under_kill() {
    root_or_skip!();
    let host = with("on_logout = 'kill'");
    assert!(found_again(&host).is_none());
    wait_for_logout(&host);
    wait_for_no_traces(&host);
    host.run("pgrep tmux").fails();
}
