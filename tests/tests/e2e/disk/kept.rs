//! Nothing is lost: what is in kept instances and in real homes is there after every kind of end.

use nsshell_tests::{Session, root_or_skip};

use super::Disk;

const POLICY: &str = "[profile.standard]\n\
    private = [{ path = '/tmp', instance = '/srv/disk/tmp/{user}' }]";

#[test]
fn what_is_kept_survives_logout_and_the_death_of_sshd_init_and_the_host() {
    root_or_skip!();
    let disk = Disk::new();
    let host = disk.host(POLICY);
    let ends: [(&str, &dyn Fn(Session)); 3] = [
        ("logout", &|session| assert!(session.end().success())),
        ("sshd", &|session| {
            host.run("pkill -KILL -f '^sshd: alice'").ok();
            let _ = session.wait();
        }),
        ("init", &|session| {
            host.run("pkill -KILL -x nsshell-init").ok();
            let _ = session.wait();
        }),
    ];
    for (name, end) in ends {
        let mut session = host.session("alice");
        let line = format!("echo {name} >> /tmp/note; echo {name} >> ~/note");
        session.ask(&line).ok();
        end(session);
    }
    let all = "logout\nsshd\ninit";
    assert_eq!(host.ssh("alice", "cat /tmp/note").ok(), all);
    assert_eq!(host.ssh("alice", "cat ~/note").ok(), all);
    let mut session = host.session("alice");
    session
        .ask("echo host >> /tmp/note; echo host >> ~/note")
        .ok();
    drop(host);
    drop(session);
    let host = disk.host(POLICY);
    let all = format!("{all}\nhost");
    assert_eq!(host.ssh("alice", "cat /tmp/note").ok(), all);
    assert_eq!(host.ssh("alice", "cat ~/note").ok(), all);
    // kept: no lock, nobody to remove anything
    host.run("pgrep -x nsshell-janitor").fails();
}
