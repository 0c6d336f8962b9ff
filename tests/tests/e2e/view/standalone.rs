//! What a user alone can have of it.

use super::PREPARE;
use nsshell_tests::{Host, root_or_skip};

/// A host on which alice makes her session herself.
fn host(profile: &str) -> Host {
    Host::builder()
        .installed()
        .policy(&format!("[profile.standard]\n{profile}\n"))
        .user("alice")
        .user("bob")
        .prepare(PREPARE)
        .without_sshd()
        .start()
}

fn in_session(host: &Host, line: &str) -> nsshell_tests::Output {
    host.argv(&["/usr/bin/nsshell", "-c", line])
        .user("alice")
        .env("HOME", "/home/alice")
        .output()
}

#[test]
fn a_user_alone_has_the_views_that_need_no_root() {
    root_or_skip!();
    let cases = [
        (
            "read_only = ['/srv/open']",
            "touch /srv/open/new /srv/open/sub/new 2>/dev/null || echo no",
            "no",
            "",
        ),
        (
            "masked = ['/srv/secret', '/srv/vault']",
            "cat /srv/secret /srv/vault/file 2>/dev/null | wc -l",
            "0",
            "2",
        ),
        (
            "hide_homes = ['/home']",
            "ls -m /home; touch ~/own && echo wrote; rm ~/own",
            "alice\nwrote",
            "alice, bob\nwrote",
        ),
        (
            "home = 'read-only'",
            "touch ~/own 2>/dev/null || echo no; rm -f ~/own",
            "no",
            "",
        ),
        (
            "binds = [{ source = '/srv/vault', target = '/srv/target', options = ['ro'] }]",
            "ls /srv/target",
            "file",
            "",
        ),
        (
            "proc = 'pids'",
            "ls /proc/cpuinfo 2>/dev/null || echo no",
            "no",
            "/proc/cpuinfo",
        ),
        (
            "hidepid = 'invisible'",
            "ls -d /proc/self >/dev/null && echo self",
            "self",
            "self",
        ),
        ("sys = 'hidden'", "ls /sys", "fs", ""),
        (
            "private = [{ path = '/tmp', inodes = 3 }]",
            "cd /tmp; touch 1 2 3 4 2>/dev/null; ls | wc -l",
            "2",
            "4",
        ),
    ];
    for (profile, line, with, without) in cases {
        assert_eq!(in_session(&host(profile), line).text(), with, "{profile}");
        if !without.is_empty() {
            let control = in_session(&host(""), line).text();
            assert_eq!(control, without, "without {profile}");
        }
    }
}

#[test]
fn what_only_the_module_can_make_is_refused_with_a_way_out() {
    root_or_skip!();
    let cases = [
        (
            "unmounted = ['/srv/open/sub']",
            "take off mounts of the host",
        ),
        ("dev = 'minimal'", "make another /dev"),
        ("root = '/srv/vault'", ""),
        (
            "binds = [{ source = '/srv/open', target = '/srv/target', propagation = 'shared' }]",
            "give mounts back to the host",
        ),
    ];
    for (profile, what) in cases {
        let refused = in_session(&host(profile), "echo ran");
        let said = refused.fails();
        assert!(!refused.text().contains("ran"), "{profile}");
        assert!(
            said.contains("only the PAM module can") && said.contains(what),
            "{profile}: {said}"
        );
        assert!(said.contains("use pam_nsshell"), "{profile}: {said}");
    }
}
