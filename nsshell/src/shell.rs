//! Becoming the real shell, in place.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use nsshell_session::sys::process::execute;
use nsshell_session::sys::{self, Errno};

/// What is executed: program, arguments, environment.
#[derive(Debug, PartialEq, Eq)]
pub struct Shell {
    program: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Shell {
    /// The real shell as nsshell was called: a login shell ("-bash") if nsshell was one
    /// ("-nsshell"), the arguments untouched, and in $SHELL what really runs, so that nothing
    /// which starts "the user's shell" starts nsshell again.
    pub fn new(program: &Path, called: &[OsString]) -> Self {
        Self::with_environment(program, called, std::env::vars_os())
    }

    fn with_environment(
        program: &Path,
        called: &[OsString],
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Self {
        let own_name = called.first().map_or(OsStr::new(""), OsString::as_os_str);
        let dash: &[u8] = if own_name.as_bytes().starts_with(b"-") { b"-" } else { b"" };
        let base = program.file_name().unwrap_or(program.as_os_str());
        let name = [dash, base.as_bytes()].concat();
        let arguments = called.iter().skip(1).map(|one| c_string(one.as_bytes().to_vec()));
        let variable = |(name, value): (OsString, OsString)| {
            c_string([name.as_bytes(), b"=", value.as_bytes()].concat())
        };
        let shell = (OsString::from("SHELL"), OsString::from(program));
        let others = environment.filter(|(name, _)| name != "SHELL");
        Self {
            program: c_string(program.as_os_str().to_owned().into_vec()),
            arguments: std::iter::once(c_string(name)).chain(arguments).collect(),
            environment: others.chain([shell]).map(variable).collect(),
        }
    }

    /// The same, with one more variable in the environment.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        let prefix = format!("{name}=");
        self.environment.retain(|one| !one.to_bytes().starts_with(prefix.as_bytes()));
        self.environment.push(c_string(format!("{prefix}{value}").into_bytes()));
        self
    }

    /// Becomes the shell. Comes back only if that fails: with 127 if there is no such program,
    /// 126 if it cannot be executed, as sh(1) has it.
    pub fn execute(&self) -> u8 {
        let arguments: Vec<&CStr> = self.arguments.iter().map(CString::as_c_str).collect();
        let environment: Vec<&CStr> = self.environment.iter().map(CString::as_c_str).collect();
        // Rust's runtime ignores it, which every program of the session would inherit.
        sys::signal::default(sys::signal::PIPE);
        let errno = execute(&self.program, &arguments, &environment);
        let program = self.program.to_string_lossy();
        let (status, why) = match errno {
            Errno::NOENT => (127, "no such program; see `shell` in the profile"),
            Errno::ACCESS => (126, "it may not be executed"),
            _ => (126, "it cannot be executed"),
        };
        // Nothing to be done if there is nowhere to write.
        let _ = writeln!(std::io::stderr(), "nsshell: {program}: {why} ({errno})");
        status
    }
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
        let environment = [("SHELL", "/usr/bin/nsshell"), ("TERM", "xterm")]
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        Shell::with_environment(Path::new("/bin/bash"), &arguments, environment.into_iter())
    }

    fn strings(list: &[CString]) -> Vec<String> {
        list.iter().map(|one| one.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_login_shell_becomes_a_login_shell() {
        assert_eq!(strings(&called(&["-nsshell"]).arguments), ["-bash"]);
        assert_eq!(strings(&called(&["nsshell", "-l"]).arguments), ["bash", "-l"]);
        assert_eq!(strings(&called(&["/usr/bin/nsshell"]).arguments), ["bash"]);
    }

    #[test]
    fn arguments_are_handed_on_untouched() {
        let given = ["nsshell", "-c", "echo \"$0\" '$1'; exit 3", "--help", "", "-c"];
        assert_eq!(strings(&called(&given).arguments)[1..], given[1..]);
    }

    #[test]
    fn the_variable_shell_names_what_really_runs() {
        assert_eq!(strings(&called(&["-nsshell"]).environment), ["TERM=xterm", "SHELL=/bin/bash"]);
    }

    #[test]
    fn a_shell_that_is_missing_ends_with_127_and_one_that_cannot_run_with_126() {
        let at = |path: &str| Shell::with_environment(Path::new(path), &[], std::iter::empty());
        assert_eq!(at("/no/such/shell").execute(), 127);
        assert_eq!(at("/").execute(), 126);
    }
}
