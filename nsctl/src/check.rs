//! `nsctl check`: mistakes of a policy, before it refuses a login.

use std::cell::RefCell;
use std::io::Write;
use std::path::Path;

use nsshell_config::{
    Account, Diagnostic, Excerpt, Login, Plan, Policy, Refused, Severity, lint, printable, refused,
};

use crate::cli::CheckArguments;
use crate::error::Error;
use crate::{automount, draft, host, logind, stacks, terminals};

/// How many users are named of whom it cannot be said: with homes that an automounter has, that
/// is everybody.
const NAMED: usize = 20;

/// What was found out about a policy.
#[derive(Default)]
struct Checked {
    found: Vec<Diagnostic>,
    refused: Vec<Refused>,
    /// users of whom it cannot be said, and why not
    unsure: Vec<(Account, String)>,
    /// what kept it from being looked at
    failed: Option<Error>,
}

/// Tells what is wrong with the policy, or that nothing is.
pub(crate) fn run(
    arguments: &CheckArguments,
    out: &mut impl Write,
    told: &mut impl Write,
) -> Result<(), Error> {
    let mut checked = Checked::default();
    checked.failed = checked.look(arguments).err();
    if arguments.json {
        print(&checked, out)?;
        if checked.failed.is_some() {
            return Err(Error::Told);
        }
    } else {
        checked.tell(told)?;
        if let Some(error) = checked.failed {
            return Err(error);
        }
        summary(arguments, &checked, told)?;
    }
    match errors(&checked.found) + count(&checked.refused, false) {
        0 => Ok(()),
        _ => Err(Error::Told),
    }
}

impl Checked {
    fn look(&mut self, arguments: &CheckArguments) -> Result<(), Error> {
        let policy = match &arguments.file {
            None => in_force()?,
            Some(file) => {
                let draft = draft::load(file, arguments.place.as_deref())?;
                self.found = draft.notes;
                Policy::from_files(draft.files)?
            }
        };
        let everybody = host::inventory()?;
        self.found.extend(lint(&policy, &everybody));
        self.found.extend(host::range_faults(&everybody)?);
        self.found.extend(stacks::faults(&policy, &everybody));
        self.found.extend(logind::faults(&policy));
        self.found.extend(automount::faults());
        self.found.extend(terminals::faults(&policy, &everybody));
        if arguments.users {
            let login = Login {
                service: arguments.service.clone(),
                tty: arguments.tty.clone(),
                rhost: arguments.rhost.clone(),
            };
            let unsure = RefCell::default();
            let judge = |plan: &Plan| host::hindered(plan, &everybody, &unsure);
            self.refused = refused(&policy, &login, &everybody, &judge);
            self.unsure = unsure.take();
        }
        Ok(())
    }

    fn tell(&self, told: &mut impl Write) -> Result<(), Error> {
        for fault in &self.found {
            writeln!(told, "{fault:#}")?;
        }
        for one in &self.refused {
            let (name, why) = (printable(&one.account.name), printable(&one.why));
            match one.spared {
                None => writeln!(told, "{name} would be refused: {why}")?,
                Some(spared) => writeln!(told, "{name} would be left unconfined, {spared}: {why}")?,
            }
        }
        for (account, why) in self.unsure.iter().take(NAMED) {
            let (name, why) = (printable(&account.name), printable(why));
            writeln!(told, "warning: {name} may be refused: {why}")?;
        }
        if let Some(more @ 1..) = self.unsure.len().checked_sub(NAMED) {
            let users = number_of(more, "more user");
            writeln!(told, "warning: {users} may be refused; --json has them all")?;
        }
        Ok(())
    }
}

fn errors(found: &[Diagnostic]) -> usize {
    having(Severity::Error, found)
}

/// How many of them are of this severity.
fn having(severity: Severity, found: &[Diagnostic]) -> usize {
    found.iter().filter(|one| one.severity == severity).count()
}

/// How many of them are spared, or are not.
fn count(refused: &[Refused], spared: bool) -> usize {
    let is_one = |one: &&Refused| one.spared.is_some() == spared;
    refused.iter().filter(is_one).count()
}

/// The policy in force, of which everything that is wrong is told.
fn in_force() -> Result<Policy, Error> {
    match host::load(None) {
        Err(Error::Session(unsafe_file)) if is_about_owner(&unsafe_file) => {
            let text = draft::text(Path::new(host::POLICY));
            match text.map(|text| Policy::parse(&text, host::POLICY)) {
                Ok(Err(faults)) => Err(Error::UnsafeAndFaulty(unsafe_file.into(), faults.into())),
                _ => Err(unsafe_file.into()),
            }
        }
        loaded => loaded,
    }
}

fn summary(
    arguments: &CheckArguments,
    checked: &Checked,
    told: &mut impl Write,
) -> Result<(), Error> {
    let Checked { found, refused, .. } = checked;
    let file = match &arguments.file {
        Some(file) => file.to_string_lossy().into_owned(),
        None => "the policy".to_owned(),
    };
    let file = printable(&file);
    let mut line = format!("{file}: {}", number_of(errors(found), "error"));
    let warnings = having(Severity::Warning, found);
    if warnings > 0 {
        line += &format!(", {}", number_of(warnings, "warning"));
    }
    if arguments.users {
        let number = |spared| number_of(count(refused, spared), "user");
        line += &format!(", {} would be refused", number(false));
        if count(refused, true) > 0 {
            line += &format!(", {} would be left unconfined", number(true));
        }
        if !checked.unsure.is_empty() {
            let unsure = number_of(checked.unsure.len(), "user");
            line += &format!(", of {unsure} it cannot be said");
        }
    }
    writeln!(told, "{line}")?;
    Ok(())
}

fn number_of(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        many => format!("{many} {what}s"),
    }
}

/// What is found, for programs.
fn print(checked: &Checked, out: &mut impl Write) -> Result<(), Error> {
    let user = |account: &Account, why: &str| {
        let (name, uid) = (&account.name, account.uid);
        serde_json::json!({ "user": name, "uid": uid, "why": why })
    };
    let (mut spared, mut out_of_luck) = (Vec::new(), Vec::new());
    for one in &checked.refused {
        let mut value = user(&one.account, &one.why);
        match one.spared {
            None => out_of_luck.push(value),
            Some(by) => {
                value["by"] = by.key().into();
                spared.push(value);
            }
        }
    }
    let unsure = checked.unsure.iter().map(|(one, why)| user(one, why));
    let mut found: Vec<_> = checked.found.iter().map(as_json).collect();
    found.extend(checked.failed.iter().flat_map(failure));
    let value = serde_json::json!({
        "found": found,
        "refused": out_of_luck,
        "spared": spared,
        "unsure": unsure.collect::<Vec<_>>(),
    });
    serde_json::to_writer_pretty(&mut *out, &value).map_err(crate::error::json)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

/// Why nothing could be looked at, as faults: with their places, as far as they have any.
fn failure(error: &Error) -> Vec<serde_json::Value> {
    let placeless = |message: String, file: Option<&Path>| {
        serde_json::json!({
            "severity": "error", "message": message, "help": null, "other": null,
            "file": file.map(Path::to_string_lossy), "line": null, "column": null,
        })
    };
    match error {
        Error::Config(faults) if !faults.diagnostics().is_empty() => {
            faults.diagnostics().iter().map(as_json).collect()
        }
        Error::UnsafeAndFaulty(unsafe_file, faults) => {
            let mut all = vec![placeless(unsafe_file.to_string(), None)];
            all.extend(faults.diagnostics().iter().map(as_json));
            all
        }
        Error::Session(nsshell_session::Error::UnsafePolicy { path, .. })
        | Error::Unreadable(path, _)
        | Error::NotText(path)
        | Error::NoPlace(path) => vec![placeless(error.to_string(), Some(path))],
        _ => vec![placeless(error.to_string(), None)],
    }
}

/// A fault for programs.
pub(crate) fn as_json(fault: &Diagnostic) -> serde_json::Value {
    let place = |at: &Excerpt, message: &str| {
        serde_json::json!({
            "file": at.file, "line": at.line, "column": at.column, "message": message,
        })
    };
    let mut value = place(&fault.at, &fault.message);
    value["severity"] = match fault.severity {
        Severity::Error => "error".into(),
        Severity::Warning => "warning".into(),
        Severity::Note => "note".into(),
    };
    value["help"] = fault.help.clone().into();
    value["other"] = match &fault.other {
        Some((at, what)) => place(at, what),
        None => serde_json::Value::Null,
    };
    value
}

fn is_about_owner(error: &nsshell_session::Error) -> bool {
    matches!(error, nsshell_session::Error::UnsafePolicy { .. })
}
