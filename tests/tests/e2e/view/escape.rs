//! Ways back to what a view has taken away (G3): each kind of mount, taken off, remounted, moved,
//! bound elsewhere, and left behind by pivot_root.

use nsshell_tests::{Builder, Host, Session, root_or_skip};

use super::PREPARE;
use crate::disk::Disk;

/// A profile, and what it has closed.
struct View {
    keys: &'static str,
    /// the mounts that close something
    targets: &'static [&'static str],
    /// directories that root has made read-only, though everybody may write them
    writes: &'static [&'static str],
    /// files with something in them that are out of sight
    sights: &'static [&'static str],
}

const VIEWS: [View; 2] = [
    View {
        keys: "read_only = ['/srv/open', '/usr']
            masked = ['/srv/secret', '/srv/vault']
            unmounted = ['/mnt']
            hide_homes = ['/home']
            dev = 'minimal'
            sys = 'hidden'
            proc = 'pids'
            private = ['/tmp']
            binds = [{ source = '/srv/plain', target = '/srv/target', options = ['ro', 'noexec', 'nodev', 'nosuid'], recursive = true }]",
        targets: &[
            "/srv/open",
            "/srv/open/sub",
            "/usr",
            "/srv/secret",
            "/srv/vault",
            "/home",
            "/dev",
            "/sys",
            "/tmp",
            "/srv/target",
            "/srv/target/sub",
        ],
        writes: &[
            "/srv/open",
            "/srv/open/sub",
            "/usr",
            "/home",
            "/dev",
            "/srv/target",
            "/srv/target/sub",
        ],
        sights: &[
            "/srv/secret",
            "/srv/vault/file",
            "/home/bob/file",
            "/dev/of-the-host",
            "/sys/kernel/uevent_seqnum",
            "/tmp/of-the-host",
            "/mnt/of-the-mount",
        ],
    },
    View {
        keys: "home = 'read-only'
            masked = ['/proc/version']
            private = [{ path = '/var/tmp', instance = '/srv/disk/i/{user}' }, '/tmp']
            expose = ['x11']
            binds = [{ source = '/srv/plain/program', target = '/proc/uptime', options = ['ro'] },
                { source = '/srv/disk/closed/project', target = '/srv/target', ids = 'owner', options = ['ro'] }]",
        targets: &[
            "/home/alice",
            "/proc/version",
            "/var/tmp",
            "/tmp",
            "/srv/target",
        ],
        writes: &["/home/alice", "/srv/target"],
        sights: &["/proc/version", "/var/tmp/of-the-host", "/tmp/of-the-host"],
    },
];

/// Without the harness's second procfs, which a real host has not: the kernel would take it for a
/// sign that nothing of /proc is to be hidden.
const MORE: &str = "set -e
    umount /run/host/proc
    mkdir -p -m 777 /srv/plain/sub; cp -p /usr/bin/true /srv/plain/program; mount -t tmpfs -o mode=777 plain /srv/plain/sub
    mkdir -p -m 755 /srv/disk/closed/project; chmod 700 /srv/disk/closed; chown 2000:2000 /srv/disk/closed/project
    mount -t tmpfs mnt /mnt; for place in /mnt/of-the-mount /dev/of-the-host /home/bob/file /tmp/of-the-host /var/tmp/of-the-host; do echo shown > $place; done
    mkdir -m 1777 /tmp/.X11-unix; chmod 755 /home/bob; install -d -o alice -g alice /home/alice/on";

/// As the user, and with every capability over a mount namespace of the user's own.
const WAYS: [&str; 4] = [
    "sh -c",
    "unshare --user --map-root-user --mount sh -c",
    "unshare --user --map-root-user --mount --propagation unchanged sh -c",
    "unshare --user --map-current-user --keep-caps --mount --pid --fork sh -c",
];

/// As root in a copy of the host layer, where no mount is locked: what the attempts are worth.
const UNLOCKED: &str =
    "nsenter -m -t $(pgrep -x nsshell-init) unshare --mount env HOME=/home/alice sh -c";

impl View {
    fn builder(&self, disk: &Disk) -> Builder {
        disk.builder(&format!("[profile.standard]\n{}\n", self.keys))
            .file("/usr/local/bin/pivot", 0o755, PIVOT)
            .prepare(PREPARE)
            .prepare(MORE)
    }

    /// A line that says what is open again, at its place or in `$HOME/on`.
    fn look(&self) -> String {
        let places = |paths: &[&str]| -> String {
            paths
                .iter()
                .map(|path| {
                    let below = path.splitn(3, '/').nth(2);
                    let below = below.map(|rest| format!("$HOME/on/{rest}"));
                    format!("{path} $HOME/on{path} {} ", below.unwrap_or_default())
                })
                .collect()
        };
        format!(
            "for dir in {}; do test -d $dir && (: > $dir/gained) 2>/dev/null && echo gained-write $dir; done; \
             for file in {}; do grep -q . $file 2>/dev/null && echo gained-sight $file; done; true",
            places(self.writes),
            places(self.sights)
        )
    }

    /// Shell lines about one of the mounts.
    fn attempts_on(&self, target: &str) -> Vec<String> {
        let (above, name) = target.rsplit_once('/').unwrap_or(("", target));
        let above = if above.is_empty() { "/" } else { above };
        let all = (self.writes.iter().chain(self.sights)).copied();
        let all = all.collect::<Vec<_>>().join(" ");
        vec![
            format!("umount {target}"),
            format!("umount -l {target}"),
            format!("umount -R -l {target}"),
            format!("mount -o remount,bind,rw,exec,dev,suid {target}"),
            format!("mount -o remount,rw {target}"),
            format!("mount --make-rprivate /; mount --move {target} $HOME/on"),
            format!("mount --bind {above} $HOME/on"),
            format!(
                "mount --rbind {above} $HOME/on; umount -l $HOME/on/{name}; mount -o remount,bind,rw $HOME/on/{name}"
            ),
            format!("pivot {target} {all}"),
        ]
    }
}

/// Lines about no mount in particular; `$HOME/on` is an empty directory.
const ATTEMPTS: &[&str] = &[
    "umount -R -l /",
    "mount --make-rshared /; umount -R -l /",
    "mount -o remount,bind,rw /",
    "mount --rbind / $HOME/on; umount -R -l $HOME/on/srv",
    "mount -t overlay -o lowerdir=/srv:/usr on $HOME/on",
    "mount -t sysfs sysfs $HOME/on",
    "mount -t proc proc $HOME/on",
    "mount -t devtmpfs dev $HOME/on",
    "mount -t tmpfs on $HOME/on && mkdir $HOME/on/x && mount --rbind /srv $HOME/on/x && umount -R -l $HOME/on/x",
    "cd $HOME/on && mount --rbind / . && pivot_root . . ; umount -l .; umount -l /srv/open; umount -l /home",
    "mknod $HOME/on/device c 1 1; mknod $HOME/on/disk b 254 0",
];

/// Makes another root, and takes the mount off (or makes it writable) in the old one, where no
/// path of the mount namespace leads to any more: pivot TARGET PATH...
const PIVOT: &str = r#"#!/usr/bin/python3
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
target, paths = sys.argv[1], sys.argv[2:]
on = os.path.expanduser("~/on").encode()
NODEV_REMOUNT = 32 | 4096
libc.mount(b"on", on, b"tmpfs", 0, None)
os.chdir(on)
try: os.mkdir("old")
except OSError: sys.exit(0)
if libc.syscall(155, b".", b"old") != 0: sys.exit(0)
old = ("/old" + target).encode()
def look():
    for path in paths:
        try:
            if os.path.isdir("/old" + path):
                open("/old" + path + "/gained", "w").close()
                print("gained-pivot", path)
            elif open("/old" + path, "rb").read(1): print("gained-pivot", path)
        except OSError: pass
libc.mount(None, old, None, NODEV_REMOUNT, None)
look()
libc.umount2(old, 2)
look()
libc.umount2(b"/old", 2)
look()
sys.stdout.flush()
os._exit(0)
"#;

fn gains(output: &str) -> String {
    let gains = output.lines().filter(|line| line.starts_with("gained"));
    gains.collect::<Vec<_>>().join(", ")
}

fn gained(alice: &mut Session, way: &str, line: &str, look: &str) -> String {
    gains(
        &alice
            .ask(&format!("{way} '{line}; {look}' 2>/dev/null"))
            .text(),
    )
}

/// What root gains by the line where nothing is locked.
fn gained_unlocked(host: &Host, line: &str, look: &str) -> String {
    gains(
        &host
            .run(&format!("{UNLOCKED} '{line}; {look}' 2>/dev/null"))
            .text(),
    )
}

#[test]
fn g3_nothing_opens_what_a_view_has_closed() {
    root_or_skip!();
    for view in &VIEWS {
        let (disk, look) = (Disk::new(), view.look());
        let host = view.builder(&disk).start();
        let before = host.run("cat /proc/1/mountinfo").ok();
        let mut alice = host.session("alice");
        let on_targets = view
            .targets
            .iter()
            .flat_map(|target| view.attempts_on(target));
        let all: Vec<String> = on_targets
            .chain(ATTEMPTS.iter().map(|&line| line.to_owned()))
            .collect();
        for way in WAYS {
            for line in &all {
                assert_eq!(gained(&mut alice, way, line, &look), "", "{way}: {line}");
            }
        }
        assert_eq!(host.run("cat /proc/1/mountinfo").ok(), before);
        // The attempts are sound: each of the mounts gives way where it is not locked.
        assert_eq!(gained_unlocked(&host, "true", &look), "");
        for target in view.targets {
            let ways = view.attempts_on(target);
            let opened = ways
                .iter()
                .filter(|line| !gained_unlocked(&host, line, &look).is_empty());
            let opened = opened.count();
            assert!(opened >= 2, "{target}: {opened}");
        }
    }
}
