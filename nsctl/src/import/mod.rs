//! `nsctl import`: the configuration of pam_namespace as a policy that does the same, as far as
//! the language can, with a comment wherever it cannot.

mod fault;
mod groups;
mod method;
mod pam;
mod parser;
mod private;
mod services;
#[cfg(test)]
mod tests;
mod write;

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use nsshell_config::{MAX_FILE_SIZE, Policy};

use self::fault::Fault;
use self::write::Translation;
use crate::cli::ImportArguments;
use crate::error::Error;

/// A file that is taken over.
pub(crate) struct Text {
    /// as it is called in messages
    pub(crate) name: String,
    pub(crate) text: Vec<u8>,
}

/// Why there is no policy.
#[derive(Debug)]
pub(crate) enum Failed {
    /// lines that cannot be read
    Faults(Vec<Fault>),
    /// a limit that is passed
    Limit(String),
    /// what came out is not valid, which is told rather than written
    Invalid(nsshell_config::Error),
}

/// Writes the policy to standard output, or tells which lines cannot be read.
pub(crate) fn run(
    arguments: &ImportArguments,
    out: &mut impl Write,
    told: &mut impl Write,
) -> Result<(), Error> {
    let mut confs = vec![read(&arguments.file)?];
    for file in beside(&arguments.file)? {
        confs.push(read(&file)?);
    }
    let pam = arguments.pam.iter().map(|file| read(file));
    let pam = pam.collect::<Result<Vec<_>, _>>()?;
    match translate(&confs, &pam) {
        Ok(policy) => Ok(out.write_all(policy.as_bytes())?),
        Err(Failed::Faults(faults)) => {
            for fault in faults {
                writeln!(told, "{fault:#}")?;
            }
            Err(Error::Told)
        }
        Err(Failed::Limit(what)) => {
            writeln!(told, "nsctl: {what}")?;
            Err(Error::Told)
        }
        Err(Failed::Invalid(error)) => Err(error.into()),
    }
}

/// The files of namespace.d that pam_namespace reads after its main file, in their order.
fn beside(main: &Path) -> Result<Vec<PathBuf>, Error> {
    let directory = main.with_file_name("namespace.d");
    let unreadable = |error| Error::Unreadable(directory.clone(), error);
    let entries = match std::fs::read_dir(&directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unreadable)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        let hidden = path
            .file_name()
            .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|end| end == "conf") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The policy. Without `pam` its rules are for every service.
///
/// # Errors
/// Lines that cannot be read, all of them; or a limit that is passed.
pub(crate) fn translate(confs: &[Text], pam: &[Text]) -> Result<String, Failed> {
    if let Some(long) = pam
        .iter()
        .chain(confs)
        .find(|t| t.text.len() > MAX_FILE_SIZE)
    {
        let name = nsshell_config::printable(&long.name);
        return Err(Failed::Limit(format!(
            "{name} has more than {MAX_FILE_SIZE} bytes"
        )));
    }
    let mut faults = Vec::new();
    let mut lines = Vec::new();
    for text in pam {
        match pam::parse(&text.name, &text.text) {
            Ok(found) => lines.extend(found),
            Err(found) => faults.extend(found),
        }
    }
    let mut parsed = parser::Parsed::default();
    for conf in confs {
        let one = parser::parse(&conf.name, &conf.text);
        parsed.entries.extend(one.entries);
        parsed.faults.extend(one.faults);
    }
    let mut unread = Vec::new();
    // only if every service says so: else there is one that is refused
    let passes_over = |line: &pam::PamLine| line.has("ignore_config_error");
    if !lines.is_empty() && lines.iter().all(passes_over) {
        unread = parsed.faults.iter().map(ToString::to_string).collect();
    } else {
        faults.extend(parsed.faults);
    }
    if !faults.is_empty() {
        return Err(Failed::Faults(faults));
    }
    let taken: Vec<_> = parsed.entries.iter().map(private::take).collect();
    let policy = write::policy(&Translation {
        file: confs.first().map_or("", |conf| &conf.name),
        entries: &parsed.entries,
        taken: &taken,
        unread,
        groups: groups::sort(&parsed.entries, &taken).map_err(Failed::Limit)?,
        services: match pam {
            [] => None,
            _ => Some(services::sort(&lines)),
        },
    });
    // nobody gets a policy from here that would refuse their logins
    match Policy::parse(&policy, "the policy") {
        Ok(_) => Ok(policy),
        Err(error) => Err(Failed::Invalid(error)),
    }
}

/// A whole file, at most as long as a policy.
fn read(path: &Path) -> Result<Text, Error> {
    let unreadable = |error| Error::Unreadable(path.to_owned(), error);
    let mut text = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE_SIZE as u64 + 1)
        .read_to_end(&mut text)
        .map_err(unreadable)?;
    if text.len() > MAX_FILE_SIZE {
        return Err(unreadable(std::io::ErrorKind::FileTooLarge.into()));
    }
    Ok(Text {
        name: path.to_string_lossy().into_owned(),
        text,
    })
}
