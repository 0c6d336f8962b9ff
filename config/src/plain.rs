//! Reads the rules that are written as nearly all are, straight from their bytes:
//!
//! ```toml
//! [[rule]]
//! users = ["alice", "@staff"]
//! profile = "standard"
//! ```
//!
//! A policy may have ten thousand of them, and a login reads them all. Whatever is written in
//! any other way, or wrong, is left to [`crate::tree`] and [`Rule::read`], and what is read here
//! has to be what they say: a test compares the two.

use crate::pattern::{Item, List, Name, Remote, Uids, Who};
use crate::rule::{Rule, read_entry};
use crate::shape::MAX_LIST;
use crate::source::Place;
use crate::written::{self, Wrong};

const HEADER: &str = "[[rule]]\n";

/// Reads rules of one text. The lists grow in memory that is used again: of each rule only what
/// it needs is kept.
pub(crate) struct Reader<'t> {
    bytes: Bytes<'t>,
    users: Vec<Item<Who>>,
    uids: Vec<Item<Uids>>,
    names: Vec<Item<Name>>,
    hosts: Vec<Item<Remote>>,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(text: &'t str, file: u32) -> Reader<'t> {
        Reader {
            bytes: Bytes { text, file },
            users: Vec::new(),
            uids: Vec::new(),
            names: Vec::new(),
            hosts: Vec::new(),
        }
    }

    /// The rule that begins at an offset, and where the next piece begins; none if it is not
    /// written plainly.
    pub(crate) fn rule(&mut self, start: usize) -> Option<(Rule, usize)> {
        let bytes = self.bytes;
        if !bytes.text.get(start..)?.starts_with(HEADER) {
            return None;
        }
        let mut at = start + HEADER.len();
        let mut rule = Rule::of_all("", bytes.place(start, at - 1));
        loop {
            match bytes.at(at) {
                Some(b'\n') => at += 1,
                Some(b'#') => at = bytes.comment(at)?,
                // the next header, or the end
                Some(b'[') | None if rule.profile.as_bytes().is_empty() => return None,
                Some(b'[') | None => return Some((rule, at)),
                Some(_) => at = self.entry(at, &mut rule)?,
            }
        }
    }

    /// The offset of the line after `key = value`.
    fn entry(&mut self, at: usize, rule: &mut Rule) -> Option<usize> {
        let bytes = self.bytes;
        let key_end = bytes.skip(at, |byte| byte.is_ascii_lowercase());
        let equals = bytes.blanks(key_end);
        if bytes.at(equals)? != b'=' {
            return None;
        }
        let start = bytes.blanks(equals + 1);
        let end = match bytes.text.get(at..key_end)? {
            "users" => bytes.list(
                start,
                &mut rule.users,
                &mut self.users,
                "users",
                written::user,
            ),
            "uids" => bytes.list(start, &mut rule.uids, &mut self.uids, "uids", written::uids),
            "services" => {
                let names = &mut self.names;
                bytes.list(
                    start,
                    &mut rule.services,
                    names,
                    "services",
                    written::service,
                )
            }
            "ttys" => bytes.list(start, &mut rule.ttys, &mut self.names, "ttys", written::tty),
            "hosts" => bytes.list(
                start,
                &mut rule.hosts,
                &mut self.hosts,
                "hosts",
                written::host,
            ),
            "profile" if rule.profile.as_bytes().is_empty() => {
                // an empty name would look like none that has been read
                let (text, end) = bytes.text(start).filter(|(text, _)| !text.is_empty())?;
                rule.profile = text.into();
                rule.profile_place = bytes.place(start, end);
                Some(end)
            }
            _ => None,
        }?;
        let end = bytes.blanks(end);
        match bytes.at(end)? {
            b'\n' => Some(end + 1),
            b'#' => bytes.comment(end),
            _ => None,
        }
    }
}

/// A text of the policy.
#[derive(Clone, Copy)]
struct Bytes<'t> {
    text: &'t str,
    file: u32,
}

impl<'t> Bytes<'t> {
    fn at(self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn place(self, start: usize, end: usize) -> Place {
        // a text has at most MAX_FILE_SIZE bytes
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Place {
            file: self.file,
            start: offset(start),
            end: offset(end),
        }
    }

    /// The first byte from an offset on that is none of these.
    fn skip(self, from: usize, these: impl Fn(u8) -> bool) -> usize {
        let rest = self.text.as_bytes().get(from..).unwrap_or(&[]);
        let length = rest.iter().position(|byte| !these(*byte));
        from + length.unwrap_or(rest.len())
    }

    fn blanks(self, from: usize) -> usize {
        self.skip(from, |byte| byte == b' ')
    }

    /// The offset of the line after a comment.
    fn comment(self, at: usize) -> Option<usize> {
        let end = self.skip(at, |byte| matches!(byte, b' '..=b'~'));
        (self.at(end)? == b'\n').then_some(end + 1)
    }

    /// What is between quotation marks without an escape, and the offset after them.
    fn text(self, start: usize) -> Option<(&'t str, usize)> {
        if self.at(start)? != b'"' {
            return None;
        }
        let is_part = |b: u8| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\';
        let end = self.skip(start + 1, is_part);
        // three quotation marks begin another kind of string
        if self.at(end)? != b'"' || self.at(end + 1) == Some(b'"') {
            return None;
        }
        Some((self.text.get(start + 1..end)?, end + 1))
    }

    /// The digits of a number, and the offset after it.
    fn number(self, start: usize) -> Option<(&'t str, usize)> {
        // no other begins with a zero
        if !matches!(self.at(start)?, b'1'..=b'9') {
            return None;
        }
        let end = self.skip(start, |b| b.is_ascii_digit());
        // what else there may be in a number, a date or a time
        let ends = matches!(self.at(end)?, b' ' | b',' | b']');
        ends.then_some((self.text.get(start..end)?, end))
    }

    /// A list on one line, and the offset after it.
    fn list<T>(
        self,
        start: usize,
        list: &mut Option<List<T>>,
        items: &mut Vec<Item<T>>,
        key: &str,
        one: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<usize> {
        if self.at(start)? != b'[' || list.is_some() {
            return None;
        }
        items.clear();
        let mut at = self.blanks(start + 1);
        while self.at(at)? != b']' {
            if items.len() == MAX_LIST {
                return None;
            }
            let (written, end) = match self.text(at) {
                None if key == "uids" => self.number(at)?,
                text => text?,
            };
            let (negated, text) = match written.strip_prefix('!') {
                Some(rest) => (true, rest),
                None => (false, written),
            };
            items.push(Item {
                negated,
                what: read_entry(key, text, &one).ok()?,
                place: self.place(at, end),
            });
            at = self.blanks(end);
            match self.at(at)? {
                b',' => at = self.blanks(at + 1),
                b']' => {}
                _ => return None,
            }
        }
        if items.is_empty() {
            return None;
        }
        *list = Some(List {
            items: items.drain(..).collect(),
        });
        Some(at + 1)
    }
}

#[cfg(test)]
mod tests;
