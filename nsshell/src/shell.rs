//! Becoming the real shell, in place.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::io::{IsTerminal, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use nsshell_config::Plan;
use nsshell_session::Error;
use nsshell_session::sys::Errno;
use nsshell_session::sys::process::execute;

/// The variable with what the client asked for, where a command runs in place of the shell; unset
/// if it asked for a shell. sshd's ForceCommand has SSH_ORIGINAL_COMMAND.
pub const ORIGINAL_COMMAND: &str = "NSSHELL_ORIGINAL_COMMAND";

/// What is executed: program, arguments, environment.
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
    /// ("-nsshell"), the arguments untouched, and in $SHELL what really runs, so that nothing
    /// which starts "the user's shell" starts nsshell again.
    ///
    /// `advice`: what to do if it cannot be executed.
    pub fn new(program: &Path, advice: String, called: &[OsString]) -> Self {
        Self::with_environment(program, advice, called, std::env::vars_os())
    }

    /// What a plan has a login become: the shell, or the command in its place.
    pub fn of_plan(plan: &Plan, called: &[OsString]) -> Self {
        let advice = format!("see `shell` in the profile \"{}\"", plan.profile);
        let shell = Self::new(&plan.shell, advice, called);
        if plan.command.is_empty() {
            return shell;
        }
        let advice = format!("see `command` in the profile \"{}\"", plan.profile);
        shell.replaced(&plan.command, advice)
    }

    /// The command in place of this shell, with the shell's environment. What the shell was to
    /// run stands in [`ORIGINAL_COMMAND`] alone; nothing else that it was called with counts.
    fn replaced(self, command: &[String], advice: String) -> Self {
        let asked = command_string(&self.arguments).map(CStr::to_owned);
        let arguments: Vec<_> = command
            .iter()
            .map(|one| c_string(one.as_bytes().to_vec()))
            .collect();
        // One that the client has sent is no word of ours.
        let prefix = format!("{ORIGINAL_COMMAND}=");
        let mut environment = self.environment;
        environment.retain(|one| !one.to_bytes().starts_with(prefix.as_bytes()));
        environment
            .extend(asked.map(|asked| c_string([prefix.as_bytes(), asked.to_bytes()].concat())));
        Self {
            advice,
            program: arguments.first().cloned().unwrap_or_default(),
            arguments,
            environment,
        }
    }

    fn with_environment(
        program: &Path,
        advice: String,
        called: &[OsString],
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Self {
        let own_name = called.first().map_or(OsStr::new(""), OsString::as_os_str);
        let dash: &[u8] = if own_name.as_bytes().starts_with(b"-") {
            b"-"
        } else {
            b""
        };
        // Called by its path, a shell is told its path.
        let by_path = own_name.as_bytes().contains(&b'/');
        let shown = program
            .file_name()
            .filter(|_| !by_path)
            .unwrap_or(program.as_os_str());
        let name = [dash, shown.as_bytes()].concat();
        let arguments = called
            .iter()
            .skip(1)
            .map(|one| c_string(one.as_bytes().to_vec()));
        let variable = |(name, value): (OsString, OsString)| {
            c_string([name.as_bytes(), b"=", value.as_bytes()].concat())
        };
        let shell = (OsString::from("SHELL"), OsString::from(program));
        let others = environment.filter(|(name, _)| name != "SHELL");
        Self {
            advice,
            program: c_string(program.as_os_str().to_owned().into_vec()),
            arguments: std::iter::once(c_string(name)).chain(arguments).collect(),
            environment: others.chain([shell]).map(variable).collect(),
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

    /// Whether it will talk to somebody at a terminal, by the rules of sh(1).
    pub fn is_interactive(&self) -> bool {
        asks_for_commands(&self.arguments)
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
        if errno == Errno::NOENT { 127 } else { 126 }
    }
}

/// Whether a shell that is called so reads commands from its standard input: there is neither
/// `-c` nor an operand. Options of which nothing is known here count as those without a value.
fn asks_for_commands(arguments: &[CString]) -> bool {
    const WITH_VALUE: [&[u8]; 6] = [b"-o", b"+o", b"-O", b"+O", b"--rcfile", b"--init-file"];
    let mut rest = arguments.iter().skip(1).map(|one| one.to_bytes());
    while let Some(argument) = rest.next() {
        match argument {
            option if WITH_VALUE.contains(&option) => {
                rest.next();
            }
            [b'-', b'-', _, ..] => {}
            [b'-' | b'+', letters @ ..] if !letters.is_empty() => {
                if letters.contains(&b'c') {
                    return false;
                }
                if letters.contains(&b's') {
                    return true;
                }
            }
            _ => return false,
        }
    }
    true
}

/// The string that a shell which is called so runs: what follows the first group of options with
/// a `c`. That is all that sshd, su and cron ever say; an operand before it is a script's name.
fn command_string(arguments: &[CString]) -> Option<&CStr> {
    let mut rest = arguments.iter().skip(1);
    while let Some(argument) = rest.next() {
        match argument.to_bytes() {
            [b'-', b'-', ..] => {}
            [b'-' | b'+', letters @ ..] if !letters.is_empty() => {
                if letters.contains(&b'c') {
                    return rest.next().map(CString::as_c_str);
                }
            }
            _ => return None,
        }
    }
    None
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
        let (program, advice) = (Path::new("/bin/bash"), String::new());
        Shell::with_environment(program, advice, &arguments, environment.into_iter())
    }

    fn strings(list: &[CString]) -> Vec<String> {
        list.iter()
            .map(|one| one.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn a_login_shell_becomes_a_login_shell() {
        assert_eq!(strings(&called(&["-nsshell"]).arguments), ["-bash"]);
        assert_eq!(
            strings(&called(&["nsshell", "-l"]).arguments),
            ["bash", "-l"]
        );
        assert_eq!(
            strings(&called(&["/usr/bin/nsshell"]).arguments),
            ["/bin/bash"]
        );
        assert_eq!(
            strings(&called(&["-/usr/bin/nsshell"]).arguments),
            ["-/bin/bash"]
        );
        assert_eq!(strings(&called(&[]).arguments), ["bash"]);
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
    }

    #[test]
    fn the_variable_shell_names_what_really_runs() {
        assert_eq!(
            strings(&called(&["-nsshell"]).environment),
            ["TERM=xterm", "SHELL=/bin/bash"]
        );
    }

    #[test]
    fn a_shell_is_interactive_without_a_command_and_without_an_operand() {
        let asks = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            asks_for_commands(&called(&words).arguments)
        };
        for line in [
            "nsshell",
            "-nsshell",
            "nsshell -l",
            "nsshell --norc -x +e",
            "nsshell -s a b",
        ] {
            assert!(asks(line), "{line}");
        }
        for line in ["nsshell -o posix -i", "nsshell --rcfile file"] {
            assert!(asks(line), "{line}");
        }
        for line in [
            "nsshell -c x",
            "nsshell -lc x",
            "nsshell script",
            "nsshell -x script -s",
        ] {
            assert!(!asks(line), "{line}");
        }
        assert!(!asks("nsshell -o posix script"));
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
    fn a_command_takes_the_shell_s_place_and_is_told_what_was_asked_for() {
        let command = ["/usr/bin/app".to_owned(), "two words".to_owned()];
        let become_it = |words: &[&str]| {
            let shell = called(words).with(&[(ORIGINAL_COMMAND, "forged".to_owned())]);
            shell.replaced(&command, String::new())
        };
        let given = become_it(&["nsshell", "-c", "rm -r \"$HOME\""]);
        assert_eq!(given.program.to_bytes(), b"/usr/bin/app");
        assert_eq!(strings(&given.arguments), ["/usr/bin/app", "two words"]);
        assert_eq!(
            strings(&given.environment)[2..],
            ["NSSHELL_ORIGINAL_COMMAND=rm -r \"$HOME\""]
        );
        for words in [
            &["-nsshell"][..],
            &["nsshell", "script"],
            &["nsshell", "-l"],
        ] {
            let asked_for_none = become_it(words);
            assert_eq!(
                strings(&asked_for_none.arguments),
                ["/usr/bin/app", "two words"]
            );
            assert_eq!(strings(&asked_for_none.environment).len(), 2);
        }
        let login = become_it(&["-nsshell", "-lc", ""]);
        assert_eq!(strings(&login.environment)[2], "NSSHELL_ORIGINAL_COMMAND=");
    }

    #[test]
    fn a_shell_that_is_missing_ends_with_127_and_one_that_cannot_run_with_126() {
        let none = std::iter::empty;
        let at =
            |path: &str| Shell::with_environment(Path::new(path), "advice".to_owned(), &[], none());
        assert_eq!(at("/no/such/shell").execute(), 127);
        assert_eq!(at("/").execute(), 126);
    }
}
