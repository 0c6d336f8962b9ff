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
    /// how many lines end before each block of so many bytes: to count them is quicker than to
    /// note where each begins, and mostly few line numbers are wanted
    ends_before: OnceLock<Vec<usize>>,
}

const BLOCK: usize = 4096;

fn line_ends(bytes: &[u8]) -> usize {
    // So few at once that a byte can hold their number: the processor then counts many at a time.
    let counts = bytes.chunks(128).map(|few| {
        let ends = few.iter().map(|byte| u8::from(*byte == b'\n'));
        usize::from(ends.sum::<u8>())
    });
    counts.sum()
}

impl Source {
    pub(crate) fn new(name: &str, text: String) -> Source {
        Source {
            name: name.to_owned(),
            text,
            ends_before: OnceLock::new(),
        }
    }

    /// The line of a byte offset, from 1.
    pub(crate) fn line(&self, offset: u32) -> usize {
        let (bytes, offset) = (self.text.as_bytes(), as_index(offset));
        let ends_before = self.ends_before.get_or_init(|| {
            let blocks = bytes.chunks(BLOCK).map(line_ends);
            let counts = blocks.scan(0, |sum, count| {
                *sum += count;
                Some(*sum)
            });
            std::iter::once(0).chain(counts).collect()
        });
        let block = offset.min(bytes.len()) / BLOCK;
        let before = ends_before.get(block).copied().unwrap_or(0);
        let rest = bytes.get(block * BLOCK..).unwrap_or(&[]);
        let rest = rest.get(..offset - block * BLOCK).unwrap_or(rest);
        before + line_ends(rest) + 1
    }

    /// Line from 1, byte offset of its start, and the line without its end.
    pub(crate) fn line_at(&self, offset: u32) -> (usize, usize, &str) {
        let line = self.line(offset);
        let bytes = self.text.as_bytes();
        let before = bytes.get(..as_index(offset)).unwrap_or(bytes);
        let end = before.iter().rposition(|byte| *byte == b'\n');
        let start = end.map_or(0, |end| end + 1);
        let text = self.text.get(start..).unwrap_or("");
        (line, start, text.lines().next().unwrap_or(""))
    }
}

fn as_index(offset: u32) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_an_offset_is_one_more_than_the_ends_of_lines_before_it() {
        let long = "some words\n".repeat(2000);
        let block = "\n".repeat(BLOCK);
        for text in ["", "a", "\n", "a\nb", "\n\n\n", "ab\r\nc\n", &long, &block] {
            let source = Source::new("p", text.to_owned());
            let mut line = 1;
            for at in 0..text.len() + 3 {
                let offset = u32::try_from(at).unwrap_or(0);
                assert_eq!(source.line(offset), line, "{text:?} {at}");
                line += usize::from(text.as_bytes().get(at) == Some(&b'\n'));
            }
        }
    }

    #[test]
    fn a_line_is_given_with_its_start() {
        let source = Source::new("p", "ab\r\n\ncd".to_owned());
        let at = |offset| source.line_at(offset);
        assert_eq!([at(0), at(1)], [(1, 0, "ab"); 2]);
        assert_eq!(
            [at(4), at(5), at(7)],
            [(2, 4, ""), (3, 5, "cd"), (3, 5, "cd")]
        );
    }
}
