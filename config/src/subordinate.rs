//! All subordinate ids of a host at once: who can become whom by them, and which are free.
//!
//! A range is the right to become each of its ids. Two users with one id in common can
//! signal, trace and read each other inside their user namespaces, and who has another
//! account's id can become that account. No login looks for this; newuidmap(1) does not either.

use std::collections::HashMap;

use crate::diagnostic::{Diagnostic, Faults};
use crate::host::{IdKind, Range, RangeFault};
use crate::source::{Place, Source};
use crate::subid::line_range;
use crate::{Account, Error, Limits};

/// The accounts and groups of a host by their ids.
pub struct People<'a> {
    by_name: HashMap<&'a str, &'a Account>,
    by_uid: HashMap<u32, &'a Account>,
    /// id and whose it is, in the order of the ids, each once
    uids: Vec<(u32, &'a str)>,
    gids: Vec<(u32, &'a str)>,
}

impl<'a> People<'a> {
    /// Sorts accounts and groups; a group is a gid and a name.
    #[must_use]
    pub fn new(
        accounts: &'a [Account],
        groups: impl IntoIterator<Item = (u32, &'a str)>,
    ) -> People<'a> {
        let mut by_uid = HashMap::new();
        for account in accounts {
            // of two accounts with one uid the first is who the host says it is
            by_uid.entry(account.uid).or_insert(account);
        }
        let mut uids: Vec<_> = by_uid
            .iter()
            .map(|(uid, one)| (*uid, one.name.as_str()))
            .collect();
        uids.sort_unstable();
        // a primary group may have no entry of its own
        let primary = accounts.iter().map(|one| (one.gid, one.name.as_str()));
        let mut gids: Vec<_> = groups.into_iter().chain(primary).collect();
        gids.sort_by_key(|(gid, _)| *gid);
        gids.dedup_by_key(|(gid, _)| *gid);
        People {
            by_name: accounts
                .iter()
                .rev()
                .map(|one| (one.name.as_str(), one))
                .collect(),
            by_uid,
            uids,
            gids,
        }
    }

    fn ids(&self, kind: IdKind) -> &[(u32, &'a str)] {
        match kind {
            IdKind::Uid => &self.uids,
            IdKind::Gid => &self.gids,
        }
    }

    /// Everybody whom the owner field of a line means: a name or a uid, and if one account's
    /// name is another one's uid, both.
    fn holders(&self, owner: &str) -> impl Iterator<Item = u32> + use<> {
        let named = self.by_name.get(owner).map(|one| one.uid);
        let plain = owner.parse::<u32>().ok();
        let numbered = plain.filter(|uid| uid.to_string() == owner);
        let numbered = numbered.filter(|uid| self.by_uid.contains_key(uid) && named != Some(*uid));
        named.into_iter().chain(numbered)
    }
}

/// Who may use a range. Accounts with one uid are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Holder {
    Account(u32),
    /// an owner who is no account of this host, numbered
    Stranger(u32),
}

/// One range and who may use it.
#[derive(Debug, Clone, Copy)]
struct Claim {
    holder: Holder,
    range: Range,
    place: Place,
}

fn last(range: Range) -> u32 {
    range.start.saturating_add(range.count.saturating_sub(1))
}

/// All ranges of one kind.
pub struct Book<'a> {
    kind: IdKind,
    people: &'a People<'a>,
    source: Source,
    claims: Vec<Claim>,
    bad: Vec<(Place, RangeFault)>,
    /// the claims of each account, by uid
    of: HashMap<u32, Vec<Range>>,
}

impl<'a> Book<'a> {
    /// Reads the text of /etc/subuid or /etc/subgid, or one that is written like it. `name` is
    /// what an administrator knows it by. Empty lines and comments are passed over, as shadow
    /// does.
    #[must_use]
    pub fn new(kind: IdKind, name: &str, text: String, people: &'a People<'a>) -> Book<'a> {
        let (mut claims, mut bad) = (Vec::new(), Vec::new());
        let mut strangers: HashMap<&str, u32> = HashMap::new();
        let mut start = 0;
        for (at, whole) in text.split_inclusive('\n').enumerate() {
            let line = whole.trim_end_matches(['\n', '\r']);
            let offset = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
            let place = Place {
                file: 0,
                start: offset(start),
                end: offset(start + line.len()),
            };
            start += whole.len();
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let range = match line_range(at, line) {
                Ok(range) => range,
                Err(Error::BadRange { fault, .. }) => {
                    bad.push((place, fault));
                    continue;
                }
                // it has no other error; if it had, the line would be none to rely on
                Err(_) => {
                    bad.push((place, RangeFault::Malformed("it cannot be read")));
                    continue;
                }
            };
            let owner = line.split(':').next().unwrap_or("");
            if owner.is_empty() {
                bad.push((place, RangeFault::Malformed("it names nobody")));
                continue;
            }
            let known = claims.len();
            claims.extend(people.holders(owner).map(|uid| Claim {
                holder: Holder::Account(uid),
                range,
                place,
            }));
            if claims.len() == known {
                let number = offset(strangers.len());
                let number = *strangers.entry(owner).or_insert(number);
                claims.push(Claim {
                    holder: Holder::Stranger(number),
                    range,
                    place,
                });
            }
        }
        let mut of: HashMap<u32, Vec<Range>> = HashMap::new();
        for claim in &claims {
            if let Holder::Account(uid) = claim.holder {
                of.entry(uid).or_default().push(claim.range);
            }
        }
        Book {
            kind,
            people,
            source: Source::new(name, text),
            claims,
            bad,
            of,
        }
    }

    /// Uids or gids.
    #[must_use]
    pub fn kind(&self) -> IdKind {
        self.kind
    }

    /// The account's ranges, in the order of the text.
    #[must_use]
    pub fn of(&self, account: &Account) -> &[Range] {
        self.of.get(&account.uid).map_or(&[], Vec::as_slice)
    }

    /// Ranges of owners who are no accounts of this host.
    pub fn strangers(&self) -> impl Iterator<Item = (&str, Range)> {
        let strange = |claim: &&Claim| matches!(claim.holder, Holder::Stranger(_));
        let claims = self.claims.iter().filter(strange);
        claims.map(|claim| (self.owner(claim), claim.range))
    }

    /// Whether there is a line that makes no sense: then nobody knows which ids are free.
    #[must_use]
    pub fn has_bad_line(&self) -> bool {
        !self.bad.is_empty()
    }

    fn owner(&self, claim: &Claim) -> &str {
        match claim.holder {
            Holder::Account(uid) => self.people.by_uid.get(&uid).map_or("", |one| &one.name),
            Holder::Stranger(_) => {
                let start = usize::try_from(claim.place.start).unwrap_or(usize::MAX);
                let line = self.source.text.get(start..).unwrap_or("");
                line.split(':').next().unwrap_or("")
            }
        }
    }

    /// Lines that make no sense, ranges that two users share, and ranges with the id of
    /// somebody else in them. All are errors; of very many, the first are given.
    #[must_use]
    pub fn faults(&self) -> Vec<Diagnostic> {
        let mut faults = Faults::default();
        for (place, fault) in &self.bad {
            faults.error(*place, format!("the range {fault}"));
        }
        let usermod = match self.kind {
            IdKind::Uid => "--del-subuids",
            IdKind::Gid => "--del-subgids",
        };
        let help = |who: &str, range: Range| {
            let (first, last) = (range.start, last(range));
            format!(
                "take it away with `usermod {usermod} {first}-{last} {who}` while {who} is \
                 logged out, then `nsctl ranges --allocate {who}`"
            )
        };
        for (one, other) in overlaps(&self.claims) {
            if faults.is_full() {
                break;
            }
            let (Some(one), Some(other)) = (self.claims.get(one), self.claims.get(other)) else {
                continue;
            };
            let (who, whose) = (self.owner(one), self.owner(other));
            let what = format!(
                "the range of `{who}` overlaps that of `{whose}`: each can take over what the \
                 other runs and owns by these {}s",
                self.kind
            );
            let noted = faults.error(one.place, what).help(help(who, one.range));
            noted.other(other.place, format!("the range of `{whose}`"));
        }
        for claim in &self.claims {
            let Some((id, whose, more)) = self.others_inside(claim) else {
                continue;
            };
            let (who, kind) = (self.owner(claim), self.kind);
            let more = match more {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let what = match kind {
                IdKind::Uid => format!("user `{whose}`{more}: `{who}` can become that user"),
                IdKind::Gid => format!("group `{whose}`{more}: `{who}` can take on that group"),
            };
            let what = format!("the range of `{who}` contains {kind} {id} of {what}");
            faults.error(claim.place, what).help(help(who, claim.range));
        }
        faults.shown(std::slice::from_ref(&self.source))
    }

    /// The first id of another account or group in a range, whose it is, and how many more
    /// there are.
    fn others_inside(&self, claim: &Claim) -> Option<(u32, &'a str, usize)> {
        let own = match claim.holder {
            Holder::Stranger(_) => None,
            Holder::Account(uid) => match self.kind {
                IdKind::Uid => Some(uid),
                IdKind::Gid => self.people.by_uid.get(&uid).map(|one| one.gid),
            },
        };
        let ids = self.people.ids(self.kind);
        let from = ids.partition_point(|(id, _)| *id < claim.range.start);
        let to = ids.partition_point(|(id, _)| *id <= last(claim.range));
        let inside = ids.get(from..to).unwrap_or(&[]);
        let is_own = |id: u32| own == Some(id);
        let (id, whose) = inside.iter().find(|(id, _)| !is_own(*id))?;
        let has_own = own.is_some_and(|own| inside.binary_search_by_key(&own, |i| i.0).is_ok());
        Some((*id, whose, inside.len() - 1 - usize::from(has_own)))
    }

    /// What can be given to users who have nothing.
    #[must_use]
    pub fn free(&self, limits: Limits) -> Free {
        let claimed = self.claims.iter().map(|claim| claim.range);
        let real = self.people.ids(self.kind).iter();
        let real = real.map(|(id, _)| Range {
            start: *id,
            count: 1,
        });
        Free::new(claimed.chain(real), limits)
    }
}

/// Each claim that shares an id with an earlier one (by its first id) of another holder, and
/// one such earlier claim. If n users share an id these are n-1 pairs, not all.
fn overlaps(claims: &[Claim]) -> Vec<(usize, usize)> {
    let mut order: Vec<(usize, &Claim)> = claims.iter().enumerate().collect();
    order.sort_by_key(|(at, claim)| (claim.range.start, *at));
    // The two claims so far that reach furthest, of different holders: one of them is another
    // holder's than the next claim's.
    let mut furthest: [Option<(u32, usize, Holder)>; 2] = [None, None];
    let mut found = Vec::new();
    for (at, claim) in order {
        let other = furthest
            .iter()
            .flatten()
            .find(|(_, _, holder)| *holder != claim.holder);
        if let Some((_, other, _)) = other.filter(|(reach, _, _)| *reach >= claim.range.start) {
            found.push((at, *other));
        }
        let own = (last(claim.range), at, claim.holder);
        let [first, second] = furthest;
        let further = |than: Option<(u32, usize, Holder)>| than.is_none_or(|than| own.0 > than.0);
        let is_own = |one: Option<(u32, usize, Holder)>| one.is_some_and(|one| one.2 == own.2);
        furthest = match (further(first), further(second)) {
            (true, _) if is_own(first) => [Some(own), second],
            (true, _) => [Some(own), first],
            (false, true) if !is_own(first) => [first, Some(own)],
            (false, _) => furthest,
        };
    }
    found
}

/// Gives one free range after the other, from the smallest ids upwards.
#[derive(Debug)]
pub struct Free {
    limits: Limits,
    /// first and last id, in the order of the first
    taken: Vec<(u32, u32)>,
    /// the first of `taken` that may be in the way
    at: usize,
    /// the smallest id that may be free
    next: u64,
}

impl Free {
    /// What is free of these ranges, within the limits.
    #[must_use]
    pub fn new(taken: impl IntoIterator<Item = Range>, limits: Limits) -> Free {
        let ends = taken.into_iter().map(|range| (range.start, last(range)));
        let mut taken: Vec<_> = ends.collect();
        taken.sort_unstable();
        Free {
            limits,
            taken,
            at: 0,
            next: limits.first.into(),
        }
    }
}

impl Iterator for Free {
    type Item = Range;

    fn next(&mut self) -> Option<Range> {
        let count = u64::from(self.limits.count);
        while let Some((first, last)) = self.taken.get(self.at) {
            if self.next + count <= u64::from(*first) {
                break;
            }
            self.next = self.next.max(u64::from(*last) + 1);
            self.at += 1;
        }
        if self.next + count - 1 > u64::from(self.limits.last) {
            return None;
        }
        let start = u32::try_from(self.next).ok()?;
        self.next += count;
        Some(Range {
            start,
            count: self.limits.count,
        })
    }
}

#[cfg(test)]
mod tests;
