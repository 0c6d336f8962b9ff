//! The texts of a policy, and places in them.

use std::sync::OnceLock;

/// Bytes `start` to `end` of one text. The number of the text tells which one is stronger:
/// the smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) file: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Place {
    /// Whether whoever wrote this could know what is written there: nobody can know what a
    /// stronger file says.
    pub(crate) fn knows(self, there: Place) -> bool {
        self.file <= there.file
    }
}

/// A value and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

/// A text of the policy with the name that it is known by.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
    /// a line number was wanted: most logins want one only, of which counting is quicker
    asked: OnceLock<()>,
    /// byte offset of the start of each line, for the second line number and all after it
    starts: OnceLock<Vec<u32>>,
}

impl Source {
    pub(crate) fn new(name: &str, text: String) -> Source {
        Source {
            name: name.to_owned(),
            text,
            asked: OnceLock::new(),
            starts: OnceLock::new(),
        }
    }

    /// The line of a byte offset, from 1.
    pub(crate) fn line(&self, offset: u32) -> usize {
        if self.asked.set(()).is_ok() {
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            let before = self.text.as_bytes().get(..offset);
            let before = before.unwrap_or(self.text.as_bytes());
            return before.iter().filter(|byte| **byte == b'\n').count() + 1;
        }
        self.starts().partition_point(|start| *start <= offset)
    }

    fn starts(&self) -> &[u32] {
        self.starts.get_or_init(|| {
            let ends = self.text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
            // a text has at most MAX_FILE_SIZE bytes
            let after = ends.map(|(at, _)| u32::try_from(at + 1).unwrap_or(u32::MAX));
            std::iter::once(0).chain(after).collect()
        })
    }

    /// Line from 1, byte offset of its start, and the line without its end.
    pub(crate) fn line_at(&self, offset: u32) -> (usize, usize, &str) {
        let line = self.line(offset);
        let start = self.starts().get(line.saturating_sub(1)).copied();
        let start = usize::try_from(start.unwrap_or(0)).unwrap_or(0);
        let text = self.text.get(start..).unwrap_or("");
        (line, start, text.lines().next().unwrap_or(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_number_is_the_same_the_first_time_and_ever_after() {
        for text in ["", "a", "\n", "a\nb", "\n\n\n", "ab\r\nc\n"] {
            for offset in 0..10 {
                let source = Source::new("p", text.to_owned());
                let first = source.line(offset);
                assert_eq!(first, source.line(offset), "{text:?} {offset}");
            }
        }
    }
}
