//! Sessions by name, or by the beginning of one.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::Error;
use crate::host::{self, Found, State};

/// Why nothing can be done with a session: it does not live, as far as the caller can see, or is
/// another version's.
pub(crate) fn why_dead(found: &Found) -> Option<&str> {
    match &found.state {
        State::Dead(why) => Some(why),
        State::Unreadable => Some("its record cannot be read"),
        State::Alive(_) | State::Listed => None,
    }
}

/// The live session that is meant.
pub(crate) fn find(name: &str) -> Result<Found, Error> {
    let mut all = host::sessions()?;
    let known: Vec<_> = all
        .iter()
        .map(|found| (found.record.session.as_str(), why_dead(found)))
        .collect();
    let at = match chosen(name, &known) {
        Err(Error::DeadSession(name, _)) if is_unreadable(&all, &name) => {
            return Err(Error::UnreadableSession(name));
        }
        at => at?,
    };
    Ok(all.swap_remove(at))
}

fn is_unreadable(all: &[Found], name: &str) -> bool {
    let mut named = all.iter().filter(|found| found.record.session == name);
    named.any(|found| matches!(found.state, State::Unreadable))
}

/// Which one is meant: the one of that name, or the only live one whose name begins so.
fn chosen(name: &str, known: &[(&str, Option<&str>)]) -> Result<usize, Error> {
    let dead = |at: usize| known[at].1;
    let exact = known.iter().position(|(one, _)| *one == name);
    let begins = |at: &usize| !name.is_empty() && known[*at].0.starts_with(name);
    let found: Vec<usize> = (0..known.len()).filter(begins).collect();
    let live: Vec<usize> = found
        .iter()
        .copied()
        .filter(|at| dead(*at).is_none())
        .collect();
    match (exact.as_ref(), &live[..], &found[..]) {
        (Some(&at), ..) | (None, &[at], _) | (None, [], &[at, ..]) => match dead(at) {
            None => Ok(at),
            Some(why) => {
                let (name, why) = (known[at].0.to_owned(), why.to_owned());
                Err(Error::DeadSession(name, why))
            }
        },
        (None, [], []) => Err(Error::NoSession(name.to_owned())),
        (None, several, _) => {
            let names = several.iter().map(|&at| known[at].0.to_owned());
            Err(Error::Ambiguous(name.to_owned(), names.collect()))
        }
    }
}

/// Seconds since the session was opened. A clock that was set back makes nobody older than 0.
pub(crate) fn age(found: &Found) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    now.saturating_sub(found.record.started)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KNOWN: [(&str, Option<&str>); 5] = [
        ("abcd", None),
        ("abce", None),
        ("ab", None),
        ("xy", Some("its init was killed")),
        ("xyz", None),
    ];

    #[test]
    fn a_session_is_found_by_its_name_or_by_a_beginning_that_no_other_live_one_has() {
        let found = |name| chosen(name, &KNOWN).map(|at| KNOWN[at].0);
        assert_eq!(found("abcd").unwrap(), "abcd");
        // the whole name of one is the beginning of others
        assert_eq!(found("ab").unwrap(), "ab");
        assert_eq!(found("abcd").unwrap(), "abcd");
        // the dead do not count among the beginnings
        assert_eq!(found("x").unwrap(), "xyz");
    }

    #[test]
    fn a_name_that_means_none_or_several_or_a_dead_one_says_what_to_do() {
        let told = |name| chosen(name, &KNOWN).unwrap_err().to_string();
        let none = "no session has a name that begins with \"q\\u{1b}\"; `nsctl ls` lists those \
                    that you may see";
        assert_eq!(told("q\u{1b}"), none);
        assert!(told("").starts_with("no session has a name"));
        assert_eq!(
            told("abc"),
            "\"abc\" is the beginning of 2 sessions, abcd, abce; type more of the name"
        );
        let dead = "session xy is dead: its init was killed; `nsctl gc` removes what it has left";
        assert_eq!(told("xy"), dead);
        assert_eq!(
            chosen("d", &[("dead", Some("gone"))])
                .unwrap_err()
                .to_string(),
            "session dead is dead: gone; `nsctl gc` removes what it has left"
        );
    }
}
