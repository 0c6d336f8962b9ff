//! Homes that are gone at the end of the session, in memory and on disk.

use nsshell_tests::{Host, Session, root_or_skip, wait_for};

use super::{DISK, Disk, wait_for_empty};

const STORE: &str = "/srv/disk/ephemeral";

/// Each login is on its own.
const SESSION: &str = "[profile.standard]\nscope = \"session\"\n";

fn policy(home: &str) -> String {
    format!("{SESSION}home = {{ kind = \"ephemeral\", {home} }}\nprivate = [\"/tmp\"]")
}

/// On disk, over the real home.
fn on_disk() -> String {
    policy(&format!("store = \"{STORE}\""))
}

/// In memory, over the real home.
const IN_MEMORY: &str =
    "[profile.standard]\nscope = \"session\"\nhome = \"ephemeral\"\nprivate = [\"/tmp\"]";

fn write_old(host: &Host) {
    let line = "cd /home/alice; echo old > old; mkdir d; echo in > d/in; ln -s old link";
    host.argv(&[
        "setpriv",
        "--reuid=1000",
        "--regid=1000",
        "--clear-groups",
        "sh",
        "-c",
        line,
    ])
    .output()
    .ok();
}

/// Changes of every kind, and what is seen of them.
fn change(session: &mut Session) {
    assert_eq!(session.ask("cd; cat old d/in link").ok(), "old\nin\nold");
    let all =
        "echo new > old; echo new > new; rm -r d; mkdir d; mv link moved; touch -d 2020-01-01 old";
    session.ask(all).ok();
    assert_eq!(
        session.ask("cd; cat old new moved; ls d").ok(),
        "new\nnew\nnew"
    );
}

fn unchanged(host: &Host) {
    let look = "cd /home/alice; cat old d/in link; ls -A";
    assert_eq!(host.run(look).ok(), "old\nin\nold\nd\nlink\nold");
}

#[test]
fn an_overlay_shows_the_real_home_and_keeps_what_is_written_from_it() {
    root_or_skip!();
    for policy in [IN_MEMORY.to_owned(), on_disk()] {
        let disk = Disk::new();
        let host = disk.host(&policy);
        write_old(&host);
        let mut session = host.session("alice");
        let look = "stat -c '%a %U' ~; findmnt -no FSTYPE,OPTIONS ~";
        let said = session.ask(look).ok();
        assert!(said.starts_with("700 alice\noverlay "), "{said}");
        assert!(said.contains("nosuid") && said.contains("nodev"), "{said}");
        change(&mut session);
        unchanged(&host);
        // another login has its own
        assert_eq!(host.ssh("alice", "cat old").ok(), "old");
        assert!(session.end().success());
        unchanged(&host);
        if policy != IN_MEMORY {
            wait_for_empty(&host, STORE);
        }
    }
    // the same without the product's doing: what is written is there
    let disk = Disk::new();
    let host = disk.host("[profile.standard]\nprivate = [\"/tmp\"]");
    host.ssh("alice", "echo new > new").ok();
    assert_eq!(host.run("cat /home/alice/new").ok(), "new");
}

#[test]
fn a_home_from_a_skeleton_has_nothing_else_and_is_the_users() {
    root_or_skip!();
    let skeleton = "skeleton = \"/etc/lab\"";
    let stored = format!("{skeleton}, store = \"{STORE}\"");
    for home in [skeleton, &stored] {
        let disk = Disk::new();
        let host = disk.host(&policy(home));
        host.run("mkdir -m 755 /etc/lab; echo hi > /etc/lab/hello; touch /home/alice/mine")
            .ok();
        let said = host
            .ssh(
                "alice",
                "stat -c '%a %U %G' ~; ls -A; stat -c '%U' hello; echo x > hello",
            )
            .ok();
        assert_eq!(said, "700 alice alice\nhello\nalice");
        assert_eq!(host.ssh("alice", "cat hello").ok(), "hi");
        assert_eq!(
            host.run("cat /etc/lab/hello; ls -A /home/alice").ok(),
            "hi\nmine"
        );
        if home != skeleton {
            wait_for_empty(&host, STORE);
        }
    }
}

#[test]
fn the_size_and_the_number_of_files_in_memory_are_limited() {
    root_or_skip!();
    for skeleton in ["", "skeleton = \"/etc/skel\", "] {
        let disk = Disk::new();
        let host = disk.host(&policy(&format!("{skeleton}size = \"1m\", inodes = 200")));
        let full = host.ssh("alice", "head -c 2000000 /dev/zero > big").fails();
        assert!(full.contains("No space left"), "{full}");
        let many = host
            .ssh("alice", "for i in $(seq 300); do : > f$i || exit 1; done")
            .fails();
        assert!(many.contains("No space left"), "{many}");
    }
    let disk = Disk::new();
    let host = disk.host(IN_MEMORY);
    host.ssh("alice", "head -c 2000000 /dev/zero > big").ok();
}

#[test]
fn what_a_live_session_has_on_disk_stays_when_its_janitor_is_killed_and_another_login_cleans_up() {
    root_or_skip!();
    let disk = Disk::new();
    let host = disk.host(&on_disk());
    let mut session = host.session("alice");
    session.ask("cd; echo mine > file").ok();
    host.run("pkill -KILL -x nsshell-janitor").ok();
    // Its janitor removes what dead sessions have left in the store.
    host.ssh("alice", "true").ok();
    wait_for("the other session's janitor", || {
        !host.run("pgrep -x nsshell-janitor").success()
    });
    let look = "cat ~/file; echo more > ~/other && cat ~/other";
    assert_eq!(session.ask(look).ok(), "mine\nmore");
    session.end().ok();
    wait_for("the end of its init", || {
        !host.run("pgrep -x nsshell-init").success()
    });
    host.ssh("alice", "true").ok();
    wait_for_empty(&host, STORE);
}

#[test]
fn what_is_on_disk_is_gone_after_every_kind_of_end() {
    root_or_skip!();
    let disk = Disk::new();
    let host = disk.host(&on_disk());
    host.run("pgrep -x nsshell-janitor").fails();
    let begin = || {
        let mut session = host.session("alice");
        session
            .ask("mkdir -p a/b; echo x > a/b/c; chmod 0 a/b")
            .ok();
        let there = host.run(&format!("find {STORE} -name c")).ok();
        assert!(there.contains("/upper/a/b/c"), "{there}");
        session
    };
    let ends: [(&str, &dyn Fn(Session)); 4] = [
        ("logout", &|session| assert!(session.end().success())),
        ("the client's death", &Session::vanish),
        ("sshd's death", &|session| {
            host.run("pkill -KILL -f '^sshd: alice'").ok();
            let _ = session.wait();
        }),
        ("init's death", &|session| {
            host.run("pkill -KILL -x nsshell-init").ok();
            let _ = session.wait();
        }),
    ];
    for (name, end) in ends {
        end(begin());
        wait_for_empty(&host, STORE);
        wait_for(&format!("no janitor after {name}"), || {
            !host.run("pgrep -x nsshell-janitor").success()
        });
    }
}

#[test]
fn what_a_killed_janitor_or_a_reboot_has_left_goes_at_the_next_login() {
    root_or_skip!();
    let disk = Disk::new();
    let host = disk.host(&on_disk());
    let mut session = host.session("alice");
    session.ask("echo x > left").ok();
    host.run("pkill -KILL -x nsshell-janitor").ok();
    assert!(session.end().success());
    let left = format!("find {STORE} -name left");
    assert_eq!(
        host.run(&left).ok().lines().count(),
        1,
        "nothing was left to be swept"
    );
    host.ssh("alice", "true").ok();
    wait_for_empty(&host, STORE);
    // and one that the whole host takes with it
    let mut session = host.session("alice");
    session.ask("echo x > left").ok();
    drop(host);
    drop(session);
    let on_machine = disk.0.path().join("ephemeral");
    let of_sessions = std::fs::read_dir(&on_machine).expect("the store").count();
    assert_eq!(of_sessions, 2, "one session's and the locks");
    let host = disk.host(&on_disk());
    // a live one's stays
    let mut live = host.session("bob");
    live.ask("echo y > live").ok();
    host.ssh("alice", "true").ok();
    wait_for("the sweep", || host.run(&left).ok().is_empty());
    assert_eq!(live.ask("cat live").ok(), "y");
    assert!(live.end().success());
    wait_for_empty(&host, STORE);
}

#[test]
fn a_login_that_is_refused_leaves_nothing_on_disk() {
    root_or_skip!();
    let disk = Disk::new();
    let policy = format!(
        "[profile.standard]\nhome = {{ kind = 'ephemeral', store = '{STORE}' }}\n\
         private = [{{ path = '/srv/none', instance = '{DISK}/x/{{user}}' }}]"
    );
    let host = disk.host(&policy);
    assert!(!host.ssh("alice", "true").success());
    host.wait_for_log("cannot put an instance on /srv/none");
    host.run(&format!("test -d {STORE}/.nsshell")).ok();
    wait_for_empty(&host, STORE);
}

#[test]
fn a_tree_made_to_be_hard_to_remove_is_gone_as_well() {
    root_or_skip!();
    let disk = Disk::new();
    let host = disk.host(&on_disk());
    let script = r#"
import os
for name in (b"\xff\xfe", b"\n", b"-rf", b"n" * 255, b".nsshell-1"):
    os.mkdir(name); open(name + b"/f", "w").close()
os.mkfifo("fifo"); os.symlink("/", "root"); os.link("fifo", "fifo2")
import socket; socket.socket(socket.AF_UNIX).bind("socket")
for i in range(3000):
    os.mkdir("d"); os.chdir("d")
"#;
    let ssh = host.ssh_cmd("alice", &[], "python3 -");
    ssh.stdin(script).output().ok();
    wait_for_empty(&host, STORE);
    host.run("test -d /etc && test -e /etc/passwd").ok();
}

#[test]
fn nsctl_ls_tells_what_is_in_memory_and_that_there_is_something_on_disk() {
    root_or_skip!();
    let disk = Disk::new();
    let rest = "size = \"8m\"";
    let host =
        disk.host(&policy(rest).replace("[\"/tmp\"]", "[{ path = \"/tmp\", size = \"8m\" }]"));
    let ask =
        "nsctl ls --json | jq -r '.[0].files | \"\\(.used) \\(.limit) \\(.on_disk | length)\"'";
    let numbers = || -> Vec<u64> {
        let said = host.run(ask).ok();
        said.split(' ')
            .map(|one| one.parse().expect("a number"))
            .collect()
    };
    let mut session = host.session("alice");
    let before = numbers();
    session
        .ask("head -c 3000000 /dev/zero > ~/a; head -c 2000000 /dev/zero > /tmp/b")
        .ok();
    let after = numbers();
    assert!(
        (4_900_000..5_400_000).contains(&(after[0] - before[0])),
        "{before:?} {after:?}"
    );
    // the runtime directory has a limit as well
    assert!(after[1] >= 16 << 20, "{after:?}");
    assert_eq!(after[2], 0);
    assert!(host.run("nsctl ls").ok().contains("FILES"));
    assert!(session.end().success());
    let host = disk.host(&on_disk());
    let session = host.session("alice");
    let said = host
        .run("nsctl ls --json | jq -r '.[0].files.on_disk[]'")
        .ok();
    host.run(&format!("test -d {said}/upper")).ok();
    assert!(said.starts_with(STORE), "{said}");
    assert!(host.run("nsctl ls").ok().contains("+disk"));
    assert!(session.end().success());
}

#[test]
fn what_a_process_that_outlives_the_session_goes_on_writing_is_gone_when_it_is() {
    root_or_skip!();
    let disk = Disk::new();
    // without a PID namespace nobody ends what the user leaves behind
    let host = disk.host(&on_disk().replace("private", "namespaces = ['mount']\nprivate"));
    let mut session = host.session("alice");
    let write = "n=0; while :; do n=$((n+1)); mkdir -p x$n/y; echo > x$n/y/f; done";
    let line = format!("setsid -f sh -c '{write}' survivor >/dev/null 2>&1 </dev/null");
    session.ask(&line).ok();
    wait_for("something written", || {
        session.ask("test -e ~/x9").success()
    });
    assert!(session.end().success());
    wait_for("the removal", || {
        host.run(&format!("test -z \"$(ls {STORE})\"")).success()
    });
    host.run("pkill -f '[s]urvivor'").ok();
    wait_for_empty(&host, STORE);
    wait_for("the end of the janitor", || {
        !host.run("pgrep -x nsshell-janitor").success()
    });
}
