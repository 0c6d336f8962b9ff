//! session-init: makes the session that a PAM application is about to enter.
#![forbid(unsafe_code)]

use std::io::Write;
use std::os::unix::ffi::OsStrExt;

use nsshell_session::{helper, manager, sys};

fn main() {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if let [option, uid] = &arguments[..]
        && option == "--user-manager"
        && sys::process::effective_uid() == 0
    {
        std::process::exit(user_manager(uid.as_bytes()));
    }
    if sys::process::effective_uid() != 0 || !arguments.is_empty() {
        let line = "session-init: run by pam_nsshell.so only, see session-init(8)";
        // Nothing to be done if there is nowhere to write.
        let _ = writeln!(std::io::stderr(), "{line}");
        std::process::exit(2);
    }
    std::process::exit(helper::run());
}

/// Whether the systemd manager of a user may run, for ExecCondition= of its service
/// (systemd.service(5)): 0 yes; 1 no, which is no failure of the service; 255 not known, which
/// is one. The reason goes to the journal.
fn user_manager(uid: &[u8]) -> i32 {
    let (level, reason, status) = match manager::refused(uid) {
        Ok(None) => return 0,
        Ok(Some(reason)) => (5, reason, 1),
        Err(error) => (3, error.to_string(), 255),
    };
    // A number in angle brackets is the level of the line (sd-daemon(3)).
    let _ = writeln!(std::io::stderr(), "<{level}>nsshell: not started: {reason}");
    status
}
