//! What can go wrong here, and how it is told.

use std::path::PathBuf;
use std::{fmt, io};

use nsshell_config::{IdKind, Limits, printable};

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Error {
    /// the host or the engine; may be the faults of a policy
    Session(nsshell_session::Error),
    /// the policy, or what it makes of a login
    Config(nsshell_config::Error),
    /// a file that was to be checked
    Unreadable(PathBuf, io::Error),
    /// a file that was to be checked is not text
    NotText(PathBuf),
    /// no file of the policy can be here
    NoPlace(PathBuf),
    /// the policy is refused for whoever could change it, and has faults as well
    UnsafeAndFaulty(Box<nsshell_session::Error>, Box<nsshell_config::Error>),
    /// standard output or error is gone or full
    Output(io::Error),
    /// subordinate ids are to be given, and a name service has them: the sources
    RangesElsewhere(String),
    /// subordinate ids are to be given, and a line of their file makes no sense
    RangesUnclear(IdKind),
    /// there are not enough subordinate ids left for one more user
    NoRangeFree(IdKind, Limits),
    /// no session has a name that begins so
    NoSession(String),
    /// several live sessions have: their names
    Ambiguous(String, Vec<String>),
    /// the session does not live: its name and why
    DeadSession(String, String),
    /// the name of a session that lives, and whose record is of another version
    UnreadableSession(String),
    /// a user, by name, who has no session
    NothingToEnd(String),
    /// the log has no line about a session: its name, where was looked, and what could not be read
    NoLog(String, Vec<String>),
    /// a login would be refused: why
    Refused(String),
    /// what was found wrong, which is told already
    Told,
    /// a value that JSON cannot hold
    Json(serde_json::Error),
}

impl From<nsshell_session::Error> for Error {
    fn from(error: nsshell_session::Error) -> Error {
        match error {
            nsshell_session::Error::Policy(error) => Error::Config(error),
            other => Error::Session(other),
        }
    }
}

impl From<nsshell_config::Error> for Error {
    fn from(error: nsshell_config::Error) -> Error {
        Error::Config(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::Output(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Session(error) => write!(f, "{error}"),
            Error::Config(error) => write!(f, "{error}"),
            Error::Unreadable(path, error) => {
                write!(
                    f,
                    "cannot read {}: {error}",
                    printable(&path.to_string_lossy())
                )
            }
            Error::NotText(path) => {
                write!(
                    f,
                    "{} is not UTF-8 text",
                    printable(&path.to_string_lossy())
                )
            }
            Error::NoPlace(path) => write!(
                f,
                "no file of the policy can be at {}: the places are /etc/nsshell/nsshell.toml, and \
                 NAME.toml in /etc/nsshell/conf.d or /usr/lib/nsshell",
                printable(&path.to_string_lossy())
            ),
            Error::UnsafeAndFaulty(error, faults) => write!(f, "{error}; {faults}"),
            Error::RangesElsewhere(sources) => write!(
                f,
                "subordinate ids of this host come from `subid: {}` in /etc/nsswitch.conf, and \
                 nobody would read what usermod writes; give them there",
                printable(sources)
            ),
            Error::RangesUnclear(kind) => write!(
                f,
                "a line of {} makes no sense, so nobody knows which ids are free; mend it first, \
                 `nsctl ranges` shows it",
                kind.file()
            ),
            Error::NoRangeFree(kind, limits) => {
                let id = kind.to_string().to_uppercase();
                write!(
                    f,
                    "no {} {kind}s in a row are free from {} to {}, so nothing was changed; see \
                     SUB_{id}_MAX and SUB_{id}_COUNT in /etc/login.defs",
                    limits.count, limits.first, limits.last
                )
            }
            Error::NoSession(name) => write!(
                f,
                "no session has a name that begins with \"{}\"; `nsctl ls` lists those that you \
                 may see",
                printable(name)
            ),
            Error::Ambiguous(name, found) => write!(
                f,
                "\"{}\" is the beginning of {} sessions, {}; type more of the name",
                printable(name),
                found.len(),
                found.join(", ")
            ),
            Error::DeadSession(name, why) => write!(
                f,
                "session {} is dead: {why}; `nsctl gc` removes what it has left",
                printable(name)
            ),
            Error::UnreadableSession(name) => write!(
                f,
                "session {} lives, but its record is not of this version of nsshell; it ends with \
                 its last login",
                printable(name)
            ),
            Error::NothingToEnd(user) => write!(
                f,
                "{} has no live session; `nsctl ls` lists whose there are",
                printable(user)
            ),
            Error::NoLog(name, looked) => write!(
                f,
                "no line about session {} was found: {}; root can read every log",
                printable(name),
                looked.join(", ")
            ),
            Error::Refused(why) => f.write_str(why),
            Error::Told => f.write_str("errors were found"),
            Error::Output(error) => write!(f, "cannot write the result: {error}"),
            Error::Json(error) => write!(f, "cannot write the result as JSON: {error}"),
        }
    }
}

/// The error for a terminal: faults of a policy each with their source line, and every other
/// error in one line with the program's name.
pub(crate) fn report(error: &Error) -> String {
    match error {
        Error::Config(faults) if !faults.diagnostics().is_empty() => format!("{faults:#}"),
        Error::UnsafeAndFaulty(error, faults) => format!("nsctl: {error}\n{faults:#}"),
        other => format!("nsctl: {other}"),
    }
}

/// Tells a failed writing of JSON apart from a value that JSON cannot hold.
pub(crate) fn json(error: serde_json::Error) -> Error {
    match error.io_error_kind() {
        Some(kind) => Error::Output(kind.into()),
        None => Error::Json(error),
    }
}
