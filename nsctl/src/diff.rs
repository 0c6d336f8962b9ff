//! `nsctl explain --diff`: what another policy would change, for each account of this host.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use nsshell_config::{
    Error as Refusal, Everybody, Facts, Found, Login, Mount, Obstacle, Plan, Policy, Spared,
    printable,
};

use crate::cli::ExplainArguments;
use crate::error::Error;
use crate::own::Own;
use crate::{draft, explain, host, life, mounts};

/// How many names of a group of accounts are shown.
const NAMED: usize = 8;

/// Prints the accounts by what changes for them.
pub(crate) fn run(
    file: &Path,
    arguments: &ExplainArguments,
    out: &mut impl Write,
    told: &mut impl Write,
) -> Result<(), Error> {
    let now = host::load(arguments.config.as_deref())?;
    let draft = draft::load(file, arguments.place.as_deref())?;
    for note in &draft.notes {
        writeln!(told, "{note:#}")?;
    }
    let then = Policy::from_files(draft.files)?;
    let login = Login {
        service: arguments.service.clone(),
        tty: arguments.tty.clone(),
        rhost: arguments.rhost.clone(),
    };
    let everybody = host::inventory()?;
    let (now, then) = (Everybody::new(&now), Everybody::new(&then));
    let look = |path: &Path| everybody.look(path);
    let mut changes: BTreeMap<Vec<String>, Vec<&str>> = BTreeMap::new();
    let mut same = 0usize;
    for account in everybody.accounts() {
        let outcome = |policy: &Everybody<'_>| {
            let planned = policy.resolve(&login, account, &everybody);
            let root = (account.uid == 0).then_some(Spared::Root);
            let spared = || policy.spared(&login, account, &everybody).or(root);
            outcome(planned, &look, spared)
        };
        let own = || Own::new(account, &everybody);
        match differences(outcome(&now), outcome(&then), own) {
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

/// What becomes of a login.
enum Outcome {
    /// it gets what is planned
    Planned(Box<Plan>),
    /// it does not, and why; or it goes on all the same, and why that is
    Without(String, Option<Spared>),
}

fn outcome(
    planned: Result<Plan, Refusal>,
    look: &dyn Fn(&Path) -> Found,
    spared: impl Fn() -> Option<Spared>,
) -> Outcome {
    match planned {
        Err(error) => Outcome::Without(error.to_string(), spared()),
        Ok(plan) => match host::obstacle(&plan, look) {
            Some(Obstacle::Certain(why)) => {
                let root = (plan.account.uid == 0).then_some(Spared::Root);
                Outcome::Without(why, plan.spared().or(root))
            }
            _ => Outcome::Planned(plan.into()),
        },
    }
}

impl Outcome {
    fn word(&self) -> String {
        match self {
            Outcome::Planned(plan) => format!("profile {}", plan.profile),
            Outcome::Without(_, None) => "refused".to_owned(),
            Outcome::Without(_, Some(_)) => "left unconfined".to_owned(),
        }
    }

    /// Why it is no plan, with the account's own names put back as templates.
    fn reason(&self, own: &Own) -> Option<String> {
        match self {
            Outcome::Planned(_) => None,
            Outcome::Without(why, None) => Some(format!("refused: {}", own.sentence(why))),
            Outcome::Without(why, Some(by)) => {
                Some(format!("left unconfined, {by}: {}", own.sentence(why)))
            }
        }
    }
}

/// A line for each part of a plan that differs. What is only the account's own (its ids, its
/// name in a path) is written as a template, so that accounts with the same change stand
/// together.
fn differences(was: Outcome, is: Outcome, own: impl Fn() -> Own) -> Vec<String> {
    let (was, is) = match (was, is) {
        (Outcome::Planned(was), Outcome::Planned(is)) => (was, is),
        (Outcome::Without(was, by), Outcome::Without(is, then_by))
            if was == is && by == then_by =>
        {
            return Vec::new();
        }
        (was, is) => {
            let own = own();
            let mut lines = vec![format!("{} -> {}", was.word(), is.word())];
            let was = was.reason(&own).map(|why| format!("was {why}"));
            lines.extend(was.into_iter().chain(is.reason(&own)));
            return lines;
        }
    };
    let (was_cells, is_cells) = (cells(&was), cells(&is));
    let keys: BTreeSet<_> = was_cells.keys().chain(is_cells.keys()).collect();
    let of = |value: Option<&String>| value.map_or("none", String::as_str).to_owned();
    let changed = keys.into_iter().filter_map(|key| {
        let (was, is) = (of(was_cells.get(key)), of(is_cells.get(key)));
        (was != is).then_some((key.1, was, is))
    });
    let mut lines: Vec<String> = changed
        .map(|(name, was, is)| match name {
            "host name" => {
                let own = own();
                format!("{name} {} -> {}", own.text(&was), own.text(&is))
            }
            _ => format!("{name} {was} -> {is}"),
        })
        .collect();
    let session = |plan: &Plan| plan.session.as_ref().map(|session| session.mounts.clone());
    let (was, is) = (session(&was), session(&is));
    if was != is {
        lines.extend(mounts(was, is, &own()));
    }
    lines
}

/// The parts of a plan without its mounts, each with its number and name.
fn cells(plan: &Plan) -> BTreeMap<(usize, &'static str), String> {
    let mut cells = Vec::new();
    let word = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
    cells.push(("profile", plan.profile.clone()));
    cells.push(("shell", plan.shell.display().to_string()));
    if !plan.command.is_empty() {
        cells.push(("command", explain::words(&plan.command)));
    }
    if !plan.pass_environment.is_empty() {
        cells.push(("pass_environment", plan.pass_environment.join(", ")));
    }
    cells.push(("require_nsshell", plan.require_nsshell.to_string()));
    cells.push(("on_failure", word(&plan.on_failure)));
    cells.push(("mode", word(&plan.mode)));
    if let Some(session) = &plan.session {
        cells.push(("namespaces", explain::kinds(&session.namespaces)));
        if let Some(maps) = &session.id_maps {
            let own = plan.account.uid;
            let mut lines = maps.uid.iter();
            let line = lines.find(|line| line.outside == own && line.count == 1);
            let kind = match line {
                Some(line) if line.inside == 0 => "root",
                _ => "keep",
            };
            cells.push(("id_map", kind.to_owned()));
        }
        if let Some(root) = &session.root {
            cells.push(("root", root.display().to_string()));
        }
        if let Some(name) = &session.hostname {
            cells.push(("host name", name.clone()));
        }
        cells.push(("grace", session.grace.to_string()));
        cells.push(("timeout", session.timeout.to_string()));
        cells.extend(life::rows(&session.life));
    }
    // each has its place, whatever else there is
    let at = |name: &str| ORDER.iter().position(|one| *one == name);
    let numbered = cells.into_iter();
    numbered
        .map(|(name, value)| ((at(name).unwrap_or(ORDER.len()), name), value))
        .collect()
}

/// The order of what is told.
const ORDER: [&str; 18] = [
    "profile",
    "shell",
    "command",
    "pass_environment",
    "require_nsshell",
    "on_failure",
    "mode",
    "namespaces",
    "id_map",
    "root",
    "host name",
    "grace",
    "timeout",
    "scope",
    "on logout",
    "most logins",
    "lifetime",
    "idle",
];

/// A line for each place whose mount differs; the home directory is not told by its path, which
/// is another one for each account.
fn mounts(was: Option<Vec<Mount>>, is: Option<Vec<Mount>>, own: &Own) -> Vec<String> {
    let places = |mounts: Option<Vec<Mount>>| -> BTreeMap<(String, &'static str), String> {
        let mounts = mounts.into_iter().flatten();
        let told = mounts.map(|mut mount| {
            own.mount(&mut mount);
            let (target, what) = mounts::described(&mount, Path::new("home"));
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
