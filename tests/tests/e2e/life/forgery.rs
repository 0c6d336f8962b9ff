//! Who shares a session is decided by what root has written and the kernel says, and by nothing
//! that a user can make.

use nsshell_tests::{Host, root_or_skip, wait_for};

use super::{builder, name, records, traces, wait_for_no_traces};

/// What alice leaves behind to be taken for a session: processes with init's name in namespaces
/// of her own, sockets that answer "joined" to everybody, and records of them, at every path of
/// ours under every directory that she can write to.
const FORGE: &str = r#"
import json, os, socket, threading
me = os.getpid()
open('/proc/self/comm', 'w').write('nsshell-init')
record = json.dumps(dict(session='forged', user=USER, uid=UID, service='sshd', tty=None,
    rhost=None, profile='standard', pid=me, started=1, start=0, namespaces={}, scope='user',
    kinds=0, planned='', environment=['LD_PRELOAD=/tmp/evil.so']))
def serve(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.bind(path); os.chmod(path, 0o666); s.listen(50)
    while True:
        c, _ = s.accept()
        open('/home/alice/joined', 'a').write('somebody\n')
        c.send(b'='); held.append(c)
held = []
made = 0
for base in ['/tmp', '/var/tmp', '/dev/shm', '/home/alice', '/run/user/1000', '/run', '/']:
    for ours in ['nsshell', 'run/nsshell']:
        for sub in ['sessions', 'users/0', 'users/1000', 'users/1001']:
            directory = os.path.join(base, ours, sub)
            try:
                os.makedirs(directory)
                path = os.path.join(directory, 'forged')
                if sub == 'sessions': open(path, 'w').write(record)
                else: threading.Thread(target=serve, args=(path,), daemon=True).start()
                made += 1
            except OSError: pass
print('forged', made, flush=True)
threading.Event().wait()
"#;

#[test]
fn g10_what_a_user_prepares_is_joined_by_nobody() {
    root_or_skip!();
    for confined in [true, false] {
        let forge = FORGE.replace("UID", "1001").replace("USER", "'bob'");
        // Inside of a session of hers, and as a process of hers on the bare host.
        let host = builder("").file("/srv/forge.py", 0o644, &forge).start();
        let run = "exec /usr/bin/python3 /srv/forge.py";
        let mut alice = match confined {
            true => host.ssh_cmd("alice", &[], run).spawn(),
            false => host.cmd(run).user("alice").spawn(),
        };
        let made = alice.expect("\n");
        let made: u32 = made.trim().rsplit(' ').next().unwrap().parse().unwrap();
        assert!(made >= 30, "only {made} forgeries");
        let forged_pids = host.run("pgrep -f forge.py").ok();
        let variables = "NSSHELL_SESSION=forged NSSHELL_PROFILE=standard XDG_RUNTIME_DIR=/tmp";
        for (user, line) in [
            ("bob", "echo $NSSHELL_SESSION; pgrep -f forge.p[y]; true"),
            ("root", "echo $NSSHELL_SESSION; readlink /proc/self/ns/mnt"),
        ] {
            for way in [
                host.ssh(user, line).ok(),
                host.run(&format!("{variables} su {user} -c '{line}'")).ok(),
            ] {
                assert!(!way.contains("forged"), "{user}: {way}");
                if user == "bob" {
                    assert_eq!(way.lines().count(), 1, "{way}");
                } else {
                    let own = host.run("readlink /proc/self/ns/mnt").ok();
                    assert_eq!(way, format!("none\n{own}"));
                }
            }
        }
        // alice herself shares what root has written, and not what she has.
        let again = host.ssh("alice", "echo $NSSHELL_SESSION").ok();
        if confined {
            assert!(records(&host).contains(&again), "{again}");
        } else {
            wait_for("the end of a session of her own", || {
                !records(&host).contains(&again)
            });
        }
        assert_ne!(again, "forged");
        host.run("cat /home/alice/joined").fails();
        assert_ne!(forged_pids, "");
        alice.kill();
        host.run("pkill -KILL -f '[f]orge.py'; true").ok();
    }
}

/// Writes a record anew, in place, so that its lock stays.
fn rewrite(host: &Host, session: &str, change: &str) {
    host.run(&format!(
        "cd /run/nsshell/sessions && text=$(jq -c '{change}' {session}) && printf %s \"$text\" > {session}"
    ))
    .ok();
}

#[test]
fn g10_a_record_is_joined_only_if_its_process_started_when_and_stands_where_it_says() {
    root_or_skip!();
    let host = builder("").start();
    let mut one = host.session("alice");
    let session = name(&mut one);
    one.ask("sleep 1000 >/dev/null 2>&1 &").ok();
    let path = format!("/run/nsshell/sessions/{session}");
    let right = host.run(&format!("cat {path}")).ok();
    let login = || host.ssh("alice", "echo $NSSHELL_SESSION").ok();
    let pid = host.run("pgrep -x sleep").ok();
    let changes = [
        // A number that is alice's process now: of another start, in other namespaces.
        format!(".pid = {pid}"),
        ".pid = 1".to_owned(),
        ".pid = 4000000".to_owned(),
        ".pid = 0".to_owned(),
        ".pid = -1".to_owned(),
        // The number of init, used again: by a process that started later.
        ".start += 1".to_owned(),
        ".namespaces.pid += 1".to_owned(),
        ".namespaces.mnt += 1".to_owned(),
        ".namespaces = {}".to_owned(),
        "del(.namespaces.user)".to_owned(),
        ".uid = 1001".to_owned(),
        ".profile = \"other\"".to_owned(),
        ".scope = \"session\"".to_owned(),
        ".session = \"other\"".to_owned(),
        "{}".to_owned(),
    ];
    for change in changes {
        rewrite(&host, &session, &change);
        assert_ne!(login(), session, "{change}");
        host.run(&format!("printf %s '{right}' > {path}")).ok();
        assert_eq!(login(), session, "the right record is joined again");
        wait_for("the end of the other session", || records(&host).len() == 1);
    }
    // Init's number and everything else as it was, but the socket is another process's.
    host.run(&format!(
        "cd /run/nsshell/users/1000 && mv {session} /run/door && \
         (setsid /usr/bin/python3 -c 'import socket,time; s=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET); \
         s.bind(\"/run/nsshell/users/1000/{session}\"); s.listen(5); time.sleep(1000)' >/dev/null 2>&1 &)"
    ))
    .ok();
    wait_for("the other door", || {
        host.run(&format!("test -S /run/nsshell/users/1000/{session}"))
            .success()
    });
    assert_ne!(login(), session);
    host.run(&format!("mv /run/door /run/nsshell/users/1000/{session}"))
        .ok();
    assert_eq!(login(), session);
    one.end().ok();
    wait_for_no_traces(&host);
}

#[test]
fn a_directory_of_doors_that_is_not_root_s_alone_lets_nobody_in() {
    root_or_skip!();
    let host = builder("").start();
    host.ssh("alice", "true").ok();
    for spoil in [
        "chmod 0711 /run/nsshell/users",
        "chmod 0700 /run/nsshell/users; mkdir -m 0700 /run/nsshell/users/1000 && chown alice /run/nsshell/users/1000",
    ] {
        wait_for("no session", || traces(&host).is_empty());
        host.run(spoil).ok();
        crate::attempt::refused(&host, crate::attempt::Way::Su, &["is not root's alone"]);
    }
    host.run("rmdir /run/nsshell/users/1000").ok();
    host.ssh("alice", "true").ok();
}
