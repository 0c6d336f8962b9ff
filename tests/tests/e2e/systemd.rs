//! Under systemd as PID 1: its logind, its session scopes, and its managers of users.

mod foreign;
mod machine;
mod manager;
mod service;
mod session;

use nsshell_tests::{Builder, Host, wait_for};

/// A host with systemd, alice and bob, with the product.
fn builder() -> Builder {
    let host = Host::builder().systemd().confined();
    host.user("alice").user("bob")
}

fn confined() -> Host {
    builder().start()
}

/// The same without the product.
fn unconfined() -> Host {
    let host = Host::builder().systemd();
    host.user("alice").user("bob").start()
}

/// Waits until nothing of a user runs and systemd has put away what it had for them.
fn gone(host: &Host, user: &str) {
    wait_for("the end of the user's processes", || {
        !host.run(&format!("pgrep -u {user}")).success()
    });
    // Not until the slice is gone: systemd may keep an empty one, in which the next login is
    // served like the first.
    wait_for("logind to forget the user", || {
        // It asks about one after the other, and fails if one is forgotten meanwhile.
        let users = host.run("loginctl --no-legend list-users");
        users.success() && !users.text().split_whitespace().any(|word| word == user)
    });
    wait_for("the end of the runtime directory", || {
        host.run("! systemctl is-active --quiet 'user-runtime-dir@100*.service'")
            .success()
    });
}

/// The names of the records of sessions.
fn records(host: &Host) -> String {
    host.run("ls -A /run/nsshell/sessions 2>/dev/null").text()
}
