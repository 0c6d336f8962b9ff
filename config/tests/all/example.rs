//! The example policy that is installed says the truth about the defaults.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use crate::common::{Table, account, login, parse};
use nsshell_config::{PRIVATE_KEYS, PROFILE_KEYS, Plan, Policy, RULE_KEYS, resolve};

const EXAMPLE: &str = include_str!("../../../packaging/nsshell.toml");

/// The example with all settings taken in: `#key` is a setting, `# text` is prose,
/// `#:schema` is for editors.
fn uncommented() -> String {
    let line = |line: &'static str| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with([' ', '#', ':']) => setting,
        _ => line,
    };
    EXAMPLE.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn plans(policy: &Policy) -> Vec<Plan> {
    let host = Table {
        uids: vec![(100_000, 9)],
        gids: vec![(100_000, 9)],
        ..Table::default()
    };
    [
        ("alice", 1000, "sshd"),
        ("root", 0, "su"),
        ("root", 0, "systemd-user"),
    ]
    .map(|(name, uid, service)| {
        let mut plan = resolve(policy, &login(service), &account(name, uid), &host).unwrap();
        plan.matched.line = 0;
        plan.matched.file.clear();
        plan
    })
    .into()
}

#[test]
fn the_example_as_installed_changes_nothing() {
    let policy = parse(EXAMPLE);
    assert_eq!(plans(&policy), plans(&Policy::builtin()));
}

#[test]
fn the_example_with_every_setting_taken_in_is_valid_and_gives_the_defaults() {
    let mut got = plans(&parse(&uncommented()));
    // the only key without a default: the example sets the host's own name
    let hostname = got[0].session.as_mut().unwrap().hostname.take();
    assert_eq!(hostname.as_deref(), Some("mill"));
    assert_eq!(got, plans(&Policy::builtin()));
}

#[test]
fn the_example_shows_every_key() {
    let text = uncommented();
    for key in RULE_KEYS
        .iter()
        .chain(PROFILE_KEYS)
        .chain(&["default", "exempt"])
    {
        assert!(
            text.lines()
                .any(|line| line.starts_with(&format!("{key} = "))),
            "{key}"
        );
    }
    for key in PRIVATE_KEYS {
        assert!(
            text.contains(&format!("`{key}`")) || text.contains(&format!("{{ {key} = ")),
            "{key}"
        );
    }
}
