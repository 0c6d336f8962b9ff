//! Binds whose files seem to be somebody else's (MOUNT_ATTR_IDMAP).

use nsshell_tests::{Host, Output, root_or_skip};

use super::Disk;

/// A bind of a directory of the disk, which is a file system of the machine's, to /srv/project.
fn bind(ids: &str, rest: &str) -> String {
    format!(
        "[profile.standard]\n{rest}\nbinds = [{{ source = '/srv/disk/project', \
         target = '/srv/project'{ids} }}]"
    )
}

fn host(disk: &Disk, policy: &str) -> Host {
    let host = disk.host(policy);
    host.run("mkdir -p -m 755 /srv/project /srv/disk/project; chmod 700 /srv/disk")
        .ok();
    host
}

/// Numbers of owner and group, inside of the session.
const LOOK: &str = "cd /srv/project; stat -c '%n %u %g' *";

#[test]
fn ids_on_disk_are_those_of_the_session_whichever_its_map_is() {
    root_or_skip!();
    // the map, who owns the directory on disk, and the user's own number inside
    for (map, owner, inside) in [("root", 0, 0), ("keep", 1000, 1000)] {
        let disk = Disk::new();
        let rest = format!("id_map = '{map}'");
        let host = host(&disk, &bind(", ids = 'session'", &rest));
        host.run(&format!(
            "cd /srv/disk/project; touch a b; chown 5:6 a; chown -R {owner}:{owner} . b; chown 5:6 a"
        ))
        .ok();
        host.ssh("alice", "echo mine > /srv/project/made").ok();
        let said = host.ssh("alice", LOOK).ok();
        let own = format!("{inside} {inside}");
        assert_eq!(said, format!("a 5 6\nb {own}\nmade {own}"), "{map}");
        let on_disk = host.run("cd /srv/disk/project; stat -c '%n %u' made").ok();
        assert_eq!(on_disk, format!("made {owner}"), "{map}");
        // without, what belongs to others belongs to nobody
        let plain = disk.host(&bind("", &rest));
        plain.run("mkdir -p -m 755 /srv/project").ok();
        let said = plain.ssh("alice", LOOK).ok();
        assert!(said.starts_with("a 65534 65534\n"), "{map}: {said}");
    }
}

#[test]
fn what_is_the_owners_on_disk_is_the_users_in_the_session() {
    root_or_skip!();
    for namespaces in ["namespaces = ['mount', 'pid']", ""] {
        let disk = Disk::new();
        let host = host(&disk, &bind(", ids = 'owner'", namespaces));
        let make = "cd /srv/disk/project; touch own other; chown 2000:3000 . own; chmod 700 .; chown 5:6 other";
        host.run(make).ok();
        for (user, id) in [("alice", 1000), ("bob", 1001)] {
            host.ssh(user, "echo x > /srv/project/made").ok();
            let said = host.ssh(user, LOOK).ok();
            let own = format!("{id} {id}");
            assert_eq!(said, format!("made {own}\nother 65534 65534\nown {own}"));
        }
        let on_disk = host.run("cd /srv/disk/project; stat -c '%u %g' made").ok();
        assert_eq!(on_disk, "2000 3000");
        let plain = disk.host(&bind("", namespaces));
        plain.run("mkdir -p -m 755 /srv/project").ok();
        plain.ssh("alice", "ls /srv/project").fails();
    }
}

#[test]
fn a_file_system_that_cannot_is_refused_by_its_name() {
    root_or_skip!();
    // the root of a test host is an overlay
    for (source, name) in [("/srv/project", "overlay"), ("/proc/tty", "proc")] {
        for ids in ["session", "owner"] {
            let disk = Disk::new();
            let policy = format!(
                "[profile.standard]\nid_map = 'keep'\n\
                 binds = [{{ source = '{source}', target = '/srv/project', ids = '{ids}' }}]"
            );
            let host = host(&disk, &policy);
            assert!(!host.ssh("alice", "true").success(), "{source} {ids}");
            host.wait_for_log(&format!(
                "cannot map the ids of {source}: Invalid argument; {name} cannot"
            ));
        }
    }
}

/// The program by its path on the host, run by bob, who is in no session. A shell of his looks for
/// it: whoever becomes bob for him would do that with rights of their own.
fn as_bob(host: &Host) -> Output {
    let line = "/srv/disk/project/own -u";
    host.argv(&["/bin/sh", "-c", line]).user("bob").output()
}

/// Alice leaves a set-uid program in her bind; whether bob, who is in no session, becomes somebody
/// else by it, and whom.
fn becomes(host: &Host) -> String {
    let _ = host.ssh(
        "alice",
        "cp /usr/bin/id /srv/project/own && chmod 4755 /srv/project/own; chmod 755 /srv/project",
    );
    as_bob(host).text()
}

#[test]
fn g4_a_file_with_other_ids_is_within_nobody_s_reach_either() {
    root_or_skip!();
    let disk = Disk::new();
    let policy = "[profile.standard]\nid_map = 'root'\nbinds = [{ source = '/srv/disk/program', \
                  target = '/srv/program', ids = 'session' }]";
    let host = disk.host(policy);
    host.run("touch /srv/program; cp /usr/bin/id /srv/disk/program; chmod 755 /srv/disk")
        .ok();
    // As root inside of the session, she would be the one who can make it set-uid.
    let take = "chmod 4755 /srv/program";
    let _ = host.ssh("alice", take);
    assert_eq!(host.run("stat -c %a /srv/disk/program").ok(), "755");
    host.wait_for_log("others can reach /srv/disk/program on the host");
    host.run("chmod 700 /srv/disk").ok();
    host.ssh("alice", take).ok();
    assert_eq!(host.run("stat -c '%u %a' /srv/disk/program").ok(), "0 4755");
}

#[test]
fn g4_what_is_somebody_else_s_on_disk_is_within_nobody_s_reach() {
    root_or_skip!();
    let mapped = "id_map = 'root'";
    for (ids, owner, rest) in [
        ("session", 0, mapped),
        ("owner", 0, ""),
        ("owner", 2000, ""),
    ] {
        let disk = Disk::new();
        let host = host(&disk, &bind(&format!(", ids = '{ids}'"), rest));
        host.run(&format!("chown {owner}:{owner} /srv/disk/project"))
            .ok();
        // Closed: the file is there, and root's, but bob does not get at it.
        assert_eq!(becomes(&host), "", "{ids} {owner}");
        let made = host.run("stat -c '%u %a' /srv/disk/project/own").ok();
        assert_eq!(made, format!("{owner} 4755"), "{ids} {owner}");
        // He would, and would be somebody else: this is what a source within reach comes to.
        host.run("chmod 755 /srv/disk").ok();
        assert_eq!(as_bob(&host).ok(), owner.to_string(), "{ids}");
        host.run("rm /srv/disk/project/own").ok();
        assert_eq!(becomes(&host), "", "{ids} {owner}");
        host.wait_for_log("others can reach /srv/disk/project on the host");
        // A source that is closed itself is closed until the user opens it.
        host.run("chmod 700 /srv/disk/project").ok();
        assert_eq!(becomes(&host), "", "{ids} {owner}");
        // With another group as with an ACL, which the group's bits are the limit of.
        host.run("chmod 710 /srv/disk").ok();
        assert_eq!(becomes(&host), "", "{ids} {owner}");
        host.run("test ! -e /srv/disk/project/own").ok();
        // Nor does the user choose what is shown.
        host.run("chmod 700 /srv/disk; chown alice /srv/disk").ok();
        host.ssh("alice", "true").fails();
        host.wait_for_log("/srv/disk belongs to uid 1000, not to root");
    }
}
