//! What looks right and is not: rules that no login reaches, names that this host does not
//! know, profiles that it cannot make.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use crate::cover;
use crate::diagnostic::{Diagnostic, Faults};
use crate::everybody::named;
use crate::host::{Facts, IdKind};
use crate::matching::Candidate;
use crate::pattern::{Name, Who};
use crate::profile::{Profile, Ranges};
use crate::rule::Rule;
use crate::{
    Account, BUILT_IN, Login, NONE, Namespace, Policy, lint_disk, lint_names, lint_places,
    lint_view, suggest,
};

/// Among more names than this, none is suggested: each suggestion looks at all of them.
const MAX_SUGGESTED: usize = 2_000;

/// The faults that reading the policy does not find, on this host.
#[must_use]
pub fn lint(policy: &Policy, facts: &dyn Facts) -> Vec<Diagnostic> {
    let mut faults = Faults::default();
    unreachable(policy, &mut faults);
    rules(policy, facts, &mut faults);
    exempt(policy, facts, &mut faults);
    remote_groups(policy, facts, &mut faults);
    profiles(policy, facts, &mut faults);
    lint_disk::whole(policy, &mut faults);
    collisions(policy, &mut faults);
    lint_names::unused(policy, &mut faults);
    faults.shown(&policy.sources)
}

fn is_built_in(policy: &Policy, place: crate::source::Place) -> bool {
    policy.place(place).0 == BUILT_IN
}

/// Rules that an earlier one takes everything from.
fn unreachable(policy: &Policy, faults: &mut Faults) {
    // an earlier rule that covers this one names whom it names, or names nobody in particular
    let mut by_name: HashMap<(bool, &str), Vec<&Rule>> = HashMap::new();
    let mut broad: Vec<&Rule> = Vec::new();
    for rule in &policy.rules {
        if !is_built_in(policy, rule.place) {
            let names = named(rule);
            let first = names.as_ref().and_then(|names| names.first());
            let same = first
                .and_then(|name| by_name.get(name))
                .into_iter()
                .flatten();
            let earlier = same
                .chain(&broad)
                .find(|earlier| cover::rule(earlier, rule));
            if let Some(earlier) = earlier {
                let what = "this rule is never reached: an earlier one matches all that it does";
                let noted = faults
                    .warning(rule.place, what)
                    .help("move it up or take it out");
                noted.other(earlier.place, "this is the earlier one");
            }
        }
        match named(rule) {
            None => broad.push(rule),
            Some(names) => {
                for name in names {
                    by_name.entry(name).or_default().push(rule);
                }
            }
        }
    }
}

/// Rules that confine by groups which may be away, where everybody else is left alone: some name
/// services then say that the user is in none.
fn remote_groups(policy: &Policy, facts: &dyn Facts, faults: &mut Faults) {
    let leaves_alone = |rule: &&Rule| *rule.profile == *NONE;
    let default = policy.rules.iter().find(|rule| rule.is_of_all());
    let default = default.filter(leaves_alone);
    let Some(default) = default.filter(|_| facts.has_remote_groups()) else {
        return;
    };
    let mut rules = policy.rules.iter();
    if let Some(rule) = rules.find(|rule| rule.confines_groups() && !leaves_alone(rule)) {
        let what = "this rule confines by group, and groups come from a name service here: should \
                    it say that a user is in none because it cannot ask, the user is left alone";
        let noted = faults.warning(rule.place, what);
        noted
            .help("confine by default, and leave groups alone by rules")
            .other(default.place, "by this");
    }
}

/// Names that mean nobody here.
fn rules(policy: &Policy, facts: &dyn Facts, faults: &mut Faults) {
    let by_name: HashMap<&str, &Account> = facts
        .accounts()
        .iter()
        .map(|one| (one.name.as_str(), one))
        .collect();
    let mut in_group: HashMap<String, Vec<&Account>> = HashMap::new();
    if policy.mentions_groups() {
        for account in facts.accounts() {
            for group in facts.groups(account).unwrap_or_default() {
                in_group.entry(group).or_default().push(account);
            }
        }
    }
    let login = Login::default();
    for rule in policy
        .rules
        .iter()
        .filter(|rule| !is_built_in(policy, rule.place))
    {
        let mut strangers = false;
        for item in rule.users.iter().flat_map(|list| list.items.iter()) {
            let (kind, name, known) = match &item.what {
                Who::User(Name::Literal(name)) => {
                    let known = by_name.contains_key(name.as_ref());
                    ("user", name, known || facts.account(name).is_some())
                }
                Who::Group(Name::Literal(name)) => {
                    let known = in_group.contains_key(name.as_ref());
                    ("group", name, known || facts.has_group(name))
                }
                _ => continue,
            };
            if !known {
                strangers = true;
                let noted = faults.warning(
                    item.place,
                    format!("there is no {kind} `{name}` on this host"),
                );
                if kind == "user" && by_name.len() <= MAX_SUGGESTED {
                    noted.did_you_mean(name, by_name.keys().copied());
                } else if let Some(near) = (in_group.len() <= MAX_SUGGESTED)
                    .then(|| suggest::nearest(name, in_group.keys().map(String::as_str)))
                    .flatten()
                {
                    noted.help(format!("did you mean `@{near}`?"));
                }
            }
        }
        if strangers || rule.users.is_none() && rule.uids.is_none() {
            continue;
        }
        let is_about = |account: &&Account| {
            let mut candidate = Candidate::new(&login, account, facts);
            rule.is_about(&mut candidate).unwrap_or(true)
        };
        let found = match named(rule) {
            None => facts.accounts().iter().find(|one| is_about(one)).is_some(),
            Some(names) => names.iter().any(|(is_group, name)| match is_group {
                true => in_group
                    .get(*name)
                    .is_some_and(|all| all.iter().any(&is_about)),
                false => match by_name.get(name) {
                    Some(account) => is_about(account),
                    None => facts.account(name).is_some_and(|one| is_about(&&one)),
                },
            }),
        };
        if !found {
            let what = "this rule matches no account of this host";
            faults.warning(rule.place, what);
        }
    }
}

fn exempt(policy: &Policy, facts: &dyn Facts, faults: &mut Faults) {
    for group in &policy.exempt {
        let name = group.value.text();
        if !facts.has_group(name) {
            let what = format!("there is no group `{name}` on this host: nobody is exempt by it");
            faults.warning(group.place, what);
        }
    }
}

/// What the profiles that rules choose need of the host.
fn profiles(policy: &Policy, facts: &dyn Facts, faults: &mut Faults) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for rule in &policy.rules {
        let name = rule.profile.as_ref();
        let Some(keys) = policy.settled.get(name).filter(|_| seen.insert(name)) else {
            continue;
        };
        let profile = Profile::new(keys);
        if profile.namespaces.is_empty() {
            continue;
        }
        let at = |place: Option<crate::source::Place>| match place {
            Some(place) if !is_built_in(policy, place) => place,
            // with the rule that wants it, and not in a text that nobody can change
            _ => rule.profile_place,
        };
        let runs_shell = profile.command.is_empty() && profile.root.is_none();
        if runs_shell && !facts.is_program(&profile.shell) {
            let shell = profile.shell.display();
            let what = format!("the shell {shell} of profile `{name}` is no program on this host");
            let place = at(keys.shell.as_ref().map(|set| set.place));
            faults.error(place, what).help("install it or set `shell`");
        }
        for private in &profile.private {
            let Some(path) = private.path.fixed() else {
                continue;
            };
            if !private.optional && !facts.is_directory(Path::new(path)) {
                let what =
                    format!("{path}, private in profile `{name}`, is no directory on this host");
                let help = "make it, or say { path = ..., optional = true }";
                faults.error(at(private.place), what).help(help);
            }
        }
        lint_view::profile(name, keys, &profile, facts, faults, at);
        lint_places::profile(name, &profile, facts, faults, at);
        let ranges_at = at(keys.ranges.as_ref().map(|set| set.place));
        // with no policy of the host's own there is nobody to be told
        if profile.has(Namespace::User) && !is_built_in(policy, ranges_at) {
            ranges(name, &profile, ranges_at, facts, faults);
        }
    }
}

/// A user namespace is of little use to who has no ids to fill it.
fn ranges(
    name: &str,
    profile: &Profile,
    place: crate::source::Place,
    facts: &dyn Facts,
    faults: &mut Faults,
) {
    let mut people = facts
        .accounts()
        .iter()
        .filter(|one| is_person(one))
        .peekable();
    let none = |one: &Account| {
        facts
            .ranges(one, IdKind::Uid)
            .is_ok_and(|ranges| ranges.is_empty())
    };
    if people.peek().is_none() || !people.all(none) {
        return;
    }
    let what = match profile.ranges {
        Ranges::IfAny => "maps only their own id",
        Ranges::Required => "refuses all of them",
    };
    let what = format!("no user of this host has subordinate ids: profile `{name}` {what}");
    let noted = faults.warning(place, what);
    noted.help("give them some with `nsctl ranges --allocate --all`");
}

/// Who may have a use for subordinate ids: useradd(8) gives some from this uid on.
fn is_person(account: &Account) -> bool {
    account.uid >= 1000 && account.uid != 65534
}

/// Keys that two files of one layer set: only the order of their names decides.
fn collisions(policy: &Policy, faults: &mut Faults) {
    let layer = |place: crate::source::Place| {
        policy
            .layers
            .get(usize::try_from(place.file).unwrap_or(usize::MAX))
    };
    for (number, (key, other)) in policy.top.iter().enumerate() {
        let mut stronger = policy.top.iter().take(number);
        if let Some((_, holds)) =
            stronger.find(|(one, at)| one == key && layer(*at) == layer(*other))
        {
            let what = format!("`{key}` is set in another file as well, which holds");
            faults.warning(*other, what).other(*holds, "this holds");
        }
    }
    for one in &policy.overridden {
        if layer(one.holds) == layer(one.other) {
            let (key, profile) = (one.key, &one.profile);
            let what = format!(
                "`{key}` of profile `{profile}` is set in another file as well, which holds"
            );
            faults
                .warning(one.other, what)
                .other(one.holds, "this holds");
        }
    }
}
