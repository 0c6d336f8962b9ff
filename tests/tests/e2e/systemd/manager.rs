//! G9: the user's systemd manager, which runs outside of every session what it finds in a home.

use nsshell_tests::{Host, root_or_skip, wait_for};

use super::{builder, confined, gone, unconfined};

/// The rule that lets managers run: how it was before they were refused.
const ALLOWED: &str = "[[rule]]\nservices = ['systemd-user']\nprofile = 'none'\n";

/// packaging/user-manager.conf as it is installed.
fn drop_in() -> String {
    include_str!("../../../../packaging/user-manager.conf")
        .replace("@LIBEXECDIR@", "/usr/libexec/nsshell")
}

const DROP_IN: &str = "/etc/systemd/system/user@.service.d/nsshell.conf";

/// Leaves a unit in alice's home that says, in a file there, in which PID namespace it ran.
const PLANT: &str = "mkdir -p ~/.config/systemd/user/default.target.wants && \
    cd ~/.config/systemd/user && \
    printf '[Service]\\nType=oneshot\\nExecStart=/bin/sh -c \"readlink /proc/self/ns/pid > %%h/proof\"\\n' > x.service && \
    ln -s ../x.service default.target.wants/";

fn proof(host: &Host) -> bool {
    let pid_namespace = host.run("readlink /proc/1/ns/pid").ok();
    host.run("cat /home/alice/proof 2>/dev/null").text() == pid_namespace
}

/// Whether a unit that alice plants in a session runs outside of it when she logs in again.
fn runs_what_it_finds(host: &Host) -> bool {
    host.ssh("alice", PLANT).ok();
    gone(host, "alice");
    // The login waits for the manager, and the manager for its oneshot unit.
    let mut again = host.session("alice");
    let ran = proof(host);
    assert_eq!(again.ask("echo still here").text(), "still here");
    let active = host.run("systemctl is-active user@1000.service");
    assert_eq!(active.success(), ran);
    ran
}

#[test]
fn g9_a_unit_planted_in_a_session_runs_at_no_later_login() {
    root_or_skip!();
    assert!(runs_what_it_finds(&unconfined()));
    assert!(runs_what_it_finds(&builder().policy(ALLOWED).start()));
    let host = confined();
    assert!(!runs_what_it_finds(&host));
    host.wait_for_log("the systemd manager of user `alice` would run programs outside");
}

#[test]
fn g9_the_drop_in_alone_keeps_the_manager_away_and_no_service_fails() {
    root_or_skip!();
    let host = builder()
        .file(DROP_IN, 0o644, &drop_in())
        .prepare("sed -i /pam_nsshell/d /etc/pam.d/systemd-user")
        .start();
    assert!(!runs_what_it_finds(&host));
    assert_eq!(host.run("systemctl is-system-running").ok(), "running");
    let wanted = "nsshell: not started: the systemd manager of user `alice` would run";
    host.wait_for_log(wanted);
    // Nobody else's is kept from running.
    let _root = host.session("root");
    host.run("systemctl is-active user@0.service").ok();
    assert_eq!(host.run("systemctl is-system-running").ok(), "running");
    // With a policy that cannot be used nobody's runs but root's.
    host.run("mkdir -p /etc/nsshell && echo 'no policy' > /etc/nsshell/nsshell.toml")
        .ok();
    host.run("systemctl start user@1001.service").fails();
    host.wait_for_log("nsshell.toml:1:");
    host.run("systemctl restart user@0.service").ok();
}

#[test]
fn g9_the_drop_in_lets_whom_no_rule_confines_have_their_manager() {
    root_or_skip!();
    let policy = "default = 'none'\n[[rule]]\nusers = ['bob']\nprofile = 'standard'\n";
    let host = builder()
        .policy(policy)
        .file(DROP_IN, 0o644, &drop_in())
        .start();
    assert!(runs_what_it_finds(&host));
    host.ssh("bob", "true").ok();
    host.run("systemctl is-active user@1001.service").fails();
}

/// Whether alice's manager runs what she has planted when the host starts, since she lingers.
fn runs_at_boot(host: &Host) -> bool {
    host.ssh("alice", &format!("{PLANT}; loginctl enable-linger"))
        .ok();
    host.run("test -e /var/lib/systemd/linger/alice").ok();
    // As it is at boot: logind knows of nobody but from the files of who lingers, and a manager
    // that lingers does not end with the login.
    host.run(
        "systemctl stop systemd-logind user@1000.service user-runtime-dir@1000.service && \
         rm -rf /run/systemd/users /run/systemd/sessions",
    )
    .ok();
    wait_for("the end of alice", || !host.run("pgrep -u alice").success());
    host.run("rm -f /home/alice/proof; systemctl reset-failed; systemctl start systemd-logind")
        .ok();
    let tried = "systemctl show -p ActiveState,Result user@1000.service";
    let mut active = false;
    wait_for("the manager to be started", || {
        let state = host.run(tried).ok();
        active = state.contains("ActiveState=active");
        active || !state.contains("Result=success")
    });
    if active {
        // It says that it is ready before it has started what is planted.
        wait_for("the planted unit", || proof(host));
    }
    active
}

#[test]
fn g9_a_user_who_lingers_gets_no_manager_at_boot() {
    root_or_skip!();
    assert!(runs_at_boot(&unconfined()));
    assert!(!runs_at_boot(&confined()));
}

/// Ways to a manager that runs outside; each leaves a file if somebody obeyed.
const WAYS: [&str; 7] = [
    "systemd-run --user --wait touch ~/by-way",
    "systemctl --user start x.service && touch ~/by-way",
    "busctl --user call org.freedesktop.systemd1 /org/freedesktop/systemd1 \
     org.freedesktop.systemd1.Manager StartUnit ss x.service replace && touch ~/by-way",
    "XDG_RUNTIME_DIR=/run/user/1000 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus \
     systemd-run --user --wait touch ~/by-way",
    // By the root directory of whatever process can be seen.
    "for root in /proc/[0-9]*/root /proc/*/task/*/root; do \
     test -S $root/run/user/1000/bus && touch ~/by-way; \
     DBUS_SESSION_BUS_ADDRESS=unix:path=$root/run/user/1000/bus timeout 5 \
     systemd-run --user --wait touch ~/by-way; done",
    // D-Bus starts services by its own files or by the manager.
    "dbus-send --session --print-reply --dest=org.freedesktop.systemd1 / \
     org.freedesktop.DBus.Peer.Ping && touch ~/by-way",
    "systemctl --machine=alice@.host --user start x.service && touch ~/by-way",
];

/// The ways that get through to alice's manager, which runs as long as she is logged in.
fn ways_through(host: &Host) -> Vec<&'static str> {
    host.ssh("alice", PLANT).ok();
    let mut session = host.session("alice");
    host.run("systemctl is-active user@1000.service").ok();
    let mut gets_through = |way: &&'static str| {
        host.run("rm -f /home/alice/by-way").ok();
        let _ = session.ask(way);
        host.run("test -e /home/alice/by-way").success()
    };
    WAYS.iter()
        .filter(|way| gets_through(way))
        .copied()
        .collect()
}

#[test]
fn g9_no_way_leads_from_a_session_to_a_manager_even_where_one_runs() {
    root_or_skip!();
    assert_eq!(ways_through(&unconfined()), WAYS);
    let host = builder().policy(ALLOWED).start();
    assert_eq!(ways_through(&host), Vec::<&str>::new());
}

#[test]
fn g9_another_mount_of_run_shows_a_manager_only_where_one_is_let_run() {
    root_or_skip!();
    let obeyed = |host: &Host| {
        host.run("mkdir -p /srv/chroot/run && mount --rbind /run /srv/chroot/run")
            .ok();
        let mut session = host.session("alice");
        let _ = session.ask(
            "DBUS_SESSION_BUS_ADDRESS=unix:path=/srv/chroot/run/user/1000/bus \
             XDG_RUNTIME_DIR=/srv/chroot/run/user/1000 systemd-run --user --wait touch ~/by-way",
        );
        host.run("test -e /home/alice/by-way").success()
    };
    assert!(obeyed(&builder().policy(ALLOWED).start()));
    assert!(!obeyed(&confined()));
}

#[test]
fn g9_the_system_s_manager_starts_nothing_for_a_session() {
    root_or_skip!();
    let host = confined();
    for line in [
        "systemd-run --wait touch /var/tmp/by-way",
        "systemd-run --uid=alice --wait touch ~/by-way",
        "systemd-run --scope --uid=alice touch ~/by-way",
        "systemctl start user@1000.service",
        "machinectl shell alice@.host /usr/bin/touch /home/alice/by-way",
    ] {
        host.ssh("alice", &format!("{line} </dev/null")).fails();
    }
    host.run("ls /var/tmp/by-way /home/alice/by-way").fails();
    // The same order of root's is carried out.
    host.run("systemd-run --quiet --uid=alice --wait touch /home/alice/by-way")
        .ok();
    host.run("test -e /home/alice/by-way").ok();
}

#[test]
fn g9_nsctl_check_warns_if_nobody_keeps_the_manager_away() {
    root_or_skip!();
    let without_line = "sed -i /pam_nsshell/d /etc/pam.d/systemd-user";
    let warning = "/etc/pam.d/systemd-user";
    let told = |host: &Host| host.run("nsctl check").complaint();
    let host = builder().prepare(without_line).start();
    let seen = told(&host);
    let parts = [
        warning,
        "the systemd manager of alice is started outside",
        "add `account required pam_nsshell.so`",
        "1 warning",
    ];
    for part in parts {
        assert!(seen.contains(part), "{part}: {seen}");
    }
    assert!(host.run("nsctl check").success());
    let kept_away = [
        confined(),
        builder()
            .prepare(without_line)
            .file(DROP_IN, 0o644, &drop_in())
            .start(),
        builder().prepare(without_line).policy(ALLOWED).start(),
    ];
    for host in kept_away {
        let seen = told(&host);
        assert!(!seen.contains(warning), "{seen}");
    }
}
