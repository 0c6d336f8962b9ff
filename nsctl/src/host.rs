//! Everything that this program asks of the engine, in one place.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nsshell_config::subordinate::{Book, People};
use nsshell_config::{
    Account, Diagnostic, Explanation, Facts, Found as Place, IdKind, Login, LoginPolicy, Obstacle,
    Plan, Policy, PolicyFile,
};
use nsshell_session::accounts::{self, SystemHost};
use nsshell_session::inventory::Inventory;
use nsshell_session::places::Places;
use nsshell_session::processes::Processes;
use nsshell_session::subordinate::{self, Origin};
use nsshell_session::sweep::{self, Swept};
use nsshell_session::visit::{self, Layer};
use nsshell_session::{NSSHELL, family, live, login_shell, policy, sys};

use crate::error::Error;

pub(crate) use nsshell_session::family::Node;
pub(crate) use nsshell_session::live::{Found, Present, State};
pub(crate) use nsshell_session::processes::{Process, name};
pub(crate) use nsshell_session::record::Record;
pub(crate) use nsshell_session::usage::Usage;

/// Where the policy lies if no file is named.
pub(crate) const POLICY: &str = policy::FILE;

/// The policy of a file, or the one in force.
pub(crate) fn load(file: Option<&Path>) -> Result<Policy, Error> {
    Ok(policy::load(file)?)
}

/// The files of that policy.
pub(crate) fn files(file: Option<&Path>) -> Result<Vec<PolicyFile>, Error> {
    Ok(policy::files(file)?)
}

/// Everything about a login, by the very code that a login runs. `session`: the name of the
/// session that it has made, if it has made one. `files` gives the policy.
pub(crate) fn explained(
    files: impl FnOnce() -> Result<Vec<PolicyFile>, Error>,
    user: &str,
    login: &Login,
    most: usize,
    session: Option<&str>,
) -> Result<Explanation, Error> {
    let account = accounts::by_name(user)?;
    let files = files()?;
    let host = session.map_or_else(SystemHost::new, SystemHost::making);
    let policy = LoginPolicy::from_files(files, login, &account, &host, most)?;
    let explanation = policy.explain();
    // This process ends soon: taking ten thousand rules apart would be the slowest of the rest.
    std::mem::forget(policy);
    Ok(explanation)
}

/// Why the account of a plan cannot have what is planned; none: it can.
pub(crate) fn wrong_shell(plan: &Plan) -> Option<String> {
    judge(plan).err().map(|error| error.to_string())
}

/// Whether the account of a plan can have what is planned: what a login's account phase says.
pub(crate) fn judge(plan: &Plan) -> Result<(), nsshell_session::Error> {
    login_shell::check(plan)
}

/// The same of one login, which is let in by nobody's list but its own.
pub(crate) fn hindrance(plan: &Plan) -> Option<Obstacle> {
    let places = Places::new();
    obstacle(plan, &|path| places.look(path))
}

/// Why a login with this plan would be refused on this host; none: nothing is found that would.
pub(crate) fn obstacle(plan: &Plan, places: &dyn Fn(&Path) -> Place) -> Option<Obstacle> {
    match wrong_shell(plan) {
        Some(why) => Some(Obstacle::Certain(why)),
        None => nsshell_config::obstacle(plan, places),
    }
}

/// Why a login with this plan would be refused; of whom it cannot be said, with the reason, is
/// put aside.
pub(crate) fn hindered(
    plan: &Plan,
    everybody: &Inventory,
    unsure: &RefCell<Vec<(Account, String)>>,
) -> Option<String> {
    match obstacle(plan, &|path| everybody.look(path))? {
        Obstacle::Certain(why) => Some(why),
        Obstacle::Perhaps(why) => {
            unsure.borrow_mut().push((plan.account.clone(), why));
            None
        }
    }
}

/// Everybody on this host.
pub(crate) fn inventory() -> Result<Inventory, Error> {
    Ok(Inventory::new()?)
}

/// The login shell that enters a user namespace.
pub(crate) fn nsshell() -> PathBuf {
    NSSHELL.into()
}

/// Every session that the caller may know of, oldest first, with those that are dead.
pub(crate) fn sessions() -> Result<Vec<Found>, Error> {
    Ok(live::list()?)
}

/// Until when sessions are asked for their logins, all of them: one that hangs keeps nobody
/// waiting for longer.
pub(crate) fn until_told() -> Instant {
    Instant::now() + Duration::from_secs(2)
}

/// Everybody whom the caller may look into.
pub(crate) fn processes() -> Processes {
    Processes::look()
}

/// The namespaces of a session's processes.
pub(crate) fn family(session: &Found, processes: &[&Process]) -> Result<Vec<Node>, Error> {
    Ok(family::of(session, processes)?)
}

/// The user namespace that this program is in.
pub(crate) fn own_user_namespace() -> Option<u64> {
    let own = sys::ns::own_user_namespace().ok()?;
    Some(own.inode())
}

/// Runs a command in a session; its exit status, as a shell has it.
pub(crate) fn visit(
    session: &Found,
    layer: Option<crate::cli::Layer>,
    command: &[std::ffi::OsString],
) -> Result<u8, Error> {
    let layer = layer.map(|layer| match layer {
        crate::cli::Layer::Host => Layer::Host,
        crate::cli::Layer::User => Layer::User,
    });
    let ended = visit::run(session, layer, command)?;
    Ok(u8::try_from(ended.shell_status()).unwrap_or(u8::MAX))
}

/// Removes what dead sessions have left.
pub(crate) fn sweep() -> Result<Vec<Swept>, Error> {
    Ok(sweep::sweep()?)
}

/// What follows is not ended by the end of the terminal.
pub(crate) fn outlive_the_terminal() {
    sys::signal::ignore(sys::signal::HANG_UP);
}

/// What a session has written to where it will be gone; none if that cannot be seen.
pub(crate) fn usage(session: &Found) -> Option<Usage> {
    nsshell_session::usage::of(session)
}

/// A name service that has the ranges is asked for one account after the other, a program
/// each: for longer than this `check` does not ask.
const PATIENCE: Duration = Duration::from_secs(5);

/// Everybody who may have subordinate ids, and where these are.
pub(crate) struct Subordinate {
    pub(crate) origin: Origin,
    pub(crate) accounts: Vec<Account>,
}

impl Subordinate {
    /// Everybody on this host, and these, whom a directory service may not enumerate.
    pub(crate) fn new(inventory: &Inventory, users: &[String]) -> Result<Self, Error> {
        let users = users.iter().map(|user| accounts::by_name(user));
        let users = users.collect::<Result<_, _>>()?;
        Ok(Self {
            origin: subordinate::origin()?,
            accounts: subordinate::accounts(inventory, users),
        })
    }

    /// The ranges of both kinds, uids first. A name service is asked for those users only, or
    /// for all persons.
    pub(crate) fn books<'a>(
        &self,
        people: &'a People<'a>,
        users: &[String],
    ) -> Result<[Book<'a>; 2], Error> {
        let asked = self.accounts.iter().filter(|one| match users {
            [] => is_person(one),
            users => users.contains(&one.name),
        });
        let asked: Vec<Account> = match self.origin {
            Origin::Files => Vec::new(),
            Origin::NameService(_) => asked.cloned().collect(),
        };
        let book = |kind| {
            let (name, text) = subordinate::listing(&self.origin, kind, &asked)?;
            Ok::<_, Error>(Book::new(kind, &name, text, people))
        };
        Ok([book(IdKind::Uid)?, book(IdKind::Gid)?])
    }
}

/// Who should have subordinate ids: useradd(8) gives some from this uid on.
pub(crate) fn is_person(account: &Account) -> bool {
    account.uid >= 1000 && account.uid != 65534
}

/// What is wrong with the subordinate ids of this host, as far as they can be had soon.
pub(crate) fn range_faults(inventory: &Inventory) -> Result<Vec<Diagnostic>, Error> {
    let host = Subordinate::new(inventory, &[])?;
    let people = subordinate::people(inventory, &host.accounts);
    let Origin::NameService(sources) = &host.origin else {
        let books = host.books(&people, &[])?;
        return Ok(books.iter().flat_map(Book::faults).collect());
    };
    let persons: Vec<Account> = host
        .accounts
        .iter()
        .filter(|one| is_person(one))
        .cloned()
        .collect();
    let ask = |kind, one: &Account| {
        let one = std::slice::from_ref(one);
        Ok::<_, Error>(subordinate::listing(&host.origin, kind, one)?)
    };
    let (texts, asked) = asked_until(Instant::now() + PATIENCE, &persons, ask)?;
    let books = texts.map(|(kind, name, text)| Book::new(kind, &name, text, &people));
    let mut faults: Vec<Diagnostic> = books.iter().flat_map(Book::faults).collect();
    faults.extend(not_compared(sources, persons.len(), asked));
    Ok(faults)
}

/// For each kind what its source is called, and the lines that it gives.
type Listings = [(IdKind, String, String); 2];

/// The ranges of both kinds of as many accounts as there is time for, uids first, and how many
/// these are.
fn asked_until(
    deadline: Instant,
    accounts: &[Account],
    ask: impl Fn(IdKind, &Account) -> Result<(String, String), Error>,
) -> Result<(Listings, usize), Error> {
    let of = |kind| (kind, String::new(), String::new());
    let mut books = [of(IdKind::Uid), of(IdKind::Gid)];
    for (number, account) in accounts.iter().enumerate() {
        if Instant::now() >= deadline {
            return Ok((books, number));
        }
        for (kind, name, text) in &mut books {
            let (source, lines) = ask(*kind, account)?;
            *name = source;
            text.push_str(&lines);
        }
    }
    Ok((books, accounts.len()))
}

/// That overlaps may be there which nobody has looked for.
fn not_compared(sources: &str, persons: usize, asked: usize) -> Option<Diagnostic> {
    let left = persons.checked_sub(asked).filter(|left| *left > 0)?;
    let message = format!(
        "the subordinate ids of {left} of {persons} users were not compared: to ask `{sources}` \
         for them takes too long"
    );
    let help = "`nsctl ranges` takes the time";
    let (file, text) = ("/etc/nsswitch.conf", format!("subid: {sources}"));
    Some(Diagnostic::warning_of(file, &text, &message, help))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn who_was_not_asked_for_in_time_is_told_and_the_others_are_compared() {
        let account = |uid| Account {
            name: format!("u{uid}"),
            uid,
            gid: uid,
            home: "/".into(),
            shell: "/bin/sh".into(),
        };
        let people: Vec<_> = (1000..1600).map(account).collect();
        let ask = |kind: IdKind, one: &Account| {
            Ok((
                format!("getsubids {kind}"),
                format!("{}:{kind}\n", one.name),
            ))
        };
        let now = Instant::now();
        let (books, asked) = asked_until(now + PATIENCE, &people, ask).unwrap();
        assert_eq!(asked, 600);
        assert_eq!(not_compared("sss", people.len(), asked), None);
        let [(_, _, uids), (_, name, gids)] = books;
        assert!(uids.starts_with("u1000:uid\nu1001:uid\n"), "{uids}");
        assert_eq!(
            (name.as_str(), gids.lines().count()),
            ("getsubids gid", 600)
        );

        let (_, asked) = asked_until(now, &people, ask).unwrap();
        let told = not_compared("sss", people.len(), asked)
            .unwrap()
            .to_string();
        assert!(
            told.contains("of 600 of 600 users were not compared"),
            "{told}"
        );
        assert!(told.contains("`nsctl ranges` takes the time"), "{told}");
    }
}
