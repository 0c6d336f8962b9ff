//! The kinds of values that keys take. Each function gives the value, or notes what else is
//! there and gives nothing.

use std::borrow::Cow;

use crate::diagnostic::Faults;
use crate::lay::TOP_KEYS;
use crate::profile::PROFILE_KEYS;
use crate::rule::RULE_KEYS;
use crate::source::{At, Place};
use crate::tree::{Entry, Node, Value};

/// Most entries of one list.
pub(crate) const MAX_LIST: usize = 10_000;

/// Most files of a tmpfs: what fits into the kernel's count on every architecture.
const MAX_INODES: u64 = 2_147_483_647;

/// Longest name or pattern, in bytes.
pub(crate) const MAX_NAME: usize = 256;

impl Value<'_> {
    /// What an administrator calls this kind of value.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "a string",
            Value::Number(_) => "a number",
            Value::Truth(_) => "true or false",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Other(kind) => kind,
        }
    }
}

pub(crate) fn wrong(node: &Node<'_>, expected: &str, faults: &mut Faults) {
    let found = node.value.kind();
    let noted = faults.error(node.place, format!("expected {expected}, not {found}"));
    if let (Value::Text(text), true) = (&node.value, expected.starts_with("a list")) {
        noted.help(format!("write [\"{text}\"]"));
    } else if let (Value::Text(text), true) = (&node.value, expected.starts_with("a whole number"))
        && text.parse::<u32>().is_ok()
    {
        noted.help(format!("write {text}"));
    } else if let (Value::Table(entries), true) = (&node.value, expected.starts_with("a list")) {
        let key = entries.first().map_or("", |entry| &entry.key.value);
        noted.help(format!(
            "write [{{ {key} = ... }}], or a header with two brackets"
        ));
    }
}

pub(crate) fn text<'n>(node: &'n Node<'_>, faults: &mut Faults) -> Option<At<&'n str>> {
    match &node.value {
        Value::Text(text) => Some(At {
            value: text.as_ref(),
            place: node.place,
        }),
        _ => {
            wrong(node, "a string in \" \"", faults);
            None
        }
    }
}

pub(crate) fn truth(node: &Node<'_>, faults: &mut Faults) -> Option<At<bool>> {
    match node.value {
        Value::Truth(value) => Some(At {
            value,
            place: node.place,
        }),
        _ => {
            let found = node.value.kind();
            let noted = faults.error(node.place, format!("expected true or false, not {found}"));
            match &node.value {
                Value::Text(text) if matches!(text.as_ref(), "true" | "yes" | "on") => {
                    noted.help("write true, without quotation marks");
                }
                Value::Text(text) if matches!(text.as_ref(), "false" | "no" | "off") => {
                    noted.help("write false, without quotation marks");
                }
                Value::Number(1) => {
                    noted.help("write true");
                }
                Value::Number(0) => {
                    noted.help("write false");
                }
                _ => {}
            }
            None
        }
    }
}

/// A number of seconds, or a time such as "5s".
pub(crate) fn seconds(
    key: &str,
    node: &Node<'_>,
    allowed: std::ops::RangeInclusive<u32>,
    faults: &mut Faults,
) -> Option<At<u32>> {
    let number = match &node.value {
        Value::Number(number) => Some(*number),
        Value::Text(text) => crate::life::parse(text).and_then(|time| i64::try_from(time).ok()),
        _ => None,
    };
    let Some(number) = number else {
        wrong(
            node,
            "a whole number of seconds, or a time such as \"5s\"",
            faults,
        );
        return None;
    };
    match u32::try_from(number) {
        Ok(value) if allowed.contains(&value) => Some(At {
            value,
            place: node.place,
        }),
        _ => {
            let (from, to) = allowed.into_inner();
            let what = format!("`{key}` is {number} seconds, not {from} to {to}");
            faults.error(node.place, what);
            None
        }
    }
}

/// tmpfs(5)'s size=
pub(crate) fn size(node: &Node<'_>, faults: &mut Faults) -> Option<At<String>> {
    let found = text(node, faults)?;
    match crate::path::size(found.value) {
        Ok(()) => Some(At {
            value: found.value.to_owned(),
            place: found.place,
        }),
        Err(why) => {
            faults.error(found.place, why);
            None
        }
    }
}

/// tmpfs(5)'s nr_inodes=
pub(crate) fn inodes(node: &Node<'_>, faults: &mut Faults) -> Option<At<u64>> {
    let Value::Number(number) = node.value else {
        wrong(node, "a whole number of files", faults);
        return None;
    };
    match u64::try_from(number) {
        Ok(0) => {
            let what = "inodes 0 would be no limit at all";
            faults.error(node.place, what).help("take it out");
            None
        }
        Ok(value) if value <= MAX_INODES => Some(At {
            value,
            place: node.place,
        }),
        _ => {
            let what = format!("`inodes` is {number}, not 1 to {MAX_INODES}");
            faults.error(node.place, what);
            None
        }
    }
}

/// One of several words.
pub(crate) fn word<T: Copy>(
    node: &Node<'_>,
    words: &[(&str, T)],
    faults: &mut Faults,
) -> Option<At<T>> {
    if !matches!(node.value, Value::Text(_)) {
        let words = either(words.iter().map(|(word, _)| *word));
        wrong(node, &format!("{words} in \" \""), faults);
        return None;
    }
    let found = text(node, faults)?;
    match words.iter().find(|(word, _)| *word == found.value) {
        Some((_, value)) => Some(At {
            value: *value,
            place: found.place,
        }),
        None => {
            let names = || words.iter().map(|(word, _)| *word);
            let what = format!(
                "unknown value `{}`, expected {}",
                found.value,
                either(names())
            );
            faults
                .error(found.place, what)
                .did_you_mean(found.value, names());
            None
        }
    }
}

/// The entries of a list.
pub(crate) fn list<'n, 't>(node: &'n Node<'t>, faults: &mut Faults) -> Option<At<&'n [Node<'t>]>> {
    let Value::List(list) = &node.value else {
        wrong(node, "a list in [ ]", faults);
        return None;
    };
    if list.len() > MAX_LIST {
        faults.error(node.place, format!("more than {MAX_LIST} entries"));
        return None;
    }
    Some(At {
        value: list,
        place: node.place,
    })
}

/// The entries of a list of strings.
pub(crate) fn texts<'n>(node: &'n Node<'_>, faults: &mut Faults) -> Option<At<Vec<At<&'n str>>>> {
    let list = list(node, faults)?;
    let texts = list.value.iter().filter_map(|one| text(one, faults));
    Some(At {
        value: texts.collect(),
        place: list.place,
    })
}

/// A table's entries by name. Notes dotted keys, keys that are set twice, and unknown ones.
pub(crate) fn known<'n, 't>(
    entries: &'n [Entry<'t>],
    keys: &'static [&'static str],
    of: &str,
    faults: &mut Faults,
) -> impl Iterator<Item = (&'n str, &'n Node<'t>)> + use<'n, 't> {
    // by now at most as many as there are keys
    let mut firsts: Vec<&Entry<'_>> = Vec::new();
    for entry in entries {
        let key: &Cow<'_, str> = &entry.key.value;
        let first = firsts.iter().find(|first| first.key.value == *key);
        if !keys.contains(&key.as_ref()) {
            unknown(key, entry.key.place, keys, of, faults);
        } else if let Some(dotted) = entry.dotted.first() {
            let what = format!("`{key}` is no table and has no key `{}`", dotted.value);
            faults.error(entry.key.place, what);
        } else if let Some(first) = first {
            set_twice(key, entry.key.place, first.key.place, faults);
        } else {
            firsts.push(entry);
        }
    }
    let plain = |entry: &&Entry<'_>| entry.dotted.is_empty();
    entries
        .iter()
        .filter(plain)
        .map(|entry| (entry.key.value.as_ref(), &entry.value))
        .filter(|(key, _)| keys.contains(key))
}

pub(crate) fn set_twice(key: &str, second: Place, first: Place, faults: &mut Faults) {
    faults
        .error(second, format!("`{key}` is set twice"))
        .other(first, "it was set here");
}

pub(crate) fn unknown(key: &str, place: Place, keys: &[&str], of: &str, faults: &mut Faults) {
    let what = format!("unknown key `{key}` in {of}");
    let near = crate::suggest::nearest(key, keys.iter().copied());
    let is_whole = [TOP_KEYS, RULE_KEYS, PROFILE_KEYS].contains(&keys);
    let help = match (key, near) {
        (key, _) if is_whole && PROFILE_KEYS.contains(&key) => {
            "it is a key of a profile: write it below [profile.NAME]".to_owned()
        }
        (key, _) if is_whole && RULE_KEYS.contains(&key) => {
            "it is a key of a rule: write it below [[rule]]".to_owned()
        }
        (key @ ("default" | "exempt"), _) if is_whole => {
            format!("write `{key}` at the top, before the first header")
        }
        (_, Some(near)) => format!("did you mean `{near}`?"),
        (_, None) => format!("the keys are {}", keys.join(", ")),
    };
    faults.error(place, what).help(help);
}

/// "`a`, `b` or `c`".
pub(crate) fn either<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}
