//! Which login gets which profile.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::type_complexity
)]
use crate::common::{Table, account, login, parse, plan_of};
use nsshell_config::{Error, Layer, LoginPolicy, Policy, PolicyFile, resolve};

/// Profile and line of the plan.
fn chosen(
    text: &str,
    name: &str,
    uid: u32,
    service: &str,
    groups: &[&'static str],
) -> (String, usize) {
    let host = Table {
        groups: groups.to_vec(),
        ..Table::default()
    };
    let plan = resolve(&parse(text), &login(service), &account(name, uid), &host).unwrap();
    (plan.profile, plan.matched.line)
}

#[test]
fn the_built_in_policy_confines_every_person_and_no_service() {
    let policy = Policy::builtin();
    let cases = [
        ("alice", 1000, "sshd", "standard"),
        ("alice", 1000, "login", "standard"),
        ("alice", 1000, "", "standard"),
        ("nobody", 65534, "su", "none"),
        ("www-data", 33, "cron", "none"),
        ("first", 999, "su", "none"),
        ("last", 4_294_967_294, "su", "standard"),
        ("root", 0, "sshd", "none"),
        ("root", 0, "systemd-user", "none"),
        ("toor", 0, "sshd", "none"),
        ("www-data", 33, "systemd-user", "none"),
    ];
    for (name, uid, service, profile) in cases {
        let plan = resolve(
            &policy,
            &login(service),
            &account(name, uid),
            &Table::default(),
        )
        .unwrap();
        assert_eq!(plan.profile, profile, "{name} {service}");
        assert_eq!(
            plan.session.is_some(),
            profile == "standard",
            "{name} {service}"
        );
        assert_eq!(plan.matched.file, "built-in policy");
    }
}

#[test]
fn the_account_of_a_service_is_meant_only_by_a_rule_that_names_it_or_its_group() {
    let text = r#"
        [[rule]]
        users = ["postgres", "@batch"]
        profile = "standard"
        [[rule]]
        services = ["cron"]
        profile = "standard"
    "#;
    let profile = |name, groups: &[&'static str]| chosen(text, name, 33, "cron", groups).0;
    assert_eq!(profile("www-data", &[]), "none");
    assert_eq!(profile("postgres", &[]), "standard");
    assert_eq!(profile("backup", &["batch"]), "standard");
}

#[test]
fn the_first_rule_that_matches_holds_and_the_file_comes_before_the_built_in_policy() {
    let text = r#"
        [[rule]]
        users = ["alice"]
        services = ["sshd", "login"]
        profile = "a"
        [[rule]]
        users = ["bob", "@staff"]
        profile = "b"
        [[rule]]
        services = ["su"]
        profile = "c"
        [profile.a]
        [profile.b]
        [profile.c]
    "#;
    let cases: [(&str, &str, &[&'static str], (&str, usize)); 9] = [
        ("alice", "sshd", &[], ("a", 2)),
        ("alice", "SSHD", &[], ("a", 2)),
        ("alice", "login", &["staff"], ("a", 2)),
        ("alice", "cron", &["staff"], ("b", 6)),
        ("alice", "su", &[], ("c", 9)),
        ("bob", "su", &[], ("b", 6)),
        ("carol", "sshd", &["users", "staff"], ("b", 6)),
        (
            "staff",
            "sshd",
            &["Staff", "staffer", "sta"],
            ("standard", 16),
        ),
        ("@staff", "sshd", &[], ("standard", 16)),
    ];
    for (name, service, groups, (profile, line)) in cases {
        let got = chosen(text, name, 1000, service, groups);
        assert_eq!(
            got,
            (profile.to_owned(), line),
            "{name} {service} {groups:?}"
        );
    }
    let plan = plan_of(text, "bob", 1001, "sshd");
    assert_eq!(plan.matched.file, "p.toml");
    assert_eq!(
        plan_of(text, "x", 1002, "sshd").matched.file,
        "built-in policy"
    );
}

#[test]
fn root_is_matched_only_by_a_rule_that_names_the_account() {
    let profile = "[profile.jail]\nnamespaces = [\"mount\"]\n";
    let rule = |users: &str| format!("[[rule]]\nprofile = \"jail\"\n{users}\n{profile}");
    let cases = [
        ("root", "", "none"),
        ("root", "users = [\"@root\", \"@wheel\"]", "none"),
        ("root", "users = [\"alice\", \"@root\", \"root\"]", "jail"),
        ("root", "users = [\"toor\"]", "none"),
        ("toor", "users = [\"root\"]", "none"),
        ("toor", "users = [\"toor\"]", "jail"),
        ("root", "services = [\"sshd\"]", "none"),
        ("root", "users = [\"root\"]\nservices = [\"su\"]", "none"),
        ("root", "users = [\"root\"]\nservices = [\"sshd\"]", "jail"),
    ];
    for (name, users, want) in cases {
        let (got, _) = chosen(&rule(users), name, 0, "sshd", &["root", "wheel"]);
        assert_eq!(got, want, "{name} {users}");
    }
}

#[test]
fn systemd_user_is_matched_only_by_a_rule_that_names_it() {
    let profile = "[profile.jail]\nnamespaces = [\"mount\"]\n";
    // Where nobody else is confined, the manager of whom no rule names is left alone.
    let rule =
        |what: &str| format!("default = \"none\"\n[[rule]]\nprofile = \"jail\"\n{what}\n{profile}");
    let cases = [
        ("bob", 1001, "users = [\"alice\"]", "none"),
        (
            "alice",
            1000,
            "services = [\"sshd\", \"systemd-user\"]",
            "jail",
        ),
        (
            "alice",
            1000,
            "users = [\"alice\"]\nservices = [\"systemd-user\"]",
            "jail",
        ),
        ("root", 0, "services = [\"systemd-user\"]", "none"),
        (
            "root",
            0,
            "users = [\"root\"]\nservices = [\"systemd-user\"]",
            "jail",
        ),
    ];
    for (name, uid, what, want) in cases {
        assert_eq!(
            chosen(&rule(what), name, uid, "systemd-user", &[]).0,
            want,
            "{name} {what}"
        );
        assert_eq!(
            chosen(&rule(what), name, uid, "Systemd-User", &[]).0,
            want,
            "{name} {what}"
        );
    }
}

#[test]
fn groups_are_asked_for_once_and_only_if_a_rule_depends_on_them() {
    let text = "[[rule]]\nusers = ['alice', '@a']\nprofile = 'none'\n\
                [[rule]]\nusers = ['@b', '@c']\nservices = ['sshd']\nprofile = 'none'\n";
    let policy = parse(text);
    assert!(policy.mentions_groups());
    assert!(!Policy::builtin().mentions_groups());
    assert!(!parse("[[rule]]\nusers = ['a@b']\nprofile = 'none'").mentions_groups());
    let cases = [("alice", 1000, 0), ("bob", 1001, 1), ("root", 0, 0)];
    for (name, uid, want) in cases {
        let host = Table::default();
        resolve(&policy, &login("sshd"), &account(name, uid), &host).unwrap();
        assert_eq!(host.asked_groups.get(), want, "{name}");
    }
}

#[test]
fn a_user_database_that_does_not_answer_refuses_whom_a_group_rule_may_be_about() {
    let policy = parse("[[rule]]\nusers = ['alice', '@a']\nprofile = 'none'");
    let host = Table {
        down: true,
        ..Table::default()
    };
    assert!(resolve(&policy, &login("sshd"), &account("alice", 1000), &host).is_ok());
    assert!(resolve(&policy, &login("sshd"), &account("root", 0), &host).is_ok());
    let refused = resolve(&policy, &login("sshd"), &account("bob", 1001), &host).unwrap_err();
    assert!(matches!(refused, Error::Host { errno: Some(5), .. }));
    assert_eq!(refused.to_string(), "ask the host: Input/output error");
}

#[test]
fn a_user_database_that_does_not_answer_is_asked_once_while_the_policy_is_read_for_a_login() {
    let text = "[[rule]]\nusers = ['x', '@a']\nprofile = 'none'\n".repeat(5)
        + "[[rule]]\nusers = ['bob']\nprofile = 'none'\n";
    let file = PolicyFile {
        name: "p".to_owned(),
        text,
        layer: Layer::Main,
    };
    let host = Table {
        down: true,
        ..Table::default()
    };
    let (login, bob) = (login("sshd"), account("bob", 1001));
    let policy = LoginPolicy::from_files(vec![file], &login, &bob, &host, 0).unwrap();
    assert_eq!(host.asked_groups.get(), 1);
    let refused = policy.resolve().unwrap_err();
    assert_eq!(refused.to_string(), "ask the host: Input/output error");
    assert_eq!(policy.spared(), None);
}
