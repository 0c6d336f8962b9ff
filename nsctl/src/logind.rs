//! What the policy wants of sessions, and systemd's logind does not let be.

use std::path::Path;

use nsshell_config::{Diagnostic, Policy, printable};
use nsshell_session::logind;

/// Where an administrator's settings lie, of those that logind reads.
const SETTINGS: &str = "/etc/systemd/logind.conf";

/// Warns if sessions are to outlive the login that they were made for, in whose scope they are,
/// and logind kills what is in the scope of a login that has ended.
pub(crate) fn faults(policy: &Policy) -> Option<Diagnostic> {
    let profile = policy.outlives_a_login()?;
    if !logind::kills_user_processes() {
        return None;
    }
    let text = std::fs::read_to_string(Path::new(SETTINGS)).unwrap_or_default();
    let message = format!(
        "logind kills the processes of a login that has ended (KillUserProcesses=yes), and with \
         those of the first login a session of profile `{}` for all who share it",
        printable(profile)
    );
    let help = "set KillUserProcesses=no: nsshell ends what a login leaves behind; or give the \
                profile scope = \"session\" and on_logout = \"kill\"";
    Some(Diagnostic::warning_of(SETTINGS, &text, &message, help))
}
