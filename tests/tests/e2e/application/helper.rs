//! session-init starts from nothing of the application's.

use std::time::{Duration, Instant};

use nsshell_tests::{Host, PASSWORD, root_or_skip};

use super::{app, builder, changed};
use crate::attempt::logged;

const HELPER: &str = "/usr/libexec/nsshell/session-init";

/// Notes how session-init is started, and starts it.
const NOTE: &str = r#"
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv, char **env) {
  FILE *f = fopen("/run/noted", "we");
  sigset_t blocked;
  if (!f || sigprocmask(SIG_BLOCK, 0, &blocked)) return 9;
  fprintf(f, "arguments %d\n", argc);
  for (char **one = env; *one; one++) fprintf(f, "variable %s\n", *one);
  for (int n = 0; n < 1024; n++) {
    char path[64], target[256];
    snprintf(path, sizeof path, "/proc/self/fd/%d", n);
    ssize_t length = readlink(path, target, sizeof target);
    if (length > 0 && n != fileno(f)) fprintf(f, "fd %d %.*s\n", n, (int)length, target);
    if (n > 0 && n <= 64 && sigismember(&blocked, n) == 1) fprintf(f, "blocked %d\n", n);
  }
  fclose(f);
  execve("/usr/libexec/nsshell/session-init.real", argv, env);
  return 9;
}
"#;

/// Tells of every program that is made to load it.
const SPY: &str = "#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
__attribute__((constructor)) static void spy(void) {
  FILE *f = fopen(\"/srv/spied\", \"a\");
  if (f) fprintf(f, \"%s\\n\", program_invocation_short_name), fclose(f);
}
";

fn with_spies() -> Host {
    builder()
        .file("/root/note.c", 0o644, NOTE)
        .prepare(&format!(
            "mv {HELPER} {HELPER}.real; cc -o {HELPER} /root/note.c"
        ))
        .file("/root/spy.c", 0o644, SPY)
        .prepare("cc -shared -fPIC -o /srv/spy.so /root/spy.c; install -m 666 /dev/null /srv/spied")
        .start()
}

/// What a user might set for a set-user-id program.
const HOSTILE: [(&str, &str); 9] = [
    ("LD_PRELOAD", "/srv/spy.so"),
    ("LD_LIBRARY_PATH", "/srv"),
    ("LD_AUDIT", "/srv/spy.so"),
    (
        "PATH",
        "/home/bob:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    ),
    ("IFS", "/"),
    ("NSSHELL_SESSION", "none"),
    ("NSSHELL_PROFILE", "none"),
    ("RUST_BACKTRACE", "full"),
    ("GLIBC_TUNABLES", "glibc.malloc.check=3"),
];

#[track_caller]
fn helper_was_started_clean(host: &Host) {
    let noted = host
        .run("sed 's/socket:.*/a socket/' /run/noted; rm /run/noted")
        .ok();
    let lines: Vec<&str> = noted.lines().collect();
    let clean = [
        "arguments 1",
        "fd 0 /dev/null",
        "fd 1 /dev/null",
        "fd 2 /dev/null",
        "fd 3 a socket",
        "fd 4 anon_inode:[pidfd]",
    ];
    assert_eq!(lines, clean);
}

#[test]
fn g8_g10_the_helper_has_nothing_of_the_application_s_or_the_user_s() {
    root_or_skip!();
    let host = with_spies();
    // pamapp is given the right by its own ids, not by its file: the loader trusts the environment.
    let look = "sh -c 'grep -E \"^(Uid|Gid|Groups|CapEff)\" /proc/1/status; echo $NSSHELL_PROFILE'";
    let mut run = host.cmd(&format!(
        "exec 9</etc/shadow; exec pamapp --real-uid 1001 --sigchld ignore --close-fds 0,1 pamapp alice {look} >/srv/out"
    ));
    for (name, value) in HOSTILE {
        run = run.env(name, value);
    }
    run.output().ok();
    assert!(host.run("sort -u /srv/spied").ok().contains("pamapp"));
    for program in ["session-init", "newuidmap", "newgidmap"] {
        host.run(&format!("grep -x {program} /srv/spied")).fails();
    }
    helper_was_started_clean(&host);

    // su has it by its file.
    let mut run = host.cmd("exec su - alice").user("bob");
    for (name, value) in HOSTILE {
        run = run.env(name, value);
    }
    host.run(": > /srv/spied").ok();
    let mut su = run.pty();
    su.expect("assword: ");
    su.line(PASSWORD);
    su.prompt();
    assert_eq!(su.ask("echo $NSSHELL_PROFILE"), "standard");
    let ids = host.run("grep -E '^(Uid|Gid|Groups|CapEff)' /proc/$(pgrep -x nsshell-init)/status");
    let words = ids.ok().split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(
        words,
        "Uid: 0 0 0 0 Gid: 0 0 0 0 Groups: CapEff: 0000000000000020"
    );
    su.line("exit");
    su.wait();
    for program in ["su", "session-init", "newuidmap", "newgidmap"] {
        host.run(&format!("grep -x {program} /srv/spied")).fails();
    }
    helper_was_started_clean(&host);
}

#[test]
fn g8_limits_that_the_application_has_do_not_cripple_the_session() {
    root_or_skip!();
    let host = builder().start();
    for limit in [
        "--fsize=1:",
        "--cpu=1:",
        "--data=4000000:",
        "--as=100000000:",
        "--core=0",
        "--nofile=256",
        "--stack=300000",
    ] {
        let line = format!("prlimit {limit} pamapp --syslog --same-state pamapp alice true");
        let output = host.run(&line);
        output.ok();
        assert_eq!(changed(&output), Vec::<String>::new(), "{limit}");
    }
    // With hardly a descriptor to be had there is a session or a reason.
    let before = host.census();
    let (mut refused, mut opened) = (0, 0);
    for most in 5..24 {
        let su = format!("prlimit --nofile={most} su alice -c 'touch /home/alice/ran'");
        let (output, lines) = logged(&host, || host.run(&su));
        if output.success() {
            opened += 1;
        } else {
            refused += 1;
            host.run("test ! -e /home/alice/ran").ok();
            let [line] = &lines[..] else {
                panic!("{most}: {output}: {lines:?}");
            };
            assert!(line.contains("Too many open files"), "{line}");
        }
        host.run("rm -f /home/alice/ran").ok();
    }
    assert!(
        refused > 3 && opened > 3,
        "{refused} refused, {opened} opened"
    );
    host.wait_for_nothing_left(&before);
}

#[test]
fn g8_a_helper_that_hangs_is_ended_after_75_seconds() {
    root_or_skip!();
    let host = builder()
        .file("/root/hang", 0o755, "#!/bin/sh\nexec sleep 1000\n")
        .prepare(&format!("cp /root/hang {HELPER}"))
        .start();
    let before = host.census();
    let started = Instant::now();
    let (output, lines) = logged(&host, || {
        app(
            &host,
            "--sigchld handler pamapp alice touch /home/alice/ran",
        )
        .limit(Duration::from_secs(100))
        .output()
    });
    assert_eq!(output.code(), Some(4), "{output}");
    assert_eq!(changed(&output), Vec::<String>::new());
    assert!((75..85).contains(&started.elapsed().as_secs()));
    assert!(
        matches!(&lines[..], [line] if line.contains("did not finish within 75 s and was ended")),
        "{lines:?}"
    );
    host.run("rmdir /tmp/x; test ! -e /home/alice/ran").ok();
    host.wait_for_nothing_left(&before);
}
