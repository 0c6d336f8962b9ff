//! The whole user database at once, for questions about every account of the host. A login
//! asks for one account; asking for each of fifty thousand would read /etc/group and
//! /etc/subuid as many times.

use std::collections::HashMap;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use nsshell_config::subid::{SubidFile, nsswitch_has_subid};
use nsshell_config::{Account, Error as ConfigError, Facts, Found, Host, IdKind, Range};

use crate::accounts::{self, SystemHost};
use crate::error::Error;
use crate::places::Places;
use crate::sys::users;
use crate::view::firm;

/// Everybody, and what a policy may depend on.
pub struct Inventory {
    accounts: Vec<Account>,
    by_name: HashMap<String, usize>,
    /// name of each group id
    pub(crate) groups: HashMap<u32, String>,
    /// group names by login name, without the primary one
    member_of: HashMap<String, Vec<String>>,
    /// whether the lists above are all there is: a directory service may enumerate nobody
    all_users: bool,
    all_groups: bool,
    /// none: NSS has the ranges
    ranges: Option<[SubidFile; 2]>,
    places: Places,
}

impl Inventory {
    /// Reads everything.
    ///
    /// # Errors
    /// The user database does not answer.
    pub fn new() -> Result<Self, Error> {
        let accounts = accounts::all()?;
        let by_name = (0..)
            .zip(&accounts)
            .map(|(at, one)| (one.name.clone(), at))
            .collect();
        let mut groups = HashMap::new();
        let mut member_of: HashMap<String, Vec<String>> = HashMap::new();
        let listed = users::all_groups()
            .map_err(|errno| Error::system("cannot list the groups of this host", errno))?;
        for group in listed {
            let Ok(name) = String::from_utf8(group.name) else {
                continue;
            };
            for member in group.members.into_iter().flat_map(String::from_utf8) {
                member_of.entry(member).or_default().push(name.clone());
            }
            groups.entry(group.gid).or_insert(name);
        }
        let nsswitch = accounts::read_if_there("/etc/nsswitch.conf")?;
        let ranges = match nsswitch_has_subid(&nsswitch) {
            true => None,
            false => {
                let file = |kind: IdKind| accounts::read_if_there(kind.file()).map(SubidFile::new);
                Some([file(IdKind::Uid)?, file(IdKind::Gid)?])
            }
        };
        Ok(Self {
            accounts,
            by_name,
            groups,
            member_of,
            all_users: only_files(&nsswitch, "passwd"),
            all_groups: only_files(&nsswitch, "group"),
            ranges,
            places: Places::new(),
        })
    }
}

/// Whether a database of nsswitch.conf(5) has sources only that enumerate everything.
fn only_files(nsswitch: &str, database: &str) -> bool {
    let line = nsswitch.lines().find_map(|line| {
        let (name, sources) = line.split_once(':')?;
        (name.trim() == database).then_some(sources)
    });
    let sources = line.unwrap_or("files").split('#').next().unwrap_or("");
    sources.split_whitespace().all(|source| {
        matches!(source, "files" | "compat" | "systemd" | "altfiles") || source.starts_with('[')
    })
}

impl Host for Inventory {
    fn groups(&self, account: &Account) -> Result<Vec<String>, ConfigError> {
        if !self.all_groups {
            return SystemHost::new().groups(account);
        }
        let primary = self.groups.get(&account.gid).cloned();
        let others = self
            .member_of
            .get(&account.name)
            .into_iter()
            .flatten()
            .cloned();
        Ok(primary.into_iter().chain(others).collect())
    }

    fn primary_group(&self, account: &Account) -> Result<String, ConfigError> {
        match self.groups.get(&account.gid) {
            Some(name) => Ok(name.clone()),
            None => SystemHost::new().primary_group(account),
        }
    }

    fn ranges(&self, account: &Account, kind: IdKind) -> Result<Vec<Range>, ConfigError> {
        match (&self.ranges, kind) {
            (None, _) => SystemHost::new().ranges(account, kind),
            (Some([uids, _]), IdKind::Uid) => uids.of(account),
            (Some([_, gids]), IdKind::Gid) => gids.of(account),
        }
    }

    fn hostname(&self) -> Result<String, ConfigError> {
        SystemHost::new().hostname()
    }

    fn context(&self) -> Result<String, ConfigError> {
        SystemHost::new().context()
    }
}

impl Facts for Inventory {
    fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    fn account(&self, name: &str) -> Option<Account> {
        match self.by_name.get(name).and_then(|at| self.accounts.get(*at)) {
            None if !self.all_users => accounts::by_name(name).ok(),
            found => found.cloned(),
        }
    }

    fn has_group(&self, name: &str) -> bool {
        self.groups.values().any(|group| group == name)
            || (!self.all_groups && nix::unistd::Group::from_name(name).is_ok_and(|g| g.is_some()))
    }

    fn is_open_to_all(&self, path: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).is_ok_and(|m| m.is_dir() && m.permissions().mode() & 0o002 != 0)
    }

    fn has_remote_groups(&self) -> bool {
        let nsswitch = accounts::read_if_there("/etc/nsswitch.conf");
        nsswitch.is_ok_and(|text| accounts::has_remote_groups(&text))
    }

    fn is_directory(&self, path: &Path) -> bool {
        is_there(std::fs::metadata(path), |found| found.is_dir())
    }

    fn exists(&self, path: &Path) -> bool {
        is_there(path.symlink_metadata(), |_| true)
    }

    fn loose_above(&self, path: &Path) -> Option<(PathBuf, String)> {
        let found = firm::above(path).ok().flatten();
        found.map(|loose| (loose.directory, loose.why))
    }

    fn is_program(&self, path: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt;
        let can_run = |m: Metadata| m.is_file() && m.permissions().mode() & 0o111 != 0;
        is_there(std::fs::metadata(path), can_run)
    }

    fn look(&self, path: &Path) -> Found {
        self.places.look(path)
    }
}

/// What the caller may not look at counts as there, and as what it should be.
fn is_there(looked: std::io::Result<Metadata>, is: impl Fn(Metadata) -> bool) -> bool {
    match looked {
        Ok(metadata) => is(metadata),
        Err(error) => error.kind() == ErrorKind::PermissionDenied,
    }
}
