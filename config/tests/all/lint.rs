//! What `nsctl check` finds beyond the text: on this host, and among the rules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::expected::{as_expected, layers};
use crate::common::{account, parse};
use nsshell_config::{Account, Error, Facts, Host, IdKind, Policy, Range, lint, open_terminals};

struct Small(Vec<Account>);

impl Host for Small {
    fn groups(&self, account: &Account) -> Result<Vec<String>, Error> {
        Ok(match account.name.as_str() {
            "alice" => vec!["staff".to_owned()],
            _ => vec![],
        })
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
}

impl Facts for Small {
    fn accounts(&self) -> &[Account] {
        &self.0
    }
    fn account(&self, name: &str) -> Option<Account> {
        self.0.iter().find(|one| one.name == name).cloned()
    }
    fn has_group(&self, name: &str) -> bool {
        ["staff", "empty"].contains(&name)
    }
    fn is_directory(&self, path: &Path) -> bool {
        path == Path::new("/tmp")
    }
    fn exists(&self, path: &Path) -> bool {
        ["/", "/tmp", "/bin/bash", "/etc"].contains(&path.to_str().unwrap())
    }
    fn loose_above(&self, path: &Path) -> Option<(PathBuf, String)> {
        let home = Path::new("/home/alice");
        let why = "belongs to uid 1000".to_owned();
        (path.starts_with(home) && path != home).then(|| (home.to_owned(), why))
    }
    fn is_open_to_all(&self, path: &Path) -> bool {
        path == Path::new("/scratch")
    }
    fn is_program(&self, path: &Path) -> bool {
        path == Path::new("/bin/bash")
    }
}

#[test]
fn what_this_host_and_the_order_of_rules_make_wrong_is_found() {
    let cases: [(&str, &[&str]); 17] = [
        ("[[rule]]\nusers = ['alice', '@staff']\nprofile = 'm'", &[]),
        (
            "[[rule]]\nusers = ['alcie', '@staf']\nprofile = 'm'",
            &[
                "p.toml:2:10: warning: there is no user `alcie` on this host; did you mean `alice`?",
                "p.toml:2:19: warning: there is no group `staf` on this host; did you mean `@staff`?",
            ],
        ),
        (
            "[[rule]]\nusers = ['@empty']\nprofile = 'm'",
            &["p.toml:1:1: warning: this rule matches no account of this host"],
        ),
        (
            "[[rule]]\nuids = ['5000-6000']\nprofile = 'm'",
            &["p.toml:1:1: warning: this rule matches no account of this host"],
        ),
        (
            "[[rule]]\nusers = ['al*']\nprofile = 'm'\n[[rule]]\nusers = ['alice']\nservices = ['su']\nprofile = 'm'",
            &[
                "p.toml:4:1: warning: this rule is never reached: an earlier one matches all that it does; move it up or take it out",
            ],
        ),
        (
            "[[rule]]\nservices = ['su']\nprofile = 'm'\n[[rule]]\nusers = ['alice']\nprofile = 'm'",
            &[],
        ),
        (
            "[[rule]]\nhosts = ['10.0.0.0/8', '!10.1.0.0/16']\nprofile = 'm'\n[[rule]]\nhosts = ['10.0.0.0/16']\nprofile = 'm'",
            &[],
        ),
        (
            "[[rule]]\nprofile = 'm'\n[[rule]]\nusers = ['root']\nprofile = 'm'",
            &[],
        ),
        (
            "[[rule]]\nprofile = 'm'\n[[rule]]\nservices = ['systemd-user']\nprofile = 'm'",
            &[],
        ),
        (
            "[[rule]]\nusers = ['!bob']\nprofile = 'm'\n[[rule]]\nusers = ['alice']\nprofile = 'm'",
            &[],
        ),
        (
            "[profile.standard]\nshell = '/bin/zsh'",
            &[
                "p.toml:2:9: the shell /bin/zsh of profile `standard` is no program on this host; install it or set `shell`",
            ],
        ),
        (
            "[profile.standard]\nprivate = ['/tmp', '/scratch', { path = '/x', optional = true }]",
            &[
                "p.toml:2:20: /scratch, private in profile `standard`, is no directory on this host; make it, or say { path = ..., optional = true }",
            ],
        ),
        (
            "[profile.unused]\nshell = '/bin/zsh'",
            &[
                "p.toml:1:10: warning: no rule leads to profile `unused`: what it says holds for nobody; name it in a rule, or take it out",
            ],
        ),
        (
            "[profile.standrad]\nmode = 'observe'",
            &[
                "p.toml:1:10: warning: no rule leads to profile `standrad`: what it says holds for nobody; did you mean `standard`?",
            ],
        ),
        (
            "[profile.KIOSK]\n[profile.standard]\nextends = 'base'\n[profile.base]\n",
            &[
                "p.toml:1:10: warning: no rule leads to profile `KIOSK`: what it says holds for nobody; name it in a rule, or take it out",
            ],
        ),
        (
            "exempt = ['@admins']",
            &[
                "p.toml:1:11: warning: there is no group `admins` on this host: nobody is exempt by it",
            ],
        ),
        (
            "[profile.standard]\nranges = 'required'",
            &[
                "p.toml:2:10: warning: no user of this host has subordinate ids: profile `standard` refuses all of them; give them some with `nsctl ranges --allocate --all`",
            ],
        ),
    ];
    let host = Small(vec![
        account("root", 0),
        account("alice", 1000),
        account("bob", 1001),
    ]);
    for (text, want) in cases {
        let m = match text.contains("'m'") {
            true => "[profile.m]\nnamespaces = ['mount']\n",
            false => "",
        };
        let text = format!("{text}\n{m}");
        let found = lint(&parse(&text), &host);
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, want, "{text}");
    }
}

#[test]
fn what_a_view_needs_and_this_host_lacks_is_told_at_its_place() {
    let said = |keys: &str| -> Vec<String> {
        let text = format!(
            "[[rule]]\nusers = ['alice']\nprofile = 'm'\n[profile.m]\nextends = 'b'\n{keys}\n\
             [profile.b]\nnamespaces = ['mount', 'pid', 'user']\nprivate = []\n"
        );
        let found = lint(&parse(&text), &Small(vec![account("alice", 1000)]));
        let told = found.iter().map(ToString::to_string);
        told.filter(|told| !told.contains("subordinate ids"))
            .collect()
    };
    let missing = |place: &str, what: &str| {
        format!(
            "p.toml:{place}: {what} `m`, does not exist; make it, or say {{ path = ..., \
             optional = true }}"
        )
    };
    assert_eq!(said("read_only = ['/etc']\nmasked = ['/tmp']"), [""; 0]);
    assert_eq!(said("masked = [{ path = '/x', optional = true }]"), [""; 0]);
    let lists = [
        ("hide_homes = ['/x']", "6:15", "/x, hidden homes of profile"),
        ("read_only = ['/x']", "6:14", "/x, read-only in profile"),
        ("unmounted = ['/x']", "6:14", "/x, unmounted in profile"),
        ("masked = ['/x']", "6:11", "/x, masked in profile"),
    ];
    for (keys, place, what) in lists {
        assert_eq!(said(keys), [missing(place, what)], "{keys}");
    }
    let containers = "the kernel lets its users mount no /proc, so that their own containers do \
                      not start";
    let cases = [
        (
            "binds = ['/x', '/etc']",
            "p.toml:6:10: /x, the source of a bind of profile `m`, does not exist; make it, or \
             say optional = true"
                .to_owned(),
        ),
        (
            "root = '/srv/jail'",
            "p.toml:6:8: /srv/jail, the root of profile `m`, does not exist; make it".to_owned(),
        ),
        (
            "home = { kind = 'ephemeral', skeleton = '/etc/skel' }",
            "p.toml:6:8: /etc/skel, the skeleton of profile `m`, does not exist; make it"
                .to_owned(),
        ),
        (
            "command = ['/usr/bin/app']",
            "p.toml:6:11: the command /usr/bin/app of profile `m` is no program on this host; \
             install it or set `command`"
                .to_owned(),
        ),
        (
            "command = ['/bin/bash']\nrequire_nsshell = false",
            "p.toml:6:11: warning: `command` of profile `m` holds only for users whose login shell \
             is nsshell, which nothing requires; set require_nsshell = true, with \"user\" in \
             `namespaces`"
                .to_owned(),
        ),
        (
            "masked = ['/proc/kcore']",
            format!("p.toml:6:11: warning: profile `m` masks a part of /proc: {containers}"),
        ),
        (
            "proc = 'pids'",
            format!("p.toml:6:8: warning: profile `m` has proc = \"pids\": {containers}"),
        ),
        (
            "binds = [{ source = '/etc', target = '/proc/meminfo' }]",
            format!("p.toml:6:10: warning: profile `m` covers a part of /proc: {containers}"),
        ),
    ];
    for (keys, want) in cases {
        assert_eq!(said(keys), [want], "{keys}");
    }
    let kiosk = "[[rule]]\nusers = ['alice']\nprofile = 'kiosk'\n";
    let found = lint(&parse(kiosk), &Small(vec![account("alice", 1000)]));
    let told: Vec<_> = found.iter().map(ToString::to_string).collect();
    let want = "p.toml:3:11: the command /usr/lib/nsshell/kiosk of profile `kiosk` is no program on \
                this host; install it or set `command`";
    assert!(told.iter().any(|told| told == want), "{told:?}");
}

/// What is told of a policy on a host of root and two users.
fn doubts(policy: Result<Policy, Error>) -> String {
    let policy = policy.unwrap_or_else(|error| panic!("{error:#}"));
    let people = [("root", 0), ("alice", 1000), ("bob", 1001)];
    let people = people.map(|(name, uid)| account(name, uid)).to_vec();
    let told = lint(&policy, &Small(people));
    let told: Vec<_> = told.iter().map(|one| format!("{one:#}")).collect();
    assert!(!told.is_empty(), "nothing to doubt");
    told.join("\n")
}

#[test]
fn every_doubtful_policy_is_told_as_its_file_expects() {
    let count = as_expected("doubtful", "toml", |path, name| {
        doubts(Policy::parse(&fs::read_to_string(path).unwrap(), name))
    });
    assert!(count >= 20, "{count}");
    let count = as_expected("doubtful", "d", |path, _| {
        doubts(Policy::from_files(layers(path)))
    });
    assert!(count >= 2, "{count}");
}

#[test]
fn what_is_to_keep_a_user_from_something_is_not_where_the_user_can_take_it_off() {
    let said = |keys: &str| -> Vec<String> {
        let text = format!(
            "[[rule]]\nusers = ['alice']\nprofile = 'm'\n[profile.m]\nnamespaces = ['mount']\n{keys}\n"
        );
        let found = lint(&parse(&text), &Small(vec![account("alice", 1000)]));
        let told = found.iter().map(ToString::to_string);
        let loose = |told: &String| told.contains("moved or taken off");
        told.filter(loose).collect()
    };
    let why = "could be moved or taken off, since /home/alice belongs to uid 1000; name a place in \
               directories that are root's alone, or take it out";
    let path = "/home/alice/x";
    let lists = [
        ("hide_homes", "hidden homes of profile"),
        ("read_only", "read-only in profile"),
        ("unmounted", "unmounted in profile"),
        ("masked", "masked in profile"),
    ];
    for (key, what) in lists {
        let place = key.len() + 5;
        let want = format!("p.toml:6:{place}: {path}, {what} `m`, {why}");
        assert_eq!(said(&format!("{key} = ['{path}']")), [want], "{key}");
        let optional = format!("{key} = [{{ path = '{path}', optional = true }}]");
        assert_eq!(said(&optional).len(), 1, "{key}");
    }
    let bind = |keys: &str| said(&format!("binds = [{{ {keys} }}]"));
    let want = format!("p.toml:6:10: {path}, the target of a bind of profile `m`, {why}");
    for keys in [
        "source = '/etc', target = '/home/alice/x', options = ['ro']",
        "source = '/home/alice/x', options = ['noexec']",
    ] {
        assert_eq!(bind(keys), [want.as_str()], "{keys}");
    }
    let home = bind("source = '/etc', target = '{home}/x', options = ['ro']");
    let want = "p.toml:6:10: warning: {home}/x, the target of a bind of profile `m`, could be moved \
                or taken off by whoever has a home of their own; name a place in directories that \
                are root's alone, or the login is refused";
    assert_eq!(home, [want]);
    // What is there for the user's own sake, and what is the session's own.
    for keys in [
        "private = ['/home/alice/x']",
        "binds = [{ source = '/etc', target = '/home/alice/x', options = ['nosuid'] }]",
        "private = ['/home/alice']\nbinds = [{ source = '/etc', target = '/home/alice/x', options = ['ro'] }]",
    ] {
        assert_eq!(said(keys), [""; 0], "{keys}");
    }
}

#[test]
fn no_other_bind_brings_anybody_to_what_users_have_made_root_s() {
    let said = |other: &str, rest: &str| -> Vec<String> {
        let text = format!(
            "[[rule]]\nusers = ['alice']\nprofile = 'm'\n[profile.m]\nnamespaces = ['mount']\n\
             binds = [{{ source = '/etc', target = '/mnt', ids = 'owner' }}]\n\
             [[rule]]\nprofile = 'o'\n[profile.o]\n{rest}\nbinds = [{other}]\n"
        );
        let found = lint(&parse(&text), &Small(vec![account("alice", 1000)]));
        let told = found.iter().map(ToString::to_string);
        told.filter(|told| told.contains("set-uid")).collect()
    };
    let plain = "namespaces = ['mount']";
    for source in ["/etc", "/etc/x", "/"] {
        let other = format!("{{ source = '{source}', target = '/mnt' }}");
        let want = format!(
            "p.toml:11:10: the bind of {source} in profile `o` shows what users can make root's by \
             another bind with `ids`, and set-uid programs work in it; add \"nosuid\" to its options"
        );
        assert_eq!(said(&other, plain), [want], "{source}");
    }
    for (other, rest) in [
        ("'/srv'", plain),
        ("'/etcetera'", plain),
        ("{ source = '/etc', options = ['nosuid'] }", plain),
        ("{ source = '/etc', ids = 'owner' }", plain),
        ("'/etc'", "namespaces = ['mount', 'user']"),
    ] {
        assert_eq!(said(other, rest), [""; 0], "{other}");
    }
    let root = said("", "namespaces = ['mount']\nroot = '/etc/tree'");
    assert!(
        root.len() == 1 && root[0].contains("the root of profile `o`"),
        "{root:?}"
    );
}

#[test]
fn a_directory_that_one_profile_keeps_is_not_emptied_by_another() {
    let said = |template: &str, contents: &str| -> Vec<String> {
        let text = format!(
            "[[rule]]\nusers = ['alice']\nprofile = 'm'\n[profile.m]\n\
             private = [{{ path = '/tmp', instance = '/i/{{user}}' }}]\n[[rule]]\nprofile = 'o'\n\
             [profile.o]\nprivate = [{{ path = '/tmp', instance = '{template}', contents = '{contents}' }}]\n"
        );
        let found = lint(&parse(&text), &Small(vec![account("alice", 1000)]));
        let told = found.iter().map(ToString::to_string);
        told.filter(|told| told.contains("emptied")).collect()
    };
    assert_eq!(said("/i/{user}", "keep"), [""; 0]);
    assert_eq!(said("/j/{user}", "empty"), [""; 0]);
    let want = "p.toml:9:40: /i/{user} is kept in one place and emptied in another, which takes it \
                from both; say the same `contents`, or choose another directory";
    assert_eq!(said("/i/{user}", "empty"), [want]);
}

/// The same host with a name service for its groups.
struct Remote(Small);

impl Host for Remote {
    fn groups(&self, account: &Account) -> Result<Vec<String>, Error> {
        self.0.groups(account)
    }
    fn primary_group(&self, account: &Account) -> Result<String, Error> {
        self.0.primary_group(account)
    }
    fn ranges(&self, account: &Account, kind: IdKind) -> Result<Vec<Range>, Error> {
        self.0.ranges(account, kind)
    }
    fn hostname(&self) -> Result<String, Error> {
        self.0.hostname()
    }
}

impl Facts for Remote {
    fn accounts(&self) -> &[Account] {
        self.0.accounts()
    }
    fn account(&self, name: &str) -> Option<Account> {
        self.0.account(name)
    }
    fn has_group(&self, name: &str) -> bool {
        self.0.has_group(name)
    }
    fn has_remote_groups(&self) -> bool {
        true
    }
    fn is_directory(&self, path: &Path) -> bool {
        self.0.is_directory(path)
    }
    fn exists(&self, path: &Path) -> bool {
        self.0.exists(path)
    }
    fn loose_above(&self, path: &Path) -> Option<(PathBuf, String)> {
        self.0.loose_above(path)
    }
    fn is_program(&self, path: &Path) -> bool {
        self.0.is_program(path)
    }
}

#[test]
fn confining_by_groups_that_may_be_away_is_warned_of_where_the_default_leaves_alone() {
    let warned = |facts: &dyn Facts, text: &str| {
        let policy = parse(text);
        let found = lint(&policy, facts);
        found
            .iter()
            .any(|one| one.to_string().contains("groups come from a name service"))
    };
    let alice = || Small(vec![account("alice", 1000)]);
    let by_group = "[[rule]]\nusers = ['@staff']\nprofile = 'standard'\n";
    let open = format!("default = 'none'\n{by_group}");
    assert!(warned(&Remote(alice()), &open));
    assert!(!warned(&alice(), &open));
    assert!(!warned(&Remote(alice()), by_group));
    let exempt = "[[rule]]\nusers = ['@staff']\nprofile = 'none'\n";
    assert!(!warned(&Remote(alice()), exempt));
    let by_name = "default = 'none'\n[[rule]]\nusers = ['alice']\nprofile = 'standard'\n";
    assert!(!warned(&Remote(alice()), by_name));
}

#[test]
fn a_private_directory_of_the_system_s_that_everybody_may_write_is_warned_of() {
    let warned = |path: &str| {
        let policy = parse(&format!("[profile.standard]\nprivate = [{path}]"));
        let found = lint(&policy, &Small(vec![account("alice", 1000)]));
        found
            .iter()
            .any(|one| one.to_string().contains("everybody may write to"))
    };
    assert!(warned("'/var'"));
    assert!(warned("'/var/lib'"));
    assert!(warned("{ path = '/etc/ssl', optional = true }"));
    assert!(!warned("{ path = '/var', mode = '0755' }"));
    assert!(!warned("'/var/tmp'"));
    assert!(!warned("'/tmp'"));
    assert!(!warned("'/scratch'"));
}

#[test]
fn a_bind_whose_source_anybody_may_make_is_warned_of() {
    let warned = |source: &str| {
        let bind =
            format!("binds = [{{ source = '{source}', target = '/work', optional = true }}]");
        let policy = parse(&format!("[profile.standard]\n{bind}\n"));
        let found = lint(&policy, &Small(vec![account("alice", 1000)]));
        let is_it = |line: &str| line.contains("a user has another one's logins refused");
        found.iter().any(|one| is_it(&one.to_string()))
    };
    assert!(warned("/scratch/{user}"));
    assert!(warned("/scratch/of-{user}/work"));
    assert!(!warned("/srv/{user}"));
    assert!(!warned("/scratch/common"));
}

#[test]
fn a_profile_that_is_entered_without_nsshell_leaves_roots_terminal_open_and_is_told_once() {
    let bob = Account {
        shell: "/bin/bash".into(),
        ..account("bob", 1001)
    };
    let host = Small(vec![account("root", 0), account("alice", 1000), bob]);
    let enters = |account: &Account| account.name != "bob";
    let said = |text: &str| -> Vec<String> {
        let found = open_terminals(&parse(text), &host, &enters);
        found.iter().map(ToString::to_string).collect()
    };
    let rule =
        |more: &str, keys: &str| format!("[[rule]]\n{more}profile = 'm'\n[profile.m]\n{keys}");
    let open = "root's su, runuser or sudo to one of its users, a process of the user's can stay \
                and go on reading root's terminal; have root use `su -P`, and sudo with `Defaults \
                use_pty`";
    let none = format!(
        "warning: profile `m` has no user namespace: after {open}; or add \"user\" to `namespaces`"
    );
    let bare = "namespaces = ['mount']\n";
    // once, however many rules choose it
    let twice = format!(
        "[[rule]]\nusers = ['bob']\nprofile = 'm'\n{}",
        rule("", bare)
    );
    assert_eq!(said(&twice), [format!("p.toml:7:14: {none}")]);
    for text in [
        "services = ['su*']\n",
        "services = ['sudo']\n",
        "services = ['!sshd']\n",
        "users = ['root', 'bob']\n",
    ] {
        let want = format!("p.toml:5:14: {none}");
        assert_eq!(said(&rule(text, bare)), [want], "{text}");
    }
    // told at the rule, where the built-in text has the namespaces
    let sftp = "[[rule]]\nprofile = 'm'\n[profile.m]\nextends = 'sftp-only'\nroot = '/'\n";
    assert_eq!(said(sftp), [format!("p.toml:2:11: {none}")]);
    // another login shell, of an account that gets the profile
    let shell = format!(
        "p.toml:4:19: warning: profile `m` does not require nsshell, and the login shell of `bob` \
         is /bin/bash: after {open}; or set require_nsshell = true"
    );
    let lax = "require_nsshell = false\n";
    assert_eq!(said(&rule("", lax)), [shell]);
    let quiet = [
        String::new(),
        rule("", ""),
        rule("users = ['alice']\n", lax),
        rule("services = ['sshd', 'login']\n", bare),
        rule("services = ['sshd']\n", lax),
        rule("users = ['root']\n", bare),
        rule("", "namespaces = []\n"),
        rule("", "namespaces = ['mount']\nmode = 'observe'\n"),
        "[profile.m]\nnamespaces = ['mount']\n".to_owned(),
        // a tree without any program, where su fails
        "[[rule]]\nprofile = 'sftp-only'\n".to_owned(),
    ];
    for text in quiet {
        assert_eq!(said(&text), [""; 0], "{text}");
    }
}
