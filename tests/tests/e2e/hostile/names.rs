//! Home directories as no administrator would want them.

use std::time::{Duration, Instant};

use nsshell_tests::{Builder, Host, root_or_skip};

use super::siege::harm;
use crate::attempt::logged;

/// What the profile of everybody does with the home directory.
const USES: [&str; 5] = [
    "private = ['{home}/x']",
    "home = 'read-only'",
    "home = 'ephemeral'",
    "hide_homes = ['/home']",
    "binds = [{ source = '{home}/x', target = '/mnt' }]",
];

fn builder(home: &str, keys: &str) -> Builder {
    Host::builder()
        .confined()
        .without_sshd()
        .policy(&format!("[profile.standard]\ntimeout = 2\n{keys}\n"))
        .file(
            "/root/hostile.c",
            0o644,
            include_str!("../../../apps/hostile.c"),
        )
        .prepare(
            "cc -O1 -o /usr/local/bin/hostile /root/hostile.c; mknod -m 666 /dev/fuse c 10 229",
        )
        .user_with("alice", |user| user.home(home))
}

/// Alice logs in, or is refused with a line that says why; within the limit, and root's /srv is
/// as it was.
fn in_or_refused(host: &Host, what: &str) -> Option<String> {
    host.run("mkdir -p /srv/victim; echo the secret of root > /srv/victim/x")
        .ok();
    let look = |host: &Host| {
        host.run("find /srv/victim -printf '%p %i %m %u %y\\n'")
            .ok()
    };
    let before = look(host);
    let started = Instant::now();
    let (output, lines) = logged(host, || {
        let line = "echo in; cat /mnt/x 2>/dev/null; true";
        host.argv(&["timeout", "-s", "KILL", "20", "su", "alice", "-c", line])
            .limit(Duration::from_secs(30))
            .output()
    });
    assert!(started.elapsed() < Duration::from_secs(10), "{what}");
    assert_eq!(look(host), before, "{what}");
    let text = output.text();
    if text.starts_with("in") {
        assert_eq!(harm(&text), None, "{what}");
        return None;
    }
    let refusal = lines.iter().find(|line| line.contains("refused: "));
    assert!(refusal.is_some(), "{what}: {output} {lines:?}");
    refusal.cloned()
}

#[test]
fn g7_a_home_of_any_name_is_served_or_refused_with_the_reason() {
    root_or_skip!();
    let long = format!("/home/{}", "h".repeat(255));
    let deep = format!("/home{}", "/deep".repeat(820));
    // (the home of the user database, whether it must be served)
    let homes = [
        ("/home/alice", true),
        ("/home/al ice", true),
        ("/home/al\\ice", true),
        ("/home/al,ice=x", true),
        ("/home/\u{e9}", true),
        (long.as_str(), true),
        (deep.as_str(), false),
        ("/home/../srv/victim", false),
        ("/home/./alice", false),
        ("//home/alice", false),
        ("home/alice", false),
        ("/", false),
    ];
    for keys in USES {
        for (home, served) in homes {
            let host = builder(home, keys).start();
            if served {
                host.argv(&["mkdir", &format!("{home}/x")])
                    .user("alice")
                    .output()
                    .ok();
            }
            let what = format!("{keys}, {home:.40}");
            let refused = in_or_refused(&host, &what);
            if served {
                assert_eq!(refused, None, "{what}");
            }
        }
    }
}

/// Names of a directory in alice's home that a path of the policy has, and whether it must be
/// served where the directory is hers.
fn odd_names() -> Vec<(&'static str, String, bool)> {
    vec![
        ("a newline", "a\nb".to_owned(), false),
        ("a quote and a backslash", "a\"b\\c".to_owned(), true),
        ("a space", "a b".to_owned(), true),
        ("an octal escape", "a\\040b".to_owned(), true),
        ("an escape sequence", "a\u{1b}[2Jb".to_owned(), false),
        ("255 bytes", "x".repeat(255), true),
        ("256 bytes", "x".repeat(256), false),
        ("4 kB in all", "y/".repeat(2030) + "y", false),
        ("..", "../alice/a".to_owned(), false),
        (".", "./a".to_owned(), false),
    ]
}

#[test]
fn g7_a_path_of_any_name_is_served_or_refused_with_the_reason() {
    root_or_skip!();
    let uses = [
        "private = [PATH]",
        "binds = [{ source = PATH, target = '/mnt' }]",
        "binds = [{ source = '/srv/victim', target = PATH }]",
        "private = [{ path = PATH, instance = '/srv/instances/{user}' }]",
        "expose = [PATH]",
        "hide_homes = [PATH]",
    ];
    let mut table = Vec::new();
    for keys in uses {
        let host = builder("/home/alice", "").start();
        host.run("install -d -m 700 /srv/instances").ok();
        // What hides something is never beneath a directory that the user can write.
        let hides = keys.starts_with("hide_homes");
        for (what, name, possible) in odd_names() {
            let path = format!("/home/alice/{name}");
            // A string of TOML is one of JSON.
            let quoted = serde_json::to_string(&path).unwrap();
            let keys = keys.replace("PATH", &quoted);
            let policy = format!("[profile.standard]\ntimeout = 2\n{keys}\n");
            host.cmd("cat > /etc/nsshell/nsshell.toml")
                .stdin(policy)
                .output()
                .ok();
            host.run("nsctl check >/dev/null 2>&1; true").ok();
            if possible {
                host.argv(&["mkdir", "-p", &path])
                    .user("alice")
                    .output()
                    .ok();
            }
            let what = format!("{} is {what}", keys.split(" =").next().unwrap_or_default());
            let refused = in_or_refused(&host, &what);
            if possible {
                assert_eq!(refused.is_some(), hides, "{what}: {refused:?}");
            }
            let word = refused.map_or("as planned", |_| "refused");
            table.push(format!("{what:<40} {word}"));
        }
    }
    let _ = std::io::Write::write_all(
        &mut std::io::stderr().lock(),
        (table.join("\n") + "\n").as_bytes(),
    );
}

#[test]
fn g7_a_home_that_is_missing_closed_a_file_or_hangs_never_blocks_a_login() {
    root_or_skip!();
    let faults = [
        ("missing", "rm -rf /home/alice"),
        ("closed", "chmod 0 /home/alice; chown root /home/alice"),
        (
            "a file",
            "rm -rf /home/alice; touch /home/alice; chown alice /home/alice",
        ),
        (
            "a link",
            "rm -rf /home/alice; ln -s /srv/victim /home/alice",
        ),
        (
            "a FIFO",
            "rm -rf /home/alice; mkfifo /home/alice; chown alice /home/alice",
        ),
        ("bob's", "chown nobody /home/alice"),
        (
            "not x",
            "rm -rf /home/alice/x; ln -s /srv/victim /home/alice/x",
        ),
    ];
    for keys in USES {
        for (fault, line) in faults {
            let host = builder("/home/alice", keys).start();
            host.run("mkdir -p /home/alice/x; chown -R alice /home/alice")
                .ok();
            host.run(line).ok();
            in_or_refused(&host, &format!("{keys}, {fault}"));
        }
        let host = builder("/home/alice", keys).start();
        let mut fuse = host
            .argv(&["hostile", "fuse", "/home/alice", "1000"])
            .spawn();
        fuse.expect("ready");
        let refused = in_or_refused(&host, &format!("{keys}, hangs"));
        // What reaches into it cannot be made, and the reason names the limit or what hung.
        assert!(refused.is_some_and(|line| line.contains("2 s")), "{keys}");
    }
}

#[test]
fn a_user_whose_home_cannot_be_served_is_the_only_one_who_is_refused() {
    root_or_skip!();
    let host = builder("/home/alice", "home = 'read-only'")
        .user("bob")
        .start();
    host.run("rm -rf /home/bob; touch /home/bob").ok();
    let login = |user: &str| {
        host.argv(&["su", user, "-c", "touch ~/x || echo in"])
            .output()
    };
    assert_eq!(login("alice").ok(), "in");
    assert!(
        login("bob").fails().contains("System error"),
        "bob's home is a file"
    );
}

#[test]
fn g7_a_home_whose_name_is_no_text_is_served_or_refused_with_the_reason() {
    root_or_skip!();
    for keys in USES {
        let host = builder("/home/alice", keys).start();
        host.run("mkdir /home/alice/x; chown alice /home/alice/x; mv /home/alice \"$(printf '/home/\\377')\"; \
            sed -i \"s,/home/alice,$(printf '/home/\\377'),\" /etc/passwd")
            .ok();
        in_or_refused(&host, &format!("{keys}, no text"));
        let home = host.run("getent passwd alice | cut -d: -f6 | od -c").ok();
        assert!(home.contains("377"), "{home}");
    }
}
