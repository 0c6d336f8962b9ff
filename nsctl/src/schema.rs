//! `nsctl schema`: the policy's language as a JSON Schema (draft 7), so that editors complete
//! its keys, show what they mean and mark mistakes. It knows less than `nsctl check`: names of
//! profiles, what contradicts what, and this host are beyond it.

mod keys;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod outputs;
#[cfg(test)]
mod tests;

use std::io::Write;

use serde_json::{Value, json};

use crate::error::Error;
use keys::{BIND, ENTRY, HOME, Key, Kind, PRIVATE, PROFILE, RULE, TOP};

/// Prints the schema.
pub(crate) fn run(out: &mut impl Write) -> Result<(), Error> {
    writeln!(out, "{}", text()?)?;
    Ok(())
}

/// The schema as it is printed.
fn text() -> Result<String, Error> {
    serde_json::to_string_pretty(&schema()).map_err(Error::Json)
}

fn schema() -> Value {
    let mut schema = table(TOP);
    schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    schema["title"] = "nsshell.toml".into();
    schema["description"] = "Which login gets which session: the policy of nsshell".into();
    schema["definitions"] = json!({
        "rule": described(table(RULE), "A login that all of its lists match gets its profile", &["profile"]),
        "profile": described(table(PROFILE), "What a session is made of", &[]),
        "private": described(table(PRIVATE), "A private directory and what it is like", &["path"]),
        "entry": described(table(ENTRY), "A path and what it is like", &["path"]),
        "bind": described(table(BIND), "A bind and what it is like", &["source"]),
        "home": described(table(HOME), "A home directory and what it is like", &["kind"]),
        "path": {
            "description": "A path from /, with {user}, {uid}, {group}, {hostname}, {service}, or {home} at its beginning",
            "type": "string",
            "pattern": "^(/|\\{home\\})",
        },
    });
    schema
}

fn described(mut table: Value, doc: &str, required: &[&str]) -> Value {
    table["description"] = doc.into();
    if !required.is_empty() {
        table["required"] = required.into();
    }
    table
}

/// A table with these keys and no other.
fn table(keys: &[Key]) -> Value {
    let properties = keys.iter().map(|key| (key.name.to_owned(), property(key)));
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties.collect::<serde_json::Map<_, _>>(),
    })
}

fn property(key: &Key) -> Value {
    let mut value = kind(key.kind);
    value["description"] = key.doc.into();
    if let Some(default) = key.default {
        value["default"] = default();
    }
    value
}

fn kind(kind: Kind) -> Value {
    match kind {
        Kind::Text => json!({ "type": "string", "minLength": 1 }),
        Kind::Pattern(pattern) => json!({ "type": "string", "pattern": pattern }),
        Kind::Truth => json!({ "type": "boolean" }),
        Kind::Seconds(from, to) => json!({ "anyOf": [
            { "type": "integer", "minimum": from, "maximum": to },
            { "type": "string", "pattern": "^[0-9]{1,10}[smhd]$" },
        ] }),
        Kind::Count(from, to) => json!({ "type": "integer", "minimum": from, "maximum": to }),
        Kind::Time => json!({ "anyOf": [
            { "type": "integer", "minimum": 1, "maximum": 31_622_400 },
            { "type": "string", "pattern": "^[0-9]{1,10}[smhd]$" },
        ] }),
        Kind::Word(words) => json!({ "type": "string", "enum": words }),
        Kind::Names => json!({
            "type": "array", "minItems": 1, "maxItems": 10_000,
            "items": { "type": "string", "minLength": 1, "maxLength": 257 },
        }),
        Kind::Uids => json!({
            "type": "array", "minItems": 1, "maxItems": 10_000,
            "items": { "anyOf": [
                { "type": "integer", "minimum": 1, "maximum": 4_294_967_294_u32 },
                { "type": "string", "pattern": "^!?[0-9]+(-[0-9]+)?$" },
            ] },
        }),
        Kind::Groups => json!({
            "type": "array", "maxItems": 100,
            "items": { "type": "string", "pattern": "^@[^*?!/:]+$" },
        }),
        Kind::Profiles => json!({ "anyOf": [
            { "type": "string", "minLength": 1 },
            {
                "type": "array", "maxItems": 16, "uniqueItems": true,
                "items": { "type": "string", "minLength": 1 },
            },
        ] }),
        Kind::Namespaces(words) => json!({
            "type": "array", "uniqueItems": true,
            "items": { "type": "string", "enum": words },
            // none at all, or "mount" among them
            "if": { "minItems": 1 },
            "then": { "contains": { "const": "mount" } },
        }),
        Kind::Private => json!({
            "type": "array", "maxItems": 64, "uniqueItems": true,
            "items": { "anyOf": [
                { "$ref": "#/definitions/path" },
                { "$ref": "#/definitions/private" },
            ] },
        }),
        Kind::Entries => either("^/", "entry"),
        Kind::Binds => either("^(/|\\{home\\})", "bind"),
        Kind::Home => json!({ "anyOf": [
            { "type": "string", "enum": ["real", "read-only", "ephemeral"] },
            { "$ref": "#/definitions/home" },
        ] }),
        Kind::Expose(names) => json!({
            "type": "array", "maxItems": 64, "uniqueItems": true,
            "items": { "anyOf": [
                { "type": "string", "enum": names },
                { "$ref": "#/definitions/path" },
            ] },
        }),
        Kind::Command => json!({
            "type": "array", "maxItems": 64,
            "items": { "type": "string", "maxLength": 1023 },
        }),
        Kind::Variables => json!({
            "type": "array", "maxItems": 64, "uniqueItems": true,
            "items": { "type": "string", "maxLength": 255, "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" },
        }),
        Kind::Options(words) => json!({
            "type": "array", "uniqueItems": true,
            "items": { "type": "string", "enum": words },
        }),
        Kind::Inodes => json!({ "type": "integer", "minimum": 1, "maximum": 2_147_483_647 }),
        Kind::Path => json!({ "allOf": [{ "$ref": "#/definitions/path" }] }),
        Kind::Rules => json!({
            "type": "array", "maxItems": 20_000, "items": { "$ref": "#/definitions/rule" },
        }),
        Kind::ProfileTables => json!({
            "type": "object", "maxProperties": 1_000,
            "propertyNames": { "pattern": "^[A-Za-z0-9_.-]{1,64}$" },
            // the one that leaves logins alone must go on doing so
            "properties": { "none": { "allOf": [
                { "$ref": "#/definitions/profile" },
                { "not": { "required": ["extends"] } },
                { "properties": { "namespaces": { "maxItems": 0 } } },
            ] } },
            "additionalProperties": { "$ref": "#/definitions/profile" },
        }),
    }
}

/// A list of paths, or of tables that are defined under this name.
fn either(path: &str, table: &str) -> Value {
    json!({
        "type": "array", "maxItems": 64, "uniqueItems": true,
        "items": { "anyOf": [
            { "type": "string", "pattern": path },
            { "$ref": format!("#/definitions/{table}") },
        ] },
    })
}
