//! `nsctl enter`: a command in a session.

use crate::cli::EnterArguments;
use crate::error::Error;
use crate::{host, session};

/// The status for a session that could not be entered, as nsshell has it; 126 and 127 are for a
/// command that cannot be executed, and is not there.
pub(crate) const NOT_ENTERED: u8 = 125;

/// Runs the command; its exit status, 128 + n if signal n ended it.
pub(crate) fn run(arguments: &EnterArguments) -> Result<u8, Error> {
    let found = session::find(&arguments.session)?;
    host::visit(&found, arguments.layer, &arguments.command)
}
