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
fn g7_no_session_is_made_where_a_user_could_answer_for_a_daemon_of_the_name_service() {
    root_or_skip!();
    for (private, place) in [
        (
            "'/var'",
            "/var of the session can be written by others (mode 1777)",
        ),
        (
            "{ path = '/var/lib', mode = '1777' }",
            "/var/lib of the session can be",
        ),
    ] {
        let host = host(&format!("private = [{private}]"));
        host.run("su alice -c 'mkdir -p /var/run/nscd'").fails();
        host.wait_for_log(place);
    }
    let host = host("private = [{ path = '/var', mode = '0755' }]");
    host.run("su alice -c true").ok();
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
