//! The state that lies in a session: its plan, the gate's part of it, and its user namespace.

use std::os::fd::OwnedFd;
use std::path::Path;

use nsshell_config::Namespace;
use rustix::fs::{CWD, OFlags};

use super::View;
use super::fresh::{attach, make};
use super::place::Kind;
use crate::error::Error;
use crate::sys::fd;
use crate::sys::mount::{self, Programs};
use crate::{GATE, NAME, PLAN, STATE, USER_NAMESPACE, orders};

impl View<'_> {
    /// The plan, for nsctl, the gate's part of it, and the session's name, on a small tmpfs that
    /// covers the host's records: root's, like what it covers, and readable.
    pub(super) fn put_state(&self) -> Result<(), Error> {
        let target = Path::new(STATE);
        let text = serde_json::to_vec(self.job.plan)
            .map_err(|_| Error::Protocol("a plan that cannot be written down"))?;
        // A limit, not a cost: the longest plan has paths of more than a megabyte.
        let options = [("mode", "755"), ("size", "8m")];
        let state = make("tmpfs", &options, Programs::Forbidden, target)?;
        let cannot = |errno| Error::system("cannot write the plan into the session", errno);
        let in_state = |path: &'static str| path.rsplit('/').next().unwrap_or(path);
        mount::make_file(&state, in_state(PLAN), 0o444, &text).map_err(cannot)?;
        let runtime_dir = super::runtime_dir(self.job.plan);
        let gate = orders::of(self.job.plan, runtime_dir.as_deref()).encode();
        mount::make_file(&state, in_state(GATE), 0o444, &gate).map_err(cannot)?;
        let name = self.job.name.as_bytes();
        mount::make_file(&state, in_state(NAME), 0o444, name).map_err(cannot)?;
        if self.job.session.has(Namespace::User) {
            mount::make_file(&state, in_state(USER_NAMESPACE), 0o444, b"").map_err(cannot)?;
        }
        attach(&state, self.required(target, Kind::Directory)?, target)
    }
}

/// Pins the user namespace where nsshell finds it: its file, bound on one of ours, lives as
/// long as this mount namespace.
///
/// # Errors
/// The kernel refuses the bind.
pub fn pin(user_namespace: OwnedFd) -> Result<(), Error> {
    let cannot = |errno| Error::system(format!("cannot bind {USER_NAMESPACE}"), errno);
    let place = fd::open_beneath(CWD, Path::new(USER_NAMESPACE), OFlags::PATH);
    let bound = mount::bind(user_namespace).map_err(cannot)?;
    mount::attach(bound, place.map_err(cannot)?).map_err(cannot)
}
