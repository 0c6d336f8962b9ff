//! Ways out of a session that must lead nowhere.

use nsshell_tests::{Builder, Host, Session, root_or_skip};

/// Programs that make whoever runs them more than they are, and the right to use sudo.
fn with_privileged_programs(builder: Builder) -> Host {
    builder
        .user("alice")
        .user("bob")
        .prepare("install -m 4755 /usr/bin/id /usr/local/bin/set-uid-id")
        .prepare("install -m 2755 -g shadow /usr/bin/id /usr/local/bin/set-gid-id")
        .prepare("cp /usr/bin/head /usr/local/bin/capable-head; setcap cap_dac_read_search+ep /usr/local/bin/capable-head")
        .prepare("install -m 4755 /usr/bin/head /usr/local/bin/set-uid-head")
        .file("/etc/sudoers.d/alice", 0o440, "alice ALL=(ALL) NOPASSWD: ALL\n")
        .start()
}

#[test]
fn g4_no_set_id_or_capable_program_of_the_host_gives_anything() {
    root_or_skip!();
    let attempts = [
        ("a set-user-id program", "test $(set-uid-id -u) = 0"),
        ("a set-group-id program", "test $(set-gid-id -g) != 1000"),
        (
            "a program with a file capability",
            "capable-head -c 1 /etc/shadow",
        ),
        (
            "a set-user-id program that reads",
            "set-uid-head -c 1 /etc/shadow",
        ),
        ("sudo", "sudo -n true"),
        // In a user namespace of one's own one is root over one's own ids only.
        (
            "a nested user namespace",
            "unshare --user --map-root-user head -c 1 /etc/shadow || set-uid-head -c 1 /etc/shadow",
        ),
    ];
    let succeeding = |host: &Host| {
        let mut alice = host.session("alice");
        attempts
            .into_iter()
            .filter(|(_, line)| alice.ask(line).success())
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
    };
    let none = succeeding(&with_privileged_programs(Host::builder().confined()));
    assert_eq!(none, Vec::<&str>::new());
    let all = succeeding(&with_privileged_programs(Host::builder()));
    assert_eq!(all.len(), attempts.len(), "{all:?}");
}

/// A host with a secret under each place that a session has of its own.
fn with_secrets(host: Host) -> Host {
    host.run("for dir in /tmp /var/tmp /dev/shm /dev/mqueue; do touch $dir/of-the-host; done")
        .ok();
    host
}

/// Whether anything of the host's shows in the places where `line`, run in `shell`, has left it.
fn shows(session: &mut Session, line: &str) -> bool {
    session.ask(line).text().contains("of-the-host")
}

/// Shell lines that try to uncover what is hidden by a mount. `$HOME/on` is an empty directory.
const UNCOVERING: [&str; 8] = [
    "umount /tmp; umount /var/tmp; umount /dev/shm; umount /dev/mqueue",
    "umount -l /tmp; umount -l /var/tmp; umount -l /dev/shm",
    "umount -R /tmp; umount -R -l /dev",
    "mount --move /tmp $HOME/on",
    "mount --bind /var $HOME/on",
    "mount --rbind / $HOME/on; umount $HOME/on/tmp; umount -l $HOME/on/dev/shm",
    "mount -o remount,bind,rw /tmp; mount --make-rshared /; umount /tmp",
    "mount -t overlay -o lowerdir=/var:/usr on $HOME/on",
];

/// More of them; in the control, where the user's own mounts are hidden by nothing else, they
/// may or may not uncover something, so it says nothing about them.
const HOPELESS: [&str; 4] = [
    "mount --bind / $HOME/on",
    "mount --bind /dev $HOME/on",
    "mount -t overlay -o lowerdir=/:/usr on $HOME/on",
    "cd $HOME/on && mount -t tmpfs on . && mkdir old && pivot_root . old; ls old/tmp",
];

/// Shows what is in the places that a session has of its own, and where it may have come to.
const SHOW: &str = "ls /tmp /var/tmp /dev/shm /dev/mqueue $HOME/on $HOME/on/tmp $HOME/on/shm";

/// Ways to run such a line: as the user, and with every capability over a mount namespace of
/// the user's own.
const WAYS: [&str; 4] = [
    "sh -c",
    "unshare --user --map-root-user --mount sh -c",
    "unshare --user --map-root-user --mount --propagation unchanged sh -c",
    "unshare --user --map-current-user --keep-caps --mount --pid --fork sh -c",
];

#[test]
fn g3_nothing_uncovers_what_the_policy_s_mounts_hide() {
    root_or_skip!();
    let host = with_secrets(Host::confined());
    let before = host.run("cat /proc/1/mountinfo").ok();
    let mut alice = host.session("alice");
    alice.ask("mkdir $HOME/on").ok();
    for way in WAYS {
        for line in UNCOVERING.iter().chain(&HOPELESS) {
            assert!(
                !shows(&mut alice, &format!("{way} '{line}; {SHOW}'")),
                "{way}: {line}"
            );
        }
    }
    assert_eq!(host.run("cat /proc/1/mountinfo").ok(), before);
    // Each line does uncover what a user's own mounts, which nothing locks, hide.
    let control = with_secrets(Host::unconfined());
    let mut alice = control.session("alice");
    alice.ask("mkdir $HOME/on").ok();
    let hide = "for dir in /tmp /var/tmp /dev/shm /dev/mqueue; do mount -t tmpfs hidden $dir; done";
    assert!(!shows(&mut alice, &format!("{} '{hide}; {SHOW}'", WAYS[1])));
    for line in UNCOVERING {
        assert!(
            shows(&mut alice, &format!("{} '{hide}; {line}; {SHOW}'", WAYS[1])),
            "{line}"
        );
    }
}

#[test]
fn g1_nothing_of_the_init_or_of_sshd_leads_out() {
    root_or_skip!();
    let host = with_secrets(Host::confined());
    let mut alice = host.session("alice");
    let visible = alice.ask("pgrep -x sshd && pgrep -x nsshell-init").ok();
    assert!(visible.lines().count() >= 2, "{visible}");
    for pid in visible.lines() {
        for line in [
            format!("ls /proc/{pid}/root/tmp"),
            format!("ls /proc/{pid}/cwd/tmp"),
            format!("cat /proc/{pid}/environ | grep ."),
            format!("ls -l /proc/{pid}/fd | grep ' -> '"),
            format!("cat /proc/{pid}/mem"),
            format!("readlink /proc/{pid}/ns/mnt"),
            format!("nsenter --target {pid} --mount true"),
            format!("nsenter --target {pid} --pid true"),
            format!("nsenter --target {pid} --user --mount true"),
            format!("unshare --user --map-root-user nsenter --target {pid} --mount true"),
            format!("timeout 5 strace -p {pid} 2>&1 | grep attached"),
            format!(
                "unshare --user --map-root-user timeout 5 strace -p {pid} 2>&1 | grep attached"
            ),
        ] {
            assert!(!alice.ask(&line).success(), "{line}");
        }
    }
    // What these lines do is possible: with a process of one's own each succeeds.
    alice.ask("sleep 1000 >/dev/null 2>&1 &").ok();
    for line in [
        "ls /proc/$pid/root/tmp",
        "readlink /proc/$pid/ns/mnt",
        "ls -l /proc/$pid/fd | grep ' -> '",
        "cat /proc/$pid/environ | grep .",
        "timeout 1 strace -p $pid 2>&1 | grep attached",
    ] {
        // Its environment is in place a moment after its start.
        nsshell_tests::wait_for(line, || {
            alice
                .ask(&format!("pid=$(pgrep -x sleep) && {line}"))
                .success()
        });
    }
}

#[test]
fn g1_a_session_that_kills_all_it_can_ends_nothing_but_itself() {
    root_or_skip!();
    let host = Host::confined();
    let before = host.census();
    let mut bob = host.session("bob");
    bob.ask("sleep 1000 >/dev/null 2>&1 &").ok();
    for line in [
        "kill -9 -1",
        "unshare --user --map-root-user kill -9 -1",
        "kill -9 1; kill -TERM 1; kill -9 -1",
    ] {
        let _ = host.ssh("alice", line);
    }
    bob.ask("pgrep -x sleep").ok();
    assert!(bob.end().success());
    host.ssh("alice", "true").ok();
    host.wait_for_nothing_left(&before);
}

#[test]
fn g1_the_init_survives_its_own_session_s_signals() {
    root_or_skip!();
    let host = Host::confined();
    let mut alice = host.session("alice");
    alice
        .ask("for signal in TERM INT HUP KILL STOP USR1 SEGV CHLD; do kill -$signal 1; done; true")
        .ok();
    assert!(alice.ask("ps -o stat= -p 1").ok().starts_with('S'));
    alice
        .ask("sh -c 'exec true & exit'; sleep 0.1; ps -e -o stat= | grep Z")
        .fails();
}

#[test]
fn g3_no_process_of_root_stands_in_a_mount_namespace_that_a_user_owns() {
    root_or_skip!();
    let host = Host::confined();
    let mut alice = host.session("alice");
    // Owner of the namespace by ioctl_ns(2), which lsns asks: the user namespace's own number.
    let owner = |namespace: &str| {
        let number = namespace.trim_start_matches("mnt:[").trim_end_matches(']');
        host.run(&format!(
            "lsns --noheadings --type mnt --output NS,ONS | awk '$1 == {number} {{ print $2 }}'"
        ))
        .ok()
    };
    let of_host = host.run("stat -L -c %i /proc/1/ns/user").ok();
    let of_shell = alice.ask("readlink /proc/self/ns/mnt").ok();
    assert_ne!(owner(&of_shell), of_host, "the shell's is the user's own");
    let monitor = "$(pgrep -f '^sshd: alice [[]priv[]]')";
    let of_monitor = host.run(&format!("readlink /proc/{monitor}/ns/mnt")).ok();
    assert_eq!(owner(&of_monitor), of_host);
    assert_ne!(
        of_monitor,
        host.run("readlink /proc/1/ns/mnt").ok(),
        "the monitor is in the session's host layer"
    );
    // Not the namespace of the user, and what is mounted there does not come into it.
    alice.ask("unshare --user --map-root-user --mount sh -c 'mount -t tmpfs planted /etc && mount | grep planted'").ok();
    assert!(
        !host
            .run(&format!("cat /proc/{monitor}/mountinfo"))
            .ok()
            .contains("planted")
    );
}
