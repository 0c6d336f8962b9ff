//! What sessions have on disk: instances of private directories, ephemeral homes, files under
//! other ids.

mod ephemeral;
mod ids;
mod instance;
mod kept;
mod left;

use nsshell_tests::{Builder, Host, wait_for};

/// A directory of the machine that stands for the host's disk, with all of a policy's stores.
pub(crate) struct Disk(tempfile::TempDir);

/// Where it is in the host.
const DISK: &str = "/srv/disk";

impl Disk {
    pub(crate) fn new() -> Self {
        // What others can write would be refused as a store.
        Self(tempfile::tempdir().expect("a directory for the disk"))
    }

    fn host(&self, policy: &str) -> Host {
        self.builder(policy).start()
    }

    /// A host on this disk; the homes are on it as well.
    pub(crate) fn builder(&self, policy: &str) -> Builder {
        let homes = self.0.path().join("home");
        std::fs::create_dir_all(&homes).expect("a directory for the homes");
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&homes, std::fs::Permissions::from_mode(0o755))
            .expect("homes for everybody");
        Host::builder()
            .confined()
            .disk(self.0.path(), DISK)
            .disk(&homes, "/home")
            .policy(policy)
            .user("alice")
            .user("bob")
    }
}

/// Waits until nothing is in a store, not even its locks.
fn wait_for_empty(host: &Host, store: &str) {
    let look = format!("cd {store} && ls -A && ls -A .nsshell");
    wait_for(&format!("nothing in {store}"), || {
        host.run(&look).ok() == ".nsshell"
    });
}
