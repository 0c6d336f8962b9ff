//! Profiles of several files laid over each other, and what they extend.

use std::collections::BTreeMap;

use crate::conflict;
use crate::diagnostic::Faults;
use crate::life;
use crate::policy::SHIPPED;
use crate::profile::Keys;
use crate::source::Place;
use crate::suggest;

/// How many profiles deep `extends` may go.
const MAX_DEPTH: usize = 16;

/// Every profile with the keys of those that it extends. Later ones in the list win over
/// earlier ones, and its own keys over all; unknown profiles and cycles are noted.
pub(crate) fn settle(own: &BTreeMap<String, Keys>, faults: &mut Faults) -> BTreeMap<String, Keys> {
    let mut settling = Settling {
        own,
        done: BTreeMap::new(),
        path: Vec::new(),
    };
    for name in own.keys() {
        settling.profile(name, faults);
    }
    let done = settling.done.into_iter();
    let settled: BTreeMap<_, _> = done.map(|(name, (keys, _))| (name, keys)).collect();
    for (name, keys) in own {
        if let Some(settled) = settled.get(name) {
            conflict::contradictions(name, keys, settled, faults);
            life::contradictions(name, keys, settled, faults);
        }
    }
    settled
}

struct Settling<'o> {
    own: &'o BTreeMap<String, Keys>,
    /// with how many profiles deep it goes
    done: BTreeMap<String, (Keys, usize)>,
    /// the profiles that are being settled, each extending the next
    path: Vec<&'o str>,
}

impl<'o> Settling<'o> {
    fn profile(&mut self, name: &'o str, faults: &mut Faults) {
        if self.done.contains_key(name) {
            return;
        }
        let Some(own) = self.own.get(name) else {
            return;
        };
        let mut settled = own.clone();
        let mut depth = 0;
        self.path.push(name);
        // the last one is the strongest, and what is set once is not set again
        for parent in own.extends.iter().flat_map(|list| &list.value).rev() {
            let Some((parent_name, _)) = self.own.get_key_value(&parent.value) else {
                unknown(&parent.value, parent.place, self.own.keys(), faults);
                continue;
            };
            if let Some(at) = self.path.iter().position(|on| on == parent_name) {
                let round = self.path.iter().skip(at).copied();
                let round: Vec<&str> = round.chain([parent_name.as_str()]).collect();
                let what = format!(
                    "profile `{parent_name}` extends itself: {}",
                    round.join(" -> ")
                );
                faults
                    .error(parent.place, what)
                    .help("take one of these out");
                continue;
            }
            // never far beyond the limit, or a long chain would take all of the stack
            if self.path.len() <= MAX_DEPTH {
                self.profile(parent_name, faults);
            }
            let done = self.done.get(parent_name);
            let (parents, below) = done.map_or((None, MAX_DEPTH), |(keys, d)| (Some(keys), *d));
            depth = depth.max(below + 1);
            match parents {
                // told once, at the place where it is too much
                _ if below == MAX_DEPTH => {
                    let what = format!("`extends` goes more than {MAX_DEPTH} profiles deep");
                    faults.error(parent.place, what);
                }
                Some(parents) => settled.fill(parents),
                None => {}
            }
        }
        self.path.pop();
        self.done.insert(name.to_owned(), (settled, depth));
    }
}

/// Notes the name of a profile that is not there.
pub(crate) fn unknown<'a>(
    name: &str,
    place: Place,
    names: impl Iterator<Item = &'a String>,
    faults: &mut Faults,
) {
    let names = names.map(String::as_str).chain(SHIPPED);
    let help = match suggest::nearest(name, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("define it with [profile.{name}]"),
    };
    faults
        .error(place, format!("there is no profile `{name}`"))
        .help(help);
}
