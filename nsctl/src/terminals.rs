//! Terminals that a login leaves open to its user, where nsshell is not in the way.

use std::path::Path;

use nsshell_config::{Diagnostic, Policy, open_terminals};
use nsshell_session::inventory::Inventory;
use nsshell_session::login_shell;

/// Tells if the kernel lets every process type into its controlling terminal, since Linux 6.2.
const TYPING: &str = "/proc/sys/dev/tty/legacy_tiocsti";

/// Warns of profiles whose users can read root's terminal, and tells of the kernel's switch.
pub(crate) fn faults(policy: &Policy, everybody: &Inventory) -> Vec<Diagnostic> {
    let mut found = open_terminals(policy, everybody, &login_shell::is_nsshell);
    found.extend(typing(Path::new(TYPING)));
    found
}

/// A note, and not a warning: nothing is wrong with the policy, and in the logins that nsshell
/// confines a filter does the same.
fn typing(switch: &Path) -> Option<Diagnostic> {
    let text = std::fs::read_to_string(switch).ok()?;
    if text.trim() != "1" {
        return None;
    }
    let message = "any process of this host can type into its terminal (TIOCSTI), and the shell \
                   that reads there next runs it; nsshell stops that only in what it confines";
    let help = "a line `dev.tty.legacy_tiocsti = 0` in a file of /etc/sysctl.d stops it for the \
                whole host";
    Some(Diagnostic::note_of(TYPING, &text, message, help))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_switch_is_told_of_where_it_is_there_and_on() {
        let directory = tempfile::tempdir().unwrap();
        let switch = directory.path().join("switch");
        assert_eq!(typing(&switch), None);
        for (text, told) in [("0\n", false), ("", false), ("1\n", true), ("1", true)] {
            std::fs::write(&switch, text).unwrap();
            let said = typing(&switch);
            assert_eq!(said.is_some(), told, "{text:?}");
            let named = said.is_none_or(|said| {
                let said = said.to_string();
                said.starts_with(&format!("{TYPING}:1:1: note: "))
                    && said.contains("dev.tty.legacy_tiocsti = 0")
            });
            assert!(named, "{text:?}");
        }
    }
}
