//! A policy of several files: their order as it is documented, and files that nobody may follow.

use nsshell_tests::{Builder, Host, root_or_skip};

const MAIN: &str = "/etc/nsshell/nsshell.toml";

fn grace(seconds: u32) -> String {
    format!("[profile.standard]\ngrace = {seconds}\n")
}

/// Each part sets the grace: vendor 1 and 2, main 3, drop-ins 4 and 5, the strongest last.
fn parts() -> Builder {
    Host::builder()
        .confined()
        .without_sshd()
        .user("alice")
        .file("/usr/lib/nsshell/20-b.toml", 0o644, &grace(1))
        .file("/usr/lib/nsshell/10-a.toml", 0o644, &grace(2))
        .file(MAIN, 0o644, &grace(3))
        .file("/etc/nsshell/conf.d/9.toml", 0o644, &grace(4))
        .file("/etc/nsshell/conf.d/10.toml", 0o644, &grace(5))
}

fn explained(host: &Host, key: &str) -> String {
    let told = host.run("nsctl explain alice").ok();
    let line = told.lines().find_map(|line| {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = line.strip_prefix("values ").unwrap_or(&line);
        Some(line.strip_prefix(key)?.to_owned())
    });
    line.unwrap_or_else(|| panic!("no {key} in {told}"))
}

#[test]
fn parts_are_laid_in_the_documented_order_and_explain_names_each_that_is_overridden() {
    root_or_skip!();
    let host = parts().start();
    // the order of bytes: 10 is before 9
    let all = [
        "/etc/nsshell/conf.d/10.toml:2",
        "/etc/nsshell/conf.d/9.toml:2",
        "/etc/nsshell/nsshell.toml:2",
        "/usr/lib/nsshell/10-a.toml:2",
        "/usr/lib/nsshell/20-b.toml:2",
    ];
    // the strongest is taken away, one after the other, and the next one holds
    for (at, seconds) in [5, 4, 3, 2, 1].into_iter().enumerate() {
        let mut want = format!("{seconds} {}", all[at]);
        if at + 1 < all.len() {
            want += &format!(", not {}", all[at + 1..].join(", "));
        }
        assert_eq!(explained(&host, "grace "), want);
        let told = host.run("nsctl explain alice").ok();
        assert!(
            told.contains(&format!("{seconds} s from SIGTERM")),
            "{told}"
        );
        let file = all[at].trim_end_matches(":2");
        host.run(&format!("rm {file}")).ok();
    }
    assert_eq!(explained(&host, "all keys "), "(default)");
}

#[test]
fn a_draft_is_checked_and_explained_as_what_it_will_be_among_the_files_in_force() {
    root_or_skip!();
    let rule = "[[rule]]\nusers = ['alice']\nprofile = 'dev'\n[profile.dev]\nhostname = 'dev'\n";
    let draft = "[profile.dev]\ngrace = 9\n[profile.standard]\ngrace = 8\n";
    let host = parts()
        .file("/usr/lib/nsshell/v.toml", 0o644, rule)
        .file("/root/draft.toml", 0o644, draft)
        .file(
            "/root/extends.toml",
            0o644,
            "[profile.dev]\nextends = 'nowhere'\n",
        )
        .start();
    let at = |place: &str| format!("--as {place}");
    let drop_in = at("/etc/nsshell/conf.d/30-x.toml");
    let told = host.run("nsctl check /root/draft.toml").complaint();
    let alone = "warning: this file is taken by itself, and the policy of this host has others";
    assert!(told.contains(alone), "{told}");
    let told = host.run(&format!("nsctl check /root/draft.toml {drop_in}"));
    assert!(
        told.success() && !told.complaint().contains(alone),
        "{told}"
    );
    let told = host
        .run(&format!("nsctl check /root/extends.toml {drop_in}"))
        .fails();
    assert!(
        told.contains("/root/extends.toml:2:11: there is no profile `nowhere`"),
        "{told}"
    );

    // of `standard`, 10.toml and 9.toml: between them it overrides the second one alone
    let explain = |place: &str, key: &str| {
        let line = format!(
            "nsctl explain alice --config /root/draft.toml {}",
            at(place)
        );
        let told = host.run(&line).ok();
        let line = told.lines().find(|line| line.contains(key));
        let line = line.unwrap_or_else(|| panic!("no {key} in {told}"));
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let place = "/etc/nsshell/conf.d/11.toml";
    assert_eq!(explain(place, "draft.toml:2"), "grace 9 /root/draft.toml:2");
    assert_eq!(explain(place, "result"), "result confined by profile dev");
    let diff = |place: &str| {
        host.run(&format!(
            "nsctl explain --diff /root/draft.toml {}",
            at(place)
        ))
        .ok()
    };
    // in place of the rule, there is none for alice but everybody's, whose grace 10.toml sets
    let vendor = diff("/usr/lib/nsshell/v.toml");
    assert!(
        vendor.contains("1 account: alice\n    profile dev -> standard\n"),
        "{vendor}"
    );
    assert!(vendor.contains("    host name dev -> none\n"), "{vendor}");
    let stronger = diff("/etc/nsshell/conf.d/00.toml");
    assert!(
        stronger.contains("1 account: alice\n    grace 5 -> 9\n"),
        "{stronger}"
    );
    let nowhere = host
        .run("nsctl check /root/draft.toml --as /root/draft.toml")
        .fails();
    assert!(
        nowhere.contains("no file of the policy can be at /root/draft.toml"),
        "{nowhere}"
    );
    // what will be replaced may be anything
    host.run("echo '=' > /etc/nsshell/conf.d/30-x.toml; chmod 666 /etc/nsshell/conf.d/30-x.toml")
        .ok();
    host.run(&format!("nsctl check /root/draft.toml {drop_in}"))
        .ok();
    host.run("nsctl check").fails();
}

#[test]
fn what_two_parts_set_at_the_top_is_told_by_check_and_explain() {
    root_or_skip!();
    let main = "default = 'standard'\nexempt = ['@staff']\n";
    let host = Host::builder()
        .confined()
        .without_sshd()
        .user("alice")
        .file(MAIN, 0o644, main)
        .file("/etc/nsshell/conf.d/a.toml", 0o644, "default = 'none'\n")
        .file(
            "/etc/nsshell/conf.d/b.toml",
            0o644,
            "default = 'standard'\n",
        )
        .start();
    let told = host.run("nsctl check");
    assert!(told.success(), "{told}");
    let warning =
        "conf.d/b.toml:1:11: warning: `default` is set in another file as well, which holds";
    assert!(told.complaint().contains(warning), "{told}");
    let default = "'none' /etc/nsshell/conf.d/a.toml:1, not /etc/nsshell/conf.d/b.toml:1, \
                   /etc/nsshell/nsshell.toml:1";
    assert_eq!(explained(&host, "policy default "), default);
    assert_eq!(
        explained(&host, "exempt "),
        "['@staff'] /etc/nsshell/nsshell.toml:2"
    );
    assert_eq!(explained(&host, "result "), "left as it is");
}

#[test]
fn rules_of_a_stronger_part_come_first() {
    root_or_skip!();
    let rule = |profile: &str| {
        format!(
            "[[rule]]\nusers = ['alice']\nprofile = '{profile}'\n[profile.{profile}]\n\
                 extends = 'standard'\nhostname = '{profile}'\n"
        )
    };
    let host = Host::builder()
        .confined()
        .without_sshd()
        .user("alice")
        .file("/usr/lib/nsshell/v.toml", 0o644, &rule("vendor"))
        .file(MAIN, 0o644, &rule("main"))
        .file("/etc/nsshell/conf.d/b.toml", 0o644, &rule("second"))
        .file("/etc/nsshell/conf.d/a.toml", 0o644, &rule("first"))
        .start();
    let hostname = || host.run("su alice -c hostname").ok();
    for (name, file) in [
        ("first", "/etc/nsshell/conf.d/a.toml"),
        ("second", "/etc/nsshell/conf.d/b.toml"),
        ("main", MAIN),
        ("vendor", "/usr/lib/nsshell/v.toml"),
    ] {
        assert_eq!(hostname(), name);
        host.run(&format!("rm {file}")).ok();
    }
    assert_eq!(hostname(), host.run("hostname").ok());
}

#[test]
fn what_editors_and_package_managers_leave_beside_the_parts_does_not_count() {
    root_or_skip!();
    let host = parts().start();
    let before = host.run("nsctl explain alice").ok();
    for name in [
        ".1.toml.swp",
        ".1.toml",
        "1.toml~",
        "1.toml.dpkg-new",
        "1.tom",
        "1.TOML",
        "toml",
    ] {
        for directory in ["/etc/nsshell/conf.d", "/usr/lib/nsshell"] {
            host.run(&format!("echo 'no policy' > {directory}/{name}"))
                .ok();
        }
    }
    assert_eq!(host.run("nsctl explain alice").ok(), before);
    host.run("su alice -c true").ok();
    host.run("echo 'no policy' > /usr/lib/nsshell/1.toml").ok();
    let told = host.run("nsctl check").fails();
    assert!(told.contains("/usr/lib/nsshell/1.toml:1:"), "{told}");
    host.run("su alice -c true").fails();
}

#[test]
fn a_part_that_nobody_may_follow_is_an_error_with_its_path_and_a_remedy() {
    root_or_skip!();
    let host = parts().start();
    let conf_d = "/etc/nsshell/conf.d";
    let cases = [
        (
            "chown alice /etc/nsshell/conf.d/9.toml",
            "/etc/nsshell/conf.d/9.toml belongs to uid 1000; only root may be able to change",
            "chown root /etc/nsshell/conf.d/9.toml",
        ),
        (
            "chmod g+w /usr/lib/nsshell/20-b.toml",
            "/usr/lib/nsshell/20-b.toml can be written by others (mode 0664); only root",
            "chmod g-w /usr/lib/nsshell/20-b.toml",
        ),
        (
            "chmod o+w /etc/nsshell/conf.d",
            "/etc/nsshell/conf.d can be written by others (mode 0757)",
            "chmod o-w /etc/nsshell/conf.d",
        ),
        (
            "chown alice /usr/lib/nsshell",
            "/usr/lib/nsshell belongs to uid 1000",
            "chown root /usr/lib/nsshell",
        ),
        (
            "ln -s /nowhere /etc/nsshell/conf.d/x.toml",
            "cannot read the policy /etc/nsshell/conf.d/x.toml: No such file",
            "rm /etc/nsshell/conf.d/x.toml",
        ),
        (
            "mkdir /etc/nsshell/conf.d/x.toml",
            "/etc/nsshell/conf.d/x.toml is not a regular file",
            "rmdir /etc/nsshell/conf.d/x.toml",
        ),
        (
            "head -c 5000000 /dev/zero | tr '\\0' '#' > /etc/nsshell/conf.d/x.toml",
            "/etc/nsshell/conf.d/x.toml has 5000000 bytes; a policy has at most",
            "rm /etc/nsshell/conf.d/x.toml",
        ),
        (
            "printf 'x = \"\\377\"\\n' > /etc/nsshell/conf.d/x.toml",
            "cannot read the policy /etc/nsshell/conf.d/x.toml: ",
            "rm /etc/nsshell/conf.d/x.toml",
        ),
        (
            "for i in $(seq 2000); do : > /etc/nsshell/conf.d/x$i.toml; done",
            "/etc/nsshell/conf.d",
            "rm /etc/nsshell/conf.d/x*.toml",
        ),
        (
            "mv /etc/nsshell/conf.d /etc/nsshell/conf.d.old; : > /etc/nsshell/conf.d",
            "cannot read the policy /etc/nsshell/conf.d: Not a directory",
            "rm /etc/nsshell/conf.d; mv /etc/nsshell/conf.d.old /etc/nsshell/conf.d",
        ),
    ];
    assert!(host.run("nsctl check").success(), "{conf_d}");
    for (cause, reason, mend) in cases {
        host.run(cause).ok();
        for command in ["nsctl check", "nsctl explain alice"] {
            let output = host.run(command);
            assert_eq!(output.code(), Some(1), "{cause}: {output}");
            assert!(output.complaint().contains(reason), "{cause}: {output}");
        }
        host.run("su alice -c true").fails();
        host.run(mend).ok();
        host.run("su alice -c true").ok();
    }
}

#[test]
fn who_may_not_read_the_policy_is_told_so_and_root_still_can() {
    root_or_skip!();
    let host = parts().start();
    let explain = || host.cmd("nsctl explain alice").user("alice").output();
    explain().ok();
    host.run("chmod 600 /etc/nsshell/conf.d/9.toml").ok();
    let told = explain().fails();
    assert!(
        told.contains("/etc/nsshell/conf.d/9.toml: Permission denied; it must be readable by"),
        "{told}"
    );
    assert_eq!(told.lines().count(), 1, "{told}");
    host.run("nsctl explain alice").ok();
    host.run("su alice -c true").ok();
}
