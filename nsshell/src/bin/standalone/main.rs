//! The half of the login shell that works without the PAM module: it makes a session from what the
//! kernel lets every user do, where the policy wants one. nsshell executes it outside of the
//! module's sessions, under its own name and with its own arguments.
#![forbid(unsafe_code)]
#![cfg_attr(all(target_env = "gnu", not(test)), no_main)]

mod shell;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use nsshell_config::{Login, Plan};
use nsshell_session::accounts::{self, SystemHost};
use nsshell_session::sys::process;
use nsshell_session::{Error, maps, policy, standalone};

use shell::Shell;

/// The status for a session that could not be made, as env(1), timeout(1) and container tools have
/// it; 126 and 127 are the shell's.
const NO_SESSION: u8 = 125;

nsshell_session::program!(run);

fn run() -> u8 {
    // The name by which its user knows it: the gate executes it in place of itself.
    let _ = process::set_name(c"nsshell");
    let arguments: Vec<_> = std::env::args_os().collect();
    let status = if standalone::inside() {
        Ok(again(&arguments).execute())
    } else {
        outside(&arguments)
    };
    status.unwrap_or_else(|error| {
        // Nothing to be done if there is nowhere to write.
        let _ = writeln!(std::io::stderr(), "nsshell: {error}");
        NO_SESSION
    })
}

/// Started again in a session of the user's own. No policy decides here any more: the id map
/// makes the user somebody else, and root, to whom the policy has to belong, nobody. The
/// session's own nsshell has left in $SHELL what it became.
fn again(arguments: &[OsString]) -> Shell {
    let found = std::env::var_os("SHELL").map(PathBuf::from);
    let usable = found.filter(|path| path.is_absolute() && !path.ends_with("nsshell"));
    let planned = || own_plan().map(|plan| plan.shell).ok();
    let path = usable
        .or_else(planned)
        .unwrap_or_else(|| PathBuf::from("/bin/sh"));
    Shell::new(&path, "see the variable SHELL".to_owned(), arguments)
}

/// No module has made a session. Where the policy wants one, we make what a user can.
fn outside(arguments: &[OsString]) -> Result<u8, Error> {
    // The module has told that this very login is left alone: a rule may name its service,
    // which cannot be known here.
    let left_alone = std::env::var_os(standalone::VARIABLE).is_some_and(|name| name == "none");
    let plan = match own_plan() {
        // The log has the reason; and root has to get in, to mend what is wrong.
        Err(_) if left_alone || process::real_uid() == 0 => {
            return Ok(without_plan(arguments).execute());
        }
        plan => plan?,
    };
    let shell = Shell::of_plan(&plan, arguments);
    match &plan.session {
        Some(session) if !left_alone => {
            let interactive = shell.is_interactive();
            let enter = |variables: &[_]| shell.with(variables).execute();
            standalone::run(&plan, session, interactive, enter).map(process::end_as)
        }
        _ => Ok(shell.execute()),
    }
}

/// What there is of shells, where no plan names one.
fn without_plan(arguments: &[OsString]) -> Shell {
    let found = ["/bin/bash", "/bin/sh"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    let path = Path::new(found.unwrap_or("/bin/sh"));
    Shell::new(path, "no shell is installed".to_owned(), arguments)
}

fn own_plan() -> Result<Plan, Error> {
    let mut account = accounts::by_uid(process::real_uid())?;
    // The group to be mapped is the one that the user is in, which newgrp(1) may have changed.
    let login_group = account.gid;
    account.gid = process::real_gid();
    let login = Login {
        service: "nsshell".to_owned(),
        ..Login::default()
    };
    let host = SystemHost::new();
    let plan = policy::load_for(None, &login, &account, &host)?.resolve()?;
    let maps = plan
        .session
        .as_ref()
        .and_then(|session| session.id_maps.as_ref());
    if account.gid != login_group && maps.is_some_and(|maps| !maps::own_id_only(maps)) {
        return Err(Error::NotAsPlanned(format!(
            "this shell is in group {}, but newuidmap maps subordinate ids only for who is in \
             their group of the user database, {login_group}; leave the shell that newgrp or sg \
             has started",
            account.gid
        )));
    }
    Ok(plan)
}
