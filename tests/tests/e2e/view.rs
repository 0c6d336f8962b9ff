//! What a session sees of the file system: seen from inside, on each way in, and from outside,
//! where nothing has changed.

mod command;
mod escape;
mod escape_root;
mod far;
mod feature;
mod firm;
mod order;
mod root;
mod sftp;
mod sockets;
mod sources;
mod standalone;

use nsshell_tests::{Builder, Host};

/// What alice could meet on the host: directories that everybody may write, one with a file
/// system mounted in it, and secrets.
const PREPARE: &str = "set -e
    mkdir -m 1777 /srv/open /srv/open/sub /srv/target; mount -t tmpfs -o mode=1777 sub /srv/open/sub
    echo secret > /srv/secret; mkdir /srv/vault; echo secret > /srv/vault/file; chmod 0644 /srv/secret
    cp /usr/bin/id /srv/open/program; echo shown > /srv/open/sub/file; mknod -m 666 /srv/open/device c 1 3";

/// A host with alice and bob and these keys in everybody's profile.
fn builder(profile: &str) -> Builder {
    Host::builder()
        .confined()
        .policy(&format!("[profile.standard]\n{profile}\n"))
        .user("alice")
        .user("bob")
        .prepare(PREPARE)
}

/// What `line` prints, run by alice, over ssh and after su, which must agree; and that the
/// host's own mounts are the same while she is there.
fn seen(host: &Host, line: &str) -> String {
    let mounts = || host.run("cat /proc/1/mountinfo").ok();
    let before = mounts();
    let mut alice = host.session("alice");
    let over_ssh = alice.ask(line).text();
    assert_eq!(mounts(), before, "{line}");
    alice.end().ok();
    let after_su = host.argv(&["su", "-", "alice", "-c", &format!("exec 2>&1\n{line}")]);
    let after_su = after_su.output().text();
    assert_eq!(over_ssh.trim(), after_su.trim(), "{line}");
    over_ssh.trim().replace('\n', " ")
}

/// That `line` prints the one with these keys, and the other without.
fn differs(profile: &str, line: &str, with: &str, without: &str) {
    assert_eq!(seen(&builder(profile).start(), line), with, "{profile}");
    assert_eq!(
        seen(&builder("").start(), line),
        without,
        "without {profile}"
    );
}
