//! Rules: how they are written.

use crate::Account;
use crate::diagnostic::Faults;
use crate::lay;
use crate::pattern::{Item, List, Name, Remote, Uids, Who};
use crate::shape::{self, MAX_NAME};
use crate::source::Place;
use crate::tree::{Node, Piece, Value};
use crate::word::Word;
use crate::written::{self, Wrong};

/// The service of the user's systemd manager: no login, so only a rule that names it matches.
pub(crate) const SYSTEMD_USER: &str = "systemd-user";

/// The keys of `[[rule]]`.
pub const RULE_KEYS: &[&str] = &["users", "uids", "services", "ttys", "hosts", "profile"];

/// One rule: it matches a login that all of its lists match.
#[derive(Debug, Clone, PartialEq)]
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

    /// How many entries its lists have.
    pub(crate) fn entries(&self) -> usize {
        fn length<T>(list: &Option<List<T>>) -> usize {
            list.as_ref().map_or(0, |list| list.items.len())
        }
        length(&self.users)
            + length(&self.uids)
            + length(&self.services)
            + length(&self.ttys)
            + length(&self.hosts)
    }

    /// Reads a rule and notes what is wrong with it.
    pub(crate) fn read(piece: &Piece<'_>, faults: &mut Faults) -> Rule {
        let mut rule = Rule::of_all("", piece.place);
        let mut has_profile = piece.faulty;
        for (key, node) in shape::known(&piece.entries, RULE_KEYS, "a rule", faults) {
            match key {
                "users" => rule.users = read(key, node, faults, written::user),
                "uids" => rule.uids = read(key, node, faults, written::uids),
                "services" => rule.services = read(key, node, faults, written::service),
                "ttys" => rule.ttys = read(key, node, faults, written::tty),
                "hosts" => rule.hosts = read(key, node, faults, written::host),
                _ => {
                    has_profile = true;
                    if let Some(name) = lay::profile_of(node, faults) {
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
        let root = |item: &Item<Who>| matches!(&item.what, Who::User(Name::Literal(n)) if n.as_bytes() == b"root");
        self.users.iter().flat_map(List::positives).any(root)
    }

    /// Whether the rule names the service systemd-user.
    pub(crate) fn names_systemd_user(&self) -> bool {
        let mut named = self.services.iter().flat_map(List::positives);
        named.any(is_manager)
    }

    /// Whether the rule says nothing about whom it means.
    pub(crate) fn is_of_all(&self) -> bool {
        let lists = self.users.is_none() && self.uids.is_none() && self.services.is_none();
        lists && self.ttys.is_none() && self.hosts.is_none()
    }

    /// Whether the rule is about who is in a group.
    pub(crate) fn confines_groups(&self) -> bool {
        let mut named = self.users.iter().flat_map(List::positives);
        named.any(|item| matches!(item.what, Who::Group(_)))
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
    matches!(&item.what, Name::Literal(name) if name.as_bytes() == SYSTEMD_USER.as_bytes())
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
    one: impl Fn(&str) -> Result<T, Wrong>,
) -> Option<List<T>> {
    let list = shape::list(node, faults)?;
    if list.value.is_empty() {
        let what = format!("an empty `{key}` matches nobody");
        let noted = faults.error(list.place, what);
        noted.help(format!(
            "leave it out to match {}",
            written::everything(key)
        ));
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
            Value::Number(uid) if key == "users" => {
                let noted = faults.error(entry.place, "expected a name in \" \", not a number");
                noted.help(format!("a uid belongs in `uids`: write uids = [{uid}]"));
                continue;
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
        match read_entry(key, text, &one) {
            Ok(what) => items.push(Item {
                negated,
                what,
                place: entry.place,
            }),
            Err(Wrong { why, help }) => {
                let noted = faults.error(entry.place, format!("`{key}`: {why}"));
                if matches!(text, "ALL" | "all") {
                    let everything = written::everything(key);
                    noted.help(format!("leave `{key}` out to match {everything}"));
                } else if let Some(help) = help {
                    noted.help(help);
                }
            }
        }
    }
    Some(List {
        items: items.into(),
    })
}

/// One entry of a list, without its `!`.
pub(crate) fn read_entry<T>(
    key: &str,
    text: &str,
    one: impl Fn(&str) -> Result<T, Wrong>,
) -> Result<T, Wrong> {
    if !written::is_plain(text)
        && let Some(why) = unusual(key, text)
    {
        return Err(match text.len() > MAX_NAME || text.is_empty() {
            true => why.to_owned().into(),
            false => format!("`{text}` {why}").into(),
        });
    }
    one(text)
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
