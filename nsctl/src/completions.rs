//! `nsctl completions`: what a shell offers after `nsctl`, from the command line itself. The
//! names of sessions it asks for when they are wanted: `nsctl ls --names`.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::shells;

use crate::cli::{Cli, CompletionsArguments, Shell};
use crate::error::Error;

/// In place of what clap registers: sessions where a verb wants one, and the rest as ever.
const BASH: &str = r#"
_nsctl_with_sessions() {
    local cur="${COMP_WORDS[COMP_CWORD]}" verb="${COMP_WORDS[1]}"
    case "${verb}:${cur}:${COMP_WORDS[COMP_CWORD-1]}" in
        *:-*:* | *:*:--user | *:*:--layer) ;;
        show:* | tree:* | enter:* | end:* | logs:*)
            if [[ ${COMP_CWORD} -ge 2 && " ${COMP_WORDS[*]:1:COMP_CWORD-1} " != *" -- "* ]]; then
                COMPREPLY=($(compgen -W "$(nsctl ls --names 2>/dev/null)" -- "${cur}"))
                return 0
            fi
            ;;
    esac
    _nsctl nsctl "${cur}" "${COMP_WORDS[COMP_CWORD-1]}"
}
complete -F _nsctl_with_sessions -o bashdefault -o default nsctl
"#;

/// What clap has for an argument of which it knows nothing, and what we have for sessions.
const ZSH: (&str, &str) = (":_default' \\", ":_nsctl_sessions' \\");

const ZSH_SESSIONS: &str = r#"
(( $+functions[_nsctl_sessions] )) ||
_nsctl_sessions() {
    local -a sessions
    sessions=(${(f)"$(nsctl ls --names 2>/dev/null)"})
    compadd -a sessions
}
"#;

const FISH: &str = r#"
complete -c nsctl -n "__fish_seen_subcommand_from show tree enter end logs" -f -a "(nsctl ls --names 2>/dev/null)"
"#;

/// Prints the completions of a shell.
pub(crate) fn run(arguments: &CompletionsArguments, out: &mut impl Write) -> Result<(), Error> {
    Ok(out.write_all(text(arguments.shell).as_bytes())?)
}

fn text(shell: Shell) -> String {
    let mut command = Cli::command();
    // first into memory: the generator panics if it cannot write
    let mut text = Vec::new();
    match shell {
        Shell::Bash => clap_complete::generate(shells::Bash, &mut command, "nsctl", &mut text),
        Shell::Zsh => clap_complete::generate(shells::Zsh, &mut command, "nsctl", &mut text),
        Shell::Fish => clap_complete::generate(shells::Fish, &mut command, "nsctl", &mut text),
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    match shell {
        Shell::Bash => text + BASH,
        Shell::Fish => text + FISH,
        // Its last lines run or register the function: what that calls comes before them.
        Shell::Zsh => {
            let text = zsh(&text);
            match text.rsplit_once("\nif [ ") {
                Some((before, last)) => format!("{before}\n{ZSH_SESSIONS}\nif [ {last}"),
                None => text + ZSH_SESSIONS,
            }
        }
    }
}

/// With sessions where an argument is one, by its name on the command line.
fn zsh(text: &str) -> String {
    let line = |line: &str| match line.strip_suffix(ZSH.0) {
        Some(start) if start.contains(":session -- ") || start.contains(":sessions -- ") => {
            format!("{start}{}\n", ZSH.1)
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zsh_asks_for_sessions_wherever_one_is_named() {
        let text = text(Shell::Zsh);
        // show, tree, enter, end, logs
        assert_eq!(text.matches(":_nsctl_sessions' ").count(), 5, "{text}");
        let at = |what: &str| text.find(what);
        assert!(at("\n_nsctl_sessions() {") < at("funcstack"), "{text}");
    }
}
