//! Attempts of alice's to have a command run, and what becomes of them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nsshell_tests::{Builder, Host, Output};

/// A way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Ssh,
    Su,
    Sudo,
}

pub const WAYS: [Way; 3] = [Way::Ssh, Way::Su, Way::Sudo];

/// What became of an attempt.
#[derive(Debug)]
pub struct Attempt {
    pub output: Output,
    /// the mount namespace that the command ran in; none: it did not run
    pub ran_in: Option<String>,
    /// what the module wrote to the log meanwhile
    pub lines: Vec<String>,
    pub took: Duration,
}

/// Has a command run as alice, which leaves word in her home directory where it ran.
pub fn attempt(host: &Host, way: Way) -> Attempt {
    host.run("rm -f /home/alice/ran").ok();
    let command = "readlink /proc/self/ns/mnt > /home/alice/ran";
    let started = Instant::now();
    let (output, lines) = logged(host, || match way {
        Way::Ssh => host.ssh("alice", command),
        Way::Su => host.argv(&["su", "alice", "-c", command]).output(),
        Way::Sudo => host
            .argv(&["sudo", "-n", "-u", "alice", "sh", "-c", command])
            .output(),
    });
    let took = started.elapsed();
    let left = host.run("cat /home/alice/ran");
    Attempt {
        output,
        ran_in: left.success().then(|| left.text()),
        lines,
        took,
    }
}

/// What the module writes to the log while `act` is under way.
pub fn logged<T>(host: &Host, act: impl FnOnce() -> T) -> (T, Vec<String>) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    // Messages arrive in the order in which they were sent: these two enclose the others.
    let mark = |name: &str| {
        let mark = format!("mark-{name}-{}-", COUNT.fetch_add(1, Ordering::Relaxed));
        host.run(&format!("logger {mark}")).ok();
        mark
    };
    let begin = mark("begin");
    let result = act();
    let end = mark("end");
    host.wait_for_log(&end);
    let log = host.log();
    let lines = log
        .lines()
        .skip_while(|line| !line.contains(&begin))
        .take_while(|line| !line.contains(&end))
        .filter(|line| line.contains("pam_nsshell("))
        .map(str::to_owned)
        .collect();
    (result, lines)
}

/// The attempt is refused: no command runs, and one line of the log says all of `reason`.
#[track_caller]
pub fn refused(host: &Host, way: Way, reason: &[&str]) -> Attempt {
    let attempt = attempt(host, way);
    attempt.output.fails();
    assert_eq!(attempt.ran_in, None, "{attempt:#?}");
    let [line] = &attempt.lines[..] else {
        panic!("not one line in the log: {attempt:#?}");
    };
    for part in reason.iter().chain(&["refused: "]) {
        assert!(line.contains(part), "no `{part}` in: {line}");
    }
    attempt
}

/// The command runs, in a session.
#[track_caller]
pub fn confined(host: &Host, way: Way) -> Attempt {
    let attempt = attempt(host, way);
    attempt.output.ok();
    let outside = host.run("readlink /proc/self/ns/mnt").ok();
    assert!(
        attempt
            .ran_in
            .as_ref()
            .is_some_and(|inside| *inside != outside),
        "{attempt:#?}"
    );
    attempt
}

/// Something that keeps alice from having a session, as lines of shell for root.
pub struct Fault {
    pub cause: &'static str,
    /// what the log says
    pub reason: &'static [&'static str],
    pub mend: &'static str,
}

impl Fault {
    /// It refuses the login by this way, leaves nothing behind, and is over once mended.
    #[track_caller]
    pub fn refuses(&self, host: &Host, way: Way) -> Attempt {
        confined(host, way);
        let before = host.census();
        host.run(self.cause).ok();
        let attempt = refused(host, way, self.reason);
        host.run(self.mend).ok();
        host.wait_for_nothing_left(&before);
        confined(host, way);
        attempt
    }
}

/// Adds `apps/pamapp.c`, with a service of its own in which the product stands alone.
pub fn with_application(builder: Builder) -> Builder {
    builder
        .file("/root/pamapp.c", 0o644, include_str!("../../apps/pamapp.c"))
        .file("/root/state.h", 0o644, include_str!("../../apps/state.h"))
        .prepare("cc -O1 -o /usr/local/bin/pamapp /root/pamapp.c -lpam")
        .file(
            "/etc/pam.d/pamapp",
            0o644,
            "session required pam_nsshell.so\n",
        )
}
