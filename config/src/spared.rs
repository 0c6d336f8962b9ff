//! Whom a failure does not refuse, and whom it does.

use std::fmt;

use crate::host::{Facts, Host};
use crate::matching::Candidate;
use crate::profile::Profile;
use crate::resolve::exempt;
use crate::{Account, Error, Everybody, Login, Matched, Mode, OnFailure, Plan, Policy};

/// Why a login goes on without the session that it was to have. `Display` is what the log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spared {
    /// the profile only observes
    Observed,
    /// the user is in a group that is never refused
    Exempt,
    /// the profile says so
    OnFailure,
    /// uid 0, whom the PAM module always lets in, to mend what refuses the others
    Root,
}

impl Spared {
    /// A word for programs: the key that says so.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Spared::Observed => "mode",
            Spared::Exempt => "exempt",
            Spared::OnFailure => "on_failure",
            Spared::Root => "root",
        }
    }
}

impl fmt::Display for Spared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Spared::Observed => "as mode = \"observe\" says; it would have been refused",
            Spared::Exempt => "as the user is exempt",
            Spared::OnFailure => "as on_failure = \"unconfined\" says",
            Spared::Root => "as root is never refused",
        })
    }
}

impl Plan {
    /// Why a failure to carry this out does not refuse the login; none: it does.
    #[must_use]
    pub fn spared(&self) -> Option<Spared> {
        match (self.mode, self.on_failure) {
            (Mode::Observe, _) => Some(Spared::Observed),
            (_, OnFailure::Unconfined) if self.exempt => Some(Spared::Exempt),
            (_, OnFailure::Unconfined) => Some(Spared::OnFailure),
            (_, OnFailure::Deny) => None,
        }
    }
}

/// Why a login for which [`resolve`](crate::resolve) has failed goes on all the same; none: it
/// is refused, as it is where even that cannot be found out.
#[must_use]
pub fn spared(
    policy: &Policy,
    login: &Login,
    account: &Account,
    host: &dyn Host,
) -> Option<Spared> {
    let mut candidate = Candidate::new(login, account, host);
    let chosen = policy.choose(&mut candidate, login, |_, _| {});
    by_profile(policy, chosen, &mut candidate)
}

pub(crate) fn by_profile(
    policy: &Policy,
    chosen: Result<(&str, Profile, Matched), Error>,
    candidate: &mut Candidate<'_>,
) -> Option<Spared> {
    let says = chosen.map(|(_, profile, _)| (profile.mode, profile.on_failure));
    match says {
        Ok((Mode::Observe, _)) => Some(Spared::Observed),
        // no failure, but what the policy says
        Err(Error::UserManager { .. }) => None,
        _ if exempt(policy, candidate) => Some(Spared::Exempt),
        Ok((_, OnFailure::Unconfined)) => Some(Spared::OnFailure),
        _ => None,
    }
}

/// An account whose login would not get its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// who
    pub account: Account,
    /// why
    pub why: String,
    /// why the login goes on all the same; none: it is refused
    pub spared: Option<Spared>,
}

/// The accounts whose logins would be refused or spared, in the order of the host. `judge` is
/// asked about each plan: a sentence if the account cannot have what is planned.
#[must_use]
pub fn refused(
    policy: &Policy,
    login: &Login,
    facts: &dyn Facts,
    judge: &dyn Fn(&Plan) -> Option<String>,
) -> Vec<Refused> {
    let everybody = Everybody::new(policy);
    let of = |account: &Account| {
        let (why, spared) = match everybody.resolve(login, account, facts) {
            Ok(plan) => (judge(&plan)?, plan.spared()),
            Err(error) => {
                let spared = everybody.spared(login, account, facts);
                (error.to_string(), spared)
            }
        };
        let root = (account.uid == 0).then_some(Spared::Root);
        Some(Refused {
            account: account.clone(),
            why,
            spared: spared.or(root),
        })
    };
    facts.accounts().iter().filter_map(of).collect()
}
