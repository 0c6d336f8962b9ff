//! Whether a user's systemd manager may run, asked by its own service before it starts: where
//! the PAM stack of `systemd-user` has no line of ours nobody else asks, and where it has one a
//! refusal there is a failed service at each first login.

use nsshell_config::{Error as NoPlan, Login, resolve, spared};

use crate::accounts::{self, SystemHost};
use crate::error::Error;
use crate::policy;

/// Why the manager of this uid, in decimal, must not run; none: it may.
///
/// # Errors
/// There is no such account, or the policy cannot be used or gives no plan; but root's may run
/// all the same, as root is let in.
pub fn refused(uid: &[u8]) -> Result<Option<String>, Error> {
    let account = std::str::from_utf8(uid)
        .ok()
        .and_then(|uid| uid.parse().ok())
        .ok_or_else(|| Error::NoSuchUser(String::from_utf8_lossy(uid).into_owned()))
        .and_then(accounts::by_uid)?;
    let policy = match policy::load(None) {
        Err(_) if account.uid == 0 => return Ok(None),
        policy => policy?,
    };
    let login = Login {
        service: "systemd-user".to_owned(),
        ..Login::default()
    };
    let host = SystemHost::new();
    match resolve(&policy, &login, &account, &host) {
        Ok(_) => Ok(None),
        Err(refusal @ NoPlan::UserManager { .. }) => Ok(Some(refusal.to_string())),
        Err(_) if spared(&policy, &login, &account, &host).is_some() => Ok(None),
        Err(error) => Err(error.into()),
    }
}
