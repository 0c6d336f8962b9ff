//! Observed on a host whose policy would refuse everybody, each for a reason of its own and by
//! whichever way in.

use nsshell_tests::{Host, root_or_skip, wait_for};

use crate::attempt::logged;

const POLICY: &str = "\
default = 'watched'
[[rule]]
users = ['alice']
profile = 'ranged'
[[rule]]
users = ['carol']
profile = 'missing'
[profile.watched]
extends = 'standard'
mode = 'observe'
[profile.ranged]
extends = 'watched'
ranges = 'required'
[profile.missing]
extends = 'watched'
private = ['/tmp', '/srv/not-there']
";

/// Leaves word of where it ran.
const COMMAND: &str = "readlink /proc/self/ns/mnt > ~/ran";

/// A way in that is taken by a user.
type Way = fn(&Host, &str);

const WAYS: [(&str, Way); 4] = [
    ("sshd", |host, user| {
        host.ssh(user, COMMAND).ok();
    }),
    ("su", |host, user| {
        host.argv(&["su", user, "-c", COMMAND]).output().ok();
    }),
    ("login", |host, user| {
        let mut shell = host.pty(&format!("exec login -f {user}"));
        shell.prompt();
        shell.line(&format!("{COMMAND}; exit"));
        shell.wait();
    }),
    ("cron", |host, user| {
        host.run(&format!(
            "pkill -x cron; rm -f /run/crond.reboot /var/spool/cron/crontabs/*
            cd /var/spool/cron/crontabs && echo '@reboot {COMMAND}' > {user} &&
            chown {user}:crontab {user} && chmod 600 {user} && cron"
        ))
        .ok();
        wait_for("the job", || {
            host.run(&format!("test -s /home/{user}/ran")).success()
        });
    }),
];

/// Each way in works, outside of any session, and one line says what would have been wrong and what
/// to do about it.
#[track_caller]
fn is_let_in_and_told_of(host: &Host, user: &str, reason: &[&str]) {
    let outside = host.run("readlink /proc/self/ns/mnt").ok();
    for (service, way) in WAYS {
        host.run(&format!("rm -f /home/{user}/ran")).ok();
        let ((), lines) = logged(host, || way(host, user));
        let ran_in = host.run(&format!("cat /home/{user}/ran")).ok();
        assert_eq!(ran_in, outside, "{user} by {service}: {lines:#?}");
        let [line] = &lines[..] else {
            panic!("not one line about {user} by {service}: {lines:#?}");
        };
        let head = format!("pam_nsshell({service}:session): session of {user} left unconfined");
        let why = "as mode = \"observe\" says; it would have been refused: ";
        for part in reason.iter().chain(&[head.as_str(), why]) {
            assert!(line.contains(part), "no `{part}` in: {line}");
        }
    }
}

#[test]
fn whatever_would_refuse_them_users_log_in_by_every_way_and_the_log_has_a_line_for_each() {
    root_or_skip!();
    let host = Host::builder()
        .confined()
        .policy(POLICY)
        .user_with("alice", |user| user.subordinate(&[]))
        .user_with("bob", |user| user.shell("/bin/bash"))
        .user("carol")
        .user("dave")
        .start();
    // Nothing is wrong with dave's yet.
    let ((), lines) = logged(&host, || {
        host.ssh("dave", "true").ok();
    });
    assert_eq!(lines, Vec::<String>::new());
    is_let_in_and_told_of(&host, "alice", &["no subordinate", super::REASON]);
    is_let_in_and_told_of(
        &host,
        "bob",
        &[
            "the login shell of bob is /bin/bash",
            "usermod --shell /usr/bin/nsshell bob",
        ],
    );
    is_let_in_and_told_of(
        &host,
        "carol",
        &[
            "cannot mount on /srv/not-there: No such file or directory",
            "make it, or take it out of the profile",
        ],
    );
    host.run("mv /usr/bin/newuidmap /usr/bin/gone").ok();
    is_let_in_and_told_of(&host, "dave", &["/usr/bin/newuidmap is missing", "uidmap"]);
    // Enforced, the same policy refuses every one of them.
    host.run(
        "cd /etc/nsshell && sed 's/observe/enforce/' nsshell.toml > new && mv new nsshell.toml",
    )
    .ok();
    for user in ["alice", "bob", "carol", "dave"] {
        host.ssh(user, "true").fails();
        host.argv(&["su", user, "-c", "true"]).output().fails();
    }
}
