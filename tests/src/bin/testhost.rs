//! A shell, or a command, as root in a throw-away host: `testhost [--confined] [COMMAND…]`.
//! The host has alice and bob, and root's key opens their accounts: `ssh alice@localhost`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use nsshell_tests::Host;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let confined = arguments.first().is_some_and(|first| first == "--confined");
    if confined {
        arguments.remove(0);
    }
    let line = if arguments.is_empty() {
        "exec bash -i".to_owned()
    } else {
        arguments.join(" ")
    };
    let host = if confined {
        Host::confined()
    } else {
        Host::unconfined()
    };
    let code = host.cmd(&line).on_own_output();
    drop(host);
    ExitCode::from(code)
}
