//! Two logins at once: neither sees anything of the other's.

use nsshell_tests::{Host, Session, root_or_skip};

/// In the arguments or the name of everything that alice plants.
const MARK: &str = "424242";

/// How many processes she starts: more than a session has of its own.
const PROCESSES: usize = 40;

/// Leaves something of each kind that others can find.
fn plant(session: &mut Session) {
    session
        .ask(&format!(
            "for i in $(seq {PROCESSES}); do sleep {MARK} & done"
        ))
        .ok();
    for dir in ["/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue"] {
        // In /dev/mqueue a new file is a new message queue (mq_overview(7)).
        session.ask(&format!("touch {dir}/{MARK}")).ok();
    }
    session
        .ask(&format!(
            "mkdir /tmp/{MARK}.d && echo {MARK} > /tmp/{MARK}.d/file && chmod -R a+rX /tmp/{MARK}.d"
        ))
        .ok();
    session
        .ask("ipcmk -p 644 -Q && ipcmk -p 644 -M 4096 && ipcmk -p 644 -S 1")
        .ok();
}

/// A host on which no two logins share a session.
fn each_login_its_own() -> Host {
    Host::builder()
        .confined()
        .policy("[profile.standard]\nscope = 'session'\n")
        .user("alice")
        .user("bob")
        .start()
}

/// The ways to see it: a name and a line that finds it.
const LOOKS: [(&str, &str); 12] = [
    (
        "ps shows a process",
        "ps -e -o args= | grep '[s]leep 424242'",
    ),
    (
        "/proc/PID/cmdline shows a process",
        "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep '[s]leep 424242'",
    ),
    ("pgrep finds a process", "pgrep -x sleep"),
    ("ls shows a file in /tmp", "ls /tmp | grep 424242"),
    ("a file in /tmp can be read", "cat /tmp/424242.d/file"),
    ("ls shows a file in /var/tmp", "ls /var/tmp | grep 424242"),
    ("ls shows a file in /dev/shm", "ls /dev/shm | grep 424242"),
    (
        "ls shows a message queue in /dev/mqueue",
        "ls /dev/mqueue | grep 424242",
    ),
    ("ipcs shows a System V message queue", "ipcs -q | grep ^0x"),
    (
        "ipcs shows a System V shared memory segment",
        "ipcs -m | grep ^0x",
    ),
    ("ipcs shows a System V semaphore set", "ipcs -s | grep ^0x"),
    (
        "/proc/sysvipc shows a System V message queue",
        "sed 1d /proc/sysvipc/msg | grep .",
    ),
];

/// The names of the looks that found something.
fn seen_by(session: &mut Session) -> Vec<&'static str> {
    LOOKS
        .into_iter()
        .filter(|(_, line)| session.ask(line).success())
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn g1_g2_a_session_sees_nothing_of_another_user_s() {
    root_or_skip!();
    let look = |host: &Host| {
        let (mut alice, mut bob) = (host.session("alice"), host.session("bob"));
        plant(&mut alice);
        assert_eq!(
            seen_by(&mut alice).len(),
            LOOKS.len(),
            "the looks find what is there"
        );
        seen_by(&mut bob)
    };
    assert_eq!(look(&Host::confined()), Vec::<&str>::new());
    assert_eq!(look(&Host::unconfined()).len(), LOOKS.len());
}

#[test]
fn g1_g2_a_session_sees_nothing_of_another_of_the_same_user() {
    root_or_skip!();
    let look = |host: &Host| {
        let (mut one, mut two) = (host.session("alice"), host.session("alice"));
        plant(&mut one);
        seen_by(&mut two)
    };
    assert_eq!(look(&each_login_its_own()), Vec::<&str>::new());
    // Sharing is what the user's logins do otherwise.
    assert_eq!(look(&Host::confined()).len(), LOOKS.len());
    assert_eq!(look(&Host::unconfined()).len(), LOOKS.len());
}

#[test]
fn g2_what_the_host_has_in_tmp_is_not_in_a_session_nor_the_other_way_round() {
    root_or_skip!();
    let look = |host: &Host| {
        let mut alice = host.session("alice");
        host.run("touch /tmp/of-the-host /dev/shm/of-the-host; ipcmk -Q")
            .ok();
        alice.ask("touch /tmp/of-alice /dev/shm/of-alice").ok();
        let inside = alice.ask("ls /tmp /dev/shm; ipcs -q").ok();
        let outside = host.run("ls /tmp /dev/shm").ok();
        (
            inside.contains("of-the-host") || inside.contains("0x"),
            outside.contains("of-alice"),
        )
    };
    assert_eq!(look(&Host::confined()), (false, false));
    assert_eq!(look(&Host::unconfined()), (true, true));
}

#[test]
fn g1_g2_internal_sftp_shows_nothing_of_another_session() {
    root_or_skip!();
    let look = |host: &Host| {
        let mut alice = host.session("alice");
        plant(&mut alice);
        let sftp = host.cmd("sftp -q -b - bob@127.0.0.1");
        let listing = sftp
            .stdin("ls -1 /tmp\nls -1 /var/tmp\nls -1 /dev/shm\nls -1 /dev/mqueue\nls -1 /proc\n")
            .output()
            .ok();
        let names = listing.lines().map(|line| line.rsplit('/').next().unwrap());
        let processes = names
            .filter(|name| name.parse().is_ok_and(|pid: u32| pid != 424_242))
            .count();
        (listing.matches(MARK).count(), processes > PROCESSES)
    };
    assert_eq!(look(&Host::confined()), (0, false));
    let (files, processes) = look(&Host::unconfined());
    assert!(files >= 4 && processes, "{files} {processes}");
}

#[test]
fn g1_a_session_signals_no_process_of_another_of_the_same_user() {
    root_or_skip!();
    let alive = |host: &Host| {
        let mut one = host.session("alice");
        one.ask("sleep 1000 >/dev/null 2>&1 &").ok();
        // It ends itself too: with the sshd of its own connection.
        host.ssh("alice", "kill -9 -1").fails();
        host.run("pgrep -x sleep -u alice").success()
    };
    assert!(alive(&each_login_its_own()));
    assert!(!alive(&Host::confined()));
    assert!(!alive(&Host::unconfined()));
}

#[test]
fn g9_the_user_s_manager_and_bus_are_out_of_sight() {
    root_or_skip!();
    let look = |host: &Host| {
        host.run("mkdir -p /run/user/1000/systemd && touch /run/user/1000/bus /run/user/1000/systemd/private").ok();
        host.ssh(
            "alice",
            "ls -R /run/user; echo in $XDG_RUNTIME_DIR; stat -c '%U %a' /run/user/1000",
        )
        .ok()
    };
    let confined = look(&Host::confined());
    assert!(
        !confined.contains("bus") && !confined.contains("private") && !confined.contains("1001"),
        "{confined}"
    );
    assert!(
        confined.ends_with("in /run/user/1000\nalice 700"),
        "{confined}"
    );
    let control = look(&Host::unconfined());
    assert!(
        control.contains("bus") && control.contains("1001"),
        "{control}"
    );
}
