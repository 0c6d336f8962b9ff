//! The words of the language, as a dictionary of libFuzzer: fuzz/run.sh has the policy fuzzed with
//! it. Keys are those that the reader knows; the words that they take are in the schema, which a
//! test keeps equal to the language.
#![allow(clippy::print_stdout)]

use std::collections::BTreeSet;

use nsshell_config::{
    BIND_KEYS, ENTRY_KEYS, HOME_KEYS, PRIVATE_KEYS, PROFILE_KEYS, RULE_KEYS, TOP_KEYS,
};
use serde_json::Value;

const SCHEMA: &str = include_str!("../../packaging/nsshell.schema.json");

fn words(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            let named = ["enum", "const"].iter().filter_map(|key| object.get(*key));
            for word in named.flat_map(|value| match value {
                Value::Array(words) => words.as_slice(),
                one => std::slice::from_ref(one),
            }) {
                found.extend(word.as_str().map(|word| format!("'{word}'")));
            }
            object.values().for_each(|value| words(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| words(value, found)),
        _ => {}
    }
}

fn main() -> Result<(), serde_json::Error> {
    let tables = [
        TOP_KEYS,
        RULE_KEYS,
        PROFILE_KEYS,
        PRIVATE_KEYS,
        HOME_KEYS,
        BIND_KEYS,
        ENTRY_KEYS,
    ];
    let keys = tables.concat().into_iter();
    let mut found: BTreeSet<String> = keys.map(|key| format!("{key} = ")).collect();
    words(&serde_json::from_str(SCHEMA)?, &mut found);
    // what a dictionary would take for the end of a word
    let plain = |word: &&String| !word.contains(['"', '\\']);
    for word in found.iter().filter(plain) {
        println!("\"{word}\"");
    }
    Ok(())
}
