//! Lines that cannot be read: where, what, and the line with a caret.

use std::fmt;

use nsshell_config::printable;

/// How many characters of a line are shown.
const SHOWN: usize = 100;

/// One line that cannot be read. `Display` is `FILE:LINE:COLUMN: MESSAGE; HELP`, and `{:#}`
/// adds the line with a caret under the place, as a policy's faults are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    file: Box<str>,
    /// from 1
    pub(crate) line: usize,
    /// character in the line, from 1
    pub(crate) column: usize,
    pub(crate) message: String,
    help: Option<String>,
    shown: Box<str>,
    /// first character of `shown` that is marked, from 0, and how many are
    mark: (usize, usize),
}

/// A line of a file, for its faults.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'t> {
    pub(crate) file: &'t str,
    /// from 1
    pub(crate) number: usize,
    pub(crate) text: &'t [u8],
}

impl Line<'_> {
    /// A fault at these bytes of the line.
    pub(crate) fn fault(self, bytes: (usize, usize), message: impl Into<String>) -> Fault {
        let chars = |to: usize| {
            let before = self.text.get(..to).unwrap_or(self.text);
            String::from_utf8_lossy(before).chars().count()
        };
        let (from, to) = (chars(bytes.0), chars(bytes.1));
        // a line of enormous length is shown from a little before the fault
        let first = if from + 20 < SHOWN { 0 } else { from - 40 };
        let text = String::from_utf8_lossy(self.text);
        let shown: String = text
            .trim_end()
            .chars()
            .skip(first)
            .take(SHOWN)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let room = (shown.chars().count() + first).saturating_sub(from);
        Fault {
            file: self.file.into(),
            line: self.number,
            column: from + 1,
            message: message.into(),
            help: None,
            shown: shown.into(),
            mark: (from - first, to.saturating_sub(from).min(room).max(1)),
        }
    }
}

impl Fault {
    /// What to do about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Fault {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = (self.line, self.column);
        let (file, message) = (printable(&self.file), printable(&self.message));
        write!(f, "{file}:{line}:{column}: {message}")?;
        if let Some(help) = &self.help {
            write!(f, "; {}", printable(help))?;
        }
        if f.alternate() {
            let number = line.to_string();
            let (skip, marked) = self.mark;
            write!(f, "\n {number} | {}", self.shown)?;
            write!(f, "\n {:1$} | {2:3$}", "", number.len(), "", skip)?;
            write!(f, "{:^<1$}", "", marked)?;
        }
        Ok(())
    }
}
