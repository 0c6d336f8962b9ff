//! Becoming the real shell, in place.

use std::ffi::{CStr, CString, OsString};
use std::io::{IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nsshell_config::Plan;
use nsshell_gate::{advice, arguments, environment};
use nsshell_session::sys::Errno;
use nsshell_session::sys::process::execute;
use nsshell_session::{Error, orders, view};

/// A program to be executed, with its arguments and environment.
#[derive(Debug, PartialEq, Eq)]
pub struct Shell {
    /// what to do if it cannot be executed
    advice: String,
    program: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Shell {
    /// The real shell as nsshell was called: a login shell ("-bash") if nsshell was one
    /// ("-nsshell"), the arguments untouched, and in $SHELL what really runs.
    ///
    /// `advice`: what to do if it cannot be executed.
    pub fn new(program: &Path, advice: String, called: &[OsString]) -> Self {
        Self::with_environment(program, advice, called, &own_environment())
    }

    /// The shell that a plan has a login become, or the command in its place.
    pub fn of_plan(plan: &Plan, called: &[OsString]) -> Self {
        let Some(program) = plan.command.first() else {
            let advice = format!("see `shell` in the profile \"{}\"", plan.profile);
            return Self::new(&plan.shell, advice, called);
        };
        let words: Vec<&[u8]> = called.iter().skip(1).map(|one| one.as_bytes()).collect();
        let login = own_environment();
        let login: Vec<&[u8]> = login.iter().map(Vec::as_slice).collect();
        let runtime_dir = view::runtime_dir(plan);
        let orders = orders::of(plan, runtime_dir.as_deref());
        let asked_for = arguments::command_string(&words);
        let environment = environment::for_command(&orders, &login, asked_for);
        let words = plan.command.iter().map(|one| one.clone().into_bytes());
        Self {
            advice: format!("see `command` in the profile \"{}\"", plan.profile),
            program: c_string(program.clone().into_bytes()),
            arguments: words.map(c_string).collect(),
            environment: environment.into_iter().map(c_string).collect(),
        }
    }

    fn with_environment(
        program: &Path,
        advice: String,
        called: &[OsString],
        login: &[Vec<u8>],
    ) -> Self {
        let program = program.as_os_str().as_bytes();
        let name = called.first().map(|one| one.as_bytes()).unwrap_or_default();
        let rest = called.iter().skip(1).map(|one| one.as_bytes().to_vec());
        let name = std::iter::once(arguments::name(name, program));
        let login: Vec<&[u8]> = login.iter().map(Vec::as_slice).collect();
        let environment = environment::for_shell(program, &login);
        Self {
            advice,
            program: c_string(program.to_vec()),
            arguments: name.chain(rest).map(c_string).collect(),
            environment: environment.into_iter().map(c_string).collect(),
        }
    }

    /// The same, with more variables in the environment: names and values.
    pub fn with(mut self, variables: &[(&str, String)]) -> Self {
        for (name, value) in variables {
            let prefix = format!("{name}=");
            self.environment
                .retain(|one| !one.to_bytes().starts_with(prefix.as_bytes()));
            self.environment
                .push(c_string(format!("{prefix}{value}").into_bytes()));
        }
        self
    }

    /// True if it will talk to a person at a terminal, by the rules of sh(1).
    pub fn is_interactive(&self) -> bool {
        let words: Vec<&[u8]> = self
            .arguments
            .iter()
            .skip(1)
            .map(|one| one.to_bytes())
            .collect();
        arguments::reads_commands(&words)
            && std::io::stdin().is_terminal()
            && std::io::stderr().is_terminal()
    }

    /// Becomes the shell. Comes back only if that fails: with 127 if there is no such program,
    /// 126 if it cannot be executed, as sh(1) has it.
    pub fn execute(&self) -> u8 {
        let arguments: Vec<&CStr> = self.arguments.iter().map(CString::as_c_str).collect();
        let environment: Vec<&CStr> = self.environment.iter().map(CString::as_c_str).collect();
        let errno = execute(&self.program, &arguments, &environment);
        let advice = match errno {
            Errno::TOOBIG => "its arguments and its environment are too long together".to_owned(),
            _ => self.advice.clone(),
        };
        let doing = format!("cannot become {}", self.program.to_string_lossy());
        let error = Error::System {
            doing,
            errno,
            advice,
        };
        // Nothing to be done if there is nowhere to write.
        let _ = writeln!(std::io::stderr(), "nsshell: {error}");
        advice::status_of_exec(errno.raw_os_error())
    }
}

/// The caller's environment: `NAME=value` pairs.
fn own_environment() -> Vec<Vec<u8>> {
    std::env::vars_os()
        .map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat())
        .collect()
}

/// Strings of the command line, of paths and of the environment have no NUL.
fn c_string(bytes: Vec<u8>) -> CString {
    CString::new(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(arguments: &[&str]) -> Shell {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let environment = [b"SHELL=/usr/bin/nsshell".to_vec(), b"TERM=xterm".to_vec()];
        let (program, advice) = (Path::new("/bin/bash"), String::new());
        Shell::with_environment(program, advice, &arguments, &environment)
    }

    fn strings(list: &[CString]) -> Vec<String> {
        list.iter()
            .map(|one| one.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn arguments_are_handed_on_untouched() {
        let given = [
            "nsshell",
            "-c",
            "echo \"$0\" '$1'; exit 3",
            "--help",
            "",
            "-c",
        ];
        assert_eq!(strings(&called(&given).arguments)[1..], given[1..]);
        assert_eq!(strings(&called(&[]).arguments), ["bash"]);
    }

    #[test]
    fn a_variable_that_is_given_replaces_the_one_that_was_there() {
        let shell =
            called(&["nsshell"]).with(&[("TERM", "dumb".to_owned()), ("NEW", String::new())]);
        assert_eq!(
            strings(&shell.environment),
            ["SHELL=/bin/bash", "TERM=dumb", "NEW="]
        );
    }

    #[test]
    fn a_shell_that_is_missing_ends_with_127_and_one_that_cannot_run_with_126() {
        let at =
            |path: &str| Shell::with_environment(Path::new(path), "advice".to_owned(), &[], &[]);
        assert_eq!(at("/no/such/shell").execute(), 127);
        assert_eq!(at("/").execute(), 126);
    }
}
