//! Every mistake in a policy file is found, with its place and a remedy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod common;

use common::{faults, parse};
use nsshell_config::{Error, MAX_FILE_SIZE, Policy};

#[test]
fn mistakes_are_named_with_line_column_and_remedy() {
    let cases = [
        // TOML itself
        (
            "[[rule]\n",
            "p.toml:1:8: unclosed array table, expected `]`",
        ),
        (
            "a = \n",
            "p.toml:1:5: string values must be quoted, expected literal string",
        ),
        // unknown keys, wrong types
        (
            "grace = 5\n",
            "p.toml:1:1: unknown key `grace`, expected `rule` or `profile`",
        ),
        (
            "[[rule]]\nuser = ['a']\nprofile = 'none'\n",
            "p.toml:2:1: unknown key `user`, expected one of `users`, `services`, `profile`; did \
             you mean `users`?",
        ),
        (
            "[[rule]]\nusers = 'a'\nprofile = 'none'",
            "p.toml:2:9: invalid type: string \"a\", expected a list in [ ]",
        ),
        (
            "[[rule]]\nusers = [1]\nprofile = 'none'",
            "p.toml:2:10: invalid type: integer `1`, expected a string",
        ),
        (
            "\n[[rule]]\nusers = ['a']\n",
            "p.toml:2:1: missing key `profile`",
        ),
        (
            "[rule]\nprofile = 'none'\n",
            "p.toml:1:1: invalid type: table, expected a list in [ ]",
        ),
        (
            "profile = 1",
            "p.toml:1:11: invalid type: integer `1`, expected a table",
        ),
        (
            "[profile.a]\ngrace = '5'",
            "p.toml:2:9: invalid type: string \"5\", expected a whole number",
        ),
        (
            "[profile.a]\nruntime_dir = 1",
            "p.toml:2:15: invalid type: integer `1`, expected true or false",
        ),
        (
            "[profile.a]\ngrace = 1\ngrace = 2",
            "p.toml:3:1: this is set twice",
        ),
        (
            "[profile.a]\nid_map = 'rooot'",
            "p.toml:2:10: unknown name `rooot`, expected `keep` or `root`; did you mean `root`?",
        ),
        (
            "[profile.a]\nprivate = [{ size = '5' }]",
            "p.toml:2:12: missing key `path`",
        ),
        (
            "[profile.a]\nprivate = [{ path = '/x', siez = '5' }]",
            "p.toml:2:27: unknown key `siez`, expected one of `path`, `size`, `optional`; did you \
             mean `size`?",
        ),
        // rules
        (
            "[[rule]]\nprofile = 'standrad'",
            "p.toml:2:11: there is no profile `standrad`; did you mean `standard`?",
        ),
        (
            "[[rule]]\nprofile = 'fort'",
            "p.toml:2:11: there is no profile `fort`; define it with [profile.fort]",
        ),
        (
            "[[rule]]\nusers = []\nprofile = 'none'",
            "p.toml:2:9: an empty `users` matches nobody; leave it out to match all users",
        ),
        (
            "[[rule]]\nusers = ['*']\nprofile = 'none'",
            "p.toml:2:10: `*` in `users` is no name; leave `users` out to match all users",
        ),
        (
            "[[rule]]\nusers = ['a', '@']\nprofile = 'none'",
            "p.toml:2:15: `@` in `users` is empty",
        ),
        (
            "[[rule]]\nusers = ['a\\u001b']\nprofile = 'none'"
                .replace('\'', "\"")
                .leak(),
            "p.toml:2:10: `a\\u{1b}` in `users` has a control character",
        ),
        (
            "[[rule]]\nservices = ['/etc/pam.d/su']\nprofile = 'none'",
            "p.toml:2:13: `/etc/pam.d/su` in `services` has one of * ? ! : / in it, which is no part of a name",
        ),
        (
            "[[rule]]\nusers = ['root']\nprofile = 'standard'",
            "p.toml:3:11: profile `standard` would map the host's root for the user root; choose a \
             profile without the user namespace",
        ),
        (
            "[[rule]]\nservices = ['sshd', 'systemd-user']\nprofile = 'standard'",
            "p.toml:3:11: profile `standard` has a pid namespace, which ends systemd --user; choose \
             a profile without it for the service systemd-user",
        ),
        // profiles
        (
            "[profile.none]\nnamespaces = ['mount']",
            "p.toml:2:14: profile `none` has no namespaces: root's logins and systemd-user depend \
             on it; give the profile another name and a rule",
        ),
        (
            "[profile.a]\nnamespaces = ['pid', 'ipc']\ngrace = 1",
            "p.toml:2:14: namespaces without \"mount\": the session's plan and mounts need it; add \
             \"mount\"",
        ),
        (
            "[profile.a]\nnamespaces = ['mount', 'pid', 'pid']",
            "p.toml:2:31: this namespace is listed twice",
        ),
        (
            "[profile.'a b']",
            "p.toml:1:10: profile name `a b` has a character that is not a letter, digit, _ . or -",
        ),
        (
            "[profile.'']",
            "p.toml:1:10: the name of a profile has 1 to 64 characters",
        ),
        (
            "[profile.a]\ngrace = 301",
            "p.toml:2:9: `grace` is 301 seconds, not 0 to 300",
        ),
        (
            "[profile.a]\ngrace = -1",
            "p.toml:2:9: `grace` is -1 seconds, not 0 to 300",
        ),
        (
            "[profile.a]\ntimeout = 0",
            "p.toml:2:11: `timeout` is 0 seconds, not 1 to 60",
        ),
        (
            "[profile.a]\ntimeout = 9223372036854775807",
            "p.toml:2:11: `timeout` is 9223372036854775807 seconds, not 1 to 60",
        ),
        (
            "[profile.a]\nshell = 'bash'",
            "p.toml:2:9: path `bash` is not absolute",
        ),
        (
            "[profile.a]\nshell = '/bin/../bin/sh'",
            "p.toml:2:9: path `/bin/../bin/sh` has `.` or `..` in it",
        ),
        (
            "[profile.a]\nshell = '/usr/bin/nsshell'",
            "p.toml:2:9: `/usr/bin/nsshell` is nsshell itself, which has to become a real shell",
        ),
        (
            "[profile.a]\nhostname = '{host}'",
            "p.toml:2:12: host name template `{host}`: unknown `{host}`, expected `{hostname}` or `{user}`",
        ),
        (
            "[profile.a]\nprivate = ['tmp']",
            "p.toml:2:12: path `tmp` is not absolute",
        ),
        (
            "[profile.a]\nprivate = ['/x', '/run']",
            "p.toml:2:18: `/run` cannot be private because of /run/nsshell: the session's own plan lies there",
        ),
        (
            "[profile.a]\nprivate = ['/x', '/y', { path = '/x' }]",
            "p.toml:2:33: /x is listed twice",
        ),
        (
            "[profile.a]\nprivate = ['/x/y', '/x']",
            "p.toml:2:12: /x/y does not exist in the private /x, which is empty; take one of them out",
        ),
        (
            "[profile.a]\nprivate = [{ path = '/x', size = '0' }]",
            "p.toml:2:34: size `0` would be no limit at all",
        ),
        (
            "[profile.a]\nprivate = ['/bin']",
            "p.toml:2:11: the shell /bin/bash would be hidden by the private directory /bin",
        ),
        (
            "[profile.a]\nshell = '/tmp/sh'",
            "p.toml:2:9: the shell /tmp/sh would be hidden by the private directory /tmp",
        ),
    ];
    for (text, want) in cases {
        assert_eq!(faults(text), [want], "{text}");
    }
}

#[test]
fn a_key_that_contradicts_the_namespaces_is_a_mistake() {
    let cases = [
        ("['mount']", "id_map = 'keep'", "user"),
        ("['mount']", "ranges = 'if-any'", "user"),
        ("['mount']", "require_nsshell = true", "user"),
        ("['mount']", "hostname = 'x'", "uts"),
        ("[]", "private = ['/tmp']", "mount"),
        ("[]", "runtime_dir = true", "mount"),
        ("[]", "grace = 1", "mount"),
        ("[]", "timeout = 1", "mount"),
        ("[]", "id_map = 'root'", "user"),
    ];
    for (namespaces, key, kind) in cases {
        let found = faults(&format!("[profile.a]\nnamespaces = {namespaces}\n{key}"));
        let name = key.split(' ').next().unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        let want = format!("`{name}` says nothing in profile `a`, which has no {kind} namespace; ");
        assert!(found[0].contains(&want), "{}", found[0]);
        assert!(found[0].starts_with("p.toml:3:"), "{}", found[0]);
        // the same key is right where the namespace is
        parse(&format!(
            "[profile.a]\nnamespaces = ['mount', 'user', 'uts']\n{key}"
        ));
    }
    for fine in [
        "require_nsshell = false",
        "runtime_dir = false",
        "shell = '/bin/sh'",
    ] {
        parse(&format!("[profile.a]\nnamespaces = []\n{fine}"));
    }
}

#[test]
fn all_mistakes_of_a_file_are_found_at_once_in_the_order_of_the_file() {
    let text = "[[rule]]\nprofile = 'x'\n[profile.z]\ngrace = 999\n[profile.a]\nshell = 'sh'\n";
    let error = Policy::parse(text, "p.toml").unwrap_err();
    let lines: Vec<_> = error.diagnostics().iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [2, 4, 6]);
    assert_eq!(
        error.to_string(),
        "p.toml:2:11: there is no profile `x`; define it with [profile.x] (and 2 more; see `nsctl check`)"
    );
    assert_eq!(
        format!("{error:#}"),
        "p.toml:2:11: there is no profile `x`; define it with [profile.x]\n 2 | profile = 'x'\n   |           ^^^\n\
         p.toml:4:9: `grace` is 999 seconds, not 0 to 300\n 4 | grace = 999\n   |         ^^^\n\
         p.toml:6:9: path `sh` is not absolute\n 6 | shell = 'sh'\n   |         ^^^^"
    );
}

#[test]
fn a_policy_has_limits() {
    let fits = format!("#{}", "x".repeat(MAX_FILE_SIZE - 1));
    assert!(Policy::parse(&fits, "p.toml").is_ok());
    let error = Policy::parse(&format!("{fits}x"), "p.toml").unwrap_err();
    assert_eq!(
        error,
        Error::PolicySize {
            file: "p.toml".to_owned(),
            size: MAX_FILE_SIZE + 1
        }
    );
    assert_eq!(
        error.to_string(),
        "p.toml has 1048577 bytes; a policy has at most 1048576"
    );

    let rules = |count: usize| "[[rule]]\nprofile='none'\n".repeat(count);
    let begun = std::time::Instant::now();
    assert!(Policy::parse(&rules(10_000), "p.toml").is_ok());
    assert_eq!(
        faults(&rules(10_001)),
        ["p.toml:20001:1: more than 10000 rules"]
    );
    let profiles = |count: usize| {
        (0..count)
            .map(|at| format!("[profile.p{at}]\n"))
            .collect::<String>()
    };
    assert!(Policy::parse(&profiles(1_000), "p.toml").is_ok());
    assert_eq!(
        faults(&profiles(1_001)),
        ["p.toml:1001:10: more than 1000 profiles"]
    );
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

#[test]
fn nothing_in_a_file_makes_the_reader_fall_over() {
    let deep = "[".repeat(500_000);
    let unterminated = format!("[[rule]]\nusers = [{}", "'a',".repeat(100_000));
    for text in [
        "\0",
        "\u{feff}",
        "=",
        "[profile.a",
        "'''",
        "\u{202e}x = 1",
        &deep,
        &unterminated,
    ] {
        let _ = Policy::parse(text, "p.toml").map_err(|error| format!("{error:#}"));
    }
    // every prefix of a valid text, and the text with a byte changed
    let text = include_str!("../../packaging/nsshell.toml").replace("\n#", "\n");
    for at in 0..text.len().min(4000) {
        let Some((before, after)) = text.split_at_checked(at) else {
            continue;
        };
        let _ = Policy::parse(before, "p.toml").map_err(|error| format!("{error:#}"));
        let mut chars = after.chars();
        if at % 7 == 0 && chars.next().is_some() {
            let changed = format!("{before}é{}", chars.as_str());
            let _ = Policy::parse(&changed, "p.toml").map_err(|error| format!("{error:#}"));
        }
    }
}
