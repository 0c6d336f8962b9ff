//! What the host's user database says (NSS): accounts, groups, subordinate ids.

use std::ffi::{CString, OsString};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, Instant};

use nix::unistd::{Gid, Group, User};
use nsshell_config::{Account, Host, IdKind, Range, subid};

use crate::error::Error;
use crate::program::{self, As};
use crate::sys::Errno;

const GETSUBIDS: &str = "/usr/bin/getsubids";

/// The account of this login name.
///
/// # Errors
/// There is none, or the user database does not answer.
pub fn by_name(name: &str) -> Result<Account, Error> {
    found(name, User::from_name(name))
}

/// The account of this user id.
///
/// # Errors
/// There is none, or the user database does not answer.
pub fn by_uid(uid: u32) -> Result<Account, Error> {
    found(&uid.to_string(), User::from_uid(uid.into()))
}

fn found(asked: &str, answer: nix::Result<Option<User>>) -> Result<Account, Error> {
    match answer {
        Ok(Some(user)) => Ok(Account {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            home: user.dir,
            shell: user.shell,
        }),
        Ok(None) => Err(Error::NoSuchUser(asked.to_owned())),
        Err(errno) => {
            let errno = Errno::from_raw_os_error(errno as i32);
            Err(Error::system(
                format!("cannot look up user \"{}\"", asked.escape_debug()),
                errno,
            ))
        }
    }
}

/// The groups that a login of this account has, the primary one among them.
///
/// # Errors
/// The user database does not answer.
pub fn group_ids(account: &Account) -> Result<Vec<u32>, Error> {
    let failed = |errno: i32| {
        let doing = format!(
            "cannot look up the groups of \"{}\"",
            account.name.escape_debug()
        );
        Error::system(doing, Errno::from_raw_os_error(errno))
    };
    let name =
        CString::new(account.name.as_bytes()).map_err(|_| failed(Errno::INVAL.raw_os_error()))?;
    let ids = nix::unistd::getgrouplist(&name, Gid::from_raw(account.gid))
        .map_err(|errno| failed(errno as i32))?;
    Ok(ids.into_iter().map(Gid::as_raw).collect())
}

/// Everybody whom the name service enumerates, each name once: of two entries the first one
/// counts, as it does for a login. A directory service may be set to enumerate nobody.
/// Not for a program with threads: see [`crate::sys::users`].
///
/// # Errors
/// The user database does not answer.
pub fn all() -> Result<Vec<Account>, Error> {
    let users = crate::sys::users::all_users()
        .map_err(|errno| Error::system("cannot list the users of this host", errno))?;
    let mut seen = std::collections::HashSet::new();
    let mut accounts = Vec::with_capacity(users.len());
    for user in users {
        // No login has a name that is no UTF-8; see the helper.
        let Ok(name) = String::from_utf8(user.name) else {
            continue;
        };
        if seen.insert(name.clone()) {
            let path = |bytes: Vec<u8>| std::path::PathBuf::from(OsString::from_vec(bytes));
            accounts.push(Account {
                name,
                uid: user.uid,
                gid: user.gid,
                home: path(user.home),
                shell: path(user.shell),
            });
        }
    }
    Ok(accounts)
}

/// This host.
pub struct SystemHost {
    /// until when a program that is asked may answer
    deadline: Instant,
}

impl SystemHost {
    /// This host, which has ten seconds to answer.
    #[must_use]
    pub fn new() -> Self {
        Self {
            deadline: Instant::now() + Duration::from_secs(10),
        }
    }
}

impl Default for SystemHost {
    fn default() -> Self {
        Self::new()
    }
}

impl Host for SystemHost {
    fn groups(&self, account: &Account) -> Result<Vec<String>, nsshell_config::Error> {
        let failed =
            |errno: nix::Error| host_error("cannot look up the user's groups", errno as i32);
        let name = CString::new(account.name.as_bytes())
            .map_err(|_| host_error("the user's name has a NUL", Errno::INVAL.raw_os_error()))?;
        let ids = nix::unistd::getgrouplist(&name, Gid::from_raw(account.gid)).map_err(failed)?;
        let ids: Vec<u32> = ids.into_iter().map(Gid::as_raw).collect();
        let mut names = vec![None; ids.len()];
        if files_first(&read_if_there("/etc/nsswitch.conf")?) {
            names_in_file(
                &fs::read("/etc/group").unwrap_or_default(),
                &ids,
                &mut names,
            );
        }
        for (name, id) in names.iter_mut().zip(&ids) {
            if name.is_none() {
                // A group without a name cannot be meant by a rule.
                let group = Group::from_gid(Gid::from_raw(*id)).map_err(failed)?;
                *name = group.map(|group| group.name);
            }
        }
        Ok(names.into_iter().flatten().collect())
    }

    fn primary_group(&self, account: &Account) -> Result<String, nsshell_config::Error> {
        match Group::from_gid(Gid::from_raw(account.gid)) {
            Ok(group) => Ok(group.map_or_else(|| account.gid.to_string(), |group| group.name)),
            Err(errno) => Err(host_error(
                "cannot look up the user's primary group",
                errno as i32,
            )),
        }
    }

    fn ranges(&self, account: &Account, kind: IdKind) -> Result<Vec<Range>, nsshell_config::Error> {
        let nsswitch = read_if_there("/etc/nsswitch.conf")?;
        if subid::nsswitch_has_subid(&nsswitch) {
            return self.ask_getsubids(account, kind);
        }
        subid::parse_subid(&read_if_there(kind.file())?, account)
    }

    fn hostname(&self) -> Result<String, nsshell_config::Error> {
        let name = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        Ok(name)
    }
}

impl SystemHost {
    /// Subordinate ids of an NSS source such as sssd: shadow's own program asks it.
    fn ask_getsubids(
        &self,
        account: &Account,
        kind: IdKind,
    ) -> Result<Vec<Range>, nsshell_config::Error> {
        let mut arguments = vec![account.name.clone()];
        if kind == IdKind::Gid {
            arguments.insert(0, "-g".to_owned());
        }
        let remedy = "nsswitch.conf has a line `subid:`, so install the package uidmap (Debian) \
                      or shadow-utils-subid (Fedora)";
        let output = program::start(GETSUBIDS, remedy, &arguments, As::Caller)
            .and_then(|running| running.finish(self.deadline));
        match output {
            Ok(output) => subid::parse_getsubids(&String::from_utf8_lossy(&output), account),
            // It fails in this one way for a user who has no range.
            Err(Error::Program { said, .. }) if said.contains("Error fetching ranges") => {
                Ok(Vec::new())
            }
            Err(error) => Err(nsshell_config::Error::Host {
                what: error.to_string(),
                errno: None,
            }),
        }
    }
}

/// Whether the name service looks for groups in /etc/group first, and takes what it finds there
/// (nsswitch.conf(5)). In doubt it is false.
fn files_first(nsswitch: &str) -> bool {
    let plain = nsswitch
        .lines()
        .map(|line| line.split('#').next().unwrap_or(""));
    let mut lines = plain.filter_map(|line| {
        let (database, sources) = line.split_once(':')?;
        database
            .trim()
            .eq_ignore_ascii_case("group")
            .then_some(sources)
    });
    let (Some(sources), None) = (lines.next(), lines.next()) else {
        return false;
    };
    let mut sources = sources.split_ascii_whitespace();
    // an action in brackets may say that what is found does not count
    sources.next() == Some("files") && !sources.any(|source| source.contains('['))
}

/// Fills in the names of group ids as /etc/group has them: one pass for all of them, where
/// getgrgid(3) makes one for each, and a user may be in many groups of a long file. Of two lines
/// with one id the first counts, as it does there; so from a line on that is written in any
/// unusual way the rest is left to getgrgid(3).
fn names_in_file(text: &[u8], ids: &[u32], names: &mut [Option<String>]) {
    let mut missing = ids.len();
    for line in text.split(|byte| *byte == b'\n') {
        if missing == 0 {
            return;
        }
        if line.is_empty() || line.first() == Some(&b'#') {
            continue;
        }
        let Some((name, id)) = group_line(line) else {
            return;
        };
        for (wanted, known) in ids.iter().zip(names.iter_mut()) {
            if *wanted == id && known.is_none() {
                *known = Some(name.to_owned());
                missing -= 1;
            }
        }
    }
}

/// Name and id of a line that group(5) describes and that can be read in one way only.
fn group_line(line: &[u8]) -> Option<(&str, u32)> {
    let mut fields = line.splitn(4, |byte| *byte == b':');
    let (name, _, id, members) = (
        fields.next()?,
        fields.next()?,
        fields.next()?,
        fields.next()?,
    );
    let odd = |byte: &u8| *byte <= b' ' || *byte == 0x7f;
    if name.is_empty() || matches!(name.first(), Some(b'+' | b'-')) || name.iter().any(odd) {
        return None;
    }
    if members.contains(&0) || members.contains(&b':') || !id.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let id = std::str::from_utf8(id).ok()?.parse().ok()?;
    Some((std::str::from_utf8(name).ok()?, id))
}

pub(crate) fn read_if_there(path: &str) -> Result<String, nsshell_config::Error> {
    match fs::read(path) {
        // not copied unless it has to be: the file may have a line for each of many users
        Ok(bytes) => Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => {
            let what = format!("cannot read {path}");
            Err(nsshell_config::Error::Host {
                what,
                errno: error.raw_os_error(),
            })
        }
    }
}

fn host_error(what: &str, errno: i32) -> nsshell_config::Error {
    nsshell_config::Error::Host {
        what: what.to_owned(),
        errno: Some(errno),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn groups_are_read_from_the_file_only_where_the_name_service_does_so_first() {
        let cases = [
            ("group: files systemd\n", true),
            ("passwd: sss\ngroup:\tfiles # sss\n", true),
            ("group: files", true),
            ("", false),
            ("group: sss files\n", false),
            ("group: compat\n", false),
            ("#group: files\n", false),
            ("group: files\ngroup: sss\n", false),
            ("group: files [SUCCESS=merge] sss\n", false),
            ("group: files[!SUCCESS=return]\n", false),
            ("initgroups: files\n", false),
        ];
        for (text, want) in cases {
            assert_eq!(files_first(text), want, "{text:?}");
        }
    }

    fn named(text: &str, ids: &[u32]) -> Vec<Option<String>> {
        let mut names = vec![None; ids.len()];
        names_in_file(text.as_bytes(), ids, &mut names);
        names
    }

    #[test]
    fn the_first_line_of_a_group_id_names_it_and_an_odd_line_ends_the_reading() {
        let some = |name: &str| Some(name.to_owned());
        let text = "root:x:0:\n# c\n\nstaff:x:50:a,b\nother:x:50:\n";
        assert_eq!(
            named(text, &[50, 0, 51, 50]),
            [some("staff"), some("root"), None, some("staff")]
        );
        let odd = [
            "+",
            "-x:x:9:",
            " a:x:9:",
            "a:x: 9:",
            "a:x:+9:",
            "a:x:9",
            "a:x:9:b:c",
            ":x:9:",
            "a:x::",
            "a:x:4294967296:",
            "a b:x:9:",
            "a:x:9:\0",
        ];
        for odd in odd {
            let text = format!("root:x:0:\n{odd}\nstaff:x:9:\n");
            assert_eq!(named(&text, &[0, 9]), [some("root"), None], "{odd:?}");
        }
    }

    #[test]
    fn the_names_from_the_file_are_those_of_the_name_service() {
        let nsswitch = read_if_there("/etc/nsswitch.conf").unwrap();
        let text = fs::read("/etc/group").unwrap_or_default();
        let ids: Vec<u32> = (0..2000).collect();
        let mut names = vec![None; ids.len()];
        names_in_file(&text, &ids, &mut names);
        if !files_first(&nsswitch) {
            return;
        }
        for (id, name) in ids.into_iter().zip(names) {
            if let Some(name) = name {
                let group = Group::from_gid(Gid::from_raw(id)).unwrap().unwrap();
                assert_eq!(name, group.name, "{id}");
            }
        }
    }
}
