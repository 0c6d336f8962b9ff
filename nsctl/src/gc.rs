//! `nsctl gc`: what dead sessions have left behind is removed.

use std::io::Write;

use nsshell_config::printable;
use nsshell_session::sweep::Swept;

use crate::error::Error;
use crate::host;

/// Removes what nobody holds, and says what that was.
pub(crate) fn run(out: &mut impl Write, told: &mut impl Write) -> Result<(), Error> {
    let swept = host::sweep()?;
    for one in &swept {
        writeln!(out, "{}", sentence(one))?;
    }
    if swept.is_empty() {
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
