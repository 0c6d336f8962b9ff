#![allow(clippy::unwrap_used, clippy::panic)]
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use nsshell_config::{
    Account, BIND_KEYS, ENTRY_KEYS, Error as Refusal, HOME_KEYS, Host, IdKind, Login, PRIVATE_KEYS,
    PROFILE_KEYS, Plan, Policy, RULE_KEYS, Range, TOP_KEYS, resolve,
};
use nsshell_tests::validate;

use super::*;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn from_toml(text: &str) -> Option<Value> {
    toml::from_str(text).ok()
}

fn complaints(text: &str) -> Vec<String> {
    validate::faults(&schema(), &from_toml(text).unwrap())
}

#[test]
fn the_packaged_schema_is_the_one_that_is_printed() {
    let file = top().join("packaging/nsshell.schema.json");
    let printed = text().unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, &printed).unwrap();
    }
    let packaged = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        packaged == printed,
        "packaging/nsshell.schema.json is not what `nsctl schema` prints"
    );
}

#[test]
fn the_schema_has_the_keys_of_the_language_and_no_other() {
    let schema = schema();
    let tables = [
        ("", TOP_KEYS),
        ("/definitions/rule", RULE_KEYS),
        ("/definitions/profile", PROFILE_KEYS),
        ("/definitions/private", PRIVATE_KEYS),
        ("/definitions/entry", ENTRY_KEYS),
        ("/definitions/bind", BIND_KEYS),
        ("/definitions/home", HOME_KEYS),
    ];
    for (table, keys) in tables {
        let table = schema.pointer(table).unwrap();
        assert_eq!(table["additionalProperties"], false);
        let properties = table["properties"].as_object().unwrap();
        let known: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
        assert_eq!(known, keys.iter().copied().collect());
        for (name, property) in properties {
            let doc = property["description"].as_str().unwrap();
            assert!(doc.len() > 10 || name == "path", "{name}: {doc}");
            assert!(!doc.ends_with('.'), "{name}: {doc}");
        }
    }
}

fn is_accepted(policy: &str) -> bool {
    match Policy::parse(policy, "p") {
        Ok(_) => true,
        Err(error) => panic!("{policy}: {error}"),
    }
}

struct Nobody;

impl Host for Nobody {
    fn groups(&self, _: &Account) -> Result<Vec<String>, Refusal> {
        Ok(vec!["staff".to_owned()])
    }
    fn primary_group(&self, _: &Account) -> Result<String, Refusal> {
        Ok("staff".to_owned())
    }
    fn ranges(&self, _: &Account, _: IdKind) -> Result<Vec<Range>, Refusal> {
        Ok(Vec::new())
    }
    fn hostname(&self) -> Result<String, Refusal> {
        Ok("mill".to_owned())
    }
}

pub(super) fn plan(policy: &str) -> Plan {
    let policy = Policy::parse(policy, "p").unwrap();
    let account = Account {
        name: "alice".to_owned(),
        uid: 1000,
        gid: 1000,
        home: "/home/alice".into(),
        shell: "/bin/sh".into(),
    };
    let login = Login {
        service: "sshd".to_owned(),
        ..Login::default()
    };
    resolve(&policy, &login, &account, &Nobody).unwrap()
}

/// A value as TOML has it.
fn as_toml(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(as_toml).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(table) => {
            let entries = table
                .iter()
                .map(|(key, value)| format!("{key} = {}", as_toml(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        plain => plain.to_string(),
    }
}

#[test]
fn a_default_changes_nothing_if_it_is_written_down() {
    let rule = "[[rule]]\nprofile = 'x'\n[profile.x]\n";
    let bare = plan(rule);
    let mut seen = 0;
    for key in PROFILE {
        if let Some(default) = key.default {
            let written = plan(&format!("{rule}{} = {}\n", key.name, as_toml(&default())));
            assert_eq!(written, bare, "{}", key.name);
            seen += 1;
        }
    }
    // all but the host name, which is the host's without the key, and four limits
    assert_eq!(seen, PROFILE.len() - 5);
    for key in TOP {
        if let Some(default) = key.default {
            let written = plan(&format!("{} = {}\n{rule}", key.name, as_toml(&default())));
            assert_eq!(written.session, bare.session, "{}", key.name);
        }
    }
    let private = |rest: &str| plan(&format!("{rule}private = [{{ path = '/srv'{rest} }}]\n"));
    for key in PRIVATE {
        if let Some(default) = key.default {
            let rest = format!(", {} = {}", key.name, as_toml(&default()));
            assert_eq!(private(&rest), private(""), "{}", key.name);
        }
    }
}

/// The paragraph of a key in nsshell.toml(5), in one line and without macros.
fn told_of(page: &str, key: &str) -> String {
    let begin = format!("\n.It Cm {key}\n");
    let (_, rest) = page.split_once(&begin).unwrap();
    let end = rest.find("\n.It Cm ").unwrap_or(rest.len());
    let lines = rest[..end]
        .lines()
        .map(|line| match line.strip_prefix('.') {
            Some(call) => call.split_once(' ').map_or("", |(_, words)| words),
            None => line,
        });
    lines.collect::<Vec<_>>().join(" ").replace("\\(dq", "\"")
}

#[test]
fn the_page_tells_the_defaults_of_the_language() {
    let page = fs::read_to_string(top().join("packaging/man/nsshell.toml.5")).unwrap();
    let mut seen = 0;
    for key in PROFILE {
        // three directories, two of them under a condition: a sentence of its own
        let Some(default) = key.default.filter(|_| key.name != "private") else {
            continue;
        };
        let want = match default() {
            Value::String(word) => word,
            Value::Array(items) if items.is_empty() => "none".to_owned(),
            other => other.to_string().replace(',', ", "),
        };
        let told = told_of(&page, key.name);
        let (_, rest) = told.split_once("default").unwrap();
        let rest = rest.trim_start_matches([':', ' ']);
        let ends = rest.strip_prefix(&want).map(|rest| rest.chars().next());
        let whole = matches!(ends, Some(Some(' ' | '.' | ':' | ',')));
        assert!(whole, "{}: not `{want}` but {rest}", key.name);
        seen += 1;
    }
    assert_eq!(seen, PROFILE.len() - 6);
}

#[test]
fn the_example_is_valid_as_installed_and_with_every_setting_taken_in() {
    let example = fs::read_to_string(top().join("packaging/nsshell.toml")).unwrap();
    assert_eq!(complaints(&example), Vec::<String>::new());
    let line = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with([' ', '#', ':']) => format!("{setting}\n"),
        _ => format!("{line}\n"),
    };
    let whole: String = example.lines().map(line).collect();
    assert!(whole.contains("\nmode = "), "{whole}");
    assert_eq!(complaints(&whole), Vec::<String>::new());
}

#[test]
fn what_the_language_takes_the_schema_takes() {
    let policies = [
        "",
        "default = 'none'\nexempt = ['@wheel', '@DOM\\admins']\n",
        "[[rule]]\nusers = ['!@staff', 'a*']\nuids = [1000, '!2000-3000', '5']\nprofile = 'none'\n",
        "[[rule]]\nttys = ['!*']\nhosts = ['192.0.2.0/24', '2001:db8::/32']\nprofile = 'standard'\n",
        "[profile.a]\nextends = 'standard'\n[profile.b]\nextends = ['a', 'standard']\n",
        "[profile.a]\nnamespaces = []\n[profile.none]\nnamespaces = []\n",
        "[profile.a]\nprivate = ['{home}/.cache', '/srv/{user}', { path = '/tmp', size = '010%', mode = '001777' }]\n",
        "[profile.a]\non_logout = 'keep'\nkeep_for = '8h'\nidle = 900\nmax_sessions = 3\nmax_lifetime = '30d'\non_policy_change = 'replace'\n",
        "[profile.a]\nhome = 'ephemeral'\nhide_homes = ['/home', { path = '/h', optional = true }]\n",
        "[profile.a]\nhome = { kind = 'ephemeral', store = '/srv/x', skeleton = '/etc/skel' }\n",
        "[profile.a]\nbinds = ['{home}/x', { source = '/a', target = '/b', options = ['ro'], recursive = false, propagation = 'private', ids = 'owner', optional = true }]\n",
        "[profile.a]\nread_only = ['/']\nmasked = ['/boot']\nunmounted = ['/mnt']\nproc = 'pids'\nhidepid = 'invisible'\ndev = 'minimal'\nsys = 'hidden'\nroot = '/srv/r'\nexpose = ['x11', '{home}/s']\ncommand = ['/bin/x', '']\npass_environment = ['COLORTERM', '_x9']\n",
        "[profile.a]\nprivate = [{ path = '/tmp', instance = '/i/{user}/{session}', contents = 'empty', skeleton = '/etc/skel', mode = '0700' }, { path = '/x', inodes = 9 }]\n",
        "profile.a.grace = 0\nprofile.b = { hostname = '{user}-{hostname}', mode = 'observe' }\n",
    ];
    for policy in policies {
        assert!(is_accepted(policy));
        assert_eq!(complaints(policy), Vec::<String>::new(), "{policy}");
    }
}

/// Wrong policies of the language's own tests that a schema can tell from right ones.
const TOLD: &[&str] = &[
    "profile-extends-twice",
    "profile-grace-fraction",
    "profile-grace-string",
    "profile-grace-too-long",
    "profile-id-map",
    "profile-max-lifetime-negative",
    "profile-max-sessions-text",
    "profile-max-sessions-zero",
    "profile-mode",
    "profile-name-blank",
    "profile-name-empty",
    "profile-namespaces-twice",
    "profile-namespaces-unknown",
    "profile-namespaces-without-mount",
    "profile-none-confined",
    "profile-none-extends",
    "profile-on-failure",
    "profile-on-logout",
    "profile-on-policy-change",
    "profile-private-misspelt",
    "profile-private-mode",
    "profile-private-mode-number",
    "profile-private-no-path",
    "profile-private-relative",
    "profile-private-size",
    "profile-ranges",
    "profile-runtime-dir-number",
    "profile-scope",
    "profile-shell-relative",
    "profile-timeout-zero",
    "profile-two-brackets",
    "profile-unknown-keys",
    "rule-key-of-profile",
    "rule-misspelt-key",
    "rule-no-profile",
    "rule-profile-empty",
    "rule-one-bracket",
    "rule-uids-name",
    "rule-uids-negative",
    "rule-uids-open-range",
    "rule-users-empty",
    "rule-users-long",
    "rule-users-number",
    "rule-users-string",
    "top-default-empty",
    "top-default-list",
    "top-exempt-glob",
    "top-exempt-user",
    "top-rules-with-s",
    "top-unknown-key",
    "top-unknown-table",
    "view-bind-no-source",
    "view-bind-option-twice",
    "view-bind-option-unknown",
    "view-bind-propagation",
    "view-bind-relative",
    "view-command-string",
    "view-pass-environment-name",
    "view-pass-environment-string",
    "view-pass-environment-twice",
    "view-expose-name",
    "view-hide-homes-string",
    "view-hide-homes-template",
    "view-hidepid-number",
    "view-hidepid-word",
    "view-home-inodes-zero",
    "view-home-number",
    "view-home-unknown-key",
    "view-home-without-kind",
    "view-home-word",
    "view-instance-contents",
    "view-instance-home",
    "view-masked-no-path",
    "view-masked-too-many",
    "view-private-inodes-negative",
    "view-sys-word",
];

#[test]
fn wrong_policies_are_told_as_far_as_a_schema_can() {
    let directory = top().join("config/tests/wrong");
    let mut passed = Vec::new();
    for name in TOLD {
        let text = fs::read_to_string(directory.join(format!("{name}.toml"))).unwrap();
        match from_toml(&text) {
            Some(value) if !validate::faults(&schema(), &value).is_empty() => {}
            Some(_) => passed.push(*name),
            None => panic!("{name} is no TOML"),
        }
    }
    assert_eq!(passed, Vec::<&str>::new());
}
