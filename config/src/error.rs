//! Everything that can keep a login from getting a plan.

use std::{fmt, io};

use crate::diagnostic::{Diagnostic, printable};
use crate::host::{IdKind, Range, RangeFault};
use crate::idmap::{MAX_LINES, MAX_TEXT};
use crate::plan::Matched;

/// Why there is no policy or no plan. `Display` is one line for the log; `{:#}` shows all
/// faults of a policy file with their source lines, for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// faults of the policy file, at least one, in the order of the file
    Policy(Vec<Diagnostic>),
    /// the policy file is larger than [`MAX_FILE_SIZE`](crate::MAX_FILE_SIZE); sizes in bytes
    PolicySize {
        /// the file
        file: String,
        /// its size
        size: usize,
    },
    /// no rule matches a login that has to be confined
    NoRule {
        /// login name
        user: String,
        /// PAM service
        service: String,
    },
    /// the user's systemd manager, which would run programs outside of the user's sessions
    UserManager {
        /// login name
        user: String,
        /// the profile that confines a login of theirs
        profile: String,
        /// the rule that gives it
        rule: Matched,
    },
    /// the profile requires subordinate ids and the user has none of this kind
    NoRange {
        /// login name
        user: String,
        /// which kind is missing
        kind: IdKind,
    },
    /// a subordinate range of the user is refused
    BadRange {
        /// where it is from: "/etc/subuid", "getsubids"; none: not known yet
        source: Option<String>,
        /// line there, from 1
        line: Option<usize>,
        /// the range as it is written there
        range: String,
        /// what is wrong with it
        fault: RangeFault,
    },
    /// the id map would need more lines, or more text, than the kernel takes
    TooManyRanges {
        /// which map; none: not known yet
        kind: Option<IdKind>,
    },
    /// 4294967295 is no user and no group: setresuid(2) takes it for "leave it as it is"
    NoSuchId {
        /// login name, if known
        user: Option<String>,
    },
    /// a user namespace for uid 0 would map the host's root
    RootUserNamespace {
        /// login name
        user: String,
        /// the profile that asks for it
        profile: String,
    },
    /// the host name template of a profile gives no valid name for this login
    Hostname {
        /// the profile
        profile: String,
        /// what the template gave
        name: String,
        /// what is wrong with it
        why: &'static str,
    },
    /// a private directory of a profile gives no valid path for this login
    Private {
        /// the profile
        profile: String,
        /// the path as the profile has it
        template: String,
        /// what is wrong with what the template gave
        why: String,
    },
    /// a key of a profile cannot be carried out for this login
    View {
        /// the profile
        profile: String,
        /// the key
        key: &'static str,
        /// what is wrong
        why: String,
    },
    /// the policy has more files than are read
    TooManyFiles {
        /// the directory, or what else they are in
        place: String,
        /// how many are read
        most: usize,
    },
    /// the host did not answer
    Host {
        /// what was tried, with the path or name: "open /etc/subuid"
        what: String,
        /// the system's error number, if it was the system that refused
        errno: Option<i32>,
    },
}

impl Error {
    /// The faults of the policy file, if that is what this is about.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Error::Policy(found) => found,
            _ => &[],
        }
    }

    /// Fills in which file or map an error about ranges is about, where that is still open.
    #[must_use]
    pub(crate) fn about(self, of: IdKind) -> Error {
        match self {
            Error::BadRange {
                source: None,
                line,
                range,
                fault,
            } => Error::BadRange {
                source: Some(of.file().to_owned()),
                line,
                range,
                fault,
            },
            Error::TooManyRanges { kind: None } => Error::TooManyRanges { kind: Some(of) },
            other => other,
        }
    }

    pub(crate) fn bad_range(range: Range, fault: RangeFault) -> Error {
        Error::BadRange {
            source: None,
            line: None,
            range: range.to_string(),
            fault,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Policy(found) if f.alternate() => {
                for (at, diagnostic) in found.iter().enumerate() {
                    let end = if at == 0 { "" } else { "\n" };
                    write!(f, "{end}{diagnostic:#}")?;
                }
                Ok(())
            }
            Error::Policy(found) => match found.as_slice() {
                [] => write!(f, "the policy is not valid"),
                [one] => write!(f, "{one}"),
                [first, rest @ ..] => {
                    write!(f, "{first} (and {} more; see `nsctl check`)", rest.len())
                }
            },
            Error::PolicySize { file, size } => write!(
                f,
                "{} has {size} bytes; a policy has at most {}",
                printable(file),
                crate::MAX_FILE_SIZE
            ),
            Error::NoRule { user, service } => write!(
                f,
                "no rule of the policy matches user `{}` with service `{}`; add a rule without \
                 users and services at the end",
                printable(user),
                printable(service)
            ),
            Error::UserManager {
                user,
                profile,
                rule: Matched { file, line },
            } => write!(
                f,
                "the systemd manager of user `{}` would run programs outside of the sessions that \
                 profile `{profile}` ({}, line {line}) gives; to let it, add a rule for the \
                 service \"systemd-user\" with profile \"none\"",
                printable(user),
                printable(file)
            ),
            Error::NoRange { user, kind } => {
                let user = printable(user);
                write!(
                    f,
                    "user `{user}` has no subordinate {kind}s; give some with `nsctl ranges \
                     --allocate {user}`"
                )
            }
            Error::BadRange {
                source,
                line,
                range,
                fault,
            } => {
                f.write_str(source.as_deref().unwrap_or("subordinate ids"))?;
                if let Some(line) = line {
                    write!(f, ", line {line}")?;
                }
                write!(
                    f,
                    ": range `{}` {fault}; correct or remove it",
                    printable(range)
                )
            }
            Error::TooManyRanges { kind } => {
                let (map, file) = match kind {
                    Some(kind) => (kind.to_string(), kind.file()),
                    None => ("id".to_owned(), "the subordinate ids"),
                };
                write!(
                    f,
                    "the {map} map would need more than the kernel's {MAX_LINES} lines or \
                     {MAX_TEXT} bytes; give the user fewer and larger ranges in {file}"
                )
            }
            Error::NoSuchId { user: Some(user) } => write!(
                f,
                "user `{}` has the id 4294967295, which means no id at all; give the account \
                 another id",
                printable(user)
            ),
            Error::NoSuchId { user: None } => {
                write!(f, "id 4294967295 means no id at all and cannot be mapped")
            }
            Error::RootUserNamespace { user, profile } => write!(
                f,
                "user `{}` cannot be given the user namespace of profile `{profile}`, which would \
                 map the host's root; choose a profile without it",
                printable(user)
            ),
            Error::Hostname { profile, name, why } => write!(
                f,
                "the host name `{}` of profile `{profile}` {why}; change `hostname` in the profile",
                printable(name)
            ),
            Error::Private {
                profile,
                template,
                why,
            } => write!(
                f,
                "the private directory `{}` of profile `{profile}` cannot be made for this login: \
                 {}; change `private` in the profile",
                printable(template),
                printable(why)
            ),
            Error::View { profile, key, why } => write!(
                f,
                "`{key}` of profile `{profile}` cannot be carried out for this login: {}; change \
                 `{key}` in the profile",
                printable(why)
            ),
            Error::TooManyFiles { place, most } => write!(
                f,
                "{} has more than {most} files of a policy; put some of them together",
                printable(place)
            ),
            Error::Host { what, errno } => {
                write!(f, "{}", printable(what))?;
                match errno {
                    Some(errno) => write!(f, ": {}", reason(*errno)),
                    None => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for Error {}

/// The system's words for an error number, without the number.
fn reason(errno: i32) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
