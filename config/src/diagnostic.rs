//! Faults of a policy: where, what, and the source line with a caret.

use std::borrow::Cow;
use std::fmt;

use crate::source::{Place, Source};

/// How many faults are kept: somebody who has more than this reads the first ones first.
const MAX_FOUND: usize = 200;

/// How many characters of a source line are shown.
const EXCERPT: usize = 100;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// the policy is not used
    Error,
    /// the policy is used, but does something else than its writer may expect
    Warning,
    /// nothing is wrong with the policy, and the host could be safer
    Note,
}

/// One fault of a policy. `Display` is `FILE:LINE:COLUMN: MESSAGE; HELP` in one line;
/// `{:#}` adds the source line with a caret under the place, and the other place if two
/// collide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// whether it keeps the policy from being used
    pub severity: Severity,
    /// where
    pub at: Excerpt,
    /// what is wrong
    pub message: String,
    /// what to do about it, if that is known
    pub help: Option<String>,
    /// the other place if two collide, and what is there
    pub other: Option<(Excerpt, String)>,
}

/// A place in a policy with the line that it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// the file
    pub file: String,
    /// line in it, from 1
    pub line: usize,
    /// character in that line, from 1
    pub column: usize,
    /// the part of the source line that is shown
    text: String,
    /// first character of `text` that is marked, from 0, and how many are
    mark: (usize, usize),
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
            Severity::Note => "note: ",
        };
        write!(f, "{}: {severity}{}", self.at, printable(&self.message))?;
        if let Some(help) = &self.help {
            write!(f, "; {}", printable(help))?;
        }
        if !f.alternate() {
            return Ok(());
        }
        self.at.marked(f)?;
        if let Some((other, what)) = &self.other {
            write!(f, "\n{other}: {}", printable(what))?;
            other.marked(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = (self.line, self.column);
        write!(f, "{}:{line}:{column}", printable(&self.file))
    }
}

impl Diagnostic {
    /// A warning about the beginning of another file than a policy's, with what to do.
    #[must_use]
    pub fn warning_of(file: &str, text: &str, message: &str, help: &str) -> Diagnostic {
        Self::warning_at((file, text), 0, message, help)
    }

    /// A note about such a file.
    #[must_use]
    pub fn note_of(file: &str, text: &str, message: &str, help: &str) -> Diagnostic {
        Diagnostic {
            severity: Severity::Note,
            ..Self::warning_of(file, text, message, help)
        }
    }

    /// A warning about the line of such a file that begins at an offset in bytes.
    #[must_use]
    pub fn warning_at(
        (file, text): (&str, &str),
        start: usize,
        message: &str,
        help: &str,
    ) -> Diagnostic {
        let rest = text.get(start..).unwrap_or_default();
        let length = rest.find('\n').unwrap_or(rest.len());
        let offset = |at| u32::try_from(at).unwrap_or(1);
        let place = Place {
            file: 0,
            start: offset(start),
            end: offset(start + length),
        };
        Diagnostic {
            severity: Severity::Warning,
            at: Excerpt::new(&[Source::new(file, text.to_owned())], place),
            message: message.to_owned(),
            help: Some(help.to_owned()),
            other: None,
        }
    }
}

impl Excerpt {
    fn new(sources: &[Source], place: Place) -> Excerpt {
        let nothing = Source::new("", String::new());
        let index = usize::try_from(place.file).unwrap_or(usize::MAX);
        let source = sources.get(index).unwrap_or(&nothing);
        let (line, start, text) = source.line_at(place.start);
        let chars = |offset: u32| {
            let bytes = usize::try_from(offset).unwrap_or(0).saturating_sub(start);
            text.char_indices()
                .take_while(|(at, _)| *at < bytes)
                .count()
        };
        let (from, to) = (chars(place.start), chars(place.end));
        // a file of one enormous line is shown from a little before the fault
        let first = if from + 20 < EXCERPT { 0 } else { from - 40 };
        let shown = text.chars().skip(first).take(EXCERPT);
        let mut shown: String = shown
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let end = first + shown.chars().count();
        let room = end.saturating_sub(from);
        let mut skip = from - first;
        // what is cut off must not look as if it were not there
        if first > 0 {
            shown.insert(0, '…');
            skip += 1;
        }
        if text.chars().nth(end).is_some() {
            shown.push('…');
        }
        Excerpt {
            file: source.name.clone(),
            line,
            column: from + 1,
            text: shown,
            mark: (skip, to.saturating_sub(from).min(room).max(1)),
        }
    }

    fn marked(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let (skip, marked) = self.mark;
        write!(f, "\n {number} | {}", self.text)?;
        write!(f, "\n {:1$} | {2:3$}", "", number.len(), "", skip)?;
        write!(f, "{:^<1$}", "", marked)
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

/// The faults found so far.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    found: Vec<Fault>,
    /// there may be more
    cut: bool,
}

#[derive(Debug, PartialEq)]
struct Fault {
    severity: Severity,
    place: Place,
    message: String,
    help: Option<String>,
    other: Option<(Place, String)>,
}

impl Faults {
    /// Notes a fault.
    pub(crate) fn error(&mut self, place: Place, message: impl Into<String>) -> Noted<'_> {
        self.note(Severity::Error, place, message.into())
    }

    /// Notes what is allowed but looks like a mistake.
    pub(crate) fn warning(&mut self, place: Place, message: impl Into<String>) -> Noted<'_> {
        self.note(Severity::Warning, place, message.into())
    }

    fn note(&mut self, severity: Severity, place: Place, message: String) -> Noted<'_> {
        if self.is_full() {
            self.cut();
            return Noted(None);
        }
        self.found.push(Fault {
            severity,
            place,
            message,
            help: None,
            other: None,
        });
        Noted(self.found.last_mut())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many were found so far.
    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    /// Has those that were noted since so many told at a place, if it is in a stronger file: that
    /// is where what is wrong came from.
    pub(crate) fn told_at(&mut self, place: Place, since: usize) {
        for fault in self.found.iter_mut().skip(since) {
            if !fault.place.knows(place) {
                let there = std::mem::replace(&mut fault.place, place);
                let said = "this does not go with what is taken over";
                fault.other = Some((there, said.to_owned()));
            }
        }
    }

    /// Whether as many were found as are kept.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= MAX_FOUND
    }

    /// Notes that not everything was looked at, since as many were found as are kept.
    pub(crate) fn cut(&mut self) {
        self.cut = true;
    }

    /// The faults in the order of the texts.
    pub(crate) fn shown(mut self, sources: &[Source]) -> Vec<Diagnostic> {
        self.found
            .sort_by_key(|fault| (fault.place, fault.severity));
        // what a profile takes over is found wrong in each that does
        self.found.dedup();
        let severity = self.found.iter().map(|fault| fault.severity).min();
        let last = self.found.last().map(|fault| fault.place);
        if let (Some(severity), Some(place), true) = (severity, last, self.cut) {
            self.found.push(Fault {
                severity,
                place,
                message: format!(
                    "not more than {MAX_FOUND} faults are told, and there may be more"
                ),
                help: Some("mend these first".to_owned()),
                other: None,
            });
        }
        let shown = self.found.into_iter().map(|fault| Diagnostic {
            severity: fault.severity,
            at: Excerpt::new(sources, fault.place),
            message: fault.message,
            help: fault.help,
            other: fault
                .other
                .map(|(place, what)| (Excerpt::new(sources, place), what)),
        });
        shown.collect()
    }
}

/// A fault that was just noted, to say more about.
pub(crate) struct Noted<'f>(Option<&'f mut Fault>);

impl Noted<'_> {
    /// What to do about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        if let Some(fault) = &mut self.0 {
            fault.help = Some(help.into());
        }
        self
    }

    /// Did the writer mean one of these?
    pub(crate) fn did_you_mean<'a>(
        self,
        wrong: &str,
        names: impl Iterator<Item = &'a str>,
    ) -> Self {
        match crate::suggest::nearest(wrong, names) {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }

    /// The other place of two that collide, and what is there.
    pub(crate) fn other(mut self, place: Place, what: impl Into<String>) -> Self {
        if let Some(fault) = &mut self.0 {
            fault.other = Some((place, what.into()));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::type_complexity)]
    use super::*;

    fn only(text: &str, start: u32, end: u32) -> Diagnostic {
        let sources = [Source::new("p.toml", text.to_owned())];
        let mut faults = Faults::default();
        let place = Place {
            file: 0,
            start,
            end,
        };
        let noted = faults.error(place, "bad").help("mend it");
        noted.other(Place { end: 1, ..place }, "this one");
        faults.shown(&sources).pop().unwrap()
    }

    #[test]
    fn a_fault_shows_file_line_column_and_a_caret_under_the_place() {
        let fault = only("a = 1\nname = \"x\"\n", 13, 16);
        assert_eq!(fault.to_string(), "p.toml:2:8: bad; mend it");
        assert_eq!(
            format!("{fault:#}"),
            "p.toml:2:8: bad; mend it\n 2 | name = \"x\"\n   |        ^^^\n\
             p.toml:2:8: this one\n 2 | name = \"x\"\n   |        ^"
        );
    }

    #[test]
    fn places_at_every_edge_are_shown() {
        let cases: [(&str, (u32, u32), (usize, usize), (usize, usize)); 7] = [
            ("", (0, 0), (1, 1), (0, 1)),
            ("abc", (3, 3), (1, 4), (3, 1)),
            ("abc\n", (4, 4), (2, 1), (0, 1)),
            ("äö = 1", (7, 8), (1, 6), (5, 1)),
            ("a\r\nb", (3, 4), (2, 1), (0, 1)),
            ("ab\ncd", (1, 5), (1, 2), (1, 1)),
            ("ab", (90, 99), (1, 3), (2, 1)),
        ];
        for (text, (start, end), place, mark) in cases {
            let at = only(text, start, end).at;
            assert_eq!(
                ((at.line, at.column), at.mark),
                (place, mark),
                "{text:?} {start}"
            );
        }
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}X{}", "a".repeat(5000), "b".repeat(5000));
        let at = only(&text, 5000, 5001).at;
        assert_eq!(at.column, 5001);
        assert!(at.text.chars().count() <= EXCERPT + 2);
        assert!(at.text.starts_with('…') && at.text.ends_with('…'));
        assert_eq!(at.text.chars().nth(at.mark.0), Some('X'));
        assert_eq!(at.mark.1, 1);
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        let sources = [Source::new("p\u{1b}[2J", "a\u{1b}\tb".to_owned())];
        let mut faults = Faults::default();
        let place = Place {
            file: 0,
            start: 0,
            end: 1,
        };
        faults.error(place, "say \u{7}").other(place, "\u{7}");
        let shown = format!("{:#}", faults.shown(&sources).pop().unwrap());
        assert!(
            !shown.replace('\n', "").contains(char::is_control),
            "{shown:?}"
        );
    }
}
