//! Ways back to what a view has taken away (G3).

use super::{PREPARE, builder};
use nsshell_tests::{Host, Session, root_or_skip};

/// Every kind of mount at once.
const POLICY: &str = "read_only = ['/srv/open', '/usr']
masked = ['/srv/secret', '/srv/vault']
unmounted = ['/mnt']
hide_homes = ['/home']
dev = 'minimal'
sys = 'hidden'
proc = 'pids'
binds = [{ source = '/srv/plain', target = '/srv/target', options = ['ro', 'noexec', 'nodev', 'nosuid'], recursive = true }]";

/// Where nothing may be written, nor anything of what is hidden be seen.
const LOOK: &str = "for dir in /srv/open /srv/open/sub /srv/target /srv/target/sub /usr /home /dev $HOME/on/open $HOME/on/open/sub $HOME/on/target $HOME/on/usr $HOME/on/srv/open; do \
    touch $dir/gained 2>/dev/null && echo gained-write $dir; done; \
    cat /srv/secret /srv/vault/file $HOME/on/secret $HOME/on/vault/file 2>/dev/null | grep -q secret && echo gained-secret; \
    ls /home/bob $HOME/on/bob /dev/of-the-host $HOME/on/of-the-host /sys/kernel $HOME/on/kernel /mnt/of-the-mount $HOME/on/of-the-mount 2>/dev/null | grep -q . && echo gained-sight; \
    /srv/target/program 2>/dev/null && echo gained-run; true";

/// Shell lines; `$HOME/on` is an empty directory.
const ATTEMPTS: &[&str] = &[
    "umount /srv/open/sub; umount /srv/open; umount /usr; umount /srv/target/sub; umount /srv/target",
    "umount -l /srv/secret; umount -l /srv/vault; umount -l /home; umount -l /dev; umount -l /sys; umount -l /home/alice; umount -l /home",
    "umount -R -l /srv/open; umount -R -l /dev; umount -R -l /home; umount -R -l /sys; umount -R -l /",
    "for m in /srv/open /srv/open/sub /usr /srv/target /srv/target/sub /srv/secret /srv/vault /home /dev /sys; do mount -o remount,bind,rw,exec,dev,suid $m; done",
    "for m in /srv/open /srv/target /home /dev /sys; do mount -o remount,rw $m; done",
    "mount --make-rshared /; for m in /srv/open /srv/target /srv/vault /home /dev; do mount --move $m $HOME/on; done",
    "mount --bind /srv $HOME/on",
    "mount --rbind /srv $HOME/on; umount -l $HOME/on/open; umount -l $HOME/on/secret; umount -l $HOME/on/vault; umount -l $HOME/on/target",
    "mount --bind /home $HOME/on",
    "mount --bind /dev $HOME/on",
    "mount --bind /mnt $HOME/on",
    "mount --rbind / $HOME/on; umount -l $HOME/on/dev; umount -l $HOME/on/home; mount -o remount,bind,rw $HOME/on/usr",
    "mount -t overlay -o lowerdir=/srv:/usr on $HOME/on",
    "mount -t sysfs sysfs $HOME/on",
    "mount -t proc proc $HOME/on",
    "cd $HOME/on && mount -t tmpfs on . && mkdir old && pivot_root . old; cd /old/srv && ls vault",
    "cd $HOME/on && mount --rbind / . && pivot_root . . ; umount -l .; umount -l /srv/open; umount -l /home",
    "mknod $HOME/on/device c 1 1; mknod $HOME/on/disk b 254 0",
];

/// As the user, and with every capability over a mount namespace of the user's own.
const WAYS: [&str; 4] = [
    "sh -c",
    "unshare --user --map-root-user --mount sh -c",
    "unshare --user --map-root-user --mount --propagation unchanged sh -c",
    "unshare --user --map-current-user --keep-caps --mount --pid --fork sh -c",
];

const PLAIN: &str = "mkdir -p -m 777 /srv/plain/sub; cp -p /usr/bin/true /srv/plain/program; mount -t tmpfs -o mode=777 plain /srv/plain/sub
    mount -t tmpfs mnt /mnt; touch /mnt/of-the-mount /dev/of-the-host /home/bob/file; chmod 755 /home/bob";

fn gained(alice: &mut Session, way: &str, line: &str) -> String {
    let line = line.replace('\'', "");
    let text = alice
        .ask(&format!("{way} '{line}; {LOOK}' 2>/dev/null"))
        .text();
    text.lines()
        .filter(|line| line.starts_with("gained"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[test]
fn g3_nothing_opens_what_a_view_has_closed() {
    root_or_skip!();
    let host = builder(POLICY).prepare(PLAIN).start();
    let before = host.run("cat /proc/1/mountinfo").ok();
    let mut alice = host.session("alice");
    alice.ask("mkdir $HOME/on").ok();
    for way in WAYS {
        for line in ATTEMPTS {
            assert_eq!(gained(&mut alice, way, line), "", "{way}: {line}");
        }
    }
    assert_eq!(host.run("cat /proc/1/mountinfo").ok(), before);
    // The looking is sound: without the keys all of it is there.
    let control = builder("")
        .prepare(PLAIN)
        .prepare("chmod 777 /usr /home")
        .start();
    let mut alice = control.session("alice");
    let all = gained(&mut alice, WAYS[0], "true");
    for what in [
        "write /srv/open,",
        "write /srv/open/sub",
        "write /usr",
        "write /home",
        "secret",
        "sight",
    ] {
        assert!(all.contains(what), "{what}: {all}");
    }
}

/// Programs of chroot's two escapes and of descriptors kept from outside.
const PYTHON: &str = r#"
import os, sys
os.chdir(os.path.expanduser("~"))
found = []
def look(how):
    for path in ("srv/vault/file", "etc/of-the-host", "home/bob"):
        if os.path.exists(path): found.append(how + ":" + path)
def up(how):
    for _ in range(64): os.chdir("..")
    look(how)
def attempt(how, act):
    pid = os.fork()
    if pid == 0:
        try:
            act(how)
        except OSError: pass
        for one in found: print("gained", one)
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(pid, 0)
os.makedirs("jail/deep", exist_ok=True)
def cwd_outside(how):
    os.chroot("jail"); up(how)
def descriptor(how):
    fd = os.open("/", os.O_RDONLY); os.chroot("jail"); os.fchdir(fd); up(how)
def moved_out(how):
    os.mkdir("other") if not os.path.exists("other") else None
    if os.fork() == 0:
        os.chroot("jail"); os.chdir("deep"); os.rename("/deep", "/moved") ; up(how)
        for one in found: print("gained", one)
        sys.stdout.flush(); os._exit(0)
    os.wait()
def links(how):
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            for name in ("root", "cwd"):
                try:
                    os.chdir("/proc/%s/%s" % (pid, name)); look(how + name); up(how + name)
                except OSError: pass
            try:
                for fd in os.listdir("/proc/%s/fd" % pid):
                    try:
                        os.chdir("/proc/%s/fd/%s" % (pid, fd)); look(how + fd); up(how + fd)
                    except OSError: pass
            except OSError: pass
def kept(how):
    for fd in range(0, 256):
        try:
            os.fchdir(fd); up(how)
        except OSError: pass
def handle(how):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    class Handle(ctypes.Structure):
        _fields_ = [("size", ctypes.c_uint), ("kind", ctypes.c_int), ("data", ctypes.c_char * 128)]
    # Inode 2 is the root directory of most file systems on disk.
    import struct
    one = Handle(8, 1, struct.pack("II", 2, 0))
    mount = os.open("/usr", os.O_RDONLY)
    fd = libc.open_by_handle_at(mount, ctypes.byref(one), os.O_RDONLY)
    if fd >= 0: os.fchdir(fd); look(how)
for one in (cwd_outside, descriptor, moved_out, links, kept, handle): attempt(one.__name__, one)
print("done")
"#;

#[test]
fn g3_no_way_leads_out_of_another_root() {
    root_or_skip!();
    let tree = "set -e
        mkdir -m 755 -p /srv/jail/etc; mkdir -m 755 /srv/jail/usr; mount --bind /usr /srv/jail/usr
        for dir in bin sbin lib lib64; do if test -L /$dir; then ln -s usr/$dir /srv/jail/$dir; fi; done
        cp /etc/passwd /etc/group /srv/jail/etc; touch /etc/of-the-host; chmod 755 /home/bob";
    for kinds in ["'mount', 'ipc', 'pid'", "'mount', 'ipc', 'pid', 'user'"] {
        let policy = format!(
            "root = '/srv/jail'\nhide_homes = ['/home']\nnamespaces = [{kinds}]\nrequire_nsshell = false"
        );
        let host = builder(&policy)
            .prepare(tree)
            .file("/home/alice/try.py", 0o644, PYTHON)
            .start();
        for way in [
            "",
            "unshare --user --map-root-user ",
            "unshare --user --map-root-user --mount ",
        ] {
            let line = format!("{way}python3 try.py 2>/dev/null");
            assert_eq!(host.ssh("alice", &line).ok(), "done", "{kinds}: {way}");
            // Nor does the application leave open anything of the host's.
            let after_su = host.run(&format!("su - alice -c '{line}'"));
            assert_eq!(after_su.ok(), "done", "{kinds}: {way}");
            // And what root's own shell has left open, nsshell closes.
            let left_open = host.run(&format!("su - alice -c '{line}' </ 8</srv 9</"));
            assert_eq!(left_open.ok(), "done", "{kinds}: {way}");
        }
    }
    // The programs are sound: in a chroot each of the two classic ways leads out.
    let control = Host::builder()
        .confined()
        .user("alice")
        .user("bob")
        .prepare(PREPARE)
        .prepare(tree);
    let control = control.file("/root/try.py", 0o644, PYTHON).start();
    let found = control.run("mkdir -p /srv/jail/root /srv/jail/proc; cp try.py /srv/jail/root; chroot /srv/jail env HOME=/root python3 /root/try.py 2>&1 9</");
    let found = found.ok();
    for way in ["cwd_outside", "descriptor", "kept"] {
        assert!(found.contains(way), "{way}: {found}");
    }
}
