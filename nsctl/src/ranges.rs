//! `nsctl ranges`: subordinate ids of this host, whose they are, and free ones for who has
//! none.

use std::io::Write;

use nsshell_config::subordinate::Book;
use nsshell_config::{Account, Diagnostic, IdKind, Range, printable};
use nsshell_session::subordinate::{self, Origin};

use crate::cli::RangesArguments;
use crate::error::Error;
use crate::host::{self, Subordinate, is_person};
use crate::{check, table};

/// Lists ranges, or gives some.
pub(crate) fn run(
    arguments: &RangesArguments,
    out: &mut impl Write,
    told: &mut impl Write,
) -> Result<(), Error> {
    if arguments.allocate {
        return allocate(arguments, out, told);
    }
    let users = &arguments.users;
    let inventory = host::inventory()?;
    let host = Subordinate::new(&inventory, users)?;
    let people = subordinate::people(&inventory, &host.accounts);
    let books = host.books(&people, users)?;
    let found: Vec<_> = books.iter().flat_map(Book::faults).collect();
    let has_any = |one: &Account| books.iter().any(|book| !book.of(one).is_empty());
    let accounts = host.accounts.iter().filter(|one| match users.as_slice() {
        [] => is_person(one) || has_any(one),
        users => users.contains(&one.name),
    });
    let accounts: Vec<_> = accounts.collect();
    if arguments.json {
        print(&host.origin, &accounts, &books, &found, out)?;
    } else {
        list(&accounts, &books, users.is_empty(), out)?;
        // the table first, whoever reads both on one terminal
        out.flush()?;
        for fault in &found {
            writeln!(told, "{fault:#}")?;
        }
        let none = accounts.iter().filter(|one| !has_any(one)).count();
        if none > 0 && host.origin == Origin::Files {
            let who = match none {
                1 => "1 user has none".to_owned(),
                many => format!("{many} users have none"),
            };
            writeln!(told, "{who}; see `nsctl ranges --allocate`")?;
        }
    }
    match found.len() {
        0 => Ok(()),
        _ => Err(Error::Told),
    }
}

fn list(
    accounts: &[&Account],
    books: &[Book<'_>; 2],
    everybody: bool,
    out: &mut impl Write,
) -> Result<(), Error> {
    let title = ["USER", "UID", "SUBORDINATE UIDS", "SUBORDINATE GIDS"];
    let mut rows = vec![title.map(str::to_owned).to_vec()];
    for account in accounts {
        let mut row = vec![account.name.clone(), account.uid.to_string()];
        row.extend(books.iter().map(|book| words(book.of(account))));
        rows.push(row);
    }
    // one who is no account any more, or one whom a directory service does not enumerate
    for (at, book) in books.iter().enumerate().filter(|_| everybody) {
        for (owner, range) in book.strangers() {
            let mut row = vec![owner.to_owned(), "-".to_owned(), "-".to_owned()];
            row.insert(2 + at, words(&[range]));
            rows.push(row);
        }
    }
    for line in table::columns(&rows) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Ranges by their first and last ids.
fn words(ranges: &[Range]) -> String {
    if ranges.is_empty() {
        return "none".to_owned();
    }
    let word = |range: &Range| {
        let last = range.start.saturating_add(range.count.saturating_sub(1));
        format!("{}-{last}", range.start)
    };
    ranges.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// What is known, for programs.
fn print(
    origin: &Origin,
    accounts: &[&Account],
    books: &[Book<'_>; 2],
    found: &[Diagnostic],
    out: &mut impl Write,
) -> Result<(), Error> {
    let range = |range: &Range| serde_json::json!({ "start": range.start, "count": range.count });
    let [uids, gids] = books;
    let of = |book: &Book<'_>, account| book.of(account).iter().map(range).collect::<Vec<_>>();
    let accounts = accounts.iter().map(|account| {
        serde_json::json!({ "user": account.name, "uid": account.uid,
            "uids": of(uids, account), "gids": of(gids, account) })
    });
    let strange = |book: &Book<'_>| {
        let strangers = book.strangers().map(|(owner, one)| {
            let (kind, mut value) = (book.kind().to_string(), range(&one));
            value["owner"] = owner.into();
            value["kind"] = kind.into();
            value
        });
        strangers.collect::<Vec<_>>()
    };
    let value = serde_json::json!({
        "source": match origin {
            Origin::Files => "files",
            Origin::NameService(sources) => sources,
        },
        "accounts": accounts.collect::<Vec<_>>(),
        "strangers": books.iter().flat_map(strange).collect::<Vec<_>>(),
        "found": found.iter().map(check::as_json).collect::<Vec<_>>(),
    });
    serde_json::to_writer_pretty(&mut *out, &value).map_err(crate::error::json)?;
    writeln!(out)?;
    Ok(())
}

/// A user and what the user is to get.
type Gift = (Account, Vec<(IdKind, Range)>);

fn allocate(
    arguments: &RangesArguments,
    out: &mut impl Write,
    told: &mut impl Write,
) -> Result<(), Error> {
    let inventory = host::inventory()?;
    let host = Subordinate::new(&inventory, &arguments.users)?;
    if let Origin::NameService(sources) = host.origin {
        return Err(Error::RangesElsewhere(sources));
    }
    let people = subordinate::people(&inventory, &host.accounts);
    let books = host.books(&people, &[])?;
    if let Some(unclear) = books.iter().find(|book| book.has_bad_line()) {
        return Err(Error::RangesUnclear(unclear.kind()));
    }
    let wanted = host.accounts.iter().filter(|one| match arguments.all {
        true => is_person(one),
        false => arguments.users.contains(&one.name),
    });
    let wanted: Vec<_> = wanted.collect();
    let gifts = gifts(&wanted, &books)?;
    for account in wanted.iter().filter(|_| !arguments.all) {
        if !gifts.iter().any(|(lucky, _)| lucky.uid == account.uid) {
            let name = printable(&account.name);
            writeln!(told, "{name} has subordinate uids and gids already")?;
        }
    }
    if gifts.is_empty() && arguments.all {
        writeln!(told, "nobody lacks subordinate ids")?;
    }
    let (mut failed, mut given) = (false, Vec::new());
    for gift @ (account, ranges) in &gifts {
        let name = printable(&account.name);
        if arguments.dry_run {
            let words = subordinate::usermod(&account.name, ranges);
            let words = printable(&words.join(" ")).into_owned();
            writeln!(out, "{} {words}", subordinate::program())?;
            continue;
        }
        match subordinate::allocate(&account.name, ranges) {
            Ok(()) => {
                given.push(gift);
                let got = ranges.iter().map(|(kind, range)| {
                    let range = words(std::slice::from_ref(range));
                    format!("{kind}s {range}")
                });
                writeln!(out, "{name}: {}", got.collect::<Vec<_>>().join(", "))?;
            }
            // the others may have more luck: one account may be in no file of this host
            Err(error) => {
                failed = true;
                writeln!(told, "{name} got nothing: {error}")?;
            }
        }
    }
    out.flush()?;
    let as_given = given.is_empty() || is_as_given(&given, told)?;
    match failed || !as_given {
        true => Err(Error::Told),
        false => Ok(()),
    }
}

/// A free range for each account and kind without one. All are found before any is given.
fn gifts(wanted: &[&Account], books: &[Book<'_>; 2]) -> Result<Vec<Gift>, Error> {
    let mut seen = std::collections::HashSet::new();
    let mut gifts: Vec<Gift> = wanted
        .iter()
        // accounts with one uid have one range
        .filter(|account| seen.insert(account.uid))
        .map(|account| ((*account).clone(), Vec::new()))
        .collect();
    for book in books {
        let kind = book.kind();
        let lacks = |account: &Account| book.of(account).is_empty();
        if !gifts.iter().any(|(account, _)| lacks(account)) {
            continue;
        }
        let limits = subordinate::limits(kind)?;
        let mut free = book.free(limits);
        for (_, ranges) in gifts.iter_mut().filter(|(account, _)| lacks(account)) {
            let range = free.next().ok_or(Error::NoRangeFree(kind, limits))?;
            ranges.push((kind, range));
        }
    }
    gifts.retain(|(_, ranges)| !ranges.is_empty());
    Ok(gifts)
}

/// Looks at the files once more: somebody else may have given the same ids meanwhile, and
/// usermod does not compare.
fn is_as_given(gifts: &[&Gift], told: &mut impl Write) -> Result<bool, Error> {
    let inventory = host::inventory()?;
    let names: Vec<_> = gifts
        .iter()
        .map(|(account, _)| account.name.clone())
        .collect();
    let host = Subordinate::new(&inventory, &names)?;
    let people = subordinate::people(&inventory, &host.accounts);
    let books = host.books(&people, &names)?;
    let mut as_given = true;
    for (account, ranges) in gifts {
        for (kind, range) in ranges {
            let book = books.iter().find(|book| book.kind() == *kind);
            if !book.is_some_and(|book| book.of(account).contains(range)) {
                as_given = false;
                let (name, file) = (printable(&account.name), kind.file());
                let range = words(std::slice::from_ref(range));
                writeln!(
                    told,
                    "{file} has no {range} of {name}, though usermod succeeded"
                )?;
            }
        }
    }
    for fault in books.iter().flat_map(Book::faults) {
        as_given = false;
        writeln!(told, "{fault:#}")?;
    }
    Ok(as_given)
}
