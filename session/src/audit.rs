//! The audit trail: one line for each event in the life of a session.
//!
//! Events: `open` (a session was made for a login), `join` (a login shares one), `refuse`,
//! `leave` (a login has ended), `end` (a session has). The module writes them to the log of its
//! application, but `end` and the `leave` of an application that was killed, which only the
//! session's init knows of. See pam_nsshell(8) for the keys.

use std::fmt::Write;

/// The longest value, in bytes; more is cut off.
const LONGEST: usize = 256;

/// Keys whose values are numbers: without quotes in JSON.
const NUMBERS: [&str; 4] = ["uid", "init", "duration", "logins"];

/// The beginning of a key whose value is the inode of a namespace, a number as well.
pub const NAMESPACE: &str = "ns_";

/// How a line is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// a sentence, and key=value behind it in brackets
    #[default]
    Text,
    /// an object of JSON alone
    Json,
}

/// What is known of an event, in the order in which it is written. Values may be anything that
/// a user, a client or a resolver has come up with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts(Vec<(String, Vec<u8>)>);

impl Facts {
    /// With one fact more; without it if the value is empty.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        if !value.is_empty() {
            let value = value.get(..LONGEST).unwrap_or(value);
            self.0.push((key.to_owned(), value.to_vec()));
        }
        self
    }

    /// As fields of a message: "key=value".
    pub(crate) fn fields(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.0
            .iter()
            .map(|(key, value)| [key.as_bytes(), b"=", value].concat())
    }

    /// From fields of a message; a field without "=" is left out.
    pub(crate) fn from_fields<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Self {
        fields
            .filter_map(|field| {
                let at = field.iter().position(|byte| *byte == b'=')?;
                let (key, value) = field.split_at(at);
                Some((std::str::from_utf8(key).ok()?, value.get(1..)?))
            })
            .fold(Self::default(), |facts, (key, value)| {
                facts.with(key, value)
            })
    }

    /// The value of a fact, if it is text.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(name, _)| name == key)?;
        std::str::from_utf8(value).ok()
    }

    /// The line of an event: printable ASCII whatever the values hold. `sentence` is for
    /// people, and stands in the text only.
    #[must_use]
    pub fn line(&self, format: Format, event: &str, sentence: &str) -> String {
        match format {
            Format::Text => {
                let mut line = format!("{sentence} [event={event}");
                for (key, value) in &self.0 {
                    let _ = write!(line, " {key}={}", quoted(value));
                }
                line + "]"
            }
            Format::Json => {
                let mut line = format!("{{\"event\":\"{event}\"");
                for (key, value) in &self.0 {
                    let digits = value.iter().all(u8::is_ascii_digit);
                    let named = NUMBERS.contains(&key.as_str()) || key.starts_with(NAMESPACE);
                    let number = digits && value.len() < 20 && named;
                    let _ = match (number, String::from_utf8_lossy(value)) {
                        (true, text) => write!(line, ",\"{key}\":{text}"),
                        (false, text) => write!(line, ",\"{key}\":\"{}\"", json(&text)),
                    };
                }
                line + "}"
            }
        }
    }
}

/// Bare if nothing in it can be mistaken, else in quotes with every other byte as \xNN.
fn quoted(value: &[u8]) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._:/@+,%-".contains(byte);
    if value.iter().all(is_plain) {
        return String::from_utf8_lossy(value).into_owned();
    }
    let mut text = String::from("\"");
    for byte in value {
        match byte {
            b'"' | b'\\' | b'[' | b']' => {
                let _ = write!(text, "\\x{byte:02x}");
            }
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => {
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
    text + "\""
}

fn json(text: &str) -> String {
    let mut out = String::new();
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte @ b' '..=b'~') if byte != b'"' && byte != b'\\' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts::default()
            .with("user", "alice")
            .with("uid", "1000")
            .with("rhost", b"evil\n] event=open user=root \"\x1b\xff\\")
            .with("tty", "")
    }

    #[test]
    fn whatever_a_value_holds_it_stays_one_value_of_one_line() {
        let line = facts().line(Format::Text, "join", "session x joined by alice");
        assert_eq!(
            line,
            "session x joined by alice [event=join user=alice uid=1000 \
             rhost=\"evil\\x0a\\x5d event=open user=root \\x22\\x1b\\xff\\x5c\"]"
        );
    }

    #[test]
    fn json_has_numbers_where_numbers_are_and_strings_elsewhere() {
        let line = facts().with("session", "123").line(Format::Json, "end", "");
        assert_eq!(
            line,
            "{\"event\":\"end\",\"user\":\"alice\",\"uid\":1000,\"rhost\":\"evil\\u000a] \
             event=open user=root \\u0022\\u001b\\ufffd\\u005c\",\"session\":\"123\"}"
        );
    }

    #[test]
    fn facts_come_back_from_fields_as_they_were_and_are_cut_when_long() {
        let fields: Vec<_> = facts().fields().collect();
        let back = Facts::from_fields(fields.iter().map(Vec::as_slice));
        assert_eq!(back, facts());
        let long = Facts::default().with("a", "x".repeat(1000));
        assert_eq!(long.get("a").map(str::len), Some(LONGEST));
    }
}
