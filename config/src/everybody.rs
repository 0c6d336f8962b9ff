//! A policy and all accounts of a host: the plan of each, without trying each rule on each.

use std::collections::{BTreeSet, HashMap};

use crate::host::Host;
use crate::matching::Candidate;
use crate::pattern::{Name, Who};
use crate::profile::Profile;
use crate::resolve::plan;
use crate::rule::Rule;
use crate::{Account, Error, Login, Matched, Plan, Policy, Spared, spared};

/// The rules of a policy by whom they name.
pub struct Everybody<'p> {
    policy: &'p Policy,
    users: HashMap<&'p str, Vec<usize>>,
    groups: HashMap<&'p str, Vec<usize>>,
    /// rules that may be about anybody
    broad: Vec<usize>,
}

impl<'p> Everybody<'p> {
    /// Sorts the rules.
    #[must_use]
    pub fn new(policy: &'p Policy) -> Everybody<'p> {
        let mut sorted = Everybody {
            policy,
            users: HashMap::new(),
            groups: HashMap::new(),
            broad: Vec::new(),
        };
        for (at, rule) in policy.rules.iter().enumerate() {
            match named(rule) {
                None => sorted.broad.push(at),
                Some(names) => {
                    for (is_group, name) in names {
                        let by = if is_group {
                            &mut sorted.groups
                        } else {
                            &mut sorted.users
                        };
                        by.entry(name).or_default().push(at);
                    }
                }
            }
        }
        sorted
    }

    /// What [`resolve`](crate::resolve) gives.
    ///
    /// # Errors
    /// Those of [`resolve`](crate::resolve).
    pub fn resolve(
        &self,
        login: &Login,
        account: &Account,
        host: &dyn Host,
    ) -> Result<Plan, Error> {
        let mut candidate = Candidate::new(login, account, host);
        let chosen = self.choose(login, &mut candidate)?;
        plan(self.policy, chosen, login, &mut candidate, host)
    }

    /// Why a login for which [`Everybody::resolve`] has failed goes on all the same: what
    /// [`spared`](crate::spared()) gives.
    #[must_use]
    pub fn spared(&self, login: &Login, account: &Account, host: &dyn Host) -> Option<Spared> {
        let mut candidate = Candidate::new(login, account, host);
        let chosen = self.choose(login, &mut candidate);
        spared::by_profile(self.policy, chosen, &mut candidate)
    }

    /// The profile of a login, and the rule that says so.
    pub(crate) fn choose(
        &self,
        login: &Login,
        candidate: &mut Candidate<'_>,
    ) -> Result<(&'p str, Profile, Matched), Error> {
        let mut rules: BTreeSet<usize> = BTreeSet::new();
        rules.extend(
            self.users
                .get(candidate.account.name.as_str())
                .into_iter()
                .flatten(),
        );
        if !self.groups.is_empty() {
            for group in candidate.groups()? {
                rules.extend(self.groups.get(group.as_str()).into_iter().flatten());
            }
        }
        let (mut named, mut broad) = (rules.into_iter().peekable(), self.broad.iter().peekable());
        let next = std::iter::from_fn(|| match (named.peek(), broad.peek()) {
            (Some(one), Some(other)) if one < *other => named.next(),
            (_, Some(_)) => broad.next().copied(),
            (_, None) => named.next(),
        });
        let rules = next.filter_map(|at| self.policy.rules.get(at));
        self.policy.choose_among(rules, candidate, login, |_, _| {})
    }
}

/// Everybody whom a rule can be about, if it names them all: whether each is a group, and its
/// name.
pub(crate) fn named(rule: &Rule) -> Option<Vec<(bool, &str)>> {
    let list = rule.users.as_ref()?;
    let names = list.positives().map(|item| match &item.what {
        Who::User(Name::Literal(name)) => Some((false, name.as_ref())),
        Who::Group(Name::Literal(name)) => Some((true, name.as_ref())),
        _ => None,
    });
    let names: Option<Vec<_>> = names.collect();
    names.filter(|names| !names.is_empty())
}
