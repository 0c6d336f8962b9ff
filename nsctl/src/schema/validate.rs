//! As much of a JSON Schema validator as this schema needs. It knows every word that it
//! meets, or ends the test: a word that is passed over would check nothing.
#![allow(clippy::panic, clippy::unwrap_used)]

use serde_json::{Map, Value};

/// The faults of a value, each with its place.
pub(super) fn faults(root: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(root, root, value, "", &mut found);
    found
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
            ("type", _) => is_of(says.as_str().unwrap(), value),
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
        kind => panic!("the test does not know the type `{kind}`"),
    }
}

/// The regular expressions of the schema, by hand.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
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
