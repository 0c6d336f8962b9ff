//! `nsctl`: the administrator's tool. It checks the policy, explains what a login would get
//! and lists the sessions that live, with the very code that a login runs.
//!
//! Results go to standard output, everything for people to standard error. Exit status: 0
//! done, 1 errors found or failed, 2 wrong use.
#![forbid(unsafe_code)]

mod check;
mod cli;
mod completions;
mod diff;
mod error;
mod explain;
mod host;
mod import;
mod import_files;
mod life;
mod ls;
mod mounts;
mod ranges;
mod schema;
mod table;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::error::Error;

fn main() -> ExitCode {
    // Wrong use ends here, with 2.
    let cli = Cli::parse();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut told = io::stderr().lock();
    let done = match &cli.command {
        Command::Check(arguments) => check::run(arguments, &mut out, &mut told),
        Command::Explain(arguments) => match &arguments.diff {
            Some(file) => diff::run(file, arguments, &mut out),
            None => explain::run(arguments, &mut out),
        },
        Command::Import(arguments) => import_files::run(arguments, &mut out, &mut told),
        Command::Ls(arguments) => ls::run(arguments, &mut out),
        Command::Ranges(arguments) => ranges::run(arguments, &mut out, &mut told),
        Command::Schema => schema::run(&mut out),
        Command::Completions(arguments) => completions::run(arguments, &mut out),
    };
    match done.and_then(|()| out.flush().map_err(Error::Output)) {
        Ok(()) => ExitCode::SUCCESS,
        // who reads has enough: `nsctl ls | head -1`
        Err(Error::Output(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Error::Told) => ExitCode::FAILURE,
        Err(error) => {
            // there is nobody left to tell if this fails
            let _ = writeln!(told, "{}", error::report(&error));
            ExitCode::FAILURE
        }
    }
}
