//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Check the policy of nsshell, explain what a login gets, list live sessions
#[derive(Debug, Parser)]
#[command(name = "nsctl", version, propagate_version = true)]
#[command(
    after_help = "Exit status: 0 done, 1 errors found or failed, 2 wrong use.\n\
                  Files: /etc/nsshell/conf.d/*.toml, /etc/nsshell/nsshell.toml,\n\
                  /usr/lib/nsshell/*.toml: the policy, the strongest first."
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
    /// A file to check by itself [default: the policy in force, all of its files]
    pub(crate) file: Option<PathBuf>,
    /// Also list the accounts of this host whose logins would be refused
    #[arg(long)]
    pub(crate) users: bool,
    /// PAM service by which they log in
    #[arg(long, value_name = "NAME", default_value = "sshd", requires = "users")]
    pub(crate) service: String,
    /// Print what is found as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// Login name
    #[arg(required_unless_present = "diff")]
    pub(crate) user: Option<String>,
    /// PAM service by which the user logs in
    #[arg(long, value_name = "NAME", default_value = "sshd")]
    pub(crate) service: String,
    /// Terminal of the login, such as ssh or /dev/pts/3
    #[arg(long)]
    pub(crate) tty: Option<String>,
    /// Host or address that the login comes from
    #[arg(long, value_name = "HOST")]
    pub(crate) rhost: Option<String>,
    /// A file that is the policy by itself, in place of the one in force
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Show what would change for each account of this host if FILE were the policy
    #[arg(long, value_name = "FILE", conflicts_with = "user")]
    pub(crate) diff: Option<PathBuf>,
    /// Show all rules that do not match, not only the last ones
    #[arg(long)]
    pub(crate) all: bool,
    /// Print as JSON; the plan is as the engine gets it
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
