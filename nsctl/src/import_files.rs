//! `nsctl import`: reads the files of pam_namespace and writes what they come to.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use nsshell_config::MAX_FILE_SIZE;

use crate::cli::ImportArguments;
use crate::error::Error;
use crate::import::{Failed, Text, translate};

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
