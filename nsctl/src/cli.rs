//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum, ValueHint};

/// Check the policy of nsshell, explain what a login gets; list, enter and end sessions
#[derive(Debug, Parser)]
#[command(name = "nsctl", version, propagate_version = true)]
#[command(
    after_help = "Exit status: 0 done, 1 errors found or failed, 2 wrong use; of `enter`: the\n\
                  command's, 125 if the session cannot be entered.\n\
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
    /// Turn the configuration of pam_namespace into a policy, on standard output
    Import(ImportArguments),
    /// List live sessions; for users their own
    Ls(LsArguments),
    /// Show everything about a session
    Show(ShowArguments),
    /// Show the namespaces of sessions, how they own each other and who is in them (root only)
    Tree(TreeArguments),
    /// Run a command, or the user's shell, in a session (root only)
    Enter(EnterArguments),
    /// End sessions; users their own
    End(EndArguments),
    /// Remove what dead sessions have left behind (root only)
    Gc,
    /// Print what the log has about a session
    Logs(LogsArguments),
    /// List subordinate uids and gids, find overlaps, give some to who has none
    Ranges(RangesArguments),
    /// Print the JSON Schema of the policy, for editors
    Schema,
    /// Print the completions for a shell
    Completions(CompletionsArguments),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// A file to check by itself [default: the policy in force, all of its files]
    pub(crate) file: Option<PathBuf>,
    /// Check FILE together with the files in force, as if it lay at PATH
    #[arg(long = "as", value_name = "PATH", requires = "file", value_hint = ValueHint::FilePath)]
    pub(crate) place: Option<PathBuf>,
    /// Also list the accounts of this host whose logins would be refused
    #[arg(long)]
    pub(crate) users: bool,
    /// PAM service by which they log in
    #[arg(long, value_name = "NAME", default_value = "sshd", requires = "users")]
    pub(crate) service: String,
    /// Terminal of their logins, such as ssh or /dev/pts/3 [default: none]
    #[arg(long, requires = "users")]
    pub(crate) tty: Option<String>,
    /// Host or address that they come from [default: none]
    #[arg(long, value_name = "HOST", requires = "users")]
    pub(crate) rhost: Option<String>,
    /// Print what is found as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("draft").args(["config", "diff"]).multiple(true))]
pub(crate) struct ExplainArguments {
    /// Login name
    #[arg(required_unless_present = "diff", value_hint = ValueHint::Username)]
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
    /// Take FILE of --diff, or of --config, together with the files in force, as if it lay at
    /// PATH
    #[arg(long = "as", value_name = "PATH", requires = "draft", value_hint = ValueHint::FilePath)]
    pub(crate) place: Option<PathBuf>,
    /// Show all rules that do not match, not only the last ones
    #[arg(long)]
    pub(crate) all: bool,
    /// Print as JSON; the plan is as the engine gets it
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// The configuration of pam_namespace, such as /etc/security/namespace.conf
    pub(crate) file: PathBuf,
    /// A file of /etc/pam.d (or /etc/pam.conf) with a line of pam_namespace: the policy is for
    /// its service only; may be given several times [default: every service]
    #[arg(long, value_name = "FILE")]
    pub(crate) pam: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct LsArguments {
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Print only the names, a line each
    #[arg(long, conflicts_with = "json")]
    pub(crate) names: bool,
    /// Print again every two seconds, until interrupted; as JSON a line each time
    #[arg(long, conflicts_with = "names")]
    pub(crate) watch: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// Name of the session, or its beginning
    pub(crate) session: String,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TreeArguments {
    /// Name of the session, or its beginning [default: all sessions]
    pub(crate) session: Option<String>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EnterArguments {
    /// Name of the session, or its beginning
    pub(crate) session: String,
    /// How far: where the login starts, or where the user's shell is [default: user, where the
    /// session has a user namespace]
    #[arg(long)]
    pub(crate) layer: Option<Layer>,
    /// What to run there [default: the user's shell]
    #[arg(last = true, value_name = "CMD", value_hint = ValueHint::CommandWithArguments)]
    pub(crate) command: Vec<OsString>,
}

/// The layers of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Layer {
    Host,
    User,
}

#[derive(Debug, Args)]
pub(crate) struct EndArguments {
    /// Names of sessions, or their beginnings
    #[arg(value_name = "SESSION", required_unless_present_any = ["user", "all"])]
    pub(crate) sessions: Vec<String>,
    /// All sessions of this user
    #[arg(long, value_name = "USER", conflicts_with_all = ["sessions", "all"],
          value_hint = ValueHint::Username)]
    pub(crate) user: Option<String>,
    /// All sessions
    #[arg(long, conflicts_with = "sessions")]
    pub(crate) all: bool,
    /// At once, by SIGKILL, without asking the processes to end
    #[arg(long)]
    pub(crate) now: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArguments {
    /// Name of the session, or its beginning; one that has ended by its whole name
    pub(crate) session: String,
}

#[derive(Debug, Args)]
pub(crate) struct RangesArguments {
    /// Login names [default: everybody who has ranges or should]
    #[arg(value_name = "USER", value_hint = ValueHint::Username)]
    pub(crate) users: Vec<String>,
    /// Print as JSON
    #[arg(long, conflicts_with = "allocate")]
    pub(crate) json: bool,
    /// Give these users free ranges of the kinds that they lack (root only)
    #[arg(long)]
    pub(crate) allocate: bool,
    /// Give them to all persons: uid 1000 and above, but not 65534
    #[arg(long, requires = "allocate", conflicts_with = "users")]
    pub(crate) all: bool,
    /// Only print the commands that would give them
    #[arg(long, requires = "allocate")]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell that completes
    pub(crate) shell: Shell,
}

/// Shells that have completions.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
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
