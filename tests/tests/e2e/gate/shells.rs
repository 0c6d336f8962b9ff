//! nsshell is not in /etc/shells: `su` and `chsh` let no user choose another shell then.

use nsshell_tests::{Host, PASSWORD, root_or_skip};

/// Root lists nsshell, as older versions of the product did.
const LIST: &str = "echo /usr/bin/nsshell >> /etc/shells";

/// The number of ids in the map of a user namespace of the host.
const ALL_IDS: &str = "4294967295";

/// Bob starts `line` and types alice's password; the answer of the shell that he gets.
fn as_bob(host: &Host, line: &str) -> String {
    let command = host.cmd(line).user("bob").env("SHELL", "/bin/bash");
    let mut su = command
        .env("LOOK", "cat /proc/self/uid_map; id -un; echo en''d")
        .pty();
    su.expect("assword: ");
    su.line(PASSWORD);
    su.expect("end\r\n")
}

#[test]
fn another_user_s_su_with_another_shell_leads_into_the_user_layer_all_the_same() {
    root_or_skip!();
    let host = Host::confined();
    let ways = [
        "exec su -s /bin/bash alice -c \"$LOOK\"",
        "exec su -m alice -c \"$LOOK\"",
        "exec su -m -s /bin/sh alice -c \"$LOOK\"",
    ];
    let in_user_layer = |way: &str| {
        let seen = as_bob(&host, way);
        assert!(seen.contains("alice\r\n"), "{way}: {seen}");
        !seen.contains(ALL_IDS)
    };
    assert_eq!(ways.map(in_user_layer), [true; 3]);
    // The control: with nsshell in the list, su takes the shell that it is told.
    host.run(LIST).ok();
    assert_eq!(ways.map(in_user_layer), [false; 3]);
}

#[test]
fn root_s_su_with_another_shell_stays_in_the_host_layer_as_root_has_chosen() {
    root_or_skip!();
    let host = Host::confined();
    let look = "cat /proc/self/uid_map; ps -o comm= -p 1; cat /proc/$$/comm; true";
    let su = "exec su -s /bin/bash alice -c \"$LOOK\"";
    let seen = host.cmd(su).env("LOOK", look).output().ok();
    assert!(seen.contains(ALL_IDS), "{seen}");
    assert!(seen.ends_with("\nnsshell-init\nbash"), "{seen}");
}

/// alice, outside of any session, wants another login shell; what that is then.
fn chsh(host: &Host) -> String {
    let mut chsh = host.cmd("exec chsh -s /bin/bash").user("alice").pty();
    let asks = ["assword: ", "may not change", "denied"];
    if chsh.expect_any(&asks).ends_with("assword: ") {
        chsh.line(PASSWORD);
    }
    chsh.wait();
    shell_of_alice(host)
}

fn shell_of_alice(host: &Host) -> String {
    host.run("getent passwd alice | cut -d: -f7").ok()
}

#[test]
fn chsh_takes_nsshell_from_no_user_and_root_gives_it() {
    root_or_skip!();
    let stack = "auth sufficient pam_rootok.so\nauth required pam_unix.so\n\
                 account required pam_unix.so\n";
    let host = Host::builder()
        .confined()
        .file("/etc/pam.d/chsh", 0o644, stack)
        .user("alice")
        .start();
    assert_eq!(chsh(&host), "/usr/bin/nsshell");
    host.run(LIST).ok();
    assert_eq!(chsh(&host), "/bin/bash", "the control");
    host.run("sed -i /nsshell/d /etc/shells").ok();
    for give in ["usermod -s /usr/bin/nsshell", "chsh -s /usr/bin/nsshell"] {
        host.run("usermod -s /bin/bash alice").ok();
        host.run(&format!("{give} alice")).ok();
        assert_eq!(shell_of_alice(&host), "/usr/bin/nsshell", "{give}");
    }
    assert!(
        !host
            .ssh("alice", "cat /proc/self/uid_map")
            .ok()
            .contains(ALL_IDS)
    );
}

#[test]
fn an_installation_takes_nsshell_out_of_the_list_of_an_older_one() {
    root_or_skip!();
    let host = Host::builder()
        .file(
            "/root/shells",
            0o755,
            include_str!("../../../../packaging/shells"),
        )
        .start();
    let before = host.run("cat /etc/shells").ok();
    assert!(!before.contains("nsshell"), "{before}");
    host.run("echo /usr/local/bin/nsshell >> /etc/shells").ok();
    let others = host
        .run("cat /etc/shells; stat -c '%a %U' /etc/shells")
        .ok();
    host.run(LIST).ok();
    for _ in 0..2 {
        host.run("/root/shells remove /usr/bin/nsshell").ok();
        let after = host.run("cat /etc/shells; stat -c '%a %U' /etc/shells");
        assert_eq!(after.ok(), others);
    }
    host.run("rm /etc/shells; /root/shells remove /usr/bin/nsshell; test ! -e /etc/shells")
        .ok();
    host.run("/root/shells add /usr/bin/nsshell").fails();
}

#[test]
fn a_service_with_pam_shells_takes_users_of_nsshell_by_the_line_of_the_manual_only() {
    root_or_skip!();
    let exempt = "auth [success=1 default=ignore] \\\n    \
                  pam_succeed_if.so quiet shell = /usr/bin/nsshell\n";
    let manual = include_str!("../../../../packaging/man/nsshell.1").replace("\\e\n", "\\\n");
    assert!(manual.contains(exempt), "the manual has another line");
    let rest = "auth required pam_shells.so\nauth required pam_permit.so\n";
    let host = Host::builder()
        .confined()
        .file("/etc/pam.d/ftp", 0o644, rest)
        .file("/etc/pam.d/ftp-exempt", 0o644, &format!("{exempt}{rest}"))
        .user("alice")
        .user_with("bob", |bob| bob.shell("/usr/sbin/nologin"))
        .user_with("carol", |carol| carol.shell("/bin/bash"))
        .start();
    let lets_in = |service: &str| {
        ["alice", "bob", "carol"].map(|user| {
            host.run(&format!("pamtester {service} {user} authenticate"))
                .success()
        })
    };
    assert_eq!(lets_in("ftp"), [false, false, true]);
    assert_eq!(lets_in("ftp-exempt"), [true, false, true]);
}
