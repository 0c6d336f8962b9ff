//! The gate's part of a plan.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nsshell_config::{Namespace, Plan};
use nsshell_gate::orders::{Orders, PATH};

/// Takes from a plan all that the gate needs of it. `runtime_dir`:
/// [`runtime_dir`](crate::view::runtime_dir) of the plan.
#[must_use]
pub fn of<'a>(plan: &'a Plan, runtime_dir: Option<&'a Path>) -> Orders<'a> {
    let bytes = |path: &'a Path| path.as_os_str().as_bytes();
    let session = plan.session.as_ref();
    Orders {
        user_layer: session.is_some_and(|session| session.has(Namespace::User)),
        user: plan.account.name.as_bytes(),
        home: bytes(&plan.account.home),
        path: PATH.as_bytes(),
        runtime_dir: runtime_dir.map(bytes).unwrap_or_default(),
        profile: plan.profile.as_bytes(),
        shell: bytes(&plan.shell),
        command: plan.command.iter().map(|one| one.as_bytes()).collect(),
        pass_environment: plan
            .pass_environment
            .iter()
            .map(|one| one.as_bytes())
            .collect(),
    }
}
