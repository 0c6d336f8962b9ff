//! The schema of what is printed with --json: `packaging/nsctl.schema.json`. The modules of the
//! verbs and the end-to-end tests hold what they print to it; here is what they have in common.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;

use clap::CommandFactory;
use nsshell_tests::validate;
use serde_json::{Value, json};

use super::tests::plan;

/// Every key that a session's view and life can have.
const POLICIES: [&str; 3] = [
    "[[rule]]\nprofile = 'x'\n[profile.x]\nextends = 'standard'\nhostname = 'box'\n\
     on_logout = 'keep'\nkeep_for = '8h'\nidle = 900\nmax_sessions = 3\nmax_lifetime = '30d'\n\
     private = [{ path = '/tmp', size = '1m', inodes = 9 }, { path = '/var/tmp', \
     instance = '/srv/i/{user}', skeleton = '/etc/skel', mode = '0700' }]\n\
     binds = [{ source = '/srv/a', target = '/b', options = ['ro'], ids = 'owner' }]\n\
     home = { kind = 'ephemeral', skeleton = '/etc/skel', size = '1m', inodes = 9 }\n\
     hide_homes = ['/home']\nread_only = ['/usr']\nmasked = ['/boot']\nunmounted = ['/mnt']\n\
     proc = 'pids'\nhidepid = 'invisible'\ndev = 'minimal'\nsys = 'hidden'\nexpose = ['x11']\n\
     command = ['/bin/x', '-y']\npass_environment = ['COLORTERM']\n",
    "[[rule]]\nprofile = 'x'\n[profile.x]\nextends = 'standard'\nroot = '/srv/r'\n\
     home = { kind = 'ephemeral', store = '/srv/x' }\n",
    "[[rule]]\nprofile = 'none'\n",
];

#[test]
fn every_verb_that_prints_json_has_a_definition_of_its_name() {
    let schema = validate::outputs();
    let has = |name: &str| schema["definitions"][name].is_object();
    let mut verbs = Vec::new();
    for verb in crate::cli::Cli::command().get_subcommands() {
        if verb.get_arguments().any(|one| one.get_id() == "json") {
            assert!(has(verb.get_name()), "{}", verb.get_name());
            verbs.push(verb.get_name().to_owned());
        }
    }
    assert_eq!(verbs, ["check", "explain", "ls", "show", "tree", "ranges"]);
    // and one that is an option of another
    assert!(has("diff"));
}

#[test]
fn a_plan_is_as_the_schema_has_it_with_every_kind_of_mount() {
    let schema = validate::outputs();
    let mut kinds = BTreeSet::new();
    for policy in POLICIES {
        let plan = serde_json::to_value(plan(policy)).unwrap();
        let faults = validate::faults_as("plan", &schema, &plan);
        assert!(faults.is_empty(), "{faults:#?}: {plan:#}");
        let mounts = plan.pointer("/session/mounts").and_then(Value::as_array);
        for mount in mounts.into_iter().flatten() {
            kinds.insert(mount["type"].as_str().unwrap().to_owned());
        }
    }
    let known = schema.pointer("/definitions/mount/anyOf").unwrap();
    let name = |one: &Value| one.pointer("/properties/type/const").cloned().unwrap();
    let known = known.as_array().unwrap().iter().map(name);
    let known: BTreeSet<_> = known
        .map(|name| name.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, known);
}

#[test]
fn a_key_that_is_taken_from_a_plan_or_put_into_it_is_a_fault() {
    let schema = validate::outputs();
    let mut unnoticed = BTreeSet::new();
    for policy in POLICIES {
        let plan = serde_json::to_value(plan(policy)).unwrap();
        unnoticed.extend(validate::unnoticed("plan", &schema, &plan));
    }
    // what a plan has only if the policy says so
    let optional = [
        "-/command",
        "-/pass_environment",
        "life/idle",
        "life/keep_for",
        "life/max_lifetime",
        "life/max_sessions",
        "mounts/ids",
        "mounts/inodes",
        "mounts/mode",
        "mounts/size",
        "mounts/skeleton",
        "session/hostname",
        "session/id_maps",
        "session/root",
        "upper/inodes",
        "upper/size",
    ];
    assert_eq!(unnoticed, optional.map(str::to_owned).into());
}

#[test]
fn a_value_of_another_type_is_a_fault() {
    let schema = validate::outputs();
    let whole = serde_json::to_value(plan(POLICIES[0])).unwrap();
    for (place, other) in [
        ("/account/uid", json!("1000")),
        ("/account/uid", json!(-1)),
        ("/login/tty", json!(3)),
        ("/exempt", json!(null)),
        ("/mode", json!("audit")),
        ("/session/mounts/0/type", json!("overlay")),
    ] {
        let mut changed = whole.clone();
        *changed.pointer_mut(place).unwrap() = other;
        assert!(
            !validate::faults_as("plan", &schema, &changed).is_empty(),
            "{place}"
        );
    }
}
