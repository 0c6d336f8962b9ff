//! From the texts of a policy to what they say.

use std::collections::BTreeMap;

use crate::diagnostic::Faults;
use crate::login_policy::Filter;
use crate::pattern::Name;
use crate::profile::{Keys, PROFILE_KEYS};
use crate::rule::Rule;
use crate::shape;
use crate::source::{At, Place};
use crate::subtable::Tables;
use crate::tree::{self, Entry, Header, Key, Node, Part, Piece, Value};

/// The keys at the top of a policy.
pub const TOP_KEYS: &[&str] = &["rule", "profile", "default", "exempt"];

/// Most rules of all files together.
pub(crate) const MAX_RULES: usize = 20_000;

/// Most entries of the lists of all rules of all files together.
pub(crate) const MAX_ENTRIES: usize = 400_000;

/// Most profiles of all files together.
pub(crate) const MAX_PROFILES: usize = 1_000;

const MAX_PROFILE_NAME: usize = 64;

/// What one text says.
#[derive(Debug, Default)]
pub(crate) struct Text {
    /// those that are kept
    pub(crate) rules: Vec<Rule>,
    /// how many there are
    count: usize,
    /// how many entries the lists of the rules have
    pub(crate) entries: usize,
    pub(crate) profiles: BTreeMap<String, Said>,
    /// profile for whom no rule matches
    pub(crate) default: Option<At<String>>,
    /// groups that are never refused
    pub(crate) exempt: Option<At<Vec<At<Name>>>>,
}

/// What a text says about a profile.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) keys: Keys,
    /// keys that were there, right or wrong, and where
    seen: Vec<(String, Place)>,
    /// its `[header]`, if it has one
    header: Option<Place>,
    /// where its name is written first
    pub(crate) named: Place,
}

impl Text {
    /// Reads a text and notes what is wrong with it.
    pub(crate) fn read(
        text: &str,
        file: u32,
        filter: &mut Filter<'_, '_>,
        faults: &mut Faults,
    ) -> Text {
        let mut read = Text::default();
        let mut tables = Tables::default();
        tree::read(text, file, faults, |part, faults| {
            let before = read.rules.len();
            match part {
                Part::Rule(rule) => read.rule(rule.place, faults, |_| rule),
                Part::Piece(piece) => read.piece(piece, &mut tables, faults),
            }
            let new = read.rules.drain(before..);
            let kept: Vec<Rule> = new.filter_map(|rule| filter.keep(rule)).collect();
            read.rules.extend(kept);
        });
        for table in tables.into_all() {
            let name = &table.profile;
            let said = read.said(&name.value, name.place, faults);
            if let Some(said) = said {
                said.set(&name.value, &table.key, &table.value, faults);
            }
        }
        read
    }

    fn piece<'t>(&mut self, piece: &Piece<'t>, tables: &mut Tables<'t>, faults: &mut Faults) {
        if let (Header::List, [key]) = (piece.header, piece.path.as_slice())
            && key.value == "rule"
        {
            return self.rule(piece.place, faults, |faults| Rule::read(piece, faults));
        }
        let path: Vec<&str> = piece.path.iter().map(|key| key.value.as_ref()).collect();
        match (piece.header, path.as_slice()) {
            (Header::None, _) => self.top(&piece.entries, tables, faults),
            (Header::Table, ["profile"]) => {
                for entry in &piece.entries {
                    self.profile_entry(&entry.key, &entry.dotted, entry, tables, faults);
                }
            }
            (Header::Table, ["profile", _]) => {
                if let Some(name) = piece.path.get(1) {
                    self.profile_header(name, piece, tables, faults);
                }
            }
            (_, ["profile", _, _]) => {
                if let [_, name, key] = piece.path.as_slice() {
                    tables.header(name, key, piece);
                }
            }
            // a header that was misread: told already
            _ if piece.faulty => {}
            (Header::Table, ["rule", ..]) => {
                let noted = faults.error(piece.place, "a rule is written with two brackets");
                noted.help("write [[rule]]");
            }
            (_, ["profile", name, key, inner, ..]) => {
                let what = format!("`{inner}` of `{key}` in profile `{name}` is no table");
                let help = format!("write it as `{key} = ...` under [profile.{name}]");
                faults.error(piece.place, what).help(help);
            }
            (Header::List, ["profile", name]) => {
                let noted = faults.error(piece.place, "a profile is written with one bracket");
                noted.help(format!("write [profile.{name}]"));
            }
            (_, [name, ..]) if TOP_KEYS.contains(name) => {
                faults.error(piece.place, format!("`{name}` is no table"));
            }
            (_, [name, ..]) => {
                let place = piece.path.first().map_or(piece.place, |key| key.place);
                shape::unknown(name, place, TOP_KEYS, "a policy", faults);
            }
            (_, []) => {}
        }
    }

    fn top<'t>(&mut self, entries: &[Entry<'t>], tables: &mut Tables<'t>, faults: &mut Faults) {
        let mut firsts: BTreeMap<&str, Place> = BTreeMap::new();
        for entry in entries {
            if entry.dotted.is_empty() {
                if let Some(first) = firsts.get(entry.key.value.as_ref()) {
                    shape::set_twice(&entry.key.value, entry.key.place, *first, faults);
                    continue;
                }
                firsts.insert(&entry.key.value, entry.key.place);
            }
            match (entry.key.value.as_ref(), entry.dotted.as_slice()) {
                ("profile", [name, rest @ ..]) => {
                    self.profile_entry(name, rest, entry, tables, faults);
                }
                ("profile", []) => match &entry.value.value {
                    Value::Table(profiles) => {
                        for inner in profiles {
                            let rest = &inner.dotted;
                            self.profile_entry(&inner.key, rest, inner, tables, faults);
                        }
                    }
                    Value::Text(name) => {
                        let what = "`profile` at the top is for the tables of profiles";
                        let noted = faults.error(entry.key.place, what);
                        noted.help(format!(
                            "write [[rule]] above it for a rule, or default = \"{name}\""
                        ));
                    }
                    _ => shape::wrong(&entry.value, "a table", faults),
                },
                ("rule", []) => self.rules_in_list(&entry.value, faults),
                ("default", []) => {
                    let name = profile_of(&entry.value, faults);
                    self.default = name.map(|name| At {
                        value: name.value.to_owned(),
                        place: name.place,
                    });
                }
                ("exempt", []) => self.exempt = exempt(entry, faults),
                (key @ ("default" | "exempt" | "rule"), _) => {
                    faults.error(entry.key.place, format!("`{key}` is no table"));
                }
                (key, _) => shape::unknown(
                    key,
                    entry.key.place,
                    TOP_KEYS,
                    "the top of a policy",
                    faults,
                ),
            }
        }
    }

    /// `rule = [{ ... }, { ... }]`
    fn rules_in_list(&mut self, node: &Node<'_>, faults: &mut Faults) {
        let Value::List(list) = &node.value else {
            let found = node.value.kind();
            let noted = faults.error(node.place, format!("expected a list of rules, not {found}"));
            noted.help("write [[rule]], and the keys of the rule in the lines below");
            return;
        };
        for one in list {
            match &one.value {
                Value::Table(entries) => {
                    let piece = Piece {
                        header: Header::List,
                        path: Vec::new(),
                        place: one.place,
                        entries: entries.clone(),
                        faulty: false,
                    };
                    self.rule(piece.place, faults, |faults| Rule::read(&piece, faults));
                }
                _ => shape::wrong(one, "a rule in { }", faults),
            }
        }
    }

    /// Keeps a rule, unless there are too many already: then it is not even read.
    fn rule(&mut self, place: Place, faults: &mut Faults, read: impl FnOnce(&mut Faults) -> Rule) {
        if self.count == MAX_RULES {
            faults.error(place, format!("more than {MAX_RULES} rules"));
        }
        if self.count <= MAX_RULES && self.entries <= MAX_ENTRIES {
            let rule = read(faults);
            self.entries += rule.entries();
            if self.entries > MAX_ENTRIES {
                let what = format!("more than {MAX_ENTRIES} entries in the lists of all rules");
                faults.error(place, what).help("name groups");
            }
            self.count += 1;
            self.rules.push(rule);
        }
    }

    /// What is said about a profile so far; none: there are too many already.
    fn said(&mut self, name: &str, place: Place, faults: &mut Faults) -> Option<&mut Said> {
        if !self.profiles.contains_key(name) {
            if let Err(why) = profile_name(name) {
                faults.error(place, why);
            }
            if self.profiles.len() == MAX_PROFILES {
                faults.error(place, format!("more than {MAX_PROFILES} profiles"));
            }
            if self.profiles.len() > MAX_PROFILES {
                return None;
            }
        }
        let said = self.profiles.entry(name.to_owned());
        Some(said.or_insert_with(|| Said {
            keys: Keys::default(),
            seen: Vec::new(),
            header: None,
            named: place,
        }))
    }

    /// `[profile.NAME]`
    fn profile_header<'t>(
        &mut self,
        name: &Key<'t>,
        piece: &Piece<'t>,
        tables: &mut Tables<'t>,
        faults: &mut Faults,
    ) {
        let Some(said) = self.said(&name.value, name.place, faults) else {
            return;
        };
        if let Some(first) = said.header {
            let what = format!("profile `{}` is defined twice", name.value);
            let noted = faults.error(piece.place, what);
            noted.other(first, "it was defined here");
        }
        said.header = Some(piece.place);
        for entry in &piece.entries {
            match entry.dotted.split_first() {
                Some(dotted) => tables.dotted(name, &entry.key, dotted, &entry.value),
                None => said.set(&name.value, &entry.key, &entry.value, faults),
            }
        }
    }

    /// `profile.NAME = { ... }` or `profile.NAME.KEY = ...`
    fn profile_entry<'t>(
        &mut self,
        name: &Key<'t>,
        rest: &[Key<'t>],
        entry: &Entry<'t>,
        tables: &mut Tables<'t>,
        faults: &mut Faults,
    ) {
        let Some(said) = self.said(&name.value, name.place, faults) else {
            return;
        };
        match (rest, &entry.value.value) {
            ([key, first, rest @ ..], _) => {
                tables.dotted(name, key, (first, rest), &entry.value);
            }
            ([key], _) => said.set(&name.value, key, &entry.value, faults),
            ([], Value::Table(keys)) => {
                for inner in keys {
                    match inner.dotted.split_first() {
                        Some(dotted) => tables.dotted(name, &inner.key, dotted, &inner.value),
                        None => said.set(&name.value, &inner.key, &inner.value, faults),
                    }
                }
            }
            ([], _) => shape::wrong(&entry.value, "a table", faults),
        }
    }
}

impl Said {
    fn set(&mut self, name: &str, key: &Key<'_>, value: &Node<'_>, faults: &mut Faults) {
        let text = key.value.as_ref();
        if !PROFILE_KEYS.contains(&text) {
            shape::unknown(text, key.place, PROFILE_KEYS, "a profile", faults);
            return;
        }
        if let Some((_, first)) = self.seen.iter().find(|(seen, _)| seen == text) {
            shape::set_twice(text, key.place, *first, faults);
            return;
        }
        self.seen.push((text.to_owned(), key.place));
        self.keys.read(name, text, value, faults);
    }
}

/// Most groups in `exempt`.
const MAX_EXEMPT: usize = 100;

/// The name of a profile that a login gets. Nothing has an empty name, and who gets that is
/// refused.
pub(crate) fn profile_of<'n>(node: &'n Node<'_>, faults: &mut Faults) -> Option<At<&'n str>> {
    let name = shape::text(node, faults)?;
    if name.value.is_empty() {
        faults
            .error(name.place, "the name of a profile is empty")
            .help("name one, such as \"standard\" or \"none\"");
        return None;
    }
    Some(name)
}

fn exempt(entry: &Entry<'_>, faults: &mut Faults) -> Option<At<Vec<At<Name>>>> {
    let list = shape::texts(&entry.value, faults)?;
    if list.value.len() > MAX_EXEMPT {
        faults.error(list.place, format!("more than {MAX_EXEMPT} entries"));
    }
    let mut groups = Vec::new();
    for one in &list.value {
        match one.value.strip_prefix('@') {
            None => {
                let what = format!("`{}` in `exempt` is no group", one.value);
                faults
                    .error(one.place, what)
                    .help(format!("write \"@{}\"", one.value));
            }
            Some(group) if group.is_empty() || group.contains(['*', '?', '!', '/', ':']) => {
                let what = format!("`{}` in `exempt` does not name one group", one.value);
                faults.error(one.place, what);
            }
            Some(group) => groups.push(At {
                value: Name::Literal(group.into()),
                place: one.place,
            }),
        }
    }
    Some(At {
        value: groups,
        place: list.place,
    })
}

/// Profile names get into logs, environments and tables.
fn profile_name(name: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || name.len() > MAX_PROFILE_NAME {
        return Err(format!(
            "the name of a profile has 1 to {MAX_PROFILE_NAME} characters"
        ));
    }
    if !name.chars().all(is_plain) {
        return Err(format!(
            "profile name `{name}` has a character that is not a letter, digit, _ . or -"
        ));
    }
    Ok(())
}
