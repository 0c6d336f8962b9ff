//! Private directories on disk, one for each value of a template.

use nsshell_tests::{Host, root_or_skip, wait_for};

use super::wait_for_empty;

const STORE: &str = "/var/lib/nsshell/tmp";

/// alice and bob, with this entry as the only private directory, and each login on its own.
fn host(entry: &str) -> Host {
    Host::builder()
        .confined()
        .policy(&format!(
            "[profile.standard]\nscope = \"session\"\nprivate = [{entry}]"
        ))
        .user("alice")
        .user("bob")
        .start()
}

fn tmp(template: &str) -> Host {
    host(&format!(
        r#"{{ path = "/tmp", instance = "{STORE}/{template}" }}"#
    ))
}

#[test]
fn an_instance_by_user_is_the_same_at_every_login_and_nobody_elses() {
    root_or_skip!();
    let host = tmp("{user}");
    host.ssh("alice", "echo mine > /tmp/note").ok();
    assert_eq!(host.ssh("alice", "cat /tmp/note").ok(), "mine");
    assert_eq!(host.run("su alice -c 'cat /tmp/note'").ok(), "mine");
    host.ssh("bob", "cat /tmp/note").fails();
    host.run("cat /tmp/note").fails();
    assert_eq!(host.run(&format!("cat {STORE}/alice/note")).ok(), "mine");
    // by itself, what is there is seen by both
    let control = host_without();
    control.ssh("alice", "echo mine > /tmp/note").ok();
    control.ssh("bob", "cat /tmp/note").ok();
}

fn host_without() -> Host {
    host("\"/var/tmp\"")
}

#[test]
fn an_instance_by_group_and_a_shared_one_are_seen_by_those_who_have_it() {
    root_or_skip!();
    let shared = tmp("everybody");
    shared.ssh("alice", "echo all > /tmp/note").ok();
    assert_eq!(shared.ssh("bob", "cat /tmp/note").ok(), "all");
    shared.run("cat /tmp/note").fails();
    let host = tmp("{group}");
    host.run("usermod -g alice bob").ok();
    host.ssh("alice", "echo ours > /tmp/note").ok();
    assert_eq!(host.ssh("bob", "cat /tmp/note").ok(), "ours");
    assert_eq!(host.run(&format!("cat {STORE}/alice/note")).ok(), "ours");
}

#[test]
fn an_instance_is_made_as_what_it_replaces_and_lets_no_set_uid_program_work() {
    root_or_skip!();
    let host = tmp("{user}");
    let look = "stat -c '%a %U %G' /tmp; findmnt -no OPTIONS /tmp";
    let said = host.ssh("alice", look).ok();
    assert!(said.starts_with("1777 nobody nogroup\n"), "{said}");
    assert!(said.contains("nosuid") && said.contains("nodev"), "{said}");
    let above = "/var/lib/nsshell /var/lib/nsshell/tmp";
    assert_eq!(
        host.run(&format!("stat -c '%a %U' {above}")).ok(),
        "700 root\n700 root"
    );
    // the owner of the target, and a mode of its own
    let host = Host::builder()
        .confined()
        .policy(
            "[profile.standard]\nprivate = [{ path = '/srv/work', \
             instance = '/var/lib/nsshell/work/{user}', mode = '0750' }]",
        )
        .user("alice")
        .prepare("mkdir -m 755 /srv/work && chown alice /srv/work")
        .start();
    let said = host.ssh("alice", "stat -c '%a %U' /srv/work; touch /srv/work/x");
    assert_eq!(said.ok(), "750 alice");
}

#[test]
fn what_is_not_kept_is_there_for_the_session_and_gone_after_it() {
    root_or_skip!();
    for template in ["{user}-{session}", "{session}"] {
        let host = tmp(template);
        let mut session = host.session("alice");
        session
            .ask("echo mine > /tmp/note; mkdir -p /tmp/a/b/c")
            .ok();
        assert_eq!(host.run(&format!("cat {STORE}/*/note")).ok(), "mine");
        // another session of the same user has another one
        host.ssh("alice", "cat /tmp/note").fails();
        assert_eq!(session.ask("cat /tmp/note").ok(), "mine");
        assert!(session.end().success());
        wait_for_empty(&host, STORE);
    }
}

#[test]
fn a_shared_instance_that_is_not_kept_is_emptied_by_the_last_who_has_it() {
    root_or_skip!();
    let entry =
        format!(r#"{{ path = "/tmp", instance = "{STORE}/{{user}}", contents = "empty" }}"#);
    let host = host(&entry);
    let (mut first, mut second) = (host.session("alice"), host.session("alice"));
    first.ask("echo mine > /tmp/note").ok();
    assert!(first.end().success());
    wait_for("the end of the first janitor", || {
        host.run("pgrep -cx nsshell-janitor").text().trim() == "1"
    });
    assert_eq!(second.ask("cat /tmp/note").ok(), "mine");
    assert_eq!(host.ssh("alice", "cat /tmp/note").ok(), "mine");
    assert!(second.end().success());
    wait_for_empty(&host, STORE);
    host.ssh("alice", "test -e /tmp && ! test -e /tmp/note")
        .ok();
}

#[test]
fn a_skeleton_is_copied_once_as_the_owners() {
    root_or_skip!();
    let host = Host::builder()
        .confined()
        .policy(
            "[profile.standard]\nprivate = [{ path = '/srv/work', \
             instance = '/var/lib/nsshell/work/{user}', skeleton = '/etc/work' }]",
        )
        .user("alice")
        .prepare(
            "mkdir -m 755 /srv/work && chown alice:alice /srv/work; \
             mkdir -p -m 755 /etc/work/inner; echo hello > /etc/work/inner/file; \
             chmod 4755 /etc/work/inner/file; ln -s inner/file /etc/work/link; \
             mkfifo /etc/work/fifo; printf x > \"/etc/work/$(printf '\\377')\"",
        )
        .start();
    let look = "cd /srv/work; find . -printf '%P %y %m %u\\n' | LC_ALL=C sort; cat link";
    let said = host.ssh("alice", look).ok();
    assert!(said.contains("inner d 755 alice\n"), "{said}");
    assert!(said.contains("inner/file f 755 alice\n"), "{said}");
    assert!(said.contains("link l 777 alice\n"), "{said}");
    assert!(!said.contains("fifo"), "{said}");
    assert!(said.ends_with("hello"), "{said}");
    assert_eq!(said.lines().count(), 6, "{said}");
    host.ssh("alice", "echo changed > /srv/work/inner/file")
        .ok();
    assert_eq!(host.ssh("alice", "cat /srv/work/link").ok(), "changed");
}

#[test]
fn a_way_to_an_instance_that_others_can_change_is_refused_with_the_reason() {
    root_or_skip!();
    let cases = [
        (
            "mkdir -p /var/lib/nsshell && chmod 777 /var/lib/nsshell",
            "/var/lib/nsshell can be written by others than root (mode 0777)",
        ),
        (
            "mkdir -p /var/lib/nsshell && chown alice /var/lib/nsshell",
            "/var/lib/nsshell belongs to uid 1000, not to root",
        ),
        (
            "mkdir -p /var/lib/elsewhere && ln -s elsewhere /var/lib/nsshell",
            "/var/lib/nsshell: Too many levels of symbolic links; it is a symbolic link",
        ),
        (
            "mkdir -p /var/lib && mkfifo /var/lib/nsshell",
            "/var/lib/nsshell: Not a directory",
        ),
        (
            "mkdir -p -m 700 /var/lib/nsshell/tmp && ln -s /etc /var/lib/nsshell/tmp/alice",
            "the instance /var/lib/nsshell/tmp/alice: Too many levels",
        ),
        (
            "mkdir -p -m 700 /var/lib/nsshell/tmp/alice && chown bob /var/lib/nsshell/tmp/alice",
            "/var/lib/nsshell/tmp/alice belongs to uid 1001",
        ),
    ];
    let host = tmp("{user}");
    for (prepare, reason) in cases {
        host.run(&format!("rm -rf /var/lib/nsshell && {prepare}"))
            .ok();
        assert!(!host.ssh("alice", "true").success(), "{prepare}");
        host.wait_for_log(reason);
    }
    host.run("rm -rf /var/lib/nsshell").ok();
    host.ssh("alice", "touch /tmp/x").ok();
    host.run("test ! -e /etc/x").ok();
}

#[test]
fn twenty_logins_at_once_have_one_instance() {
    root_or_skip!();
    let host = host(
        r#"{ path = "/tmp", instance = "/var/lib/nsshell/tmp/{user}", skeleton = "/etc/skel" }"#,
    );
    let line =
        "for i in $(seq 20); do ssh alice@127.0.0.1 'stat -c %i /tmp; touch /tmp/'$i & done; wait";
    let said = host.run(line).ok();
    let mut seen: Vec<&str> = said.lines().collect();
    assert_eq!(seen.len(), 20, "{said}");
    seen.dedup();
    assert_eq!(seen.len(), 1, "{said}");
    let files = format!("find {STORE}/alice -type f -name '[0-9]*' | wc -l");
    assert_eq!(host.run(&files).ok().trim(), "20");
    // and nothing of those who came too late
    assert_eq!(
        host.run(&format!("find {STORE}/.nsshell -mindepth 1; ls -A {STORE}"))
            .ok(),
        ".nsshell\nalice"
    );
}

#[test]
fn a_target_that_is_missing_is_said_unless_it_may_be() {
    root_or_skip!();
    let entry = |optional: &str| {
        format!(r#"{{ path = "/srv/none", instance = "{STORE}/{{user}}"{optional} }}"#)
    };
    let strict = host(&entry(""));
    assert!(!strict.ssh("alice", "true").success());
    strict.wait_for_log("cannot put an instance on /srv/none: No such file or directory");
    host(&entry(", optional = true"))
        .ssh("alice", "test ! -e /srv/none")
        .ok();
}
