//! Subordinate ids as the host lists them: subuid(5), subgid(5), getsubids(1).

use std::collections::HashMap;

use crate::host::{Range, RangeFault};
use crate::{Account, Error};

/// The account's ranges in the text of /etc/subuid or /etc/subgid, in the order of the file:
/// lines `NAME:START:COUNT` or `UID:START:COUNT` (both files name the user, also for groups).
/// Lines of other users are not looked at: a mistake there refuses nobody else.
///
/// # Errors
/// A line of this account that is malformed or must not be mapped. The error has the line;
/// [`resolve`](crate::resolve) adds the file.
pub fn parse_subid(text: &str, account: &Account) -> Result<Vec<Range>, Error> {
    let uid = account.uid.to_string();
    let is_own = |line: &str, owner: &str| {
        line.strip_prefix(owner)
            .is_some_and(|rest| rest.starts_with(':'))
            && is_owner(owner)
    };
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| is_own(line, &account.name) || is_own(line, &uid))
        .map(|(at, line)| line_range(at, line))
        .collect()
}

/// Line `at`, from 0, of /etc/subuid or /etc/subgid.
pub(crate) fn line_range(at: usize, line: &str) -> Result<Range, Error> {
    let fault = |fault| Error::BadRange {
        source: None,
        line: Some(at + 1),
        range: line.to_owned(),
        fault,
    };
    let fields = line
        .split_once(':')
        .and_then(|(_, rest)| rest.split_once(':'));
    let (start, count) =
        fields.ok_or_else(|| fault(RangeFault::Malformed("it is not NAME:START:COUNT")))?;
    range(start, count).map_err(fault)
}

/// /etc/subuid or /etc/subgid with its lines in the order of their owners, for somebody who
/// asks for many accounts.
#[derive(Debug, Default)]
pub struct SubidFile {
    text: String,
    /// owner → number and bytes of each line
    lines: HashMap<String, Vec<(usize, std::ops::Range<usize>)>>,
}

impl SubidFile {
    /// Sorts the lines of a text.
    #[must_use]
    pub fn new(text: String) -> SubidFile {
        let mut lines: HashMap<String, Vec<_>> = HashMap::new();
        let mut start = 0;
        for (at, line) in text.split_inclusive('\n').enumerate() {
            // what `lines` takes for the end of a line, and no more
            let plain = line.strip_suffix('\n').unwrap_or(line);
            let plain = match plain.len() == line.len() {
                true => plain,
                false => plain.strip_suffix('\r').unwrap_or(plain),
            };
            let bytes = start..start + plain.len();
            start += line.len();
            if let Some((owner, _)) = line.split_once(':').filter(|(owner, _)| is_owner(owner)) {
                lines.entry(owner.to_owned()).or_default().push((at, bytes));
            }
        }
        SubidFile { text, lines }
    }

    /// What [`parse_subid`] gives for the text.
    ///
    /// # Errors
    /// Those of [`parse_subid`].
    pub fn of(&self, account: &Account) -> Result<Vec<Range>, Error> {
        let uid = account.uid.to_string();
        let mut owners = vec![account.name.as_str()];
        if uid != account.name {
            owners.push(&uid);
        }
        let lines = owners.iter().filter_map(|owner| self.lines.get(*owner));
        let mut lines: Vec<_> = lines.flatten().collect();
        lines.sort_by_key(|(at, _)| *at);
        let read = |(at, bytes): &(usize, std::ops::Range<usize>)| {
            line_range(*at, self.text.get(bytes.clone()).unwrap_or(""))
        };
        lines.into_iter().map(read).collect()
    }
}

/// The account's ranges in what `getsubids NAME` or `getsubids -g NAME` prints: lines
/// `0: alice 100000 65536`. The program asks the name service (nsswitch.conf(5)) for this one
/// user, so a line of anybody else means that something is wrong.
///
/// # Errors
/// A line that is malformed, of another user, or must not be mapped.
pub fn parse_getsubids(output: &str, account: &Account) -> Result<Vec<Range>, Error> {
    let mut ranges = Vec::new();
    for (at, line) in output.lines().enumerate() {
        let fault = |fault| Error::BadRange {
            source: Some("getsubids".to_owned()),
            line: Some(at + 1),
            range: line.to_owned(),
            fault,
        };
        // from the right: a name from a directory service may have blanks in it
        let mut fields = line.rsplitn(3, ' ');
        let (count, start, head) = (fields.next(), fields.next(), fields.next());
        let (Some(count), Some(start), Some((number, owner))) =
            (count, start, head.and_then(|head| head.split_once(": ")))
        else {
            return Err(fault(RangeFault::Malformed(
                "it is not `NUMBER: NAME START COUNT`",
            )));
        };
        if number.parse::<u32>().is_err() || !is_of(owner, account) {
            return Err(fault(RangeFault::Malformed(
                "it is not about the user who was asked for",
            )));
        }
        ranges.push(range(start, count).map_err(fault)?);
    }
    Ok(ranges)
}

/// Whether the text of /etc/nsswitch.conf has a `subid:` line: then the ranges come from the
/// name service and `getsubids` has to be asked instead of the files.
#[must_use]
pub fn nsswitch_has_subid(text: &str) -> bool {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .any(|(database, _)| database.trim().eq_ignore_ascii_case("subid"))
}

/// Whether this can be the first field of a line.
fn is_owner(name: &str) -> bool {
    !name.is_empty() && !name.contains(':')
}

/// Whether the owner field of a line names this account, by name or by uid.
fn is_of(owner: &str, account: &Account) -> bool {
    !owner.is_empty() && (owner == account.name || owner == account.uid.to_string())
}

fn range(start: &str, count: &str) -> Result<Range, RangeFault> {
    let range = Range {
        start: number(start)?,
        count: number(count)?,
    };
    range.check()?;
    Ok(range)
}

/// A number as both we and newuidmap read it: shadow takes a leading 0 for octal, so such a
/// number would mean two different ids.
fn number(text: &str) -> Result<u32, RangeFault> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(RangeFault::Malformed("start and count are decimal numbers"));
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err(RangeFault::Malformed("a number must not begin with 0"));
    }
    text.parse().map_err(|_| RangeFault::TooLong)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn alice() -> Account {
        Account {
            name: "alice".to_owned(),
            uid: 1000,
            gid: 1000,
            home: "/home/alice".into(),
            shell: "/bin/sh".into(),
        }
    }

    fn pairs(ranges: Result<Vec<Range>, Error>) -> Vec<(u32, u32)> {
        ranges
            .unwrap()
            .iter()
            .map(|range| (range.start, range.count))
            .collect()
    }

    /// found by the fuzzer
    #[test]
    fn a_sorted_file_gives_what_the_text_gives_to_the_last_byte() {
        for text in [
            "alice:100000:65536\r",
            "alice:100000:65536\r\r\n",
            "alice:100000:65536\r\nalice:1:2",
            "1000:208:\0\r",
            "a:b:1:2\n:1:2\n",
        ] {
            for name in ["alice", "a:b", "", "1000", "a"] {
                let account = Account {
                    name: name.to_owned(),
                    ..alice()
                };
                let sorted = SubidFile::new(text.to_owned()).of(&account);
                let plain = parse_subid(text, &account);
                assert_eq!(
                    format!("{sorted:?}"),
                    format!("{plain:?}"),
                    "{name:?} {text:?}"
                );
            }
        }
    }

    #[test]
    fn the_lines_of_the_user_are_found_by_name_and_by_uid_in_order() {
        let cases: &[(&str, &[(u32, u32)])] = &[
            ("", &[]),
            ("alice:100000:65536\n", &[(100_000, 65536)]),
            ("alice:100000:65536", &[(100_000, 65536)]),
            ("1000:300:4\nbob:1:2\nalice:100:2\n", &[(300, 4), (100, 2)]),
            ("alice:100:2\n1000:100:2\n", &[(100, 2), (100, 2)]),
            ("alice:1:4294967294\n", &[(1, 4_294_967_294)]),
            ("alice:4294967294:1\n", &[(4_294_967_294, 1)]),
            // others' lines, whatever is in them
            (
                "bob:0:65536\nbob\n:::\nbob:x:y\n#alice:5:5\n\n10000:1:1\nalice2:7:7\nALICE:8:8\n",
                &[],
            ),
        ];
        for (text, want) in cases {
            assert_eq!(pairs(parse_subid(text, &alice())), *want, "{text:?}");
            let sorted = SubidFile::new((*text).to_owned());
            assert_eq!(pairs(sorted.of(&alice())), *want, "{text:?}");
        }
    }

    #[test]
    fn a_bad_line_of_the_user_is_an_error_with_its_line() {
        let decimal = RangeFault::Malformed("start and count are decimal numbers");
        let cases = [
            ("alice:0:65536", RangeFault::Root),
            ("1000:0:1", RangeFault::Root),
            ("alice:100:0", RangeFault::Empty),
            ("alice:4294967295:1", RangeFault::NoId),
            ("alice:100000:4294967295", RangeFault::TooLong),
            ("alice:100000:4294967296", RangeFault::TooLong),
            ("alice:99999999999999999999:1", RangeFault::TooLong),
            (
                "alice:100",
                RangeFault::Malformed("it is not NAME:START:COUNT"),
            ),
            ("alice:100:5:6", decimal),
            ("alice::", decimal),
            ("alice:-1:5", decimal),
            ("alice:+1:5", decimal),
            ("alice: 1:5", decimal),
            ("alice:1:5 ", decimal),
            ("alice:0x10:5", decimal),
            (
                "alice:0100:5",
                RangeFault::Malformed("a number must not begin with 0"),
            ),
        ];
        for (line, fault) in cases {
            let text = format!("bob:1:1\nalice:200:5\n{line}\n");
            let range = line.to_owned();
            let want = Error::BadRange {
                source: None,
                line: Some(3),
                range,
                fault,
            };
            assert_eq!(parse_subid(&text, &alice()), Err(want.clone()), "{line:?}");
            assert_eq!(SubidFile::new(text).of(&alice()), Err(want), "{line:?}");
        }
    }

    #[test]
    fn what_getsubids_prints_is_read() {
        let two = "0: alice 100000 65536\n1: alice 300000 10\n";
        assert_eq!(
            pairs(parse_getsubids(two, &alice())),
            [(100_000, 65536), (300_000, 10)]
        );
        assert_eq!(pairs(parse_getsubids("", &alice())), []);
        assert_eq!(pairs(parse_getsubids("0: 1000 7 8", &alice())), [(7, 8)]);
        let spaced = Account {
            name: "DOM\\al ice".to_owned(),
            ..alice()
        };
        assert_eq!(
            pairs(parse_getsubids("0: DOM\\al ice 7 8\n", &spaced)),
            [(7, 8)]
        );
        let bad = [
            "0: bob 100000 65536",
            "alice 100000 65536",
            "x: alice 1 2",
            "0: alice 1",
            "0: alice 0 65536",
            "0: alice 1 -2",
            "0: alice 18446744073709551615 1",
            "\n",
            "Error fetching ranges",
        ];
        for output in bad {
            let got = parse_getsubids(&format!("{}\n{output}", two.trim_end()), &alice());
            assert!(
                matches!(got, Err(Error::BadRange { ref source, line: Some(3), .. }) if source.as_deref() == Some("getsubids")),
                "{output:?}: {got:?}"
            );
        }
    }

    #[test]
    fn a_subid_line_of_nsswitch_is_seen() {
        let cases = [
            ("passwd: files\nsubid: sss\n", true),
            ("subid:sss", true),
            ("  subid:\tsss", true),
            ("SUBID: sss", true),
            ("subid :sss", true),
            ("passwd: files subid\n", false),
            ("#subid: sss\n", false),
            ("# subid: sss\n", false),
            ("subids: sss\n", false),
            ("", false),
        ];
        for (text, want) in cases {
            assert_eq!(nsswitch_has_subid(text), want, "{text:?}");
        }
    }
}
