//! Completions: each shell takes them, and they name every command.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::process::{Command, Stdio};

fn nsctl(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_nsctl"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that the help lists.
fn commands() -> Vec<String> {
    let help = nsctl(&["--help"]);
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let lines = list.lines().take_while(|line| line.starts_with("  "));
    let names = lines.filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

#[test]
fn the_completions_of_each_shell_name_every_command_and_its_flags() {
    let commands = commands();
    assert!(commands.len() >= 7, "{commands:?}");
    for shell in ["bash", "zsh", "fish"] {
        let text = nsctl(&["completions", shell]);
        for command in &commands {
            let word = |line: &str| {
                let apart = |c: char| !(c.is_alphanumeric() || c == '-' || c == '_');
                line.split(apart).any(|word| word == command)
            };
            assert!(text.lines().any(word), "{shell}: {command}");
        }
        for flag in ["allocate", "dry-run", "diff", "json"] {
            assert!(text.contains(flag), "{shell}: {flag}");
        }
    }
}

/// Has the shell read its completions without running them.
#[allow(clippy::print_stderr)]
#[test]
fn each_shell_that_is_there_accepts_its_completions() {
    let mut accepted = Vec::new();
    for shell in ["bash", "zsh", "fish"] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("nsctl");
        fs::write(&file, nsctl(&["completions", shell])).unwrap();
        let check = Command::new(shell)
            .arg("-n")
            .arg(&file)
            .stdin(Stdio::null())
            .output();
        match check {
            Ok(output) => {
                let told = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(
                    output.status.success() && told.is_empty(),
                    "{shell}: {told}"
                );
                accepted.push(shell);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                eprintln!("skipped: {shell} is not installed");
            }
            Err(error) => panic!("{shell}: {error}"),
        }
    }
    assert!(accepted.contains(&"bash"), "{accepted:?}");
}

/// What bash offers for the last of these words. `function`: the one to be called.
fn complete(function: &str, words: &[&str]) -> String {
    let script = nsctl(&["completions", "bash"]);
    // Two sessions, to whoever asks for them.
    let script =
        format!("{script}\nnsctl() {{ [ \"$*\" = 'ls --names' ] && printf 'abc\\nxyz\\n'; }}");
    let complete = |words: &[&str]| {
        let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
        let last = words.len() - 1;
        let program = format!(
            "{script}\nCOMP_WORDS=({}); COMP_CWORD={last}; \
             {function} nsctl '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            quoted.join(" "),
            words[last],
            words[last - 1]
        );
        let output = Command::new("bash")
            .args(["-c", &program])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{told}");
        String::from_utf8(output.stdout).unwrap()
    };
    complete(words)
}

#[test]
fn bash_completes_a_command_and_a_flag() {
    for function in ["_nsctl", "_nsctl_with_sessions"] {
        assert_eq!(complete(function, &["nsctl", "ran"]), "ranges\n");
        let flag = complete(function, &["nsctl", "ranges", "--dry"]);
        assert_eq!(flag, "--dry-run\n");
        assert_eq!(complete(function, &["nsctl", "completions", "f"]), "fish\n");
    }
}

#[test]
fn bash_completes_the_names_of_sessions_where_a_session_is_wanted() {
    let complete = |words: &[&str]| complete("_nsctl_with_sessions", words);
    for verb in ["show", "tree", "enter", "end", "logs"] {
        assert_eq!(complete(&["nsctl", verb, ""]), "abc\nxyz\n", "{verb}");
        assert_eq!(complete(&["nsctl", verb, "x"]), "xyz\n", "{verb}");
    }
    assert_eq!(complete(&["nsctl", "end", "--now", "a"]), "abc\n");
    assert_eq!(complete(&["nsctl", "end", "--no"]), "--now\n");
    assert_eq!(complete(&["nsctl", "enter", "--layer", "h"]), "host\n");
    // what comes now is a command of the session
    assert!(!complete(&["nsctl", "enter", "abc", "--", "x"]).contains("xyz"));
    assert!(!complete(&["nsctl", "check", "x"]).contains("xyz"));
}
