//! Rules: how they are written.

use crate::Account;
use crate::diagnostic::Faults;
use crate::network::Network;
use crate::pattern::{Item, List, Name, Remote, Uids, Who, plain_host, plain_tty};
use crate::shape::{self, MAX_NAME};
use crate::source::Place;
use crate::tree::{Node, Piece, Value};
use crate::word::Word;

/// The service of the user's systemd manager: no login, so only a rule that names it matches.
pub(crate) const SYSTEMD_USER: &str = "systemd-user";

/// The keys of `[[rule]]`.
pub const RULE_KEYS: &[&str] = &["users", "uids", "services", "ttys", "hosts", "profile"];

/// One rule: it matches a login that all of its lists match.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// none: every person, see [`is_person`], or whom `uids` names
    pub(crate) users: Option<List<Who>>,
    pub(crate) uids: Option<List<Uids>>,
    /// lower case; none: every service but systemd-user
    pub(crate) services: Option<List<Name>>,
    /// without /dev/
    pub(crate) ttys: Option<List<Name>>,
    pub(crate) hosts: Option<List<Remote>>,
    pub(crate) profile: Word,
    pub(crate) profile_place: Place,
    /// the header
    pub(crate) place: Place,
}

impl Rule {
    /// A rule for every person's login but systemd-user's.
    pub(crate) fn of_all(profile: &str, place: Place) -> Rule {
        Rule {
            users: None,
            uids: None,
            services: None,
            ttys: None,
            hosts: None,
            profile: profile.into(),
            profile_place: place,
            place,
        }
    }

    /// Reads a rule and notes what is wrong with it.
    pub(crate) fn read(piece: &Piece<'_>, faults: &mut Faults) -> Rule {
        let mut rule = Rule::of_all("", piece.place);
        let mut has_profile = piece.faulty;
        for (key, node) in shape::known(&piece.entries, RULE_KEYS, "a rule", faults) {
            match key {
                "users" => rule.users = read(key, node, faults, user),
                "uids" => rule.uids = read(key, node, faults, Uids::parse),
                "services" => rule.services = read(key, node, faults, service),
                "ttys" => rule.ttys = read(key, node, faults, tty),
                "hosts" => rule.hosts = read(key, node, faults, host),
                _ => {
                    has_profile = true;
                    if let Some(name) = shape::text(node, faults) {
                        rule.profile = name.value.into();
                        rule.profile_place = name.place;
                    }
                }
            }
        }
        if !has_profile {
            let noted = faults.error(piece.place, "missing key `profile`");
            noted.help("say which profile the rule chooses");
        }
        rule
    }

    /// Whether the rule names the account `root`.
    pub(crate) fn names_root(&self) -> bool {
        let root =
            |item: &Item<Who>| matches!(&item.what, Who::User(Name::Literal(n)) if **n == *"root");
        self.users.iter().flat_map(List::positives).any(root)
    }

    /// Whether the rule names the service systemd-user.
    pub(crate) fn names_systemd_user(&self) -> bool {
        let mut named = self.services.iter().flat_map(List::positives);
        named.any(is_manager)
    }

    /// Whether the rule needs to know groups.
    pub(crate) fn mentions_groups(&self) -> bool {
        let users = self.users.iter().flat_map(|list| list.items.iter());
        users
            .into_iter()
            .any(|item| matches!(item.what, Who::Group(_)))
    }
}

/// Whether the account is a person's, by the convention of login.defs(5) and systemd: from 1000
/// upwards, but not 65534, "nobody". Below are root and the accounts of services, whose jobs
/// (cron, `su -s`) a rule that means people must not stop.
pub(crate) fn is_person(account: &Account) -> bool {
    account.uid >= 1000 && account.uid != 65534
}

/// Whether an entry of `services` is the user's systemd manager, by its whole name.
pub(crate) fn is_manager(item: &Item<Name>) -> bool {
    matches!(&item.what, Name::Literal(name) if **name == *SYSTEMD_USER)
}

/// Whether a PAM service is the user's systemd manager.
#[must_use]
pub fn is_systemd_user(service: &str) -> bool {
    service.eq_ignore_ascii_case(SYSTEMD_USER)
}

/// The entries of a list, each checked: one that can never match would be a rule that
/// silently does not hold.
fn read<T>(
    key: &str,
    node: &Node<'_>,
    faults: &mut Faults,
    one: impl Fn(&str) -> Result<T, String>,
) -> Option<List<T>> {
    let list = shape::list(node, faults)?;
    if list.value.is_empty() {
        let what = format!("an empty `{key}` matches nobody");
        let noted = faults.error(list.place, what);
        noted.help(format!("leave it out to match all {key}"));
    }
    let mut items = Vec::with_capacity(list.value.len());
    for entry in list.value {
        let number;
        let written = match &entry.value {
            Value::Text(text) => text.as_ref(),
            Value::Number(uid) if key == "uids" => {
                number = uid.to_string();
                &number
            }
            _ => {
                shape::wrong(entry, "a string in \" \"", faults);
                continue;
            }
        };
        let (negated, text) = match written.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, written),
        };
        let why = match is_plain(text) {
            true => None,
            false => unusual(key, text),
        };
        let read = match why {
            Some(why) if text.len() > MAX_NAME || text.is_empty() => Err(why.to_owned()),
            Some(why) => Err(format!("`{text}` {why}")),
            None => one(text),
        };
        match read {
            Ok(what) => items.push(Item {
                negated,
                what,
                place: entry.place,
            }),
            Err(why) => {
                let noted = faults.error(entry.place, format!("{why} (in `{key}`)"));
                if matches!(text, "ALL" | "all") {
                    noted.help(format!("leave `{key}` out to match all {key}"));
                }
            }
        }
    }
    Some(List {
        items: items.into(),
    })
}

/// Whether there is nothing in a name that [`unusual`] or [`no_part_of_a_name`] could find:
/// that takes one look at each byte, and they take several.
fn is_plain(text: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    let name = text.strip_prefix('@').unwrap_or(text);
    (1..=32).contains(&name.len()) && name.bytes().all(is_part) && name != "all"
}

/// What no entry can have.
fn unusual(key: &str, text: &str) -> Option<&'static str> {
    match text {
        "" => Some("an empty name"),
        "ALL" | "all" if key != "uids" => Some("is no name"),
        _ if text.len() > MAX_NAME => Some("a name of more than 256 bytes"),
        _ if text.trim() != text => Some("begins or ends with a blank"),
        _ if text.contains(char::is_control) => Some("has a control character"),
        _ if text.starts_with('!') => Some("has a second `!`"),
        _ if text.contains(['[', ']', '{', '}']) && key != "hosts" => {
            Some("has a bracket in it: only * and ? stand for other characters")
        }
        _ => None,
    }
}

fn no_part_of_a_name(text: &str, part: &[u8]) -> Result<(), String> {
    match text.bytes().find(|byte| part.contains(byte)) {
        Some(byte) => Err(format!(
            "`{text}` has `{}` in it, which is no part of a name",
            char::from(byte)
        )),
        None => Ok(()),
    }
}

fn user(text: &str) -> Result<Who, String> {
    no_part_of_a_name(text, b"!:/,()")?;
    match text.strip_prefix('@') {
        Some("") => Err("`@` without the name of a group".to_owned()),
        Some(group) => Ok(Who::Group(Name::new(group))),
        None => Ok(Who::User(Name::new(text))),
    }
}

fn service(text: &str) -> Result<Name, String> {
    no_part_of_a_name(text, b"!:/,@")?;
    // libpam makes service names lower case
    match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Ok(Name::new(&text.to_ascii_lowercase())),
        false => Ok(Name::new(text)),
    }
}

fn tty(text: &str) -> Result<Name, String> {
    no_part_of_a_name(text, b"!,@")?;
    Ok(Name::new(plain_tty(text)))
}

fn host(text: &str) -> Result<Remote, String> {
    if let Some(network) = Network::parse(text) {
        return network
            .map(Remote::Network)
            .map_err(|why| format!("`{text}`: {why}"));
    }
    let is_part = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "._-:*?%".contains(c);
    match text.chars().find(|c| !is_part(*c)) {
        Some(c) => Err(format!(
            "`{text}` has `{c}` in it, which is no part of a host name, an address or a network"
        )),
        None => Ok(Remote::Name(Name::new(&plain_host(text)))),
    }
}
