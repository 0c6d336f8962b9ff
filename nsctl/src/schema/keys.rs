//! The keys of the language: what each holds, means and has as its default.

use serde_json::{Value, json};

/// A key of a table of the policy.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// what it is for, as an editor shows it
    pub(super) doc: &'static str,
    /// what holds without it; none: nothing, or it must be there
    pub(super) default: Option<fn() -> Value>,
}

/// What a key holds.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    /// a text that this regular expression matches
    Pattern(&'static str),
    Truth,
    Seconds(u32, u32),
    /// how many, from and to
    Count(u32, u32),
    /// seconds, or a number with s, m, h or d
    Time,
    Word(&'static [&'static str]),
    /// names with * and ? in them, and `!` before them
    Names,
    /// numbers and ranges of numbers
    Uids,
    /// groups, each with `@`
    Groups,
    /// names of profiles, or one
    Profiles,
    Namespaces(&'static [&'static str]),
    /// private directories
    Private,
    Path,
    Rules,
    /// profiles by name
    ProfileTables,
}

const fn key(
    name: &'static str,
    kind: Kind,
    doc: &'static str,
    default: Option<fn() -> Value>,
) -> Key {
    Key {
        name,
        kind,
        doc,
        default,
    }
}

/// The keys at the top.
pub(super) const TOP: &[Key] = &[
    key(
        "rule",
        Kind::Rules,
        "Rules, each with a header [[rule]]: the first one that matches a login chooses its profile",
        None,
    ),
    key(
        "profile",
        Kind::ProfileTables,
        "Profiles, each with a header [profile.NAME]; \"none\" and \"standard\" are built in",
        None,
    ),
    key(
        "default",
        Kind::Text,
        "Profile of a login that no rule matches. Root, the accounts of services and systemd-user are left alone instead",
        Some(|| json!("standard")),
    ),
    key(
        "exempt",
        Kind::Groups,
        "Groups that are never refused, such as [\"@admins\"]: if the session of a member cannot be made, the login goes on without one, and the log says so",
        Some(|| json!([])),
    ),
];

/// The keys of `[[rule]]`.
pub(super) const RULE: &[Key] = &[
    key(
        "users",
        Kind::Names,
        "Login names and @groups, primary or supplementary; * and ? stand for other characters, an entry with ! before it takes out what it matches. Without it: every person, uid 1000 and above but not 65534",
        None,
    ),
    key(
        "uids",
        Kind::Uids,
        "User ids and ranges such as \"1000-1999\"; with ! before it an entry takes out what it matches. Uid 0 is matched only by its name in `users`",
        None,
    ),
    key(
        "services",
        Kind::Names,
        "PAM services, such as \"sshd\", \"login\", \"su*\" or \"cron\". Without it: all but \"systemd-user\", which has to be named",
        None,
    ),
    key(
        "ttys",
        Kind::Names,
        "Terminals, with or without /dev/: \"tty*\". [\"!*\"] is a login without one",
        None,
    ),
    key(
        "hosts",
        Kind::Names,
        "Where the login comes from: names, addresses and networks such as \"*.example.org\" or \"192.0.2.0/24\". [\"!*\"] is a login from this host",
        None,
    ),
    key(
        "profile",
        Kind::Text,
        "The profile of logins that this rule matches: \"none\", \"standard\" or one of [profile.NAME]",
        None,
    ),
];

/// The keys of `[profile.NAME]`.
pub(super) const PROFILE: &[Key] = &[
    key(
        "extends",
        Kind::Profiles,
        "Profiles whose settings this one takes over: of several, a later one wins over an earlier one, and the profile's own keys win over all",
        Some(|| json!([])),
    ),
    key(
        "namespaces",
        Kind::Namespaces(&[
            "mount", "ipc", "pid", "user", "uts", "net", "cgroup", "time",
        ]),
        "Namespaces to make. None leaves the login as it is; any other list has \"mount\" in it",
        Some(|| json!(["mount", "ipc", "pid", "user", "uts", "cgroup"])),
    ),
    key(
        "id_map",
        Kind::Word(&["keep", "root"]),
        "Who the user is in the user namespace: \"keep\" (the same id as outside) or \"root\" (id 0)",
        Some(|| json!("keep")),
    ),
    key(
        "ranges",
        Kind::Word(&["if-any", "required"]),
        "Users without subordinate ids: \"if-any\" (only their own id is mapped) or \"required\" (their login is refused)",
        Some(|| json!("if-any")),
    ),
    key(
        "private",
        Kind::Private,
        "Directories that are empty at the start, seen by this session only, and gone with it: paths, or tables with `path`, `size`, `mode` and `optional`",
        Some(|| {
            json!(["/tmp", { "path": "/var/tmp", "optional": true },
                { "path": "/dev/shm", "optional": true }])
        }),
    ),
    key(
        "runtime_dir",
        Kind::Truth,
        "An empty XDG_RUNTIME_DIR, which hides the user's systemd manager and bus: these would run programs outside of the session",
        Some(|| json!(true)),
    ),
    key(
        "hostname",
        Kind::Text,
        "Host name in the session, with {user}, {uid}, {group}, {hostname} and {service}. Without it the host's own",
        None,
    ),
    key(
        "shell",
        Kind::Pattern("^/"),
        "The shell that nsshell becomes, an absolute path",
        Some(|| json!("/bin/bash")),
    ),
    key(
        "require_nsshell",
        Kind::Truth,
        "Refuse users whose login shell is not nsshell: no other shell enters the user namespace",
        Some(|| json!(true)),
    ),
    key(
        "grace",
        Kind::Seconds(0, 300),
        "Seconds between SIGTERM and SIGKILL at the end of a session",
        Some(|| json!(5)),
    ),
    key(
        "timeout",
        Kind::Seconds(1, 60),
        "Seconds that making a session may take before the login is refused",
        Some(|| json!(10)),
    ),
    key(
        "on_failure",
        Kind::Word(&["deny", "unconfined"]),
        "A login whose session cannot be made: \"deny\" (refused) or \"unconfined\" (it goes on without one, and the log says so each time)",
        Some(|| json!("deny")),
    ),
    key(
        "mode",
        Kind::Word(&["enforce", "observe"]),
        "\"enforce\", or \"observe\": the session is made beside the login, which stays as it is, and the log says what would have failed",
        Some(|| json!("enforce")),
    ),
    key(
        "scope",
        Kind::Word(&["user", "session"]),
        "Who shares a session: \"user\" (all logins of a user under this profile) or \"session\" (nobody, each login has its own)",
        Some(|| json!("user")),
    ),
    key(
        "on_logout",
        Kind::Word(&["kill", "keep"]),
        "At the end of its last login a session ends with everything in it (\"kill\"), or stays while processes of it remain (\"keep\", with a pid namespace)",
        Some(|| json!("kill")),
    ),
    key(
        "keep_for",
        Kind::Time,
        "How long a session that is kept stays without a login: seconds, or a number with s, m, h or d. Without it as long as processes remain",
        None,
    ),
    key(
        "max_sessions",
        Kind::Count(1, 10_000),
        "Most logins of a user under this profile at a time; the next one is refused. Without it any number",
        None,
    ),
    key(
        "max_lifetime",
        Kind::Time,
        "Time after which a session ends, with all of its logins. Without it never",
        None,
    ),
    key(
        "idle",
        Kind::Time,
        "Time without input on any terminal of a session, after which the session ends; at least 10 s. A session without a terminal is not idle. Without it never",
        None,
    ),
    key(
        "on_policy_change",
        Kind::Word(&["join", "replace", "refuse"]),
        "A login that finds its user's session planned otherwise than the policy says now: \"join\" (shares it), \"replace\" (ends it if no login is in it, else shares it) or \"refuse\"",
        Some(|| json!("join")),
    ),
];

/// The keys of an entry of `private`.
pub(super) const PRIVATE: &[Key] = &[
    key("path", Kind::Path, "The directory", None),
    key(
        "size",
        Kind::Pattern("^0*[1-9][0-9]*[kKmMgGtT%]?$"),
        "Most that it holds: bytes with k, m, g or t, or a percentage of the memory. Without it half of the memory",
        None,
    ),
    key(
        "mode",
        Kind::Pattern("^0*1?[0-7]{1,3}$"),
        "Its permissions as chmod(1) takes them, at most \"1777\"",
        Some(|| json!("1777")),
    ),
    key(
        "optional",
        Kind::Truth,
        "No error if the host does not have the directory",
        Some(|| json!(false)),
    ),
];
