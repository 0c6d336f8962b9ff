//! The language beyond names and services: uids, terminals, remote hosts, globs, negations,
//! what profiles extend, and files laid over each other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use crate::common::{Table, account, faults, parse};
use nsshell_config::{
    Everybody, Layer, Login, Mode, Mount, OnFailure, Plan, Policy, PolicyFile, Spared, explain,
    resolve, spared,
};

fn jail(rule: &str) -> Policy {
    parse(&format!(
        "[[rule]]\n{rule}\nprofile = 'jail'\n[profile.jail]\nnamespaces = ['mount']\n"
    ))
}

struct Who {
    name: &'static str,
    uid: u32,
    groups: &'static [&'static str],
    tty: Option<&'static str>,
    rhost: Option<&'static str>,
}

const ALICE: Who = Who {
    name: "alice",
    uid: 1000,
    groups: &["staff", "web-admins"],
    tty: Some("/dev/pts/3"),
    rhost: Some("Mill.Example.org"),
};

fn plan(policy: &Policy, who: &Who) -> Plan {
    let host = Table {
        groups: who.groups.to_vec(),
        ..Table::default()
    };
    let login = Login {
        service: "sshd".to_owned(),
        tty: who.tty.map(str::to_owned),
        rhost: who.rhost.map(str::to_owned),
    };
    let account = account(who.name, who.uid);
    let plan = resolve(policy, &login, &account, &host).unwrap();
    // the way for many accounts comes to the same
    let sorted = Everybody::new(policy).resolve(&login, &account, &host);
    assert_eq!(sorted.unwrap(), plan);
    plan
}

#[test]
fn each_list_of_a_rule_matches_what_it_should() {
    let none = Who {
        tty: None,
        rhost: None,
        ..ALICE
    };
    let root = Who {
        name: "root",
        uid: 0,
        ..ALICE
    };
    let address = Who {
        rhost: Some("::ffff:192.0.2.9"),
        ..ALICE
    };
    let cases: [(&str, &Who, bool); 36] = [
        ("users = ['al*']", &ALICE, true),
        ("users = ['?lice']", &ALICE, true),
        ("users = ['b*']", &ALICE, false),
        ("users = ['*', '!bob']", &ALICE, true),
        ("users = ['!bob']", &ALICE, true),
        ("users = ['!alice']", &ALICE, false),
        ("users = ['alice', '!al*']", &ALICE, false),
        ("users = ['alice', '!@staff']", &ALICE, false),
        ("users = ['@web-*']", &ALICE, true),
        ("users = ['!@interns']", &ALICE, true),
        ("users = ['@staff', '!@web-*']", &ALICE, false),
        ("users = ['*']", &root, false),
        ("users = ['!bob']", &root, false),
        ("users = ['r*']", &root, false),
        ("users = ['root', '!@staff']", &root, false),
        ("users = ['root']\nuids = ['1-5']", &root, false),
        ("users = ['root']\nuids = ['0-5']", &root, true),
        ("uids = ['0-5']", &root, false),
        ("uids = ['1000-1999']", &ALICE, true),
        ("uids = [1000]", &ALICE, true),
        ("uids = ['1001-1999', '65534']", &ALICE, false),
        ("uids = ['1000-1999', '!1000']", &ALICE, false),
        ("uids = ['!65534']", &ALICE, true),
        ("services = ['s*']", &ALICE, true),
        ("services = ['!sshd']", &ALICE, false),
        ("ttys = ['pts/*']", &ALICE, true),
        ("ttys = ['/dev/pts/3']", &ALICE, true),
        ("ttys = ['tty*']", &ALICE, false),
        ("ttys = ['!*']", &none, true),
        ("ttys = ['*']", &none, false),
        ("hosts = ['*.example.org']", &ALICE, true),
        ("hosts = ['192.0.2.0/24']", &ALICE, false),
        ("hosts = ['192.0.2.0/24', '!192.0.2.7']", &address, true),
        ("hosts = ['192.0.2.0/24', '!192.0.2.8/30']", &address, false),
        ("hosts = ['!*']", &none, true),
        ("hosts = ['!*']", &ALICE, false),
    ];
    for (rule, who, want) in cases {
        let got = plan(&jail(rule), who).profile == "jail";
        assert_eq!(got, want, "{rule}");
    }
}

#[test]
fn systemd_user_is_matched_by_no_glob_and_no_negation() {
    for (services, want) in [
        ("['*']", false),
        ("['!sshd']", false),
        ("['systemd-*']", false),
        ("['systemd-user']", true),
        ("['systemd-user', '!s*']", false),
    ] {
        let policy = jail(&format!("services = {services}"));
        let login = Login {
            service: "systemd-user".to_owned(),
            ..Login::default()
        };
        // whom no rule matches is refused: alice's logins are confined by the built-in policy
        let plan = resolve(&policy, &login, &account("alice", 1000), &Table::default());
        assert_eq!(
            plan.is_ok_and(|plan| plan.profile == "jail"),
            want,
            "{services}"
        );
    }
}

#[test]
fn a_default_comes_after_all_rules_and_is_not_for_root() {
    let text = "default = 'none'\n[[rule]]\nusers = ['alice']\nprofile = 'standard'";
    let policy = parse(text);
    assert_eq!(plan(&policy, &ALICE).profile, "standard");
    let bob = Who {
        name: "bob",
        ..ALICE
    };
    assert_eq!(plan(&policy, &bob).profile, "none");
    assert_eq!(plan(&policy, &bob).matched.line, 1);
    let root = Who {
        name: "root",
        uid: 0,
        ..ALICE
    };
    let policy = parse("default = 'jail'\n[profile.jail]\nnamespaces = ['mount']");
    assert_eq!(plan(&policy, &root).profile, "none");
}

#[test]
fn of_extended_profiles_the_last_one_wins_and_own_keys_win_over_all() {
    let text = "default = 'c'\n\
        [profile.a]\ngrace = 1\ntimeout = 1\nshell = '/bin/a'\n\
        [profile.b]\nextends = 'base'\ngrace = 2\n\
        [profile.base]\ntimeout = 3\nhostname = '{user}.{service}'\n\
        [profile.c]\nextends = ['a', 'b']\nshell = '/bin/c'\n";
    let plan = plan(&parse(text), &ALICE);
    let session = plan.session.unwrap();
    assert_eq!((session.grace, session.timeout), (2, 3));
    assert_eq!(session.hostname.as_deref(), Some("alice.sshd"));
    assert_eq!(plan.shell.to_str(), Some("/bin/c"));
}

#[test]
fn templates_name_private_directories() {
    let text = "default = 'p'\n[profile.p]\nprivate = ['{home}/.cache', '/srv/{group}/{uid}']";
    let mounts = plan(&parse(text), &ALICE).session.unwrap().mounts;
    let targets: Vec<_> = mounts
        .iter()
        .filter_map(|mount| match mount {
            Mount::Tmpfs { target, .. } => target.to_str(),
            _ => None,
        })
        .collect();
    assert_eq!(targets, ["/home/alice/.cache", "/srv/group-of-alice/1000"]);
}

#[test]
fn failure_and_mode_are_in_the_plan() {
    let text = "exempt = ['@staff']\ndefault = 'o'\n\
        [profile.o]\nmode = 'observe'\non_failure = 'unconfined'\n\
        [profile.deny]\nranges = 'required'\n\
        [[rule]]\nusers = ['alice', 'bob']\nprofile = 'deny'\n";
    let policy = parse(text);
    let carol = Who {
        name: "carol",
        groups: &[],
        ..ALICE
    };
    let plan = plan(&policy, &carol);
    assert_eq!(
        (plan.on_failure, plan.exempt, plan.mode),
        (OnFailure::Unconfined, false, Mode::Observe)
    );
    // without a plan: exempt, or not
    let of = |name: &str, groups: Vec<&'static str>, down: bool| {
        let host = Table {
            groups,
            down,
            ..Table::default()
        };
        let login = crate::common::login("sshd");
        let account = account(name, 1000);
        assert!(resolve(&policy, &login, &account, &host).is_err());
        spared(&policy, &login, &account, &host)
    };
    assert_eq!(of("alice", vec!["staff"], false), Some(Spared::Exempt));
    assert_eq!(of("bob", vec!["users"], false), None);
    assert_eq!(of("bob", vec!["staff"], true), None);
}

fn file(name: &str, layer: Layer, text: &str) -> PolicyFile {
    PolicyFile {
        name: name.to_owned(),
        text: text.to_owned(),
        layer,
    }
}

#[test]
fn stronger_files_come_first_and_explain_shows_what_they_override() {
    let files = || {
        vec![
            file("10-a", Layer::DropIn, "[profile.standard]\ngrace = 1\n"),
            file(
                "20-b",
                Layer::DropIn,
                "[[rule]]\nusers = ['bob']\nprofile = 'x'\n[profile.standard]\ngrace = 2\ntimeout = 2\n",
            ),
            file(
                "main",
                Layer::Main,
                "default = 'standard'\n[[rule]]\nusers = ['bob', 'alice']\nprofile = 'standard'\n\
                 [profile.standard]\ntimeout = 3\nshell = '/bin/m'\n",
            ),
            file(
                "vendor",
                Layer::Vendor,
                "default = 'none'\n[[rule]]\nprofile = 'x'\n[profile.x]\n[profile.standard]\nshell = '/bin/v'\n",
            ),
        ]
    };
    let policy = Policy::from_files(files()).unwrap();
    let told = explain(
        &policy,
        &crate::common::login("sshd"),
        &account("alice", 1000),
        &Table::default(),
        usize::MAX,
    );
    let (profile, rule) = told.chosen.unwrap();
    assert_eq!(
        (profile.as_str(), rule.file.as_str(), rule.line),
        ("standard", "main", 2)
    );
    assert_eq!(told.missed.len(), 1);
    assert_eq!(told.missed[0].why, "user alice is not in `users`");
    let origin = |key: &str| {
        let origin = told
            .origins
            .iter()
            .find(|origin| origin.key == key)
            .unwrap();
        let at = |place: &(String, usize)| format!("{}:{}", place.0, place.1);
        let weaker: Vec<_> = origin.overridden.iter().map(at).collect();
        (origin.place.as_ref().map(at), weaker.join(" "))
    };
    assert_eq!(origin("grace"), (Some("10-a:2".into()), "20-b:5".into()));
    assert_eq!(origin("timeout"), (Some("20-b:6".into()), "main:6".into()));
    assert_eq!(origin("shell"), (Some("main:7".into()), "vendor:6".into()));
    assert_eq!(origin("hostname"), (None, String::new()));
    let written = |key: &str| {
        let mut origins = told.origins.iter();
        let found = origins.find(|origin| origin.key == key);
        found.unwrap().written.as_deref()
    };
    assert_eq!((written("grace"), written("hostname")), (Some("1"), None));
    let [default] = &told.top[..] else {
        panic!("{:?}", told.top)
    };
    assert_eq!(
        (default.key, &default.place),
        ("default", &Some(("main".into(), 1)))
    );
    assert_eq!(default.overridden, [("vendor".to_owned(), 1)]);
    // in the order of the language, `extends` first
    let keys: Vec<_> = told.origins.iter().map(|origin| origin.key).collect();
    assert_eq!(keys, nsshell_config::PROFILE_KEYS);
    let profile = |name: &'static str| plan(&policy, &Who { name, ..ALICE }).profile;
    assert_eq!(
        (profile("bob").as_str(), profile("carol").as_str()),
        ("x", "x")
    );
    // a fault is told with the file that it is in
    let mut broken = files();
    broken[3].text += "grase = 1\n";
    let error = Policy::from_files(broken).unwrap_err().to_string();
    assert!(
        error.starts_with("vendor:7:1: unknown key `grase`"),
        "{error}"
    );
}

#[test]
fn what_is_weaker_than_the_namespaces_is_no_contradiction() {
    let files = |above: &str, below: &str| {
        Policy::from_files(vec![
            file("main", Layer::Main, above),
            file("vendor", Layer::Vendor, below),
        ])
    };
    let host = "[profile.x]\nhostname = 'box'\n";
    let mount = "[profile.x]\nnamespaces = ['mount']\n";
    assert!(files(mount, host).is_ok());
    assert!(files(host, mount).is_err());
}

#[test]
fn other_ways_to_write_toml_mean_the_same() {
    for text in [
        "default = 'x'\nprofile.x.grace = 7\nprofile.x.timeout = 8",
        "default = 'x'\nprofile = { x = { grace = 7, timeout = 8 } }",
        "default = 'x'\nprofile.x = { grace = 7, timeout = 8 }",
        "default = \"x\"\n[profile]\nx.grace = 0x7\nx = { timeout = 8 }",
        "default = 'x'\n[profile.x]\ngrace = '7s'\ntimeout = '8s'",
        "'default' = '''x'''\r\n[ profile . \"x\" ] # here\r\ngrace = +7\r\ntimeout=8\r\n",
    ] {
        let session = plan(&parse(text), &ALICE).session.unwrap();
        assert_eq!((session.grace, session.timeout), (7, 8), "{text}");
    }
    assert_eq!(faults("\u{feff}default = 'y'").len(), 1);
}

#[test]
fn what_other_programs_write_for_tables_and_lists_of_them_means_the_same() {
    let plain = "default = 'x'\n[[rule]]\nusers = ['alice']\nprofile = 'x'\n[profile.x]\n\
        grace = 7\nhome = { kind = 'ephemeral', size = '1g' }\n\
        binds = [{ source = '/a', target = '/x' }, { source = '/b', options = ['ro'] }]\n";
    let spread = [
        "default = 'x'\nrule = [{ users = ['alice'], profile = 'x' }]\n[profile.x]\ngrace = 7\n\
         [profile.x.home]\nkind = 'ephemeral'\nsize = '1g'\n\
         [[profile.x.binds]]\nsource = '/a'\ntarget = '/x'\n\
         [[profile.x.binds]]\nsource = '/b'\noptions = ['ro']\n",
        "default = 'x'\n[[rule]]\nusers = ['alice']\nprofile = 'x'\n\
         [[profile.x.binds]]\nsource = '/a'\ntarget = '/x'\n\
         [profile.x]\nhome.kind = 'ephemeral'\ngrace = 7\nhome.size = '1g'\n\
         [[profile.x.binds]]\nsource = '/b'\noptions = ['ro']\n",
        "default = 'x'\nprofile.x.home.size = '1g'\nprofile.x.home.kind = 'ephemeral'\n\
         profile.x.grace = 7\nprofile.x.binds = [{ source = '/a', target = '/x' }, \
         { source = '/b', options = ['ro'] }]\n[[rule]]\nusers = ['alice']\nprofile = 'x'\n",
        "default = 'x'\nprofile = { x = { grace = 7, home.kind = 'ephemeral', home.size = '1g', \
         binds = [{ source = '/a', target = '/x' }, { source = '/b', options = ['ro'] }] } }\n\
         [[rule]]\nusers = ['alice']\nprofile = 'x'\n",
    ];
    let session = |text: &str| plan(&parse(text), &ALICE).session.unwrap();
    for text in spread {
        assert_eq!(session(text), session(plain), "{text}");
        assert_eq!(
            parse(text).rule_count(),
            parse(plain).rule_count(),
            "{text}"
        );
    }
}
