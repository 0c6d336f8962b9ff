//! Mounts in directories that the user can write: who can move a directory can move the mount on
//! it with it, from a mount namespace in which it is none (G3).

use super::builder;
use nsshell_tests::root_or_skip;

/// Moves `ro` out of the directory that the first argument names, and removes it if that cannot
/// be; first plainly, then from a mount namespace that has none of the session's mounts.
const TAKE_OFF: &str = r#"
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *args):
    if getattr(libc, name)(*args) != 0:
        raise OSError(ctypes.get_errno(), name)
above = os.open(sys.argv[1], os.O_RDONLY)
def attempt(how):
    for act in (lambda: os.rename("ro", "moved", src_dir_fd=above, dst_dir_fd=above),
                lambda: os.unlink("ro", dir_fd=above), lambda: os.rmdir("ro", dir_fd=above)):
        try:
            act()
            print(how, "took it off")
            sys.exit()
        except OSError as error:
            last = error
    print(how, "failed:", last.strerror)
attempt("in the session")
own = os.getuid(), os.getgid()
call("unshare", 0x10000000 | 0x20000)
for name, text in ("setgroups", "deny"), ("uid_map", "0 %d 1" % own[0]), ("gid_map", "0 %d 1" % own[1]):
    with open("/proc/self/" + name, "w") as file:
        file.write(text)
call("mount", b"new", b"/tmp", b"tmpfs", 0, None)
os.chdir("/tmp")
os.mkdir("old")
call("pivot_root", b".", b"old")
call("umount2", b"old", 2)
attempt("without mounts")
"#;

/// What comes of it in alice's session under these keys, with what `look` prints after it.
fn taken_off(keys: &str, prepare: &str, above: &str, look: &str) -> String {
    let host = builder(keys)
        .prepare(prepare)
        .file("/usr/local/lib/take-off.py", 0o644, TAKE_OFF)
        .start();
    let mut alice = host.session("alice");
    let tried = alice
        .ask(&format!("python3 /usr/local/lib/take-off.py {above} 2>&1"))
        .ok();
    let seen = alice.ask(look).text();
    format!("{tried}\n{seen}").trim().to_owned()
}

#[test]
fn g3_a_mount_in_the_user_s_own_directory_can_be_taken_off_and_is_for_the_user_s_sake_only() {
    root_or_skip!();
    // This is what it comes to, seen where nothing but the user's own comfort is lost.
    let own = "install -d -o alice /home/alice/ro; touch /home/alice/ro/of-the-host";
    let look = "ls /home/alice/moved/ 2>/dev/null; test -e ~/ro && echo there || echo gone";
    for keys in [
        "private = ['/home/alice/ro']",
        "binds = [{ source = '/srv/vault', target = '/home/alice/ro' }]",
    ] {
        let seen = taken_off(keys, own, "/home/alice", look);
        assert!(
            seen.starts_with(
                "in the session failed: Device or resource busy\nwithout mounts took it off"
            ),
            "{keys}: {seen}"
        );
        assert!(seen.ends_with("gone"), "{keys}: {seen}");
    }
}

#[test]
fn g3_what_keeps_the_user_from_something_is_refused_where_the_user_could_take_it_off() {
    root_or_skip!();
    let own = "install -d -o alice /home/alice/ro; install -o root -d /srv/open/root; \
               install -d -o alice /srv/open/alice; install -d -g alice -m 775 /srv/group; mkdir /srv/group/ro";
    let home = "/home/alice belongs to uid 1000";
    let refused = [
        ("read_only = ['/home/alice/ro']", home),
        ("masked = ['/home/alice/ro']", home),
        (
            "masked = [{ path = '/home/alice/missing', optional = true }]",
            home,
        ),
        ("hide_homes = ['/home/alice/ro']", home),
        (
            "unmounted = [{ path = '/home/alice/ro', optional = true }]",
            home,
        ),
        (
            "binds = [{ source = '/srv/vault', target = '{home}/ro', options = ['ro'] }]",
            home,
        ),
        (
            "binds = [{ source = '/home/alice/ro', options = ['noexec'] }]",
            home,
        ),
        (
            "read_only = ['/srv/open/alice']",
            "/srv/open can be written by others (mode 1777)",
        ),
        (
            "masked = ['/srv/group/ro']",
            "/srv/group can be written by others (mode 0775)",
        ),
    ];
    for (keys, why) in refused {
        let host = builder(keys).prepare(own).start();
        host.ssh("alice", "true").fails();
        host.wait_for_log(&format!("could be moved or taken off, since {why}"));
        let checked = host.run("nsctl check 2>&1").text();
        assert!(checked.contains("moved or taken off"), "{keys}: {checked}");
    }
    for keys in [
        // Of root's in a directory with the sticky bit, and in one of the session's own.
        "read_only = ['/srv/open/root']",
        "private = ['/tmp']\nbinds = [{ source = '/srv/vault', target = '/tmp/ro', options = ['ro'] }]",
        // For the user's own sake.
        "binds = [{ source = '/srv/vault', target = '/home/alice/ro', options = ['nosuid'] }]",
    ] {
        let host = builder(keys).prepare(own).start();
        host.ssh("alice", "true").ok();
        let checked = host.run("nsctl check 2>&1").text();
        assert!(!checked.contains("moved or taken off"), "{keys}: {checked}");
    }
}

#[test]
fn g3_what_is_read_only_or_masked_in_root_s_directories_stays_there() {
    root_or_skip!();
    let prepare = "mkdir -m 777 /srv/ro; mkdir -m 755 /srv/open/ro; chmod 1777 /srv/open; echo secret > /srv/ro/secret";
    let look = "touch /srv/ro/new 2>/dev/null && echo wrote; cat /srv/ro/secret 2>/dev/null; true";
    let failed = |seen: &str| {
        let lines: Vec<&str> = seen.lines().collect();
        assert!(
            lines.len() >= 2
                && lines[0].starts_with("in the session failed")
                && lines[1].starts_with("without mounts failed"),
            "{seen}"
        );
        lines[2..].join("\n")
    };
    let seen = taken_off("read_only = ['/srv/ro']", prepare, "/srv", look);
    assert_eq!(failed(&seen), "secret");
    let seen = taken_off("masked = ['/srv/ro']", prepare, "/srv", look);
    assert_eq!(failed(&seen), "");
    // The sticky bit keeps what is root's.
    let seen = taken_off("masked = ['/srv/open/ro']", prepare, "/srv/open", "true");
    assert_eq!(failed(&seen), "");
    let seen = taken_off("", prepare, "/srv", look);
    assert!(seen.ends_with("wrote\nsecret"), "{seen}");
    // A whole home is in a directory of root's.
    let keys = "home = 'read-only'";
    let own = "install -d -o alice /home/alice/ro";
    let seen = taken_off(
        keys,
        own,
        "/home/alice",
        "touch ~/new 2>/dev/null && echo wrote",
    );
    assert_eq!(failed(&seen), "");
    assert!(
        seen.contains("without mounts failed: Read-only file system"),
        "{seen}"
    );
}
