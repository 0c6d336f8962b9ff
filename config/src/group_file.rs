//! /etc/group, read for one user: group(5). The C library reads the whole file for the groups of
//! a user and once more for the name of each; on a host of many users this is most of what a
//! rule about groups costs a login.

use std::collections::HashMap;

/// What /etc/group says about one user, and what its groups are called.
pub struct Groups<'t> {
    text: &'t str,
    /// all lines up to the first one that can be read in more than one way
    lines: Vec<Line>,
    member_of: Option<Vec<u32>>,
}

/// The line of a group.
struct Line {
    id: u32,
    /// where it begins in the text, in bytes
    start: u32,
}

impl<'t> Groups<'t> {
    /// Reads the text of the file, once for all questions.
    // In a caller that is compiled for its size it would be as slow as that.
    #[inline(never)]
    #[must_use]
    pub fn read(text: &'t str, user: &str) -> Groups<'t> {
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ',' | ':' | '#');
        let plain_user = !user.is_empty() && !user.contains(odd);
        let mut member_of = plain_user.then(Vec::new);
        let mut lines = Vec::new();
        if text.contains('\0') {
            // the C library's lines end there
            let member_of = None;
            return Groups {
                text,
                lines,
                member_of,
            };
        }
        let mut all_plain = true;
        let mut start = 0;
        while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
            let head = Head::of(rest);
            // a group has its members after the head, whatever that means in an odd line
            let tail_at = head.as_ref().map_or(0, |head| head.length);
            let tail = rest.get(tail_at..).unwrap_or("");
            let tail = tail.split_once('\n').map_or(tail, |(tail, _)| tail);
            let line = (u32::try_from(start), head);
            start += tail_at + tail.len() + 1;
            match line {
                (_, None) if tail.is_empty() => {}
                // No group by its id; but the C library's lookup of a user's groups does not skip
                // comments.
                (_, None) if tail.starts_with('#') => {
                    if tail.contains(user) {
                        member_of = None;
                    }
                }
                (Ok(start), Some(head)) if !tail.as_bytes().contains(&b':') => {
                    let id = head.id;
                    if all_plain {
                        lines.push(Line { id, start });
                    }
                    match is_member(tail, user) {
                        Some(true) => add(id, &mut member_of),
                        Some(false) => {}
                        None => member_of = None,
                    }
                }
                _ => {
                    all_plain = false;
                    if tail.contains(user) {
                        member_of = None;
                    }
                }
            }
        }
        Groups {
            text,
            lines,
            member_of,
        }
    }

    /// Ids of the groups that list the user as a member, in the order of the file, each once.
    /// None: the user stands in a line that could be read in more than one way, or has a name
    /// that could, so the C library has to say.
    #[must_use]
    pub fn member_of(&self) -> Option<&[u32]> {
        self.member_of.as_deref()
    }

    /// The names of groups, in the order of their ids. Of two lines with one id the first
    /// counts, as it does in getgrgid(3); so what comes after a line that is written in any
    /// unusual way is left open.
    #[must_use]
    pub fn names(&self, ids: &[u32]) -> Vec<Option<&'t str>> {
        let mut starts: HashMap<u32, Option<u32>> = ids.iter().map(|id| (*id, None)).collect();
        // Nearly all lines are about other groups, which this tells quicker than a hash.
        let mut near = [false; 4096];
        let slot = |id: u32| usize::try_from(id % 4096).unwrap_or(0);
        for id in ids {
            if let Some(near) = near.get_mut(slot(*id)) {
                *near = true;
            }
        }
        for line in &self.lines {
            if near.get(slot(line.id)) == Some(&true)
                && let Some(start) = starts.get_mut(&line.id)
            {
                start.get_or_insert(line.start);
            }
        }
        let name = |id: &u32| {
            let start = starts.get(id).copied().flatten()?;
            let line = self.text.get(usize::try_from(start).ok()?..)?;
            line.split_once(':').map(|(name, _)| name)
        };
        ids.iter().map(name).collect()
    }
}

fn add(id: u32, ids: &mut Option<Vec<u32>>) {
    if let Some(ids) = ids
        && !ids.contains(&id)
    {
        ids.push(id);
    }
}

/// What stands before the members of a group.
struct Head {
    id: u32,
    /// in bytes, with the last colon
    length: usize,
}

impl Head {
    /// The beginning of a line that group(5) describes and that can be read in one way only.
    fn of(line: &str) -> Option<Head> {
        let line = line.as_bytes();
        let ends_name = |byte: &u8| matches!(*byte, 0..=b' ' | b':' | 0x7f);
        let name = line.iter().position(ends_name)?;
        if line.get(name) != Some(&b':') || matches!(line.first(), Some(b':' | b'+' | b'-' | b'#'))
        {
            return None;
        }
        let password = line.get(name + 1..)?;
        let ends_password = |byte: &u8| matches!(*byte, b'\n' | b':');
        let length = password.iter().position(ends_password)?;
        let digits_at = name + 1 + length + 1;
        if password.get(length) != Some(&b':') {
            return None;
        }
        let mut id = 0u32;
        for (at, byte) in (digits_at..).zip(line.get(digits_at..)?) {
            match byte {
                b':' if at > digits_at => {
                    let length = at + 1;
                    return Some(Head { id, length });
                }
                b'0'..=b'9' => id = id.checked_mul(10)?.checked_add(u32::from(byte - b'0'))?,
                _ => return None,
            }
        }
        None
    }
}

/// Whether a list has the user in it. None: as an entry that could be read in more than one way.
fn is_member(members: &str, user: &str) -> Option<bool> {
    if !members.contains(user) {
        return Some(false);
    }
    let mut odd = false;
    for (at, _) in members.match_indices(user) {
        let start = members.get(..at)?.rfind(',').map_or(0, |comma| comma + 1);
        let rest = members.get(start..)?;
        let member = rest.split_once(',').map_or(rest, |(member, _)| member);
        if member == user {
            return Some(true);
        }
        odd |= member.trim() == user;
    }
    (!odd).then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named<'t>(text: &'t str, ids: &[u32]) -> Vec<Option<&'t str>> {
        Groups::read(text, "alice").names(ids)
    }

    #[test]
    fn the_first_line_of_a_group_id_names_it_and_an_odd_line_ends_the_reading() {
        let text = "root:x:0:\n# c\n\nstaff:x:50:a,b\nother:x:50:\n";
        assert_eq!(
            named(text, &[50, 0, 51, 50]),
            [Some("staff"), Some("root"), None, Some("staff")]
        );
        let odd = [
            "+",
            "-x:x:9:",
            " a:x:9:",
            "a:x: 9:",
            "a:x:+9:",
            "a:x:9",
            "a:x:9:b:c",
            ":x:9:",
            "a:x::",
            "a:x:4294967296:",
            "a b:x:9:",
        ];
        for odd in odd {
            let text = format!("root:x:0:\n{odd}\nstaff:x:9:\n");
            assert_eq!(named(&text, &[0, 9]), [Some("root"), None], "{odd:?}");
        }
        let nul = "root:x:0:\na:x:9:\0\nstaff:x:8:\n";
        assert_eq!(named(nul, &[0, 9, 8]), [None, None, None]);
    }

    #[test]
    fn a_member_stands_in_a_list_by_the_whole_name_and_nowhere_else() {
        let cases: &[(&str, Option<&[u32]>)] = &[
            ("", Some(&[])),
            ("staff:x:50:alice", Some(&[50])),
            (
                "staff:x:50:bob,alice\nwheel:x:5:alice,bob\n",
                Some(&[50, 5]),
            ),
            ("staff:x:50:alice,alice\nalso:x:50:alice\n", Some(&[50])),
            // a part of another name, or the group's own name or password
            (
                "staff:x:50:malice,alice2,alic\nalice:x:1000:\nx:alice:1:\n",
                Some(&[]),
            ),
            ("#staff:x:50:bob\n# a comment\n", Some(&[])),
            ("#staff:x:50:alice\nstaff:x:50:\n", None),
            ("alice:x:1000:bob\nstaff:x:50:alice\n", Some(&[50])),
            // odd lines of others do not count, those of the user are for the C library
            ("+\n:::\nstaff:x:50:alice\n", Some(&[50])),
            ("staff:x:50:bob, alice\n", None),
            ("staff:x:50:alice\r\n", None),
            (" staff:x:50:alice\n", None),
            ("+alice:::\n", None),
            ("staff:x:5x:alice\n", None),
            ("staff:x:50:alice\nodd:x:9:\0\n", None),
        ];
        for (text, want) in cases {
            assert_eq!(Groups::read(text, "alice").member_of(), *want, "{text:?}");
        }
        for user in ["", "a,b", "a b", "a:b", "\n", "a\n", "#a"] {
            let groups = Groups::read("staff:x:50:a,b\n\n", user);
            assert_eq!(groups.member_of(), None, "{user:?}");
        }
    }
}
