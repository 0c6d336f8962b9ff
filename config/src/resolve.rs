//! From policy, login and account to the plan.

use crate::host::{Host, IdKind};
use crate::matching::{Candidate, Miss};
use crate::profile::{IdMap, Profile, Ranges};
use crate::rule::Rule;
use crate::template::Values;
use crate::{
    Account, Error, IdMapLine, IdMaps, Login, Matched, Namespace, OnFailure, Plan, Policy,
    SessionPlan, idmap, view,
};

/// The plan of a login. Everything that can be found wrong without acting is found here.
///
/// # Errors
/// No rule matches, the user's ids cannot be mapped as the profile says, or the host does not
/// answer. There is no plan then; [`spared`](crate::spared()) says what becomes of the login.
pub fn resolve(
    policy: &Policy,
    login: &Login,
    account: &Account,
    host: &dyn Host,
) -> Result<Plan, Error> {
    let mut candidate = Candidate::new(login, account, host);
    let chosen = policy.choose(&mut candidate, login, |_, _| {})?;
    plan(policy, chosen, login, &mut candidate, host)
}

/// The rules that were tried before the one that matched, the profile with that rule, the groups
/// if the policy depends on any, and the plan.
#[allow(clippy::type_complexity)]
pub(crate) fn traced<'p>(
    policy: &'p Policy,
    login: &Login,
    account: &Account,
    host: &dyn Host,
) -> (
    Vec<(&'p Rule, Miss)>,
    Option<(String, Matched)>,
    Option<Vec<String>>,
    Result<Plan, Error>,
) {
    let mut candidate = Candidate::new(login, account, host);
    let mut count = 0;
    let mut missed = Vec::new();
    let chosen = policy.choose(&mut candidate, login, |_, miss| {
        missed.extend(policy.rules.get(count).map(|rule| (rule, miss)));
        count += 1;
    });
    let (rule, plan) = match chosen {
        Err(error) => (None, Err(error)),
        Ok(chosen) => {
            let rule = Some((chosen.0.to_owned(), chosen.2.clone()));
            (rule, plan(policy, chosen, login, &mut candidate, host))
        }
    };
    let groups = match policy.mentions_groups() {
        true => candidate.groups().ok().map(|groups| {
            let mut sorted: Vec<String> = groups.iter().cloned().collect();
            sorted.sort_unstable();
            sorted
        }),
        false => None,
    };
    (missed, rule, groups, plan)
}

/// Whether the user is in a group that is never refused. A user database that does not answer
/// makes nobody exempt.
pub(crate) fn exempt(policy: &Policy, candidate: &mut Candidate<'_>) -> bool {
    !policy.exempt.is_empty()
        && candidate
            .is_in(policy.exempt.iter().map(|group| &group.value))
            .unwrap_or(false)
}

pub(crate) fn plan(
    policy: &Policy,
    (name, profile, matched): (&str, Profile, Matched),
    login: &Login,
    candidate: &mut Candidate<'_>,
    host: &dyn Host,
) -> Result<Plan, Error> {
    let account = candidate.account;
    let values = Values {
        login,
        account,
        host,
    };
    let session = match profile.namespaces.is_empty() {
        true => None,
        false => Some(session(name, &profile, &values)?),
    };
    // a login that is left alone cannot fail
    let exempt = session.is_some() && exempt(policy, candidate);
    Ok(Plan {
        account: account.clone(),
        login: login.clone(),
        profile: name.to_owned(),
        matched,
        require_nsshell: profile.require_nsshell && profile.has(Namespace::User),
        shell: profile.shell,
        pass_environment: match session {
            Some(_) if !profile.command.is_empty() => profile.pass_environment,
            _ => Vec::new(),
        },
        command: match session {
            Some(_) => profile.command,
            None => Vec::new(),
        },
        on_failure: match exempt {
            true => OnFailure::Unconfined,
            false => profile.on_failure,
        },
        exempt,
        mode: profile.mode,
        session,
    })
}

fn session(name: &str, profile: &Profile, values: &Values<'_>) -> Result<SessionPlan, Error> {
    let account = values.account;
    if account.uid == u32::MAX || account.gid == u32::MAX {
        // setresuid(2) and chown(2) would leave the ids as they are: root's
        return Err(Error::NoSuchId {
            user: Some(account.name.clone()),
        });
    }
    Ok(SessionPlan {
        namespaces: profile.namespaces.clone(),
        id_maps: match profile.has(Namespace::User) {
            true => Some(id_maps(name, profile, account, values.host)?),
            false => None,
        },
        hostname: match profile.has(Namespace::Uts) {
            true => hostname(name, profile, values)?,
            false => None,
        },
        root: profile.root.clone(),
        mounts: view::mounts(name, profile, values)?,
        grace: profile.grace,
        timeout: profile.timeout,
        life: profile.life.clone(),
    })
}

fn id_maps(
    name: &str,
    profile: &Profile,
    account: &Account,
    host: &dyn Host,
) -> Result<IdMaps, Error> {
    if account.uid == 0 {
        let user = account.name.clone();
        return Err(Error::RootUserNamespace {
            user,
            profile: name.to_owned(),
        });
    }
    let map = |kind: IdKind, own: u32| -> Result<Vec<IdMapLine>, Error> {
        let ranges = host
            .ranges(account, kind)
            .map_err(|error| error.about(kind))?;
        if ranges.is_empty() && profile.ranges == Ranges::Required {
            return Err(Error::NoRange {
                user: account.name.clone(),
                kind,
            });
        }
        let map = match profile.id_map {
            IdMap::Keep => idmap::keep(own, &ranges),
            IdMap::Root => idmap::root(own, &ranges),
        };
        map.map_err(|error| error.about(kind))
    };
    Ok(IdMaps {
        uid: map(IdKind::Uid, account.uid)?,
        gid: map(IdKind::Gid, account.gid)?,
    })
}

fn hostname(name: &str, profile: &Profile, values: &Values<'_>) -> Result<Option<String>, Error> {
    let Some(template) = &profile.hostname else {
        return Ok(None);
    };
    match template.fill_hostname(values)? {
        Ok(inside) => Ok(Some(inside)),
        Err((filled, why)) => Err(Error::Hostname {
            profile: name.to_owned(),
            name: filled,
            why,
        }),
    }
}
