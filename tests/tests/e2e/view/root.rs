//! Another directory as root.

use super::builder;
use nsshell_tests::{Builder, Host, root_or_skip};

/// A tree with the machine's programs in it, as somebody makes one who uses bind mounts.
const TREE: &str = "set -e
    mkdir -m 755 -p /srv/jail/usr /srv/jail/etc /srv/jail/proc /srv/jail/data /srv/jail/run
    mount --bind /usr /srv/jail/usr
    for dir in bin sbin lib lib64; do if test -L /$dir; then ln -s usr/$dir /srv/jail/$dir; fi; done
    cp /etc/passwd /etc/group /srv/jail/etc; touch /srv/jail/of-the-tree /srv/jail/proc/of-the-tree /srv/jail/run/of-the-tree
    chmod 1777 /srv/jail/data; touch /etc/of-the-host";

const POLICY: &str = "root = '/srv/jail'\nhide_homes = ['/home']\nnamespaces = ['mount', 'ipc', 'pid', 'uts', 'cgroup']\nrequire_nsshell = false";

fn jail(policy: &str) -> Builder {
    builder(policy).prepare(TREE)
}

#[test]
fn another_root_is_all_that_there_is() {
    root_or_skip!();
    let line = "ls /; ls /etc; touch /data/new /etc/new /new 2>/dev/null; test -e /data/new && echo wrote; touch ~/own && echo home; cat /proc/1/comm; test -e /proc/of-the-tree && echo proc; findmnt -n -o VFS-OPTIONS / | cut -d, -f1";
    let host = jail(POLICY).start();
    let mounts = host.run("cat /proc/1/mountinfo").ok();
    let inside = host.ssh("alice", line).ok().replace('\n', " ");
    assert!(
        !inside.contains("of-the-host") && !inside.contains("srv"),
        "{inside}"
    );
    assert!(
        inside.contains("of-the-tree") && inside.ends_with("home nsshell-init ro"),
        "{inside}"
    );
    assert!(!inside.contains("wrote"), "{inside}");
    assert_eq!(
        host.run("su - alice -c 'ls /'").ok(),
        host.ssh("alice", "ls /").ok()
    );
    assert_eq!(host.run("ls /home/alice").ok(), "own");
    assert_eq!(host.run("cat /proc/1/mountinfo").ok(), mounts);
    // With a user namespace as well: nsshell comes with /usr.
    let with_user = POLICY.replace("'cgroup'", "'cgroup', 'user'");
    let inside = jail(&with_user).start().ssh("alice", line).ok();
    assert!(
        inside.contains("of-the-tree") && !inside.contains("srv"),
        "{inside}"
    );
    assert!(jail("").start().ssh("alice", "ls /").ok().contains("srv"));
}

#[test]
fn sftp_is_confined_to_another_root() {
    root_or_skip!();
    let files = |host: &Host, options: &str| {
        let line = format!("sftp -q -b - {options} alice@127.0.0.1");
        let batch = "-ls -1 /\n-ls -1 /srv\nput /etc/hostname there\nget there back\n";
        let text = host.cmd(&line).stdin(batch).output().ok();
        host.run("cmp back /home/alice/there && rm back /home/alice/there")
            .ok();
        text
    };
    let host = jail(POLICY).start();
    for options in ["", "-s sftp-external"] {
        let inside = files(&host, options);
        assert!(
            inside.contains("/of-the-tree") && !inside.contains("/srv/jail"),
            "{options}: {inside}"
        );
    }
    let control = jail("").start();
    assert!(files(&control, "").contains("/srv/jail"));
}

#[test]
fn internal_sftp_works_where_the_tree_has_no_program_at_all() {
    root_or_skip!();
    let host = builder("extends = 'sftp-only'\nroot = '/srv/jail'\nrequire_nsshell = false")
        .prepare("mkdir -p -m 755 /srv/jail")
        .start();
    let before = host.census();
    let sftp = |batch: &str| {
        host.cmd("sftp -q -b - alice@127.0.0.1")
            .stdin(batch)
            .output()
    };
    let text = sftp("ls -1 /\nput /etc/hostname there\nls -1 /home\n").ok();
    assert!(text.contains("/home") && !text.contains("/usr"), "{text}");
    host.run("cmp /etc/hostname /home/alice/there").ok();
    host.ssh("alice", "true").fails();
    host.wait_for_nothing_left(&before);
}

#[test]
fn a_tree_that_others_can_write_is_refused() {
    root_or_skip!();
    let wrong = [
        ("chmod 777 /srv/jail", "/srv/jail can be written by others"),
        ("chown alice /srv/jail", "/srv/jail belongs to uid 1000"),
        ("chmod 777 /srv", "/srv can be written by others"),
        (
            "chmod g+w /srv/jail/etc/nsswitch.conf 2>/dev/null || install -m 664 /dev/null /srv/jail/etc/nsswitch.conf",
            "nsswitch.conf of the session can be written",
        ),
        (
            "chown alice /srv/jail/etc/passwd",
            "/etc/passwd of the session belongs to uid 1000",
        ),
        (
            "chmod 777 /srv/jail/etc",
            "/etc of the session can be written",
        ),
        ("mv /srv/jail /srv/real; ln -s real /srv/jail", "cannot"),
        (
            "install -d -o alice /srv/jail/data/lib; rm -f /srv/jail/lib; ln -s data/lib /srv/jail/lib",
            "of the session",
        ),
    ];
    for (line, reason) in wrong {
        let host = jail(POLICY).prepare(line).start();
        host.ssh("alice", "true").fails();
        host.wait_for_log(reason);
    }
    jail(POLICY).start().ssh("alice", "true").ok();
}
