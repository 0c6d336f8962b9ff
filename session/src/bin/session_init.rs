//! session-init: makes the session that a PAM application is about to enter.
#![forbid(unsafe_code)]

use std::io::Write;

use nsshell_session::{helper, sys};

fn main() {
    if sys::process::effective_uid() != 0 || std::env::args_os().len() != 1 {
        let line = "session-init: run by pam_nsshell.so only, see session-init(8)";
        // Nothing to be done if there is nowhere to write.
        let _ = writeln!(std::io::stderr(), "{line}");
        std::process::exit(2);
    }
    std::process::exit(helper::run());
}
