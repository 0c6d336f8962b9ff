//! Whether one rule matches everything that another one does.

use crate::pattern::{List, Name, Who};
use crate::rule::Rule;

/// Never wrongly true; false for some pairs whose globs only look different.
pub(crate) fn rule(earlier: &Rule, later: &Rule) -> bool {
    // these two are matched by name only
    let unnamed = (later.names_systemd_user() && !earlier.names_systemd_user())
        || (later.names_root() && !earlier.names_root());
    !unnamed
        && list(&earlier.services, &later.services, Name::covers)
        && list(&earlier.uids, &later.uids, |one, other| one.covers(*other))
        && list(&earlier.ttys, &later.ttys, Name::covers)
        && list(&earlier.hosts, &later.hosts, |one, other| one.covers(other))
        && list(&earlier.users, &later.users, Who::covers)
        && is_safe(earlier, later)
}

/// A user who is named may be uid 0 under another name, which only the same name matches.
fn is_safe(earlier: &Rule, later: &Rule) -> bool {
    let literal = |rule: &Rule| -> Vec<Name> {
        let users = rule.users.iter().flat_map(List::positives);
        let names = users.filter_map(|item| match &item.what {
            Who::User(name @ Name::Literal(_)) => Some(name.clone()),
            _ => None,
        });
        names.collect()
    };
    let known = literal(earlier);
    literal(later)
        .iter()
        .all(|name| known.contains(name) || !name_may_be_root(name))
}

/// The usual second names of uid 0. Another one would make a warning wrong, and no login.
fn name_may_be_root(name: &Name) -> bool {
    matches!(name.text(), "root" | "toor" | "admin")
}

fn list<T>(
    earlier: &Option<List<T>>,
    later: &Option<List<T>>,
    covers: impl Fn(&T, &T) -> bool,
) -> bool {
    let (earlier, later) = match (earlier, later) {
        (None, _) => return true,
        // a list is always about less than everything, as far as can be seen here
        (Some(_), None) => return false,
        (Some(earlier), Some(later)) => (earlier, later),
    };
    let taken_out = earlier.negatives().all(|out| {
        later
            .negatives()
            .any(|other| covers(&other.what, &out.what))
    });
    if !taken_out || earlier.positives().next().is_none() {
        return taken_out;
    }
    later.positives().next().is_some()
        && later.positives().all(|one| {
            earlier
                .positives()
                .any(|other| covers(&other.what, &one.what))
        })
}
