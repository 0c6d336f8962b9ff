//! Every way in which another user becomes alice on a terminal, and every attempt of hers on it.

mod screen;
mod traces;
mod ways;

use std::collections::BTreeMap;
use std::io::Write as _;

use nsshell_tests::{Builder, Host, root_or_skip};

pub use traces::with_program;
use traces::{Report, Traces, walk};
use ways::{Way, ways};

/// The outcome of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    Open,
    Closed,
    /// The way in itself leaves nothing to try it on.
    Unreachable,
    /// A setting of this machine's kernel refuses it to all.
    Kernel,
}

impl Cell {
    fn sign(self) -> char {
        match self {
            Self::Open => 'O',
            Self::Closed => '.',
            Self::Unreachable => '-',
            Self::Kernel => 'k',
        }
    }
}

/// An attempt: its heading, and what became of it.
struct Column {
    heading: &'static str,
    kind: Kind,
    judge: fn(&Traces) -> Cell,
}

/// On which ways an attempt is open without the product, and where it must not be with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// typing, where it is the controlling terminal: closed by a filter everywhere
    Typing,
    /// a request that only a console answers: the filter's own answer shows everywhere
    Request,
    /// the terminal as a descriptor
    Descriptor,
    /// the terminal by its name /dev/tty
    Name,
    /// the terminal, however it is held
    Held,
    /// the same, but only the product has a user namespace to try it from
    OfRoot,
}

const COLUMNS: [Column; 12] = [
    column("STI", Kind::Typing, |traces| typing(traces, "sti")),
    column("high", Kind::Typing, |traces| typing(traces, "high")),
    column("int80", Kind::Typing, |traces| typing(traces, "entry32")),
    column("32bit", Kind::Typing, |traces| typing(traces, "compat")),
    column("LINUX", Kind::Request, request),
    column("fd", Kind::Descriptor, |traces| {
        open_if(traces.tried.has("held"))
    }),
    column("tty", Kind::Name, |traces| {
        open_if(traces.tried.get("tty", "root's") == Some(1))
    }),
    column("reader", Kind::Held, |traces| {
        open_if(traces.stayed.as_ref().is_some_and(|it| it.has("reader")))
    }),
    column("writer", Kind::Held, |traces| {
        open_if(traces.screen.contains(&format!("writer-{}-", traces.mark)))
    }),
    column("getfd", Kind::Held, |traces| taken(&traces.tried, "getfd")),
    column("layer", Kind::Held, |traces| taken(&traces.spies[0], "spy")),
    column("root", Kind::OfRoot, |traces| {
        taken(&traces.spies[1], "spy")
    }),
];

const fn column(heading: &'static str, kind: Kind, judge: fn(&Traces) -> Cell) -> Column {
    Column {
        heading,
        kind,
        judge,
    }
}

fn open_if(open: bool) -> Cell {
    match open {
        true => Cell::Open,
        false => Cell::Closed,
    }
}

/// The machine's own settings, which a test host cannot have otherwise.
fn setting(path: &str) -> Option<u32> {
    let text = std::fs::read_to_string(path).ok()?;
    text.trim().parse().ok()
}

const EPERM: i32 = 1;
const EIO: i32 = 5;

/// TIOCSTI in one of its forms. A filter answers EPERM for what is no terminal, too; the kernel
/// answers so only for a terminal which is not the controlling one, and EIO without
/// `dev.tty.legacy_tiocsti`.
fn typing(traces: &Traces, form: &str) -> Cell {
    let report = &traces.tried;
    let is_theirs = |target: &str| match target {
        "tty" => report.get("tty", "root's") == Some(1),
        target => report.get("held", target) == Some(1),
    };
    let worked = report
        .of(form)
        .any(|(target, error)| error == 0 && is_theirs(target));
    if worked || traces.typed.iter().any(|typed| typed == form) {
        Cell::Open
    } else if report.get(form, "none").is_some() || report.of(form).any(|(_, error)| error == EIO) {
        Cell::Kernel
    } else if report.get(form, "null") == Some(EPERM) {
        Cell::Closed
    } else {
        Cell::Unreachable
    }
}

/// TIOCLINUX in all forms: no pty answers it, so that the filter's answer is all there is.
fn request(traces: &Traces) -> Cell {
    let forms = ["linux", "linux-high", "linux-entry32", "linux-compat"];
    let mut answers = forms
        .iter()
        .filter_map(|form| traces.tried.get(form, "null"));
    open_if(!answers.all(|error| error == EPERM))
}

/// Open if another process gave the terminal away.
fn taken(report: &Report, attempt: &str) -> Cell {
    let yama = setting("/proc/sys/kernel/yama/ptrace_scope").unwrap_or(0);
    match report.has(attempt) {
        true => Cell::Open,
        false if yama > 0 => Cell::Kernel,
        false => Cell::Closed,
    }
}

/// A host: what there is of the product, and what it is to keep.
struct Profile {
    name: &'static str,
    confined: bool,
    policy: &'static str,
    shell: Option<&'static str>,
}

const PROFILES: [Profile; 5] = [
    Profile {
        name: "without the product",
        confined: false,
        policy: "",
        shell: None,
    },
    Profile {
        name: "standard",
        confined: true,
        policy: "",
        shell: None,
    },
    Profile {
        name: "lab",
        confined: true,
        // The reader outlives su, although each login has a session of its own.
        policy: "default = 'lab'\n[profile.lab]\non_logout = 'keep'\n",
        shell: None,
    },
    Profile {
        name: "id_map = \"root\"",
        confined: true,
        policy: "[profile.standard]\nid_map = 'root'\n",
        shell: None,
    },
    Profile {
        name: "no user namespace, bash as login shell",
        confined: true,
        policy: "[profile.standard]\nnamespaces = ['mount', 'ipc', 'pid']\n",
        shell: Some("/bin/bash"),
    },
];

impl Profile {
    fn start(&self) -> Host {
        let mut builder: Builder = with_program(Host::builder());
        if self.confined {
            builder = builder.confined().policy(self.policy);
        }
        builder
            .user_with("alice", |user| match self.shell {
                Some(shell) => user.shell(shell),
                None => user,
            })
            .user("bob")
            .start()
    }

    /// True if the gate stands between su and alice.
    fn has_gate(&self, way: &Way) -> bool {
        self.confined && self.shell.is_none() && way.login_shell
    }
}

/// The fault of a cell, if it has one.
fn fault(profile: &Profile, way: &Way, column: &Column, cell: Cell) -> Option<&'static str> {
    if !profile.confined {
        let reachable = match column.kind {
            Kind::Typing | Kind::Name => way.tty,
            Kind::Descriptor => way.descriptors,
            Kind::Held => way.tty || way.descriptors,
            Kind::Request => true,
            Kind::OfRoot => false,
        };
        let open = matches!(cell, Cell::Open | Cell::Kernel);
        return match (reachable, open) {
            (true, false) => Some("closed without the product: the attempt is no test"),
            (false, true) if cell == Cell::Open => Some("open, and was thought not to be"),
            _ => None,
        };
    }
    match column.kind {
        Kind::Typing if !matches!(cell, Cell::Closed | Cell::Kernel) => Some("no filter"),
        Kind::Request if cell != Cell::Closed => Some("no filter"),
        Kind::Typing | Kind::Request => None,
        _ if profile.has_gate(way) && cell == Cell::Open => Some("open"),
        // Not held: SECURITY.md names the remedy, `su -P`.
        _ => None,
    }
}

/// Faults beside the cells.
fn other_faults(profile: &Profile, way: &Way, traces: &Traces) -> Vec<String> {
    let mut faults = Vec::new();
    let report = &traces.tried;
    let is_32_bit = |form: &str| report.get(form, "none").is_none() && report.has(form);
    if !(is_32_bit("entry32") && is_32_bit("compat")) {
        if std::env::var("CI").as_deref() == Ok("true") {
            faults.push("this machine runs no 32-bit program".to_owned());
        }
    } else if report.of("compat-works").any(|(_, error)| error != 0)
        || report.of("compat-works").count() != 2
    {
        faults.push("a 32-bit program does not go on working".to_owned());
    }
    let reader = traces.stayed.as_ref().is_some_and(|it| it.has("reader"));
    if !reader && !traces.root_reads_on() {
        faults.push("the line that was typed after su is lost".to_owned());
    }
    // A spy that takes descriptors from alice's own processes shows that it can take any.
    let spies = [report, &traces.spies[0], &traces.spies[1]];
    for (spy, name) in spies.iter().zip(["getfd-taken", "spy-taken", "spy-taken"]) {
        let idle = spy.get(name, "any") == Some(0);
        let yama = setting("/proc/sys/kernel/yama/ptrace_scope").unwrap_or(0);
        if idle && yama == 0 && (profile.confined || way.descriptors || way.tty) {
            faults.push("a spy takes nothing from any process".to_owned());
        }
    }
    faults
}

#[test]
fn no_terminal_of_another_user_s_reaches_alice() {
    root_or_skip!();
    let ways = ways();
    let walked: Vec<Vec<Traces>> = std::thread::scope(|scope| {
        let threads = PROFILES.each_ref().map(|profile| {
            let ways = &ways;
            scope.spawn(move || {
                let host = profile.start();
                // It keeps the session, and with it what stays behind.
                let _login = host.session("alice");
                let each = ways.iter().enumerate();
                each.map(|(number, way)| walk(&host, way, number)).collect()
            })
        });
        threads.map(|thread| thread.join().expect("a host")).into()
    });

    let mut faults = Faults::default();
    let mut table = heading();
    for (number, way) in ways.iter().enumerate() {
        let mut row = format!("{:<29}", way.name);
        let traces: Vec<&Traces> = walked.iter().map(|host| &host[number]).collect();
        for column in &COLUMNS {
            let cells: Vec<Cell> = traces.iter().map(|traces| (column.judge)(traces)).collect();
            for (profile, cell) in PROFILES.iter().zip(&cells) {
                faults.add(fault(profile, way, column, *cell).map(|fault| {
                    let place = format!("{}, {}: {fault}", profile.name, column.heading);
                    (place, way.name.clone())
                }));
            }
            row.push_str(&shown(column, &cells));
        }
        for (profile, traces) in PROFILES.iter().zip(traces) {
            let others = other_faults(profile, way, traces);
            faults.add(others.into_iter().map(|fault| {
                let place = format!("{}: {fault}", profile.name);
                (place, way.name.clone())
            }));
        }
        table.push(row);
    }
    // The table is what this test is read for, so it is printed past the capture of the harness,
    // which drops what a passing test prints.
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "{}", table.join("\n"));
    assert!(faults.0.is_empty(), "{}", faults.lines(ways.len()));
}

/// Each fault, and the ways in that have it.
#[derive(Default)]
struct Faults(BTreeMap<String, Vec<String>>);

impl Faults {
    fn add(&mut self, found: impl IntoIterator<Item = (String, String)>) {
        for (fault, way) in found {
            self.0.entry(fault).or_default().push(way);
        }
    }

    fn lines(&self, all: usize) -> String {
        let line = |(fault, ways): (&String, &Vec<String>)| match ways.len() == all {
            true => format!("{fault}, on every way in"),
            false => format!("{fault}, on: {}", ways.join(", ")),
        };
        self.0.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// The cells of all hosts. Without the product, what is not open could not be tried.
fn shown(column: &Column, cells: &[Cell]) -> String {
    let untried = cells[0] == Cell::Closed;
    let sign = |cell: &Cell| match cell {
        Cell::Closed if untried && !matches!(column.kind, Kind::OfRoot | Kind::Request) => '-',
        cell => cell.sign(),
    };
    let mut signs: String = cells.iter().map(sign).collect();
    if column.kind == Kind::OfRoot {
        signs.replace_range(..1, "-");
    }
    format!(" {signs:<6}")
}

fn heading() -> Vec<String> {
    let names: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
    let tiocsti = setting("/proc/sys/dev/tty/legacy_tiocsti");
    vec![
        format!("A terminal of another user's, and alice: {}.", names.join(" | ")),
        "O open, . closed, - nothing to try it on, k refused to all by this machine's kernel"
            .to_owned(),
        format!(
            "(dev.tty.legacy_tiocsti is {}). STI: TIOCSTI, high: with the high word set, int80: by",
            tiocsti.map_or("missing".to_owned(), |value| value.to_string())
        ),
        "the 32-bit entry, 32bit: by a 32-bit program; LINUX: TIOCLINUX in the four forms (on a pty"
            .to_owned(),
        "only the filter's EPERM shows); fd: held as descriptor; tty: opened as /dev/tty; reader,"
            .to_owned(),
        "writer: after su; getfd: taken from another process, by her own, by one in the host layer,"
            .to_owned(),
        "by the session's root.".to_owned(),
        std::iter::once(format!("{:<29}", "way in"))
            .chain(COLUMNS.iter().map(|column| format!(" {:<6}", column.heading)))
            .collect(),
    ]
}
