//! The lines of pam_namespace in pam.d(5): which services it acts for, and how.

use std::path::Path;

use super::fault::{Fault, Line};
use super::parser::MAX_FAULTS;

/// One session line of pam_namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PamLine {
    /// the file
    pub(crate) file: String,
    /// from 1
    pub(crate) line: usize,
    /// the line without comment and outer blanks
    pub(crate) written: String,
    /// none: the file is one that other services take in, so it is not known which
    pub(crate) service: Option<String>,
    /// a failure of the module does not refuse the login
    pub(crate) optional: bool,
    pub(crate) arguments: Vec<String>,
}

impl PamLine {
    pub(crate) fn has(&self, argument: &str) -> bool {
        self.arguments.iter().any(|one| one == argument)
    }
}

/// Files under pam.d that are no services but parts of them, and the one for all the rest.
fn is_part(name: &str) -> bool {
    let parts = [
        "system-auth",
        "password-auth",
        "fingerprint-auth",
        "smartcard-auth",
        "postlogin",
        "system-login",
        "system-local-login",
        "system-remote-login",
        "other",
    ];
    name.starts_with("common-") || parts.contains(&name)
}

/// The session lines of pam_namespace. The file is one of pam.d, whose name is the service's,
/// or /etc/pam.conf, where each line begins with it.
pub(crate) fn parse(file: &str, text: &[u8]) -> Result<Vec<PamLine>, Vec<Fault>> {
    let path = Path::new(file).file_name();
    let name = path.map_or(String::new(), |name| name.to_string_lossy().into_owned());
    let mut found = Vec::new();
    let mut faults = Vec::new();
    let mut lines = text.split(|byte| *byte == b'\n').enumerate();
    while let Some((at, text)) = lines.next() {
        let number = at + 1;
        let line = Line { file, number, text };
        let mut whole = code(text).into_owned();
        // a backslash at the end takes the next line in
        while let Some(begun) = whole.trim_end_matches('\r').strip_suffix('\\') {
            let Some((_, more)) = lines.next() else {
                whole.truncate(begun.len());
                break;
            };
            whole = format!("{begun} {}", code(more));
        }
        match one(&whole, &name, line) {
            Ok(line) => found.extend(line),
            Err(fault) => faults.push(fault),
        }
        if faults.len() == MAX_FAULTS {
            break;
        }
    }
    if found.is_empty() && faults.is_empty() {
        let line = Line {
            file,
            number: 1,
            text: text.split(|byte| *byte == b'\n').next().unwrap_or(b""),
        };
        let fault = line.fault((0, 0), "no session line of pam_namespace.so in this file");
        faults.push(fault.help("name the file under /etc/pam.d that has it"));
    }
    match faults.is_empty() {
        true => Ok(found),
        false => Err(faults),
    }
}

/// The part of a line before its comment.
fn code(text: &[u8]) -> std::borrow::Cow<'_, str> {
    let code = text.split(|byte| *byte == b'#').next();
    String::from_utf8_lossy(code.unwrap_or(text))
}

fn one(code: &str, name: &str, line: Line<'_>) -> Result<Option<PamLine>, Fault> {
    let mut words = words(code).into_iter();
    let service = match name {
        "pam.conf" => words.next().unwrap_or_default(),
        _ => name.to_owned(),
    };
    let Some(kind) = words.next() else {
        return Ok(None);
    };
    let is_session = kind.trim_start_matches('-').eq_ignore_ascii_case("session");
    let (Some(control), Some(module)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let is_module = module.rsplit('/').next() == Some("pam_namespace.so");
    if !is_session || !is_module {
        return Ok(None);
    }
    let service = match is_part(&service) {
        true => None,
        false => Some(service.to_ascii_lowercase()),
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    if let Some(service) = service.as_deref()
        && (service.is_empty() || service.len() > 200 || !service.chars().all(is_plain))
    {
        let what = format!("`{service}` cannot be a service of a policy");
        let fault = line.fault((0, line.text.len()), what);
        return Err(fault.help("the file's name has to be the service's, as in /etc/pam.d"));
    }
    Ok(Some(PamLine {
        file: line.file.to_owned(),
        line: line.number,
        written: code.trim().to_owned(),
        service,
        optional: is_optional(&control),
        arguments: words.collect(),
    }))
}

/// Whether a failed session setup leaves the login alone.
fn is_optional(control: &str) -> bool {
    let control = control.to_ascii_lowercase();
    if matches!(control.as_str(), "optional" | "sufficient") {
        return true;
    }
    let Some(actions) = control.strip_prefix('[') else {
        return false;
    };
    let pairs = actions.trim_end_matches(']').split_whitespace();
    let mut action = "bad";
    for (key, value) in pairs.filter_map(|pair| pair.split_once('=')) {
        match key {
            "session_err" => return value == "ignore",
            "default" => action = value,
            _ => {}
        }
    }
    action == "ignore"
}

/// The words of a line, where brackets hold one together.
fn words(code: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut bracket = false;
    let mut open = false;
    for c in code.chars() {
        if c.is_ascii_whitespace() && !bracket {
            open = false;
            continue;
        }
        match c {
            '[' if !open => bracket = true,
            ']' => bracket = false,
            _ => {}
        }
        match words.last_mut().filter(|_| open) {
            Some(word) => word.push(c),
            None => words.push(c.to_string()),
        }
        open = true;
    }
    words
}
