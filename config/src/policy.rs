//! The policy: rules and profiles of several files, laid over the built-in ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::diagnostic::Faults;
use crate::lay::{MAX_ENTRIES, MAX_PROFILES, MAX_RULES, Said, Text};
use crate::login_policy::Filter;
use crate::matching::{Candidate, Miss};
use crate::pattern::Name;
pub use crate::profile::NONE;
use crate::profile::{Keys, Profile};
use crate::rule::{Rule, is_person, is_systemd_user};
use crate::source::{At, Place, Source};
use crate::{
    Account, Contents, Error, Login, Matched, Mode, Namespace, OnLogout, Scope, conflict, settle,
};

/// Largest file of a policy, in bytes. Whoever reads the file should look at its size first.
pub const MAX_FILE_SIZE: usize = 4 << 20;

/// Most files of a policy.
pub const MAX_FILES: usize = 200;

/// How the built-in policy is called where a file name is expected.
pub const BUILT_IN: &str = "built-in policy";
const BUILT_IN_TEXT: &str = include_str!("default.toml");

/// Built-in profiles that no built-in rule chooses, and their names.
const SHIPPED_TEXT: &str = include_str!("shipped.toml");
pub(crate) const SHIPPED: [&str; 3] = ["kiosk", "lab", "sftp-only"];

/// How many profiles both texts have.
const BUILT_IN_PROFILES: usize = 5;

/// Whether a login stays as it is unless a rule names it: root's, so that a mistake in the
/// policy cannot lock the administrator out; a service's account (uid below 1000, and 65534);
/// and the user's systemd manager, which is no login, if it may run at all.
#[must_use]
pub fn left_alone(login: &Login, account: &Account) -> bool {
    !is_person(account) || is_systemd_user(&login.service)
}

/// Whose a file of the policy is. Of two layers the first one here is the stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// /etc/nsshell/conf.d: the administrator's, or of a tool that distributes policy
    DropIn,
    /// /etc/nsshell/nsshell.toml: the administrator's
    Main,
    /// /usr/lib/nsshell: of packages
    Vendor,
    /// the built-in policy
    BuiltIn,
}

/// A file of the policy.
#[derive(Debug, Clone)]
pub struct PolicyFile {
    /// its path, or what it is called in messages
    pub name: String,
    /// its content
    pub text: String,
    /// whose it is
    pub layer: Layer,
}

/// Rules and profiles, complete and free of contradictions.
#[derive(Debug, Clone)]
pub struct Policy {
    /// the strongest first; the last one is the built-in policy
    pub(crate) sources: Vec<Source>,
    /// whose each source is
    pub(crate) layers: Vec<Layer>,
    /// those of stronger files first; the first that matches holds
    pub(crate) rules: Vec<Rule>,
    /// what the texts say about each profile
    pub(crate) own: BTreeMap<String, Keys>,
    /// where the strongest text that says something about it names it
    pub(crate) named: BTreeMap<String, Place>,
    /// the same with what it extends
    pub(crate) settled: BTreeMap<String, Keys>,
    /// groups that are never refused
    pub(crate) exempt: Vec<At<Name>>,
    /// keys of profiles that are set in a weaker file as well
    pub(crate) overridden: Vec<Overridden>,
    /// `default` and `exempt` wherever they are set, the strongest first, which hold
    pub(crate) top: Vec<(&'static str, Place)>,
    /// a rule or `exempt` depends on groups
    mentions_groups: bool,
}

/// A key of a profile that a stronger file sets again.
#[derive(Debug, Clone)]
pub(crate) struct Overridden {
    pub(crate) profile: String,
    pub(crate) key: &'static str,
    pub(crate) holds: Place,
    pub(crate) other: Place,
}

/// Where sessions have directories on disk that are emptied: this one, or those so many levels
/// beneath it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stores {
    /// absolute
    pub path: PathBuf,
    /// 0: this one
    pub depth: usize,
}

impl Policy {
    /// Where what sessions have left on disk may lie, whichever profile they had.
    #[must_use]
    pub fn stores(&self) -> Vec<Stores> {
        let mut found = BTreeSet::new();
        for keys in self.settled.values() {
            let profile = Profile::new(keys);
            found.extend(profile.home.store().map(|store| Stores {
                path: store.to_owned(),
                depth: 0,
            }));
            let instances = profile
                .private
                .iter()
                .filter_map(|one| one.instance.as_ref());
            let emptied = instances.filter(|one| one.contents == Contents::Empty);
            found.extend(emptied.filter_map(|one| one.template.store()));
        }
        found.into_iter().collect()
    }

    /// The policy of a host without a policy file.
    #[must_use]
    pub fn builtin() -> Policy {
        // A test shows that the text is valid. Were it not, this policy without rules refuses
        // every login but root's.
        Policy::from_files(Vec::new()).unwrap_or_else(|_| Policy {
            sources: Vec::new(),
            layers: Vec::new(),
            rules: Vec::new(),
            own: BTreeMap::new(),
            named: BTreeMap::new(),
            settled: BTreeMap::new(),
            exempt: Vec::new(),
            overridden: Vec::new(),
            top: Vec::new(),
            mentions_groups: false,
        })
    }

    /// The policy of one file's text, laid over the built-in one.
    ///
    /// # Errors
    /// [`Error::Policy`] with all faults of the text, or [`Error::PolicySize`].
    pub fn parse(text: &str, file_name: &str) -> Result<Policy, Error> {
        Policy::from_files(vec![PolicyFile {
            name: file_name.to_owned(),
            text: text.to_owned(),
            layer: Layer::Main,
        }])
    }

    /// The policy of several files, the strongest first, laid over the built-in one: the rules
    /// of a stronger file are tried first, and what it sets in a profile, or at the top, holds
    /// against a weaker one.
    ///
    /// # Errors
    /// [`Error::Policy`] with all faults of all texts, or a limit that is passed.
    pub fn from_files(files: Vec<PolicyFile>) -> Result<Policy, Error> {
        Policy::filtered(files, &mut Filter::new(None, 0))
    }

    /// The same, with the rules that a filter lets through.
    pub(crate) fn filtered(
        mut files: Vec<PolicyFile>,
        filter: &mut Filter<'_, '_>,
    ) -> Result<Policy, Error> {
        if files.len() > MAX_FILES {
            let place = "the policy".to_owned();
            let most = MAX_FILES;
            return Err(Error::TooManyFiles { place, most });
        }
        if let Some(long) = files.iter().find(|file| file.text.len() > MAX_FILE_SIZE) {
            return Err(Error::PolicySize {
                file: long.name.clone(),
                size: long.text.len(),
            });
        }
        files.push(PolicyFile {
            name: BUILT_IN.to_owned(),
            text: BUILT_IN_TEXT.to_owned(),
            layer: Layer::BuiltIn,
        });
        let layers: Vec<Layer> = files.iter().map(|file| file.layer).collect();
        let mut sources: Vec<Source> = files
            .into_iter()
            .map(|file| Source::new(&file.name, file.text))
            .collect();
        let mut faults = Faults::default();
        let mut policy = Policy {
            sources: Vec::new(),
            layers,
            rules: Vec::new(),
            own: BTreeMap::new(),
            named: BTreeMap::new(),
            settled: BTreeMap::new(),
            exempt: Vec::new(),
            overridden: Vec::new(),
            top: Vec::new(),
            mentions_groups: false,
        };
        policy.lay(&mut sources, filter, &mut faults);
        policy.sources = sources;
        match faults.is_empty() {
            true => Ok(policy),
            // of what was dropped not all faults are told, and the limits are counted roughly
            false if filter.take_dropped() => Policy::from_files(policy.into_files()),
            false => Err(Error::Policy(faults.shown(&policy.sources))),
        }
    }

    /// What it was read from.
    fn into_files(self) -> Vec<PolicyFile> {
        let files = self.sources.into_iter().zip(self.layers);
        let files = files.filter(|(_, layer)| *layer != Layer::BuiltIn);
        let files = files.map(|(source, layer)| PolicyFile {
            name: source.name,
            text: source.text,
            layer,
        });
        files.collect()
    }

    fn lay(&mut self, sources: &mut Vec<Source>, filter: &mut Filter<'_, '_>, faults: &mut Faults) {
        let mut default: Option<At<String>> = None;
        let mut exempt = None;
        for (number, source) in (0u32..).zip(sources.iter()) {
            let built_in = sources.len() == usize::try_from(number).unwrap_or(0) + 1;
            if let (true, Some(default)) = (built_in, &default) {
                // before the built-in rule for everybody else, which it replaces
                let rule = Rule::of_all(&default.value, default.place);
                self.rules.extend(filter.keep(rule));
            }
            let text = Text::read(&source.text, number, filter, faults);
            match self.rules.is_empty() {
                // not copied: mostly one file has nearly all rules
                true => self.rules = text.rules,
                false => self.rules.extend(text.rules),
            }
            for (name, said) in text.profiles {
                self.lay_profile(name, &said);
            }
            let default_place = text.default.as_ref().map(|set| ("default", set.place));
            let exempt_place = text.exempt.as_ref().map(|set| ("exempt", set.place));
            self.top
                .extend(default_place.into_iter().chain(exempt_place));
            default = default.or(text.default);
            exempt = exempt.or(text.exempt);
        }
        if self.names_shipped(default.as_ref(), &filter.samples) {
            let source = Source::new(BUILT_IN, SHIPPED_TEXT.to_owned());
            let number = u32::try_from(sources.len()).unwrap_or(u32::MAX);
            for (name, said) in Text::read(&source.text, number, filter, faults).profiles {
                self.lay_profile(name, &said);
            }
            sources.push(source);
            self.layers.push(Layer::BuiltIn);
        }
        // what one file has too much of is told already; the built-in policy is not counted
        let one_by_one = faults.is_empty();
        let too_many = filter.dropped + self.rules.len() > MAX_RULES + 3;
        let last = self.rules.get(MAX_RULES).or(filter.samples.last());
        if let (true, Some(rule)) = (one_by_one && too_many, last) {
            let what = format!("more than {MAX_RULES} rules in all files");
            faults.error(rule.place, what);
        }
        let mut entries = filter.dropped_entries;
        let mut theirs = self.rules.iter().filter(|rule| {
            let layer = usize::try_from(rule.place.file).map(|at| self.layers.get(at));
            layer != Ok(Some(&Layer::BuiltIn))
        });
        let beyond = theirs.find(|rule| {
            entries += rule.entries();
            entries > MAX_ENTRIES
        });
        let dropped = filter.samples.last();
        let beyond = beyond.or(dropped.filter(|_| entries > MAX_ENTRIES));
        if let (true, Some(rule)) = (one_by_one, beyond) {
            let what =
                format!("more than {MAX_ENTRIES} entries in the lists of all rules in all files");
            faults.error(rule.place, what).help("name groups");
        }
        if one_by_one && self.own.len() > MAX_PROFILES + BUILT_IN_PROFILES {
            let nowhere = Place {
                file: 0,
                start: 0,
                end: 0,
            };
            faults.error(
                nowhere,
                format!("more than {MAX_PROFILES} profiles in all files"),
            );
        }
        self.exempt = exempt.map(|exempt| exempt.value).unwrap_or_default();
        self.mentions_groups = !self.exempt.is_empty()
            || filter.mentions_groups
            || self.rules.iter().any(Rule::mentions_groups);
        self.settled = settle::settle(&self.own, faults);
        let mut can = BTreeMap::new();
        for rule in self.rules.iter().chain(&filter.samples) {
            self.check_rule(rule, &mut can, faults);
        }
    }

    /// Whether anything names a built-in profile that is not always read.
    fn names_shipped(&self, default: Option<&At<String>>, dropped: &[Rule]) -> bool {
        let shipped = |name: &str| SHIPPED.contains(&name);
        let extended = |keys: &Keys| {
            let list = keys.extends.iter().flat_map(|list| &list.value);
            list.map(|one| &one.value).any(|name| shipped(name))
        };
        self.own
            .iter()
            .any(|(name, keys)| shipped(name) || extended(keys))
            || default.is_some_and(|default| shipped(&default.value))
            || self.rules.iter().chain(dropped).any(|rule| {
                let name = rule.profile.as_bytes();
                SHIPPED.iter().any(|shipped| shipped.as_bytes() == name)
            })
    }

    /// Lays what a weaker text says about a profile under what is known.
    fn lay_profile(&mut self, name: String, said: &Said) {
        let keys = &said.keys;
        self.named.entry(name.clone()).or_insert(said.named);
        let stronger = self.own.entry(name.clone()).or_default();
        match (&stronger.extends, &keys.extends) {
            (None, weaker) => stronger.extends.clone_from(weaker),
            (Some(holds), Some(other)) => self.overridden.push(Overridden {
                profile: name.clone(),
                key: "extends",
                holds: holds.place,
                other: other.place,
            }),
            (Some(_), None) => {}
        }
        for ((key, holds), (_, other)) in stronger.places().into_iter().zip(keys.places()) {
            if let (Some(holds), Some(other)) = (holds, other) {
                self.overridden.push(Overridden {
                    profile: name.clone(),
                    key,
                    holds,
                    other,
                });
            }
        }
        stronger.fill(keys);
    }

    /// Notes a rule whose profile does not exist or cannot be for whom the rule is.
    fn check_rule<'p>(
        &self,
        rule: &'p Rule,
        seen: &mut BTreeMap<&'p [u8], Option<Profile>>,
        faults: &mut Faults,
    ) {
        let name = rule.profile.as_bytes();
        if name.is_empty() {
            return; // told already
        }
        let settled = || self.settled.get(&*rule.profile).map(Profile::new);
        let at = rule.profile_place;
        let profile = seen.entry(name).or_insert_with(settled);
        let (root, manager) = (rule.names_root(), rule.names_systemd_user());
        if profile.is_some() && !root && !manager {
            return; // nearly all
        }
        let name: &str = &rule.profile;
        let Some(profile) = profile else {
            settle::unknown(name, at, self.own.keys(), faults);
            return;
        };
        // found here, not at root's next login
        let cannot = [
            (
                root && profile.has(Namespace::User),
                "root cannot be given a user namespace",
                "choose another profile, or take \"user\" out of its `namespaces`",
            ),
            (
                manager && profile.has(Namespace::Pid),
                "systemd --user ends in a pid namespace",
                "choose another profile, or take \"pid\" out of its `namespaces`",
            ),
        ];
        let keys = self.settled.get(name);
        let kinds = keys.and_then(|keys| keys.namespaces.as_ref());
        let kinds = (kinds.map(|set| set.place), "its namespaces are set here");
        let chosen = (Some(at), "a rule chooses it here");
        for (is, what, help) in cannot {
            if !is {
                continue;
            }
            let before = faults.count();
            let what = format!("{what}, and profile `{name}` has one");
            if let Some(noted) = conflict::collide(kinds, chosen, what, faults) {
                noted.help(help);
            }
            if let Some(extends) = keys.and_then(|keys| keys.extends.as_ref()) {
                faults.told_at(extends.place, before);
            }
        }
    }

    /// Whether any rule depends on groups: only then does a login need them.
    #[must_use]
    pub fn mentions_groups(&self) -> bool {
        self.mentions_groups
    }

    /// A profile that a rule chooses and whose sessions may outlive the login that they were made
    /// for, because others share them or they are kept; none if there is none.
    #[must_use]
    pub fn outlives_a_login(&self) -> Option<&str> {
        let outlives = |name: &&str| {
            self.settled.get(*name).is_some_and(|keys| {
                let profile = Profile::new(keys);
                let life = &profile.life;
                !profile.namespaces.is_empty()
                    && profile.mode == Mode::Enforce
                    && (life.scope == Scope::User || life.on_logout == OnLogout::Keep)
            })
        };
        let mut chosen = self.rules.iter().map(|rule| &*rule.profile);
        chosen.find(outlives)
    }

    /// How many rules there are, the built-in ones included.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }

    /// The names of its files, the strongest first.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(|source| source.name.as_str())
    }

    /// The profile of the first rule that matches: its name, itself and where the rule is.
    /// Each rule before that one is told, with why it does not match.
    pub(crate) fn choose(
        &self,
        candidate: &mut Candidate<'_>,
        login: &Login,
        missed: impl FnMut(&Rule, Miss),
    ) -> Result<(&str, Profile, Matched), Error> {
        self.choose_among(self.rules.iter(), candidate, login, missed)
    }

    /// The same of some of the rules, which have to be those that can match, in their order.
    pub(crate) fn choose_among<'r>(
        &'r self,
        rules: impl Iterator<Item = &'r Rule>,
        candidate: &mut Candidate<'_>,
        login: &Login,
        mut missed: impl FnMut(&Rule, Miss),
    ) -> Result<(&'r str, Profile, Matched), Error> {
        let account = candidate.account;
        for rule in rules {
            match rule.miss(candidate)? {
                Some(miss) => missed(rule, miss),
                None => return self.found(&rule.profile, self.matched(rule), login, account),
            }
        }
        if is_systemd_user(&login.service) {
            self.manager(candidate)?;
        }
        if left_alone(login, account) {
            let matched = Matched {
                file: BUILT_IN.to_owned(),
                line: 0,
            };
            return self.found(NONE, matched, login, account);
        }
        Err(no_rule(login, account))
    }

    /// Where a rule is.
    pub(crate) fn matched(&self, rule: &Rule) -> Matched {
        let (file, line) = self.place(rule.place);
        Matched { file, line }
    }

    /// File and line of a place.
    pub(crate) fn place(&self, place: Place) -> (String, usize) {
        match self.source(place) {
            Some(source) => (source.name.clone(), source.line(place.start)),
            None => (String::new(), 0),
        }
    }

    /// What is written at a place.
    pub(crate) fn written(&self, place: Place) -> &str {
        let range = usize::try_from(place.start)
            .ok()
            .zip(usize::try_from(place.end).ok());
        let text = self.source(place).map_or("", |source| &source.text);
        range
            .and_then(|(start, end)| text.get(start..end))
            .unwrap_or("")
    }

    fn source(&self, place: Place) -> Option<&Source> {
        self.sources.get(usize::try_from(place.file).ok()?)
    }

    fn found(
        &self,
        name: &str,
        matched: Matched,
        login: &Login,
        account: &Account,
    ) -> Result<(&str, Profile, Matched), Error> {
        // Reading a policy has seen to it that each rule has its profile; were it not so, the
        // login would be refused, but root's.
        match self.settled.get_key_value(name) {
            Some((name, keys)) => Ok((name, Profile::new(keys), matched)),
            None if name == NONE => {
                let mut none = Profile::new(&Keys::default());
                none.namespaces.clear();
                Ok((NONE, none, matched))
            }
            None => Err(no_rule(login, account)),
        }
    }
}

fn no_rule(login: &Login, account: &Account) -> Error {
    Error::NoRule {
        user: account.name.clone(),
        service: login.service.clone(),
    }
}
