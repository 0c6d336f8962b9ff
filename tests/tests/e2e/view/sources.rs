//! What the user has put where root looks.

use super::{builder, seen};
use nsshell_tests::root_or_skip;

#[test]
fn no_link_of_the_user_s_is_followed_on_the_way_to_a_source_or_a_target() {
    root_or_skip!();
    // The same policies with a directory of the user's own in place of the link are no fault.
    let policies = [
        "binds = [{ source = '{home}/own', target = '/srv/target' }]",
        "binds = [{ source = '/srv/vault', target = '{home}/own' }]",
        "binds = [{ source = '{home}/own/deep', target = '/srv/target' }]",
    ];
    for policy in policies {
        let with = |line: &str| builder(policy).prepare(line).start();
        let link = with("ln -s /root /home/alice/own; mkdir -p /root/deep");
        link.ssh("alice", "true").fails();
        link.wait_for_log("is a symbolic link");
        let own = "setpriv --reuid 1000 --regid 1000 --clear-groups mkdir -p /home/alice/own/deep";
        with(own).ssh("alice", "true").ok();
    }
}

const SOCKET: &str = "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"/tmp/sock\")'; chmod 777 /tmp/sock";

#[test]
fn what_somebody_has_put_where_a_socket_is_exposed_is_not_shown() {
    root_or_skip!();
    let put = [
        "ln -s /srv/vault /tmp/sock",
        "mkfifo /tmp/sock",
        "mknod /tmp/sock c 1 3",
        "echo text > /tmp/sock",
        "ln /srv/secret /tmp/sock",
        "mkdir /tmp/sock; chown bob /tmp/sock",
        &format!("{SOCKET}; chown bob /tmp/sock"),
    ];
    for line in put {
        let host = builder("expose = ['/tmp/sock']").prepare(line).start();
        assert_eq!(seen(&host, "ls -A /tmp"), "", "{line}");
    }
    let host = builder("expose = ['/tmp/sock']")
        .prepare("mkdir /tmp/sock; chown alice /tmp/sock")
        .start();
    assert_eq!(seen(&host, "ls -A /tmp"), "sock");
    for owner in ["alice", "root"] {
        let host = builder("expose = ['/tmp/sock']")
            .prepare(&format!("{SOCKET}; chown {owner} /tmp/sock"))
            .start();
        assert_eq!(seen(&host, "ls -A /tmp"), "sock", "{owner}");
    }
}

#[test]
fn what_is_to_restrict_over_a_link_is_refused_with_the_remedy() {
    root_or_skip!();
    for keys in ["masked", "read_only", "unmounted"] {
        let host = builder(&format!("{keys} = ['/srv/link/file']"))
            .prepare("ln -s vault /srv/link")
            .start();
        host.ssh("alice", "true").fails();
        host.wait_for_log(
            "cannot look at the directories above /srv/link/file: Too many levels of symbolic \
             links; a part of this path is a symbolic link: name the real path",
        );
    }
}

#[test]
fn a_home_that_is_none_is_handled() {
    root_or_skip!();
    let policy = "hide_homes = ['/home']";
    let wrong = [
        (
            "rm -r /home/alice; touch /home/alice",
            "cannot open the home directory /home/alice: Not a directory",
        ),
        (
            "mv /home/alice /srv/alice; ln -s /srv/alice /home/alice",
            "a part of this path is a symbolic link",
        ),
        ("chown bob /home/alice", "belongs to uid 1001"),
    ];
    for (line, reason) in wrong {
        let host = builder(policy).prepare(line).start();
        host.ssh("alice", "true").fails();
        host.wait_for_log(reason);
    }
    // Missing, it is missing inside, too; unreadable, it is still hers.
    let host = builder(policy).prepare("rm -r /home/alice").start();
    assert_eq!(host.ssh("alice", "ls -A /home").ok(), "");
    let host = builder(policy).prepare("chmod 0 /home/alice").start();
    assert_eq!(host.ssh("alice", "ls -A /home").ok(), "alice");
}

#[test]
fn nothing_that_root_trusts_is_what_others_can_write() {
    root_or_skip!();
    let refused = [
        "binds = [{ source = '/home/alice', target = '/usr/lib' }]",
        "binds = [{ source = '/srv/theirs', target = '/etc/passwd' }]",
        "private = ['/etc']",
        "private = ['/etc/pam.d']",
        "private = ['/usr/local/bin']",
        "binds = [{ source = '/home/alice', target = '/etc/security' }]",
        "binds = [{ source = '/srv/theirs', target = '/usr/bin/id' }]",
        "binds = [{ source = '/srv/local', target = '/usr/local' }]",
    ];
    for policy in refused {
        let host = builder(policy)
            .prepare("install -o alice /etc/passwd /srv/theirs; mkdir -p /etc/security /srv/local/lib; chown alice /srv/local/lib")
            .start();
        host.ssh("alice", "true").fails();
        host.wait_for_log("root's programs would trust it");
    }
    let allowed = "binds = [{ source = '/srv/vault', target = '/usr/local' }]";
    assert_eq!(seen(&builder(allowed).start(), "ls /usr/local"), "file");
}
