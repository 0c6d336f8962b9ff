//! Who gets which directories: the least number of profiles that gives every user their own.

use std::collections::HashMap;

use super::parser::Entry;
use super::private::{Private, Taken};

/// Most different profiles; a policy has at most 1000.
const MAX_GROUPS: usize = 400;

/// Most private directories of a profile.
const MAX_PRIVATE: usize = 64;

/// A line that is taken over.
#[derive(Debug)]
pub(crate) struct Line<'t> {
    pub(crate) entry: &'t Entry,
    pub(crate) private: &'t Private,
    pub(crate) notes: Vec<String>,
}

/// Users with the same private directories.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Group<'t> {
    /// in the order of the file; of [`Groups::everybody`]: only root, if at all
    pub(crate) users: Vec<&'t str>,
    /// numbers of lines, in the order of the file; empty: they get none
    pub(crate) lines: Vec<usize>,
    /// the same, each by the first line that says the same, sorted: what makes a profile
    same: Vec<usize>,
    /// lines that have no effect for these users, and why
    pub(crate) lost: Vec<(usize, String)>,
}

/// Everybody.
#[derive(Debug)]
pub(crate) struct Groups<'t> {
    pub(crate) lines: Vec<Line<'t>>,
    /// whom no other group names
    pub(crate) everybody: Group<'t>,
    /// whether `everybody` has root in it
    pub(crate) root: bool,
    /// in the order in which the file names them
    pub(crate) others: Vec<Group<'t>>,
}

/// Where two directories lie to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Apart,
    Same,
    /// the first is above the second
    Above,
    Below,
}

/// Sorts the users into groups; the error is a limit that is passed.
pub(crate) fn sort<'t>(entries: &'t [Entry], taken: &'t [Taken]) -> Result<Groups<'t>, String> {
    let both = entries.iter().zip(taken);
    let mut lines: Vec<Line<'t>> = both
        .filter_map(|(entry, taken)| {
            let private = taken.private.as_ref()?;
            let notes = taken.notes.clone();
            Some(Line {
                entry,
                private,
                notes,
            })
        })
        .collect();
    // for whom which lines hold other than for everybody
    let mut named: Vec<(&'t str, Vec<usize>)> = vec![("root", Vec::new())];
    let mut index = HashMap::from([("root", 0)]);
    for (at, line) in lines.iter_mut().enumerate() {
        let entry: &'t Entry = line.entry;
        for user in &entry.users {
            if let Some(why) = no_user(user) {
                let counts = if entry.only {
                    "not added"
                } else {
                    "not taken out"
                };
                line.notes.push(format!("`{user}` is {counts}: {why}"));
                continue;
            }
            let number = *index.entry(user.as_str()).or_insert_with(|| {
                named.push((user, Vec::new()));
                named.len() - 1
            });
            if let Some((_, toggled)) = named.get_mut(number)
                && toggled.last() != Some(&at)
            {
                toggled.push(at);
            }
        }
    }
    let relations = Relations::new(&lines);
    let holds = |at: usize, toggled: &[usize]| {
        let only = lines.get(at).is_some_and(|line| line.entry.only);
        only == toggled.binary_search(&at).is_ok()
    };
    let group = |users, toggled: &[usize]| {
        let all = (0..lines.len()).filter(|at| holds(*at, toggled));
        relations.group(users, &all.collect::<Vec<_>>(), &lines)
    };
    let everybody = group(Vec::new(), &[]);
    // users with the same exceptions first, then exceptions that come to the same
    let mut same: Vec<(Vec<usize>, Vec<&'t str>)> = Vec::new();
    let mut numbers: HashMap<Vec<usize>, usize> = HashMap::new();
    for (user, toggled) in named {
        let number = *numbers.entry(toggled.clone()).or_insert_with(|| {
            same.push((toggled, Vec::new()));
            same.len() - 1
        });
        if let Some((_, users)) = same.get_mut(number) {
            users.push(user);
        }
    }
    if same.len() > MAX_GROUPS {
        return Err(format!(
            "users have more than {MAX_GROUPS} different sets of directories"
        ));
    }
    let mut root = false;
    let mut others: Vec<Group<'t>> = Vec::new();
    for (toggled, users) in same {
        let mut found = group(users, &toggled);
        let is_root = found.users.contains(&"root");
        if found.same == everybody.same {
            root |= is_root && !found.lines.is_empty();
            continue;
        }
        if found.lines.is_empty() {
            // root is left alone if no rule names it
            found.users.retain(|user| *user != "root");
        }
        match others.iter_mut().find(|other| other.same == found.same) {
            Some(other) => other.users.append(&mut found.users),
            None => others.push(found),
        }
    }
    others.retain(|group| !group.users.is_empty());
    let is_long = |group: &Group<'_>| group.lines.len() > MAX_PRIVATE;
    if is_long(&everybody) || others.iter().any(is_long) {
        return Err(format!(
            "more than {MAX_PRIVATE} directories for one user, which a profile cannot have"
        ));
    }
    Ok(Groups {
        lines,
        everybody,
        root,
        others,
    })
}

/// Why an entry of a list names nobody, or nobody whom a policy could name.
fn no_user(name: &str) -> Option<&'static str> {
    match name {
        name if name.starts_with('@') => Some("pam_namespace knows no groups"),
        name if name.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some("pam_namespace takes a number for a name")
        }
        "ALL" | "all" => Some("pam_namespace takes it for a name"),
        name if name.contains(|c: char| c.is_control() || "!:/()*?[]{}".contains(c))
            || name.trim() != name
            || name.len() > 256 =>
        {
            Some("it cannot be the name of a user")
        }
        _ => None,
    }
}

struct Relations {
    count: usize,
    table: Vec<Relation>,
    /// for each line the first one with the same private directory
    first: Vec<usize>,
}

impl Relations {
    fn new(lines: &[Line<'_>]) -> Relations {
        let path = |line: &Line<'_>| std::path::PathBuf::from(&line.private.template);
        let paths: Vec<_> = lines.iter().map(path).collect();
        let mut table = Vec::with_capacity(paths.len() * paths.len());
        for first in &paths {
            table.extend(paths.iter().map(|second| match () {
                () if first == second => Relation::Same,
                () if second.starts_with(first) => Relation::Above,
                () if first.starts_with(second) => Relation::Below,
                () => Relation::Apart,
            }));
        }
        let first = lines.iter().enumerate().map(|(at, line)| {
            let same = |other: &Line<'_>| other.private == line.private;
            lines.iter().position(same).unwrap_or(at)
        });
        Relations {
            count: paths.len(),
            table,
            first: first.collect(),
        }
    }

    fn of(&self, first: usize, second: usize) -> Relation {
        let found = self.table.get(first * self.count + second);
        found.copied().unwrap_or(Relation::Apart)
    }

    /// What users see for whom these lines hold: mounts are made in the order of the file, so
    /// that a later one hides an earlier one in the same place or below.
    fn group<'t>(&self, users: Vec<&'t str>, all: &[usize], lines: &[Line<'_>]) -> Group<'t> {
        let number = |at: usize| lines.get(at).map_or(0, |line| line.entry.line);
        let mut group = Group {
            users,
            lines: Vec::new(),
            same: Vec::new(),
            lost: Vec::new(),
        };
        for (nth, at) in all.iter().copied().enumerate() {
            let (before, after) = all.split_at(nth);
            let hides =
                |later: &&usize| matches!(self.of(at, **later), Relation::Same | Relation::Below);
            let holds = |earlier: &&usize| self.of(at, **earlier) == Relation::Below;
            let creates = lines
                .get(at)
                .is_some_and(|line| line.entry.method.flags().create.is_some());
            if let Some(later) = after.iter().skip(1).find(hides) {
                let why = format!("left out: line {} is mounted over it", number(*later));
                group.lost.push((at, why));
            } else if let Some(earlier) = before.iter().find(holds) {
                let above = number(*earlier);
                let why = match creates {
                    true => format!(
                        "left out: it is in the directory of line {above}, which is empty; \
                         nearest: the session makes it there, and it is as private"
                    ),
                    false => format!(
                        "left out: it is in the directory of line {above}, which is empty, so \
                         that pam_namespace refuses the login"
                    ),
                };
                group.lost.push((at, why));
            } else {
                group.lines.push(at);
                group.same.push(self.first.get(at).copied().unwrap_or(at));
            }
        }
        group.same.sort_unstable();
        group
    }
}
