//! Logins by su and the like, which leave root's terminal open to the user.

use std::collections::BTreeSet;
use std::path::Path;

use crate::diagnostic::{Diagnostic, Faults};
use crate::everybody::{Everybody, named};
use crate::host::Facts;
use crate::matching::Candidate;
use crate::pattern::Verdict;
use crate::profile::Profile;
use crate::rule::Rule;
use crate::source::Place;
use crate::{Account, Login, Mode, Namespace, Policy};

/// PAM services by which root, or a user by sudo, becomes another user on a terminal that stays
/// the first one's.
const SERVICES: [&str; 6] = ["su", "su-l", "runuser", "runuser-l", "sudo", "sudo-i"];

/// Warns of each profile whose sessions nsshell does not enter in such a login, so that it cannot
/// give the user a terminal of the session's own. `enters`: the login shell of an account is
/// nsshell.
#[must_use]
pub fn open_terminals(
    policy: &Policy,
    facts: &dyn Facts,
    enters: &dyn Fn(&Account) -> bool,
) -> Vec<Diagnostic> {
    let mut faults = Faults::default();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for rule in policy.rules.iter().filter(|rule| is_about_users(rule)) {
        let name = rule.profile.as_ref();
        let Some(keys) = policy.settled.get(name).filter(|_| seen.insert(name)) else {
            continue;
        };
        let profile = Profile::new(keys);
        let confines = !profile.namespaces.is_empty() && profile.mode == Mode::Enforce;
        if !confines || !runs_programs(&profile, facts) {
            continue;
        }
        let (who, key, remedy) = if !profile.has(Namespace::User) {
            let who = format!("profile `{name}` has no user namespace");
            let key = keys.namespaces.as_ref().map(|set| set.place);
            (who, key, "or add \"user\" to `namespaces`")
        } else if profile.require_nsshell {
            // another login shell is refused
            continue;
        } else if let Some(account) = with_another_shell(policy, name, facts, enters) {
            let who = format!(
                "profile `{name}` does not require nsshell, and the login shell of `{}` is {}",
                account.name,
                account.shell.display()
            );
            let key = keys.require_nsshell.as_ref().map(|set| set.place);
            (who, key, "or set require_nsshell = true")
        } else {
            continue;
        };
        let what = format!(
            "{who}: after root's su, runuser or sudo to one of its users, a process of the user's \
             can stay and go on reading root's terminal"
        );
        let help = format!("have root use `su -P`, and sudo with `Defaults use_pty`; {remedy}");
        faults.warning(place(policy, rule, key), what).help(help);
    }
    faults.shown(&policy.sources)
}

/// Where to tell of a key: not in the built-in text, which the administrator cannot change.
fn place(policy: &Policy, rule: &Rule, key: Option<Place>) -> Place {
    let own = key.filter(|key| policy.place(*key).0 != crate::BUILT_IN);
    own.unwrap_or(rule.profile_place)
}

/// True if a rule can match such a login of another user than root.
fn is_about_users(rule: &Rule) -> bool {
    let service = |service: &str| {
        let services = rule.services.as_ref();
        services.is_none_or(|list| list.verdict(|name| name.matches(service)) == Verdict::In)
    };
    let root_alone =
        named(rule).is_some_and(|names| names.iter().all(|one| *one == (false, "root")));
    !root_alone && SERVICES.iter().any(|one| service(one))
}

/// True if there is a shell in the session. A root directory for files only has none, and su
/// fails there.
fn runs_programs(profile: &Profile, facts: &dyn Facts) -> bool {
    let Some(root) = &profile.root else {
        return true;
    };
    let in_root = |path: &Path| {
        path.strip_prefix("/")
            .is_ok_and(|rest| facts.is_program(&root.join(rest)))
    };
    in_root(&profile.shell) || in_root(Path::new("/bin/sh"))
}

/// The first account that gets this profile by such a login and has another login shell.
fn with_another_shell<'f>(
    policy: &Policy,
    profile: &str,
    facts: &'f dyn Facts,
    enters: &dyn Fn(&Account) -> bool,
) -> Option<&'f Account> {
    let everybody = Everybody::new(policy);
    let gets = |account: &Account| {
        SERVICES.iter().any(|service| {
            let login = Login {
                service: (*service).to_owned(),
                ..Login::default()
            };
            let mut candidate = Candidate::new(&login, account, facts);
            let chosen = everybody.choose(&login, &mut candidate);
            chosen.is_ok_and(|(name, ..)| name == profile)
        })
    };
    let mut others = facts.accounts().iter().filter(|one| !enters(one));
    others.find(|one| gets(one))
}
