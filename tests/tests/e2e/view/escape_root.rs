//! Ways out of another root (G3): the two classic ones of chroot, descriptors kept from outside,
//! links in /proc, handles of files, and another pivot_root.

use nsshell_tests::{Builder, Host, Running, root_or_skip};

use super::PREPARE;
use crate::disk::Disk;

/// Each attempt in a process of its own; what it has found of the host's is printed.
const TRY: &str = r#"
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
os.chdir(os.path.expanduser("~"))
found = []
def look(how):
    for path in ("srv/vault/file", "etc/of-the-host", "home/bob"):
        if os.path.exists(path): found.append(how + ":" + path)
def up(how):
    for _ in range(64): os.chdir("..")
    look(how)
def attempt(act):
    pid = os.fork()
    if pid == 0:
        try: act(act.__name__)
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
def links(how):
    for pid in os.listdir("/proc"):
        if not pid.isdigit(): continue
        names = ["root", "cwd"]
        try: names += ["fd/" + fd for fd in os.listdir("/proc/%s/fd" % pid)]
        except OSError: pass
        for name in names:
            try:
                os.chdir("/proc/%s/%s" % (pid, name)); look(how); up(how)
            except OSError: pass
def kept(how):
    for fd in range(0, 256):
        try: os.fchdir(fd); up(how)
        except OSError: pass
def handle(how):
    # That of a file of root's on the file system that the home is on, too.
    kind, data = open("handle").read().split()
    data = bytes.fromhex(data)
    raw = struct.pack("Ii", len(data), int(kind)) + data
    mount = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    fd = libc.open_by_handle_at(mount, ctypes.create_string_buffer(raw, len(raw)), os.O_RDONLY)
    if fd >= 0 and os.read(fd, 64).startswith(b"the secret"): found.append(how)
def pivot(how):
    # The root that was there before it is where this one was made from.
    os.makedirs("on", exist_ok=True)
    if libc.unshare(0x00020000): return
    PRIVATE = 0x44000
    if libc.mount(None, b"/", None, PRIVATE, None) or libc.mount(b"on", b"on", b"tmpfs", 0, None): return
    os.chdir("on"); os.mkdir("old")
    if libc.syscall(155, b".", b"old"): return
    up(how); os.chdir("/old"); look(how); up(how)
    libc.umount2(b"/old", 2); look(how); up(how)
for one in (cwd_outside, descriptor, links, kept, handle, pivot): attempt(one)
print("done")
"#;

/// Prints what a login needs of a file to open it by its handle.
const HANDLE: &str = r#"
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
raw = ctypes.create_string_buffer(8 + 128)
ctypes.memmove(raw, (128).to_bytes(4, "little"), 4)
if libc.name_to_handle_at(-100, sys.argv[1].encode(), raw, ctypes.byref(ctypes.c_int()), 0): sys.exit("no handle")
size = int.from_bytes(raw.raw[:4], "little")
print(int.from_bytes(raw.raw[4:8], "little"), raw.raw[8:8 + size].hex())
"#;

const TREE: &str = "set -e
    mkdir -m 755 -p /srv/jail/etc /srv/jail/usr /srv/jail/pub/deep; mount --bind /usr /srv/jail/usr
    for dir in bin sbin lib lib64; do if test -L /$dir; then ln -s usr/$dir /srv/jail/$dir; fi; done
    cp /etc/passwd /etc/group /srv/jail/etc; touch /etc/of-the-host; chmod 755 /home/bob
    mkdir -m 700 /srv/disk/closed; echo 'the secret' > /srv/disk/closed/secret
    python3 /root/handle.py /srv/disk/closed/secret > /home/alice/handle";

fn builder(disk: &Disk, policy: &str) -> Builder {
    disk.builder(policy)
        .prepare(PREPARE)
        .file("/root/handle.py", 0o644, HANDLE)
        .prepare(TREE)
        .file("/home/alice/try.py", 0o644, TRY)
}

fn policy(kinds: &str) -> String {
    format!(
        "[profile.standard]\nroot = '/srv/jail'\nhide_homes = ['/home']\nnamespaces = [{kinds}]\n\
         require_nsshell = false\n"
    )
}

const KINDS: [&str; 2] = ["'mount', 'ipc', 'pid'", "'mount', 'ipc', 'pid', 'user'"];

#[test]
fn g3_no_way_leads_out_of_another_root() {
    root_or_skip!();
    for kinds in KINDS {
        let disk = Disk::new();
        let host = builder(&disk, &policy(kinds)).start();
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
    // The program is sound: in a chroot of root's each of the ways leads out, and root has the
    // file by its handle.
    let disk = Disk::new();
    let control = builder(&disk, "").start();
    let line = "mkdir -p /srv/jail/root /srv/jail/proc; cp /home/alice/try.py /home/alice/handle /srv/jail/root
        mount -t proc proc /srv/jail/proc; mount --bind /srv/disk /srv/jail/pub; mkdir -p /srv/disk/home-of-root; cp /home/alice/handle /srv/disk/home-of-root
        chroot /srv/jail env HOME=/pub/home-of-root python3 /root/try.py 9</ </dev/null";
    let found = control.run(line).ok();
    for way in ["cwd_outside", "descriptor", "links", "kept", "handle"] {
        assert!(found.contains(&format!("gained {way}")), "{way}: {found}");
    }
    // In a chroot the kernel makes no other root.
    let found = control.run("HOME=/srv/jail/root python3 /home/alice/try.py");
    assert!(found.text().contains("gained pivot"), "{found}");
}

/// Stands in a directory of the tree, goes up from there once it is told to, and says what is at
/// the top.
const UP: &str = "cd /pub/deep && echo ready && read go && exec python3 -c 'import os
for _ in range(64):
    try: os.chdir(\"..\")
    except OSError: break
print(\"top\", os.path.exists(\"etc/of-the-host\"), \".\")'";

/// Whether somebody who is in a directory gets out when it is moved out of the tree.
fn gets_out(host: &Host, mut inside: Running) -> bool {
    inside.expect("ready");
    host.run("mv /srv/jail/pub/deep /srv/moved").ok();
    inside.send("\n");
    inside.expect("top ");
    let seen = inside.expect(" .");
    host.run("mv /srv/moved /srv/jail/pub/deep").ok();
    seen.contains("True")
}

#[test]
fn g3_a_directory_that_is_moved_out_of_the_tree_takes_nobody_along() {
    root_or_skip!();
    for kinds in KINDS {
        let disk = Disk::new();
        let host = builder(&disk, &policy(kinds)).start();
        assert!(!gets_out(&host, host.ssh_cmd("alice", &[], UP).spawn()));
        let su = host.argv(&["su", "-", "alice", "-c", UP]);
        assert!(!gets_out(&host, su.spawn()));
    }
    // The second of the classic ways out of a chroot.
    let disk = Disk::new();
    let control = builder(&disk, "").start();
    let chroot = control.argv(&["chroot", "/srv/jail", "sh", "-c", UP]);
    assert!(gets_out(&control, chroot.spawn()));
}
