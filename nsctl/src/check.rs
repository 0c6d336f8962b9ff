//! `nsctl check`: mistakes of a policy, before it refuses a login.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use nsshell_config::{
    Diagnostic, Excerpt, Login, MAX_FILE_SIZE, Policy, Refused, Severity, lint, printable, refused,
};

use crate::cli::CheckArguments;
use crate::error::Error;
use crate::{host, logind, stacks};

/// Tells what is wrong with the policy, or that nothing is.
pub(crate) fn run(
    arguments: &CheckArguments,
    out: &mut impl Write,
    told: &mut impl Write,
) -> Result<(), Error> {
    let loaded = load(arguments.file.as_deref());
    let policy = match loaded {
        Err(Error::Config(faults)) if arguments.json && !faults.diagnostics().is_empty() => {
            print(faults.diagnostics(), &[], out)?;
            return Err(Error::Told);
        }
        loaded => loaded?,
    };
    let everybody = host::inventory()?;
    let mut found = lint(&policy, &everybody);
    found.extend(host::range_faults(&everybody)?);
    found.extend(stacks::faults(&policy, &everybody));
    found.extend(logind::faults(&policy));
    let login = Login {
        service: arguments.service.clone(),
        ..Login::default()
    };
    let refused = match arguments.users {
        true => refused(&policy, &login, &everybody, &host::wrong_shell),
        false => Vec::new(),
    };
    if arguments.json {
        print(&found, &refused, out)?;
    } else {
        for fault in &found {
            writeln!(told, "{fault:#}")?;
        }
        for one in &refused {
            let (name, why) = (printable(&one.account.name), printable(&one.why));
            match one.spared {
                None => writeln!(told, "{name} would be refused: {why}")?,
                Some(spared) => writeln!(told, "{name} would be left unconfined, {spared}: {why}")?,
            }
        }
        summary(arguments, &found, &refused, told)?;
    }
    match errors(&found) + count(&refused, false) {
        0 => Ok(()),
        _ => Err(Error::Told),
    }
}

fn errors(found: &[Diagnostic]) -> usize {
    let is_error = |fault: &&Diagnostic| fault.severity == Severity::Error;
    found.iter().filter(is_error).count()
}

/// How many of them are spared, or are not.
fn count(refused: &[Refused], spared: bool) -> usize {
    let is_one = |one: &&Refused| one.spared.is_some() == spared;
    refused.iter().filter(is_one).count()
}

/// The policy to be checked.
fn load(file: Option<&Path>) -> Result<Policy, Error> {
    match host::load(file) {
        // a draft that is not root's yet is still worth reading
        Err(Error::Session(unsafe_file)) if is_about_owner(&unsafe_file) => {
            match parse(file.unwrap_or(Path::new(host::POLICY))) {
                Err(Error::Config(faults)) => {
                    Err(Error::UnsafeAndFaulty(unsafe_file.into(), faults.into()))
                }
                _ => Err(unsafe_file.into()),
            }
        }
        loaded => loaded,
    }
}

fn summary(
    arguments: &CheckArguments,
    found: &[Diagnostic],
    refused: &[Refused],
    told: &mut impl Write,
) -> Result<(), Error> {
    let file = match &arguments.file {
        Some(file) => file.to_string_lossy().into_owned(),
        None => "the policy".to_owned(),
    };
    let file = printable(&file);
    let errors = errors(found);
    let number = |count: usize, what: &str| match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        many => format!("{many} {what}s"),
    };
    let mut line = format!("{file}: {}", number(errors, "error"));
    if found.len() > errors {
        line += &format!(", {}", number(found.len() - errors, "warning"));
    }
    if arguments.users {
        let number = |spared| number(count(refused, spared), "user");
        line += &format!(", {} would be refused", number(false));
        if count(refused, true) > 0 {
            line += &format!(", {} would be left unconfined", number(true));
        }
    }
    writeln!(told, "{line}")?;
    Ok(())
}

/// What is found, for programs.
fn print(found: &[Diagnostic], refused: &[Refused], out: &mut impl Write) -> Result<(), Error> {
    let found = found.iter().map(as_json);
    let (mut spared, mut out_of_luck) = (Vec::new(), Vec::new());
    for one in refused {
        let (name, uid) = (&one.account.name, one.account.uid);
        let mut value = serde_json::json!({ "user": name, "uid": uid, "why": one.why });
        match one.spared {
            None => out_of_luck.push(value),
            Some(by) => {
                value["by"] = by.key().into();
                spared.push(value);
            }
        }
    }
    let value = serde_json::json!({
        "found": found.collect::<Vec<_>>(),
        "refused": out_of_luck,
        "spared": spared,
    });
    serde_json::to_writer_pretty(&mut *out, &value).map_err(crate::error::json)?;
    writeln!(out)?;
    Ok(out.flush()?)
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

/// Reads a file whoever owns it: only to look for mistakes, never to follow it.
fn parse(path: &Path) -> Result<Policy, Error> {
    let unreadable = |error| Error::Unreadable(path.to_owned(), error);
    let mut text = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE_SIZE as u64 + 1)
        .read_to_end(&mut text)
        .map_err(unreadable)?;
    let text = String::from_utf8(text).map_err(|_| Error::NotText(path.to_owned()))?;
    Ok(Policy::parse(&text, &path.to_string_lossy())?)
}
