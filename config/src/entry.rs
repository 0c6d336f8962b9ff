//! Lists of paths: `"/path"` or `{ path = "/path", optional = true }`.

use std::path::PathBuf;

use crate::diagnostic::Faults;
use crate::shape;
use crate::source::{At, Place};
use crate::template::Check;
use crate::tree::{Node, Value};

/// Most entries of a list of paths, private directories, binds, words of a command or
/// names of variables.
pub(crate) const MAX_ENTRIES: usize = 64;

/// The keys of an entry of `hide_homes`, `read_only`, `masked` and `unmounted`.
pub const ENTRY_KEYS: &[&str] = &["path", "optional"];

/// A path that a profile says something about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    /// it may be missing
    pub(crate) optional: bool,
    pub(crate) place: Place,
}

/// The entries of a list that has few of them.
pub(crate) fn short<'n, 't>(
    what: &str,
    node: &'n Node<'t>,
    faults: &mut Faults,
) -> Option<At<&'n [Node<'t>]>> {
    let list = shape::list(node, faults)?;
    if list.value.len() > MAX_ENTRIES {
        faults.error(list.place, format!("more than {MAX_ENTRIES} {what}"));
        return None;
    }
    Some(list)
}

/// Reads a list of paths, each of which passes a check, and none of which is there twice.
pub(crate) fn paths(
    key: &str,
    node: &Node<'_>,
    check: Check,
    faults: &mut Faults,
) -> Option<At<Vec<Entry>>> {
    let list = short(&format!("entries in `{key}`"), node, faults)?;
    let mut found: Vec<Entry> = Vec::with_capacity(list.value.len());
    for one in list.value {
        let Some(entry) = entry(key, one, check, faults) else {
            continue;
        };
        if let Some(first) = found.iter().find(|first| first.path == entry.path) {
            let what = format!("{} is listed twice", entry.path.display());
            faults
                .error(entry.place, what)
                .other(first.place, "it is first listed here");
        }
        found.push(entry);
    }
    Some(At {
        value: found,
        place: list.place,
    })
}

fn entry(key: &str, node: &Node<'_>, check: Check, faults: &mut Faults) -> Option<Entry> {
    let entries = match &node.value {
        Value::Text(_) => {
            return path(node, check, faults).map(|path| Entry {
                path: path.value,
                optional: false,
                place: path.place,
            });
        }
        Value::Table(entries) => entries,
        _ => {
            let like = "a path like \"/srv/x\" or { path = \"/srv/x\", optional = true }";
            shape::wrong(node, like, faults);
            return None;
        }
    };
    let (mut found, mut optional, mut has_path) = (None, false, false);
    for (name, value) in shape::known(entries, ENTRY_KEYS, &format!("`{key}`"), faults) {
        if name == "path" {
            has_path = true;
            found = path(value, check, faults);
        } else {
            optional = shape::truth(value, faults).is_some_and(|truth| truth.value);
        }
    }
    if !has_path {
        faults.error(node.place, format!("missing key `path` in `{key}`"));
    }
    let found = found?;
    Some(Entry {
        path: found.value,
        optional,
        place: found.place,
    })
}

/// Reads a path without variables.
pub(crate) fn path(node: &Node<'_>, check: Check, faults: &mut Faults) -> Option<At<PathBuf>> {
    let text = shape::text(node, faults)?;
    if text.value.contains(['{', '}']) {
        let what = format!("`{}`: no template can be used in this path", text.value);
        faults.error(text.place, what);
        return None;
    }
    match check(text.value) {
        Ok(value) => Some(At {
            value,
            place: text.place,
        }),
        Err(why) => {
            faults.error(text.place, why);
            None
        }
    }
}
