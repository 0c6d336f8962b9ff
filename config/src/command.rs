//! `command`: what runs in place of the shell.

use crate::diagnostic::Faults;
use crate::source::At;
use crate::tree::Node;
use crate::{entry, path, shape};

/// Longest word of a command, in bytes.
const MAX_WORD: usize = 1023;

/// Reads `command`: a program and its arguments.
pub(crate) fn read(node: &Node<'_>, faults: &mut Faults) -> Option<At<Vec<String>>> {
    let list = entry::short("words in `command`", node, faults)?;
    let mut words = Vec::with_capacity(list.value.len());
    for one in list.value {
        let text = shape::text(one, faults)?;
        if text.value.contains('\0') {
            faults.error(text.place, "a word of `command` has a NUL in it");
            return None;
        }
        if text.value.len() > MAX_WORD {
            let what = format!("a word of `command` is longer than {MAX_WORD} bytes");
            faults.error(text.place, what);
            return None;
        }
        if words.is_empty()
            && let Err(why) = path::plain(text.value)
        {
            let what = format!("the program of `command`: {why}");
            faults.error(text.place, what).help(
                "write the whole path of a program, and each argument as a string of its own",
            );
            return None;
        }
        words.push(text.value.to_owned());
    }
    if words.first().is_some_and(|program| program == "/") {
        faults.error(list.place, "`command` is a directory");
        return None;
    }
    Some(At {
        value: words,
        place: list.place,
    })
}
