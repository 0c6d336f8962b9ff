//! A session made by the user alone.
use nsshell_config::{Plan, SessionPlan};
use crate::Error;
/// Runs.
pub fn run(_plan: &Plan, _session: &SessionPlan, _shell: impl FnOnce() -> u8) -> Result<u8, Error> {
    Err(Error::Protocol("not there"))
}
