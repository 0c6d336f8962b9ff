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

/// Most bytes of text that all profiles together may take over from those that they extend: a few
/// of them could be made to say many times what a file may have.
const MAX_INHERITED: u64 = 1 << 20;

/// Every profile with the keys of those that it extends. Later ones in the list win over
/// earlier ones, and its own keys over all; unknown profiles and cycles are noted.
pub(crate) fn settle(own: &BTreeMap<String, Keys>, faults: &mut Faults) -> BTreeMap<String, Keys> {
    let mut settling = Settling {
        own,
        done: BTreeMap::new(),
        path: Vec::new(),
        inherited: 0,
    };
    for name in own.keys() {
        settling.profile(name, faults);
    }
    for (name, keys) in own {
        if let Some(done) = settling.done.get(name) {
            let before = faults.count();
            conflict::contradictions(name, keys, &done.keys, faults);
            life::contradictions(name, keys, &done.keys, faults);
            if let Some(extends) = done.extends {
                faults.told_at(extends, before);
            }
        }
    }
    let done = settling.done.into_iter();
    done.map(|(name, done)| (name, done.keys)).collect()
}

struct Settling<'o> {
    own: &'o BTreeMap<String, Keys>,
    done: BTreeMap<String, Done>,
    /// the profiles that are being settled, each extending the next, and where it does
    path: Vec<(&'o str, Option<Place>)>,
    /// how much text has been taken over
    inherited: u64,
}

/// How long the text of what is set is.
fn length(keys: &Keys) -> u64 {
    let places = keys.places().into_iter().filter_map(|(_, place)| place);
    places
        .map(|place| u64::from(place.end.saturating_sub(place.start)))
        .sum()
}

/// A settled profile.
struct Done {
    keys: Keys,
    /// how many profiles deep it goes
    depth: usize,
    /// the strongest `extends` that something in it came from
    extends: Option<Place>,
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
        let mut extends = own.extends.as_ref().map(|list| list.place);
        self.path.push((name, None));
        // the last one is the strongest, and what is set once is not set again
        for parent in own.extends.iter().flat_map(|list| &list.value).rev() {
            let Some((parent_name, _)) = self.own.get_key_value(&parent.value) else {
                unknown(&parent.value, parent.place, self.own.keys(), faults);
                continue;
            };
            if let Some((_, at)) = self.path.last_mut() {
                *at = Some(parent.place);
            }
            if let Some(at) = self.path.iter().position(|(on, _)| on == parent_name) {
                cycle(self.path.get(at..).unwrap_or(&[]), faults);
                continue;
            }
            // never far beyond the limit, or a long chain would take all of the stack
            if self.path.len() <= MAX_DEPTH {
                self.profile(parent_name, faults);
            }
            let done = self.done.get(parent_name);
            let parents = done.map(|done| &done.keys);
            let below = done.map_or(MAX_DEPTH, |done| done.depth);
            let further = done.and_then(|done| done.extends);
            extends = extends.into_iter().chain(further).min_by_key(|at| at.file);
            depth = depth.max(below + 1);
            match parents {
                // told once, at the place where it is too much
                _ if below == MAX_DEPTH => {
                    let what = format!("`extends` goes more than {MAX_DEPTH} profiles deep");
                    faults.error(parent.place, what);
                }
                Some(parents) => {
                    let before = self.inherited;
                    self.inherited += length(parents);
                    if self.inherited <= MAX_INHERITED {
                        settled.fill(parents);
                    } else if before <= MAX_INHERITED {
                        let what = "profiles extend others with more than 1 MiB of text in all";
                        faults.error(parent.place, what);
                    }
                }
                None => {}
            }
        }
        self.path.pop();
        let done = Done {
            keys: settled,
            depth,
            extends,
        };
        self.done.insert(name.to_owned(), done);
    }
}

/// Notes profiles that extend each other in a round, in the strongest file.
fn cycle(round: &[(&str, Option<Place>)], faults: &mut Faults) {
    let first = round.first().map_or("", |(name, _)| name);
    let names: Vec<&str> = round.iter().map(|(name, _)| *name).collect();
    let what = format!(
        "profile `{first}` extends itself: {} -> {first}",
        names.join(" -> ")
    );
    let places = || round.iter().filter_map(|(_, at)| *at);
    let strongest = places().rev().min_by_key(|at| at.file);
    let Some(place) = strongest else { return };
    let noted = faults.error(place, what).help("take one of these out");
    if let Some(other) = places().find(|at| *at != place) {
        noted.other(other, "the round goes on here");
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
