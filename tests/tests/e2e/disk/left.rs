//! What is left on disk when those are killed who remove it, and whose it is meanwhile.

use nsshell_tests::{Host, root_or_skip, wait_for};

use super::{Disk, wait_for_empty};

/// An ephemeral home and two directories that are emptied, one of them shared by all sessions of
/// a user.
const POLICY: &str = "[profile.standard]\nscope = 'session'\n\
    home = { kind = 'ephemeral', store = '/srv/disk/home-of' }\n\
    private = [{ path = '/tmp', instance = '/srv/disk/tmp/{user}', contents = 'empty' },\n\
    { path = '/var/tmp', instance = '/srv/disk/var/{user}/{session}' }]";

const STORES: [&str; 3] = ["/srv/disk/home-of", "/srv/disk/tmp", "/srv/disk/var/alice"];

const WRITE: &str = "for dir in ~ /tmp /var/tmp; do echo mine > $dir/note; done";

const READ: &str = "cat ~/note /tmp/note /var/tmp/note";

fn kill(host: &Host, name: &str) {
    host.run(&format!("pkill -KILL -x {name}")).ok();
    wait_for_none(host, name);
}

fn wait_for_none(host: &Host, name: &str) {
    wait_for(&format!("the end of {name}"), || {
        !host.run(&format!("pgrep -x {name}")).success()
    });
}

fn notes(host: &Host) -> usize {
    let find = "find /srv/disk/home-of /srv/disk/tmp /srv/disk/var -name note | wc -l";
    host.run(find).ok().trim().parse().unwrap()
}

#[test]
fn a_living_session_keeps_what_it_has_on_disk_though_its_janitor_is_killed() {
    root_or_skip!();
    let disk = Disk::new();
    let host = disk.host(POLICY);
    let mut session = host.session("alice");
    session.ask(WRITE).ok();
    kill(&host, "nsshell-janitor");
    // A login that sweeps the same stores at its beginning, and at its end.
    assert_eq!(host.ssh("alice", "cat /tmp/note").ok(), "mine");
    wait_for_none(&host, "nsshell-janitor");
    assert!(host.run("nsctl gc").ok().is_empty());
    assert_eq!(session.ask(READ).ok(), "mine\nmine\nmine");
    session.ask("echo more > ~/more && rm ~/more").ok();
    assert_eq!(notes(&host), 3);
    // It is nobody's when the session is gone.
    assert!(session.end().success());
    wait_for_none(&host, "nsshell-init");
    assert_eq!(notes(&host), 3);
    host.ssh("alice", "true").ok();
    for store in STORES {
        wait_for_empty(&host, store);
    }
}

#[test]
fn gc_removes_what_a_host_that_went_down_has_left_before_anybody_logs_in() {
    root_or_skip!();
    let disk = Disk::new();
    let host = disk.host(POLICY);
    let mut session = host.session("alice");
    session.ask(WRITE).ok();
    drop(host);
    drop(session);
    let host = disk.host(POLICY);
    assert_eq!(notes(&host), 3);
    let said = host.run("nsctl gc").ok();
    assert!(
        said.contains("removed /srv/disk/tmp/alice, which no session uses"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 3, "{said}");
    for store in STORES {
        wait_for_empty(&host, store);
    }
    let again = host.run("nsctl gc").ok();
    assert!(again.is_empty(), "{again}");
}

#[test]
fn gc_knows_by_the_record_where_a_session_of_an_older_policy_had_something() {
    root_or_skip!();
    let disk = Disk::new();
    let host = disk.host(POLICY);
    let mut session = host.session("alice");
    session.ask(WRITE).ok();
    let other = "printf '[profile.standard]\\nprivate = []\\n' > /etc/nsshell/nsshell.toml";
    host.run(other).ok();
    // While it lives it is nobody else's.
    assert!(host.run("nsctl gc").ok().is_empty());
    assert_eq!(session.ask(READ).ok(), "mine\nmine\nmine");
    kill(&host, "nsshell-janitor");
    // Who would take the record off at the logout; and init must not come to end the session.
    host.run(
        "pkill -STOP -x nsshell-init; pkill -KILL -f '^sshd: alice'; pkill -KILL -x nsshell-init",
    )
    .ok();
    wait_for_none(&host, "nsshell-init");
    assert_eq!(notes(&host), 3);
    let said = host.run("nsctl gc").ok();
    assert_eq!(said.matches("which no session uses").count(), 3, "{said}");
    for store in STORES {
        wait_for_empty(&host, store);
    }
}
