//! Profiles: what a session is made of, before it is known whose.

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};

use toml::Spanned;

use crate::diagnostic::Source;
use crate::hostname::Template;
use crate::path;
use crate::text::{IdMap, PrivateText, ProfileText, Ranges};
use crate::{Mount, Namespace};

/// Permission bits of every private directory, those of /tmp.
const PRIVATE_MODE: u32 = 0o1777;

/// The profile that leaves a login as it is. Root and systemd-user depend on it.
pub const NONE: &str = "none";

/// A profile with every key settled. The defaults of the keys are [`Profile::default`], and
/// that is the built-in profile `standard`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    /// empty: the login stays as it is; else it has [`Namespace::Mount`]
    pub(crate) namespaces: BTreeSet<Namespace>,
    pub(crate) id_map: IdMap,
    pub(crate) ranges: Ranges,
    /// in the order of their paths
    pub(crate) private: Vec<Private>,
    pub(crate) runtime_dir: bool,
    pub(crate) hostname: Option<Template>,
    pub(crate) shell: PathBuf,
    pub(crate) require_nsshell: bool,
    pub(crate) grace: u32,
    pub(crate) timeout: u32,
}

/// A private directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Private {
    path: PathBuf,
    size: Option<String>,
    optional: bool,
}

impl Default for Profile {
    fn default() -> Profile {
        use Namespace::{Cgroup, Ipc, Mount, Pid, User, Uts};
        // sorted; these two need not exist on every host, /tmp does
        let private = [("/dev/shm", true), ("/tmp", false), ("/var/tmp", true)];
        Profile {
            namespaces: BTreeSet::from([Mount, Ipc, Pid, User, Uts, Cgroup]),
            id_map: IdMap::Keep,
            ranges: Ranges::IfAny,
            private: private
                .map(|(path, optional)| Private {
                    path: path.into(),
                    size: None,
                    optional,
                })
                .into(),
            runtime_dir: true,
            hostname: None,
            shell: PathBuf::from("/bin/bash"),
            require_nsshell: true,
            grace: 5,
            timeout: 10,
        }
    }
}

impl Profile {
    pub(crate) fn has(&self, kind: Namespace) -> bool {
        self.namespaces.contains(&kind)
    }

    /// The mounts of the host layer, in the order in which they are made.
    pub(crate) fn mounts(&self) -> Vec<Mount> {
        let mut mounts = Vec::with_capacity(3 + self.private.len());
        if self.has(Namespace::Pid) {
            mounts.push(Mount::Proc);
        }
        if self.has(Namespace::Ipc) {
            mounts.push(Mount::Mqueue);
        }
        if self.runtime_dir {
            mounts.push(Mount::RuntimeDir);
        }
        mounts.extend(self.private.iter().map(|private| Mount::Tmpfs {
            target: private.path.clone(),
            mode: PRIVATE_MODE,
            size: private.size.clone(),
            optional: private.optional,
        }));
        mounts
    }

    /// Lays the keys of a text over this profile and notes what is wrong with them.
    pub(crate) fn lay(&mut self, name: &str, text: &ProfileText, source: &mut Source<'_>) {
        if let Some(kinds) = &text.namespaces {
            self.namespaces = namespaces(name, kinds, source);
        }
        set(&mut self.id_map, text.id_map.as_ref());
        set(&mut self.ranges, text.ranges.as_ref());
        set(&mut self.runtime_dir, text.runtime_dir.as_ref());
        set(&mut self.require_nsshell, text.require_nsshell.as_ref());
        let grace = text.grace.as_ref();
        seconds("grace", grace, 0..=300, &mut self.grace, source);
        let timeout = text.timeout.as_ref();
        seconds("timeout", timeout, 1..=60, &mut self.timeout, source);
        if let Some(template) = &text.hostname {
            match Template::parse(template.get_ref()) {
                Ok(parsed) => self.hostname = Some(parsed),
                Err(why) => {
                    let why = format!("host name template `{}`: {why}", template.get_ref());
                    source.fault(template.span(), why, None);
                }
            }
        }
        if let Some(shell) = &text.shell {
            match real_shell(shell.get_ref()) {
                Ok(path) => self.shell = path,
                Err(why) => source.fault(shell.span(), why, None),
            }
        }
        if let Some(list) = &text.private {
            self.private = privates(list.get_ref(), source);
        }
        self.contradictions(name, text, source);
    }

    /// Notes the keys of the text that say something about what the profile does not have: the
    /// writer expects something that would not happen. Keys of the text below this one are
    /// not in question: they are only not used.
    fn contradictions(&self, name: &str, text: &ProfileText, source: &mut Source<'_>) {
        use Namespace::{Mount, User, Uts};
        let wanted = |on: &Option<Spanned<bool>>| span(on.as_ref().filter(|on| *on.get_ref()));
        let keys = [
            ("id_map", span(text.id_map.as_ref()), User, "user"),
            ("ranges", span(text.ranges.as_ref()), User, "user"),
            (
                "require_nsshell",
                wanted(&text.require_nsshell),
                User,
                "user",
            ),
            ("hostname", span(text.hostname.as_ref()), Uts, "uts"),
            ("private", span(text.private.as_ref()), Mount, "mount"),
            ("runtime_dir", wanted(&text.runtime_dir), Mount, "mount"),
            ("grace", span(text.grace.as_ref()), Mount, "mount"),
            ("timeout", span(text.timeout.as_ref()), Mount, "mount"),
        ];
        for (key, at, kind, kind_name) in keys {
            let Some(at) = at.filter(|_| !self.has(kind)) else {
                continue;
            };
            let what = format!(
                "`{key}` says nothing in profile `{name}`, which has no {kind_name} namespace"
            );
            let help = format!("take it out or add \"{kind_name}\" to `namespaces`");
            source.fault(at, what, Some(help));
        }
        let hides = self
            .private
            .iter()
            .find(|private| self.shell.starts_with(&private.path));
        let told = span(text.shell.as_ref()).or(span(text.private.as_ref()));
        if let (Some(private), Some(at)) = (hides, told.filter(|_| self.has(Mount))) {
            let (shell, hidden) = (self.shell.display(), private.path.display());
            let what =
                format!("the shell {shell} would be hidden by the private directory {hidden}");
            source.fault(at, what, None);
        }
    }
}

fn span<T>(value: Option<&Spanned<T>>) -> Option<Range<usize>> {
    value.map(Spanned::span)
}

fn set<T: Copy>(value: &mut T, text: Option<&Spanned<T>>) {
    if let Some(text) = text {
        *value = *text.get_ref();
    }
}

fn seconds(
    key: &str,
    text: Option<&Spanned<i64>>,
    allowed: RangeInclusive<u32>,
    value: &mut u32,
    source: &mut Source<'_>,
) {
    let Some(text) = text else { return };
    match u32::try_from(*text.get_ref()) {
        Ok(given) if allowed.contains(&given) => *value = given,
        _ => {
            let (from, to) = allowed.into_inner();
            let what = format!("`{key}` is {} seconds, not {from} to {to}", text.get_ref());
            source.fault(text.span(), what, None);
        }
    }
}

fn namespaces(
    name: &str,
    list: &Spanned<Vec<Spanned<Namespace>>>,
    source: &mut Source<'_>,
) -> BTreeSet<Namespace> {
    let mut kinds = BTreeSet::new();
    for kind in list.get_ref() {
        if !kinds.insert(*kind.get_ref()) {
            source.fault(
                kind.span(),
                "this namespace is listed twice".to_owned(),
                None,
            );
        }
    }
    if name == NONE && !kinds.is_empty() {
        // or a single line for `none` would confine root and every systemd --user
        let what = "profile `none` has no namespaces: root's logins and systemd-user depend on it";
        let help = "give the profile another name and a rule".to_owned();
        source.fault(list.span(), what.to_owned(), Some(help));
    } else if !kinds.is_empty() && !kinds.contains(&Namespace::Mount) {
        let what = "namespaces without \"mount\": the session's plan and mounts need it";
        source.fault(
            list.span(),
            what.to_owned(),
            Some("add \"mount\"".to_owned()),
        );
        // one fault is enough: not also one for each key that needs it
        kinds.insert(Namespace::Mount);
    }
    kinds
}

/// The shell that nsshell becomes.
fn real_shell(text: &str) -> Result<PathBuf, String> {
    let shell = path::plain(text)?;
    match shell.file_name() {
        None => Err("`/` is no shell".to_owned()),
        Some(name) if name == "nsshell" => Err(format!(
            "`{text}` is nsshell itself, which has to become a real shell"
        )),
        Some(_) => Ok(shell),
    }
}

fn privates(list: &[Spanned<PrivateText>], source: &mut Source<'_>) -> Vec<Private> {
    let mut found: Vec<(Private, Range<usize>)> = Vec::new();
    for entry in list {
        let (path, span, size, optional) = match entry.get_ref() {
            PrivateText::Path(path) => (path.as_str(), entry.span(), None, false),
            PrivateText::Table(table) => {
                let path = table.path.get_ref().as_str();
                (path, table.path.span(), table.size.as_ref(), table.optional)
            }
        };
        if let Some((size, Err(why))) = size.map(|size| (size, path::size(size.get_ref()))) {
            source.fault(size.span(), why, None);
        }
        match path::private(path) {
            Ok(path) => {
                let size = size.map(|size| size.get_ref().clone());
                found.push((
                    Private {
                        path,
                        size,
                        optional,
                    },
                    span,
                ));
            }
            Err(why) => source.fault(span, why, None),
        }
    }
    // parents come before what is in them; equal ones in the order of the text
    found.sort_by(|(a, a_at), (b, b_at)| (&a.path, a_at.start).cmp(&(&b.path, b_at.start)));
    let mut above: Option<&Path> = None;
    for (Private { path, .. }, span) in &found {
        let shown = path.display();
        match above.filter(|above| path.starts_with(above)) {
            Some(above) if above == path => {
                source.fault(span.clone(), format!("{shown} is listed twice"), None);
            }
            Some(above) => {
                let above = above.display();
                let what = format!("{shown} does not exist in the private {above}, which is empty");
                source.fault(span.clone(), what, Some("take one of them out".to_owned()));
            }
            None => above = Some(path),
        }
    }
    found.into_iter().map(|(private, _)| private).collect()
}
