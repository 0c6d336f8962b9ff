//! The shape of a policy text: what serde reads, with the place of each value. Meaning is
//! given to it in `profile` and `rule`.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use toml::Spanned;

use crate::Namespace;

/// A whole policy text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyText {
    #[serde(default)]
    pub(crate) rule: Vec<Spanned<RuleText>>,
    #[serde(default)]
    pub(crate) profile: BTreeMap<Spanned<String>, ProfileText>,
}

/// `[[rule]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleText {
    pub(crate) users: Option<Spanned<Vec<Spanned<String>>>>,
    pub(crate) services: Option<Spanned<Vec<Spanned<String>>>>,
    pub(crate) profile: Spanned<String>,
}

/// `[profile.NAME]`: every key is optional, since a text is laid over another one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileText {
    pub(crate) namespaces: Option<Spanned<Vec<Spanned<Namespace>>>>,
    pub(crate) id_map: Option<Spanned<IdMap>>,
    pub(crate) ranges: Option<Spanned<Ranges>>,
    pub(crate) private: Option<Spanned<Vec<Spanned<PrivateText>>>>,
    pub(crate) runtime_dir: Option<Spanned<bool>>,
    pub(crate) hostname: Option<Spanned<String>>,
    pub(crate) shell: Option<Spanned<String>>,
    pub(crate) require_nsshell: Option<Spanned<bool>>,
    pub(crate) grace: Option<Spanned<i64>>,
    pub(crate) timeout: Option<Spanned<i64>>,
}

/// `id_map`: who the user is inside the user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum IdMap {
    /// the same id as outside
    Keep,
    /// id 0
    Root,
}

/// `ranges`: what if the user has no subordinate ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ranges {
    /// then only the user's own id is mapped
    IfAny,
    /// then the login is refused
    Required,
}

/// One entry of `private`: `"/tmp"` or `{ path = "/tmp", size = "64m", optional = true }`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrivateTable {
    pub(crate) path: Spanned<String>,
    pub(crate) size: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) optional: bool,
}

/// The two ways to write an entry of `private`. An untagged enum would lose the places.
pub(crate) enum PrivateText {
    Path(String),
    Table(PrivateTable),
}

impl<'de> Deserialize<'de> for PrivateText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PrivateText, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = PrivateText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a directory like \"/tmp\" or { path = \"/tmp\", size = \"64m\" }")
            }

            fn visit_str<E>(self, path: &str) -> Result<PrivateText, E> {
                Ok(PrivateText::Path(path.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PrivateText, A::Error> {
                let table = PrivateTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(PrivateText::Table(table))
            }
        }

        deserializer.deserialize_any(Either)
    }
}
