//! Sessions that do not live, records that are not what they seem, and names that mean none.

use nsshell_tests::{Host, root_or_skip, wait_for};

use super::{listed, name_of, session_of};

/// Kills init and the application of bob's session by su at once, so that nobody cleans up.
fn die(host: &Host) -> String {
    let mut su = host.pty("exec su - bob");
    su.prompt();
    let bob = session_of(host, "bob");
    // Stopped first: on the way out, su would remove the record.
    host.run(&format!(
        "pkill -STOP -x su; kill -KILL {}; pkill -KILL -x su",
        bob.pid
    ))
    .ok();
    wait_for("the end of init", || {
        !host.run(&format!("kill -0 {}", bob.pid)).success()
    });
    bob.session
}

/// A record like that of `name`, changed by a line of sed(1) and held by somebody.
fn forge(host: &Host, name: &str, new: &str, change: &str) {
    host.run(&format!(
        "cd /run/nsshell/sessions && sed 's/\"{name}\"/\"{new}\"/;{change}' {name} > {new} && \
         setsid -f flock {new} sleep 3000 >/dev/null 2>&1"
    ))
    .ok();
    wait_for("the lock", || {
        !host
            .run(&format!("flock -n /run/nsshell/sessions/{new} true"))
            .success()
    });
}

#[test]
fn what_a_killed_session_leaves_is_told_and_removed_by_gc() {
    root_or_skip!();
    let host = Host::confined();
    let before = host.census();
    let told = host.run("nsctl gc");
    assert_eq!(
        (told.ok().as_str(), told.complaint().as_str()),
        ("", "nothing was left behind")
    );
    let _alice = host.session("alice");
    let dead = die(&host);
    // Left behind: the record and the user's copy.
    let left = format!("ls /run/nsshell/sessions/{dead} /run/nsshell/copies/1001/{dead}");
    host.run(&left).ok();
    let ls = host.run("nsctl ls --json");
    let _ = ls.json("ls");
    assert!(!ls.ok().contains(&dead), "{ls}");
    let left_a_record = "1 dead session has left a record; `nsctl gc` removes it";
    assert_eq!(ls.complaint(), left_a_record);
    let ls = host.run("nsctl ls");
    assert!(!ls.ok().contains(&dead), "{ls}");
    assert_eq!(ls.complaint(), left_a_record);
    for verb in ["show", "enter", "end", "tree"] {
        let said = host.run(&format!("nsctl {verb} {dead}")).fails();
        let want = format!(
            "nsctl: session {dead} is dead: its init was killed; `nsctl gc` removes what it has left"
        );
        assert_eq!(said, want, "{verb}");
    }
    assert!(listed(&host).iter().all(|one| one.user == "alice"));
    let swept = host.run("nsctl gc").ok();
    let want = format!(
        "removed the record of session {dead} of bob, whose init was killed\n\
         removed the copy of session {dead} that uid 1001 had\n\
         removed the door of session {dead} of uid 1001, whose init was killed"
    );
    assert_eq!(swept, want);
    // What lives was left alone.
    host.run(&format!("nsctl show {}", name_of(&host, "alice")))
        .ok();
    host.run(&left).fails();
    drop(_alice);
    host.wait_for_nothing_left(&before);
}

#[test]
fn a_name_that_means_no_session_or_several_says_what_to_do() {
    root_or_skip!();
    let host = Host::confined();
    for verb in ["show", "enter", "end", "tree"] {
        let output = host.run(&format!("nsctl {verb} nosuch"));
        let want = "nsctl: no session has a name that begins with \"nosuch\"; `nsctl ls` lists \
                    those that you may see";
        assert_eq!(output.fails(), want);
        assert_eq!(
            output.code(),
            Some(if verb == "enter" { 125 } else { 1 }),
            "{verb}"
        );
    }
    assert_eq!(
        host.run("nsctl end --user bob").fails(),
        "nsctl: bob has no live session; `nsctl ls` lists whose there are"
    );
    let none = host.run("nsctl end --all");
    assert_eq!(
        (none.ok().as_str(), none.complaint().as_str()),
        ("", "there is no live session")
    );
    assert_eq!(host.run("nsctl end").code(), Some(2));
    assert_eq!(host.run("nsctl end --all x").code(), Some(2));

    let _alice = host.session("alice");
    let name = name_of(&host, "alice");
    let twin = format!("{}zz", &name[..6]);
    forge(&host, &name, &twin, "");
    let begin = &name[..6];
    for verb in ["show", "enter", "end", "logs"] {
        let said = host.run(&format!("nsctl {verb} {begin}")).fails();
        assert!(
            said.contains(&format!("\"{begin}\" is the beginning of 2 sessions, ")),
            "{said}"
        );
        assert!(said.contains(&name) && said.contains(&twin), "{said}");
        assert!(said.ends_with("; type more of the name"), "{said}");
    }
    host.run(&format!("nsctl show {name}")).ok();
}

#[test]
fn g10_a_record_whose_process_is_another_one_by_now_reaches_nobody() {
    root_or_skip!();
    let host = Host::confined();
    let _alice = host.session("alice");
    let real = session_of(&host, "alice");
    let name = &real.session;
    host.run("setsid -f sleep 4000 >/dev/null 2>&1").ok();
    let victim = host.run("pgrep -f '^sleep 4000'").ok();
    // Init's number, used again: the time of its start tells.
    forge(
        &host,
        name,
        "aaaaaaa1",
        &format!("s/\"pid\":{}/\"pid\":{victim}/", real.pid),
    );
    // Even if that fitted, too: its namespaces do.
    let start = host
        .run(&format!(
            "sed 's/.*) //' /proc/{victim}/stat | cut -d' ' -f20"
        ))
        .ok();
    forge(
        &host,
        name,
        "aaaaaaa2",
        &format!(
            "s/\"pid\":{}/\"pid\":{victim}/;s/\"start\":{}/\"start\":{start}/",
            real.pid, real.start
        ),
    );
    forge(
        &host,
        name,
        "aaaaaaa3",
        &format!("s/\"pid\":{}/\"pid\":999999/", real.pid),
    );
    for (forged, why) in [
        ("aaaaaaa1", "is not its init but another one"),
        ("aaaaaaa2", "is not its init but another one"),
        ("aaaaaaa3", "is gone"),
    ] {
        for line in ["end", "end --now", "enter", "show"] {
            let said = host.run(&format!("nsctl {line} {forged}")).fails();
            assert!(
                said.contains(&format!("session {forged} is dead: ")),
                "{said}"
            );
            assert!(said.contains(why), "{said}");
        }
    }
    assert_eq!(host.run("pgrep -f '^sleep 4000'").ok(), victim, "unharmed");
    // What is held is not removed, whatever else is wrong with it.
    host.run("nsctl gc").ok();
    host.run("ls /run/nsshell/sessions/aaaaaaa1").ok();
    // The same record unchanged does reach its session.
    forge(&host, name, "aaaaaaa4", "");
    host.run("nsctl end aaaaaaa4").ok();
    assert!(!host.run(&format!("kill -0 {}", real.pid)).success());
}

#[test]
fn a_session_whose_record_is_of_another_version_is_told_and_neither_dead_nor_removed() {
    root_or_skip!();
    let host = Host::confined();
    let _alice = host.session("alice");
    let name = name_of(&host, "alice");
    forge(&host, &name, "aaaaaaa1", "s/.*/[]/");
    for ls in ["ls", "ls --json"] {
        let ls = host.run(&format!("nsctl {ls}"));
        assert!(!ls.ok().contains("aaaaaaa1"), "{ls}");
        assert_eq!(ls.complaint(), "1 session is of another version of nsshell");
    }
    for verb in ["show", "end", "enter", "tree"] {
        let said = host.run(&format!("nsctl {verb} aaaaaaa1")).fails();
        assert!(
            said.starts_with(
                "nsctl: session aaaaaaa1 lives, but its record is not of this version"
            ),
            "{said}"
        );
    }
    host.run("nsctl gc").ok();
    host.run("ls /run/nsshell/sessions/aaaaaaa1").ok();
    host.run("nsctl end --all && nsctl tree").ok();
}
