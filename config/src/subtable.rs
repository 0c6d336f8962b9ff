//! Keys of a profile whose value is spread over several places of a text: `home.kind = ...`, the
//! table `[profile.NAME.home]`, and lists of tables, `[[profile.NAME.binds]]`. Programs that
//! write TOML write such.

use std::collections::BTreeMap;

use crate::source::At;
use crate::tree::{Entry, Header, Key, Node, Piece, Value};

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Tables<'t> {
    /// by profile and key; more than one if they are written in different ways
    found: BTreeMap<(String, String), Vec<Table<'t>>>,
}

/// The value of one key.
#[derive(Debug)]
pub(crate) struct Table<'t> {
    pub(crate) profile: Key<'t>,
    pub(crate) key: Key<'t>,
    pub(crate) value: Node<'t>,
    way: Way,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Header(Header),
    Dotted,
}

impl<'t> Tables<'t> {
    /// A table with a header of its own.
    pub(crate) fn header(&mut self, profile: &Key<'t>, key: &Key<'t>, piece: &Piece<'t>) {
        let place = piece.place;
        let value = Value::Table(piece.entries.clone());
        let table = At { value, place };
        let way = Way::Header(piece.header);
        if piece.header != Header::List {
            return self.add(profile, key, table, way);
        }
        match self
            .last(profile, key, way)
            .map(|last| &mut last.value.value)
        {
            Some(Value::List(list)) => list.push(table),
            _ => {
                let value = Value::List(vec![table]);
                self.add(profile, key, At { value, place }, way);
            }
        }
    }

    /// `key.first.rest = value`
    pub(crate) fn dotted(
        &mut self,
        profile: &Key<'t>,
        key: &Key<'t>,
        (first, rest): (&Key<'t>, &[Key<'t>]),
        value: &Node<'t>,
    ) {
        let entry = Entry {
            key: first.clone(),
            dotted: rest.to_vec(),
            value: value.clone(),
        };
        match self
            .last(profile, key, Way::Dotted)
            .map(|last| &mut last.value.value)
        {
            Some(Value::Table(entries)) => entries.push(entry),
            _ => {
                let value = Value::Table(vec![entry]);
                let place = key.place;
                self.add(profile, key, At { value, place }, Way::Dotted);
            }
        }
    }

    /// All of them, each complete.
    pub(crate) fn into_all(self) -> impl Iterator<Item = Table<'t>> {
        self.found.into_values().flatten()
    }

    fn named(profile: &Key<'t>, key: &Key<'t>) -> (String, String) {
        (profile.value.to_string(), key.value.to_string())
    }

    fn last(&mut self, profile: &Key<'t>, key: &Key<'t>, way: Way) -> Option<&mut Table<'t>> {
        let written = self.found.get_mut(&Tables::named(profile, key))?;
        written.last_mut().filter(|last| last.way == way)
    }

    fn add(&mut self, profile: &Key<'t>, key: &Key<'t>, value: Node<'t>, way: Way) {
        let table = Table {
            profile: profile.clone(),
            key: key.clone(),
            value,
            way,
        };
        let written = self.found.entry(Tables::named(profile, key));
        written.or_default().push(table);
    }
}
