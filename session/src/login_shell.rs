//! Whether an account's login shell can enter the session that is planned for it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nsshell_config::{Account, Plan};

use crate::NSSHELL;
use crate::error::Error;

/// Whether the account can have the session that is planned for it: only nsshell enters the
/// user namespace, so any other shell would go without.
///
/// # Errors
/// The plan wants nsshell as login shell, and it is another one.
pub fn check(plan: &Plan) -> Result<(), Error> {
    if plan.require_nsshell && !is_nsshell(&plan.account) {
        return Err(Error::WrongShell {
            user: plan.account.name.clone(),
            shell: plan.account.shell.clone(),
            wanted: NSSHELL.into(),
            profile: plan.profile.clone(),
        });
    }
    Ok(())
}

/// Whether the account's login shell is nsshell: by path, or by any other path to the same file,
/// as /bin is /usr/bin on many hosts.
#[must_use]
pub fn is_nsshell(account: &Account) -> bool {
    let same = |path: &Path| {
        std::fs::metadata(path)
            .map(|file| (file.dev(), file.ino()))
            .ok()
    };
    let nsshell = Path::new(NSSHELL);
    account.shell == nsshell
        || same(&account.shell).is_some_and(|shell| Some(shell) == same(nsshell))
}
