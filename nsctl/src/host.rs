//! Everything that this program asks of the engine, in one place.

use std::path::{Path, PathBuf};

use nsshell_config::subordinate::{Book, People};
use nsshell_config::{Account, Diagnostic, Explanation, IdKind, Login, Plan, Policy, explain};
use nsshell_session::accounts::{self, SystemHost};
use nsshell_session::inventory::Inventory;
use nsshell_session::subordinate::{self, Origin};
use nsshell_session::{NSSHELL, login_shell, policy, record};

use crate::error::Error;

pub(crate) use nsshell_session::record::Record;
pub(crate) use nsshell_session::usage::Usage;

/// Where the policy lies if no file is named.
pub(crate) const POLICY: &str = policy::FILE;

/// The policy of a file, or the one in force.
pub(crate) fn load(file: Option<&Path>) -> Result<Policy, Error> {
    Ok(policy::load(file)?)
}

/// Everything about a login, by the very code that a login runs.
pub(crate) fn explained(
    config: Option<&Path>,
    user: &str,
    login: &Login,
    most: usize,
) -> Result<Explanation, Error> {
    let account = accounts::by_name(user)?;
    let policy = load(config)?;
    let explanation = explain(&policy, login, &account, &SystemHost::new(), most);
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

/// Everybody on this host.
pub(crate) fn inventory() -> Result<Inventory, Error> {
    Ok(Inventory::new()?)
}

/// The login shell that enters a user namespace.
pub(crate) fn nsshell() -> PathBuf {
    NSSHELL.into()
}

/// Live sessions, oldest first.
pub(crate) fn sessions() -> Result<Vec<Record>, Error> {
    Ok(record::live()?)
}

/// What a session has written to where it will be gone; none if that cannot be seen.
pub(crate) fn usage(record: &Record) -> Option<Usage> {
    nsshell_session::usage::of(record)
}

/// A name service that has the ranges is asked for one account after the other, a program
/// each: for more than these `check` does not ask.
const MOST_ASKED: usize = 500;

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

/// What is wrong with the subordinate ids of this host.
pub(crate) fn range_faults(inventory: &Inventory) -> Result<Vec<Diagnostic>, Error> {
    let host = Subordinate::new(inventory, &[])?;
    let persons = host.accounts.iter().filter(|one| is_person(one)).count();
    if host.origin != Origin::Files && persons > MOST_ASKED {
        return Ok(Vec::new());
    }
    let people = subordinate::people(inventory, &host.accounts);
    let books = host.books(&people, &[])?;
    Ok(books.iter().flat_map(Book::faults).collect())
}
