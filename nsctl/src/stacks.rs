//! What the policy needs of the PAM stacks of this host.

use std::collections::BTreeSet;
use std::path::Path;

use nsshell_config::{Diagnostic, Login, Policy, refused};
use nsshell_session::inventory::Inventory;

use crate::host;

const STACKS: &str = "/etc/pam.d";
const MANAGER: &str = "systemd-user";
/// Where an administrator's changes to the unit of a user's manager lie (systemd.unit(5)).
const DROP_INS: &str = "/etc/systemd/system/user@.service.d";
const MODULE: &str = "pam_nsshell.so";

/// Warns if users are confined whose systemd manager nobody keeps from starting: it would run
/// what they have put into their home directories outside of any session.
pub(crate) fn faults(policy: &Policy, everybody: &Inventory) -> Option<Diagnostic> {
    let path = Path::new(STACKS).join(MANAGER);
    let text = std::fs::read_to_string(&path).ok()?;
    if asks_module(Path::new(STACKS), MANAGER, &mut BTreeSet::new()) || has_drop_in() {
        return None;
    }
    let login = Login {
        service: MANAGER.to_owned(),
        ..Login::default()
    };
    // The policy may let every manager run, or confine nobody who has one.
    let meant = refused(policy, &login, everybody, &host::wrong_shell);
    let first = meant.iter().find(|one| one.spared.is_none())?;
    let message = format!(
        "the systemd manager of {} is started outside of any session: this stack does not ask \
         {MODULE}",
        nsshell_config::printable(&first.account.name)
    );
    let help = format!(
        "add `account required {MODULE}`, or install user-manager.conf as a file of {DROP_INS}; \
         or let managers run by a rule with services = [\"{MANAGER}\"]"
    );
    Some(Diagnostic::warning_of(
        &path.to_string_lossy(),
        &text,
        &message,
        &help,
    ))
}

/// Whether the account lines of a stack, with what it includes (pam.d(5)), have the module.
fn asks_module(directory: &Path, stack: &str, seen: &mut BTreeSet<String>) -> bool {
    if !seen.insert(stack.to_owned()) {
        return false;
    }
    let Ok(text) = std::fs::read_to_string(directory.join(stack)) else {
        return false;
    };
    text.lines().any(|line| {
        let line = line.split('#').next().unwrap_or("");
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["@include", other] => asks_module(directory, other, seen),
            ["account" | "-account", "include" | "substack", other] => {
                asks_module(directory, other, seen)
            }
            // The control may be several words in brackets.
            ["account" | "-account", rest @ ..] => rest.iter().any(|word| word.ends_with(MODULE)),
            _ => false,
        }
    })
}

fn has_drop_in() -> bool {
    let files = std::fs::read_dir(DROP_INS).into_iter().flatten().flatten();
    let texts = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
    texts.into_iter().any(|text| {
        let mut lines = text.lines().map(str::trim_start);
        lines.any(|line| line.starts_with("ExecCondition=") && line.contains("--user-manager"))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_stack_asks_the_module_by_its_own_line_or_by_what_it_includes() {
        let directory = tempfile::tempdir().unwrap();
        let stacks = [
            ("own", "account required pam_nsshell.so\n", true),
            (
                "path",
                "-account [success=1 default=ignore] /lib/security/pam_nsshell.so x\n",
                true,
            ),
            ("include", "@include own\n", true),
            ("substack", "account substack include\n", true),
            (
                "round",
                "@include round\naccount required pam_unix.so\n",
                false,
            ),
            ("session", "session required pam_nsshell.so\n", false),
            ("of-session", "session include own\n", false),
            ("comment", "#account required pam_nsshell.so\n", false),
            ("missing", "@include none\n", false),
        ];
        for (name, text, _) in stacks {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        for (name, _, want) in stacks {
            let found = asks_module(directory.path(), name, &mut BTreeSet::new());
            assert_eq!(found, want, "{name}");
        }
    }
}
