//! Words and limits of the schema are those of the language: each is tried on the language, at
//! its edge and beyond.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;

use nsshell_config::{EXPOSED, Policy};

use nsshell_tests::validate;

use super::*;

/// What the language says of a policy; nothing if it takes it.
fn fault(policy: &str) -> Option<String> {
    Policy::parse(policy, "p")
        .err()
        .map(|error| error.to_string())
}

/// The words in a sentence like "unknown value `x`, expected `a`, `b` or `c`".
fn words(told: &str) -> BTreeSet<String> {
    let (_, list) = told.split_once("expected ").unwrap();
    let words = list.split('`').skip(1).step_by(2);
    words.map(str::to_owned).collect()
}

/// A policy in which a key of a table has a value.
type Writer = fn(&str, &str) -> String;

const TABLES: [(&str, &[Key], Writer); 7] = [
    ("the top", TOP, |name, value| format!("{name} = {value}\n")),
    ("rule", RULE, |name, value| match name {
        "profile" => format!("[[rule]]\nprofile = {value}\n"),
        _ => format!("[[rule]]\nprofile = 'none'\n{name} = {value}\n"),
    }),
    ("profile", PROFILE, |name, value| {
        let more = match name {
            "keep_for" => "on_logout = 'keep'\n",
            "pass_environment" => "command = ['/bin/x']\n",
            _ => "",
        };
        format!("[profile.x]\n{more}{name} = {value}\n")
    }),
    ("private", PRIVATE, |name, value| {
        let more = match name {
            "path" => "",
            "contents" | "skeleton" => "path = '/srv', instance = '/i', ",
            _ => "path = '/srv', ",
        };
        format!("[profile.x]\nprivate = [{{ {more}{name} = {value} }}]\n")
    }),
    ("entry", ENTRY, |name, value| {
        let more = if name == "path" {
            ""
        } else {
            "path = '/srv', "
        };
        format!("[profile.x]\nmasked = [{{ {more}{name} = {value} }}]\n")
    }),
    ("home", HOME, |name, value| {
        let more = if name == "kind" {
            ""
        } else {
            "kind = 'ephemeral', "
        };
        format!("[profile.x]\nhome = {{ {more}{name} = {value} }}\n")
    }),
    ("bind", BIND, |name, value| {
        let more = if name == "source" {
            ""
        } else {
            "source = '/srv', "
        };
        format!("[profile.x]\nbinds = [{{ {more}{name} = {value} }}]\n")
    }),
];

/// A list of this many different entries.
fn list(count: u64, entry: impl Fn(u64) -> String) -> String {
    let entries: Vec<_> = (0..count).map(entry).collect();
    format!("[{}]", entries.join(", "))
}

/// What a key holds is taken and refused by the language as by the schema.
struct Trial<'k> {
    table: &'static str,
    key: &'k Key,
    write: Writer,
}

impl Trial<'_> {
    fn takes(&self, value: &str) {
        let policy = (self.write)(self.key.name, value);
        self.takes_all(&policy);
    }

    fn takes_all(&self, policy: &str) {
        if let Some(told) = fault(policy) {
            panic!("{} of {}: {told}", self.key.name, self.table);
        }
    }

    fn refuses(&self, value: &str) -> String {
        let policy = (self.write)(self.key.name, value);
        let told = fault(&policy);
        told.unwrap_or_else(|| panic!("{} of {} takes {value}", self.key.name, self.table))
    }

    /// The words that the language tells when it is given another one.
    fn has_words(&self, known: &[&str], wrong: &str) {
        let known = known.iter().map(|&word| word.to_owned()).collect();
        assert_eq!(words(&self.refuses(wrong)), known, "{}", self.key.name);
    }

    fn has_range(&self, from: u64, to: u64) {
        self.takes(&from.to_string());
        self.takes(&to.to_string());
        self.refuses(&(i128::from(from) - 1).to_string());
        self.refuses(&(u128::from(to) + 1).to_string());
    }

    /// A list that may have as many entries as the schema says, and no more.
    fn has_length(&self, entry: impl Fn(u64) -> String) {
        let most = kind(self.key.kind)["maxItems"].as_u64().unwrap();
        self.takes(&list(most, &entry));
        self.refuses(&list(most + 1, &entry));
    }

    fn run(&self) {
        let numbered = |at: u64| format!("'/d{at}'");
        match self.key.kind {
            Kind::Word(known) => self.has_words(known, "'xyzzy'"),
            Kind::Namespaces(known) => self.has_words(known, "['mount', 'xyzzy']"),
            Kind::Options(known) => {
                self.has_words(known, "['xyzzy']");
                self.refuses(&format!("['{0}', '{0}']", known[0]));
            }
            Kind::Expose(known) => {
                let names: Vec<_> = EXPOSED.iter().map(|(name, _)| *name).collect();
                assert_eq!(known, names);
                self.refuses("['xyzzy']");
                self.has_length(numbered);
            }
            Kind::Home => {
                let schema = kind(self.key.kind);
                let known = schema.pointer("/anyOf/0/enum").unwrap().as_array().unwrap();
                let known: Vec<_> = known.iter().map(|word| word.as_str().unwrap()).collect();
                self.has_words(&known, "'xyzzy'");
            }
            Kind::Seconds(from, to) | Kind::Count(from, to) => {
                self.has_range(from.into(), to.into());
            }
            Kind::Inodes => {
                let schema = kind(self.key.kind);
                let edge = |word: &str| schema[word].as_u64().unwrap();
                self.has_range(edge("minimum"), edge("maximum"));
            }
            Kind::Time => {
                let schema = kind(self.key.kind);
                let most = schema
                    .pointer("/anyOf/0/maximum")
                    .unwrap()
                    .as_u64()
                    .unwrap();
                self.takes(&most.to_string());
                self.refuses(&(most + 1).to_string());
                self.refuses("0");
                for value in ["'60s'", "'8m'", "'8h'", "'8d'"] {
                    self.takes(value);
                }
                for value in ["'8w'", "'8'", "'h'", "'8 h'", "'-8h'"] {
                    self.refuses(value);
                }
            }
            Kind::Truth => {
                self.takes("true");
                self.takes("false");
                self.refuses("1");
            }
            Kind::Text => {
                self.takes("'none'");
                self.refuses("''");
                self.refuses("1");
            }
            Kind::Pattern(pattern) => self.pattern(pattern),
            Kind::Path => {
                self.takes("'/srv/x'");
                self.takes("'{home}/x'");
                self.refuses("'x'");
            }
            Kind::Names => {
                self.has_length(|at| format!("'a{at}'"));
                let schema = kind(self.key.kind);
                let most = schema
                    .pointer("/items/maxLength")
                    .unwrap()
                    .as_u64()
                    .unwrap();
                // one of them is the `!`
                let name = "a".repeat(usize::try_from(most).unwrap() - 1);
                self.takes(&format!("['!{name}']"));
                self.refuses(&format!("['!a{name}']"));
                self.refuses("[]");
            }
            Kind::Uids => {
                self.has_length(|at| (at + 1).to_string());
                let schema = kind(self.key.kind);
                let most = schema
                    .pointer("/items/anyOf/0/maximum")
                    .unwrap()
                    .as_u64()
                    .unwrap();
                self.takes(&format!("[{most}, '!{most}', '1-{most}']"));
                self.refuses(&format!("[{}]", most + 1));
                self.refuses("[0]");
                self.refuses("[]");
            }
            Kind::Groups => self.has_length(|at| format!("'@g{at}'")),
            Kind::Profiles => {
                let most = kind(self.key.kind)["anyOf"][1]["maxItems"]
                    .as_u64()
                    .unwrap();
                let extending = |count| {
                    let names = list(count, |at| format!("'p{at}'"));
                    let tables = (0..count).map(|at| format!("[profile.p{at}]\n"));
                    (self.write)(self.key.name, &names) + &tables.collect::<String>()
                };
                self.takes_all(&extending(most));
                assert!(fault(&extending(most + 1)).is_some());
            }
            Kind::Private | Kind::Entries | Kind::Binds => self.has_length(numbered),
            Kind::Command => {
                self.has_length(numbered);
                let schema = kind(self.key.kind);
                let most = schema
                    .pointer("/items/maxLength")
                    .unwrap()
                    .as_u64()
                    .unwrap();
                let word = "a".repeat(usize::try_from(most).unwrap());
                self.takes(&format!("['/bin/x', '{word}']"));
                self.refuses(&format!("['/bin/x', 'a{word}']"));
            }
            Kind::Variables => {
                self.has_length(|at| format!("'V{at}'"));
                let schema = kind(self.key.kind);
                let items = |word: &str| schema.pointer(&format!("/items/{word}")).unwrap();
                let most = items("maxLength").as_u64().unwrap();
                let name = "a".repeat(usize::try_from(most).unwrap());
                self.takes(&format!("['{name}']"));
                self.refuses(&format!("['a{name}']"));
                let pattern = items("pattern").as_str().unwrap();
                for name in ["A", "_a9", "9a", "a-b", "a=b", "a b", "", "LC_*"] {
                    match validate::matches(pattern, name) {
                        true => self.takes(&format!("['{name}']")),
                        false => drop(self.refuses(&format!("['{name}']"))),
                    }
                }
                self.refuses("['A', 'A']");
                self.refuses("'A'");
            }
            Kind::Rules => {
                let most = kind(self.key.kind)["maxItems"].as_u64().unwrap();
                let rules = |count| {
                    let rule = "[[rule]]\nprofile = 'none'\n";
                    rule.repeat(usize::try_from(count).unwrap())
                };
                self.takes_all(&rules(most));
                assert!(fault(&rules(most + 1)).is_some());
            }
            Kind::ProfileTables => {
                let most = kind(self.key.kind)["maxProperties"].as_u64().unwrap();
                let profiles = |count| {
                    let tables = (0..count).map(|at| format!("[profile.p{at}]\n"));
                    tables.collect::<String>()
                };
                self.takes_all(&profiles(most));
                assert!(fault(&profiles(most + 1)).is_some());
                let name = "a".repeat(64);
                self.takes_all(&format!("[profile.{name}]\n"));
                assert!(fault(&format!("[profile.a{name}]\n")).is_some());
            }
        }
    }

    /// Texts that the one takes and the other does not would show.
    fn pattern(&self, pattern: &str) {
        let texts: &[&str] = match pattern {
            "^/" => &["/srv/x", "x", "{home}/x", "", "./x"],
            _ => &[
                "1", "0755", "1777", "2000", "777", "64m", "1G", "10%", "0", "0m", "64mb", "-1",
                "+1", "m", "8", "9", "",
            ],
        };
        for text in texts {
            match validate::matches(pattern, text) {
                true => self.takes(&format!("'{text}'")),
                false => drop(self.refuses(&format!("'{text}'"))),
            }
        }
    }
}

#[test]
fn words_and_limits_are_those_of_the_language_in_every_table() {
    for (table, keys, write) in TABLES {
        for key in keys {
            let trial = Trial { table, key, write };
            trial.run();
        }
    }
}
