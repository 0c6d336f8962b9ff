//! Subordinate ids of everybody on this host: where they come from, and new ones by way of
//! shadow's own program.

use std::fmt::Write;
use std::time::{Duration, Instant};

use nsshell_config::subordinate::People;
use nsshell_config::{Account, Facts, Host, IdKind, Limits, Range};

use crate::accounts::{SystemHost, read_if_there};
use crate::error::Error;
use crate::inventory::Inventory;
use crate::program::{self, As};
use crate::sys::Errno;

const USERMOD: &str = "/usr/sbin/usermod";

/// How long usermod may take: it waits up to 15 seconds for who else writes the user database.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the host has its subordinate ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// /etc/subuid and /etc/subgid
    Files,
    /// the sources that the line `subid:` of nsswitch.conf(5) names
    NameService(String),
}

/// Where this host has its subordinate ids.
///
/// # Errors
/// /etc/nsswitch.conf cannot be read.
pub fn origin() -> Result<Origin, Error> {
    let text = read_if_there("/etc/nsswitch.conf")?;
    Ok(match sources(&text) {
        Some(sources) if sources != "files" => Origin::NameService(sources),
        _ => Origin::Files,
    })
}

/// What the line `subid:` says.
fn sources(nsswitch: &str) -> Option<String> {
    let line = nsswitch.lines().find_map(|line| {
        let (database, sources) = line.split_once(':')?;
        let is_subid = database.trim().eq_ignore_ascii_case("subid");
        is_subid.then(|| sources.split('#').next().unwrap_or(""))
    })?;
    Some(line.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// All ranges of one kind as a text like /etc/subuid, and what to call it. A name service is
/// asked for each of these accounts, which takes a program each; the files need none.
///
/// # Errors
/// The source does not answer.
pub fn listing(
    origin: &Origin,
    kind: IdKind,
    accounts: &[Account],
) -> Result<(String, String), Error> {
    let Origin::NameService(_) = origin else {
        return Ok((kind.file().to_owned(), read_if_there(kind.file())?));
    };
    let mut text = String::new();
    for account in accounts {
        for range in SystemHost::new().ranges(account, kind)? {
            // writing to a String cannot fail
            let _ = writeln!(text, "{}:{range}", account.name);
        }
    }
    let name = match kind {
        IdKind::Uid => "getsubids",
        IdKind::Gid => "getsubids -g",
    };
    Ok((name.to_owned(), text))
}

/// Everybody whose ids a range must not hold.
#[must_use]
pub fn people<'a>(inventory: &'a Inventory, accounts: &'a [Account]) -> People<'a> {
    let groups = inventory.groups.iter();
    People::new(accounts, groups.map(|(gid, name)| (*gid, name.as_str())))
}

/// Everybody whom the name service enumerates, and these whom it may not.
#[must_use]
pub fn accounts(inventory: &Inventory, also: Vec<Account>) -> Vec<Account> {
    let mut accounts = inventory.accounts().to_vec();
    for account in also {
        if !accounts.iter().any(|one| one.name == account.name) {
            accounts.push(account);
        }
    }
    accounts
}

/// What login.defs(5) allows. Without the file, what shadow does then.
///
/// # Errors
/// The file cannot be read, or makes no sense.
pub fn limits(kind: IdKind) -> Result<Limits, Error> {
    let own = read_if_there("/etc/login.defs")?;
    // where a distribution keeps its own files out of /etc
    let text = match own.is_empty() {
        true => read_if_there("/usr/etc/login.defs")?,
        false => own,
    };
    Ok(Limits::parse(&text, kind)?)
}

/// The command that gives the user these ranges, without the program's own name.
#[must_use]
pub fn usermod(user: &str, ranges: &[(IdKind, Range)]) -> Vec<String> {
    let mut arguments = Vec::new();
    for (kind, range) in ranges {
        arguments.push(kind.usermod_option().to_owned());
        let last = range.start.saturating_add(range.count.saturating_sub(1));
        arguments.push(format!("{}-{last}", range.start));
    }
    // a name that begins with `-` is no option
    arguments.extend(["--".to_owned(), user.to_owned()]);
    arguments
}

/// The program that [`usermod`] is for.
#[must_use]
pub fn program() -> &'static str {
    USERMOD
}

/// Gives the user these ranges. shadow's own program writes the files: it takes the locks that
/// all other programs of the user database look at.
///
/// # Errors
/// The caller is not root; usermod is missing, takes more than a minute, or fails; with its message.
pub fn allocate(user: &str, ranges: &[(IdKind, Range)]) -> Result<(), Error> {
    if !rustix::process::geteuid().is_root() {
        // usermod says this in several lines, the last of which misleads
        return Err(Error::System {
            doing: "cannot change subordinate ids".to_owned(),
            errno: Errno::PERM,
            advice: "run this as root".to_owned(),
        });
    }
    let remedy = "install the package passwd (Debian) or shadow-utils (Fedora)";
    let running = program::start(USERMOD, remedy, &usermod(user, ranges), As::Caller)?;
    running.finish(Instant::now() + PATIENCE)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_of_subordinate_ids_are_those_of_nsswitch() {
        let cases = [
            ("", None),
            ("passwd: files\n#subid: sss\n", None),
            ("subid: files\n", Some("files")),
            (" SubID:\tsss # of the domain\n", Some("sss")),
            ("subid: files  sss\n", Some("files sss")),
            ("subid:\n", Some("")),
        ];
        for (text, want) in cases {
            assert_eq!(sources(text).as_deref(), want, "{text:?}");
        }
    }

    #[test]
    fn usermod_is_told_first_and_last_ids_and_never_an_option_for_a_name() {
        let range = |start| Range {
            start,
            count: 65536,
        };
        let both = [(IdKind::Uid, range(100_000)), (IdKind::Gid, range(200_000))];
        assert_eq!(
            usermod("-h", &both),
            [
                "--add-subuids",
                "100000-165535",
                "--add-subgids",
                "200000-265535",
                "--",
                "-h"
            ]
        );
    }
}
