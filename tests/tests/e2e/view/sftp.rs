//! Each feature as sftp sees it: sshd's own server for it stands in the host layer, and no
//! program of the user's is between.

use nsshell_tests::{Host, root_or_skip};

use super::PREPARE;
use crate::disk::Disk;

/// One feature.
struct Case {
    /// keys of everybody's profile
    policy: &'static str,
    /// the keys to compare with
    other: &'static str,
    /// root's, on the host, before
    prepare: &'static str,
    /// lines of sftp(1); each may fail
    batch: &'static str,
    /// what of the words below is seen with the keys, and without
    with: &'static str,
    without: &'static str,
    /// a line of root's, after: what there is on the host of what was written
    after: &'static str,
    /// what it prints with the keys, and without
    left: [&'static str; 2],
}

const fn case(
    policy: &'static str,
    prepare: &'static str,
    batch: &'static str,
    with: &'static str,
    without: &'static str,
) -> Case {
    Case {
        policy,
        other: "private = []",
        prepare,
        batch,
        with,
        without,
        after: "true",
        left: ["", ""],
    }
}

/// What the listings are searched for.
const WORDS: [&str; 7] = [
    "of-the-host",
    "of-bob",
    "of-the-mount",
    "of-the-store",
    "of-the-source",
    "meminfo",
    "kernel",
];

const CASES: &[Case] = &[
    Case {
        after: "ls /var/tmp | grep new",
        left: ["", "new"],
        ..case(
            "private = ['/tmp', '/var/tmp']",
            "touch /var/tmp/of-the-host",
            "put /etc/hostname /var/tmp/new\nls -1 /var/tmp\n",
            "",
            "of-the-host",
        )
    },
    Case {
        after: "ls /srv/disk/i/alice | grep new; ls /var/tmp | grep new",
        left: ["new", "new"],
        ..case(
            "private = [{ path = '/var/tmp', instance = '/srv/disk/i/{user}' }]",
            "install -d -m 700 /srv/disk/i; install -d -m 1777 /srv/disk/i/alice; touch /srv/disk/i/alice/of-the-store /var/tmp/of-the-host",
            "put /etc/hostname /var/tmp/new\nls -1 /var/tmp\n",
            "of-the-store",
            "of-the-host",
        )
    },
    Case {
        after: "ls /home/alice | grep new",
        left: ["", "new"],
        ..case(
            "home = 'ephemeral'",
            "touch /home/alice/of-the-host",
            "put /etc/hostname new\nls -1\n",
            "of-the-host",
            "of-the-host",
        )
    },
    Case {
        after: "ls /home/alice | grep new",
        left: ["", "new"],
        ..case(
            "home = { kind = 'ephemeral', skeleton = '/etc/lab' }",
            "install -d /etc/lab; touch /etc/lab/of-the-source /home/alice/of-the-host",
            "put /etc/hostname new\nls -1\n",
            "of-the-source",
            "of-the-host",
        )
    },
    Case {
        after: "ls /home/alice | grep new",
        left: ["", "new"],
        ..case(
            "home = 'read-only'",
            "touch /home/alice/of-the-host",
            "put /etc/hostname new\nls -1\n",
            "of-the-host",
            "of-the-host",
        )
    },
    case(
        "hide_homes = ['/home']",
        "chmod 755 /home/bob; touch /home/bob/of-bob",
        "ls -1 /home/bob\n",
        "",
        "of-bob",
    ),
    Case {
        after: "ls /srv/open /srv/open/sub | grep new",
        left: ["", "new new"],
        ..case(
            "read_only = ['/srv/open']",
            "",
            "put /etc/hostname /srv/open/new\nput /etc/hostname /srv/open/sub/new\n",
            "",
            "",
        )
    },
    case(
        "masked = ['/srv/shown']",
        "mkdir /srv/shown; touch /srv/shown/of-the-host",
        "ls -1 /srv/shown\n",
        "",
        "of-the-host",
    ),
    case(
        "unmounted = ['/srv/shown']",
        "mkdir /srv/shown; mount -t tmpfs -o mode=755 shown /srv/shown; touch /srv/shown/of-the-mount",
        "ls -1 /srv/shown\n",
        "",
        "of-the-mount",
    ),
    Case {
        after: "ls /srv/source | grep new; ls /srv/target | grep new",
        left: ["", "new"],
        ..case(
            "binds = [{ source = '/srv/source', target = '/srv/target', options = ['ro'] }]",
            "mkdir -m 1777 /srv/source; touch /srv/source/of-the-source",
            "put /etc/hostname /srv/target/new\nls -1 /srv/target\n",
            "of-the-source",
            "",
        )
    },
    Case {
        after: "stat -c %u /srv/disk/project/new 2>/dev/null",
        left: ["2000", ""],
        ..case(
            "binds = [{ source = '/srv/disk/project', target = '/srv/target', ids = 'owner' }]",
            "chmod 700 /srv/disk; mkdir -m 755 /srv/disk/project; touch /srv/disk/project/of-the-source; chown -R 2000:2000 /srv/disk/project",
            "put /etc/hostname /srv/target/new\nls -1 /srv/target\n",
            "of-the-source",
            "",
        )
    },
    case("proc = 'pids'", "", "ls -1 /proc\n", "", "meminfo"),
    case("sys = 'hidden'", "", "ls -1 /sys\n", "", "kernel"),
    case(
        "dev = 'minimal'",
        "touch /dev/of-the-host",
        "ls -1 /dev\n",
        "",
        "of-the-host",
    ),
    Case {
        other: "private = ['/tmp']",
        ..case(
            "expose = ['x11']",
            "mkdir -m 1777 /tmp/.X11-unix; touch /tmp/.X11-unix/of-the-host",
            "ls -1 /tmp/.X11-unix\n",
            "of-the-host",
            "",
        )
    },
];

/// Those of [`WORDS`] that a login by sftp sees, and what is on the host then.
fn seen(case: &Case, policy: &str) -> (String, String) {
    let disk = Disk::new();
    let host: Host = disk
        .builder(&format!("[profile.standard]\n{policy}\n"))
        .prepare(PREPARE)
        .prepare(case.prepare)
        .start();
    let mounts = host.run("cat /proc/1/mountinfo").ok();
    let batch: String = case
        .batch
        .lines()
        .map(|line| format!("-{line}\n"))
        .collect();
    let sftp = host
        .cmd("sftp -q -b - alice@127.0.0.1")
        .stdin(batch)
        .output()
        .ok();
    assert_eq!(host.run("cat /proc/1/mountinfo").ok(), mounts, "{policy}");
    // A listing names the files; the lines that sftp repeats begin with its prompt.
    let listed: Vec<&str> = sftp
        .lines()
        .filter(|line| !line.starts_with("sftp>"))
        .filter_map(|line| line.trim().rsplit('/').next())
        .collect();
    let words = WORDS.into_iter().filter(|word| listed.contains(word));
    let left = host.run(case.after).text();
    (
        words.collect::<Vec<_>>().join(" "),
        left.trim().replace('\n', " "),
    )
}

#[test]
fn every_feature_holds_for_sftp_as_for_a_shell() {
    root_or_skip!();
    for case in CASES {
        let (words, left) = seen(case, case.policy);
        assert_eq!(
            (&*words, &*left),
            (case.with, case.left[0]),
            "{}",
            case.policy
        );
        let (words, left) = seen(case, case.other);
        let policy = case.policy;
        assert_eq!(
            (&*words, &*left),
            (case.without, case.left[1]),
            "without {policy}"
        );
    }
}
