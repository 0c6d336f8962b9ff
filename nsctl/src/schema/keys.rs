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
    /// a list of paths, or tables with a path
    Entries,
    Binds,
    Home,
    /// names of sockets, or paths
    Expose(&'static [&'static str]),
    /// a program and its arguments
    Command,
    /// names of variables of an environment
    Variables,
    /// options of a bind
    Options(&'static [&'static str]),
    Inodes,
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
        "Profiles, each with a header [profile.NAME]; \"none\", \"standard\", \"lab\", \"kiosk\" and \"sftp-only\" are built in",
        None,
    ),
    key(
        "default",
        Kind::Text,
        "Profile of a login that no rule matches. Root and the accounts of services are left alone instead",
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
        "The profile of logins that this rule matches: \"none\", \"standard\", \"lab\", \"kiosk\", \"sftp-only\" or one of [profile.NAME]",
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
        "Directories that are empty at the start, seen by this session only, and gone with it: paths, or tables with `path`, `size`, `inodes`, `mode` and `optional`. With `instance` they are on disk, one for each user or session",
        Some(|| {
            json!(["/tmp", { "path": "/var/tmp", "optional": true },
                { "path": "/dev/shm", "optional": true }])
        }),
    ),
    key(
        "runtime_dir",
        Kind::Truth,
        "An empty XDG_RUNTIME_DIR, which hides the user's systemd manager and bus, and keeps the manager from being started: these would run programs outside of the session",
        Some(|| json!(true)),
    ),
    key(
        "home",
        Kind::Home,
        "The home directory: \"real\", \"read-only\" or \"ephemeral\" (changes are gone at the end), or a table with `kind`, `skeleton`, `store`, `size` and `inodes`",
        Some(|| json!("real")),
    ),
    key(
        "hide_homes",
        Kind::Entries,
        "Directories with home directories in them, of which only the user's own is seen, such as [\"/home\"]",
        Some(|| json!([])),
    ),
    key(
        "binds",
        Kind::Binds,
        "Files and directories of the host at a place of the session: paths, or tables with `source`, `target`, `options`, `recursive`, `propagation`, `ids` and `optional`",
        Some(|| json!([])),
    ),
    key(
        "read_only",
        Kind::Entries,
        "What nothing can be written in, with all mounts beneath; [\"/\"] is everything",
        Some(|| json!([])),
    ),
    key(
        "masked",
        Kind::Entries,
        "Files and directories that are seen as empty and cannot be opened",
        Some(|| json!([])),
    ),
    key(
        "unmounted",
        Kind::Entries,
        "Mounts of the host that are taken off",
        Some(|| json!([])),
    ),
    key(
        "proc",
        Kind::Word(&["all", "pids"]),
        "What is in /proc: \"all\", or \"pids\" (processes, and nothing about the host)",
        Some(|| json!("all")),
    ),
    key(
        "hidepid",
        Kind::Word(&["off", "noaccess", "invisible", "ptraceable"]),
        "What is seen of processes of other users in the session: \"off\" (everything), \"noaccess\" (that they exist), \"invisible\" (nothing) or \"ptraceable\" (only those that one may trace)",
        Some(|| json!("off")),
    ),
    key(
        "dev",
        Kind::Word(&["host", "minimal"]),
        "\"host\", or \"minimal\": null, zero, full, random, urandom, terminals and shared memory",
        Some(|| json!("host")),
    ),
    key(
        "sys",
        Kind::Word(&["host", "read-only", "hidden"]),
        "\"host\", \"read-only\" or \"hidden\" (nothing but the control groups)",
        Some(|| json!("host")),
    ),
    key(
        "root",
        Kind::Pattern("^/"),
        "Another directory of the host as root, read-only; \"/\" is the host's own",
        Some(|| json!("/")),
    ),
    key(
        "expose",
        Kind::Expose(&["x11", "wayland", "ssh-agent", "gpg-agent", "dbus-session"]),
        "Sockets that are seen in spite of private directories and the empty runtime directory: names or paths. Each opens a way out of the session",
        Some(|| json!([])),
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
        "command",
        Kind::Command,
        "A program with its arguments that nsshell becomes in place of the shell; what the client asked for is in NSSHELL_ORIGINAL_COMMAND",
        Some(|| json!([])),
    ),
    key(
        "pass_environment",
        Kind::Variables,
        "Names of further variables of the login that `command` gets. Its environment is made from the plan otherwise",
        Some(|| json!([])),
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
        Kind::Pattern(SIZE),
        "Most that it holds: bytes with k, m, g or t, or a percentage of the memory. Without it 10%",
        None,
    ),
    key("inodes", Kind::Inodes, INODES, None),
    key(
        "mode",
        Kind::Pattern("^0*1?[0-7]{1,3}$"),
        "Its permissions as chmod(1) takes them, at most \"1777\"; an instance has those of the directory if this is not set",
        Some(|| json!("1777")),
    ),
    key(
        "instance",
        Kind::Pattern("^/"),
        "A directory on disk that is seen there, with {user}, {uid}, {group}, {hostname}, {service}, {session}, {level} or {context}: each value is another directory, made at its first login",
        None,
    ),
    key(
        "contents",
        Kind::Word(&["keep", "empty"]),
        "What becomes of what is in an instance: \"keep\", or \"empty\" when the last session that has it ends",
        None,
    ),
    key(
        "skeleton",
        Kind::Pattern("^/"),
        "What is copied into an instance when it is made",
        None,
    ),
    key(
        "optional",
        Kind::Truth,
        "No error if the host does not have the directory",
        Some(|| json!(false)),
    ),
];

const INODES: &str = "Most files and directories in it, from 1 to 2147483647";

/// The keys of an entry of `hide_homes`, `read_only`, `masked` and `unmounted`.
pub(super) const ENTRY: &[Key] = &[
    key("path", Kind::Pattern("^/"), "The file or directory", None),
    key(
        "optional",
        Kind::Truth,
        "No error if the host does not have it",
        Some(|| json!(false)),
    ),
];

/// The keys of `home`.
pub(super) const HOME: &[Key] = &[
    key(
        "kind",
        Kind::Word(&["real", "read-only", "ephemeral"]),
        "\"real\", \"read-only\" or \"ephemeral\"",
        None,
    ),
    key(
        "skeleton",
        Kind::Pattern("^/"),
        "A directory to begin with in place of the real home",
        None,
    ),
    key(
        "store",
        Kind::Pattern("^/"),
        "A directory on disk in which changes lie until the end, in place of the memory",
        None,
    ),
    key(
        "size",
        Kind::Pattern(SIZE),
        "Most that changes in memory hold",
        None,
    ),
    key("inodes", Kind::Inodes, INODES, None),
];

const SIZE: &str = "^0*[1-9][0-9]*[kKmMgGtT%]?$";

/// The keys of an entry of `binds`.
pub(super) const BIND: &[Key] = &[
    key("source", Kind::Path, "What of the host it is", None),
    key(
        "target",
        Kind::Path,
        "Where it is seen; without it where it is on the host",
        None,
    ),
    key(
        "options",
        Kind::Options(&["ro", "nosuid", "nodev", "noexec"]),
        "Options as mount(8) has them",
        Some(|| json!([])),
    ),
    key(
        "recursive",
        Kind::Truth,
        "With the mounts beneath it",
        Some(|| json!(true)),
    ),
    key(
        "propagation",
        Kind::Word(&["private", "slave", "shared"]),
        "Whether later mounts of the host beneath it show (\"slave\"), not (\"private\"), or mounts of the session on the host as well (\"shared\")",
        Some(|| json!("slave")),
    ),
    key(
        "ids",
        Kind::Word(&["session", "owner"]),
        "Whose its files are: \"session\" (ids on disk are ids in the session) or \"owner\" (those of its owner are the user's); without it those whose they are",
        None,
    ),
    key(
        "optional",
        Kind::Truth,
        "No error if source or target is missing",
        Some(|| json!(false)),
    ),
];
