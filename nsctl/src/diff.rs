//! `nsctl explain --diff`: what another policy would change, for each account of this host.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use nsshell_config::{Error as Refusal, Everybody, Facts, Login, Matched, Mount, Plan, printable};

use crate::cli::ExplainArguments;
use crate::error::Error;
use crate::{host, mounts};

/// How many names of a group of accounts are shown.
const NAMED: usize = 8;

/// Prints the accounts by what changes for them.
pub(crate) fn run(
    file: &Path,
    arguments: &ExplainArguments,
    out: &mut impl Write,
) -> Result<(), Error> {
    let now = host::load(arguments.config.as_deref())?;
    let then = host::load(Some(file))?;
    let login = Login {
        service: arguments.service.clone(),
        tty: arguments.tty.clone(),
        rhost: arguments.rhost.clone(),
    };
    let everybody = host::inventory()?;
    let (now, then) = (Everybody::new(&now), Everybody::new(&then));
    let mut changes: BTreeMap<Vec<String>, Vec<&str>> = BTreeMap::new();
    let mut same = 0usize;
    for account in everybody.accounts() {
        let was = now.resolve(&login, account, &everybody);
        let is = then.resolve(&login, account, &everybody);
        match differences(was, is) {
            none if none.is_empty() => same += 1,
            change => changes.entry(change).or_default().push(&account.name),
        }
    }
    if arguments.json {
        let groups = changes
            .iter()
            .map(|(change, names)| serde_json::json!({ "changes": change, "accounts": names }));
        let value = serde_json::json!({
            "unchanged": same,
            "changed": groups.collect::<Vec<_>>(),
        });
        serde_json::to_writer_pretty(&mut *out, &value).map_err(crate::error::json)?;
        writeln!(out)?;
        return Ok(());
    }
    for (change, names) in &changes {
        let shown: Vec<_> = names
            .iter()
            .take(NAMED)
            .map(|name| printable(name))
            .collect();
        let more = match names.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        writeln!(out, "{}: {}{more}", count(names.len()), shown.join(", "))?;
        for line in change {
            writeln!(out, "    {}", printable(line))?;
        }
    }
    writeln!(out, "{}: nothing changes", count(same))?;
    Ok(())
}

fn count(accounts: usize) -> String {
    match accounts {
        1 => "1 account".to_owned(),
        many => format!("{many} accounts"),
    }
}

/// A line for each part of a plan that differs. Ids and rules are left out where they are the
/// account's own or the file's: accounts with the same change stand together.
fn differences(was: Result<Plan, Refusal>, is: Result<Plan, Refusal>) -> Vec<String> {
    let (was, is) = match (was, is) {
        (Ok(was), Ok(is)) => (was, is),
        (Err(_), Err(_)) => return Vec::new(),
        (Ok(was), Err(_)) => return vec![format!("profile {} -> refused", was.profile)],
        (Err(_), Ok(is)) => return vec![format!("refused -> profile {}", is.profile)],
    };
    let mounts = mounts(&was, &is);
    let (was_cells, is_cells) = (cells(was), cells(is));
    let changed = was_cells.into_iter().zip(is_cells);
    let changed = changed.filter(|(was, is)| was.1 != is.1);
    changed
        .map(|((name, was), (_, is))| format!("{name} {was} -> {is}"))
        .chain(mounts)
        .collect()
}

fn cells(mut plan: Plan) -> Vec<(&'static str, String)> {
    plan.matched = Matched {
        file: String::new(),
        line: 0,
    };
    let session = plan.session.as_ref();
    let of = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
    let word = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
    let maps = session
        .and_then(|session| session.id_maps.as_ref())
        .map(|maps| {
            let own = plan.account.uid;
            match maps
                .uid
                .iter()
                .find(|line| line.outside == own && line.count == 1)
            {
                Some(line) if line.inside == 0 => "root".to_owned(),
                _ => "keep".to_owned(),
            }
        });
    vec![
        ("profile", plan.profile.clone()),
        ("shell", plan.shell.display().to_string()),
        ("command", format!("{:?}", plan.command)),
        ("require_nsshell", plan.require_nsshell.to_string()),
        ("on_failure", word(&plan.on_failure)),
        ("mode", word(&plan.mode)),
        (
            "namespaces",
            of(session.map(|session| word(&session.namespaces))),
        ),
        ("id_map", of(maps)),
        (
            "root",
            of(session.map(|session| match &session.root {
                Some(root) => root.display().to_string(),
                None => "/".to_owned(),
            })),
        ),
        (
            "hostname",
            of(session.and_then(|session| session.hostname.clone())),
        ),
        (
            "grace",
            of(session.map(|session| session.grace.to_string())),
        ),
        (
            "timeout",
            of(session.map(|session| session.timeout.to_string())),
        ),
        (
            "life",
            of(session.and_then(|session| serde_json::to_string(&session.life).ok())),
        ),
    ]
}

/// A line for each place whose mount differs; the home directory is not told by its path, which
/// is another one for each account.
fn mounts(was: &Plan, is: &Plan) -> Vec<String> {
    let places = |plan: &Plan| -> BTreeMap<(String, &'static str), String> {
        let session = plan.session.iter();
        let mounts = session.flat_map(|session| &session.mounts);
        let told = mounts.map(|mount| {
            let (target, what) = mounts::described(mount, Path::new("home"));
            // two may be at one place: what is read-only, and what is mounted on it
            let kind = match mount {
                Mount::ReadOnly { .. } => "read_only",
                Mount::Unmount { .. } => "unmounted",
                _ => "mount",
            };
            ((target, kind), what)
        });
        told.collect()
    };
    let (was, is) = (places(was), places(is));
    let keys: BTreeSet<_> = was.keys().chain(is.keys()).collect();
    let changed = keys.into_iter().filter(|key| was.get(key) != is.get(key));
    let of = |value: Option<&String>| value.map_or("none", String::as_str).to_owned();
    changed
        .map(|key| {
            let (was, is) = (of(was.get(key)), of(is.get(key)));
            format!("{} {}: {was} -> {is}", key.1, key.0)
        })
        .collect()
}
