//! `nsctl completions`: what a shell offers after `nsctl`, from the command line itself.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::shells;

use crate::cli::{Cli, CompletionsArguments, Shell};
use crate::error::Error;

/// Prints the completions of a shell.
pub(crate) fn run(arguments: &CompletionsArguments, out: &mut impl Write) -> Result<(), Error> {
    let mut command = Cli::command();
    // first into memory: the generator panics if it cannot write
    let mut text = Vec::new();
    match arguments.shell {
        Shell::Bash => clap_complete::generate(shells::Bash, &mut command, "nsctl", &mut text),
        Shell::Zsh => clap_complete::generate(shells::Zsh, &mut command, "nsctl", &mut text),
        Shell::Fish => clap_complete::generate(shells::Fish, &mut command, "nsctl", &mut text),
    }
    Ok(out.write_all(&text)?)
}
