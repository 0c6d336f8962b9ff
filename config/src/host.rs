//! What the host has to say: the only way in for facts that are not in the policy.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::{Account, Error, Found};

/// The host as [`resolve`](crate::resolve) sees it. The engine asks the user database; a test
/// answers from a table.
pub trait Host {
    /// Names of the account's groups, the primary one and the supplementary ones.
    ///
    /// # Errors
    /// The user database does not answer. A rule may depend on it, so the login is refused.
    fn groups(&self, account: &Account) -> Result<Vec<String>, Error>;

    /// Name of the account's primary group, or its number if it has no name.
    ///
    /// # Errors
    /// The user database does not answer.
    fn primary_group(&self, account: &Account) -> Result<String, Error>;

    /// The account's subordinate ids of one kind (subuid(5), subgid(5)), in the order of the
    /// source. None is an empty list, not an error.
    ///
    /// # Errors
    /// The source cannot be read, or a line of this account makes no sense.
    fn ranges(&self, account: &Account, kind: IdKind) -> Result<Vec<Range>, Error>;

    /// The host name (gethostname(2)), without a trailing newline.
    ///
    /// # Errors
    /// The kernel does not give it, or it is no text.
    fn hostname(&self) -> Result<String, Error>;

    /// The name that the session will have, unlike that of any other live one. Where none is
    /// made it is "{session}".
    fn session(&self) -> String {
        "{session}".to_owned()
    }

    /// The SELinux context that the login's shell will have.
    ///
    /// # Errors
    /// SELinux is off, or nothing has chosen a context for the login.
    fn context(&self) -> Result<String, Error> {
        Err(Error::Host {
            what: "{level} and {context} of an instance have no value: SELinux is off on this host"
                .to_owned(),
            errno: None,
        })
    }
}

/// What can be known about a whole host, for an administrator's questions. A login needs none
/// of it.
pub trait Facts: Host {
    /// Everybody whom the name service enumerates.
    fn accounts(&self) -> &[Account];

    /// The account of this login name.
    fn account(&self, name: &str) -> Option<Account>;

    /// Whether there is a group of this name.
    fn has_group(&self, name: &str) -> bool;

    /// Whether this is a directory that everybody may write.
    fn is_open_to_all(&self, _path: &Path) -> bool {
        false
    }

    /// Whether groups come from a source that may be away.
    fn has_remote_groups(&self) -> bool {
        false
    }

    /// Whether this is a directory.
    fn is_directory(&self, path: &Path) -> bool;

    /// Whether there is anything.
    fn exists(&self, path: &Path) -> bool;

    /// The first directory above a path in which somebody else than root could move or remove
    /// what leads to it, with what is wrong with it.
    fn loose_above(&self, path: &Path) -> Option<(PathBuf, String)>;

    /// Whether this is a file that can be executed.
    fn is_program(&self, path: &Path) -> bool;

    /// What a login finds there, which follows no symbolic link.
    fn look(&self, path: &Path) -> Found {
        match self.exists(path) {
            true if self.is_directory(path) => Found::Directory,
            true => Found::File,
            false => Found::Missing,
        }
    }
}

/// User ids or group ids: they have maps and ranges of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdKind {
    /// user ids: uid_map, /etc/subuid
    Uid,
    /// group ids: gid_map, /etc/subgid
    Gid,
}

impl IdKind {
    /// The file that lists the subordinate ids of this kind.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            IdKind::Uid => "/etc/subuid",
            IdKind::Gid => "/etc/subgid",
        }
    }

    /// The usermod(8) option that gives a user more of them.
    #[must_use]
    pub fn usermod_option(self) -> &'static str {
        match self {
            IdKind::Uid => "--add-subuids",
            IdKind::Gid => "--add-subgids",
        }
    }
}

impl fmt::Display for IdKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IdKind::Uid => "uid",
            IdKind::Gid => "gid",
        })
    }
}

/// A range of subordinate ids: the host's ids `start` to `start + count - 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range {
    /// first id
    pub start: u32,
    /// how many
    pub count: u32,
}

/// Why a range of subordinate ids is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeFault {
    /// it contains id 0
    Root,
    /// it contains id 4294967295, the kernel's "no id"
    NoId,
    /// it goes on after the last id
    TooLong,
    /// it has no id
    Empty,
    /// it is not written as the manual page says: what is wrong with it
    Malformed(&'static str),
}

impl fmt::Display for RangeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RangeFault::Root => "contains id 0 and would give away the host's root",
            RangeFault::NoId => "contains id 4294967295, which means no id at all",
            RangeFault::TooLong => "goes past the last id, 4294967294",
            RangeFault::Empty => "has no id in it (count 0)",
            RangeFault::Malformed(why) => return write!(f, "is malformed: {why}"),
        })
    }
}

impl Range {
    /// Refuses a range that must never get into an id map.
    ///
    /// # Errors
    /// The first fault found.
    pub fn check(self) -> Result<(), RangeFault> {
        if self.count == 0 {
            return Err(RangeFault::Empty);
        }
        if self.start == 0 {
            return Err(RangeFault::Root);
        }
        match self.start.checked_add(self.count - 1) {
            None => Err(RangeFault::TooLong),
            Some(u32::MAX) => Err(RangeFault::NoId),
            Some(_) => Ok(()),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.start, self.count)
    }
}
