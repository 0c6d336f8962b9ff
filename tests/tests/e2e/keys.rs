//! Every key of the policy: with it a login is another one than without it, and so is its plan.

mod place;
mod view;

use nsshell_config::{
    BIND_KEYS, ENTRY_KEYS, HOME_KEYS, PRIVATE_KEYS, PROFILE_KEYS, RULE_KEYS, TOP_KEYS,
};
use nsshell_tests::{Host, root_or_skip};

/// A key, a policy that has it, and what of a login shows it.
struct Case {
    /// "profile.grace"
    key: &'static str,
    policy: &'static str,
    /// as root on the host; alice's login is in it
    look: &'static str,
    /// what that prints with the policy, and what with the one for comparison
    with: &'static str,
    without: &'static str,
    /// the policy for comparison
    other: &'static str,
}

const fn case(
    key: &'static str,
    policy: &'static str,
    look: &'static str,
    with: &'static str,
    without: &'static str,
) -> Case {
    Case {
        key,
        policy,
        look,
        with,
        without,
        other: "",
    }
}

/// A case that is compared with another policy than the built-in one.
const fn unlike(
    key: &'static str,
    policy: &'static str,
    other: &'static str,
    look: &'static str,
    with: &'static str,
    without: &'static str,
) -> Case {
    Case {
        key,
        policy,
        look,
        with,
        without,
        other,
    }
}

/// Whether alice is in a mount namespace of her own.
const CONFINED: &str = "test $(su alice -c 'readlink /proc/self/ns/mnt') = $(readlink /proc/self/ns/mnt) && echo no || echo yes";

const CASES: &[Case] = &[
    unlike(
        "rule.users",
        "[[rule]]\nusers = ['alice']\nprofile = 'none'",
        "[[rule]]\nusers = ['bob']\nprofile = 'none'",
        CONFINED,
        "no",
        "yes",
    ),
    unlike(
        "rule.uids",
        "[[rule]]\nuids = ['1000-1000']\nprofile = 'none'",
        "[[rule]]\nuids = ['5-6']\nprofile = 'none'",
        CONFINED,
        "no",
        "yes",
    ),
    unlike(
        "rule.services",
        "[[rule]]\nservices = ['su']\nprofile = 'none'",
        "[[rule]]\nservices = ['login']\nprofile = 'none'",
        CONFINED,
        "no",
        "yes",
    ),
    unlike(
        "rule.ttys",
        "[[rule]]\nttys = ['!*']\nprofile = 'none'",
        "[[rule]]\nttys = ['tty9']\nprofile = 'none'",
        CONFINED,
        "no",
        "yes",
    ),
    unlike(
        "rule.hosts",
        "[[rule]]\nhosts = ['!*']\nprofile = 'none'",
        "[[rule]]\nhosts = ['*']\nprofile = 'none'",
        CONFINED,
        "no",
        "yes",
    ),
    case(
        "rule.profile",
        "[[rule]]\nprofile = 'none'",
        CONFINED,
        "no",
        "yes",
    ),
    case(
        "top.rule",
        "[[rule]]\nprofile = 'none'",
        CONFINED,
        "no",
        "yes",
    ),
    case(
        "top.profile",
        "[profile.standard]\nhostname = 'inside'",
        "su alice -c hostname",
        "inside",
        "testhost",
    ),
    case("top.default", "default = 'none'", CONFINED, "no", "yes"),
    Case {
        key: "top.exempt",
        policy: "exempt = ['@alice']\n[profile.standard]\nranges = 'required'",
        look: "sed -i /alice/d /etc/subuid; su alice -c 'echo in' 2>/dev/null || echo out",
        with: "in",
        without: "out",
        other: "[profile.standard]\nranges = 'required'",
    },
    case(
        "profile.extends",
        "[profile.base]\nhostname = 'base'\n[profile.mine]\nextends = 'base'\n[[rule]]\nprofile = 'mine'",
        "su alice -c hostname",
        "base",
        "testhost",
    ),
    case(
        "profile.namespaces",
        "[profile.standard]\nnamespaces = ['mount', 'net']",
        "test $(su alice -c 'readlink /proc/self/ns/net') = $(readlink /proc/self/ns/net) && echo shared || echo own",
        "own",
        "shared",
    ),
    case(
        "profile.id_map",
        "[profile.standard]\nid_map = 'root'",
        "su alice -c 'id -u'",
        "0",
        "1000",
    ),
    Case {
        key: "profile.ranges",
        policy: "[profile.standard]\nranges = 'required'",
        look: "sed -i /alice/d /etc/subuid; su alice -c 'echo in' 2>/dev/null || echo out",
        with: "out",
        without: "in",
        other: "",
    },
    case(
        "profile.private",
        "[profile.standard]\nprivate = ['/srv']",
        "touch /srv/of-the-host; su alice -c 'ls /srv'",
        "",
        "of-the-host",
    ),
    case(
        "profile.runtime_dir",
        "[profile.standard]\nruntime_dir = false",
        "mkdir -p /run/user/of-the-host; su alice -c 'test -e /run/user/of-the-host && echo the host || echo own'",
        "the host",
        "own",
    ),
    case(
        "profile.hostname",
        "[profile.standard]\nhostname = '{user}-{hostname}'",
        "su alice -c hostname",
        "alice-testhost",
        "testhost",
    ),
    case(
        "profile.shell",
        "[profile.standard]\nshell = '/bin/sh'",
        "su alice -c 'echo $SHELL'",
        "/bin/sh",
        "/bin/bash",
    ),
    case(
        "profile.require_nsshell",
        "[profile.standard]\nrequire_nsshell = false",
        "usermod -s /bin/bash alice; su alice -c 'echo in' 2>/dev/null || echo out",
        "in",
        "out",
    ),
    case(
        "profile.grace",
        "[profile.standard]\ngrace = 0",
        "su alice -c 'setsid -f sh -c \"trap : TERM HUP; touch ~/up; while :; do sleep 1; done\"; while ! test -e ~/up; do sleep 0.05; done'; timeout 2 sh -c 'while pgrep -x nsshell-init >/dev/null; do sleep 0.05; done' && echo ended || echo waits",
        "ended",
        "waits",
    ),
    case(
        "profile.timeout",
        "[profile.standard]\ntimeout = 1",
        "printf '#!/bin/sh\\nsleep 4\\nexit 1\\n' > /usr/bin/newuidmap; timeout 3 su alice -c true >/dev/null 2>&1; test $? = 124 && echo waits || echo ended",
        "ended",
        "waits",
    ),
    case(
        "profile.on_failure",
        "[profile.standard]\non_failure = 'unconfined'",
        "rm /usr/bin/newuidmap; su alice -c 'echo in' 2>/dev/null || echo out",
        "in",
        "out",
    ),
    case(
        "profile.mode",
        "[profile.standard]\nmode = 'observe'",
        CONFINED,
        "no",
        "yes",
    ),
    case(
        "profile.scope",
        "[profile.standard]\nscope = 'session'",
        "su alice -c 'echo $NSSHELL_SESSION; echo; sleep 3' > /srv/one & until grep -q ^$ /srv/one; do sleep 0.1; done; test $(su alice -c 'echo $NSSHELL_SESSION') = $(head -n 1 /srv/one) && echo shared || echo own",
        "own",
        "shared",
    ),
    case(
        "profile.on_logout",
        "[profile.standard]\non_logout = 'keep'\ngrace = 1",
        "su alice -c 'touch /tmp/x; setsid -f sleep 100 >/dev/null 2>&1'; su alice -c 'ls /tmp'",
        "x",
        "",
    ),
    Case {
        key: "profile.keep_for",
        policy: "[profile.standard]\non_logout = 'keep'\nkeep_for = 1\ngrace = 0",
        look: "su alice -c 'touch /tmp/x; setsid -f sleep 100 >/dev/null 2>&1'; sleep 4; su alice -c 'ls /tmp'",
        with: "",
        without: "x",
        other: "[profile.standard]\non_logout = 'keep'\ngrace = 0",
    },
    case(
        "profile.max_sessions",
        "[profile.standard]\nmax_sessions = 1",
        "su alice -c 'echo; sleep 3' > /srv/one & until grep -q ^$ /srv/one; do sleep 0.1; done; su alice -c 'echo in' 2>/dev/null || echo out",
        "out",
        "in",
    ),
    case(
        "profile.max_lifetime",
        "[profile.standard]\nmax_lifetime = '1s'\ngrace = 1",
        "su alice -c 'sleep 4; echo in' 2>/dev/null; true",
        "",
        "in",
    ),
    case(
        "profile.idle",
        "[profile.standard]\nidle = 10\ngrace = 1",
        "(sleep 1; echo 'sleep 23 && echo in'; sleep 27) | script -qc 'su - alice' /dev/null 2>/dev/null | grep -o '^in'; true",
        "",
        "in",
    ),
    Case {
        key: "profile.on_policy_change",
        policy: "[profile.standard]\non_policy_change = 'refuse'",
        look: "su alice -c 'echo; sleep 3' > /srv/one & until grep -q ^$ /srv/one; do sleep 0.1; done; printf '\\ngrace = 1\\n' >> /etc/nsshell/nsshell.toml; su alice -c 'echo in' 2>/dev/null || echo out",
        with: "out",
        without: "in",
        other: "[profile.standard]\nid_map = 'keep'",
    },
    case(
        "private.path",
        "[profile.standard]\nprivate = [{ path = '/srv' }]",
        "touch /srv/of-the-host; su alice -c 'ls /srv'",
        "",
        "of-the-host",
    ),
    case(
        "private.size",
        "[profile.standard]\nprivate = [{ path = '/tmp', size = '64k' }]",
        "su alice -c 'head -c 1000000 /dev/zero > /tmp/x 2>/dev/null && echo fits || echo full'",
        "full",
        "fits",
    ),
    case(
        "private.mode",
        "[profile.standard]\nprivate = [{ path = '/tmp', mode = '0755' }]",
        "su alice -c 'stat -c %a /tmp'",
        "755",
        "1777",
    ),
    Case {
        key: "private.optional",
        policy: "[profile.standard]\nprivate = [{ path = '/not/there', optional = true }]",
        look: "su alice -c 'echo in' 2>/dev/null || echo out",
        with: "in",
        without: "out",
        other: "[profile.standard]\nprivate = [{ path = '/not/there' }]",
    },
];

fn all() -> impl Iterator<Item = &'static Case> {
    CASES.iter().chain(view::CASES)
}

#[test]
fn every_key_of_the_language_has_a_case_and_every_case_a_key() {
    let keys = |of: &str, keys: &[&str]| {
        keys.iter()
            .map(|key| format!("{of}.{key}"))
            .collect::<Vec<_>>()
    };
    let mut language = [
        keys("top", TOP_KEYS),
        keys("rule", RULE_KEYS),
        keys("profile", PROFILE_KEYS),
        keys("private", PRIVATE_KEYS),
        keys("home", HOME_KEYS),
        keys("bind", BIND_KEYS),
        keys("entry", ENTRY_KEYS),
    ]
    .concat();
    let mut cases: Vec<_> = all().map(|case| case.key.to_owned()).collect();
    language.sort_unstable();
    cases.sort_unstable();
    assert_eq!(cases, language);
}

/// The plan that the administrator is told of, but for where it is written; null if there is none.
fn plan(host: &Host) -> serde_json::Value {
    let told = host.run("nsctl explain alice --service su --json").text();
    let told: serde_json::Value = serde_json::from_str(&told).expect("one JSON value");
    let mut plan = told.get("plan").expect("what is planned").clone();
    if let Some(plan) = plan.as_object_mut() {
        plan.remove("matched");
    }
    plan
}

#[test]
fn with_a_key_a_login_is_another_one_than_without_it() {
    root_or_skip!();
    let mut faults = Vec::new();
    for case in all() {
        let mut plans = Vec::new();
        for (policy, wanted) in [(case.policy, case.with), (case.other, case.without)] {
            let host = Host::builder()
                .confined()
                .policy(policy)
                .user("alice")
                .without_sshd()
                .prepare("hostname testhost")
                .start();
            // An idle session shows itself after half a minute at the earliest.
            let look = host
                .cmd(case.look)
                .limit(std::time::Duration::from_secs(60));
            let mut planned = vec![plan(&host)];
            let got = look.output().text();
            // what a policy makes of a host that has changed counts as well
            planned.push(plan(&host));
            plans.push(planned);
            if got != wanted {
                faults.push(format!(
                    "{}: {policy:?} gives {got:?}, not {wanted:?}\n{}",
                    case.key,
                    host.log()
                ));
            }
        }
        if plans[0] == plans[1] {
            faults.push(format!("{}: both plans are {:?}", case.key, plans[0]));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for case in all() {
        assert!(case.with != case.without, "{} shows nothing", case.key);
    }
}
