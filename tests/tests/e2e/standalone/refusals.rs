//! What keeps alice from making a session, and whether she is told what to do about it.

use nsshell_tests::{Cmd, Host, root_or_skip};

use super::{alice, builder, host, in_session, with_policy};

/// The one line of a refusal. No shell has run.
#[track_caller]
fn refusal(command: Cmd) -> String {
    let output = command.output();
    assert_eq!(
        (output.code(), output.text().as_str()),
        (Some(125), ""),
        "{output}"
    );
    let complaint = output.complaint();
    assert!(
        complaint.starts_with("nsshell: ") && complaint.lines().count() == 1,
        "{complaint}"
    );
    complaint["nsshell: ".len()..].to_owned()
}

fn refused(host: &Host) -> String {
    refusal(alice(host, "nsshell -c 'echo ran'"))
}

#[test]
fn no_user_namespaces_are_left() {
    root_or_skip!();
    let host = host();
    // The limit is of each user namespace: this one is alice's own, not the machine's.
    let line = "unshare --user --map-current-user --keep-caps --mount --pid --fork --mount-proc \
        sh -c 'echo 0 > /proc/sys/user/max_user_namespaces && nsshell -c \"echo ran\"'";
    assert_eq!(
        refusal(alice(&host, line)),
        "cannot make namespaces of your own: No space left on device; a limit is reached: see the \
         max_*_namespaces files in /proc/sys/user, for user namespaces `sysctl \
         user.max_user_namespaces`"
    );
}

#[test]
fn unprivileged_user_namespaces_are_forbidden() {
    root_or_skip!();
    let host = host();
    let line = "strace -f -o /dev/null -e inject=clone3:error=EPERM:when=1 nsshell -c 'echo ran'";
    assert_eq!(
        refusal(alice(&host, line)),
        "cannot make namespaces of your own: Operation not permitted; unprivileged user \
         namespaces may be forbidden: see `sysctl kernel.unprivileged_userns_clone` (Debian) and \
         `kernel.apparmor_restrict_unprivileged_userns` (Ubuntu); a chrooted process may make \
         none either"
    );
    let line = "strace -f -o /dev/null -e inject=clone3:error=EAGAIN:when=1 nsshell -c 'echo ran'";
    assert!(refusal(alice(&host, line)).ends_with("`ulimit -u`"));
    // A real case of it: the kernel lets no chrooted process make one.
    let chrooted = host.argv(&[
        "chroot",
        "--userspec=alice",
        "/mnt/root",
        "/usr/bin/nsshell",
        "-c",
        "echo ran",
    ]);
    host.run("mkdir /mnt/root; mount --rbind / /mnt/root").ok();
    assert!(refusal(chrooted).contains("a chrooted process may make none either"));
}

#[test]
fn apparmor_lets_a_user_namespace_do_nothing() {
    root_or_skip!();
    let host = host();
    // As on Ubuntu, where the namespace is made, but every mount in it is refused.
    let line = "strace -f -o /dev/null -e inject=fsopen:error=EACCES nsshell -c 'echo ran'";
    host.run("sed -i /alice/d /etc/subuid /etc/subgid").ok();
    assert_eq!(
        refusal(alice(&host, line)),
        "cannot make a proc for /proc: Permission denied; where a part of /proc is masked, as in \
         many containers, the kernel allows no new one; or AppArmor forbids it, see `sysctl \
         kernel.apparmor_restrict_unprivileged_userns`"
    );
}

#[test]
fn a_part_of_proc_is_masked() {
    root_or_skip!();
    let host = host();
    // What container engines do: no procfs is left in which everything is to be seen.
    host.run("mount -t tmpfs tmpfs /proc/scsi 2>/dev/null || mount -t tmpfs tmpfs /proc/bus; umount /run/host/proc").ok();
    let complaint = refused(&host);
    assert!(
        complaint.starts_with("cannot make a proc for /proc: Operation not permitted"),
        "{complaint}"
    );
    assert!(
        complaint.contains("; where a part of /proc is masked, as in many containers"),
        "{complaint}"
    );
}

#[test]
fn the_programs_that_write_the_maps_are_missing() {
    root_or_skip!();
    for program in ["newuidmap", "newgidmap"] {
        let host = host();
        host.run(&format!("rm /usr/bin/{program}")).ok();
        assert_eq!(
            refused(&host),
            format!(
                "/usr/bin/{program} is missing; install the package uidmap (Debian) or shadow-utils (Fedora)"
            )
        );
        assert_eq!(super::processes(&host), 0);
        // A user without subordinate ids needs none of them.
        host.run("sed -i /alice/d /etc/subuid /etc/subgid").ok();
        assert_eq!(in_session(&host, "id -un").ok(), "alice");
    }
}

#[test]
fn the_programs_that_write_the_maps_fail() {
    root_or_skip!();
    let host = host();
    host.run("chmod u-s /usr/bin/newuidmap; setcap -r /usr/bin/newuidmap 2>/dev/null; true")
        .ok();
    let complaint = refused(&host);
    assert!(
        complaint.starts_with("/usr/bin/newuidmap failed with exit status 1: "),
        "{complaint}"
    );
    assert!(complaint.ends_with("; the program must be set-uid root or have its file capability, and can do nothing on a mount with nosuid or under no_new_privs"), "{complaint}");
    let under = builder().start();
    let complaint = refusal(alice(
        &under,
        "setpriv --no-new-privs nsshell -c 'echo ran'",
    ));
    assert!(complaint.contains("no_new_privs"), "{complaint}");
    // Its own words come along, made fit for one line.
    let host = super::host();
    host.run("printf '#!/bin/sh\\necho first; printf \"why: \\\\033[1m\\\\n\" >&2; exit 3' > /usr/bin/newgidmap").ok();
    let complaint = refused(&host);
    assert!(
        complaint.starts_with("/usr/bin/newgidmap failed with exit status 3: why: \\u{1b}[1m"),
        "{complaint}"
    );
}

#[test]
fn the_programs_that_write_the_maps_hang() {
    root_or_skip!();
    let host = with_policy("[profile.standard]\ntimeout = 1\n");
    host.run("printf '#!/bin/sh\\nexec sleep 1000' > /usr/bin/newuidmap")
        .ok();
    assert_eq!(
        refused(&host),
        "/usr/bin/newuidmap did not finish within 1 s and was ended"
    );
    super::wait_for_no_process(&host);
}

#[test]
fn alice_has_changed_her_group() {
    root_or_skip!();
    let host = host();
    host.run("groupadd -g 3000 project; usermod -aG project alice")
        .ok();
    let line = "sg project -c \"nsshell -c 'id -u; id -g'\"";
    assert_eq!(
        refusal(alice(&host, line)),
        "this shell is in group 3000, but newuidmap maps subordinate ids only for who is in their \
         group of the user database, 1000; leave the shell that newgrp or sg has started"
    );
    // Without subordinate ids nobody is asked.
    host.run("sed -i /alice/d /etc/subuid /etc/subgid").ok();
    assert_eq!(alice(&host, line).output().ok(), "1000\n3000");
}

#[test]
fn a_range_is_required_and_there_is_none() {
    root_or_skip!();
    let host = Host::builder()
        .installed()
        .user_with("alice", |alice| alice.subordinate(&[]))
        .policy("[profile.standard]\nranges = \"required\"\n")
        .start();
    let complaint = refused(&host);
    assert!(
        complaint.contains("alice") && complaint.contains("nsctl ranges --allocate alice"),
        "{complaint}"
    );
}

#[test]
fn a_range_is_not_alice_s() {
    root_or_skip!();
    let host = Host::builder()
        .installed()
        .user_with("alice", |alice| alice.subordinate(&[(0, 10)]))
        .start();
    let complaint = refused(&host);
    assert!(complaint.contains("/etc/subuid"), "{complaint}");
}

#[test]
fn the_plan_has_no_user_namespace() {
    root_or_skip!();
    let host = with_policy("[profile.standard]\nnamespaces = [\"mount\", \"pid\"]\n");
    assert_eq!(
        refused(&host),
        "profile \"standard\" has no user namespace, without which nsshell alone can make no \
         session; have the PAM module make it, or add \"user\" to the profile's namespaces"
    );
}

#[test]
fn the_policy_is_wrong_or_cannot_be_read() {
    root_or_skip!();
    let host = with_policy("[profile.standard]\nshel = \"/bin/sh\"\n");
    let complaint = refused(&host);
    assert!(
        complaint.starts_with("/etc/nsshell/nsshell.toml:2:1: ") && complaint.contains("`shell`"),
        "{complaint}"
    );
    host.run("chmod 600 /etc/nsshell/nsshell.toml").ok();
    assert_eq!(
        refused(&host),
        "cannot read the policy /etc/nsshell/nsshell.toml: Permission denied; it must be readable \
         by everybody for whom nsshell makes a session: chmod a+r it and a+x its directory"
    );
    host.run("chmod 666 /etc/nsshell/nsshell.toml").ok();
    // In a user namespace that somebody else has made, nobody is root.
    host.run("chmod 644 /etc/nsshell/nsshell.toml").ok();
    let complaint = refusal(alice(
        &host,
        "unshare -U --map-current-user nsshell -c 'echo ran'",
    ));
    assert!(complaint.contains("/etc/nsshell belongs to somebody who is unknown in this user namespace; start nsshell outside of it"), "{complaint}");
    host.run("chmod 666 /etc/nsshell/nsshell.toml").ok();
    let complaint = refused(&host);
    assert!(
        complaint.contains("can be written by others (mode 0666); only root may"),
        "{complaint}"
    );
}

#[test]
fn the_shell_of_the_profile_is_missing() {
    root_or_skip!();
    let host = with_policy("[profile.standard]\nshell = \"/no/such/shell\"\n");
    let output = in_session(&host, "echo ran");
    assert_eq!((output.code(), output.text().as_str()), (Some(127), ""));
    assert_eq!(
        output.complaint(),
        "nsshell: cannot become /no/such/shell: No such file or directory; see `shell` in the \
         profile \"standard\""
    );
    let host = with_policy("[profile.standard]\nshell = \"/etc/passwd\"\n");
    assert_eq!(in_session(&host, "echo ran").code(), Some(126));
}

#[test]
fn the_user_is_in_no_user_database() {
    root_or_skip!();
    let host = host();
    let line = "setpriv --reuid 4321 --regid 4321 --clear-groups nsshell -c 'echo ran'";
    assert_eq!(
        refusal(host.cmd(line)),
        "user \"4321\" is not in the user database"
    );
}

#[test]
fn a_directory_of_the_profile_is_missing() {
    root_or_skip!();
    let host = with_policy("[profile.standard]\nprivate = [\"/no/such/place\"]\n");
    assert_eq!(
        refused(&host),
        "cannot mount on /no/such/place: No such file or directory; make it, or take it out of the \
         profile"
    );
    assert_eq!(super::processes(&host), 0);
}
