//! What can go wrong with a session, as the sentence that the administrator reads.

use std::fmt;
use std::path::PathBuf;
#[cfg(feature = "engine")]
use std::time::{Duration, Instant};

use crate::sys::Errno;

/// Every failure of the engine. Its `Display` is one line: what failed, why, and after a
/// semicolon what to do about it where that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// A system call failed.
    System {
        /// what was being done: "cannot …"
        doing: String,
        /// the kernel's reason
        errno: Errno,
        /// what else the kernel or a program said, and what to do; may be empty
        advice: String,
    },
    /// The policy, or what it makes of this login.
    #[cfg(feature = "engine")]
    Policy(nsshell_config::Error),
    /// A policy file that somebody other than root could change.
    #[cfg(feature = "engine")]
    UnsafePolicy {
        /// the file, or the directory on the way to it
        path: PathBuf,
        /// what is wrong with it
        problem: String,
    },
    /// A directory of the host in which root should act, but that others could change.
    #[cfg(feature = "engine")]
    Untrusted {
        /// the directory, or the one on the way to it
        path: PathBuf,
        /// what is wrong with it
        problem: String,
    },
    /// The account is not in the user database.
    NoSuchUser(String),
    /// The account phase refuses this login shell.
    WrongShell {
        /// login name
        user: String,
        /// the login shell that the account has
        shell: PathBuf,
        /// the one it has to have
        wanted: PathBuf,
        /// the profile that says so
        profile: String,
    },
    /// A program that is needed is missing.
    Missing {
        /// its absolute path
        program: String,
        /// what brings it
        remedy: &'static str,
    },
    /// A program ended badly.
    Program {
        /// its absolute path
        program: String,
        /// how it ended: "exit status 1", "signal 9"
        ended: String,
        /// the last line that it printed, control characters escaped; may be empty
        said: String,
    },
    /// Something took longer than it may.
    TooSlow {
        /// what: "newuidmap", "the session's init"
        what: String,
        /// the limit, in seconds
        limit: u64,
    },
    /// The policy says no to this login, whatever it says about failures.
    #[cfg(feature = "engine")]
    Refused(String),
    /// A check after the act shows that something is not as it should be.
    NotAsPlanned(String),
    /// A message between the parts of a session makes no sense.
    Protocol(&'static str),
    /// What the other side of a socket said about its failure, already a sentence.
    Said(String),
}

impl Error {
    /// A failed system call with no advice.
    pub fn system(doing: impl Into<String>, errno: Errno) -> Self {
        Self::System {
            doing: doing.into(),
            errno,
            advice: String::new(),
        }
    }

    /// A failed system call, and what to do about it; the advice may be empty.
    #[cfg(feature = "engine")]
    pub(crate) fn advised(doing: impl Into<String>, errno: Errno, advice: &str) -> Self {
        Self::System {
            doing: doing.into(),
            errno,
            advice: advice.to_owned(),
        }
    }

    /// Something that has run since `started` without an end, as long as it was allowed to.
    #[cfg(feature = "engine")]
    pub(crate) fn too_slow(what: &str, started: Instant) -> Self {
        // To the nearest second: it had a moment less than the limit that the profile names.
        let limit = (started.elapsed() + Duration::from_millis(500))
            .as_secs()
            .max(1);
        Self::TooSlow {
            what: what.to_owned(),
            limit,
        }
    }

    /// A failed making of namespaces, with the advice that its errno suggests.
    pub fn namespaces(doing: impl Into<String>, errno: Errno) -> Self {
        let advice = nsshell_gate::advice::namespaces(errno.raw_os_error());
        Self::System {
            doing: doing.into(),
            errno,
            advice: advice.to_owned(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System {
                doing,
                errno,
                advice,
            } => {
                write!(f, "{doing}: {}", describe(*errno))?;
                if advice.is_empty() {
                    Ok(())
                } else {
                    write!(f, "; {advice}")
                }
            }
            #[cfg(feature = "engine")]
            Self::Policy(error) => write!(f, "{error}"),
            #[cfg(feature = "engine")]
            Self::UnsafePolicy { path, problem } => write!(
                f,
                "the policy is not used: {} {problem}; only root may be able to change the \
                 policy: chown root:root and chmod go-w it",
                path.display()
            ),
            #[cfg(feature = "engine")]
            Self::Untrusted { path, problem } => write!(
                f,
                "{} {problem}; only root may be able to change it: chown root:root and chmod \
                 go-w it, or name another one",
                path.display()
            ),
            Self::NoSuchUser(name) => {
                write!(
                    f,
                    "user \"{}\" is not in the user database",
                    name.escape_debug()
                )
            }
            Self::WrongShell {
                user,
                shell,
                wanted,
                profile,
            } => {
                let (shell, wanted) = (shell.display(), wanted.display());
                write!(
                    f,
                    "the login shell of {user} is {shell}, but profile \"{profile}\" has a user \
                     namespace, which only {wanted} enters; "
                )?;
                let name = shell.to_string();
                if name.ends_with("nologin") || name.ends_with("false") {
                    // That shell is there on purpose.
                    return write!(f, "leave this account unconfined by a rule");
                }
                write!(
                    f,
                    "run `usermod --shell {wanted} {user}`, or set require_nsshell = false in the \
                     profile"
                )
            }
            Self::Missing { program, remedy } => write!(f, "{program} is missing; {remedy}"),
            Self::Program {
                program,
                ended,
                said,
            } => {
                write!(f, "{program} failed with {ended}")?;
                if said.is_empty() {
                    Ok(())
                } else {
                    write!(f, ": {said}")
                }
            }
            Self::TooSlow { what, limit } => {
                write!(f, "{what} did not finish within {limit} s and was ended")
            }
            #[cfg(feature = "engine")]
            Self::Refused(why) => write!(f, "{why}"),
            Self::NotAsPlanned(what) => write!(f, "{what}"),
            Self::Protocol(what) => write!(
                f,
                "the parts of nsshell do not fit together: {what}; \
                 are they all of one version?"
            ),
            Self::Said(sentence) => write!(f, "{sentence}"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(feature = "engine")]
impl From<nsshell_config::Error> for Error {
    fn from(error: nsshell_config::Error) -> Self {
        Self::Policy(error)
    }
}

/// "No such file or directory", without the "(os error 2)" that std adds.
fn describe(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

/// Text from outside, made fit for one line of a log: control characters escaped, cut short.
#[must_use]
pub fn one_line(text: &[u8]) -> String {
    const LONGEST: usize = 300;
    let text = String::from_utf8_lossy(text);
    let last = text
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let mut line: String = last
        .trim()
        .chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect();
    // escape_debug also escapes quotes, which read better bare.
    line = line.replace("\\'", "'").replace("\\\"", "\"");
    line
}
