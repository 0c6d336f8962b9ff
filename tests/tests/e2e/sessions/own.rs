//! What a user sees of sessions, from outside and from within, and ends.

use nsshell_tests::{Host, Output, root_or_skip, wait_for};

use super::{listed, listed_by, listed_in, login_with_sleep, name_of, session_of};

fn as_alice(host: &Host, line: &str) -> Output {
    host.cmd(line).user("alice").output()
}

#[test]
fn from_outside_a_user_sees_and_shows_their_own_sessions_only() {
    root_or_skip!();
    let host = Host::confined();
    assert_eq!(as_alice(&host, "nsctl ls --names").ok(), "");
    let _alice = login_with_sleep(&host, "alice");
    let _bob = host.session("bob");
    let (mine, other) = (session_of(&host, "alice"), name_of(&host, "bob"));
    let seen = listed_by(host.cmd("nsctl ls --json").user("alice"));
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].session, mine.session);
    assert_eq!(
        (seen[0].start, &seen[0].namespaces),
        (mine.start, &mine.namespaces)
    );
    // Her own processes; init and sshd's are root's.
    assert!(
        seen[0].processes >= 1 && seen[0].processes < mine.processes,
        "{seen:?}"
    );
    let shown = as_alice(&host, &format!("nsctl show {}", &mine.session[..5])).ok();
    assert!(
        shown.contains("sleep") && shown.contains("built-in policy:"),
        "{shown}"
    );
    for verb in ["show", "end"] {
        let said = as_alice(&host, &format!("nsctl {verb} {other}")).fails();
        assert!(
            said.starts_with("nsctl: no session has a name that begins with"),
            "{said}"
        );
    }
    // Neither is there a way around nsctl.
    for path in [
        "/run/nsshell",
        "/run/nsshell/sessions",
        "/run/nsshell/copies",
        "/run/nsshell/copies/1001",
    ] {
        assert!(
            as_alice(&host, &format!("ls {path}"))
                .fails()
                .contains("denied"),
            "{path}"
        );
    }
    as_alice(&host, &format!("cat /run/nsshell/copies/1001/{other}")).fails();
    let copy = format!("/run/nsshell/copies/1000/{}", mine.session);
    as_alice(&host, &format!("cat {copy}")).ok();
    for line in ["rm -f", "chmod 644", "touch", "truncate -s 0"] {
        as_alice(&host, &format!("{line} {copy}")).fails();
    }
    as_alice(&host, "touch /run/nsshell/copies/1000/new").fails();
    // What is root's alone says so.
    for line in [
        format!("enter {}", mine.session),
        format!("tree {}", mine.session),
    ] {
        let said = as_alice(&host, &format!("nsctl {line}")).fails();
        assert!(said.starts_with("nsctl: only root "), "{said}");
    }
    let said = as_alice(&host, "nsctl gc").fails();
    assert!(said.ends_with("; only root may"), "{said}");
}

#[test]
fn a_lock_that_a_user_holds_on_a_copy_keeps_no_session_alive() {
    root_or_skip!();
    let host = Host::confined();
    let alice = host.session("alice");
    let name = name_of(&host, "alice");
    let copy = format!("/run/nsshell/copies/1000/{name}");
    let mut lock = host
        .cmd(&format!(
            "flock -s {copy} sh -c 'echo held; exec sleep 1000'"
        ))
        .user("alice")
        .spawn();
    lock.expect("held");
    host.run(&format!("nsctl end {name}")).ok();
    drop(alice);
    assert!(listed(&host).is_empty());
    wait_for("the copy's end", || {
        !host.run(&format!("ls {copy}")).success()
    });
}

#[test]
fn from_outside_a_user_ends_their_own_session() {
    root_or_skip!();
    let host = Host::confined();
    host.ssh("alice", "true").ok();
    wait_for("the first", || listed(&host).is_empty());
    let before = host.census();
    let mut alice = login_with_sleep(&host, "alice");
    alice
        .ask("setsid -f sh -c 'trap \"\" HUP TERM; while :; do sleep 1; done' >/dev/null 2>&1")
        .ok();
    let mut bob = login_with_sleep(&host, "bob");
    let name = name_of(&host, "alice");
    let said = as_alice(&host, "nsctl end --all").ok();
    assert!(
        said.starts_with(&format!("session {name} of alice has ended, after ")),
        "{said}"
    );
    let _ = alice.wait();
    assert!(listed(&host).iter().all(|one| one.user == "bob"));
    bob.ask("pgrep -x sleep").ok();
    bob.end().ok();
    host.wait_for_nothing_left(&before);
}

#[test]
fn from_within_a_user_sees_shows_and_ends_the_session_that_they_are_in() {
    root_or_skip!();
    let host = Host::confined();
    let mut alice = login_with_sleep(&host, "alice");
    let mut bob = host.session("bob");
    let name = name_of(&host, "alice");
    assert_eq!(alice.ask("/usr/sbin/nsctl ls --names").ok().trim(), name);
    let json = alice.ask("/usr/sbin/nsctl ls --json");
    let seen = listed_in(&json);
    assert_eq!((seen.len(), seen[0].pid), (1, 1), "{json}");
    assert_eq!(
        (seen[0].user.as_str(), seen[0].service.as_str()),
        ("alice", "sshd")
    );
    let shown = alice.ask(&format!("/usr/sbin/nsctl show {name}")).ok();
    for part in ["sleep", "built-in policy:", "real shell", "mounts"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    // From the user layer and from the host layer alike.
    let host_layer = format!("nsctl enter {name} --layer host -- /usr/sbin/nsctl ls --names");
    assert_eq!(host.run(&host_layer).ok(), name);
    let mut screen = host.ssh_pty("alice", "");
    screen.prompt();
    // Both logins share it, and end with it; bob's goes on.
    assert_eq!(screen.ask("/usr/sbin/nsctl ls --names"), name);
    screen.line(&format!("/usr/sbin/nsctl end {name}"));
    screen.expect(&format!(
        "ending session {name} of alice, this process with it"
    ));
    let _ = screen.wait();
    let _ = alice.wait();
    wait_for("the end", || {
        listed(&host).iter().all(|one| one.session != name)
    });
    bob.ask("true").ok();
    assert!(listed(&host).iter().any(|one| one.user == "bob"));
}

#[test]
fn a_directory_of_copies_that_was_left_half_made_is_finished_by_the_next_session() {
    root_or_skip!();
    let host = Host::confined();
    host.run("mkdir -m 0711 -p /run/nsshell/copies; mkdir -m 0700 /run/nsshell/copies/1000")
        .ok();
    let _alice = host.session("alice");
    let name = super::name_of(&host, "alice");
    let ls = host.cmd("nsctl ls").user("alice").output().ok();
    assert!(ls.contains(&name), "{ls}");
}
