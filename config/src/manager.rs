//! The user's systemd manager, PAM service systemd-user: whether it may run.
//!
//! It runs outside of every session, and what it starts is in no session either: units that lie
//! in the user's home, which a session can write. So it is refused to whom the policy confines,
//! however they log in: logind starts one manager for all logins of a user, and does not tell
//! PAM which of them it is for. It cannot be confined instead: in a PID namespace it does not
//! work, and without one it and what it starts see and trace the processes of the user's
//! sessions (G1), and outlive them (G5).

use crate::matching::Candidate;
use crate::pattern::List;
use crate::profile::Profile;
use crate::rule::{Rule, is_manager};
use crate::{Error, Mode, Policy};

impl Policy {
    /// Refuses the manager of an account if a login of it may get a profile that hides the
    /// manager. Only asked if no rule names the service for the account.
    ///
    /// # Errors
    /// [`Error::UserManager`], or the host does not say who is in a group.
    pub(crate) fn manager(&self, candidate: &mut Candidate<'_>) -> Result<(), Error> {
        for rule in &self.rules {
            if rule.is_of_no_login() || !rule.is_about(candidate)? {
                continue;
            }
            if self.hides_manager(&rule.profile) {
                return Err(Error::UserManager {
                    user: candidate.account.name.clone(),
                    profile: rule.profile.to_string(),
                    rule: self.matched(rule),
                });
            }
            if rule.is_of_every_login() {
                break;
            }
        }
        Ok(())
    }

    /// A profile that leaves the host's /run/user where it is hands the manager to the session:
    /// nothing is gained by refusing it.
    fn hides_manager(&self, profile: &str) -> bool {
        self.settled.get(profile).is_some_and(|keys| {
            let profile = Profile::new(keys);
            !profile.namespaces.is_empty() && profile.runtime_dir && profile.mode == Mode::Enforce
        })
    }
}

impl Rule {
    /// Whether only a manager can match it.
    fn is_of_no_login(&self) -> bool {
        let mut named = self.services.iter().flat_map(List::positives).peekable();
        named.peek().is_some() && named.all(is_manager)
    }

    /// Whether no login of whom it is about passes it by.
    fn is_of_every_login(&self) -> bool {
        self.services.is_none() && self.ttys.is_none() && self.hosts.is_none()
    }
}
