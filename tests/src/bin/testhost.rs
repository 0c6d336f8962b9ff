//! A shell, or a command, as root in a throw-away host: `testhost [--confined | --installed]
//! [--systemd] [COMMAND…]`; installed, but unknown to PAM, is what nsshell on its own meets.
//! The host has alice and bob, and root's key opens their accounts: `ssh alice@localhost`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use nsshell_tests::Host;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let mut host = Host::builder();
    while let Some(option) = arguments.next_if(|one| one.starts_with("--")) {
        host = match option.as_str() {
            "--confined" => host.confined(),
            "--installed" => host.installed(),
            "--systemd" => host.systemd(),
            _ => return ExitCode::from(2),
        };
    }
    let mut line = arguments.collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        "exec bash -i".clone_into(&mut line);
    }
    let host = host.user("alice").user("bob").start();
    let code = host.cmd(&line).on_own_output();
    drop(host);
    ExitCode::from(code)
}
