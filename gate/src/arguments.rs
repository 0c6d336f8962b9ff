//! A login shell's arguments: what it was called, and what it was asked to run.

use alloc::vec::Vec;

/// The name (argv[0]) that the real shell gets: a login shell's ("-bash") if nsshell was called by
/// one ("-nsshell"), and its path if nsshell was called by a path.
#[must_use]
pub fn name(called: &[u8], shell: &[u8]) -> Vec<u8> {
    let dash: &[u8] = if called.starts_with(b"-") { b"-" } else { b"" };
    let by_path = called.contains(&b'/');
    let last = shell.rsplit(|&byte| byte == b'/').next();
    let shown = last.filter(|_| !by_path).unwrap_or(shell);
    [dash, shown].concat()
}

/// The string that a shell with these arguments (without its name) runs: what follows the first
/// group of options with a `c`. sshd, su and cron say no more than that; an operand before it is
/// the name of a script.
#[must_use]
pub fn command_string<'a>(arguments: &[&'a [u8]]) -> Option<&'a [u8]> {
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument {
            [b'-', b'-', ..] => {}
            [b'-' | b'+', letters @ ..] if !letters.is_empty() => {
                if letters.contains(&b'c') {
                    return rest.next().copied();
                }
            }
            _ => return None,
        }
    }
    None
}

/// True if a shell with these arguments (without its name) reads commands from its standard input:
/// there is neither `-c` nor an operand. Options that are not known here count as options without
/// a value.
#[must_use]
pub fn reads_commands(arguments: &[&[u8]]) -> bool {
    const WITH_VALUE: [&[u8]; 6] = [b"-o", b"+o", b"-O", b"+O", b"--rcfile", b"--init-file"];
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match *argument {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<&[u8]> {
        line.split_whitespace().map(str::as_bytes).collect()
    }

    #[test]
    fn a_login_shell_becomes_a_login_shell() {
        for (called, expected) in [
            ("-nsshell", "-bash"),
            ("nsshell", "bash"),
            ("/usr/bin/nsshell", "/bin/bash"),
            ("-/usr/bin/nsshell", "-/bin/bash"),
            ("", "bash"),
        ] {
            let name = name(called.as_bytes(), b"/bin/bash");
            assert_eq!(name, expected.as_bytes(), "{called}");
        }
    }

    #[test]
    fn a_shell_reads_commands_without_a_command_and_without_an_operand() {
        for line in [
            "",
            "-l",
            "--norc -x +e",
            "-s a b",
            "-o posix -i",
            "--rcfile file",
        ] {
            assert!(reads_commands(&words(line)), "{line}");
        }
        for line in ["-c x", "-lc x", "script", "-x script -s", "-o posix script"] {
            assert!(!reads_commands(&words(line)), "{line}");
        }
    }

    #[test]
    fn the_command_string_follows_the_first_options_with_a_c() {
        for (line, expected) in [
            ("-c true", Some("true")),
            ("-lc true", Some("true")),
            ("--posix -e -c true", Some("true")),
            ("script -c true", None),
            ("-l", None),
            ("-c", None),
            ("", None),
        ] {
            assert_eq!(
                command_string(&words(line)),
                expected.map(str::as_bytes),
                "{line}"
            );
        }
    }
}
