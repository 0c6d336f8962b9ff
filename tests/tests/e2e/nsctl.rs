//! What `nsctl` says about the accounts of a host, and that their logins bear it out.

use nsshell_tests::{Builder, Host, root_or_skip};
use serde_json::Value;

/// alice can have what is planned; bob has another login shell, and so has dave, who is exempt;
/// carol has no subordinate ids, which her profile requires.
fn mixed(more: &str) -> Builder {
    let policy = format!(
        "exempt = ['@staff']\n[[rule]]\nusers = ['carol']\nprofile = 'strict'\n\
         [profile.strict]\nextends = 'standard'\nranges = 'required'\n{more}"
    );
    Host::builder()
        .confined()
        .without_sshd()
        .policy(&policy)
        .user("alice")
        .user_with("bob", |bob| bob.shell("/bin/bash"))
        .user_with("carol", |carol| carol.subordinate(&[]))
        .user_with("dave", |dave| dave.shell("/bin/bash"))
        .prepare("usermod -aG staff dave")
}

/// Exit status and output of one of these verbs.
fn json(host: &Host, line: &str) -> (Option<i32>, Value) {
    let verb = match line.contains("--diff") {
        true => "diff",
        false => line.split(' ').nth(1).unwrap(),
    };
    let output = host.run(line);
    (output.code(), output.json(verb))
}

fn names(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap();
    list.iter()
        .map(|one| one["user"].as_str().unwrap())
        .collect()
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

#[test]
fn check_lists_the_users_whose_logins_are_refused_and_those_who_are_spared() {
    root_or_skip!();
    let host = mixed("").start();
    let check = "nsctl check --users --service su";
    let (code, value) = json(&host, &format!("{check} --json"));
    assert_eq!(code, Some(1));
    assert_eq!(keys(&value), ["found", "refused", "spared", "unsure"]);
    let refused = names(&value["refused"]);
    assert_eq!(refused, ["bob", "carol"]);
    assert_eq!(names(&value["spared"]), ["dave"]);
    assert_eq!(keys(&value["refused"][0]), ["uid", "user", "why"]);
    assert_eq!(keys(&value["spared"][0]), ["by", "uid", "user", "why"]);
    assert_eq!(value["spared"][0]["by"], "exempt");
    for user in ["alice", "bob", "carol", "dave"] {
        let login = host.run(&format!("su {user} -c true"));
        assert_eq!(!login.success(), refused.contains(&user), "{user}: {login}");
    }
    let told = host.run(check).fails();
    for part in [
        "bob would be refused: the login shell of bob is /bin/bash, but profile \"standard\"",
        "carol would be refused: ",
        "dave would be left unconfined, as the user is exempt: the login shell of dave",
        "the policy: no errors, 2 users would be refused, 1 user would be left unconfined",
    ] {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
    // the remedies that it names
    host.run("usermod --shell /usr/bin/nsshell bob && nsctl ranges --allocate carol")
        .ok();
    let (code, value) = json(&host, &format!("{check} --json"));
    assert_eq!((code, names(&value["refused"])), (Some(0), vec![]));
    for user in ["bob", "carol"] {
        host.run(&format!("su {user} -c true")).ok();
    }
}

#[test]
fn nobody_is_refused_under_observation_and_check_says_who_would_be() {
    root_or_skip!();
    let host = mixed("mode = 'observe'\n[profile.standard]\nmode = 'observe'\n").start();
    let (code, value) = json(&host, "nsctl check --users --json");
    assert_eq!((code, names(&value["refused"])), (Some(0), vec![]));
    assert_eq!(names(&value["spared"]), ["bob", "carol", "dave"]);
    let by = |at: usize| value["spared"][at]["by"].as_str();
    assert_eq!([by(0), by(1), by(2)], [Some("mode"); 3]);
    for user in ["bob", "carol", "dave"] {
        host.run(&format!("su {user} -c true")).ok();
    }
}

#[test]
fn explain_says_whether_this_very_account_would_be_refused() {
    root_or_skip!();
    let host = mixed("").start();
    let explain = |user: &str| host.run(&format!("nsctl explain {user} --service su"));
    let alice = explain("alice");
    assert!(
        alice
            .ok()
            .contains("login shell  /usr/bin/nsshell, which enters the user namespace"),
        "{alice}"
    );
    let bob = explain("bob");
    assert_eq!(bob.code(), Some(1));
    let line = "login shell  /bin/bash, so the login is refused: only /usr/bin/nsshell enters";
    assert!(bob.text().contains(line), "{bob}");
    assert!(
        bob.complaint()
            .starts_with("nsctl: the login shell of bob is /bin/bash")
            && bob.complaint().contains("usermod --shell"),
        "{bob}"
    );
    let carol = explain("carol");
    assert_eq!(carol.code(), Some(1));
    assert!(
        carol.complaint().contains("nsctl ranges --allocate carol"),
        "{carol}"
    );
    let dave = explain("dave").ok();
    assert!(dave.contains("so the login stays unconfined"), "{dave}");

    let (code, value) = json(&host, "nsctl explain bob --service su --json");
    assert_eq!(code, Some(1));
    assert_eq!(
        keys(&value),
        [
            "chosen",
            "groups",
            "missed",
            "missed_before",
            "on_failure",
            "plan",
            "policy",
            "refused",
            "spared",
            "values"
        ]
    );
    assert!(value["refused"].as_str().unwrap().contains("/bin/bash"));
    assert_eq!(value["spared"], Value::Null);
    let (code, value) = json(&host, "nsctl explain dave --service su --json");
    assert_eq!((code, &value["spared"]), (Some(0), &Value::from("exempt")));
    let (code, value) = json(&host, "nsctl explain alice --service su --json");
    assert_eq!((code, &value["refused"]), (Some(0), &Value::Null));
}

#[test]
fn diff_tells_what_another_policy_changes_for_whom_and_changes_nothing() {
    root_or_skip!();
    let other = "[[rule]]\nusers = ['alice', 'bob']\nprofile = 'other'\n\
                 [[rule]]\nusers = ['carol']\nprofile = 'none'\n\
                 [profile.other]\nextends = 'standard'\ngrace = 9\nhostname = 'box'\n";
    let host = mixed("").file("/root/other.toml", 0o600, other).start();
    let diff = "nsctl explain --service su --diff";
    let told = host.run(&format!("{diff} /root/other.toml")).ok();
    // a login shell that cannot enter what is planned, then as now
    let shell = |profile: &str| {
        format!("refused: the login shell of {{user}} is /bin/bash, but profile \"{profile}\"")
    };
    let (was, is) = (shell("standard"), shell("other"));
    for part in [
        "1 account: alice\n",
        "1 account: bob\n    refused -> refused\n",
        &format!("    was {was}"),
        &format!("    {is}"),
        "    profile standard -> other\n",
        "    grace 5 -> 9\n",
        "    host name none -> box\n",
        "1 account: carol\n    refused -> profile none\n    was refused: user `{user}` has no ",
        // dave is exempt no more
        "1 account: dave\n    left unconfined -> refused\n    was left unconfined, as the user is \
         exempt: the login shell of {user} is ",
    ] {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
    assert!(
        told.lines()
            .last()
            .unwrap()
            .ends_with("accounts: nothing changes"),
        "{told}"
    );
    let (code, value) = json(&host, &format!("{diff} /root/other.toml --json"));
    assert_eq!(code, Some(0));
    assert_eq!(keys(&value), ["changed", "unchanged"]);
    let changed = value["changed"].as_array().unwrap();
    assert_eq!(changed.len(), 4);
    assert_eq!(keys(&changed[0]), ["accounts", "changes"]);
    let same = host.run(&format!("{diff} /etc/nsshell/nsshell.toml")).ok();
    assert_eq!(same.lines().count(), 1, "{same}");
    assert_eq!(
        host.run("su alice -c hostname").ok(),
        host.run("hostname").ok()
    );

    assert_eq!(host.run(&format!("{diff} /root/none.toml")).code(), Some(1));
    assert_eq!(
        host.run(&format!("{diff} /root/other.toml alice")).code(),
        Some(2)
    );
    assert_eq!(host.run("nsctl check --service su").code(), Some(2));
}

#[test]
fn faults_are_one_json_value_of_the_documented_shape() {
    root_or_skip!();
    let host = mixed("").start();
    let put = |text: &str| {
        let file = host.argv(&["tee", "/etc/nsshell/nsshell.toml"]);
        file.stdin(text.to_owned()).output().ok();
    };
    let place = [
        "column", "file", "help", "line", "message", "other", "severity",
    ];
    // what refuses the policy, all at once
    put("rules = 1\n[profile.standard]\ngrase = 1\n");
    let (code, value) = json(&host, "nsctl check --json --users");
    assert_eq!(code, Some(1));
    let found = value["found"].as_array().unwrap();
    assert_eq!(found.len(), 2);
    for (one, line) in found.iter().zip([1, 3]) {
        assert_eq!(keys(one), place);
        assert_eq!(
            (&one["line"], &one["severity"]),
            (&line.into(), &"error".into())
        );
    }
    // what is known of the host only
    put("[[rule]]\nusers = ['nobody-of-this-host']\nprofile = 'none'\n");
    let (code, value) = json(&host, "nsctl check --json");
    assert_eq!((code, names(&value["refused"])), (Some(0), vec![]));
    assert_eq!(keys(&value["found"][0]), place);
    assert_eq!(value["found"][0]["severity"], "warning");
}

#[test]
fn of_two_entries_of_a_name_the_first_counts_and_a_name_that_is_no_text_is_nobody() {
    root_or_skip!();
    let host = mixed("")
        .prepare("echo 'bob:x:7000:7000::/:/usr/bin/nsshell' >> /etc/passwd")
        .prepare("printf 'b\\377d:x:7001:7001::/:/bin/sh\\n' >> /etc/passwd")
        .prepare("echo 'erin:x:7002:7002::/:/bin/bash' >> /etc/passwd")
        .start();
    let (code, value) = json(&host, "nsctl check --users --service su --json");
    assert_eq!(code, Some(1));
    assert_eq!(names(&value["refused"]), ["bob", "carol", "erin"]);
    let uid = host.run("id -u bob").ok();
    assert_eq!(value["refused"][0]["uid"].to_string(), uid);
    // a group of the first entry's name, by a rule
    host.run("usermod -aG staff erin").ok();
    let (_, value) = json(&host, "nsctl check --users --service su --json");
    assert_eq!(names(&value["refused"]), ["bob", "carol"]);
    assert_eq!(names(&value["spared"]), ["dave", "erin"]);
}

#[test]
fn accounts_whose_values_differ_by_their_own_names_stand_together() {
    root_or_skip!();
    let other = "[profile.standard]\nhostname = '{user}-box'\n\
                 private = [{ path = '/tmp', instance = '/var/lib/nsshell/tmp/{user}' }]\n\
                 expose = ['dbus-session']\non_logout = 'keep'\n";
    let host = Host::builder()
        .confined()
        .without_sshd()
        .user("alice")
        .user("bob")
        .user("carol")
        .file("/root/other.toml", 0o600, other)
        .start();
    let told = host
        .run("nsctl explain --service su --diff /root/other.toml")
        .ok();
    for part in [
        "3 accounts: alice, bob, carol\n",
        "    host name none -> {user}-box\n",
        "    on logout it ends with its last login -> it stays while processes of it remain\n",
        "    mount /run/user/{uid}/bus: none -> the host's, if it is there\n",
        "    mount /tmp: empty, mode 1777, size 10% -> /var/lib/nsshell/tmp/{user}\n",
    ] {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
}

#[test]
fn what_a_template_makes_missing_for_a_user_is_found_before_it_refuses_the_login() {
    root_or_skip!();
    let policy = "[profile.standard]\nprivate = ['/tmp', '{home}/.cache']\n";
    let host = Host::builder()
        .confined()
        .without_sshd()
        .policy(policy)
        .user("alice")
        .user("bob")
        .user("carol")
        .prepare("install -d -o alice -g alice /home/alice/.cache")
        .prepare("rm -rf /home/carol")
        .start();
    let (code, value) = json(&host, "nsctl check --users --service su --json");
    assert_eq!((code, names(&value["refused"])), (Some(1), vec!["bob"]));
    assert_eq!(names(&value["unsure"]), ["carol"]);
    let why = "profile \"standard\" mounts on /home/bob/.cache, which does not exist; make it, or \
               say optional = true in the profile";
    assert_eq!(value["refused"][0]["why"], why);
    let told = host.run("nsctl check --users --service su").fails();
    for part in [
        "warning: carol may be refused: profile \"standard\" mounts on /home/carol/.cache, and the \
         home directory is not there yet\n",
        "the policy: no errors, 1 user would be refused, of 1 user it cannot be said",
    ] {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
    host.run("su alice -c true").ok();
    host.run("su bob -c true").fails();
    let bob = host.run("nsctl explain bob --service su");
    assert_eq!(bob.code(), Some(1));
    assert!(bob.complaint().contains(why), "{bob}");
    assert!(
        bob.text()
            .starts_with(&format!("result       refused: {why}\n")),
        "{bob}"
    );
    host.run("install -m 644 /dev/null /etc/nsshell/empty").ok();
    let diff = "--config /etc/nsshell/empty --diff /etc/nsshell/nsshell.toml";
    let told = host.run(&format!("nsctl explain --service su {diff}")).ok();
    let bob = "1 account: bob\n    profile standard -> refused\n    refused: profile \"standard\" \
               mounts on {home}/.cache, which does not exist";
    assert!(told.contains(bob), "{told}");
}

#[test]
fn links_and_missing_targets_are_told_by_check_and_refuse_the_login() {
    root_or_skip!();
    let policy = |keys: &str| format!("[profile.standard]\n{keys}\n");
    let host = Host::builder()
        .confined()
        .without_sshd()
        .user("alice")
        .policy("")
        .prepare("mkdir -p /srv/real/a && ln -s real /srv/link")
        .start();
    let cases = [
        (
            "private = ['/tmp', '/srv/link/a']",
            "/srv/link/a of profile `standard` leads over a symbolic link, which no session \
             follows; name /srv/real/a",
        ),
        ("masked = ['/srv/link']", "leads over a symbolic link"),
        (
            "binds = [{ source = '/etc', target = '/srv/link' }]",
            "leads over a symbolic link",
        ),
        (
            "binds = [{ source = '/etc', target = '/nowhere/at/all' }]",
            "/nowhere/at/all, the target of a bind of profile `standard`, does not exist",
        ),
    ];
    for (keys, told) in cases {
        let put = host.argv(&["tee", "/etc/nsshell/nsshell.toml"]);
        put.stdin(policy(keys)).output().ok();
        let check = host.run("nsctl check").fails();
        assert!(check.contains(told), "{keys}: {check}");
        host.run("su alice -c true").fails();
    }
    let put = host.argv(&["tee", "/etc/nsshell/nsshell.toml"]);
    put.stdin(policy("private = ['/tmp', '/srv/real/a']"))
        .output()
        .ok();
    host.run("nsctl check").ok();
    host.run("su alice -c true").ok();
}

#[test]
fn check_tells_of_terminals_that_are_left_open_and_of_the_kernels_switch() {
    root_or_skip!();
    let open = "can stay and go on reading root's terminal; have root use `su -P`";
    let note = "/proc/sys/dev/tty/legacy_tiocsti:1:1: note: any process of this host can type";
    let counted = |policy: &str, warnings: &str| {
        let host = Host::builder()
            .confined()
            .without_sshd()
            .policy(policy)
            .user("alice")
            .user_with("bob", |bob| bob.shell("/bin/bash"))
            .start();
        let told = host.run("nsctl check");
        assert!(told.success(), "{told}");
        let told = told.complaint();
        assert!(
            told.ends_with(&format!("the policy: no errors{warnings}")),
            "{told}"
        );
        assert_eq!(
            told.matches(open).count(),
            usize::from(!warnings.is_empty()),
            "{told}"
        );
        host
    };
    let one = ", 1 warning";
    counted("[profile.standard]\nnamespaces = ['mount', 'pid']\n", one);
    counted("[profile.standard]\nrequire_nsshell = false\n", one);
    let host = counted("", "");
    let told = |value: &str| {
        let mount = "mount --bind /root/value /proc/sys/dev/tty/legacy_tiocsti";
        host.run(&format!("echo {value} >/root/value && {mount}"))
            .ok();
        let (code, json) = json(&host, "nsctl check --json");
        let severity = |one: &Value| one["severity"].as_str().unwrap().to_owned();
        let found = json["found"].as_array().unwrap().iter().map(severity);
        let noted = found.collect::<Vec<_>>();
        let check = host.run("nsctl check");
        assert_eq!((code, check.code()), (Some(0), Some(0)), "{check}");
        host.run("umount /proc/sys/dev/tty/legacy_tiocsti").ok();
        (check.complaint().contains(note), noted)
    };
    if host
        .run("test -e /proc/sys/dev/tty/legacy_tiocsti")
        .success()
    {
        assert_eq!(told("0"), (false, vec![]));
        assert_eq!(told("1"), (true, vec!["note".to_owned()]));
    }
    host.run("mount -t tmpfs none /proc/sys/dev/tty").ok();
    let without = host.run("nsctl check");
    assert!(
        without.success() && !without.complaint().contains(note),
        "{without}"
    );
}

#[test]
fn rules_about_terminals_and_hosts_are_checked_with_the_login_that_is_named() {
    root_or_skip!();
    let policy = "[[rule]]\nhosts = ['192.0.2.0/24']\nttys = ['ssh']\nprofile = 'far'\n\
                  [profile.far]\nranges = 'required'\n";
    let host = Host::builder()
        .confined()
        .without_sshd()
        .policy(policy)
        .user_with("carol", |carol| carol.subordinate(&[]))
        .start();
    let refused = |more: &str| {
        let (_, value) = json(&host, &format!("nsctl check --users --json {more}"));
        names(&value["refused"]).len()
    };
    assert_eq!(refused(""), 0);
    assert_eq!(refused("--rhost 192.0.2.7"), 0);
    assert_eq!(refused("--rhost 192.0.2.7 --tty ssh"), 1);
}

/// Lines of /etc/group about alice that can be read in more than one way, or look so.
const ODD_GROUPS: &[&str] = &[
    "staff2:x:5001:alice",
    "#staff2:x:5001:alice\\nstaff2:x:5001:",
    "# staff2:x:5001:alice\\nstaff2:x:5001:",
    "staff2:x:5001: alice,bob",
    "staff2:x:5001:bob,\\talice",
    "staff2:x:5001:alice ,bob",
    "staff2:x:5001:malice,alice2,alic",
    "staff2:x:5001:alice:",
    " staff2:x:5001:alice",
    "staff2:x:5001:alice\\r",
    "staff2:x: 5001:alice",
    "staff2:x:+5001:alice",
    "staff2:x::alice",
    "staff2:x:5001",
    "staff2:x:4294967296:alice",
    "first:x:5001:bob\\nstaff2:x:5001:alice",
    "alice:x:5001:bob\\nstaff2:alice:5002:bob",
    "+staff2:x:5001:alice",
    "-:x:5001:alice",
    "staff2:x:5001:alice,alice\\nstaff3:x:5001:alice\\nstaff2:x:5002:alice",
];

#[test]
fn a_rule_sees_the_groups_that_the_c_library_gives_however_odd_the_file_is() {
    root_or_skip!();
    let policy = "[[rule]]\nusers = ['@none']\nprofile = 'none'\n";
    let host = Host::builder().confined().without_sshd();
    let host = host
        .policy(policy)
        .user("alice")
        .prepare("printf '%s: files\\n' passwd group shadow > /etc/nsswitch.conf")
        .start();
    host.run("cp /etc/group /etc/group.plain").ok();
    let mut several = 0;
    for lines in ODD_GROUPS {
        let line = format!("{{ cat /etc/group.plain; printf -- '{lines}\\n'; }} > /etc/group");
        host.run(&line).ok();
        // ids, each with the name that it has in the database, if it has one
        let asked = "for id in $(id -G alice); do getent group $id | cut -d: -f1; done | sort -u";
        let known = host.run(asked).ok();
        let (_, told) = json(&host, "nsctl explain alice --json");
        let told: Vec<&str> = told["groups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| group.as_str().unwrap())
            .collect();
        assert_eq!(told, known.lines().collect::<Vec<_>>(), "{lines}");
        several += usize::from(told.len() > 1);
    }
    assert!(several > 5 && several < ODD_GROUPS.len(), "{several}");
}
