//! The policy: the rules and profiles of a file laid over the built-in ones.

use std::collections::BTreeMap;

use crate::diagnostic::Source;
use crate::host::Host;
pub use crate::profile::NONE;
use crate::profile::Profile;
use crate::rule::{Candidate, Rule, is_person, is_systemd_user};
use crate::text::PolicyText;
use crate::{Account, Error, Login, Matched, Namespace, suggest};

/// Largest policy file, in bytes. Whoever reads the file should look at its size first.
pub const MAX_FILE_SIZE: usize = 1 << 20;
const MAX_RULES: usize = 10_000;
const MAX_PROFILES: usize = 1_000;
const MAX_PROFILE_NAME: usize = 64;

/// How the built-in policy is called where a file name is expected.
pub const BUILT_IN: &str = "built-in policy";
const BUILT_IN_TEXT: &str = include_str!("default.toml");

/// Whether a login stays as it is unless a rule names it: root's, so that a mistake in the
/// policy cannot lock the administrator out; a service's account (uid below 1000, and 65534);
/// and the user's systemd manager, which is no login.
#[must_use]
pub fn left_alone(login: &Login, account: &Account) -> bool {
    !is_person(account) || is_systemd_user(&login.service)
}

/// Rules and profiles, complete and free of contradictions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// name of the file that is laid over the built-in policy
    file: String,
    /// the file's, then the built-in ones; the first that matches holds
    rules: Vec<Rule>,
    profiles: BTreeMap<String, Profile>,
}

impl Policy {
    /// The policy of a host without a policy file.
    #[must_use]
    pub fn builtin() -> Policy {
        // A test shows that the text is valid. Were it not, this policy without rules refuses
        // every login but root's.
        let none = Profile {
            namespaces: [].into(),
            ..Profile::default()
        };
        let empty = Policy {
            file: BUILT_IN.to_owned(),
            rules: Vec::new(),
            profiles: BTreeMap::from([(NONE.to_owned(), none)]),
        };
        empty
            .clone()
            .overlaid(BUILT_IN_TEXT, BUILT_IN, true)
            .unwrap_or(empty)
    }

    /// The policy of a file's text, laid over the built-in one: its rules come first, its
    /// profiles replace single keys of built-in profiles of the same name.
    ///
    /// # Errors
    /// [`Error::Policy`] with all faults of the text, or [`Error::PolicySize`].
    pub fn parse(text: &str, file_name: &str) -> Result<Policy, Error> {
        Policy::builtin().overlaid(text, file_name, false)
    }

    /// Whether any rule depends on groups: only then does a login need them.
    #[must_use]
    pub fn mentions_groups(&self) -> bool {
        self.rules.iter().any(Rule::mentions_groups)
    }

    /// The profile of the first rule that matches: its name, itself and where the rule is.
    pub(crate) fn choose(
        &self,
        login: &Login,
        account: &Account,
        host: &dyn Host,
    ) -> Result<(&str, &Profile, Matched), Error> {
        let mut candidate = Candidate::new(login, account, host);
        for rule in &self.rules {
            if rule.matches(&mut candidate)? {
                let file = if rule.built_in { BUILT_IN } else { &self.file };
                return self.found(&rule.profile, file, rule.line, login, account);
            }
        }
        if left_alone(login, account) {
            return self.found(NONE, BUILT_IN, 0, login, account);
        }
        Err(no_rule(login, account))
    }

    fn found(
        &self,
        name: &str,
        file: &str,
        line: usize,
        login: &Login,
        account: &Account,
    ) -> Result<(&str, &Profile, Matched), Error> {
        // Reading a policy has seen to it that each rule has its profile; were it not so, the
        // login would be refused.
        let (name, profile) = self
            .profiles
            .get_key_value(name)
            .ok_or_else(|| no_rule(login, account))?;
        Ok((
            name,
            profile,
            Matched {
                file: file.to_owned(),
                line,
            },
        ))
    }

    fn overlaid(mut self, text: &str, file: &str, built_in: bool) -> Result<Policy, Error> {
        if text.len() > MAX_FILE_SIZE {
            return Err(Error::PolicySize {
                file: file.to_owned(),
                size: text.len(),
            });
        }
        let mut source = Source::new(file, text);
        match toml::from_str::<PolicyText>(text) {
            Ok(parsed) => self.lay(&parsed, built_in, &mut source),
            Err(error) => source.toml_fault(&error),
        }
        file.clone_into(&mut self.file);
        match source.into_found() {
            found if found.is_empty() => Ok(self),
            found => Err(Error::Policy(found)),
        }
    }

    fn lay(&mut self, text: &PolicyText, built_in: bool, source: &mut Source<'_>) {
        if let Some(rule) = text.rule.get(MAX_RULES) {
            source.fault(rule.span(), format!("more than {MAX_RULES} rules"), None);
            return;
        }
        let mut names: Vec<_> = text.profile.keys().collect();
        names.sort_by_key(|name| name.span().start);
        if let Some(name) = names.get(MAX_PROFILES) {
            source.fault(
                name.span(),
                format!("more than {MAX_PROFILES} profiles"),
                None,
            );
            return;
        }
        for (name, profile) in &text.profile {
            if let Err(why) = profile_name(name.get_ref()) {
                source.fault(name.span(), why, None);
            }
            let below = self.profiles.entry(name.get_ref().clone()).or_default();
            below.lay(name.get_ref(), profile, source);
        }
        let mut rules = Vec::with_capacity(text.rule.len() + self.rules.len());
        for rule_text in &text.rule {
            let rule = Rule::read(rule_text, built_in, source);
            self.check_rule(&rule, rule_text.get_ref().profile.span(), source);
            rules.push(rule);
        }
        rules.append(&mut self.rules);
        self.rules = rules;
    }

    /// Notes a rule whose profile does not exist or cannot be for whom the rule is.
    fn check_rule(&self, rule: &Rule, at: std::ops::Range<usize>, source: &mut Source<'_>) {
        let name = &rule.profile;
        let Some(profile) = self.profiles.get(name) else {
            let near = suggest::nearest(name, self.profiles.keys().map(String::as_str));
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("define it with [profile.{name}]"),
            };
            source.fault(at, format!("there is no profile `{name}`"), Some(help));
            return;
        };
        // found here, not at root's next login
        if rule.names_root() && profile.has(Namespace::User) {
            let what = format!("profile `{name}` would map the host's root for the user root");
            let help = "choose a profile without the user namespace".to_owned();
            source.fault(at.clone(), what, Some(help));
        }
        if rule.names_systemd_user() && profile.has(Namespace::Pid) {
            let what = format!("profile `{name}` has a pid namespace, which ends systemd --user");
            let help = "choose a profile without it for the service systemd-user".to_owned();
            source.fault(at, what, Some(help));
        }
    }
}

fn no_rule(login: &Login, account: &Account) -> Error {
    Error::NoRule {
        user: account.name.clone(),
        service: login.service.clone(),
    }
}

/// Profile names get into logs, environments and tables.
fn profile_name(name: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || name.len() > MAX_PROFILE_NAME {
        return Err(format!(
            "the name of a profile has 1 to {MAX_PROFILE_NAME} characters"
        ));
    }
    if !name.chars().all(is_plain) {
        return Err(format!(
            "profile name `{name}` has a character that is not a letter, digit, _ . or -"
        ));
    }
    Ok(())
}
