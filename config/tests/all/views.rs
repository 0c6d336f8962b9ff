//! What a profile says about the file system, as mounts of a plan.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::path::PathBuf;

use crate::common::{Table, account, login, parse};
use nsshell_config::{
    Account, Attributes, BindIds, Contents, Error, HidePid, Home, Host, IdKind, Login, Mount, Plan,
    Propagation, Range, SysView, Upper, resolve,
};

const BARE: &str = "[profile.bare]\nnamespaces = ['mount']\nprivate = []\nruntime_dir = false\n\
                    [profile.standard]\nextends = 'bare'\n";

fn as_account(text: &str, account: &Account, host: &dyn Host) -> Result<Plan, Error> {
    resolve(&parse(text), &login("sshd"), account, host)
}

/// The mounts of a profile that has none but what these keys say.
fn mounts(keys: &str) -> Vec<Mount> {
    let text = format!("{BARE}{keys}");
    let plan = as_account(&text, &account("alice", 1000), &Table::default());
    plan.unwrap().session.unwrap().mounts
}

fn refusal(keys: &str, home: &str) -> String {
    let who = Account {
        home: home.into(),
        ..account("alice", 1000)
    };
    let text = format!("{BARE}{keys}");
    let error = as_account(&text, &who, &Table::default());
    error.unwrap_err().to_string()
}

fn memory() -> Upper {
    Upper::Memory {
        size: None,
        inodes: None,
    }
}

fn bind(source: &str, target: &str) -> Mount {
    Mount::Bind {
        source: source.into(),
        target: target.into(),
        attributes: Attributes::default(),
        recursive: true,
        propagation: Propagation::Slave,
        ids: None,
        optional: false,
    }
}

#[test]
fn a_bind_is_of_a_path_onto_itself_or_of_all_that_its_table_says() {
    let keys = "binds = ['/srv/data', { source = '{home}/p', target = '/p/{user}' }, \
                { source = '/s', target = '/proc/meminfo', recursive = false, optional = true, \
                options = ['ro', 'nosuid', 'nodev', 'noexec'], propagation = 'private', \
                ids = 'owner' }, { source = '/a', propagation = 'shared', options = ['nodev'] }]";
    let all = Mount::Bind {
        source: "/s".into(),
        target: "/proc/meminfo".into(),
        attributes: Attributes {
            read_only: true,
            no_suid: true,
            no_dev: true,
            no_exec: true,
        },
        recursive: false,
        propagation: Propagation::Private,
        ids: Some(BindIds::Owner),
        optional: true,
    };
    let shared = Mount::Bind {
        source: "/a".into(),
        target: "/a".into(),
        attributes: Attributes {
            no_dev: true,
            ..Attributes::default()
        },
        recursive: true,
        propagation: Propagation::Shared,
        ids: None,
        optional: false,
    };
    let plain = bind("/srv/data", "/srv/data");
    let templates = bind("/home/alice/p", "/p/alice");
    assert_eq!(mounts(keys), [plain, templates, all, shared]);
}

#[test]
fn a_home_is_what_the_word_or_the_table_says() {
    let overlay = |upper| Home::Overlay { upper };
    let cases = [
        ("'read-only'", Home::ReadOnly),
        ("{ kind = 'read-only' }", Home::ReadOnly),
        ("'ephemeral'", overlay(memory())),
        (
            "{ kind = 'ephemeral', size = '1g', inodes = 5 }",
            overlay(Upper::Memory {
                size: Some("1g".to_owned()),
                inodes: Some(5),
            }),
        ),
        (
            "{ kind = 'ephemeral', store = '/var/lib/e' }",
            overlay(Upper::Disk {
                store: "/var/lib/e".into(),
            }),
        ),
        (
            "{ kind = 'ephemeral', skeleton = '/etc/skel' }",
            Home::Fresh {
                skeleton: "/etc/skel".into(),
                upper: memory(),
            },
        ),
    ];
    for (text, home) in cases {
        assert_eq!(
            mounts(&format!("home = {text}")),
            [Mount::Home { home }],
            "{text}"
        );
    }
    assert_eq!(mounts("home = 'real'"), []);
    assert_eq!(mounts("home = { kind = 'real' }"), []);
}

#[test]
fn the_own_home_is_mounted_again_where_homes_are_hidden_and_only_there() {
    let hidden = |target: &str, optional| Mount::Homes {
        target: target.into(),
        optional,
    };
    let own = Mount::Home { home: Home::Real };
    let keys = "hide_homes = ['/srv/home', { path = '/home', optional = true }]";
    let want = [
        hidden("/home", true),
        hidden("/srv/home", false),
        own.clone(),
    ];
    assert_eq!(mounts(keys), want);
    assert_eq!(
        mounts("hide_homes = ['/homes']"),
        [hidden("/homes", false)],
        "a name is more than its beginning"
    );
    for home in ["/home", "/", "/var/lib/x"] {
        let who = Account {
            home: home.into(),
            ..account("alice", 1000)
        };
        let text = format!("{BARE}hide_homes = ['/home']");
        let plan = as_account(&text, &who, &Table::default()).unwrap();
        assert_eq!(plan.session.unwrap().mounts, [hidden("/home", false)]);
    }
}

#[test]
fn a_home_that_cannot_be_had_so_is_refused() {
    let ephemeral = "home = 'ephemeral'\n";
    let cases = [
        ("", "/", "is a directory of the system"),
        ("", "/dev/null", "is a directory of the system"),
        ("", "/usr", "is a directory of the system"),
        ("", "/home/../etc", "is no plain absolute path"),
        ("", "home/alice", "is no plain absolute path"),
        ("", "", "is no plain absolute path"),
        (
            "hide_homes = ['/home']",
            "/home",
            "would show the homes in /home again",
        ),
        (
            "hide_homes = ['/srv/home']",
            "/srv",
            "would show the homes in /srv/home again",
        ),
        (
            "private = ['/tmp']",
            "/tmp/x",
            "lies in the private directory /tmp",
        ),
        (
            "masked = ['/home']",
            "/home/alice",
            "lies in the masked /home",
        ),
    ];
    for (keys, home, why) in cases {
        let said = refusal(&format!("{ephemeral}{keys}"), home);
        assert_eq!(
            said,
            format!(
                "`home` of profile `standard` cannot be carried out for this login: the home of \
                 `alice`, {home}, {why}; change `home` in the profile"
            )
        );
    }
    let said = refusal("hide_homes = ['/home']\nmasked = ['/home/a']", "/home/a");
    assert!(said.starts_with("`hide_homes` of profile"), "{said}");
}

#[test]
fn an_instance_is_chosen_by_its_template() {
    let instance = |instance: &str, contents| Mount::Instance {
        target: "/tmp".into(),
        instance: instance.into(),
        mode: None,
        skeleton: None,
        contents,
        optional: false,
    };
    let cases = [
        ("'/i/{user}'", "/i/alice", Contents::Keep),
        (
            "'/i/{uid}-{group}'",
            "/i/1000-group-of-alice",
            Contents::Keep,
        ),
        ("'/i/shared'", "/i/shared", Contents::Keep),
        (
            "'/i/{user}', contents = 'empty'",
            "/i/alice",
            Contents::Empty,
        ),
        ("'/i/{user}', contents = 'keep'", "/i/alice", Contents::Keep),
        ("'/i/{session}'", "/i/{session}", Contents::Empty),
        (
            "'/i/{session}', contents = 'empty'",
            "/i/{session}",
            Contents::Empty,
        ),
    ];
    for (text, path, contents) in cases {
        let keys = format!("private = [{{ path = '/tmp', instance = {text} }}]");
        assert_eq!(mounts(&keys), [instance(path, contents)], "{text}");
    }
    let keys = "private = [{ path = '/x', instance = '/i', mode = '0700', skeleton = '/etc/skel', \
                optional = true }]";
    let all = Mount::Instance {
        target: "/x".into(),
        instance: "/i".into(),
        mode: Some(0o700),
        skeleton: Some("/etc/skel".into()),
        contents: Contents::Keep,
        optional: true,
    };
    assert_eq!(mounts(keys), [all]);
}

#[test]
fn a_private_directory_in_memory_has_the_limits_that_it_is_given() {
    let want = Mount::Tmpfs {
        target: "/tmp".into(),
        mode: 0o1777,
        size: Some("1m".to_owned()),
        inodes: Some(100),
        optional: false,
    };
    let keys = "private = [{ path = '/tmp', size = '1m', inodes = 100 }]";
    assert_eq!(mounts(keys), [want]);
}

/// A host where SELinux is on, or where it is not known.
struct Selinux(Option<&'static str>);

impl Host for Selinux {
    fn groups(&self, _: &Account) -> Result<Vec<String>, Error> {
        Ok(vec![])
    }
    fn primary_group(&self, _: &Account) -> Result<String, Error> {
        Ok("users".to_owned())
    }
    fn ranges(&self, _: &Account, _: IdKind) -> Result<Vec<Range>, Error> {
        Ok(vec![])
    }
    fn hostname(&self) -> Result<String, Error> {
        Ok("mill".to_owned())
    }
    fn session(&self) -> String {
        "k2v".to_owned()
    }
    fn context(&self) -> Result<String, Error> {
        self.0.map(str::to_owned).ok_or(Error::Host {
            what: "SELinux is off".to_owned(),
            errno: None,
        })
    }
}

#[test]
fn levels_and_contexts_are_those_of_the_host_and_a_session_has_its_name() {
    let instance = |template: &str, host: &Selinux| {
        let text = format!("{BARE}private = [{{ path = '/tmp', instance = '/i/{template}' }}]");
        let plan = as_account(&text, &account("alice", 1000), host)?;
        match plan.session.unwrap().mounts.as_slice() {
            [Mount::Instance { instance, .. }] => Ok(instance.clone()),
            other => panic!("{other:?}"),
        }
    };
    let on = Selinux(Some("u:r:t:s0-s0:c0.c9"));
    let path = |text: &str| Ok(PathBuf::from(text));
    assert_eq!(instance("{session}", &on), path("/i/k2v"));
    assert_eq!(instance("{level}", &on), path("/i/s0-s0:c0.c9"));
    assert_eq!(instance("{context}", &on), path("/i/u:r:t:s0-s0:c0.c9"));
    let odd = Selinux(Some("u:r:t:../x"));
    assert_eq!(instance("{level}", &odd), path("/i/%2e.%2fx"));
    let short: Error = instance("{level}", &Selinux(Some("u:r:t"))).unwrap_err();
    assert!(
        short.to_string().contains("`u:r:t` has no level"),
        "{short}"
    );
    for template in ["{level}", "{context}"] {
        let error = instance(template, &Selinux(None)).unwrap_err();
        assert_eq!(error.to_string(), "SELinux is off");
    }
    assert_eq!(instance("{user}", &Selinux(None)), path("/i/alice"));
}

#[test]
fn lists_of_paths_are_in_the_order_of_the_paths_and_unmounts_in_that_of_the_policy() {
    let (target, optional) = (|text: &str| PathBuf::from(text), true);
    let keys = "read_only = ['/usr', { path = '/etc', optional = true }, '/']";
    let read_only = |path: &str, optional| Mount::ReadOnly {
        target: target(path),
        optional,
    };
    let want = [
        read_only("/", false),
        read_only("/etc", optional),
        read_only("/usr", false),
    ];
    assert_eq!(mounts(keys), want);
    let mask = |path: &str, optional| Mount::Mask {
        target: target(path),
        optional,
    };
    let keys = "masked = ['/srv', { path = '/proc/kcore', optional = true }]";
    assert_eq!(
        mounts(keys),
        [mask("/proc/kcore", true), mask("/srv", false)]
    );
    let unmount = |path: &str, optional| Mount::Unmount {
        target: target(path),
        optional,
    };
    let keys = "unmounted = ['/mnt/b', { path = '/mnt/a', optional = true }]";
    let want = [unmount("/mnt/b", false), unmount("/mnt/a", true)];
    assert_eq!(mounts(keys), want);
}

#[test]
fn what_is_in_proc_sys_and_dev_is_as_the_words_say() {
    let pid = "[profile.p]\nnamespaces = ['mount', 'pid']\nprivate = []\nruntime_dir = false\n";
    let rule = "[[rule]]\nprofile = 'p'\n";
    let words = [
        ("all", "off", false, HidePid::Off),
        ("all", "noaccess", false, HidePid::NoAccess),
        ("pids", "invisible", true, HidePid::Invisible),
        ("pids", "ptraceable", true, HidePid::Ptraceable),
    ];
    for (proc, hide, pids_only, hidepid) in words {
        let text = format!("{rule}{pid}proc = '{proc}'\nhidepid = '{hide}'\n");
        let plan = as_account(&text, &account("alice", 1000), &Table::default());
        let want = Mount::Proc { hidepid, pids_only };
        assert_eq!(plan.unwrap().session.unwrap().mounts, [want]);
    }
    let sys = |view| [Mount::Sys { view }];
    assert_eq!(mounts("sys = 'host'\ndev = 'host'"), []);
    assert_eq!(mounts("sys = 'read-only'"), sys(SysView::ReadOnly));
    assert_eq!(mounts("sys = 'hidden'"), sys(SysView::Hidden));
    assert_eq!(mounts("dev = 'minimal'"), [Mount::Dev { tty: None }]);
}

#[test]
fn a_minimal_dev_has_the_terminal_of_the_login_if_it_is_one() {
    let policy = parse(&format!("{BARE}dev = 'minimal'"));
    let cases = [
        (Some("tty1"), Some("/dev/tty1")),
        (Some("/dev/ttyS0"), Some("/dev/ttyS0")),
        (Some("/dev/hvc0"), Some("/dev/hvc0")),
        (Some("console"), Some("/dev/console")),
        (Some("/dev/pts/3"), None),
        (Some("pts/3"), None),
        (Some("tty"), None),
        (Some("tty/../sda"), None),
        (Some("/dev/../dev/tty1"), None),
        (Some("sda"), None),
        (Some("ssh"), None),
        (Some(":0"), None),
        (Some(""), None),
        (None, None),
    ];
    for (tty, device) in cases {
        let login = Login {
            tty: tty.map(str::to_owned),
            ..login("login")
        };
        let plan = resolve(&policy, &login, &account("alice", 1000), &Table::default());
        let tty_of = device.map(PathBuf::from);
        let want = [Mount::Dev { tty: tty_of }];
        assert_eq!(plan.unwrap().session.unwrap().mounts, want, "{tty:?}");
    }
}

#[test]
fn another_root_brings_a_minimal_dev_and_the_hosts_own_is_none() {
    let text = format!("{BARE}root = '/srv/jail'");
    let plan = as_account(&text, &account("alice", 1000), &Table::default()).unwrap();
    let session = plan.session.unwrap();
    assert_eq!(session.root, Some("/srv/jail".into()));
    assert_eq!(session.mounts, [Mount::Dev { tty: None }]);
    let text = format!("{BARE}root = '/'");
    let plan = as_account(&text, &account("alice", 1000), &Table::default()).unwrap();
    let session = plan.session.unwrap();
    assert_eq!((session.root, session.mounts), (None, vec![]));
}

#[test]
fn sockets_are_exposed_by_name_or_path() {
    let keys = "expose = ['x11', 'wayland', 'ssh-agent', 'gpg-agent', 'dbus-session', \
                '/srv/{user}/s', '{home}/.s']";
    let paths = [
        "/tmp/.X11-unix",
        "/run/user/1000/wayland-0",
        "/run/user/1000/openssh_agent",
        "/run/user/1000/gnupg",
        "/run/user/1000/bus",
        "/srv/alice/s",
        "/home/alice/.s",
    ];
    let want = paths.map(|path| Mount::Expose { path: path.into() });
    assert_eq!(mounts(keys), want);
    let said = refusal("expose = ['{home}/x']", "/run/nsshell");
    assert!(said.contains("`expose` of profile `standard`"), "{said}");
}

#[test]
fn a_command_is_in_the_plan_of_a_session_only() {
    let text = format!("{BARE}command = ['/usr/bin/app', '-x', '{{user}}']");
    let plan = as_account(&text, &account("alice", 1000), &Table::default()).unwrap();
    assert_eq!(plan.command, ["/usr/bin/app", "-x", "{user}"]);
    let plan = as_account("", &account("alice", 1000), &Table::default()).unwrap();
    assert!(plan.command.is_empty());
}

#[test]
fn variables_are_passed_to_a_command_and_taken_over_like_every_other_key() {
    let passed = |text: &str| {
        let text = format!("[[rule]]\nprofile = 'b'\n[profile.b]\nextends = 'a'\n{text}");
        let plan = as_account(&text, &account("alice", 1000), &Table::default()).unwrap();
        let json = serde_json::to_value(&plan).unwrap();
        // an engine of another version reads a plan without it as one that passes nothing
        assert_eq!(
            json.get("pass_environment").is_some(),
            !plan.pass_environment.is_empty()
        );
        assert_eq!(
            serde_json::from_value::<nsshell_config::Plan>(json).unwrap(),
            plan
        );
        plan.pass_environment
    };
    let a = "[profile.a]\ncommand = ['/bin/ls']\npass_environment = ['COLORTERM', 'TMOUT']\n";
    assert_eq!(passed(a), ["COLORTERM", "TMOUT"]);
    assert_eq!(passed(&format!("pass_environment = ['X']\n{a}")), ["X"]);
    assert_eq!(passed(&format!("pass_environment = []\n{a}")), [""; 0]);
    let other = passed(&format!("command = ['/bin/cat']\n{a}"));
    assert_eq!(other, ["COLORTERM", "TMOUT"]);
    // without a command there is nothing to pass them to
    assert_eq!(passed(&format!("command = []\n{a}")), [""; 0]);
    let none = format!("namespaces = []\n{a}");
    assert_eq!(passed(&none), [""; 0]);
    assert_eq!(passed("[profile.a]\ncommand = ['/bin/ls']\n"), [""; 0]);
}

#[test]
fn everything_comes_in_the_order_in_which_nothing_undoes_another() {
    let text = "[profile.standard]\nunmounted = ['/mnt']\nread_only = ['/usr']\nsys = 'hidden'\n\
                dev = 'minimal'\nhide_homes = ['/home']\nhome = 'read-only'\n\
                private = ['/tmp']\nexpose = ['x11']\nbinds = ['/srv']\nmasked = ['/boot']\n";
    let plan = as_account(text, &account("alice", 1000), &Table::default()).unwrap();
    let json = serde_json::to_value(&plan.session.unwrap().mounts).unwrap();
    let kinds: Vec<_> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|mount| mount["type"].as_str().unwrap().to_owned())
        .collect();
    let want = [
        "unmount",
        "read-only",
        "proc",
        "mqueue",
        "sys",
        "dev",
        "homes",
        "home",
        "tmpfs",
        "runtime-dir",
        "expose",
        "bind",
        "mask",
    ];
    assert_eq!(kinds, want);
}

#[test]
fn a_profile_takes_over_the_keys_of_what_it_extends_and_of_weaker_files() {
    let text = "[[rule]]\nprofile = 'b'\n[profile.a]\nmasked = ['/srv']\nhome = 'ephemeral'\n\
                [profile.b]\nextends = ['a']\nhome = 'real'\n";
    let plan = as_account(text, &account("alice", 1000), &Table::default()).unwrap();
    let mounts = plan.session.unwrap().mounts;
    let mask = Mount::Mask {
        target: "/srv".into(),
        optional: false,
    };
    assert!(mounts.contains(&mask));
    let home = |mount: &Mount| matches!(mount, Mount::Home { .. });
    assert!(!mounts.iter().any(home));
}

#[test]
fn what_is_read_only_in_a_home_is_made_after_it_and_a_home_in_what_is_read_only_is_so_too() {
    let keys = "hide_homes = ['/home']\nread_only = ['/home/alice/pub', '/home/bob', '/usr']";
    let read_only = |path: &str| Mount::ReadOnly {
        target: path.into(),
        optional: false,
    };
    let homes = Mount::Homes {
        target: "/home".into(),
        optional: false,
    };
    let home = |home| Mount::Home { home };
    let pub_last = [
        read_only("/home/bob"),
        read_only("/usr"),
        homes.clone(),
        home(Home::Real),
        read_only("/home/alice/pub"),
    ];
    assert_eq!(mounts(keys), pub_last);
    for above in ["/", "/home", "/home/alice"] {
        let hidden = format!("hide_homes = ['/home']\nread_only = ['{above}']");
        let want = [read_only(above), homes.clone(), home(Home::ReadOnly)];
        assert_eq!(mounts(&hidden), want, "{above}");
        // It is a mount of its own only where it has to be.
        let plain = format!("read_only = ['{above}']");
        assert_eq!(mounts(&plain), [read_only(above)], "{above}");
        let gone = mounts(&format!("home = 'ephemeral'\nread_only = ['{above}']"));
        assert_eq!(gone[1], home(Home::Overlay { upper: memory() }), "{above}");
    }
}

#[test]
fn a_bind_with_options_or_ids_is_deaf_to_later_mounts_unless_the_policy_says_otherwise() {
    let propagation = |keys: &str| {
        let found = mounts(&format!("binds = [{{ source = '/a'{keys} }}]"));
        match found.as_slice() {
            [Mount::Bind { propagation, .. }] => *propagation,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(propagation(""), Propagation::Slave);
    for one in ["ro", "nosuid", "nodev", "noexec"] {
        let options = format!(", options = ['{one}']");
        assert_eq!(propagation(&options), Propagation::Private, "{one}");
        let said = format!("{options}, propagation = 'slave'");
        assert_eq!(propagation(&said), Propagation::Slave, "{one}");
        let said = format!(", propagation = 'shared'{options}");
        assert_eq!(propagation(&said), Propagation::Shared, "{one}");
    }
    assert_eq!(propagation(", ids = 'owner'"), Propagation::Private);
}

#[test]
fn the_stores_of_a_policy_are_those_that_sessions_leave_something_in() {
    let text = "[profile.a]\nhome = { kind = 'ephemeral', store = '/var/lib/h' }\n\
        private = [{ path = '/tmp', instance = '/var/lib/i/{user}', contents = 'empty' },\n\
        { path = '/var/tmp', instance = '/var/lib/j/{group}/of/{user}-{session}' },\n\
        { path = '/opt', instance = '/var/lib/kept/{user}' }]\n\
        [profile.b]\nprivate = [{ path = '/tmp', instance = '/x-{user}/y', contents = 'empty' }]\n";
    let stores = parse(text).stores();
    let found: Vec<_> = stores
        .iter()
        .map(|one| (one.path.to_str().unwrap(), one.depth))
        .collect();
    let want = [
        ("/", 1),
        ("/var/lib/h", 0),
        ("/var/lib/i", 0),
        ("/var/lib/j", 2),
    ];
    assert_eq!(found, want);
    assert_eq!(parse("").stores(), []);
}
