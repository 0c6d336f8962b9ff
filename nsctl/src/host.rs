//! Everything that this program asks of the engine, in one place.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nsshell_config::subordinate::{Book, People};
use nsshell_config::{Account, Diagnostic, Explanation, IdKind, Login, Plan, Policy, explain};
use nsshell_session::accounts::{self, SystemHost};
use nsshell_session::inventory::Inventory;
use nsshell_session::processes::Processes;
use nsshell_session::subordinate::{self, Origin};
use nsshell_session::sweep::{self, Swept};
use nsshell_session::visit::{self, Layer};
use nsshell_session::{NSSHELL, family, live, login_shell, policy, sys};

use crate::error::Error;

pub(crate) use nsshell_session::family::Node;
pub(crate) use nsshell_session::live::{Found, State};
pub(crate) use nsshell_session::processes::{Process, name};
pub(crate) use nsshell_session::record::Record;
pub(crate) use nsshell_session::usage::Usage;

/// Where the policy lies if no file is named.
pub(crate) const POLICY: &str = policy::FILE;

/// The policy of a file, or the one in force.
pub(crate) fn load(file: Option<&Path>) -> Result<Policy, Error> {
    Ok(policy::load(file)?)
}

/// Everything about a login, by the very code that a login runs. `session`: the name of the
/// session that it has made, if it has made one.
pub(crate) fn explained(
    config: Option<&Path>,
    user: &str,
    login: &Login,
    most: usize,
    session: Option<&str>,
) -> Result<Explanation, Error> {
    let account = accounts::by_name(user)?;
    let policy = load(config)?;
    let host = session.map_or_else(SystemHost::new, SystemHost::making);
    let explanation = explain(&policy, login, &account, &host, most);
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
