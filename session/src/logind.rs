//! What systemd's logind does about the processes of a login that has ended.

use std::time::{Duration, Instant};

use crate::program::{self, As};

const BUSCTL: &str = "/usr/bin/busctl";

/// How long to wait for logind's answer.
const LIMIT: Duration = Duration::from_secs(3);

/// Whether it kills them (`KillUserProcesses`, logind.conf(5)). Asked of logind itself: what it
/// does by default is up to who has built it. Where none runs, nobody does.
#[must_use]
pub fn kills_user_processes() -> bool {
    let arguments = [
        "--system",
        "--auto-start=no",
        "get-property",
        "org.freedesktop.login1",
        "/org/freedesktop/login1",
        "org.freedesktop.login1.Manager",
        "KillUserProcesses",
    ];
    let asked = program::start(
        BUSCTL,
        "install systemd",
        &arguments.map(str::to_owned),
        As::Caller,
    );
    asked
        .and_then(|running| running.finish(Instant::now() + LIMIT))
        .is_ok_and(|answer| answer.trim_ascii() == b"b true")
}
