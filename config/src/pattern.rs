//! What the lists of a rule are made of: names, globs, groups, ids, networks, each perhaps
//! negated.

use crate::network::Network;
use crate::source::Place;
use crate::word::Word;

/// A list of a rule. It matches what one of its positive entries matches and no negative one;
/// a list of negative entries only matches everything else.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct List<T> {
    pub(crate) items: Box<[Item<T>]>,
}

/// One entry of a list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item<T> {
    /// written with `!`
    pub(crate) negated: bool,
    pub(crate) what: T,
    pub(crate) place: Place,
}

/// How a list takes a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    In,
    /// no positive entry matches
    NotListed,
    /// the negative entry with this number matches
    Excluded(usize),
}

impl<T> List<T> {
    pub(crate) fn positives(&self) -> impl Iterator<Item = &Item<T>> {
        self.items.iter().filter(|item| !item.negated)
    }

    pub(crate) fn negatives(&self) -> impl Iterator<Item = &Item<T>> {
        self.items.iter().filter(|item| item.negated)
    }

    /// Asks each entry, by its own word.
    pub(crate) fn verdict(&self, matches: impl Fn(&T) -> bool) -> Verdict {
        let excluded = self
            .items
            .iter()
            .position(|i| i.negated && matches(&i.what));
        if let Some(at) = excluded {
            return Verdict::Excluded(at);
        }
        let mut positives = self.positives().peekable();
        match positives.peek().is_none() || positives.any(|item| matches(&item.what)) {
            true => Verdict::In,
            false => Verdict::NotListed,
        }
    }
}

/// A name, or a glob with `*` (any characters, none as well) and `?` (one character).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Name {
    Literal(Word),
    Glob(Word),
}

impl Name {
    pub(crate) fn new(text: &str) -> Name {
        match text.bytes().any(|byte| matches!(byte, b'*' | b'?')) {
            true => Name::Glob(text.into()),
            false => Name::Literal(text.into()),
        }
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Name::Literal(name) => name.as_bytes() == text.as_bytes(),
            Name::Glob(glob) => glob_matches(glob, text),
        }
    }

    /// Whether everything that the other one matches is matched by this one: never wrongly
    /// true, but false for some pairs of globs.
    pub(crate) fn covers(&self, other: &Name) -> bool {
        match (self, other) {
            (_, Name::Literal(name)) => self.matches(name),
            (Name::Literal(_), Name::Glob(_)) => false,
            (Name::Glob(glob), Name::Glob(other)) => glob == other || **glob == *"*",
        }
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Name::Literal(text) | Name::Glob(text) => text,
        }
    }
}

/// Takes time in proportion to the product of both lengths at most: a star that has to take
/// one more character never makes an earlier one try again.
fn glob_matches(glob: &str, text: &str) -> bool {
    let (mut glob, mut text) = (glob.chars(), text.chars());
    let mut again: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let ahead = glob.clone().next();
        if ahead == Some('*') {
            glob.next();
            again = Some((glob.clone(), text.clone()));
            continue;
        }
        match (ahead, text.clone().next()) {
            (None, None) => return true,
            (Some(want), Some(is)) if want == '?' || want == is => {
                glob.next();
                text.next();
                continue;
            }
            _ => {}
        }
        // the last star takes one character more
        let Some((after, taken)) = &mut again else {
            return false;
        };
        if taken.next().is_none() {
            return false;
        }
        glob = after.clone();
        text = taken.clone();
    }
}

/// One entry of `users`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Who {
    User(Name),
    Group(Name),
}

impl Who {
    pub(crate) fn covers(&self, other: &Who) -> bool {
        match (self, other) {
            (Who::User(name), Who::User(other)) => name.covers(other),
            (Who::Group(name), Who::Group(other)) => name.covers(other),
            (Who::User(Name::Glob(glob)), Who::Group(_)) => **glob == *"*",
            _ => false,
        }
    }
}

/// One entry of `uids`: first and last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Uids {
    pub(crate) first: u32,
    pub(crate) last: u32,
}

impl Uids {
    pub(crate) fn parse(text: &str) -> Result<Uids, String> {
        let wrong = || format!("`{text}` is no uid and no range of uids like 1000-1999");
        let number = |digits: &str| match digits.parse::<u32>() {
            Ok(u32::MAX) => Err(format!("`{text}`: {} means no user at all", u32::MAX)),
            Ok(number) if digits.bytes().all(|b| b.is_ascii_digit()) => Ok(number),
            _ => Err(wrong()),
        };
        let (first, last) = match text.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(text)?, number(text)?),
        };
        match (first, last) {
            (first, last) if first > last => Err(format!(
                "the range `{text}` is empty: it begins after its end"
            )),
            (0, 0) => Err("uid 0 is matched only by its name in `users`".to_owned()),
            (first, last) => Ok(Uids { first, last }),
        }
    }

    pub(crate) fn has(self, uid: u32) -> bool {
        (self.first..=self.last).contains(&uid)
    }

    pub(crate) fn covers(self, other: Uids) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

/// One entry of `hosts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Remote {
    /// lower case
    Name(Name),
    Network(Network),
}

impl Remote {
    pub(crate) fn covers(&self, other: &Remote) -> bool {
        match (self, other) {
            (Remote::Name(name), Remote::Name(other)) => name.covers(other),
            (Remote::Network(network), Remote::Network(other)) => network.covers(*other),
            (Remote::Name(Name::Glob(glob)), Remote::Network(_)) => **glob == *"*",
            _ => false,
        }
    }
}

/// A terminal as it is compared: login(1) and getty tell "tty1" or "/dev/tty1".
pub(crate) fn plain_tty(tty: &str) -> &str {
    tty.strip_prefix("/dev/").unwrap_or(tty)
}

/// A remote host as it is compared: case and a final dot mean nothing in a host name.
pub(crate) fn plain_host(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_names() {
        let cases = [
            ("alice", "alice", true),
            ("alice", "alic", false),
            ("*", "", true),
            ("*", "anything", true),
            ("?", "", false),
            ("?", "é", true),
            ("web-*", "web-", true),
            ("web-*", "web-1", true),
            ("web-*", "aweb-1", false),
            ("*-admin", "x-admin", true),
            ("*-admin", "x-admin-admin", true),
            ("*-admin", "x-adminx", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("a?c", "abc", true),
            ("a**c", "ac", true),
            ("*a?", "aaa", true),
        ];
        for (glob, text, want) in cases {
            assert_eq!(Name::new(glob).matches(text), want, "{glob} {text}");
        }
    }

    #[test]
    fn a_glob_of_many_stars_is_quick() {
        let glob = Name::new(&"*a".repeat(100));
        let begun = std::time::Instant::now();
        assert!(!glob.matches(&"a".repeat(99)));
        assert!(!glob.matches(&format!("{}b", "a".repeat(250))));
        assert!(begun.elapsed().as_millis() < 500, "{:?}", begun.elapsed());
    }

    #[test]
    fn uids_are_numbers_and_ranges() {
        let good = [
            ("1000", (1000, 1000)),
            ("1000-1999", (1000, 1999)),
            ("0-999", (0, 999)),
            ("4294967294", (u32::MAX - 1, u32::MAX - 1)),
        ];
        for (text, (first, last)) in good {
            assert_eq!(Uids::parse(text), Ok(Uids { first, last }));
        }
        for bad in [
            "",
            "-",
            "1-",
            "-1",
            "a",
            "+1",
            "1 - 2",
            "2-1",
            "0",
            "0-0",
            "4294967295",
            "1-4294967295",
            "1-2-3",
            "1.5",
            "٣",
        ] {
            assert!(Uids::parse(bad).is_err(), "{bad}");
        }
    }
}
