//! Why a login gets what it gets: which rules did not match and why, which one did, and where
//! each value of the plan is written.

use std::collections::BTreeMap;

use crate::host::Host;
use crate::matching::Miss;
use crate::pattern::Verdict;
use crate::profile::Keys;
use crate::resolve::traced;
use crate::rule::Rule;
use crate::source::Place;
use crate::{Account, Error, Login, Matched, OnFailure, Plan, Policy, Spared, spared};

/// Everything about one login.
#[derive(Debug)]
pub struct Explanation {
    /// how many rules were tried before those in `missed`
    pub missed_before: usize,
    /// the rules that were tried last before the one that matched, in their order
    pub missed: Vec<Missed>,
    /// name of the profile and the rule that chose it; none: no rule matches
    pub chosen: Option<(String, Matched)>,
    /// the groups that the login has, if the policy depends on any and the host knows
    pub groups: Option<Vec<String>>,
    /// where `default` and `exempt` are from, as far as they are set
    pub top: Vec<Origin>,
    /// where each key of the profile is from, in the order of
    /// [`PROFILE_KEYS`](crate::PROFILE_KEYS)
    pub origins: Vec<Origin>,
    /// the plan, or why there is none
    pub plan: Result<Plan, Error>,
    /// what becomes of the login if its session cannot be made
    pub on_failure: OnFailure,
    /// why a login without a plan goes on all the same; none: it is refused, or has a plan
    pub spared: Option<Spared>,
}

/// A rule that is not about the login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// where it is
    pub rule: Matched,
    /// the profile that it would choose
    pub profile: String,
    /// why it does not match
    pub why: String,
}

/// Where a value of a profile is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// the key
    pub key: &'static str,
    /// file and line; none: the key has its default
    pub place: Option<(String, usize)>,
    /// what is written there
    pub written: Option<String>,
    /// the extended profile that sets it, if it is not the chosen one
    pub inherited: Option<String>,
    /// files and lines where it is set as well, but weaker
    pub overridden: Vec<(String, usize)>,
}

/// Explains a login, by the very code that makes its plan. Of the rules that do not match, the
/// last `most` are told: putting ten thousand into words takes longer than all else.
#[must_use]
pub fn explain(
    policy: &Policy,
    login: &Login,
    account: &Account,
    host: &dyn Host,
    most: usize,
) -> Explanation {
    let (tried, chosen, groups, plan) = traced(policy, login, account, host);
    let spared = match &plan {
        Ok(_) => None,
        Err(_) => spared(policy, login, account, host),
    };
    let missed_before = tried.len().saturating_sub(most);
    let last = tried.into_iter().skip(missed_before);
    let last = last.map(|(rule, miss)| missed(policy, rule, miss, login, account));
    Explanation {
        missed_before,
        missed: last.collect(),
        groups,
        top: top(policy),
        origins: match &chosen {
            Some((name, _)) => origins(policy, name),
            None => Vec::new(),
        },
        on_failure: match &plan {
            Ok(plan) => plan.on_failure,
            Err(_) if spared.is_some() => OnFailure::Unconfined,
            Err(_) => OnFailure::Deny,
        },
        spared,
        chosen,
        plan,
    }
}

/// A rule that does not match, in words.
pub(crate) fn missed(
    policy: &Policy,
    rule: &Rule,
    miss: Miss,
    login: &Login,
    account: &Account,
) -> Missed {
    Missed {
        rule: policy.matched(rule),
        profile: rule.profile.to_string(),
        why: why(policy, rule, miss, login, account),
    }
}

fn why(policy: &Policy, rule: &Rule, miss: Miss, login: &Login, account: &Account) -> String {
    let (key, verdict) = match miss {
        Miss::SystemdUser => {
            return "systemd-user is matched only by its name in `services`".to_owned();
        }
        Miss::Root => return "uid 0 is matched only by its name in `users`".to_owned(),
        Miss::Service => {
            return "a service's account is matched only by a rule that names it, or its uid"
                .to_owned();
        }
        Miss::List(key, verdict) => (key, verdict),
    };
    let what = match key {
        "services" => format!("service {}", login.service),
        "uids" => format!("uid {}", account.uid),
        "ttys" => match &login.tty {
            Some(tty) => format!("terminal {tty}"),
            None => "a login without a terminal".to_owned(),
        },
        "hosts" => match &login.rhost {
            Some(host) => format!("remote host {host}"),
            None => "a login without a remote host".to_owned(),
        },
        _ => format!("user {}", account.name),
    };
    match verdict {
        Verdict::Excluded(at) => {
            let entry = policy.written(rule.entry_place(key, at));
            format!("{what} is taken out by {entry} in `{key}`")
        }
        _ => format!("{what} is not in `{key}`"),
    }
}

impl Rule {
    /// Where the entry of this number is in the list of a key.
    fn entry_place(&self, key: &str, at: usize) -> Place {
        let place = match key {
            "services" => self
                .services
                .as_ref()
                .and_then(|l| l.items.get(at).map(|i| i.place)),
            "uids" => self
                .uids
                .as_ref()
                .and_then(|l| l.items.get(at).map(|i| i.place)),
            "ttys" => self
                .ttys
                .as_ref()
                .and_then(|l| l.items.get(at).map(|i| i.place)),
            "hosts" => self
                .hosts
                .as_ref()
                .and_then(|l| l.items.get(at).map(|i| i.place)),
            _ => self
                .users
                .as_ref()
                .and_then(|l| l.items.get(at).map(|i| i.place)),
        };
        place.unwrap_or(self.place)
    }
}

fn origins(policy: &Policy, name: &str) -> Vec<Origin> {
    let Some(settled) = policy.settled.get(name) else {
        return Vec::new();
    };
    // where each key is set, and in which profile: a place belongs to one profile
    let own: BTreeMap<Place, &str> = policy
        .own
        .iter()
        .flat_map(|(name, keys)| {
            let places = Keys::places(keys)
                .into_iter()
                .filter_map(|(_, place)| place);
            places.map(move |place| (place, name.as_str()))
        })
        .collect();
    let origin = |(key, place): (&'static str, Option<Place>)| Origin {
        key,
        place: place.map(|place| policy.place(place)),
        written: place.map(|place| policy.written(place).to_owned()),
        inherited: place
            .and_then(|place| own.get(&place))
            .filter(|setter| **setter != name)
            .map(|setter| (*setter).to_owned()),
        overridden: policy
            .overridden
            .iter()
            .filter(|one| one.key == key && Some(one.holds) == place)
            .map(|one| policy.place(one.other))
            .collect(),
    };
    // each profile extends its own
    let extends = policy.own.get(name).and_then(|own| own.extends.as_ref());
    let extends = ("extends", extends.map(|list| list.place));
    let all = std::iter::once(extends).chain(settled.places());
    all.map(origin).collect()
}

/// Where `default` and `exempt` are from.
fn top(policy: &Policy) -> Vec<Origin> {
    let of = |key: &'static str| {
        let mut places = policy.top.iter().filter(|(one, _)| *one == key);
        let (_, holds) = places.next()?;
        Some(Origin {
            key,
            place: Some(policy.place(*holds)),
            written: Some(policy.written(*holds).to_owned()),
            inherited: None,
            overridden: places.map(|(_, place)| policy.place(*place)).collect(),
        })
    };
    ["default", "exempt"].into_iter().filter_map(of).collect()
}
