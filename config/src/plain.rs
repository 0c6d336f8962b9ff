//! Reads the rules that are written as nearly all are, without the tokens of TOML:
//!
//! ```toml
//! [[rule]]
//! users = ["alice", "@staff"]
//! profile = "standard"
//! ```
//!
//! A policy may have ten thousand of them, and a login reads them all. Whatever is written in
//! any other way, or wrong, is left to [`crate::tree`], and for what is read here it has to give
//! the same pieces: a test compares the two.

use std::borrow::Cow;

use crate::shape::MAX_LIST;
use crate::source::{At, Place};
use crate::tree::{Entry, Header, Key, Node, Piece, Value};

const HEADER: &str = "[[rule]]\n";

/// A rule has fewer: what has more is wrong, and its lists are not kept.
const MOST_ENTRIES: usize = 16;

/// Reads pieces into one and the same memory.
pub(crate) struct Reader<'t> {
    text: &'t str,
    file: u32,
    piece: Piece<'t>,
    /// lists of earlier pieces
    spare: Vec<Vec<Node<'t>>>,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(text: &'t str, file: u32) -> Reader<'t> {
        let place = Place {
            file,
            start: 0,
            end: 0,
        };
        let rule = At {
            value: Cow::Borrowed("rule"),
            place,
        };
        Reader {
            text,
            file,
            piece: Piece {
                header: Header::List,
                path: vec![rule],
                place,
                entries: Vec::new(),
                faulty: false,
            },
            spare: Vec::new(),
        }
    }

    /// The piece that begins at an offset, and where the next one begins; none if it is not
    /// written plainly.
    pub(crate) fn rule(&mut self, start: usize) -> Option<(&Piece<'t>, usize)> {
        if !self.text.get(start..)?.starts_with(HEADER) {
            return None;
        }
        for entry in self.piece.entries.drain(..) {
            if let Value::List(mut list) = entry.value.value {
                list.clear();
                self.spare.push(list);
            }
        }
        self.piece.place = self.place(start, start + HEADER.len() - 1);
        if let (Some(key), place) = (
            self.piece.path.first_mut(),
            place(self.file, start + 2, start + 6),
        ) {
            key.place = place;
        }
        let mut at = start + HEADER.len();
        loop {
            match self.byte(at) {
                Some(b'\n') => at += 1,
                Some(b'#') => at = self.comment(at)?,
                // the next header, or the end
                Some(b'[') | None => return Some((&self.piece, at)),
                Some(_) if self.piece.entries.len() == MOST_ENTRIES => return None,
                Some(_) => at = self.entry(at)?,
            }
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn place(&self, start: usize, end: usize) -> Place {
        place(self.file, start, end)
    }

    /// The first byte from an offset on that is none of these.
    fn skip(&self, from: usize, these: impl Fn(u8) -> bool) -> usize {
        let rest = self.text.as_bytes().get(from..).unwrap_or(&[]);
        let length = rest.iter().position(|byte| !these(*byte));
        from + length.unwrap_or(rest.len())
    }

    fn blanks(&self, from: usize) -> usize {
        self.skip(from, |byte| byte == b' ')
    }

    /// The offset of the line after a comment.
    fn comment(&self, at: usize) -> Option<usize> {
        let end = self.skip(at, |byte| matches!(byte, b' '..=b'~'));
        (self.byte(end)? == b'\n').then_some(end + 1)
    }

    /// The offset of the line after `key = value`.
    fn entry(&mut self, at: usize) -> Option<usize> {
        let is_part = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let end = self.skip(at, is_part);
        let key: Key<'t> = At {
            value: Cow::Borrowed(self.text.get(at..end).filter(|key| !key.is_empty())?),
            place: self.place(at, end),
        };
        let equals = self.blanks(end);
        if self.byte(equals)? != b'=' {
            return None;
        }
        let start = self.blanks(equals + 1);
        let (value, end) = match self.byte(start)? {
            b'[' => self.list(start)?,
            _ => self.scalar(start)?,
        };
        self.piece.entries.push(Entry {
            key,
            dotted: Vec::new(),
            value,
        });
        let end = self.blanks(end);
        match self.byte(end)? {
            b'\n' => Some(end + 1),
            b'#' => self.comment(end),
            _ => None,
        }
    }

    /// A list of strings and numbers on one line, and the offset after it.
    fn list(&mut self, start: usize) -> Option<(Node<'t>, usize)> {
        let mut list = self.spare.pop().unwrap_or_default();
        let mut at = self.blanks(start + 1);
        while self.byte(at)? != b']' {
            if list.len() > MAX_LIST {
                return None;
            }
            let (item, end) = self.scalar(at)?;
            list.push(item);
            at = self.blanks(end);
            match self.byte(at)? {
                b',' => at = self.blanks(at + 1),
                b']' => {}
                _ => return None,
            }
        }
        let node = At {
            value: Value::List(list),
            place: self.place(start, at + 1),
        };
        Some((node, at + 1))
    }

    /// A string without escapes or a number, and the offset after it.
    fn scalar(&self, start: usize) -> Option<(Node<'t>, usize)> {
        let (value, end) = match self.byte(start)? {
            b'"' => {
                let is_part = |b: u8| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\';
                let end = self.skip(start + 1, is_part);
                // three quotation marks begin another kind of string
                if self.byte(end)? != b'"' || self.byte(end + 1) == Some(b'"') {
                    return None;
                }
                let text = self.text.get(start + 1..end)?;
                (Value::Text(Cow::Borrowed(text)), end + 1)
            }
            b'1'..=b'9' => {
                let end = self.skip(start, |b| b.is_ascii_digit());
                // what else there may be in a number, a date or a time
                if !matches!(self.byte(end)?, b' ' | b',' | b']' | b'\n') {
                    return None;
                }
                let number = self.text.get(start..end)?.parse().ok()?;
                (Value::Number(number), end)
            }
            _ => return None,
        };
        let place = self.place(start, end);
        Some((At { value, place }, end))
    }
}

fn place(file: u32, start: usize, end: usize) -> Place {
    // a text has at most MAX_FILE_SIZE bytes
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Place {
        file,
        start: offset(start),
        end: offset(end),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::diagnostic::Faults;
    use crate::tree;

    /// xorshift64: the same numbers in each run.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
        }

        fn of<'a>(&mut self, among: &[&'a str]) -> &'a str {
            among[self.below(among.len())]
        }
    }

    const ITEMS: &[&str] = &[
        "\"alice\"",
        "\"\"",
        "\"!@web-*\"",
        "\" b \"",
        "1000",
        "7",
        "9223372036854775808",
        "'c'",
        "0",
        "-1",
        "true",
        "\"\\u0041\"",
        "\"\"\"d\"\"\"",
        "1_0",
        "1.5",
        "1979-05-27",
        "{ a = 1 }",
        "[\"x\"]",
        "\"é\"",
        "\"#\"",
        "\"[[rule]]\"",
    ];

    /// Mostly plain, with a few bytes that are not.
    fn text(dice: &mut Dice) -> String {
        let plain = dice.below(4) > 0;
        let item = |dice: &mut Dice| match plain {
            true => ITEMS[dice.below(6)],
            false => dice.of(ITEMS),
        };
        let mut text = String::from("[[rule]]\n");
        for _ in 0..dice.below(5) {
            text += dice.of(&["users", "uids", "profile", "a-b_9", "7"]);
            text += dice.of(&[" = ", "=", "  =  ", "= "]);
            if dice.below(2) == 0 {
                text += item(dice);
            } else {
                text += dice.of(&["[", "[ "]);
                let count = dice.below(4);
                for at in 0..count {
                    text += item(dice);
                    let last = at + 1 == count && dice.below(3) > 0;
                    text += if last {
                        ""
                    } else {
                        dice.of(&[",", ", ", " , "])
                    };
                }
                text += dice.of(&["]", " ]"]);
            }
            text += dice.of(&["\n", "\n", "\n", " # c\n", " \n", "\n\n", "\n# c\n"]);
        }
        text += dice.of(&["", "[[rule]]\n", "[profile.x]\n", "[", "a", "\r\n"]);
        if dice.below(3) == 0 {
            let bytes = b"\"'[]{}#=,.\\ \t\r\n\0a0-+_";
            for _ in 0..=dice.below(2) {
                let at = dice.below(text.len());
                let byte = char::from(bytes[dice.below(bytes.len())]).to_string();
                if text.is_char_boundary(at) && text.is_char_boundary(at + 1) {
                    let end = at + dice.below(2);
                    text.replace_range(at..end, &byte);
                }
            }
        }
        text
    }

    #[test]
    fn what_is_read_plainly_is_what_the_tokens_of_toml_say() {
        let mut dice = Dice(0x2545_f491_4f6c_dd1d);
        let (mut plainly, rounds) = (0, 60_000);
        for _ in 0..rounds {
            let text = text(&mut dice);
            let mut reader = Reader::new(&text, 3);
            // what an earlier piece has left must not show
            let mut start = 0;
            while let Some((piece, end)) = reader.rule(start) {
                let mut faults = Faults::default();
                let mut tokens = Vec::new();
                let (expected, ends) = tree::by_tokens(&text, start, 3, &mut tokens, &mut faults);
                assert!(faults.is_empty(), "{text:?}");
                assert_eq!((Some(piece), end), (expected.as_ref(), ends), "{text:?}");
                plainly += 1;
                start = end;
            }
        }
        assert!(plainly > rounds / 3 && plainly < rounds, "{plainly}");
    }

    #[test]
    fn what_is_written_in_any_other_way_is_left_to_the_tokens() {
        let others = [
            "[[rule]]",
            "[[ rule ]]\n",
            "[[rule]] # c\n",
            "[[rule]]\r\n",
            "[[rule]]\n a = 1\n",
            "[[rule]]\na = 1",
            "[[rule]]\na = 'x'\n",
            "[[rule]]\na.b = 1\n",
            "[[rule]]\na = \"\\n\"\n",
            "[[rule]]\na = [\n1]\n",
            "[[rule]]\na = [1 2]\n",
            "[[rule]]\na = [,]\n",
            "[[rule]]\na = \n",
            "[[rule]]\na = \"x\n",
            "[[rule]]\na = \"x\" y\n",
            "[[rule]]\na = \"\"\"x\"\"\"\n",
            "[[rule]]\n# \u{7f}\n",
            "[[rule]]\na = 01\n",
            "[[rule]]\n= 1\n",
            "[[rule]]\na = \"é\"\n",
        ];
        for text in others {
            assert!(Reader::new(text, 0).rule(0).is_none(), "{text:?}");
        }
    }
}
