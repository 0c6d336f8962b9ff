//! /etc/group, read for one user: group(5). The C library reads the whole file for the groups of
//! a user and once more for the name of each; on a host of many users this is most of what a
//! rule about groups costs a login.

use std::collections::HashMap;

/// Ids of the groups that list this user as a member, in the order of the file, each once.
/// None: the user stands in a line that could be read in more than one way, or has a name that
/// could, so the C library has to say.
#[must_use]
pub fn member_of(text: &str, user: &str) -> Option<Vec<u32>> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ',' | ':' | '#');
    if user.is_empty() || user.contains(odd) || text.contains('\0') {
        return None;
    }
    let mut ids = Vec::new();
    let mut from = 0;
    // From one line with the name in it to the next, rather than line by line.
    while let Some(at) = text.get(from..)?.find(user) {
        let at = from + at;
        let start = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
        let rest = text.get(at..)?;
        let end = rest.find('\n').map_or(text.len(), |length| at + length);
        from = end;
        let line = text.get(start..end)?;
        if line.starts_with('#') {
            continue;
        }
        let (_, id, members) = group_line(line).filter(|(_, _, members)| is_plain(members))?;
        let mut is_member = false;
        for member in members.split(',') {
            if member == user {
                is_member = true;
            } else if member.len() > user.len() && member.trim() == user {
                return None;
            }
        }
        if is_member && !ids.contains(&id) {
            ids.push(id);
        }
    }
    Some(ids)
}

/// Fills in the names of group ids, one pass for all of them. Of two lines with one id the first
/// counts, as it does in getgrgid(3); so from a line on that is written in any unusual way the
/// rest is left open.
pub fn names(text: &str, ids: &[u32], names: &mut [Option<String>]) {
    let mut wanted: HashMap<u32, Vec<usize>> = HashMap::new();
    for (at, id) in ids.iter().enumerate() {
        wanted.entry(*id).or_default().push(at);
    }
    let mut rest = text;
    while !wanted.is_empty() && !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = after;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, id, members)) = group_line(line) else {
            return;
        };
        let Some(places) = wanted.get(&id) else {
            continue;
        };
        if !is_plain(members) {
            return;
        }
        for at in places {
            if let Some(place) = names.get_mut(*at) {
                *place = Some(name.to_owned());
            }
        }
        wanted.remove(&id);
    }
}

/// Name, id and members of a line that group(5) describes and that can be read in one way only,
/// but for its members.
fn group_line(line: &str) -> Option<(&str, u32, &str)> {
    let mut bytes = line.bytes().enumerate();
    let name = bytes.by_ref().find_map(|(at, byte)| match byte {
        b':' => Some(Some(at)),
        0..=b' ' | 0x7f => Some(None),
        _ => None,
    })??;
    bytes.by_ref().find(|(_, byte)| *byte == b':')?;
    let (mut id, mut is_number) = (0u32, false);
    for (at, byte) in bytes {
        if byte == b':' {
            let name = line.get(..name)?;
            let odd = name.is_empty() || name.starts_with(['+', '-']) || !is_number;
            return (!odd).then_some((name, id, line.get(at + 1..)?));
        }
        let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
        id = id.checked_mul(10)?.checked_add(digit)?;
        is_number = true;
    }
    None
}

/// Whether members are in a list that nothing else can end.
fn is_plain(members: &str) -> bool {
    !members.contains(':') && !members.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str, ids: &[u32]) -> Vec<Option<String>> {
        let mut found = vec![None; ids.len()];
        names(text, ids, &mut found);
        found
    }

    #[test]
    fn the_first_line_of_a_group_id_names_it_and_an_odd_line_ends_the_reading() {
        let some = |name: &str| Some(name.to_owned());
        let text = "root:x:0:\n# c\n\nstaff:x:50:a,b\nother:x:50:\n";
        assert_eq!(
            named(text, &[50, 0, 51, 50]),
            [some("staff"), some("root"), None, some("staff")]
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
            "a:x:9:\0",
        ];
        for odd in odd {
            let text = format!("root:x:0:\n{odd}\nstaff:x:9:\n");
            assert_eq!(named(&text, &[0, 9]), [some("root"), None], "{odd:?}");
        }
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
            ("#staff:x:50:alice\n", Some(&[])),
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
            assert_eq!(member_of(text, "alice").as_deref(), *want, "{text:?}");
        }
        for user in ["", "a,b", "a b", "a:b", "\n", "a\n", "#a"] {
            assert_eq!(member_of("staff:x:50:a,b\n\n", user), None, "{user:?}");
        }
    }
}
