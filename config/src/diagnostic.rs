//! Faults of a policy file: where, what, and the source line with a caret.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// How many faults are kept: somebody who has more than this reads the first ones first.
const MAX_FOUND: usize = 50;

/// How many characters of a source line are shown.
const EXCERPT: usize = 100;

/// One fault of a policy file. `Display` is `FILE:LINE:COLUMN: MESSAGE; HELP` in one line;
/// `{:#}` adds the source line with a caret under the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// the file
    pub file: String,
    /// line in it, from 1
    pub line: usize,
    /// character in that line, from 1
    pub column: usize,
    /// what is wrong
    pub message: String,
    /// what to do about it, if that is known
    pub help: Option<String>,
    /// the part of the source line that is shown
    excerpt: String,
    /// first character of `excerpt` that is marked, from 0, and how many are
    mark: (usize, usize),
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = (self.line, self.column);
        write!(
            f,
            "{}:{line}:{column}: {}",
            printable(&self.file),
            printable(&self.message)
        )?;
        if let Some(help) = &self.help {
            write!(f, "; {}", printable(help))?;
        }
        if f.alternate() {
            let number = line.to_string();
            let (skip, marked) = self.mark;
            write!(f, "\n {number} | {}", self.excerpt)?;
            write!(f, "\n {:1$} | {2:3$}", "", number.len(), "", skip)?;
            write!(f, "{:^<1$}", "", marked)?;
        }
        Ok(())
    }
}

/// A text with control characters escaped: what comes from a file, a user database or an
/// argument must not write to the administrator's terminal or forge lines of a log.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_default())
        } else {
            out.push(c)
        }
    }
    Cow::Owned(out)
}

/// A policy text while it is read, and the faults found in it so far.
pub(crate) struct Source<'t> {
    file: &'t str,
    text: &'t str,
    /// byte offset of the start of each line; kept, since a policy has many rules and each
    /// wants to know its line
    starts: Vec<usize>,
    found: Vec<Diagnostic>,
}

impl<'t> Source<'t> {
    pub(crate) fn new(file: &'t str, text: &'t str) -> Source<'t> {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0)
            .chain(ends.map(|(at, _)| at + 1))
            .collect();
        Source {
            file,
            text,
            starts,
            found: Vec::new(),
        }
    }

    /// The line of a byte offset, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }

    /// Notes a fault at a span of bytes.
    pub(crate) fn fault(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        if self.found.len() >= MAX_FOUND {
            return;
        }
        let line = self.line(span.start);
        let start = self
            .starts
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or(0);
        let source = self
            .text
            .get(start..)
            .unwrap_or("")
            .lines()
            .next()
            .unwrap_or("");
        let chars = |bytes: usize| {
            source
                .char_indices()
                .take_while(|(at, _)| *at < bytes)
                .count()
        };
        let from = chars(span.start.saturating_sub(start));
        let to = chars(span.end.saturating_sub(start));
        // a file of one enormous line is shown from a little before the fault
        let first = if from + 20 < EXCERPT { 0 } else { from - 40 };
        let shown = source.chars().skip(first).take(EXCERPT);
        let excerpt: String = shown
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let room = (excerpt.chars().count() + first).saturating_sub(from);
        self.found.push(Diagnostic {
            file: self.file.to_owned(),
            line,
            column: from + 1,
            message,
            help,
            excerpt,
            mark: (from - first, to.saturating_sub(from).min(room).max(1)),
        });
    }

    /// The faults found, in the order of the file.
    pub(crate) fn into_found(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|fault| (fault.line, fault.column));
        self.found
    }

    /// Takes over what the TOML reader complains about, in an administrator's words.
    pub(crate) fn toml_fault(&mut self, error: &toml::de::Error) {
        let said = error.message().replace('\n', ", ");
        let (head, expected) = match said.rsplit_once(", expected ") {
            Some((head, expected)) => (head, Some(expected)),
            None => (said.as_str(), None),
        };
        let names = expected.unwrap_or("").split('`').skip(1).step_by(2);
        let help = head
            .split('`')
            .nth(1)
            .and_then(|wrong| crate::suggest::nearest(wrong, names))
            .map(|name| format!("did you mean `{name}`?"));
        let head = match head {
            "duplicate key" => "this is set twice",
            other => other,
        };
        let head = head
            .replace("field", "key")
            .replace("variant", "name")
            .replace(": map", ": table");
        let message = match expected {
            None => head,
            Some("a sequence") => format!("{head}, expected a list in [ ]"),
            Some("a map") => format!("{head}, expected a table"),
            Some("i64") => format!("{head}, expected a whole number"),
            Some("a boolean") => format!("{head}, expected true or false"),
            Some(other) => format!("{head}, expected {other}"),
        };
        self.fault(error.span().unwrap_or(0..0), message, help);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::type_complexity)]
    use super::*;

    fn only(text: &str, span: Range<usize>) -> Diagnostic {
        let mut source = Source::new("p.toml", text);
        source.fault(span, "bad".to_owned(), Some("mend it".to_owned()));
        source.into_found().pop().unwrap()
    }

    #[test]
    fn a_fault_shows_file_line_column_and_a_caret_under_the_place() {
        let fault = only("a = 1\nname = \"x\"\n", 13..16);
        assert_eq!(fault.to_string(), "p.toml:2:8: bad; mend it");
        assert_eq!(
            format!("{fault:#}"),
            "p.toml:2:8: bad; mend it\n 2 | name = \"x\"\n   |        ^^^"
        );
    }

    #[test]
    fn places_at_every_edge_are_shown() {
        let cases: [(&str, Range<usize>, (usize, usize), (usize, usize)); 7] = [
            ("", 0..0, (1, 1), (0, 1)),
            ("abc", 3..3, (1, 4), (3, 1)),
            ("abc\n", 4..4, (2, 1), (0, 1)),
            ("äö = 1", 7..8, (1, 6), (5, 1)),
            ("a\r\nb", 3..4, (2, 1), (0, 1)),
            ("ab\ncd", 1..5, (1, 2), (1, 1)),
            ("ab", 90..99, (1, 3), (2, 1)),
        ];
        for (text, span, place, mark) in cases {
            let fault = only(text, span.clone());
            assert_eq!(
                ((fault.line, fault.column), fault.mark),
                (place, mark),
                "{text:?} {span:?}"
            );
        }
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}X{}", "a".repeat(5000), "b".repeat(5000));
        let fault = only(&text, 5000..5001);
        assert_eq!(fault.column, 5001);
        assert!(fault.excerpt.chars().count() <= EXCERPT);
        assert_eq!(fault.excerpt.chars().nth(fault.mark.0), Some('X'));
        assert_eq!(fault.mark.1, 1);
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        let mut source = Source::new("p\u{1b}[2J", "a\u{1b}\tb");
        source.fault(0..1, "say \u{7}".to_owned(), None);
        let shown = format!("{:#}", source.into_found().pop().unwrap());
        assert!(
            !shown.replace('\n', "").contains(char::is_control),
            "{shown:?}"
        );
    }
}
