//! Whether a rule is about a login, and if not, why.

use std::collections::HashSet;

use crate::host::Host;
use crate::network;
use crate::pattern::{List, Name, Remote, Verdict, Who, plain_host, plain_tty};
use crate::rule::{Rule, SYSTEMD_USER, is_person};
use crate::{Account, Error, Login};

/// The login's side of matching. The user database is asked for groups at most once, and only
/// when a rule depends on it: that may take long, or fail.
pub(crate) struct Candidate<'a> {
    pub(crate) account: &'a Account,
    service: String,
    tty: Option<&'a str>,
    rhost: Option<String>,
    /// the bits of `rhost`, if it is an address
    address: Option<u128>,
    host: &'a dyn Host,
    /// their names; each of many rules looks for one
    groups: Option<HashSet<String>>,
}

/// Why a rule is not about a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Miss {
    /// the service is systemd-user, which the rule does not name
    SystemdUser,
    /// uid 0, and the rule does not name the account
    Root,
    /// a service's account, and the rule names neither it nor its uid
    Service,
    /// the list of this key
    List(&'static str, Verdict),
}

impl<'a> Candidate<'a> {
    pub(crate) fn new(login: &'a Login, account: &'a Account, host: &'a dyn Host) -> Self {
        Candidate {
            account,
            // libpam makes service names lower case
            service: login.service.to_ascii_lowercase(),
            tty: login.tty.as_deref().map(plain_tty),
            rhost: login.rhost.as_deref().map(plain_host),
            address: login.rhost.as_deref().and_then(network::address),
            host,
            groups: None,
        }
    }

    pub(crate) fn is_systemd_user(&self) -> bool {
        self.service == SYSTEMD_USER
    }

    /// Whether the account is in a group that one of these names.
    pub(crate) fn is_in<'n>(
        &mut self,
        mut names: impl Iterator<Item = &'n Name>,
    ) -> Result<bool, Error> {
        let groups = self.groups()?;
        Ok(names.any(|name| is_among(name, groups)))
    }

    /// The names of the account's groups.
    pub(crate) fn groups(&mut self) -> Result<&HashSet<String>, Error> {
        let groups = match self.groups.take() {
            Some(groups) => groups,
            None => self.host.groups(self.account)?.into_iter().collect(),
        };
        Ok(self.groups.insert(groups))
    }
}

impl Rule {
    /// Whether this rule is about the login; if not, why. What is quick to see comes first:
    /// groups may have to be asked for.
    pub(crate) fn miss(&self, candidate: &mut Candidate<'_>) -> Result<Option<Miss>, Error> {
        if candidate.is_systemd_user() && !self.names_systemd_user() {
            return Ok(Some(Miss::SystemdUser));
        }
        if let Some(list) = &self.services {
            let service = &candidate.service;
            if let Some(miss) = miss("services", list.verdict(|name| name.matches(service))) {
                return Ok(Some(miss));
            }
        }
        if let Some(list) = &self.uids {
            let uid = candidate.account.uid;
            if let Some(miss) = miss("uids", list.verdict(|range| range.has(uid))) {
                return Ok(Some(miss));
            }
        }
        if let Some(list) = &self.ttys {
            let tty = candidate.tty;
            let verdict = list.verdict(|name| tty.is_some_and(|tty| name.matches(tty)));
            if let Some(miss) = miss("ttys", verdict) {
                return Ok(Some(miss));
            }
        }
        if let Some(list) = &self.hosts {
            let verdict = list.verdict(|remote| match remote {
                Remote::Name(name) => candidate.rhost.as_ref().is_some_and(|r| name.matches(r)),
                Remote::Network(network) => candidate.address.is_some_and(|a| network.has(a)),
            });
            if let Some(miss) = miss("hosts", verdict) {
                return Ok(Some(miss));
            }
        }
        match &self.users {
            None if candidate.account.uid == 0 => Ok(Some(Miss::Root)),
            None if self.uids.is_none() && !is_person(candidate.account) => Ok(Some(Miss::Service)),
            None => Ok(None),
            Some(list) => users(list, self.uids.is_some(), candidate),
        }
    }
}

impl Rule {
    /// Whether this rule can be about the account, however it logs in.
    pub(crate) fn is_about(&self, candidate: &mut Candidate<'_>) -> Result<bool, Error> {
        let uid = candidate.account.uid;
        if let Some(list) = &self.uids
            && list.verdict(|range| range.has(uid)) != Verdict::In
        {
            return Ok(false);
        }
        match &self.users {
            None => Ok(uid != 0 && (self.uids.is_some() || is_person(candidate.account))),
            Some(list) => Ok(users(list, self.uids.is_some(), candidate)?.is_none()),
        }
    }
}

/// Whether one of these names matches.
fn is_among(name: &Name, names: &HashSet<String>) -> bool {
    match name {
        Name::Literal(name) => names.contains(&**name),
        glob @ Name::Glob(_) => names.iter().any(|one| glob.matches(one)),
    }
}

fn miss(key: &'static str, verdict: Verdict) -> Option<Miss> {
    (verdict != Verdict::In).then_some(Miss::List(key, verdict))
}

/// Names before groups, which may not have to be asked for.
/// `by_uid`: the rule's `uids` name the account, so that it is meant.
fn users(
    list: &List<Who>,
    by_uid: bool,
    candidate: &mut Candidate<'_>,
) -> Result<Option<Miss>, Error> {
    let root = candidate.account.uid == 0;
    let name = &candidate.account.name;
    let is_named = |who: &Who| matches!(who, Who::User(user) if user.matches(name));
    let excluded = |at| Ok(miss("users", Verdict::Excluded(at)));
    if let Some(at) = list
        .items
        .iter()
        .position(|i| i.negated && is_named(&i.what))
    {
        return excluded(at);
    }
    let named = match root {
        // a glob, a group or a negation that root happens to be in is no order to confine root
        true => list
            .positives()
            .any(|i| matches!(&i.what, Who::User(Name::Literal(user)) if **user == **name)),
        false => list.positives().next().is_none() || list.positives().any(|i| is_named(&i.what)),
    };
    if root && !named {
        return Ok(Some(Miss::Root));
    }
    if list.positives().next().is_none() && !by_uid && !is_person(candidate.account) {
        // "everybody but" is every person but
        return Ok(Some(Miss::Service));
    }
    let is_group = |who: &Who| matches!(who, Who::Group(_));
    let in_question = list
        .items
        .iter()
        .any(|i| is_group(&i.what) && (i.negated || !named));
    if !in_question {
        return Ok(miss(
            "users",
            if named {
                Verdict::In
            } else {
                Verdict::NotListed
            },
        ));
    }
    let groups = candidate.groups()?;
    let is_in = |who: &Who| match who {
        Who::Group(group) => is_among(group, groups),
        Who::User(_) => false,
    };
    if let Some(at) = list.items.iter().position(|i| i.negated && is_in(&i.what)) {
        return excluded(at);
    }
    let listed = named || list.positives().any(|item| is_in(&item.what));
    Ok(miss(
        "users",
        if listed {
            Verdict::In
        } else {
            Verdict::NotListed
        },
    ))
}
