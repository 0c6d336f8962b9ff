//! namespace.conf(5), read as pam_namespace reads it: what its manual leaves open is as its
//! parser does it.

use super::fault::{Fault, Line};
use super::method::{self, Method};

/// Most directories that are taken over: a profile holds 64.
const MAX_ENTRIES: usize = 256;

/// How many faults are kept.
pub(crate) const MAX_FAULTS: usize = 200;

/// One line: a directory and who gets an instance of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// the file
    pub(crate) file: String,
    /// from 1
    pub(crate) line: usize,
    /// the line without comment and outer blanks
    pub(crate) written: String,
    /// `$HOME` and `$USER` not filled in, no slash at the end
    pub(crate) directory: String,
    /// in front of an instance's name; means nothing with tmpfs
    pub(crate) prefix: String,
    pub(crate) method: Method,
    /// `~`: only the users of the list get an instance, not all but them
    pub(crate) only: bool,
    /// as they are written, empty ones left out
    pub(crate) users: Vec<String>,
    /// what is in the line without any effect
    pub(crate) ignored: Vec<String>,
}

/// What a file comes to.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    pub(crate) entries: Vec<Entry>,
    /// lines that pam_namespace cannot read either: it refuses each login then
    pub(crate) faults: Vec<Fault>,
}

/// One field of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) text: String,
    /// the bytes of the line that it is written in
    pub(crate) at: (usize, usize),
    /// written without quotation marks and escapes, so that a byte of the text is one of the line
    plain: bool,
}

impl Field {
    /// The bytes of the line that a part of the field is written in.
    pub(crate) fn part(&self, from: usize, length: usize) -> (usize, usize) {
        match self.plain {
            true => (self.at.0 + from, self.at.0 + from + length),
            false => self.at,
        }
    }
}

/// Reads a whole file.
pub(crate) fn parse(file: &str, text: &[u8]) -> Parsed {
    let mut parsed = Parsed::default();
    for (at, text) in text.split(|byte| *byte == b'\n').enumerate() {
        let number = at + 1;
        let line = Line { file, number, text };
        match entry(line) {
            Ok(None) => {}
            Ok(Some(entry)) if parsed.entries.len() < MAX_ENTRIES => parsed.entries.push(entry),
            Ok(Some(_)) => {
                let what = format!("more than {MAX_ENTRIES} directories");
                parsed.faults.push(line.fault((0, text.len()), what));
                break;
            }
            Err(fault) => parsed.faults.push(fault),
        }
        if parsed.faults.len() == MAX_FAULTS {
            break;
        }
    }
    parsed
}

/// A line; none if it is blank or a comment.
fn entry(line: Line<'_>) -> Result<Option<Entry>, Fault> {
    // even within quotation marks
    let end = line.text.iter().position(|byte| *byte == b'#');
    let code = line.text.get(..end.unwrap_or(line.text.len()));
    let code = code.unwrap_or(line.text);
    let code = match std::str::from_utf8(code) {
        Ok(code) => code,
        Err(error) => {
            let at = error.valid_up_to();
            return Err(line.fault((at, at + 1), "this is not UTF-8 text"));
        }
    };
    if let Some(at) = code.find('\0') {
        return Err(line.fault((at, at + 1), "a NUL byte in the line"));
    }
    let fields = fields(code);
    let whole = (0, code.trim_end().len());
    let (directory, prefix, third) = match fields.as_slice() {
        [] => return Ok(None),
        [directory, prefix, third, ..] => (directory, prefix, third),
        [_] => {
            return Err(line
                .fault(whole, "no instance prefix and no method")
                .help(FIELDS));
        }
        [_, _] => return Err(line.fault(whole, "no method").help(FIELDS)),
    };
    let mut ignored = Vec::new();
    let method = method::parse(third, line, &mut ignored)?;
    path("directory", directory, line)?;
    if !matches!(method, Method::Tmpfs(_)) {
        path("instance prefix", prefix, line)?;
    } else if prefix.text.contains("..") {
        return Err(dots("instance prefix", prefix, line));
    }
    let list = fields.get(3).map_or("", |list| list.text.as_str());
    let (only, list) = match list.strip_prefix('~') {
        Some(list) => (true, list),
        None => (false, list),
    };
    let users = list.split(',').filter(|user| !user.is_empty());
    if let Some(more) = fields.get(4) {
        ignored.push(format!(
            "`{}` and what is after it: a line has four fields, and users are listed without blanks",
            more.text
        ));
    }
    let trimmed = directory.text.trim_end_matches('/');
    Ok(Some(Entry {
        file: line.file.to_owned(),
        line: line.number,
        written: code.trim().to_owned(),
        directory: if trimmed.is_empty() { "/" } else { trimmed }.to_owned(),
        prefix: prefix.text.clone(),
        method,
        only,
        users: users.map(str::to_owned).collect(),
        ignored,
    }))
}

const FIELDS: &str = "a line is DIRECTORY INSTANCE-PREFIX METHOD [USERS]";

/// Refuses a path that is not absolute once its variables are filled in, or has `..` in it.
fn path(what: &str, field: &Field, line: Line<'_>) -> Result<(), Fault> {
    let text = field.text.as_str();
    if text.contains("..") {
        return Err(dots(what, field, line));
    }
    if !text.starts_with('/') && !text.starts_with("$HOME") {
        let message = format!("{what} `{text}` is not absolute");
        let fault = line.fault(field.at, message);
        return Err(match text.starts_with("$USER") {
            true => fault.help("$USER is a name, not a path"),
            false => fault,
        });
    }
    Ok(())
}

fn dots(what: &str, field: &Field, line: Line<'_>) -> Fault {
    let message = format!("{what} `{}` has `..` in it", field.text);
    line.fault(field.at, message)
}

/// The fields of a line: apart by blanks, where `"` quotes and `\` escapes outside of quotes.
/// A quotation mark that is not closed reaches to the end of the line.
fn fields(code: &str) -> Vec<Field> {
    let is_blank = |c: char| c == ' ' || ('\t'..='\r').contains(&c);
    let mut fields: Vec<Field> = Vec::new();
    let mut open: Option<Field> = None;
    let mut quoted = false;
    let mut chars = code.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if !quoted && is_blank(c) {
            fields.extend(open.take());
            continue;
        }
        let field = open.get_or_insert_with(|| Field {
            text: String::new(),
            at: (at, at),
            plain: true,
        });
        field.at.1 = at + c.len_utf8();
        match c {
            '"' => {
                quoted = !quoted;
                field.plain = false;
            }
            '\\' if !quoted => {
                field.plain = false;
                let escaped = chars.next().map_or('\\', |(at, c)| {
                    field.at.1 = at + c.len_utf8();
                    match c {
                        'n' => '\n',
                        't' => '\t',
                        'b' => '\u{8}',
                        other => other,
                    }
                });
                field.text.push(escaped);
            }
            other => field.text.push(other),
        }
    }
    fields.extend(open);
    fields
}

#[cfg(test)]
#[path = "parser_tests.rs"]
mod tests;
