//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Check the policy of nsshell, explain what a login gets, list live sessions
#[derive(Debug, Parser)]
#[command(name = "nsctl", version, propagate_version = true)]
#[command(
    after_help = "Exit status: 0 done, 1 errors found or failed, 2 wrong use.\n\
                  Files: /etc/nsshell/nsshell.toml, the policy."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find mistakes in the policy
    Check(CheckArguments),
    /// Show the plan of a login: which rule holds and what session it makes
    Explain(ExplainArguments),
    /// List live sessions (root only)
    Ls(LsArguments),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// The policy [default: /etc/nsshell/nsshell.toml]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// Login name
    pub(crate) user: String,
    /// PAM service by which the user logs in
    #[arg(long, value_name = "NAME", default_value = "sshd")]
    pub(crate) service: String,
    /// Terminal of the login, such as ssh or /dev/pts/3
    #[arg(long)]
    pub(crate) tty: Option<String>,
    /// Host or address that the login comes from
    #[arg(long, value_name = "HOST")]
    pub(crate) rhost: Option<String>,
    /// Another policy than /etc/nsshell/nsshell.toml
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print the plan as the engine gets it
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LsArguments {
    /// Print the sessions' records
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_free_of_contradictions() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
