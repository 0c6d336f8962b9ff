//! What would act outside for a user inside: the user's own systemd manager, and whatever
//! somebody may forge in its place.

use nsshell_tests::{Host, root_or_skip, wait_for};

/// What a user's systemd manager is to this matter: a socket in the user's runtime directory,
/// behind which a process outside of every session runs what it is told.
const SOCKETS: [&str; 2] = ["systemd/private", "bus"];

/// Starts such a manager for alice on each of the sockets, and has a session of hers tell it
/// to leave a file. Gives back the sockets whose manager did.
fn obeyed(host: &Host) -> Vec<&'static str> {
    host.run("install -d -o alice -g alice -m 700 /run/user/1000 /run/user/1000/systemd")
        .ok();
    let reached = |socket: &&'static str| {
        let path = format!("/run/user/1000/{socket}");
        let _manager = host
            .cmd(&format!("nc -lU {path} | sh"))
            .user("alice")
            .spawn();
        wait_for("the manager's socket", || {
            host.run(&format!("test -S {path}")).success()
        });
        let proof = format!("/home/alice/{}", socket.replace('/', "-"));
        let told = host.ssh("alice", &format!("echo 'touch {proof}' | nc -NU {path}"));
        // The manager takes one order, and has carried it out when its socket's client is told
        // so; without a client there is nothing to wait for.
        if told.success() {
            wait_for("the manager", || {
                host.run(&format!("test -e {proof}")).success()
            });
        }
        host.run(&format!("test -e {proof}")).success()
    };
    SOCKETS
        .iter()
        .filter(|socket| reached(socket))
        .copied()
        .collect()
}

#[test]
fn g9_a_session_cannot_tell_the_user_s_manager_to_run_something_outside() {
    root_or_skip!();
    assert_eq!(obeyed(&Host::confined()), Vec::<&str>::new());
    assert_eq!(obeyed(&Host::unconfined()), SOCKETS);
}

#[test]
fn g9_a_session_s_runtime_directory_is_empty_its_own_and_works() {
    root_or_skip!();
    let host = Host::confined();
    host.run("install -d -o alice -g alice -m 700 /run/user/1000 && touch /run/user/1000/outside")
        .ok();
    host.run("install -d -o bob -g bob -m 700 /run/user/1001")
        .ok();
    let seen = "echo $XDG_RUNTIME_DIR; ls -A /run/user $XDG_RUNTIME_DIR; \
                stat -c '%U %a' $XDG_RUNTIME_DIR; touch $XDG_RUNTIME_DIR/inside && echo written";
    let seen = host.ssh("alice", seen).ok();
    let wanted = [
        "/run/user/1000",
        "/run/user:",
        "1000",
        "",
        "/run/user/1000:",
        "alice 700",
        "written",
    ];
    assert_eq!(seen.lines().collect::<Vec<_>>(), wanted);
    assert_eq!(host.run("ls -A /run/user/1000").ok(), "outside");
}

#[test]
fn g9_internal_sftp_shows_nothing_of_the_user_s_manager() {
    root_or_skip!();
    let listing = |host: &Host| {
        host.run("install -d -o alice -g alice -m 700 /run/user/1000 /run/user/1000/systemd")
            .ok();
        host.cmd("sftp -q -b - alice@127.0.0.1")
            .stdin("ls -1 /run/user/1000\n")
            .output()
            .ok()
    };
    assert!(!listing(&Host::confined()).contains("/systemd"));
    assert!(listing(&Host::unconfined()).contains("/systemd"));
}

#[test]
fn g10_a_directory_of_records_that_is_not_root_s_alone_is_not_used() {
    root_or_skip!();
    let host = Host::confined();
    host.ssh("alice", "true").ok();
    for forged in [
        "chown alice /run/nsshell",
        "chmod 755 /run/nsshell/sessions",
    ] {
        host.run(forged).ok();
        host.ssh("alice", "echo inside").fails();
        host.wait_for_log("not root's alone");
        host.run("rm -rf /run/nsshell").ok();
        host.ssh("alice", "true").ok();
    }
}

#[test]
fn g10_variables_and_a_plan_of_the_user_s_own_making_change_no_session() {
    root_or_skip!();
    let host = Host::confined();
    let own = "readlink /proc/self/ns/user /proc/self/ns/pid";
    let outside = host.run(own).ok();
    // Every variable that has a meaning to us, set to what would mean "leave me alone".
    let forged = "NSSHELL_SESSION=none NSSHELL_PROFILE=none SHELL=/bin/sh";
    let inside = host
        .cmd(&format!("env {forged} su alice -c '{own}'"))
        .output()
        .ok();
    for (ours, theirs) in inside.lines().zip(outside.lines()) {
        assert_ne!(ours, theirs);
    }
    // A plan of the user's own, in a mount namespace of the user's own: nsshell becomes the
    // shell that it names, which the user could have started without it, and nothing else.
    let plan = |map: &str| {
        let line = format!(
            "unshare --user {map} --mount sh -c 'mount -t tmpfs none /run/nsshell && \
             sed s,/bin/bash,/bin/sh, > /run/nsshell/gate && nsshell -c \"touch ~/forged\"' \
             < /run/nsshell/gate"
        );
        host.ssh("alice", &line)
    };
    plan("--map-current-user --keep-caps").ok();
    assert_eq!(host.run("stat -c %U /home/alice/forged").ok(), "alice");
    // Where it looks like root's, there is a user namespace to be entered, and it is missing.
    assert!(
        plan("--map-root-user")
            .fails()
            .contains("cannot open /run/nsshell/user")
    );
    assert_ne!(host.ssh("alice", own).ok(), outside);
}
