//! A short text without memory of its own: a policy of ten thousand rules has several times as
//! many names, and asking for memory for each of them takes longer than reading them.

use std::fmt;
use std::ops::Deref;

const INLINE: usize = 22;

/// A text that does not change.
#[derive(Clone)]
pub(crate) struct Word(Repr);

#[derive(Clone)]
enum Repr {
    /// the first so many bytes, which are a text: nothing else is ever put here
    Short(u8, [u8; INLINE]),
    Long(Box<str>),
}

impl From<&str> for Word {
    fn from(text: &str) -> Word {
        let mut bytes = [0; INLINE];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(start), Ok(length)) => {
                start.copy_from_slice(text.as_bytes());
                Word(Repr::Short(length, bytes))
            }
            _ => Word(Repr::Long(text.into())),
        }
    }
}

impl Word {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Short(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or(&[]),
            Repr::Long(text) => text.as_bytes(),
        }
    }
}

impl Deref for Word {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Repr::Short(..) => std::str::from_utf8(self.as_bytes()).unwrap_or(""),
            Repr::Long(text) => text,
        }
    }
}

impl AsRef<str> for Word {
    fn as_ref(&self) -> &str {
        self
    }
}

impl PartialEq for Word {
    fn eq(&self, other: &Word) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Word {}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_text_that_it_was_made_of_at_every_length() {
        for length in 0..60 {
            for letter in ["a", "é", "\u{10ffff}"] {
                let text = letter.repeat(length);
                let word = Word::from(text.as_str());
                assert_eq!((&*word, word.as_bytes()), (text.as_str(), text.as_bytes()));
                assert_eq!(word, word.clone());
                assert_ne!(word, Word::from(format!("{text}x").as_str()));
            }
        }
        assert_eq!(size_of::<Word>(), 24);
    }
}
