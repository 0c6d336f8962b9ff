//! From policy, login and account to the plan.

use crate::host::{Host, IdKind};
use crate::profile::Profile;
use crate::text::{IdMap, Ranges};
use crate::{
    Account, Error, IdMapLine, IdMaps, Login, Namespace, Plan, Policy, SessionPlan, idmap,
};

/// The plan of a login. Everything that can be found wrong without acting is found here.
///
/// # Errors
/// No rule matches, the user's ids cannot be mapped as the profile says, or the host does not
/// answer. There is no plan then and the login has to be refused.
pub fn resolve(
    policy: &Policy,
    login: &Login,
    account: &Account,
    host: &dyn Host,
) -> Result<Plan, Error> {
    let (name, profile, matched) = policy.choose(login, account, host)?;
    let session = match profile.namespaces.is_empty() {
        true => None,
        false => Some(session(name, profile, account, host)?),
    };
    Ok(Plan {
        account: account.clone(),
        login: login.clone(),
        profile: name.to_owned(),
        matched,
        shell: profile.shell.clone(),
        require_nsshell: profile.require_nsshell && profile.has(Namespace::User),
        session,
    })
}

fn session(
    name: &str,
    profile: &Profile,
    account: &Account,
    host: &dyn Host,
) -> Result<SessionPlan, Error> {
    if account.uid == u32::MAX || account.gid == u32::MAX {
        // setresuid(2) and chown(2) would leave the ids as they are: root's
        return Err(Error::NoSuchId {
            user: Some(account.name.clone()),
        });
    }
    Ok(SessionPlan {
        namespaces: profile.namespaces.clone(),
        id_maps: match profile.has(Namespace::User) {
            true => Some(id_maps(name, profile, account, host)?),
            false => None,
        },
        hostname: match profile.has(Namespace::Uts) {
            true => hostname(name, profile, account, host)?,
            false => None,
        },
        mounts: profile.mounts(),
        grace: profile.grace,
        timeout: profile.timeout,
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

fn hostname(
    name: &str,
    profile: &Profile,
    account: &Account,
    host: &dyn Host,
) -> Result<Option<String>, Error> {
    let Some(template) = &profile.hostname else {
        return Ok(None);
    };
    let outside = if template.wants_hostname() {
        host.hostname()?
    } else {
        String::new()
    };
    match template.fill(&outside, &account.name) {
        Ok(inside) => Ok(Some(inside)),
        Err((filled, why)) => Err(Error::Hostname {
            profile: name.to_owned(),
            name: filled,
            why,
        }),
    }
}
