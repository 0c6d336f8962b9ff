//! Binds whose files seem to be somebody else's (MOUNT_ATTR_IDMAP).

use nsshell_tests::{Host, root_or_skip};

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
    host.run("mkdir -p -m 755 /srv/project /srv/disk/project")
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
