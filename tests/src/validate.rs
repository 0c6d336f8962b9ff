//! As much of a JSON Schema validator as the schemas of the product need. It knows every word
//! that it meets, or ends the test: a word that is passed over would check nothing.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The schema of what `nsctl` prints with --json, as it is installed.
#[must_use]
pub fn outputs() -> Value {
    serde_json::from_str(include_str!("../../packaging/nsctl.schema.json")).unwrap()
}

/// The faults of a value, each with its place.
#[must_use]
pub fn faults(root: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(root, root, value, "", &mut found);
    found
}

/// The same for one of the schema's definitions.
#[must_use]
pub fn faults_as(definition: &str, root: &Value, value: &Value) -> Vec<String> {
    let schema = &root["definitions"][definition];
    assert!(
        schema.is_object(),
        "the schema does not define {definition}"
    );
    let mut found = Vec::new();
    check(root, schema, value, "", &mut found);
    found
}

/// What could be changed in a value without a fault: a key put into one of its tables, as
/// `TABLE/+`, or taken from one, as `TABLE/KEY`. The outermost table is `-`.
#[must_use]
pub fn unnoticed(definition: &str, root: &Value, value: &Value) -> BTreeSet<String> {
    let mut tables = Vec::new();
    collect_tables(value, "-", String::new(), &mut tables);
    let mut passed = BTreeSet::new();
    for (name, place, keys) in tables {
        let mut attempt = |what: &str, change: &dyn Fn(&mut Map<String, Value>)| {
            let mut changed = value.clone();
            change(
                changed
                    .pointer_mut(&place)
                    .unwrap()
                    .as_object_mut()
                    .unwrap(),
            );
            if faults_as(definition, root, &changed).is_empty() {
                passed.insert(format!("{name}/{what}"));
            }
        };
        attempt("+", &|table| {
            drop(table.insert("+".to_owned(), "new".into()))
        });
        for key in keys {
            attempt(&key, &|table| drop(table.remove(&key)));
        }
    }
    passed
}

/// The tables of a value: the key that each is under, its place, and its own keys.
fn collect_tables(
    value: &Value,
    name: &str,
    place: String,
    found: &mut Vec<(String, String, Vec<String>)>,
) {
    match value {
        Value::Array(items) => {
            for (index, one) in items.iter().enumerate() {
                collect_tables(one, name, format!("{place}/{index}"), found);
            }
        }
        Value::Object(table) => {
            for (key, one) in table {
                collect_tables(one, key, format!("{place}/{key}"), found);
            }
            found.push((name.to_owned(), place, table.keys().cloned().collect()));
        }
        _ => {}
    }
}

fn is_valid(root: &Value, schema: &Value, value: &Value) -> bool {
    let mut found = Vec::new();
    check(root, schema, value, "", &mut found);
    found.is_empty()
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let words = match schema {
        Value::Bool(true) => return,
        Value::Bool(false) => return found.push(format!("{at}: not allowed")),
        words => words.as_object().unwrap(),
    };
    for (word, says) in words {
        let number = || says.as_u64().unwrap();
        let length = |count: usize| u64::try_from(count).unwrap();
        let ok = match (word.as_str(), value) {
            ("$schema" | "title" | "description" | "default" | "definitions" | "then", _) => true,
            ("$ref", _) => {
                let path = says.as_str().unwrap().strip_prefix('#').unwrap();
                check(root, root.pointer(path).unwrap(), value, at, found);
                true
            }
            ("type", _) => match says {
                Value::Array(kinds) => kinds
                    .iter()
                    .any(|kind| is_of(kind.as_str().unwrap(), value)),
                kind => is_of(kind.as_str().unwrap(), value),
            },
            ("enum", _) => says.as_array().unwrap().contains(value),
            ("const", _) => says == value,
            ("anyOf", _) => {
                let mut choices = says.as_array().unwrap().iter();
                choices.any(|one| is_valid(root, one, value))
            }
            ("allOf", _) => {
                for one in says.as_array().unwrap() {
                    check(root, one, value, at, found);
                }
                true
            }
            ("not", _) => !is_valid(root, says, value),
            ("if", _) => !is_valid(root, says, value) || is_valid(root, &words["then"], value),
            ("minimum", Value::Number(n)) => n.as_f64() >= says.as_f64(),
            ("maximum", Value::Number(n)) => n.as_f64() <= says.as_f64(),
            ("minLength", Value::String(text)) => length(text.chars().count()) >= number(),
            ("maxLength", Value::String(text)) => length(text.chars().count()) <= number(),
            ("pattern", Value::String(text)) => matches(says.as_str().unwrap(), text),
            ("minItems", Value::Array(items)) => length(items.len()) >= number(),
            ("maxItems", Value::Array(items)) => length(items.len()) <= number(),
            ("uniqueItems", Value::Array(items)) => {
                let mut at = 0..items.len();
                at.all(|at| !items[..at].contains(&items[at]))
            }
            ("contains", Value::Array(items)) => items.iter().any(|one| is_valid(root, says, one)),
            ("items", Value::Array(items)) => {
                for (index, one) in items.iter().enumerate() {
                    check(root, says, one, &format!("{at}/{index}"), found);
                }
                true
            }
            ("maxProperties", Value::Object(table)) => length(table.len()) <= number(),
            ("required", Value::Object(table)) => {
                let mut names = says.as_array().unwrap().iter();
                names.all(|name| table.contains_key(name.as_str().unwrap()))
            }
            ("propertyNames", Value::Object(table)) => table
                .keys()
                .all(|name| is_valid(root, says, &Value::String(name.clone()))),
            ("properties", Value::Object(table)) => {
                for (name, one) in table {
                    if let Some(schema) = says.get(name) {
                        check(root, schema, one, &format!("{at}/{name}"), found);
                    }
                }
                true
            }
            ("additionalProperties", Value::Object(table)) => {
                let none = Map::new();
                let known = words
                    .get("properties")
                    .map_or(&none, |k| k.as_object().unwrap());
                for (name, one) in table.iter().filter(|(name, _)| !known.contains_key(*name)) {
                    check(root, says, one, &format!("{at}/{name}"), found);
                }
                true
            }
            // a word about another type of value
            (
                "minimum"
                | "maximum"
                | "minLength"
                | "maxLength"
                | "pattern"
                | "minItems"
                | "maxItems"
                | "uniqueItems"
                | "contains"
                | "items"
                | "maxProperties"
                | "required"
                | "propertyNames"
                | "properties"
                | "additionalProperties",
                _,
            ) => true,
            (word, _) => panic!("the test does not know `{word}`"),
        };
        if !ok {
            found.push(format!("{at}: {word} {says}"));
        }
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        kind => panic!("the test does not know the type `{kind}`"),
    }
}

/// The regular expressions of the schemas, by hand.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match pattern {
        "^/" => text.starts_with('/'),
        "^(/|\\{home\\})" => text.starts_with('/') || text.starts_with("{home}"),
        "^!?[0-9]+(-[0-9]+)?$" => {
            let text = text.strip_prefix('!').unwrap_or(text);
            match text.split_once('-') {
                Some((first, last)) => digits(first) && digits(last),
                None => digits(text),
            }
        }
        "^[0-9]{1,10}[smhd]$" => text
            .strip_suffix(['s', 'm', 'h', 'd'])
            .is_some_and(|number| digits(number) && number.len() <= 10),
        "^@[^*?!/:]+$" => text
            .strip_prefix('@')
            .is_some_and(|name| !name.is_empty() && !name.contains(['*', '?', '!', '/', ':'])),
        "^[A-Za-z_][A-Za-z0-9_]*$" => {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            let first = text.bytes().next();
            first.is_some_and(|b| !b.is_ascii_digit()) && text.bytes().all(plain)
        }
        "^[A-Za-z0-9_.-]{1,64}$" => {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
            (1..=64).contains(&text.len()) && text.bytes().all(plain)
        }
        "^0*[1-9][0-9]*[kKmMgGtT%]?$" => {
            let unit = |c: char| "kKmMgGtT%".contains(c);
            let number = text.strip_suffix(unit).unwrap_or(text);
            digits(number) && !number.trim_start_matches('0').is_empty()
        }
        "^0*1?[0-7]{1,3}$" => {
            let octal = text.bytes().all(|b| (b'0'..=b'7').contains(&b));
            octal && u32::from_str_radix(text, 8).is_ok_and(|bits| bits <= 0o1777)
        }
        pattern => panic!("the test does not know the pattern `{pattern}`"),
    }
}
