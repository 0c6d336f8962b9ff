//! Profiles: what a session is made of, before it is known whose.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::binds::{self, Bind};
use crate::diagnostic::Faults;
use crate::entry::{self, Entry};
use crate::life::{self, Life, OnLogout, OnPolicyChange, Scope};
use crate::private::{self, Private};
use crate::shape;
use crate::source::{At, Place};
use crate::template::Template;
use crate::tree::Node;
use crate::view::{self, DevView, Exposed, ProcView};
use crate::{HidePid, Home, Mode, Namespace, OnFailure, SysView, command, environment, home, path};

/// The profile that leaves a login as it is. Root and systemd-user depend on it.
pub const NONE: &str = "none";

/// Most profiles that one extends directly.
const MAX_EXTENDS: usize = 16;

/// `id_map`: who the user is inside the user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdMap {
    /// the same id as outside
    Keep,
    /// id 0
    Root,
}

/// `ranges`: what if the user has no subordinate ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ranges {
    /// then only the user's own id is mapped
    IfAny,
    /// then the login is refused
    Required,
}

/// Declares the keys of a profile: what they hold, and all that has to be done to each.
macro_rules! keys {
    ($($key:ident: $type:ty),* $(,)?) => {
        /// The keys of `[profile.NAME]`.
        pub const PROFILE_KEYS: &[&str] = &["extends", $(stringify!($key)),*];

        /// What the texts say about a profile: each key is optional, since a text is laid over
        /// another one, and a profile over those that it extends.
        #[derive(Debug, Clone, Default)]
        pub(crate) struct Keys {
            pub(crate) extends: Option<At<Vec<At<String>>>>,
            $(pub(crate) $key: Option<At<$type>>,)*
        }

        impl Keys {
            /// Takes from a weaker profile what is not set here. What is extended is not a
            /// setting: each profile extends its own.
            pub(crate) fn fill(&mut self, weaker: &Keys) {
                $(if self.$key.is_none() {
                    self.$key.clone_from(&weaker.$key);
                })*
            }

            /// Where each key is set, `extends` left out.
            pub(crate) fn places(&self) -> Vec<(&'static str, Option<Place>)> {
                vec![$((stringify!($key), self.$key.as_ref().map(|set| set.place))),*]
            }
        }
    };
}

keys! {
    namespaces: BTreeSet<Namespace>,
    id_map: IdMap,
    ranges: Ranges,
    private: Vec<Private>,
    runtime_dir: bool,
    home: Home,
    hide_homes: Vec<Entry>,
    binds: Vec<Bind>,
    read_only: Vec<Entry>,
    masked: Vec<Entry>,
    unmounted: Vec<Entry>,
    proc: ProcView,
    hidepid: HidePid,
    dev: DevView,
    sys: Option<SysView>,
    root: Option<PathBuf>,
    expose: Vec<Exposed>,
    hostname: Template,
    shell: PathBuf,
    command: Vec<String>,
    pass_environment: Vec<String>,
    require_nsshell: bool,
    grace: u32,
    timeout: u32,
    on_failure: OnFailure,
    mode: Mode,
    scope: Scope,
    on_logout: OnLogout,
    keep_for: u32,
    max_sessions: u32,
    max_lifetime: u32,
    idle: u32,
    on_policy_change: OnPolicyChange,
}

/// A profile with every key settled. The defaults of the keys are those of
/// [`Profile::new`] without any, and that is the built-in profile `standard`.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    /// empty: the login stays as it is; else it has [`Namespace::Mount`]
    pub(crate) namespaces: BTreeSet<Namespace>,
    pub(crate) id_map: IdMap,
    pub(crate) ranges: Ranges,
    pub(crate) private: Vec<Private>,
    pub(crate) runtime_dir: bool,
    pub(crate) home: Home,
    pub(crate) hide_homes: Vec<Entry>,
    pub(crate) binds: Vec<Bind>,
    pub(crate) read_only: Vec<Entry>,
    pub(crate) masked: Vec<Entry>,
    pub(crate) unmounted: Vec<Entry>,
    pub(crate) proc: ProcView,
    pub(crate) hidepid: HidePid,
    pub(crate) dev: DevView,
    /// none: the host's
    pub(crate) sys: Option<SysView>,
    /// none: the host's
    pub(crate) root: Option<PathBuf>,
    pub(crate) expose: Vec<Exposed>,
    pub(crate) hostname: Option<Template>,
    pub(crate) shell: PathBuf,
    /// empty: the shell
    pub(crate) command: Vec<String>,
    /// names of variables that the command gets besides
    pub(crate) pass_environment: Vec<String>,
    pub(crate) require_nsshell: bool,
    pub(crate) grace: u32,
    pub(crate) timeout: u32,
    pub(crate) on_failure: OnFailure,
    pub(crate) mode: Mode,
    pub(crate) life: Life,
}

impl Profile {
    /// The profile with these keys, and the default of every other one.
    pub(crate) fn new(keys: &Keys) -> Profile {
        use Namespace::{Cgroup, Ipc, Mount, Pid, User, Uts};
        let standard = || BTreeSet::from([Mount, Ipc, Pid, User, Uts, Cgroup]);
        let namespaces = value(&keys.namespaces).unwrap_or_else(standard);
        Profile {
            life: Life::new(keys, &namespaces),
            namespaces,
            id_map: value(&keys.id_map).unwrap_or(IdMap::Keep),
            ranges: value(&keys.ranges).unwrap_or(Ranges::IfAny),
            private: value(&keys.private).unwrap_or_else(private::standard),
            runtime_dir: value(&keys.runtime_dir).unwrap_or(true),
            home: value(&keys.home).unwrap_or(Home::Real),
            hide_homes: value(&keys.hide_homes).unwrap_or_default(),
            binds: value(&keys.binds).unwrap_or_default(),
            read_only: value(&keys.read_only).unwrap_or_default(),
            masked: value(&keys.masked).unwrap_or_default(),
            unmounted: value(&keys.unmounted).unwrap_or_default(),
            proc: value(&keys.proc).unwrap_or(ProcView::All),
            hidepid: value(&keys.hidepid).unwrap_or(HidePid::Off),
            dev: value(&keys.dev).unwrap_or(DevView::Host),
            sys: value(&keys.sys).flatten(),
            root: value(&keys.root).flatten(),
            expose: value(&keys.expose).unwrap_or_default(),
            hostname: value(&keys.hostname),
            shell: value(&keys.shell).unwrap_or_else(|| PathBuf::from("/bin/bash")),
            command: value(&keys.command).unwrap_or_default(),
            pass_environment: value(&keys.pass_environment).unwrap_or_default(),
            require_nsshell: value(&keys.require_nsshell).unwrap_or(true),
            grace: value(&keys.grace).unwrap_or(5),
            timeout: value(&keys.timeout).unwrap_or(10),
            on_failure: value(&keys.on_failure).unwrap_or(OnFailure::Deny),
            mode: value(&keys.mode).unwrap_or(Mode::Enforce),
        }
    }

    pub(crate) fn has(&self, kind: Namespace) -> bool {
        self.namespaces.contains(&kind)
    }
}

fn value<T: Clone>(set: &Option<At<T>>) -> Option<T> {
    set.as_ref().map(|set| set.value.clone())
}

impl Keys {
    /// Reads one key of the profile of this name, and notes what is wrong with it.
    pub(crate) fn read(&mut self, name: &str, key: &str, node: &Node<'_>, faults: &mut Faults) {
        match key {
            "extends" => self.extends = extends(name, node, faults),
            "namespaces" => self.namespaces = namespaces(name, node, faults),
            "id_map" => {
                let words = [("keep", IdMap::Keep), ("root", IdMap::Root)];
                self.id_map = shape::word(node, &words, faults);
            }
            "ranges" => {
                let words = [("if-any", Ranges::IfAny), ("required", Ranges::Required)];
                self.ranges = shape::word(node, &words, faults);
            }
            "private" => self.private = private::read(node, faults),
            "runtime_dir" => self.runtime_dir = shape::truth(node, faults),
            "home" => self.home = home::read(node, faults),
            "hide_homes" => self.hide_homes = entry::paths(key, node, path::homes, faults),
            "binds" => self.binds = binds::read(node, faults),
            "read_only" => self.read_only = entry::paths(key, node, path::read_only, faults),
            "masked" => self.masked = entry::paths(key, node, path::masked, faults),
            "unmounted" => self.unmounted = entry::paths(key, node, path::unmounted, faults),
            "proc" => self.proc = shape::word(node, view::PROC, faults),
            "hidepid" => self.hidepid = view::hidepid(node, faults),
            "dev" => self.dev = shape::word(node, view::DEV, faults),
            "sys" => self.sys = shape::word(node, view::SYS, faults),
            "root" => self.root = view::root(node, faults),
            "expose" => self.expose = view::exposed(node, faults),
            "hostname" => self.hostname = hostname(node, faults),
            "command" => self.command = command::read(node, faults),
            "pass_environment" => self.pass_environment = environment::read(node, faults),
            "shell" => self.shell = shell(node, faults),
            "require_nsshell" => self.require_nsshell = shape::truth(node, faults),
            "grace" => self.grace = shape::seconds(key, node, 0..=300, faults),
            "timeout" => self.timeout = shape::seconds(key, node, 1..=60, faults),
            "on_failure" => {
                let words = [
                    ("deny", OnFailure::Deny),
                    ("unconfined", OnFailure::Unconfined),
                ];
                self.on_failure = shape::word(node, &words, faults);
            }
            "mode" => {
                let words = [("enforce", Mode::Enforce), ("observe", Mode::Observe)];
                self.mode = shape::word(node, &words, faults);
            }
            "scope" => self.scope = life::scope(node, faults),
            "on_logout" => self.on_logout = life::on_logout(node, faults),
            "keep_for" => self.keep_for = life::time(key, node, faults),
            "max_sessions" => self.max_sessions = life::max_sessions(node, faults),
            "max_lifetime" => self.max_lifetime = life::time(key, node, faults),
            "idle" => self.idle = life::time(key, node, faults),
            "on_policy_change" => {
                self.on_policy_change = life::on_policy_change(node, faults);
            }
            _ => {}
        }
    }
}

fn extends(name: &str, node: &Node<'_>, faults: &mut Faults) -> Option<At<Vec<At<String>>>> {
    let list = match node.value {
        crate::tree::Value::Text(_) => vec![shape::text(node, faults)?],
        _ => shape::texts(node, faults)?.value,
    };
    if name == NONE {
        let what =
            "profile `none` must not extend any: root's logins and systemd-user depend on it";
        faults.error(node.place, what);
        return None;
    }
    if list.len() > MAX_EXTENDS {
        faults.error(
            node.place,
            format!("more than {MAX_EXTENDS} profiles are extended"),
        );
        return None;
    }
    for (at, one) in list.iter().enumerate() {
        if let Some(first) = list.iter().take(at).find(|first| first.value == one.value) {
            let what = format!("`{}` is listed twice", one.value);
            faults
                .error(one.place, what)
                .other(first.place, "it is first listed here");
        }
    }
    let owned = list.into_iter().map(|one| At {
        value: one.value.to_owned(),
        place: one.place,
    });
    Some(At {
        value: owned.collect(),
        place: node.place,
    })
}

/// The names of namespaces in a policy.
pub const NAMESPACES: &[(&str, Namespace)] = &[
    ("mount", Namespace::Mount),
    ("ipc", Namespace::Ipc),
    ("pid", Namespace::Pid),
    ("user", Namespace::User),
    ("uts", Namespace::Uts),
    ("net", Namespace::Net),
    ("cgroup", Namespace::Cgroup),
    ("time", Namespace::Time),
];

fn namespaces(name: &str, node: &Node<'_>, faults: &mut Faults) -> Option<At<BTreeSet<Namespace>>> {
    let list = shape::list(node, faults)?;
    let mut kinds = BTreeSet::new();
    for one in list.value {
        let Some(kind) = shape::word(one, NAMESPACES, faults) else {
            continue;
        };
        if !kinds.insert(kind.value) {
            faults.error(one.place, "this namespace is listed twice");
        }
    }
    if name == NONE && !list.value.is_empty() {
        // or a single line for `none` would confine root and every systemd --user
        let what =
            "profile `none` must have no namespaces: root's logins and systemd-user depend on it";
        faults
            .error(list.place, what)
            .help("give the profile another name and a rule");
        return None;
    }
    if !list.value.is_empty() && !kinds.contains(&Namespace::Mount) {
        let what = "namespaces without \"mount\": the session's plan and mounts need it";
        faults.error(list.place, what).help("add \"mount\"");
        // one fault is enough: not also one for each key that needs it
        kinds.insert(Namespace::Mount);
    }
    Some(At {
        value: kinds,
        place: list.place,
    })
}

fn hostname(node: &Node<'_>, faults: &mut Faults) -> Option<At<Template>> {
    let text = shape::text(node, faults)?;
    match Template::hostname(text.value) {
        Ok(value) => Some(At {
            value,
            place: text.place,
        }),
        Err(why) => {
            faults.error(text.place, format!("host name `{}` {why}", text.value));
            None
        }
    }
}

/// The shell that nsshell becomes.
fn shell(node: &Node<'_>, faults: &mut Faults) -> Option<At<PathBuf>> {
    let text = shape::text(node, faults)?;
    let why = match path::plain(text.value) {
        Err(why) => why,
        Ok(_) if text.value.contains(['{', '}']) => {
            format!("`{}`: no template can be used in `shell`", text.value)
        }
        Ok(value) => match value.file_name() {
            None => "`/` is no shell".to_owned(),
            Some(name) if name == "nsshell" => {
                let what = "is nsshell itself, which has to become a real shell";
                format!("`{}` {what}", text.value)
            }
            Some(_) => {
                let place = text.place;
                return Some(At { value, place });
            }
        },
    };
    faults.error(text.place, why);
    None
}
