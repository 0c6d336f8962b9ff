//! Rules: which login gets which profile.

use toml::Spanned;

use crate::diagnostic::Source;
use crate::host::Host;
use crate::text::RuleText;
use crate::{Account, Error, Login};

/// The service of the user's systemd manager: no login, so only a rule that names it matches.
pub(crate) const SYSTEMD_USER: &str = "systemd-user";

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// none: every person, see [`is_person`]
    pub(crate) users: Option<Vec<Who>>,
    /// none: every service but systemd-user
    pub(crate) services: Option<Vec<String>>,
    pub(crate) profile: String,
    /// of the built-in policy, not of the file
    pub(crate) built_in: bool,
    /// from 1
    pub(crate) line: usize,
}

/// One entry of `users`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Who {
    Name(String),
    Group(String),
}

/// The login's side of matching. The user database is asked for groups at most once, and only
/// when a rule depends on it: that may take long, or fail.
pub(crate) struct Candidate<'a> {
    pub(crate) login: &'a Login,
    pub(crate) account: &'a Account,
    host: &'a dyn Host,
    groups: Option<Vec<String>>,
}

impl<'a> Candidate<'a> {
    pub(crate) fn new(login: &'a Login, account: &'a Account, host: &'a dyn Host) -> Self {
        Candidate {
            login,
            account,
            host,
            groups: None,
        }
    }

    fn is_in(&mut self, group: &str) -> Result<bool, Error> {
        let groups = match self.groups.take() {
            Some(groups) => groups,
            None => self.host.groups(self.account)?,
        };
        let is_in = groups.iter().any(|name| name == group);
        self.groups = Some(groups);
        Ok(is_in)
    }
}

impl Rule {
    /// Whether this rule is about the login.
    pub(crate) fn matches(&self, candidate: &mut Candidate<'_>) -> Result<bool, Error> {
        // libpam makes service names lower case
        let same = |service: &String| service.eq_ignore_ascii_case(&candidate.login.service);
        let service = match &self.services {
            Some(services) => services.iter().any(same),
            None => !is_systemd_user(&candidate.login.service),
        };
        if !service {
            return Ok(false);
        }
        let Some(users) = &self.users else {
            return Ok(is_person(candidate.account));
        };
        let name = &candidate.account.name;
        if users
            .iter()
            .any(|who| matches!(who, Who::Name(user) if user == name))
        {
            return Ok(true);
        }
        if candidate.account.uid == 0 {
            // a group that root happens to be in is no order to confine root
            return Ok(false);
        }
        for who in users {
            if let Who::Group(group) = who
                && candidate.is_in(group)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads a rule and notes what is wrong with it.
    pub(crate) fn read(text: &Spanned<RuleText>, built_in: bool, source: &mut Source<'_>) -> Rule {
        let line = source.line(text.span().start);
        let text = text.get_ref();
        let users = text.users.as_ref().map(|list| {
            words("users", "users", list, source)
                .map(|word| match word.strip_prefix('@') {
                    Some(group) => Who::Group(group.to_owned()),
                    None => Who::Name(word.to_owned()),
                })
                .collect()
        });
        let services = text.services.as_ref().map(|list| {
            words("services", "services", list, source)
                .map(str::to_owned)
                .collect()
        });
        let profile = text.profile.get_ref().clone();
        Rule {
            users,
            services,
            profile,
            built_in,
            line,
        }
    }

    /// Whether the rule names the account `root`.
    pub(crate) fn names_root(&self) -> bool {
        self.users
            .iter()
            .flatten()
            .any(|who| *who == Who::Name("root".to_owned()))
    }

    /// Whether the rule names the service systemd-user.
    pub(crate) fn names_systemd_user(&self) -> bool {
        self.services
            .iter()
            .flatten()
            .any(|service| is_systemd_user(service))
    }

    /// Whether the rule needs to know groups.
    pub(crate) fn mentions_groups(&self) -> bool {
        self.users
            .iter()
            .flatten()
            .any(|who| matches!(who, Who::Group(_)))
    }
}

/// Whether the account is a person's, by the convention of login.defs(5) and systemd: from 1000
/// upwards, but not 65534, "nobody". Below are root and the accounts of services, whose jobs
/// (cron, `su -s`) a rule that means people must not stop.
pub(crate) fn is_person(account: &Account) -> bool {
    account.uid >= 1000 && account.uid != 65534
}

pub(crate) fn is_systemd_user(service: &str) -> bool {
    service.eq_ignore_ascii_case(SYSTEMD_USER)
}

/// The entries of `users` or `services`, each checked: an entry that can never match would be
/// a rule that silently does not hold.
fn words<'t>(
    key: &str,
    all: &str,
    list: &'t Spanned<Vec<Spanned<String>>>,
    source: &mut Source<'_>,
) -> impl Iterator<Item = &'t str> {
    if list.get_ref().is_empty() {
        let what = format!("an empty `{key}` matches nobody");
        source.fault(
            list.span(),
            what,
            Some(format!("leave it out to match all {all}")),
        );
    }
    for word in list.get_ref() {
        let text = word.get_ref();
        let name = text
            .strip_prefix('@')
            .filter(|_| key == "users")
            .unwrap_or(text);
        let help = match name {
            "*" | "ALL" | "all" => Some(format!("leave `{key}` out to match all {all}")),
            _ => None,
        };
        let why = match name {
            "" => "is empty",
            _ if help.is_some() => "is no name",
            name if name.trim() != name => "begins or ends with a blank",
            name if name.contains(char::is_control) => "has a control character",
            name if name.contains(['*', '?', '!', ':', '/']) => {
                "has one of * ? ! : / in it, which is no part of a name"
            }
            _ => continue,
        };
        source.fault(word.span(), format!("`{text}` in `{key}` {why}"), help);
    }
    list.get_ref().iter().map(|word| word.get_ref().as_str())
}
