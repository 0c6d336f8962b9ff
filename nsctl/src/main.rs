//! `nsctl`: the administrator's tool. It checks the policy and explains what a login would get,
//! with the very code that a login runs; it lists, shows, enters and ends sessions.
//!
//! Results go to standard output, everything for people to standard error. Exit status: 0
//! done, 1 errors found or failed, 2 wrong use; of `enter` that of the command, or 125.
#![forbid(unsafe_code)]

mod automount;
mod check;
mod cli;
mod completions;
mod diff;
mod draft;
mod end;
mod enter;
mod error;
mod explain;
mod gc;
mod host;
mod import;
mod import_files;
mod life;
mod logind;
mod logs;
mod ls;
mod mounts;
mod own;
mod ranges;
mod schema;
mod session;
mod show;
mod stacks;
mod table;
mod terminals;
mod tree;

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
            Some(file) => diff::run(file, arguments, &mut out, &mut told),
            None => explain::run(arguments, &mut out, &mut told),
        },
        Command::Import(arguments) => import_files::run(arguments, &mut out, &mut told),
        Command::Ls(arguments) => ls::run(arguments, &mut out, &mut told),
        Command::Show(arguments) => show::run(arguments, &mut out),
        Command::Tree(arguments) => tree::run(arguments, &mut out),
        Command::Enter(arguments) => match enter::run(arguments) {
            Ok(status) => return ExitCode::from(status),
            Err(error) => {
                let _ = writeln!(told, "{}", error::report(&error));
                return ExitCode::from(enter::NOT_ENTERED);
            }
        },
        Command::End(arguments) => end::run(arguments, &mut out, &mut told),
        Command::Gc => gc::run(&mut out, &mut told),
        Command::Logs(arguments) => logs::run(arguments, &mut out),
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
