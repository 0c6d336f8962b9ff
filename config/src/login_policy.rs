//! The policy as far as one login needs it.
//!
//! All of it is read and checked, but of ten thousand rules nearly all are about others. They
//! are not kept: to keep them takes longer than to read them, since the kernel has to find the
//! memory.

use std::collections::{BTreeMap, VecDeque};

use crate::explain::{Explanation, explain, missed};
use crate::host::Host;
use crate::matching::{Candidate, Miss};
use crate::rule::Rule;
use crate::{
    Account, Error, Login, Plan, Policy, PolicyFile, Spared, is_systemd_user, resolve, spared,
};

/// A policy without the rules that do not match the login that it was read for.
pub struct LoginPolicy<'a> {
    policy: Policy,
    login: &'a Login,
    account: &'a Account,
    host: &'a dyn Host,
    /// how many rules do not match
    missed: usize,
    /// the last of them
    last_missed: VecDeque<(Rule, Miss)>,
    /// how many those are at the most
    most: usize,
}

impl<'a> LoginPolicy<'a> {
    /// What [`Policy::from_files`] gives, for one login. Of the rules that do not match, the last
    /// `most` are kept to be explained.
    ///
    /// # Errors
    /// Those of [`Policy::from_files`].
    pub fn from_files(
        files: Vec<PolicyFile>,
        login: &'a Login,
        account: &'a Account,
        host: &'a dyn Host,
        most: usize,
    ) -> Result<LoginPolicy<'a>, Error> {
        let mut candidate = Candidate::new(login, account, host);
        // whether a manager may run depends on what all logins of the account would get
        let asked = (!is_systemd_user(&login.service)).then_some(&mut candidate);
        let mut filter = Filter::new(asked, most);
        Ok(LoginPolicy {
            policy: Policy::filtered(files, &mut filter)?,
            login,
            account,
            host,
            missed: filter.missed,
            last_missed: filter.last_missed,
            most,
        })
    }

    /// What [`resolve`] gives for the login.
    ///
    /// # Errors
    /// Those of [`resolve`].
    pub fn resolve(&self) -> Result<Plan, Error> {
        resolve(&self.policy, self.login, self.account, self.host)
    }

    /// What [`spared`](crate::spared()) gives for the login.
    #[must_use]
    pub fn spared(&self) -> Option<Spared> {
        spared(&self.policy, self.login, self.account, self.host)
    }

    /// What [`explain`] tells of the login.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        let (policy, login, account) = (&self.policy, self.login, self.account);
        let mut told = explain(policy, login, account, self.host, self.most);
        // those that were kept come after all that were not
        let known = self.last_missed.len().min(self.most - told.missed.len());
        told.missed_before += self.missed - known;
        let last = self.last_missed.iter().skip(self.last_missed.len() - known);
        let last = last.map(|(rule, miss)| missed(policy, rule, *miss, login, account));
        told.missed.splice(0..0, last);
        told
    }
}

/// Which rules are kept, in the order in which they are tried, and what is known of the others.
pub(crate) struct Filter<'f, 'a> {
    /// none: all are kept
    candidate: Option<&'f mut Candidate<'a>>,
    /// one has matched, so none after it is tried
    found: bool,
    missed: usize,
    last_missed: VecDeque<(Rule, Miss)>,
    /// how many of those are kept
    most: usize,
    /// how many rules are not in the policy
    pub(crate) dropped: usize,
    /// how many entries their lists have
    pub(crate) dropped_entries: usize,
    /// one of them depends on groups
    pub(crate) mentions_groups: bool,
    /// of those that are not kept, one of each kind that is checked in another way
    pub(crate) samples: Vec<Rule>,
    /// the kinds of the samples, by the names of their profiles: bits
    kinds: BTreeMap<Vec<u8>, u8>,
}

impl<'f, 'a> Filter<'f, 'a> {
    pub(crate) fn new(candidate: Option<&'f mut Candidate<'a>>, most: usize) -> Filter<'f, 'a> {
        Filter {
            candidate,
            found: false,
            missed: 0,
            last_missed: VecDeque::new(),
            most,
            mentions_groups: false,
            dropped: 0,
            dropped_entries: 0,
            samples: Vec::new(),
            kinds: BTreeMap::new(),
        }
    }

    /// Whether rules have been dropped; if so, forgets it, for a policy that is read again has
    /// all of them.
    pub(crate) fn take_dropped(&mut self) -> bool {
        self.missed = 0;
        self.last_missed.clear();
        std::mem::take(&mut self.dropped) > 0
    }

    /// The rule, if it is to be kept. It has to be the next one that would be tried.
    pub(crate) fn keep(&mut self, rule: Rule) -> Option<Rule> {
        let Some(candidate) = &mut self.candidate else {
            return Some(rule);
        };
        if self.found {
            self.note(&rule);
            return None;
        }
        match rule.miss(candidate) {
            Ok(Some(miss)) => {
                self.note(&rule);
                self.missed += 1;
                if self.most > 0 {
                    if self.last_missed.len() == self.most {
                        self.last_missed.pop_front();
                    }
                    self.last_missed.push_back((rule, miss));
                }
                None
            }
            Ok(None) => {
                self.found = true;
                Some(rule)
            }
            // The host does not say: what comes after may be tried or not.
            Err(_) => {
                self.candidate = None;
                Some(rule)
            }
        }
    }

    /// Notes what has to be known of a rule that is not in the policy.
    fn note(&mut self, rule: &Rule) {
        self.dropped += 1;
        // The built-in rules too, which no limit counts: where that makes one too many, the policy
        // is read again with all of its rules.
        self.dropped_entries += rule.entries();
        self.mentions_groups |= rule.mentions_groups();
        let kind = 1 << (u8::from(rule.names_root()) | u8::from(rule.names_systemd_user()) << 1);
        let name = rule.profile.as_bytes();
        let is_new = match self.kinds.get_mut(name) {
            Some(kinds) => {
                let is_new = *kinds & kind == 0;
                *kinds |= kind;
                is_new
            }
            None => {
                self.kinds.insert(name.to_vec(), kind);
                true
            }
        };
        if is_new {
            self.samples.push(rule.clone());
        }
    }
}
