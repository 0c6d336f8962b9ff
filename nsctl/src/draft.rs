//! A policy that is to be looked at before it counts.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use nsshell_config::{Diagnostic, Layer, MAX_FILE_SIZE, PolicyFile, Severity};
use nsshell_session::policy;

use crate::error::Error;

/// Where only a policy that is followed lies, or what will be.
const IN_FORCE: [&str; 2] = ["/etc/nsshell", policy::VENDOR];

/// A draft, and what there is to say about its file.
pub(crate) struct Draft {
    pub(crate) files: Vec<PolicyFile>,
    pub(crate) notes: Vec<Diagnostic>,
}

/// The policy of a file by itself, or with `place` together with the files in force, as if it
/// lay there. Whoever owns the file, since nothing follows it yet.
///
/// # Errors
/// The file cannot be read, or no file of the policy can be at that place.
pub(crate) fn load(file: &Path, place: Option<&Path>) -> Result<Draft, Error> {
    let name = file.to_string_lossy().into_owned();
    let mut notes = Vec::new();
    let text = match policy::files(Some(file)) {
        Ok(files) => files.into_iter().map(|file| file.text).collect(),
        Err(nsshell_session::Error::UnsafePolicy { path, problem }) => {
            let text = text(file)?;
            let what = format!(
                "no login uses this file as it is: {} {problem}",
                path.display()
            );
            let help = "give it to root, writable by nobody else, in a directory of root's";
            let mut note = Diagnostic::warning_of(&name, &text, &what, help);
            if lies_in_force(file) {
                note.severity = Severity::Error;
            }
            notes.push(note);
            text
        }
        Err(error) => return Err(error.into()),
    };
    let files = match place {
        Some(place) => policy::files_with(place, name, text)?
            .ok_or_else(|| Error::NoPlace(place.to_owned()))?,
        None => {
            if policy::files(None).is_ok_and(|files| files.iter().any(is_beside)) {
                let what = "this file is taken by itself, and the policy of this host has others";
                let help =
                    "say where it is to lie: --as /etc/nsshell/nsshell.toml, or another path";
                notes.push(Diagnostic::warning_of(&name, &text, what, help));
            }
            let layer = Layer::Main;
            vec![PolicyFile { name, text, layer }]
        }
    };
    Ok(Draft { files, notes })
}

/// Whether a file stays in force beside another nsshell.toml.
fn is_beside(file: &PolicyFile) -> bool {
    file.layer != Layer::Main
}

fn lies_in_force(file: &Path) -> bool {
    let real = std::fs::canonicalize(file);
    real.is_ok_and(|real| IN_FORCE.iter().any(|directory| real.starts_with(directory)))
}

/// Reads a file whoever owns it: only to look for mistakes, never to follow it.
pub(crate) fn text(path: &Path) -> Result<String, Error> {
    let unreadable = |error| Error::Unreadable(path.to_owned(), error);
    let mut text = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE_SIZE as u64 + 1)
        .read_to_end(&mut text)
        .map_err(unreadable)?;
    String::from_utf8(text).map_err(|_| Error::NotText(path.to_owned()))
}
