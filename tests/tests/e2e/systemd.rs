//! Under systemd as PID 1: its logind, its session scopes, and its managers of users.

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
    wait_for("the end of the user's slice", || {
        let slices = host.run("systemctl list-units --plain --no-legend 'user-*.slice'");
        !slices.text().contains("user-100")
    });
}

/// The names of the records of sessions.
fn records(host: &Host) -> String {
    host.run("ls -A /run/nsshell/sessions 2>/dev/null").text()
}
