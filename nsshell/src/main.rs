//! nsshell: the login shell that enters the user layer of its session and becomes the user's
//! real shell. It reads no option of its own: what it is given is the real shell's.
#![forbid(unsafe_code)]

mod shell;

use std::io::Write;
use std::process::ExitCode;

use nsshell_config::{Login, Plan, resolve};
use nsshell_session::accounts::{self, SystemHost};
use nsshell_session::enter::{self, Place};
use nsshell_session::{Error, policy, standalone, sys};

use shell::Shell;

/// The status for a session that could not be made or entered, as env(1), timeout(1) and
/// container tools have it; 126 and 127 are the shell's.
const NO_SESSION: u8 = 125;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    match go(&arguments) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            // Nothing to be done if there is nowhere to write.
            let _ = writeln!(std::io::stderr(), "nsshell: {error}");
            ExitCode::from(NO_SESSION)
        }
    }
}

/// Find out where we are, enter what is to be entered, become the shell.
fn go(arguments: &[std::ffi::OsString]) -> Result<u8, Error> {
    match enter::place()? {
        Place::HostLayer(plan) => {
            enter::user_layer()?;
            Ok(Shell::new(&plan.shell, arguments).execute())
        }
        Place::Inside(plan) => Ok(Shell::new(&plan.shell, arguments).execute()),
        Place::Outside => outside(arguments),
    }
}

/// No module has made a session. Where the policy wants one, we make what a user can.
fn outside(arguments: &[std::ffi::OsString]) -> Result<u8, Error> {
    let plan = own_plan()?;
    let shell = Shell::new(&plan.shell, arguments);
    match &plan.session {
        // The module has told that the policy leaves this very login alone: a rule may name
        // its service, which cannot be known here.
        _ if std::env::var_os(standalone::VARIABLE).is_some_and(|name| name == "none") => {
            Ok(shell.execute())
        }
        None => Ok(shell.execute()),
        Some(_) if standalone::inside() => Ok(shell.execute()),
        Some(session) => standalone::run(&plan, session, |name| {
            shell.with(standalone::VARIABLE, name).execute()
        }),
    }
}

fn own_plan() -> Result<Plan, Error> {
    let account = accounts::by_uid(sys::process::real_uid())?;
    let policy = policy::load(None)?;
    let login = Login { service: "nsshell".to_owned(), ..Login::default() };
    Ok(resolve(&policy, &login, &account, &SystemHost::new())?)
}
