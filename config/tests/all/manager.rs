//! Whose systemd manager may run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use crate::common::{Table, account, login, parse};
use nsshell_config::{Error, Everybody, Policy, resolve, spared};

const JAIL: &str = "[profile.jail]\nnamespaces = ['mount']\n\
                    [profile.open]\nruntime_dir = false\n[profile.watched]\nmode = 'observe'\n";

/// Whether the manager of alice (uid 1000, group staff) runs, and by which profile.
fn runs(text: &str) -> Option<String> {
    of(&parse(&format!("{text}\n{JAIL}")), "alice", 1000)
}

fn of(policy: &Policy, name: &str, uid: u32) -> Option<String> {
    let (who, login) = (account(name, uid), login("systemd-user"));
    let host = Table {
        groups: vec!["staff"],
        ..Table::default()
    };
    let answer = resolve(policy, &login, &who, &host);
    let sorted = Everybody::new(policy).resolve(&login, &who, &host);
    assert_eq!(answer, sorted);
    match answer {
        Ok(plan) => Some(plan.profile),
        Err(Error::UserManager { .. }) => None,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn g9_a_manager_is_refused_to_whom_any_login_may_be_confined() {
    for text in [
        "",
        "default = 'jail'",
        "default = 'none'\n[[rule]]\nusers = ['alice']\nprofile = 'jail'",
        "default = 'none'\n[[rule]]\nusers = ['@staff']\nprofile = 'jail'",
        "default = 'none'\n[[rule]]\nuids = ['1000']\nservices = ['su']\nprofile = 'jail'",
        "default = 'none'\n[[rule]]\nhosts = ['192.0.2.0/24']\nprofile = 'jail'",
        "default = 'none'\n[[rule]]\nttys = ['tty*']\nprofile = 'jail'",
        // an earlier rule that some of the logins pass by
        "[[rule]]\nservices = ['sshd']\nprofile = 'none'",
        "[[rule]]\nusers = ['alice']\nhosts = ['!*']\nprofile = 'none'",
        // a rule for managers that is about somebody else
        "[[rule]]\nusers = ['bob']\nservices = ['systemd-user']\nprofile = 'none'",
        "[[rule]]\nservices = ['systemd-user', 'su']\nusers = ['!alice']\nprofile = 'none'",
    ] {
        assert_eq!(runs(text), None, "{text}");
    }
}

#[test]
fn a_manager_runs_where_no_login_of_its_user_is_kept_from_it() {
    for (text, profile) in [
        ("default = 'none'", "none"),
        (
            "default = 'none'\n[[rule]]\nusers = ['bob']\nprofile = 'jail'",
            "none",
        ),
        ("[[rule]]\nusers = ['alice']\nprofile = 'none'", "none"),
        ("[[rule]]\nusers = ['@staff']\nprofile = 'none'", "none"),
        // these leave the user's manager in sight
        ("default = 'open'", "none"),
        ("default = 'watched'", "none"),
        // named: the administrator's word
        (
            "[[rule]]\nservices = ['systemd-user']\nprofile = 'none'",
            "none",
        ),
        (
            "[[rule]]\nservices = ['systemd-user']\nprofile = 'jail'",
            "jail",
        ),
        // a rule for managers only says nothing about logins
        (
            "default = 'none'\n[[rule]]\nservices = ['systemd-user']\nusers = ['bob']\nprofile = 'jail'",
            "none",
        ),
    ] {
        assert_eq!(runs(text).as_deref(), Some(profile), "{text}");
    }
}

#[test]
fn root_s_manager_and_a_service_s_run_unless_a_rule_confines_them_by_name() {
    let policy = parse(&format!(
        "[[rule]]\nusers = ['root']\nprofile = 'jail'\n{JAIL}"
    ));
    assert_eq!(of(&policy, "root", 0), None);
    assert_eq!(of(&policy, "www-data", 33).as_deref(), Some("none"));
    assert_eq!(of(&Policy::builtin(), "root", 0).as_deref(), Some("none"));
}

#[test]
fn the_refusal_names_the_rule_and_the_way_to_allow_it_and_spares_nobody() {
    let text = format!(
        "exempt = ['@staff']\n[[rule]]\nusers = ['alice']\nprofile = 'soft'\n\
         [profile.soft]\non_failure = 'unconfined'\n{JAIL}"
    );
    let policy = parse(&text);
    let (who, login) = (account("alice", 1000), login("systemd-user"));
    let host = Table {
        groups: vec!["staff"],
        ..Table::default()
    };
    let refused = resolve(&policy, &login, &who, &host).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the systemd manager of user `alice` would run programs outside of the sessions that \
         profile `soft` (p.toml, line 2) gives; to let it, add a rule for the service \
         \"systemd-user\" with profile \"none\""
    );
    assert_eq!(spared(&policy, &login, &who, &host), None);
}

#[test]
fn a_user_database_that_does_not_answer_lets_no_manager_run() {
    let policy = parse("default = 'none'\n[[rule]]\nusers = ['@staff']\nprofile = 'standard'");
    let host = Table {
        down: true,
        ..Table::default()
    };
    let asked = resolve(
        &policy,
        &login("systemd-user"),
        &account("alice", 1000),
        &host,
    );
    assert!(matches!(asked, Err(Error::Host { .. })), "{asked:?}");
}
