//! Everything that this program asks of the engine, in one place.

use std::path::{Path, PathBuf};

use nsshell_config::{Explanation, Login, Policy, explain};
use nsshell_session::accounts::{self, SystemHost};
use nsshell_session::inventory::Inventory;
use nsshell_session::{NSSHELL, policy, record};

use crate::error::Error;

pub(crate) use nsshell_session::record::Record;

/// Where the policy lies if no file is named.
pub(crate) const POLICY: &str = policy::FILE;

/// The policy of a file, or the one in force.
pub(crate) fn load(file: Option<&Path>) -> Result<Policy, Error> {
    Ok(policy::load(file)?)
}

/// Everything about a login, by the very code that a login runs.
pub(crate) fn explained(
    config: Option<&Path>,
    user: &str,
    login: &Login,
    most: usize,
) -> Result<Explanation, Error> {
    let account = accounts::by_name(user)?;
    let policy = load(config)?;
    let explanation = explain(&policy, login, &account, &SystemHost::new(), most);
    // This process ends soon: taking ten thousand rules apart would be the slowest of the rest.
    std::mem::forget(policy);
    Ok(explanation)
}

/// Everybody on this host.
pub(crate) fn inventory() -> Result<Inventory, Error> {
    Ok(Inventory::new()?)
}

/// The login shell that enters a user namespace.
pub(crate) fn nsshell() -> PathBuf {
    NSSHELL.into()
}

/// Live sessions, oldest first.
pub(crate) fn sessions() -> Result<Vec<Record>, Error> {
    Ok(record::live()?)
}
