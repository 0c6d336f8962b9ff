//! `nsctl check`: mistakes of a policy, before it refuses a login.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use nsshell_config::{MAX_FILE_SIZE, Policy};

use crate::cli::CheckArguments;
use crate::error::Error;
use crate::host;

/// Says that the policy is valid, or fails with what is wrong with it.
pub(crate) fn run(arguments: &CheckArguments, told: &mut impl Write) -> Result<(), Error> {
    let file = arguments.file.as_deref();
    match host::load(file) {
        Ok(_) => {}
        // a draft that is not root's yet is still worth reading
        Err(Error::Session(unsafe_file)) if is_about_owner(&unsafe_file) => {
            return match parse(file.unwrap_or(Path::new(host::POLICY))) {
                Err(Error::Config(faults)) => {
                    Err(Error::UnsafeAndFaulty(unsafe_file.into(), faults.into()))
                }
                _ => Err(unsafe_file.into()),
            };
        }
        Err(error) => return Err(error),
    }
    match file {
        None if !Path::new(host::POLICY).exists() => {
            writeln!(
                told,
                "{} does not exist: the built-in policy is in force",
                host::POLICY
            )?;
        }
        _ => {
            let file = file.unwrap_or(Path::new(host::POLICY)).to_string_lossy();
            writeln!(told, "{}: no errors", nsshell_config::printable(&file))?;
        }
    }
    Ok(())
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
