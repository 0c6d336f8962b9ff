//! The relay between a terminal of another user's, such as root's after `su`, and the user's login
//! shell. nsshell executes it in its own place, and it starts nsshell again on a terminal of the
//! user's.
//!
//! Its file has mode 0711: a process that executes what it may not read cannot be looked into by
//! other processes of its user (ptrace(2)), which would take root's terminal out of it.
#![forbid(unsafe_code)]
#![cfg_attr(all(target_env = "gnu", not(test)), no_main)]

use std::ffi::CString;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;

use nsshell_session::sys::process;
use nsshell_session::{NSSHELL, relay};

/// The status for a login that got no shell, as nsshell has it.
const NO_SESSION: u8 = 125;

nsshell_session::program!(run);

fn run() -> u8 {
    match relay::run(become_nsshell) {
        Ok(ended) => process::end_as(ended),
        Err(error) => {
            // Nothing to be done if there is nowhere to write.
            let _ = writeln!(std::io::stderr(), "nsshell: {error}");
            NO_SESSION
        }
    }
}

/// With the arguments and the environment that nsshell has put into ours: each variable under a
/// name with a dot before it, by which no library could find it here.
fn become_nsshell() -> u8 {
    let arguments: Vec<_> = std::env::args_os()
        .skip(1)
        .map(|one| c_string(one.as_bytes()))
        .collect();
    let environment: Vec<_> = std::env::vars_os()
        .filter_map(|(name, value)| {
            let name = name.as_bytes().strip_prefix(b".")?;
            Some(c_string(&[name, b"=", value.as_bytes()].concat()))
        })
        .collect();
    let arguments: Vec<_> = arguments.iter().map(CString::as_c_str).collect();
    let environment: Vec<_> = environment.iter().map(CString::as_c_str).collect();
    let errno = process::execute(&c_string(NSSHELL.as_bytes()), &arguments, &environment);
    let reason = std::io::Error::from(errno);
    let _ = writeln!(
        std::io::stderr(),
        "nsshell: cannot start {NSSHELL}: {reason}"
    );
    NO_SESSION
}

/// Strings of the command line and of the environment have no NUL.
fn c_string(bytes: &[u8]) -> CString {
    CString::new(bytes).unwrap_or_default()
}
