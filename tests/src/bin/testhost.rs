//! A shell, or a command, as root in a throw-away host: `testhost [--confined | --installed]
//! [COMMAND…]`; installed, but unknown to PAM, is what nsshell on its own meets.
//! The host has alice and bob, and root's key opens their accounts: `ssh alice@localhost`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use nsshell_tests::Host;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let kinds = ["--confined", "--installed"];
    let kind = kinds
        .into_iter()
        .find(|kind| arguments.first().is_some_and(|first| first == kind));
    if kind.is_some() {
        arguments.remove(0);
    }
    let line = if arguments.is_empty() {
        "exec bash -i".to_owned()
    } else {
        arguments.join(" ")
    };
    let host = match kind {
        Some("--confined") => Host::confined(),
        Some(_) => Host::builder()
            .installed()
            .user("alice")
            .user("bob")
            .start(),
        None => Host::unconfined(),
    };
    let code = host.cmd(&line).on_own_output();
    drop(host);
    ExitCode::from(code)
}
