//! What the host's user database says (NSS): accounts, groups, subordinate ids.

use std::cell::{OnceCell, RefCell};
use std::ffi::{CString, OsString};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::unistd::{Gid, Group, User};
use nsshell_config::{Account, Host, IdKind, Range, group_file::Groups, subid};

use crate::error::Error;
use crate::program::{self, As};
use crate::sys::{Errno, users};

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
    let users = users::all_users()
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
    /// until when programs that are asked may answer, from the first question on
    deadline: OnceCell<Instant>,
    /// the name of the session that is made; none: none is
    session: Option<String>,
    /// whose groups were asked for last, and what they are called: one login asks several times
    groups: RefCell<Option<(Account, Vec<String>)>>,
}

impl SystemHost {
    /// This host, which has ten seconds to answer.
    #[must_use]
    pub fn new() -> Self {
        Self {
            deadline: OnceCell::new(),
            session: None,
            groups: RefCell::default(),
        }
    }

    /// The same, asked by an application that makes a session of this name.
    #[must_use]
    pub fn making(session: &str) -> Self {
        Self {
            session: Some(session.to_owned()),
            ..Self::new()
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
        let mut known = self.groups.borrow_mut();
        if known.as_ref().is_none_or(|(of, _)| of != account) {
            *known = Some((account.clone(), group_names(account)?));
        }
        Ok(known
            .as_ref()
            .map_or_else(Vec::new, |(_, names)| names.clone()))
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

    fn session(&self) -> String {
        self.session
            .clone()
            .unwrap_or_else(|| "{session}".to_owned())
    }

    fn context(&self) -> Result<String, nsshell_config::Error> {
        // Whether it enforces or not, there are contexts.
        if !Path::new("/sys/fs/selinux/enforce").exists() {
            return Err(nsshell_config::Error::Host {
                what: "{level} and {context} of an instance have no value: SELinux is off on this \
                       host; use {user} in `instance`"
                    .to_owned(),
                errno: None,
            });
        }
        if self.session.is_none() {
            return Ok("{context}:::{level}".to_owned());
        }
        // pam_selinux has chosen it for what the application executes next, the user's shell.
        let parent = rustix::process::getppid().map_or(1, |pid| pid.as_raw_nonzero().get());
        let text = read_if_there(&format!("/proc/{parent}/attr/exec"))?;
        match text.trim_end_matches(['\0', '\n']) {
            "" => Err(nsshell_config::Error::Host {
                what: "{level} and {context} of an instance have no value: no SELinux context is \
                       set for this login; put pam_selinux.so before pam_nsshell.so"
                    .to_owned(),
                errno: None,
            }),
            context => Ok(context.to_owned()),
        }
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
        let deadline = self
            .deadline
            .get_or_init(|| Instant::now() + Duration::from_secs(10));
        let output = program::start(GETSUBIDS, remedy, &arguments, As::Caller)
            .and_then(|running| running.finish(*deadline));
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

/// The names of the groups that a login of this account has.
fn group_names(account: &Account) -> Result<Vec<String>, nsshell_config::Error> {
    let failed = |errno: nix::Error| host_error("cannot look up the user's groups", errno as i32);
    let nsswitch = read_if_there("/etc/nsswitch.conf")?;
    let source = group_source(&nsswitch);
    if has_remote_groups(&nsswitch) {
        sources_answer()?;
    }
    let text = match source {
        Source::Elsewhere => String::new(),
        // a file that is no text is left to the C library
        _ => fs::read_to_string("/etc/group").unwrap_or_default(),
    };
    let file = Groups::read(&text, &account.name);
    let ids = match source {
        Source::FileAlone if !text.is_empty() => file.member_of(),
        _ => None,
    };
    let ids = match ids {
        Some(others) => {
            let others = others.iter().copied().filter(|id| *id != account.gid);
            std::iter::once(account.gid).chain(others).collect()
        }
        None => users::group_ids(&account.name, account.gid).map_err(|errno| {
            host_error("cannot look up the user's groups", errno.raw_os_error())
        })?,
    };
    let mut names = Vec::with_capacity(ids.len());
    for (name, id) in file.names(&ids).into_iter().zip(ids) {
        match name {
            Some(name) => names.push(name.to_owned()),
            // A group without a name cannot be meant by a rule.
            None => names.extend(
                Group::from_gid(Gid::from_raw(id))
                    .map_err(failed)?
                    .map(|group| group.name),
            ),
        }
    }
    Ok(names)
}

/// Where the name service has the groups (nsswitch.conf(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// in /etc/group and nowhere else
    FileAlone,
    /// in /etc/group first, and what is found there counts
    FileFirst,
    /// in doubt
    Elsewhere,
}

fn group_source(nsswitch: &str) -> Source {
    let plain = nsswitch
        .lines()
        .map(|line| line.split('#').next().unwrap_or(""));
    let lines = plain.filter_map(|line| line.split_once(':'));
    let mut found: Option<&str> = None;
    let mut members_apart = false;
    for (database, sources) in lines {
        let database = database.trim();
        members_apart |= database.eq_ignore_ascii_case("initgroups");
        if database.eq_ignore_ascii_case("group") && found.replace(sources).is_some() {
            return Source::Elsewhere;
        }
    }
    let mut sources = found.unwrap_or("").split_ascii_whitespace();
    // an action in brackets may say that what is found does not count
    if sources.next() != Some("files") || sources.clone().any(|source| source.contains('[')) {
        return Source::Elsewhere;
    }
    match sources.next() {
        None if !members_apart => Source::FileAlone,
        _ => Source::FileFirst,
    }
}

/// Whether groups may come from another host, or from a daemon that asks one, which may be away.
pub(crate) fn has_remote_groups(nsswitch: &str) -> bool {
    const LOCAL: [&str; 3] = ["files", "systemd", "db"];
    let lines = nsswitch.lines().filter_map(|line| {
        let (database, sources) = line.split('#').next()?.split_once(':')?;
        let database = database.trim();
        let groups = ["group", "initgroups"];
        let is_one = groups.iter().any(|one| database.eq_ignore_ascii_case(one));
        is_one.then_some(sources)
    });
    // between brackets stand actions
    let parts = lines.flat_map(|sources| sources.split('['));
    let sources = parts.filter_map(|part| part.rsplit(']').next());
    let mut sources = sources.flat_map(str::split_ascii_whitespace);
    sources.any(|source| !LOCAL.contains(&source))
}

/// Looks whether the last source of groups answers at all: getgrouplist(3) gives those of the
/// others if one is away, and a rule by group would miss. The name is one that no group has.
fn sources_answer() -> Result<(), nsshell_config::Error> {
    match Group::from_name("nsshell:") {
        Ok(_) => Ok(()),
        Err(errno) => Err(host_error(
            "cannot look up the user's groups: a source of groups in /etc/nsswitch.conf does not \
             answer",
            errno as i32,
        )),
    }
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
    fn groups_are_remote_if_a_source_is_asked_that_may_be_away() {
        for (line, remote) in [
            ("group: files", false),
            ("group: files systemd", false),
            ("group: files [SUCCESS=merge] systemd", false),
            ("group: files [ SUCCESS=merge ] systemd # sss", false),
            ("passwd: files sss", false),
            ("", false),
            ("group: files sss", true),
            ("GROUP:sss files", true),
            ("group: files\ninitgroups: files ldap", true),
            (
                "group: files [SUCCESS=merge] sss [SUCCESS=merge] systemd",
                true,
            ),
        ] {
            assert_eq!(has_remote_groups(line), remote, "{line}");
        }
    }

    #[test]
    fn groups_are_read_from_the_file_only_where_the_name_service_does_so_first() {
        use Source::{Elsewhere, FileAlone, FileFirst};
        let cases = [
            ("group: files systemd\n", FileFirst),
            ("passwd: sss\ngroup:\tfiles # sss\n", FileAlone),
            ("group: files", FileAlone),
            ("group: files\ninitgroups: sss\n", FileFirst),
            ("", Elsewhere),
            ("group: sss files\n", Elsewhere),
            ("group: compat\n", Elsewhere),
            ("#group: files\n", Elsewhere),
            ("group: files\ngroup: sss\n", Elsewhere),
            ("group: files [SUCCESS=merge] sss\n", Elsewhere),
            ("group: files[!SUCCESS=return]\n", Elsewhere),
            ("initgroups: files\n", Elsewhere),
        ];
        for (text, want) in cases {
            assert_eq!(group_source(text), want, "{text:?}");
        }
    }

    #[test]
    fn the_names_from_the_file_are_those_of_the_name_service() {
        let nsswitch = read_if_there("/etc/nsswitch.conf").unwrap();
        let text = fs::read_to_string("/etc/group").unwrap_or_default();
        let ids: Vec<u32> = (0..2000).collect();
        let names = Groups::read(&text, "root").names(&ids);
        if group_source(&nsswitch) == Source::Elsewhere {
            return;
        }
        for (id, name) in ids.into_iter().zip(names) {
            if let Some(name) = name {
                let group = Group::from_gid(Gid::from_raw(id)).unwrap().unwrap();
                assert_eq!(name, group.name, "{id}");
            }
        }
    }

    #[test]
    fn the_groups_of_each_account_of_this_host_are_those_of_the_c_library() {
        let text = fs::read_to_string("/etc/group").unwrap_or_default();
        for account in all().unwrap() {
            let asked = users::group_ids(&account.name, account.gid).unwrap();
            assert_eq!(asked.first(), Some(&account.gid), "{}", account.name);
            // what more sources have comes on top
            let read = Groups::read(&text, &account.name);
            for id in read.member_of().unwrap_or_default() {
                assert!(asked.contains(id), "{} {id} {asked:?}", account.name);
            }
        }
    }
}
