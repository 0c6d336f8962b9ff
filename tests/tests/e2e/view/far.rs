//! Homes that come from another host: mounted on demand, and where root is nobody.

use nsshell_tests::{Builder, Host, Output, root_or_skip, wait_for};

use crate::attempt::logged;

/// Where a host has its homes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// autofs mounts each home when somebody goes there
    OnDemand,
    /// one file system for all of them, in which root is nobody, as NFS has it with root_squash
    Squashed,
    /// autofs mounts a home from such a file system
    Both,
}

use Layout::{Both, OnDemand, Squashed};

/// As systemd has it.
const SHARED: &str = "mount --make-rshared /\n";
const HOMES: &str = "set -e
    mkdir -p /srv/export /srv/far /srv/target /srv/skeleton; mv /home/* /srv/export
    cd /srv/export/alice; echo mine >mine; mkdir x; echo within >x/file; chown -R alice: .; cd /
    echo open >/srv/export/bob/open; chmod 755 /srv/export/bob; echo hello >/srv/skeleton/hello\n";
const SERVE: &str = "[ -e /dev/fuse ] || mknod -m 666 /dev/fuse c 10 229
    setsid -f squash /srv/export @ </dev/null >/run/squash.log 2>&1
    timeout 10 sh -c 'until mountpoint -q @; do :; done' || { cat /run/squash.log >&2; exit 1; }\n";
/// In a process group of this PID namespace: the kernel lets that of whoever mounts go on, and
/// has everybody else wait.
const AUTOMOUNT: &str = "[ -e /dev/autofs ] || mknod /dev/autofs c 10 235
    echo 'automount: files' >>/etc/nsswitch.conf
    echo '/home /etc/auto.home' >/etc/auto.master; echo '* -fstype=bind :@/&' >/etc/auto.home
    setsid -f automount --foreground </dev/null >/run/automount.log 2>&1
    timeout 10 sh -c 'until mountpoint -q /home; do :; done' || { cat /run/automount.log >&2; exit 1; }\n";

impl Layout {
    fn prepare(self) -> String {
        HOMES.to_owned()
            + &match self {
                OnDemand => AUTOMOUNT.replace('@', "/srv/export"),
                Squashed => SERVE.replace('@', "/home"),
                Both => (SERVE.to_owned() + AUTOMOUNT).replace('@', "/srv/far"),
            }
    }
}

fn builder(profile: &str) -> Builder {
    let squash = include_str!("../../../apps/squash.py");
    Host::builder()
        .confined()
        .policy(&format!("[profile.standard]\n{profile}\n"))
        .user("alice")
        .user("bob")
        .file("/usr/local/bin/squash", 0o755, squash)
}

fn start(layout: Layout, profile: &str) -> Host {
    builder(profile)
        .prepare(SHARED)
        .prepare(&layout.prepare())
        .start()
}

/// What alice sees over ssh and after su, which must agree, or why she is refused.
fn seen(host: &Host, line: &str) -> Result<String, String> {
    let one = |login: &dyn Fn() -> Output| {
        let (output, lines) = logged(host, login);
        let refusal = lines.iter().find_map(|line| line.split("refused: ").nth(1));
        match refusal {
            Some(why) => Err(why.split(" [event=").next().unwrap_or(why).to_owned()),
            None => Ok(output.text().replace('\n', " ").trim().to_owned()),
        }
    };
    let over_ssh = one(&|| host.ssh("alice", line));
    let after_su = one(&|| host.argv(&["su", "alice", "-c", line]).output());
    assert_eq!(over_ssh, after_su);
    over_ssh
}

const LINE: &str = "cd; (echo new >new) 2>/dev/null && cat new && rm new; cat mine hello 2>/dev/null; \
    ls /home; cat x/file x/hello /srv/target/file 2>/dev/null; true";

#[test]
fn a_home_is_reached_on_demand_and_with_the_user_s_ids_whatever_the_profile_makes_of_it() {
    root_or_skip!();
    let skeleton = "home = { kind = 'ephemeral', skeleton = '/srv/skeleton' }";
    let onto = "binds = [{ source = '/srv/skeleton', target = '{home}/x' }]";
    let from = "binds = [{ source = '{home}/x', target = '/srv/target' }]";
    let fuse = Err("since /home is on a FUSE file system");
    let overlay = Err(
        "root may not read it, as on NFS with root_squash, and an overlay needs that: \
                       give the ephemeral home a `skeleton`",
    );
    // (keys, where root may read it, where it may not)
    let cases = [
        ("", Ok("new mine # within"), None),
        ("hide_homes = ['/home']", Ok("new mine alice within"), None),
        ("home = 'read-only'", Ok("mine # within"), None),
        ("home = 'ephemeral'", Ok("new mine # within"), Some(overlay)),
        (skeleton, Ok("new hello #"), None),
        ("private = ['{home}/x']", Ok("new mine #"), None),
        (
            "hide_homes = ['/home']\nprivate = ['{home}/x']",
            Ok("new mine alice"),
            None,
        ),
        (onto, Ok("new mine # hello"), None),
        (from, Ok("new mine # within within"), None),
    ];
    for layout in [OnDemand, Squashed, Both] {
        // All homes are there, or those that somebody has gone to.
        let homes = if layout == Squashed {
            "alice bob"
        } else {
            "alice"
        };
        for (keys, plain, squashed) in cases {
            let host = start(layout, keys);
            let mounted = || host.run("grep -c ' /home/alice ' /proc/1/mountinfo").text();
            if layout != Squashed {
                assert_eq!(mounted(), "0", "before");
            }
            let want = match squashed.filter(|_| layout != OnDemand) {
                // What keeps the user from something must not be where FUSE can move it.
                None if layout == Squashed && keys == "home = 'read-only'" => fuse,
                None => plain,
                Some(other) => other,
            };
            let saw = seen(&host, LINE);
            match (want, &saw) {
                (Ok(want), Ok(saw)) => {
                    assert_eq!(*saw, want.replace('#', homes), "{layout:?} {keys}");
                }
                (Err(want), Err(saw)) => assert!(saw.contains(want), "{layout:?} {keys}: {saw}"),
                _ => panic!("{layout:?} {keys}: {saw:?}"),
            }
            // The test would notice: root gets there where nobody keeps root out, and nowhere else.
            let root = host.run("cat /home/alice/mine");
            if layout == OnDemand {
                assert_eq!(root.ok(), "mine");
            } else {
                assert!(root.fails().contains("Permission denied"), "{root}");
            }
            if layout != Squashed {
                assert_eq!(mounted(), "1", "after");
            }
        }
    }
}

#[test]
fn what_is_mounted_on_demand_later_shows_in_a_session_and_goes_and_comes_again() {
    root_or_skip!();
    for keys in ["", "private = ['{home}/x']", "hide_homes = ['/home']"] {
        let host = start(OnDemand, keys);
        let mounted = |whose: &str| {
            let line = format!("grep -q ' /home/{whose} ' /proc/1/mountinfo");
            host.run(&line).success()
        };
        let mut alice = host.session("alice");
        let bobs = alice.ask("cat /home/bob/open 2>/dev/null").text();
        let hidden = keys.starts_with("hide_homes");
        assert_eq!(
            (bobs.as_str(), mounted("bob")),
            if hidden { ("", false) } else { ("open", true) }
        );
        alice.ask("cd /").ok();
        let idle = host.session("alice");
        // It unmounts what nobody is using.
        host.run("pkill -USR1 -x automount").ok();
        wait_for("the end of what is unused", || !mounted("bob"));
        assert_eq!(alice.ask("cat ~/mine").ok(), "mine");
        idle.end().ok();
        alice.end().ok();
    }
}

#[test]
fn where_the_host_s_mounts_are_private_the_administrator_is_told_what_on_demand_needs() {
    root_or_skip!();
    let says = "what is mounted on demand in /home shows in no session";
    let why = "an automounter has this path, and what it mounts shows in no session while the \
               host's mounts are private: mount --make-rshared / at each boot";
    for keys in [
        "hide_homes = ['/home']",
        "home = 'read-only'",
        "home = 'ephemeral'",
        "read_only = ['/home/share/x']",
        "unmounted = [{ path = '/home/share/x', optional = true }]",
        "private = ['{home}/x']",
        "binds = [{ source = '{home}/x', target = '/srv/target' }]",
        "private = [{ path = '{home}/x', instance = '/srv/store/{user}' }]",
    ] {
        let host = builder(keys)
            .prepare(&OnDemand.prepare())
            .prepare("mkdir -p /srv/export/share/x")
            .start();
        let su = || host.argv(&["su", "alice", "-c", "cat ~/mine"]).output();
        let (output, lines) = logged(&host, su);
        output.fails();
        assert!(
            lines.iter().any(|line| line.contains(why)),
            "{keys}: {lines:?}"
        );
        let check = || host.run("nsctl check").complaint();
        let told = check();
        assert!(told.contains(says), "{told}");
        assert!(
            told.contains("/proc/self/mountinfo:") && told.contains(" - autofs "),
            "{told}"
        );
        // As told: then the automounter's mount point has to be made again.
        host.run("pkill -x automount").ok();
        wait_for("the automounter's end", || {
            !host.run("pgrep -x automount").success()
        });
        host.run(SHARED).ok();
        host.run(&AUTOMOUNT.replace('@', "/srv/export")).ok();
        assert_eq!(su().ok(), "mine", "{keys}");
        assert!(!check().contains(says));
    }
}
