//! `nsctl gc`: what dead sessions have left behind is removed.

use std::io::Write;

use nsshell_config::printable;
use nsshell_session::sweep::Swept;
use nsshell_session::sweep_stores::{self, Emptied};

use crate::error::Error;
use crate::host;

/// Removes what nobody holds, and says what that was.
pub(crate) fn run(out: &mut impl Write, told: &mut impl Write) -> Result<(), Error> {
    // A policy that is not understood is no reason to leave what is known without it.
    let policy = nsshell_session::policy::load(None).ok();
    let stores = sweep_stores::stores(policy.as_ref());
    let swept = host::sweep()?;
    for one in &swept {
        writeln!(out, "{}", sentence(one))?;
    }
    let mut nothing = swept.is_empty();
    for store in &stores {
        let emptied = sweep_stores::sweep(store);
        nothing &= emptied == Emptied::default();
        for path in &emptied.gone {
            let path = path.to_string_lossy();
            writeln!(out, "removed {}, which no session uses", printable(&path))?;
        }
        if let Some(why) = &emptied.left {
            let store = store.to_string_lossy();
            writeln!(
                told,
                "cannot empty {}: {}",
                printable(&store),
                printable(why)
            )?;
        }
    }
    if nothing {
        writeln!(told, "nothing was left behind")?;
    }
    Ok(())
}

fn sentence(swept: &Swept) -> String {
    match swept {
        Swept::Record(session, Some(user)) => {
            let (session, user) = (printable(session), printable(user));
            format!("removed the record of session {session} of {user}, whose init was killed")
        }
        Swept::Record(session, None) => {
            format!(
                "removed a record that cannot be read, {}",
                printable(session)
            )
        }
        Swept::Copy(session, uid) => {
            let (session, uid) = (printable(session), printable(uid));
            format!("removed the copy of session {session} that uid {uid} had")
        }
        Swept::Door(session, uid) => {
            let (session, uid) = (printable(session), printable(uid));
            format!("removed the door of session {session} of uid {uid}, whose init was killed")
        }
    }
}
