//! Where root's programs ask daemons, or a filter of system calls stands between them and us.

use nsshell_tests::{Host, root_or_skip};

fn host(keys: &str) -> Host {
    Host::builder()
        .confined()
        .without_sshd()
        .policy(&format!("[profile.standard]\n{keys}\n"))
        .user("alice")
        .start()
}

#[test]
fn g6_who_cannot_close_what_the_user_must_not_have_makes_no_session() {
    root_or_skip!();
    let host = host("");
    host.run("su alice -c true").ok();
    let line = "strace -f -qq -o /dev/null -e trace=close_range -e inject=close_range:error=EPERM \
                su alice -c 'echo in'";
    let refused = host.run(line);
    refused.fails();
    assert!(!refused.text().contains("in\n"));
}

#[test]
fn a_filter_of_system_calls_is_not_taken_for_threads() {
    root_or_skip!();
    let host = host("");
    let line = "strace -f -qq -o /dev/null -e trace=unshare -e inject=unshare:error=EPERM \
                su alice -c 'echo in'";
    host.run(line).fails();
    host.wait_for_log("refused:");
    assert!(!host.log().contains("has threads"));
}
