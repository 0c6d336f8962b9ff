//! Templates for every user name: that of a path never leaves its directory, that of a host name
//! is always one. The dice fall alike in each run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
use std::collections::HashMap;
use std::path::Path;

use crate::common::dice::{Dice, Groups};
use crate::common::{account, login};
use nsshell_config::{Mount, Policy, resolve};

/// Every byte, what means something to paths and terminals, every length up to too long, and
/// some by dice. A name that is no UTF-8 is no account: the helper refuses it.
fn names() -> Vec<String> {
    let mut names: Vec<String> = (0..=255u8)
        .map(|byte| char::from(byte).to_string())
        .collect();
    let special = [
        "",
        "..",
        "../..",
        "/",
        "//",
        "/etc",
        "../../etc/passwd",
        "a/../..",
        "a/b",
        "%2f",
        "%2e%2e",
        "\n",
        "a\nb",
        "a\0b",
        "{user}",
        "{home}",
        "-rf",
        "a b",
        " ",
        "\u{202e}x",
        "e\u{301}",
        "…",
        "~",
        "$HOME",
        "a\\b",
        "...",
        ".a",
        "a.",
        "\u{85}",
        "\u{7f}",
    ];
    names.extend(special.map(str::to_owned));
    names.extend(
        [63, 64, 65, 84, 85, 86, 250, 254, 255, 256, 4096].map(|length| "a".repeat(length)),
    );
    names.extend([84, 85, 86, 255].map(|length| "/".repeat(length)));
    let dice = Dice::new();
    let parts = [
        "/", "..", ".", "%", "a", "\n", "2f", "\0", "é", "%2e", "{", "}", " ",
    ];
    names.extend((0..2_000).map(|_| (0..dice.below(6)).map(|_| dice.of(&parts)).collect()));
    names.sort();
    names.dedup();
    names
}

fn target(policy: &Policy, name: &str, host: &Groups) -> Option<String> {
    let mut who = account(name, 1000);
    who.home = "/home/x".into();
    let plan = resolve(policy, &login("sshd"), &who, host).ok()?;
    let mounts = plan.session.unwrap().mounts;
    let mut targets = mounts.into_iter().filter_map(|mount| match mount {
        Mount::Tmpfs { target: path, .. }
        | Mount::Instance { instance: path, .. }
        | Mount::Expose { path }
        | Mount::Bind { source: path, .. } => Some(path.to_str().unwrap().to_owned()),
        _ => None,
    });
    let target = targets.next();
    assert_eq!(targets.next(), None);
    target
}

/// A policy with a template in one key.
fn policy(key: &str) -> Policy {
    let rule = "[[rule]]\nusers = [\"*\", \"root\", \"\\u002a\"]\nprofile = \"p\"\n";
    let bare = "[profile.q]\nnamespaces = [\"mount\"]\nprivate = []\nruntime_dir = false\n";
    crate::common::parse(&format!(
        "{rule}{bare}[profile.p]\nextends = \"q\"\n{key}\n"
    ))
}

#[test]
fn a_template_never_leaves_its_directory_for_any_user_name() {
    // template, its parts before and after the values, and whether two users may share a path
    let templates = [
        ("/srv/{user}", "/srv/", "", false),
        ("/srv/x-{user}", "/srv/x-", "", false),
        ("/srv/.{user}", "/srv/.", "", false),
        ("/srv/{user}.d", "/srv/", ".d", false),
        ("/srv/{user}/tmp", "/srv/", "/tmp", false),
        ("/srv/{user}{group}", "/srv/", "", true),
        ("/srv/{group}-{user}/a", "/srv/", "/a", true),
        ("{home}/{user}", "/home/x/", "", false),
    ];
    for (template, before, after, shared) in templates {
        let private = format!("private = [{{ path = \"{template}\", optional = true }}]");
        stays_inside(&private, before, after, shared);
        stays_inside(&format!("expose = [\"{template}\"]"), before, after, shared);
        stays_inside(&format!("binds = [\"{template}\"]"), before, after, shared);
        // of an instance this is an error
        if !template.contains("{home}") && !shared {
            let instance = format!("private = [{{ path = \"/opt\", instance = \"{template}\" }}]");
            stays_inside(&instance, before, after, shared);
        }
    }
    let instance =
        |template| format!("private = [{{ path = \"/opt\", instance = \"/srv/{template}\" }}]");
    stays_inside(&instance("{user}/{session}"), "/srv/", "/{session}", false);
}

/// For every user name the one path in the plan lies between these two, and means one user.
fn stays_inside(template: &str, before: &str, after: &str, shared: bool) {
    let names = names();
    assert!(names.len() > 1_000, "{}", names.len());
    {
        let policy = policy(template);
        let mut seen: HashMap<String, &str> = HashMap::new();
        for primary in ["users", "", ".", "../..", "/"] {
            let host = Groups {
                primary: primary.to_owned(),
                ..Groups::default()
            };
            seen.clear();
            for name in &names {
                let Some(target) = target(&policy, name, &host) else {
                    continue;
                };
                let inside = target
                    .strip_prefix(before)
                    .and_then(|rest| rest.strip_suffix(after));
                let inside = inside.unwrap_or_else(|| panic!("{template} {name:?} {target:?}"));
                assert!(
                    !inside.contains(['/', '\0', '\n']),
                    "{template} {name:?} {target:?}"
                );
                assert!(
                    !target.contains(char::is_control),
                    "{template} {name:?} {target:?}"
                );
                let parts = target.split('/').skip(1);
                for part in parts.clone() {
                    assert!(
                        !matches!(part, "" | "." | ".."),
                        "{template} {name:?} {target:?}"
                    );
                    assert!(part.len() <= 255, "{template} {name:?} {target:?}");
                }
                // as the kernel will take it apart
                assert_eq!(Path::new(&target).components().count(), parts.count() + 1);
                let other = seen.insert(target.clone(), name);
                assert!(
                    shared || other.is_none(),
                    "{template}: {name:?} and {other:?}: {target:?}"
                );
            }
            assert!(seen.len() > names.len() / 3, "{template}: {}", seen.len());
        }
    }
}

#[test]
fn a_host_name_is_one_for_any_user_name() {
    let text = "[[rule]]\nusers = [\"*\"]\nprofile = \"p\"\n[profile.p]\n\
                namespaces = [\"mount\", \"uts\"]\nhostname = \"{user}\"\nprivate = []\n";
    let policy = crate::common::parse(text);
    for name in names() {
        let plan = resolve(
            &policy,
            &login("sshd"),
            &account(&name, 1000),
            &Groups::default(),
        );
        match plan {
            Ok(plan) => {
                let inside = plan.session.unwrap().hostname.unwrap();
                let is_part = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
                assert!((1..=64).contains(&inside.len()), "{name:?} {inside:?}");
                assert!(inside.bytes().all(is_part), "{name:?} {inside:?}");
            }
            Err(error) => {
                let refused = name.is_empty() || name.chars().count() > 64;
                assert!(refused, "{name:?}: {error}");
            }
        }
    }
}
