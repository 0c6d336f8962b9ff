//! A case for each key.

use super::{builder, differs, seen};
use nsshell_tests::{Host, root_or_skip, wait_for};

#[test]
fn read_only_holds_for_the_mounts_beneath_as_well() {
    root_or_skip!();
    let line = "for dir in /srv/open /srv/open/sub /srv/target; do touch $dir/new 2>/dev/null && echo $dir; done";
    let all = "/srv/open /srv/open/sub /srv/target";
    differs("read_only = ['/srv/open']", line, "/srv/target", all);
    // A single file, and one that is missing and may be.
    let policy = "read_only = ['/srv/config', { path = '/nowhere', optional = true }]";
    let make = |host: nsshell_tests::Builder| {
        host.prepare("install -o alice /dev/null /srv/config")
            .start()
    };
    let write = "{ echo new > /srv/config; } 2>/dev/null || echo refused; cat /srv/config";
    assert_eq!(seen(&make(builder(policy)), write), "refused");
    assert_eq!(seen(&make(builder("")), write), "new");
    let refused = builder("read_only = ['/nowhere']").start();
    refused.ssh("alice", "true").fails();
    refused.wait_for_log("cannot mount on /nowhere: No such file or directory; make it");
}

#[test]
fn a_read_only_system_leaves_what_is_the_session_s_own_and_the_terminal() {
    root_or_skip!();
    let line = "for dir in ~ /srv/open /srv/open/sub /tmp /dev/shm; do touch $dir/new 2>/dev/null && echo $dir; done";
    let all = "/home/alice /srv/open /srv/open/sub /tmp /dev/shm";
    differs("read_only = ['/']", line, "/tmp /dev/shm", all);
    for policy in ["read_only = ['/']", "read_only = ['/']\ndev = 'minimal'"] {
        let host = builder(policy).start();
        let mut terminal = host.ssh_pty("alice", "stat -c '%U %n' $(tty); echo over > $(tty)");
        assert!(terminal.expect("over").contains("alice /dev/pts/"));
    }
}

#[test]
fn what_is_masked_can_neither_be_read_nor_listed_nor_written() {
    root_or_skip!();
    let line = "cat /srv/secret /srv/vault/file 2>/dev/null; ls /srv/vault 2>/dev/null; stat -c '%a %s' /srv/secret; stat -c %a /srv/vault";
    let policy = "masked = ['/srv/secret', '/srv/vault', { path = '/nowhere', optional = true }]";
    differs(policy, line, "0 0 0", "secret secret file 644 7 755");
}

#[test]
fn what_is_unmounted_shows_what_lies_beneath() {
    root_or_skip!();
    let line = "ls /srv/open/sub; findmnt -n -o FSTYPE /srv/open/sub || echo none";
    let policy = "unmounted = ['/srv/open/sub', { path = '/srv/open', optional = true }]";
    differs(policy, line, "none", "file tmpfs");
    let refused = builder("unmounted = ['/srv/open']").start();
    refused.ssh("alice", "true").fails();
    refused.wait_for_log("cannot unmount /srv/open: it is no mount point");
}

#[test]
fn proc_shows_no_more_than_the_profile_says() {
    root_or_skip!();
    let line = "test -e /proc/cpuinfo && echo cpu; test -e /proc/1/comm && echo init; test -e /proc/self/comm && echo self";
    differs("proc = 'pids'", line, "init self", "cpu init self");
    for word in ["invisible", "ptraceable"] {
        differs(
            &format!("hidepid = '{word}'"),
            line,
            "cpu self",
            "cpu init self",
        );
    }
    let line = "test -e /proc/1 && echo there; cat /proc/1/comm 2>/dev/null";
    differs("hidepid = 'noaccess'", line, "there", "there nsshell-init");
}

#[test]
fn sys_is_read_only_or_shows_nothing_but_control_groups() {
    root_or_skip!();
    let line = "test -d /sys/kernel && echo kernel; test -e /sys/fs/cgroup/cgroup.procs && echo cgroup; \
                for dir in /sys /sys/fs/cgroup; do findmnt -n -o VFS-OPTIONS $dir | tail -n 1 | cut -d, -f1; done | sort -u";
    // The harness has it read-only; here as on a real host.
    let seen_by = |policy: &str| {
        let host = builder(policy)
            .prepare("mount -o remount,bind,rw /sys; mount -o remount,bind,rw /sys/fs/cgroup");
        seen(&host.start(), line)
    };
    assert_eq!(seen_by(""), "kernel cgroup rw");
    assert_eq!(seen_by("sys = 'read-only'"), "kernel cgroup ro");
    assert_eq!(seen_by("sys = 'hidden'"), "cgroup ro");
}

#[test]
fn a_minimal_dev_has_what_programs_expect_and_nothing_else() {
    root_or_skip!();
    let line = "ls -m /dev; echo x > /dev/null && head -c 1 /dev/zero | wc -c; head -c 1 /dev/urandom | wc -c; \
                touch /dev/shm/own && echo shm; touch /dev/new 2>/dev/null && echo new; ls /dev/mqueue; \
                script -qec 'readlink -e /proc/self/fd/0' /dev/null </dev/null | cut -c -8; test -e /dev/of-the-host && echo host";
    let policy = "dev = 'minimal'";
    let make = |policy| {
        builder(policy)
            .prepare("touch /dev/of-the-host /dev/shm/of-the-host /dev/mqueue/of-the-host")
    };
    let with = seen(&make(policy).start(), line);
    assert_eq!(
        with,
        "fd, full, log, mqueue, null, ptmx, pts, random, shm, stderr, stdin, stdout, tty, urandom, zero 1 1 shm /dev/pts"
    );
    assert!(seen(&make("").start(), line).ends_with("host"));
    // A terminal that is not in /dev/pts: login's own.
    let host = make(policy).start();
    host.run("ls /dev/pts >/dev/null").ok();
    // What the application says at the end still reaches the log.
    let mark = host.log().lines().count();
    host.ssh("alice", "logger from-inside").ok();
    host.wait_for_log("from-inside");
    wait_for("the end of the login in the log", || {
        host.log()
            .lines()
            .skip(mark)
            .any(|line| line.contains("session closed for user alice"))
    });
}

#[test]
fn homes_of_others_are_hidden() {
    root_or_skip!();
    let line = "ls /home; ls -d /home/bob 2>/dev/null; cd; pwd; touch own && echo wrote; touch /home/new 2>/dev/null && echo new";
    differs(
        "hide_homes = ['/home', { path = '/nowhere', optional = true }]",
        line,
        "alice /home/alice wrote",
        "alice bob /home/bob /home/alice wrote",
    );
}

#[test]
fn a_home_is_there_with_what_is_mounted_in_it_and_in_any_layout() {
    root_or_skip!();
    let builder = builder("hide_homes = ['/home']").prepare(
        "set -e; mkdir -p /home/staff; mv /home/alice /home/staff/alice; usermod -d /home/staff/alice alice
         mkdir -m 755 /home/staff/alice/disk; mount -t tmpfs disk /home/staff/alice/disk; touch /home/staff/alice/disk/file",
    );
    assert_eq!(
        seen(
            &builder.start(),
            "cd; pwd; ls ~/disk; find /home -maxdepth 2 | sort"
        ),
        "/home/staff/alice file /home /home/staff /home/staff/alice"
    );
}

#[test]
fn a_home_can_be_read_only() {
    root_or_skip!();
    let line = "cat ~/file; touch ~/new 2>/dev/null && echo wrote";
    let make = |policy| {
        builder(policy)
            .prepare("echo text > /home/alice/file")
            .start()
    };
    assert_eq!(seen(&make("home = 'read-only'"), line), "text");
    assert_eq!(seen(&make(""), line), "text wrote");
}

#[test]
fn a_private_directory_has_no_more_files_than_it_may() {
    root_or_skip!();
    let line = "cd /tmp; for i in 1 2 3 4 5 6 7 8 9; do touch $i 2>/dev/null || break; done; ls | wc -l; rm *";
    differs("private = [{ path = '/tmp', inodes = 5 }]", line, "4", "9");
}

#[test]
fn a_socket_that_is_exposed_answers() {
    root_or_skip!();
    let serve = "setpriv --reuid 1000 --clear-groups python3 -c '
import os, socket
s = socket.socket(socket.AF_UNIX); s.bind(\"/tmp/sock\"); s.listen()
os.mkdir(\"/tmp/theirs\")
if os.fork() == 0:
    while True: s.accept()[0].send(b\"hello\")
' </dev/null >/dev/null 2>&1; mkdir -m 1777 /tmp/.X11-unix; touch /tmp/.X11-unix/X0; mkdir /tmp/of-bob; chown bob /tmp/of-bob";
    let line = "python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect(\"/tmp/sock\"); print(s.recv(9).decode())' 2>/dev/null; ls -A /tmp /tmp/.X11-unix 2>/dev/null | tr '\\n' ' '";
    let policy =
        "expose = ['x11', '/tmp/sock', '/tmp/missing', '/tmp/of-bob', 'wayland', 'dbus-session']";
    let with = seen(&builder(policy).prepare(serve).start(), line);
    assert_eq!(with, "hello /tmp: .X11-unix sock  /tmp/.X11-unix: X0");
    let without = seen(&builder("").prepare(serve).start(), line);
    assert!(
        !without.contains("hello") && !without.contains("sock"),
        "{without}"
    );
}

#[test]
fn a_bind_takes_on_what_the_profile_says() {
    root_or_skip!();
    let line = "cd /srv/target; touch new 2>/dev/null && echo wrote; ./program -un 2>/dev/null; test -c device && { echo x > device; } 2>/dev/null && echo device; ls sub 2>/dev/null";
    let with = |options: &str| {
        let policy = format!(
            "binds = [{{ source = '/srv/open', target = '/srv/target', options = [{options}], recursive = true }}]"
        );
        seen(&builder(&policy).start(), line)
    };
    assert_eq!(with(""), "wrote alice device file");
    assert_eq!(with("'ro'"), "alice device file");
    assert_eq!(with("'noexec'"), "wrote device file");
    assert_eq!(with("'nodev'"), "wrote alice file");
    assert_eq!(with("'ro', 'nodev', 'noexec', 'nosuid'"), "file");
    let single = "binds = [{ source = '/srv/open', target = '/srv/target', recursive = false }]";
    assert_eq!(seen(&builder(single).start(), line), "wrote alice device");
    assert_eq!(seen(&builder("").start(), line), "wrote");
}

#[test]
fn a_bind_is_of_a_file_or_over_one_in_proc_or_back_into_a_private_directory() {
    root_or_skip!();
    let line = "cat /proc/uptime; cat /tmp/shared/file /etc/motd 2>/dev/null";
    let policy = "binds = [{ source = '/srv/secret', target = '/proc/uptime' },
        { source = '/srv/vault', target = '/tmp/shared' }, { source = '/srv/nowhere', optional = true },
        { source = '/srv/secret', target = '/etc/motd' }]";
    let make = |policy| builder(policy).prepare("echo host > /etc/motd").start();
    assert_eq!(seen(&make(policy), line), "secret secret secret");
    assert!(make("").ssh("alice", line).text().ends_with("host"));
    let refused = builder("binds = ['/srv/nowhere']").start();
    refused.ssh("alice", "true").fails();
    refused.wait_for_log("cannot bind /srv/nowhere: No such file or directory; make it");
    // Nothing is made on the host.
    let refused = builder("binds = [{ source = '/srv/vault', target = '/srv/new' }]").start();
    refused.ssh("alice", "true").fails();
    refused.wait_for_log("cannot mount on /srv/new: No such file or directory");
    assert!(!refused.run("ls /srv").ok().contains("new"));
}

#[test]
fn later_mounts_show_through_a_bind_as_its_propagation_says() {
    root_or_skip!();
    let later = |propagation: &str| {
        let policy = format!(
            "namespaces = ['mount', 'pid', 'ipc']\n\
             binds = [{{ source = '/srv/open', target = '/srv/target', propagation = '{propagation}' }}]"
        );
        let host = builder(&policy)
            .prepare("mount --bind /srv/open /srv/open && mount --make-shared /srv/open; mkdir -m 777 /srv/open/on /srv/open/back")
            .file("/etc/sudoers.d/alice", 0o440, "alice ALL=(ALL) NOPASSWD: ALL\n")
            .start();
        let mut alice = host.session("alice");
        host.run("mount -t tmpfs later /srv/open/on && touch /srv/open/on/inward")
            .ok();
        let inward = alice.ask("ls /srv/target/on").ok();
        // Root in the host layer, as nothing confines root here.
        let init = host.run("pgrep -x nsshell-init").ok();
        let enter = format!(
            "nsenter -m -t {} mount -t tmpfs back /srv/target/back && echo made",
            init.trim()
        );
        assert!(host.run(&enter).ok().contains("made"));
        let outward = host.run("findmnt -n -o FSTYPE /srv/open/back").text();
        (!inward.is_empty(), !outward.is_empty())
    };
    assert_eq!(later("private"), (false, false));
    assert_eq!(later("slave"), (true, false));
    assert_eq!(later("shared"), (true, true));
    let refused = builder(
        "binds = [{ source = '/srv/open', target = '/srv/target', propagation = 'shared' }]\nmasked = ['/srv/target/sub']",
    )
    .start();
    refused.ssh("alice", "true").fails();
    refused.wait_for_log("a mount on /srv/target/sub would show on the host");
}

#[test]
fn sftp_sees_what_a_shell_sees() {
    root_or_skip!();
    let policy = "hide_homes = ['/home']\nread_only = ['/srv/open']\nmasked = ['/srv/vault']";
    let seen = |host: &Host| {
        let batch = "-ls -1 /home\n-ls -1 /srv/vault\n-put /etc/hostname /srv/open/sub/new\n-put /etc/hostname own\n";
        ["", "-s sftp-external"].map(|options| {
            host.run("rm -f /srv/open/sub/new /home/alice/own").ok();
            let line = format!("sftp -q -b - {options} alice@127.0.0.1");
            let text = host.cmd(&line).stdin(batch).output().text();
            let written = host
                .run("ls /srv/open/sub/new /home/alice/own 2>/dev/null; true")
                .ok();
            (
                text.contains("bob"),
                text.contains("/srv/vault/file"),
                written.trim().replace('\n', " "),
            )
        })
    };
    let own = (false, false, "/home/alice/own".to_owned());
    assert_eq!(seen(&builder(policy).start()), [own.clone(), own]);
    let all = (true, true, "/home/alice/own /srv/open/sub/new".to_owned());
    assert_eq!(seen(&builder("").start()), [all.clone(), all]);
}
