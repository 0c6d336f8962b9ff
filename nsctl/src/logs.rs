//! `nsctl logs`: what the log has about a session.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::process::{Command, Stdio};

use nsshell_config::printable;

use crate::cli::LogsArguments;
use crate::error::Error;
use crate::session;

/// Reads the journal, where there is one.
const JOURNALCTL: &str = "/usr/bin/journalctl";

/// Where syslog writes what logins say, by distribution.
const FILES: [&str; 2] = ["/var/log/auth.log", "/var/log/secure"];

/// Prints the lines of the first source that has some.
pub(crate) fn run(arguments: &LogsArguments, out: &mut impl Write) -> Result<(), Error> {
    // One that has ended is in no list, but in the log.
    let name = match session::find(&arguments.session) {
        Ok(found) => found.record.session,
        Err(error @ Error::Ambiguous(..)) => return Err(error),
        Err(_) => arguments.session.clone(),
    };
    let mut looked = Vec::new();
    let mut found = match journal(&name, out) {
        Ok(found) => {
            looked.push("nothing in the journal".to_owned());
            found
        }
        Err(Error::Output(error)) => return Err(Error::Output(error)),
        Err(_) => {
            looked.push("there is no journal".to_owned());
            false
        }
    };
    for path in FILES {
        if found {
            break;
        }
        match File::open(path) {
            Ok(file) => {
                found = copy(BufReader::new(file), &name, out)?;
                looked.push(format!("nothing in {path}"));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                looked.push(format!("there is no {path}"));
            }
            Err(_) => looked.push(format!("{path} cannot be read")),
        }
    }
    match found {
        true => Ok(()),
        false => Err(Error::NoLog(name, looked)),
    }
}

/// Prints what the journal has; false if that is nothing.
fn journal(name: &str, out: &mut impl Write) -> Result<bool, Error> {
    let unreadable = |error| Error::Unreadable(JOURNALCTL.into(), error);
    let mut reader = Command::new(JOURNALCTL)
        // no --grep: not every journalctl is built with it
        .args(["--quiet", "--no-pager", "--output=short-iso"])
        .arg("--facility=auth,authpriv,daemon,user")
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(unreadable)?;
    let printed = match reader.stdout.take() {
        Some(lines) => copy(BufReader::new(lines), name, out),
        None => Ok(false),
    };
    // It has been read to its end, or what it writes is not wanted any more.
    if printed.is_err() {
        let _ = reader.kill();
    }
    let ended = reader.wait().map_err(unreadable)?;
    match printed? {
        false if !ended.success() => Err(unreadable(ErrorKind::Other.into())),
        found => Ok(found),
    }
}

/// Prints the lines that are about a session, without control characters: what is logged is
/// partly the user's. Whether there were any.
fn copy(mut from: impl BufRead, name: &str, out: &mut impl Write) -> Result<bool, Error> {
    let (mut found, mut line) = (false, Vec::new());
    loop {
        line.clear();
        // A source that cannot be read to its end is read as far as it can be.
        if !matches!(from.read_until(b'\n', &mut line), Ok(1..)) {
            return Ok(found);
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches('\n');
        if is_about(text, name) {
            writeln!(out, "{}", printable(text))?;
            found = true;
        }
    }
}

/// Whether a line is ours and has the name as a word of its own.
fn is_about(line: &str, name: &str) -> bool {
    let apart = |c: char| !c.is_ascii_alphanumeric();
    line.contains("nsshell") && !name.is_empty() && line.split(apart).any(|word| word == name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_lines_of_ours_that_name_the_session_are_printed() {
        let log = "\
sshd: pam_nsshell(sshd:session): session abc opened for alice
sshd: pam_nsshell(sshd:session): session abcd opened for bob
sshd: pam_unix(sshd:session): session abc opened
sshd: pam_nsshell(sshd:session): event=open session=abc user=a\x1b[2Jb
no end";
        let mut out = Vec::new();
        assert!(copy(log.as_bytes(), "abc", &mut out).unwrap());
        let out = String::from_utf8(out).unwrap();
        let lines: Vec<_> = out.lines().collect();
        assert_eq!(lines.len(), 2, "{out}");
        assert!(lines[0].ends_with("session abc opened for alice"));
        assert!(lines[1].ends_with("user=a\\u{1b}[2Jb"), "{out}");
        assert!(!copy(log.as_bytes(), "ab", &mut Vec::new()).unwrap());
        assert!(!copy(log.as_bytes(), "", &mut Vec::new()).unwrap());
    }
}
