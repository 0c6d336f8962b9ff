//! What one file of a policy says and another takes back. A package or an administrator that
//! writes a weaker file cannot know what a stronger one says, so that nothing in it may become
//! wrong by that: everybody's login would be refused until somebody finds out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use crate::common::{Table, account, login};
use nsshell_config::{
    BindIds, Error, Layer, Mount, Namespace, OnLogout, PROFILE_KEYS, Policy, PolicyFile, resolve,
};

/// Settings of a profile that are right alone, all keys among them.
const SETTINGS: &[&str] = &[
    "extends = 'kiosk'",
    "extends = 'sftp-only'",
    "extends = ['lab']",
    "extends = 'none'",
    "namespaces = []",
    "namespaces = ['mount']",
    "namespaces = ['mount', 'pid']",
    "namespaces = ['mount', 'user', 'uts', 'net']",
    "id_map = 'root'",
    "ranges = 'if-any'",
    "private = []",
    "private = ['/srv']",
    "private = ['/bin']\nshell = '/usr/bin/zsh'",
    "private = ['/dev/hugepages']",
    "runtime_dir = true",
    "home = 'ephemeral'",
    "hide_homes = ['/home']",
    "hide_homes = ['/srv/homes']",
    "binds = ['/srv/x']",
    "binds = [{ source = '/srv', ids = 'session' }]",
    "binds = [{ source = '/a', target = '/srv/x/y' }]",
    "read_only = ['/']",
    "read_only = ['/srv/x']",
    "masked = ['/srv/x/y']",
    "masked = ['/srv']",
    "masked = ['/bin']\nshell = '/usr/bin/zsh'",
    "masked = ['/usr']\ncommand = ['/opt/app']",
    "masked = ['/proc/kcore', '/dev/kmsg']",
    "unmounted = ['/mnt']",
    "proc = 'pids'",
    "hidepid = 'invisible'",
    "dev = 'host'",
    "dev = 'minimal'",
    "sys = 'host'",
    "sys = 'hidden'",
    "root = '/srv/jail'",
    "expose = ['/srv/x/socket', 'x11']",
    "hostname = 'box'",
    "shell = '/srv/sh'",
    "shell = '/bin/sh'",
    "command = ['/srv/x/app']",
    "command = ['/usr/bin/app']",
    "command = []",
    "command = ['/usr/bin/app']\npass_environment = ['COLORTERM']",
    "pass_environment = ['COLORTERM']",
    "pass_environment = []",
    "require_nsshell = true",
    "grace = 1",
    "timeout = 2",
    "on_failure = 'unconfined'",
    "mode = 'observe'",
    "scope = 'user'",
    "scope = 'session'",
    "on_logout = 'kill'",
    "on_logout = 'keep'",
    "on_logout = 'keep'\nkeep_for = '8h'",
    "max_sessions = 3",
    "max_lifetime = '9h'",
    "idle = '1h'",
    "on_policy_change = 'refuse'",
];

fn key(setting: &str) -> &str {
    setting.split(' ').next().unwrap()
}

fn policy(main: &str, vendor: &str) -> Result<Policy, Error> {
    let file = |name: &str, layer, text: &str| PolicyFile {
        name: name.to_owned(),
        text: text.to_owned(),
        layer,
    };
    Policy::from_files(vec![
        file("main", Layer::Main, main),
        file("vendor", Layer::Vendor, vendor),
    ])
}

/// Shows that a session without a pid namespace keeps nothing, and the like.
fn makes_sense(policy: &Policy, said: &str) {
    let login = login("sshd");
    let plan = resolve(policy, &login, &account("alice", 1000), &Table::default());
    let plan = plan.unwrap_or_else(|error| panic!("{error}\n{said}"));
    let Some(session) = plan.session else { return };
    if !session.namespaces.contains(&Namespace::Pid) {
        assert_eq!(session.life.on_logout, OnLogout::Kill, "{said}");
        assert_eq!(session.life.idle, None, "{said}");
    }
    if session.life.on_logout == OnLogout::Kill {
        assert_eq!(session.life.keep_for, None, "{said}");
    }
    let wants_ids = |mount: &Mount| {
        matches!(
            mount,
            Mount::Bind {
                ids: Some(BindIds::Session),
                ..
            }
        )
    };
    if session.mounts.iter().any(wants_ids) {
        assert!(session.namespaces.contains(&Namespace::User), "{said}");
    }
}

#[test]
fn nothing_in_a_weaker_file_becomes_wrong_by_what_a_stronger_one_says() {
    for wanted in PROFILE_KEYS {
        let has = |setting: &&str| setting.lines().any(|line| key(line) == *wanted);
        assert!(SETTINGS.iter().any(has), "no setting of {wanted}");
    }
    // both in one profile; in one that extends another; in one that a rule chooses for root
    let shapes = [
        ("default = 'x'\n[profile.x]\n", "[profile.x]\n"),
        (
            "default = 'x'\n[profile.x]\n",
            "[profile.x]\nextends = 'base'\n[profile.base]\n",
        ),
        (
            "default = 'x'\n[profile.base]\n",
            "[profile.base]\n[profile.x]\nextends = 'base'\n",
        ),
        ("default = 'kiosk'\n[profile.kiosk]\n", "[profile.x]\n"),
        ("default = 'lab'\n[profile.lab]\n", "[profile.x]\n"),
        (
            "default = 'sftp-only'\n[profile.sftp-only]\n",
            "[profile.x]\n",
        ),
        (
            "default = 'x'\n[profile.x]\n",
            "[[rule]]\nusers = ['root']\nservices = ['systemd-user', '*']\nprofile = 'x'\n\
             [profile.x]\nnamespaces = ['mount']\n",
        ),
    ];
    let mut right = 0;
    for (above, below) in shapes {
        // of one profile and another nothing meets
        let apart = !below.contains("[profile.base]") && !above.contains("'x'");
        let weak = SETTINGS.iter().take(if apart { 1 } else { usize::MAX });
        let vendor: Vec<String> = weak.map(|weak| format!("{below}{weak}\n")).collect();
        let vendor = vendor.iter().filter(|vendor| policy("", vendor).is_ok());
        for (strong, vendor) in SETTINGS
            .iter()
            .flat_map(|one| vendor.clone().map(move |v| (one, v)))
        {
            let main = format!("{above}{strong}\n");
            let said = format!("# main\n{main}# vendor\n{vendor}");
            match policy(&main, vendor) {
                Ok(policy) => {
                    right += 1;
                    makes_sense(&policy, &said);
                }
                Err(error) => {
                    let told = error.diagnostics().iter();
                    let elsewhere: Vec<_> = told.filter(|one| one.at.file != "main").collect();
                    assert!(elsewhere.is_empty(), "{error:#}\n{said}");
                    // what a namespace is taken from is not wrong at all
                    let takes = key(strong) == "namespaces" && !vendor.contains("['root']");
                    assert!(!takes, "{error:#}\n{said}");
                }
            }
        }
    }
    assert!(right > 5_000, "{right}");
}

#[test]
fn a_stronger_file_ends_what_a_weaker_one_says_of_the_life_of_a_session() {
    let cases = [
        ("on_logout = 'keep'\nkeep_for = '8h'", "on_logout = 'kill'"),
        ("on_policy_change = 'refuse'", "scope = 'session'"),
        (
            "command = ['/bin/ls']\npass_environment = ['COLORTERM']",
            "command = []",
        ),
        ("idle = '1h'\non_logout = 'keep'", "namespaces = ['mount']"),
        (
            "scope = 'user'\nmax_sessions = 2\nmax_lifetime = 60",
            "namespaces = []",
        ),
    ];
    for (vendor, main) in cases {
        let profile = "[profile.x]\n";
        let both = policy(&format!("{profile}{main}"), &format!("{profile}{vendor}"));
        assert!(both.is_ok(), "{main}: {:#}", both.unwrap_err());
        // in one file it is a mistake
        let one = policy("", &format!("{profile}{vendor}\n{main}"));
        assert!(one.is_err(), "{vendor} {main}");
    }
    // whoever has a built-in profile switched off is told nothing of a text that is not his
    for name in ["kiosk", "lab", "sftp-only"] {
        let off = policy(&format!("[profile.{name}]\nnamespaces = []\n"), "");
        assert!(off.is_ok(), "{:#}", off.unwrap_err());
    }
}
