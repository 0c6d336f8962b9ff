//! Profiles that nothing leads to: mostly a name with a slip in it.

use std::collections::BTreeSet;

use crate::diagnostic::Faults;
use crate::policy::SHIPPED;
use crate::profile::NONE;
use crate::{Layer, Policy, suggest};

/// Notes a profile that no rule chooses, that is no default and that no chosen profile extends:
/// what it says holds for nobody.
pub(crate) fn unused(policy: &Policy, faults: &mut Faults) {
    let mut used: BTreeSet<&str> = BTreeSet::from([NONE]);
    let mut next: Vec<&str> = policy
        .rules
        .iter()
        .map(|rule| rule.profile.as_ref())
        .collect();
    while let Some(name) = next.pop() {
        if used.insert(name)
            && let Some(list) = policy.own.get(name).and_then(|own| own.extends.as_ref())
        {
            next.extend(list.value.iter().map(|one| one.value.as_str()));
        }
    }
    for (name, place) in &policy.named {
        let layer = usize::try_from(place.file)
            .ok()
            .and_then(|file| policy.layers.get(file));
        if used.contains(name.as_str()) || layer == Some(&Layer::BuiltIn) {
            continue;
        }
        let names = || used.iter().copied().chain(SHIPPED);
        // a package may bring profiles for whoever wants them
        if layer == Some(&Layer::Vendor) && suggest::nearest(name, names()).is_none() {
            continue;
        }
        let what = format!("no rule leads to profile `{name}`: what it says holds for nobody");
        faults
            .warning(*place, what)
            .help("name it in a rule, or take it out")
            .did_you_mean(name, names());
    }
}
