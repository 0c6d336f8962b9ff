//! A policy that is changed while logins run: each gets the one from before or after, or is refused
//! since nobody can tell, and never gets a part of one, or none.

use std::time::Duration;

use nsshell_tests::{Host, root_or_skip};

const REASON: &str = "a part must not be taken for the whole";

/// A policy long enough to be caught half written, of which each half is a policy as well.
fn text(name: &str) -> String {
    let rules = "[[rule]]\nusers = ['nobody-of-this-host']\nprofile = 'none'\n".repeat(500);
    format!(
        "[profile.first]\nextends = 'standard'\nhostname = '{name}-first'\n{rules}\
         [[rule]]\nusers = ['alice']\nprofile = 'first'\n"
    )
}

fn host() -> Host {
    Host::builder()
        .confined()
        .without_sshd()
        .policy(&text("one"))
        .user("alice")
        .file("/etc/nsshell/one", 0o600, &text("one"))
        .file("/etc/nsshell/two", 0o600, &text("two"))
        .start()
}

/// What became of logins.
#[derive(Debug)]
struct Tally {
    one: usize,
    two: usize,
    refused: usize,
}

/// So many logins, four at a time, while a line of shell goes on and on, for `$to` one and two in
/// turn.
#[track_caller]
fn logins(host: &Host, change: &str, count: usize) -> Tally {
    let line = format!(
        "cd /etc/nsshell; while :; do for to in one two; do\n{change}\ndone; done 2>/dev/null"
    );
    let mut changing = host.cmd(&line).spawn();
    let told = host
        .cmd(&format!(
            "seq {count} | xargs -P 4 -I{{}} sh -c 'su alice -c hostname 2>/dev/null || echo refused'"
        ))
        .limit(Duration::from_secs(120))
        .output()
        .ok();
    changing.kill();
    let count_of = |word: &str| told.lines().filter(|line| *line == word).count();
    let tally = Tally {
        one: count_of("one-first"),
        two: count_of("two-first"),
        refused: count_of("refused"),
    };
    let log = host.log();
    let others = log
        .lines()
        .filter(|line| line.contains("refused: ") && !line.contains(REASON));
    assert_eq!(others.collect::<Vec<_>>(), Vec::<&str>::new());
    assert_eq!(
        tally.one + tally.two + tally.refused,
        count,
        "{change}: {told}"
    );
    tally
}

#[test]
fn a_login_gets_the_policy_from_before_or_after_a_change_and_never_a_part_of_it() {
    root_or_skip!();
    // Written over in place, which truncates it first, and replaced by renaming, in turn. The pause is
    // several times what a login waits for a file to settle, also where processors are short.
    let change = "cat $to > nsshell.toml; sleep 0.3; \
        cp $to new && mv new nsshell.toml; sleep 0.3";
    let tally = logins(&host(), change, 200);
    assert_eq!(tally.refused, 0, "{tally:?}");
    assert!(tally.one > 0 && tally.two > 0, "{tally:?}");
}

#[test]
fn a_policy_that_is_renamed_into_its_place_without_a_pause_refuses_nobody() {
    root_or_skip!();
    let host = host();
    let whole = "cp $to new && mv new nsshell.toml";
    let part = "cp $to new && mv new conf.d/50.toml";
    host.run("rm /etc/nsshell/nsshell.toml; mkdir /etc/nsshell/conf.d; cp /etc/nsshell/one /etc/nsshell/conf.d/50.toml")
        .ok();
    let parts = logins(&host, part, 40);
    host.run("cp /etc/nsshell/one /etc/nsshell/nsshell.toml; rm -r /etc/nsshell/conf.d")
        .ok();
    let wholes = logins(&host, whole, 200);
    for tally in [parts, wholes] {
        assert_eq!(tally.refused, 0, "{tally:?}");
        assert!(tally.one > 0 && tally.two > 0, "{tally:?}");
    }
}

#[test]
fn a_policy_that_is_written_in_place_gives_a_login_all_of_it_or_refuses_that_login() {
    root_or_skip!();
    let host = host();
    // Without any pause; with one in the middle of a write that is longer than what is waited for;
    // without making it empty first; and made anew each time.
    for change in [
        "cat $to > nsshell.toml",
        "{ head -c 15000 $to; sleep 0.3; tail -c +15001 $to; } > nsshell.toml; sleep 0.1",
        "dd if=$to of=nsshell.toml bs=8k conv=notrunc",
        "rm nsshell.toml; cat $to > nsshell.toml",
    ] {
        logins(&host, change, 40);
    }
}

#[test]
fn a_policy_that_somebody_is_writing_refuses_everybody_but_root_and_the_reason_is_told() {
    root_or_skip!();
    let host = host();
    host.run("su alice -c true").ok();
    // What it has so far is a policy, and has been left alone for long.
    let mut writing = host
        .cmd("exec > /etc/nsshell/nsshell.toml; head -c 15000 /etc/nsshell/two; sleep 60")
        .spawn();
    host.run("until test -s /etc/nsshell/nsshell.toml; do sleep 0.1; done; sleep 0.5")
        .ok();
    host.run("su alice -c true").fails();
    host.wait_for_log(
        "/etc/nsshell/nsshell.toml is open for writing, and a part must not be taken for the \
         whole; end what writes it, and make changes by writing a new file and renaming it (mv)",
    );
    host.run("su root -c true").ok();
    writing.kill();
    host.run("cp /etc/nsshell/two /etc/nsshell/new; mv /etc/nsshell/new /etc/nsshell/nsshell.toml")
        .ok();
    assert_eq!(host.run("su alice -c hostname").ok(), "two-first");
}
