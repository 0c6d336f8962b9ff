//! One way in, walked to its end, and the traces that alice's attempts leave.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use nsshell_tests::{Builder, Host, PASSWORD, wait_for};

use super::screen::Screen;
use super::ways::{Typist, Way};

const ALICE: u32 = 1000;

/// Adds the program of alice's, and the places where it and root leave word for each other.
pub fn with_program(builder: Builder) -> Builder {
    builder
        .file(
            "/root/terminal.c",
            0o644,
            include_str!("../../../../apps/terminal.c"),
        )
        .file(
            "/root/terminal32.c",
            0o644,
            include_str!("../../../../apps/terminal32.c"),
        )
        .file("/etc/sudoers.d/terminal", 0o440, "Defaults !use_pty\n")
        .prepare("cc -O1 -o /usr/local/bin/terminal /root/terminal.c")
        // A compiler for another machine makes none.
        .prepare(
            "cc -m32 -O1 -nostdlib -static -ffreestanding -fno-pie -no-pie \
             -o /usr/local/bin/terminal32 /root/terminal32.c || true",
        )
        .prepare("mkdir -m 1777 /srv/alice; chmod 1777 /srv/alice; mkdir -m 755 /srv/root")
        .prepare("mkfifo -m 644 /srv/root/hold")
}

/// Lines of the program: the attempt, the descriptor, a number.
#[derive(Debug, Default)]
pub struct Report(Vec<(String, String, i32)>);

impl Report {
    fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let mut words = line.split_whitespace();
            let attempt = words.next()?.to_owned();
            let target = words.next()?.to_owned();
            Some((attempt, target, words.next()?.parse().ok()?))
        };
        Self(text.lines().filter_map(line).collect())
    }

    pub fn get(&self, attempt: &str, target: &str) -> Option<i32> {
        let found = self.0.iter().find(|(a, t, _)| a == attempt && t == target);
        found.map(|(_, _, number)| *number)
    }

    /// True if the attempt has any line.
    pub fn has(&self, attempt: &str) -> bool {
        self.0.iter().any(|(name, _, _)| name == attempt)
    }

    /// Targets and numbers of an attempt.
    pub fn of<'a>(&'a self, attempt: &'a str) -> impl Iterator<Item = (&'a str, i32)> {
        let lines = self.0.iter().filter(move |(name, _, _)| name == attempt);
        lines.map(|(_, target, number)| (target.as_str(), *number))
    }
}

/// The traces of one way in.
#[derive(Debug)]
pub struct Traces {
    /// from alice's program while su runs
    pub tried: Report,
    /// from a process of alice's in the host layer, and from one with all capabilities in the
    /// user namespace
    pub spies: [Report; 2],
    /// from alice's process that stays behind; none if it has ended with the session
    pub stayed: Option<Report>,
    /// the attempts whose line another user's shell has read and run
    pub typed: Vec<String>,
    /// all that the terminal has shown
    pub screen: String,
    pub mark: String,
}

impl Traces {
    /// True if the line that was typed after su has come to the shell.
    pub fn root_reads_on(&self) -> bool {
        self.screen
            .contains(&format!("password-{}: command not found", self.mark))
    }
}

pub fn walk(host: &Host, way: &Way, number: usize) -> Traces {
    let mark = format!("m{number}e");
    let srv = PathBuf::from(format!("/proc/{}/root/srv", host.pid()));
    let of_alice = |suffix: &str| srv.join("alice").join(format!("{mark}.{suffix}"));
    let tell = |suffix: &str| {
        fs::write(srv.join("root").join(format!("{mark}.{suffix}")), "").expect("tell the program");
    };
    let report = |suffix: &str| {
        let text = fs::read_to_string(of_alice(suffix));
        text.ok().map(|text| Report::parse(&text))
    };

    let mut screen = Screen::open(host, way.typist, &mark);
    screen.prompt();
    let path = screen.path();
    screen.prompt();
    let terminal = format!("/proc/{}/root{path}", host.pid());
    let device = fs::metadata(&terminal).expect("the terminal").rdev();
    if way.typist == Typist::Bob {
        host.run(&format!("chown bob {path}")).ok();
    }
    become_alice(
        &mut screen,
        way,
        &format!("/usr/local/bin/terminal all {mark} {device}"),
    );
    wait_for(&format!("the attempts by {}", way.name), || {
        of_alice("tried").exists()
    });
    let tried = report("tried").expect("the report");
    let spies = spy(host, &mark, device, &tried);

    tell("release");
    screen.prompt();
    // The shell runs first what has been typed before.
    screen.line(&format!("echo ba''ck-{mark}"));
    screen.expect(&format!("back-{mark}"));
    let typed = typed_by_others(&srv, &mark);

    // The terminal is read by no other process now.
    screen.line(&format!(
        "sh -c 'echo hold''ing-{mark}; exec cat /srv/root/hold'"
    ));
    screen.expect(&format!("holding-{mark}"));
    screen.line(&format!("password-{mark}"));
    // Echoed: it can be read.
    screen.expect(&format!("password-{mark}"));
    tell("typed");
    wait_for("the process that stays behind", || {
        of_alice("stayed").exists() || !runs(host, &mark)
    });
    fs::write(srv.join("root/hold"), "").expect("end cat");
    screen.prompt();
    screen.line(&format!("echo en''d-{mark}"));
    screen.expect(&format!("end-{mark}"));
    Traces {
        tried,
        spies,
        stayed: report("stayed"),
        typed,
        screen: screen.text(),
        mark,
    }
}

fn become_alice(screen: &mut Screen<'_>, way: &Way, command: &str) {
    screen.line(&way.line.replace("COMMAND", command));
    if way.typist == Typist::Bob {
        screen.expect("assword: ");
        screen.line(PASSWORD);
    }
    if way.starts_a_shell() {
        screen.prompt();
        // In place of the shell: what is typed is for the one that has started su.
        screen.line(&format!("exec {command}"));
    }
}

/// Has two other processes of alice's look for the terminal.
fn spy(host: &Host, mark: &str, device: u64, tried: &Report) -> [Report; 2] {
    let own = tried.get("pid", "own").expect("the program's own pid");
    // With the namespaces of the session, but for the user namespace.
    let line = |argument: &str| {
        format!(
            "nsenter --target $(pgrep -nf 'terminal [a]ll {mark} ') --mount --pid -- \
             setpriv --reuid alice --regid alice --init-groups \
             /usr/local/bin/terminal spy {device} {argument}"
        )
    };
    [String::new(), own.to_string()].map(|argument| Report::parse(&host.run(&line(&argument)).ok()))
}

/// The attempts that have left a file which is not alice's.
fn typed_by_others(srv: &std::path::Path, mark: &str) -> Vec<String> {
    let prefix = format!("{mark}.typed-");
    let files = fs::read_dir(srv.join("alice")).expect("/srv/alice");
    let of_others = files.flatten().filter_map(|file| {
        let name = file.file_name().into_string().ok()?;
        let (attempt, _) = name.strip_prefix(&prefix)?.split_once('-')?;
        (file.metadata().ok()?.uid() != ALICE).then(|| attempt.to_owned())
    });
    of_others.collect()
}

/// True if a process of this walk is left.
fn runs(host: &Host, mark: &str) -> bool {
    let proc = fs::read_dir(format!("/proc/{}/root/proc", host.pid())).expect("/proc");
    let wanted = format!("terminal\0all\0{mark}\0");
    proc.flatten().any(|process| {
        fs::read(process.path().join("cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&wanted))
    })
}
