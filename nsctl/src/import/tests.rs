#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use nsshell_config::{Account, Error, Host, IdKind, Login, Mount, Policy, Range, resolve};

use super::{Failed, Text, translate};

fn text(name: &str, text: &[u8]) -> Text {
    Text {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

fn imported(conf: &str, pam: &[(&str, &str)]) -> String {
    let pam: Vec<_> = pam.iter().map(|(n, t)| text(n, t.as_bytes())).collect();
    match translate(&[text("c", conf.as_bytes())], &pam) {
        Ok(policy) => policy,
        Err(failed) => panic!("{conf}\n{failed:?}"),
    }
}

struct Nobody;

impl Host for Nobody {
    fn groups(&self, _: &Account) -> Result<Vec<String>, Error> {
        panic!("no policy from here depends on groups")
    }
    fn primary_group(&self, _: &Account) -> Result<String, Error> {
        panic!("no policy from here depends on groups")
    }
    fn ranges(&self, _: &Account, _: IdKind) -> Result<Vec<Range>, Error> {
        panic!("no policy from here has a user namespace")
    }
    fn hostname(&self) -> Result<String, Error> {
        panic!("no policy from here has a host name")
    }
}

const USERS: [(&str, u32); 6] = [
    ("root", 0),
    ("backup", 34),
    ("alice", 1000),
    ("bob", 1001),
    ("carol", 1002),
    ("nobody", 65534),
];

/// The private directories of a login; none if it is left alone.
fn view(policy: &str, user: (&str, u32), service: &str) -> Option<Vec<String>> {
    let policy = Policy::parse(policy, "p").unwrap();
    let account = Account {
        name: user.0.to_owned(),
        uid: user.1,
        gid: user.1,
        home: format!("/home/{}", user.0).into(),
        shell: "/bin/sh".into(),
    };
    let login = Login {
        service: service.to_owned(),
        ..Login::default()
    };
    let plan = resolve(&policy, &login, &account, &Nobody).unwrap();
    assert!(!plan.require_nsshell);
    let mounts = plan.session?.mounts;
    let target = |mount: &Mount| match mount {
        Mount::Tmpfs { target, .. } => target.display().to_string(),
        other => panic!("{other:?}"),
    };
    Some(mounts.iter().map(target).collect())
}

/// What pam_namespace mounts for a user, from the fields as they were made up: each mount
/// hides what is in its place or below, and in an empty one there is nothing to mount on.
fn model(lines: &[(String, bool, Vec<&str>)], user: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for (path, only, users) in lines {
        if users.contains(&user) != *only {
            continue;
        }
        let within = |outer: &str, inner: &str| inner.starts_with(&format!("{outer}/"));
        let path = path.replace("$USER", user);
        let path = path.replace("$HOME", &format!("/home/{user}"));
        if seen.iter().any(|outer: &String| within(outer, &path)) {
            continue;
        }
        seen.retain(|inner: &String| !within(&path, inner));
        seen.insert(path);
    }
    seen
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % limit
    }
    fn of<'t, T: ?Sized>(&mut self, choices: &[&'t T]) -> &'t T {
        choices[self.below(choices.len())]
    }
}

#[test]
fn every_user_gets_exactly_the_directories_that_pam_namespace_gives() {
    for seed in 1..400 {
        let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let paths = [
            "/tmp", "/var/tmp", "/srv/a", "/srv", "/s/$USER", "$HOME", "$HOME/x",
        ];
        let count = 1 + random.below(5);
        let lines: Vec<_> = (0..count)
            .map(|_| {
                let users = USERS.iter().filter(|_| random.below(3) == 0);
                let users: Vec<&str> = users.map(|user| user.0).collect();
                (random.of(&paths).to_owned(), random.below(3) == 0, users)
            })
            .collect();
        let line = |(path, only, users): &(String, bool, Vec<&str>)| {
            format!(
                "{path} x tmpfs {}{}\n",
                if *only { "~" } else { "" },
                users.join(",")
            )
        };
        let conf: String = lines.iter().map(line).collect();
        let policy = imported(&conf, &[]);
        let mut different = BTreeSet::from([model(&lines, "else")]);
        for user in USERS {
            let want = model(&lines, user.0);
            let got = view(&policy, user, "sshd").unwrap_or_default();
            let got: BTreeSet<_> = got.into_iter().collect();
            assert_eq!(got, want, "{user:?}\n{conf}\n{policy}");
            let generic = |path: &String| path.replace(user.0, "else");
            different.insert(want.iter().map(generic).collect());
        }
        // no profile too many
        different.remove(&BTreeSet::new());
        let profiles = policy.matches("[profile.").count();
        assert_eq!(profiles, different.len(), "{conf}\n{policy}");
        assert!(policy.matches("[[rule]]").count() <= different.len() + 1);
        // the systemd of a user belongs to no session, unless its service is named
        assert_eq!(view(&policy, USERS[2], "systemd-user"), None);
    }
}

#[test]
fn a_policy_for_services_is_for_no_other_service() {
    let line = "session required pam_namespace.so\n";
    let policy = imported(
        "/tmp x tmpfs bob\n",
        &[("/etc/pam.d/login", line), ("SSHD", line)],
    );
    let tmp = Some(vec!["/tmp".to_owned()]);
    for (user, service, want) in [
        (USERS[2], "sshd", &tmp),
        (USERS[2], "login", &tmp),
        (USERS[0], "login", &tmp),
        (USERS[1], "sshd", &tmp),
        (USERS[3], "sshd", &None),
        (USERS[2], "cron", &None),
        (USERS[0], "su", &None),
    ] {
        assert_eq!(view(&policy, user, service), *want, "{user:?} {service}");
    }
}

#[test]
fn pam_conf_names_the_service_in_each_line() {
    let pam = "sshd session required pam_namespace.so\nlogin session required pam_unix.so\n";
    let policy = imported("/tmp x tmpfs\n", &[("/etc/pam.conf", pam)]);
    assert!(policy.contains("services = [\"sshd\"]"), "{policy}");
}

#[test]
fn what_a_failure_comes_to_is_as_the_control_says() {
    let cases = [
        ("required", false),
        ("requisite", false),
        ("optional", true),
        ("OPTIONAL", true),
        ("sufficient", true),
        ("[default=ignore]", true),
        ("[success=ok default=ignore]", true),
        ("[default=ignore session_err=die]", false),
        ("[default=bad session_err=ignore]", true),
        ("[success=ok new_authtok_reqd=ok]", false),
    ];
    for (control, optional) in cases {
        let pam = format!("session {control} pam_namespace.so\n");
        let policy = imported("/tmp x tmpfs\n", &[("sshd", &pam)]);
        let found = policy.contains("on_failure = \"unconfined\"");
        assert_eq!(found, optional, "{control}\n{policy}");
    }
}

/// One attempt; a policy that does not hold is a fault of the importer.
fn attempt(conf: &[u8], pam: &[u8]) {
    let begun = Instant::now();
    for pam in [vec![], vec![text("sshd", pam)], vec![text("pam.conf", pam)]] {
        if let Err(Failed::Invalid(error)) = translate(&[text("c", conf)], &pam) {
            panic!("{error:#}\n{}", String::from_utf8_lossy(conf));
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{conf:?}");
}

#[test]
fn any_bytes_and_any_lines_are_imported_or_told_and_soon() {
    let words = [
        "/tmp",
        "/",
        "//",
        "/var/tmp/",
        "$HOME",
        "$USER",
        "$HOME/$USER",
        "/{home}",
        "/.",
        "..",
        "\"",
        "\"/a b\"",
        "\\",
        "\\n",
        "\\\"",
        "#",
        "tmpfs",
        "tmpdir",
        "user",
        "level",
        "context",
        "tmpfs:mntopts=size=",
        "10%",
        "0x7g",
        "99999999999999999999",
        ",mode=1777",
        ":create=0755",
        ":create=,a,b",
        ":iscript=x",
        ":noinit",
        ":shared",
        ":",
        "~",
        "root",
        "alice,bob",
        "@staff",
        ",",
        "1000",
        "é",
        "\u{202e}",
        "\u{0}",
        "\r",
        "\t",
        " ",
        "\n",
        "session",
        "optional",
        "[a=b",
        "]",
        "pam_namespace.so",
        "ignore_config_error",
        "unmnt_only",
        "x",
        "/dev",
        "/run/user/1",
    ];
    let usual = [
        "/tmp x tmpfs ",
        "$HOME x tmpfs:create ",
        "/a/$USER x tmpdir ",
        "/b /c/ user ",
        "~",
        "root",
    ];
    let pam = [
        "session ",
        "required ",
        "optional ",
        "pam_namespace.so ",
        "\n",
        "debug ",
    ];
    let end = Instant::now() + Duration::from_secs(3);
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut done = 0;
    while Instant::now() < end {
        let length = random.below(60);
        let bytes: Vec<u8> = (0..length)
            .map(|_| random.below(256).to_le_bytes()[0])
            .collect();
        let pick = |random: &mut Random, from: &[&str]| -> String {
            (0..random.below(40))
                .map(|_| random.of(from).to_owned())
                .collect()
        };
        let wild = pick(&mut random, &words);
        let lines: String = (0..random.below(12))
            .map(|_| {
                let line = random.of(&usual).to_owned();
                format!("{line}{}{}\n", random.of(&usual), random.of(&words))
            })
            .collect();
        let service = pick(&mut random, &pam);
        attempt(&bytes, &bytes);
        attempt(wild.as_bytes(), service.as_bytes());
        attempt(lines.as_bytes(), wild.as_bytes());
        done += 3;
    }
    assert!(done > 300, "{done} in three seconds");
}

#[test]
fn the_largest_files_are_imported_or_told_within_seconds() {
    let many =
        |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>();
    let users = many(200_000, &|n| format!("u{n},"));
    let cases = [
        format!("/tmp x tmpfs {users}\n"),
        many(100_000, &|n| format!("/d{n} x tmpfs u{n}\n")),
        many(256, &|n| format!("/d{n} x tmpfs ~u{n},v{n},{}\n", n % 7)),
        many(60, &|n| {
            format!("/d{n} x tmpfs {users}\n").replace("u7", &format!("w{n}"))
        }),
        many(256, &|_| "/tmp/a/b/c x tmpfs u\n".to_owned()),
        many(200_000, &|_| "/tmp x\n".to_owned()),
        "\\".repeat(1 << 20),
        format!("{} x tmpfs", "/a".repeat(1 << 20)),
        format!("/tmp x tmpfs:mntopts={}", "size=1,".repeat(1 << 17)),
        format!("/tmp x tmpfs{}", ":q".repeat(1 << 17)),
        "$HOME".repeat(1 << 18),
        "\"".repeat(1 << 20),
    ];
    for case in cases {
        let begun = Instant::now();
        let _ = translate(&[text("c", case.as_bytes())], &[]);
        let start: String = case.chars().take(60).collect();
        assert!(begun.elapsed() < Duration::from_secs(20), "{start}");
    }
    // many users of one rule
    let policy = imported(&format!("/tmp x tmpfs {users}\n"), &[]);
    assert_eq!(policy.matches("profile = \"none\"").count(), 20);
}
