//! The configuration of pam_namespace as a policy that does the same, as far as
//! the language can, with a comment wherever it cannot.
//! Pure, and by itself: `fuzz` takes it in by its path.

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

use nsshell_config::{MAX_FILE_SIZE, Policy};

use self::fault::Fault;
use self::write::Translation;

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
