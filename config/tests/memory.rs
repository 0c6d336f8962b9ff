//! What a policy as large as it may be costs in memory, valid or not: a login reads it, and the
//! largest file must not make every login one that the kernel ends for want of memory.
// what a child prints is read by the test, what the test prints by whoever wants the figures
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use std::process::Command;
use std::time::{Duration, Instant};

use nsshell_config::{MAX_FILE_SIZE, Policy};

/// Most resident memory of a process that reads one text, in KiB: 64 MB.
const MOST: u64 = 64 << 10;

/// Many times what it takes; a reading that is not linear takes hours.
const SLOW: Duration = Duration::from_secs(300);

/// Which text a child of the test reads.
const CASE: &str = "NSSHELL_TEST_MEMORY";

/// As much of a line, again and again, as a file may have, between a beginning and an end.
fn full(start: &str, again: &str, end: &str) -> String {
    let room = MAX_FILE_SIZE - start.len() - end.len();
    format!("{start}{}{end}", again.repeat(room / again.len()))
}

/// What is just few enough to be read as a whole.
fn just(start: &str, again: &str, times: usize, end: &str) -> String {
    format!("{start}{}{end}", again.repeat(times))
}

/// The same with a number in each line.
fn numbered(start: &str, line: impl Fn(usize) -> String) -> String {
    let mut text = start.to_owned();
    for number in 0.. {
        let line = line(number);
        if text.len() + line.len() > MAX_FILE_SIZE {
            break;
        }
        text += &line;
    }
    text
}

/// A text, made when it is wanted.
type Case = (&'static str, Box<dyn Fn() -> String>);

fn case(name: &'static str, text: impl Fn() -> String + 'static) -> Case {
    (name, Box::new(text))
}

fn cases() -> Vec<Case> {
    const RULE: &str = "[[rule]]\nprofile = 'none'\n";
    vec![
        case("empty lists", || full("[[rule]]\nusers = [", "[],", "]\n")),
        case("fewer empty lists", || {
            just("[[rule]]\nusers = [", "[],", 133_000, "]\n")
        }),
        case("fewer empty tables", || {
            just("[profile.x]\nprivate = [", "{},", 133_000, "]\n")
        }),
        case("fewer names", || {
            just("[[rule]]\nusers = [", "'a',", 199_000, "]\n")
        }),
        case("fewer parts of a key", || {
            just("a", ".a", 199_000, " = 1\n")
        }),
        case("fewer faults", || just("", "=\n", 199_000, "")),
        case("fewer names in rules", || {
            let rule = format!(
                "[[rule]]\nusers = [{}]\nprofile='none'\n",
                "'a',".repeat(9_900)
            );
            just("", &rule, 40, "")
        }),
        case("fewer keys of the top", || {
            (0..99_000).map(|n| format!("a{n}=1\n")).collect()
        }),
        case("fewer keys of profiles", || {
            (0..15_000)
                .map(|n| format!("profile.a{}.b{n}=1\n", n % 900))
                .collect()
        }),
        case("open lists", || full("[[rule]]\nusers = ", "[", "")),
        case("empty tables", || {
            full("[profile.x]\nprivate = [", "{},", "]\n")
        }),
        case("names", || full("[[rule]]\nusers = [", "\"\",", "]\n")),
        case("names of one letter", || {
            full("[[rule]]\nusers = [", "'a',", "]\n")
        }),
        case("numbers", || full("[[rule]]\nuids = [", "1,", "]\n")),
        case("one long line", || {
            full("[profile.x]\nhostname = \"", "a", "\"\n")
        }),
        case("one long name", || full("[profile.", "a", "]\n")),
        case("one long key", || full("", "a", " = 1\n")),
        case("one dotted key", || full("a", ".a", " = 1\n")),
        case("a string without an end", || full("default = \"", "a", "")),
        case("escapes", || full("default = \"", "\\u0041", "\"\n")),
        case("no lines", || full("", "\n", "")),
        case("blanks", || full("", " ", "")),
        case("comments", || full("", "#\n", "")),
        case("faults", || full("", "=\n", "")),
        case("headers", || full("", "[a]\n", "")),
        case("rules", || full("", RULE, "")),
        case("keys of the top", || numbered("", |n| format!("a{n}=1\n"))),
        case("keys of a rule", || {
            numbered("[[rule]]\n", |n| format!("a{n}=1\n"))
        }),
        case("lists of a rule", || {
            numbered("[[rule]]\n", |_| {
                format!("users = [{}]\n", "1,".repeat(9_999))
            })
        }),
        case("keys of a table", || {
            numbered("[profile.x]\nhome = {", |n| format!("a{n}=1,"))
        }),
        case("profiles", || numbered("", |n| format!("[profile.a{n}]\n"))),
        case("keys of profiles", || {
            numbered("[profile]\n", |n| format!("a{n}.grace=1\n"))
        }),
        case("rules with all that they may have", || {
            numbered("", |_| {
                format!(
                    "[[rule]]\nuids = [{}]\nprofile = 'none'\n",
                    "1,".repeat(9_999)
                )
            })
        }),
        case("names in rules", || {
            numbered("", |_| {
                format!(
                    "[[rule]]\nusers = [{}]\nprofile = 'none'\n",
                    "'a',".repeat(9_999)
                )
            })
        }),
        case("long names in rules", || {
            numbered("", |_| {
                let name = format!("'{}',", "a".repeat(23));
                format!(
                    "[[rule]]\nusers = [{}]\nprofile = 'none'\n",
                    name.repeat(9_999)
                )
            })
        }),
        case("hosts in rules", || {
            numbered("", |_| {
                format!(
                    "[[rule]]\nhosts = [{}]\nprofile = 'none'\n",
                    "'::',".repeat(9_999)
                )
            })
        }),
        case("profiles that extend one with long paths", || {
            let paths: String = (0..60)
                .map(|n| format!("'/{n}{}',", "/a".repeat(500)))
                .collect();
            let heavy = format!(
                "[profile.heavy]\nread_only = [{paths}]\nmasked = [{}]\n",
                paths.replace("'/", "'/m")
            );
            (0..990).fold(heavy, |text, n| {
                text + &format!("[profile.a{n}]\nextends = 'heavy'\n")
            })
        }),
    ]
}

/// The most memory that this process has had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let words = line.unwrap().split_whitespace();
    words.clone().nth(1).unwrap().parse().unwrap()
}

#[test]
fn no_file_makes_a_login_take_more_than_64_mb_or_for_ever() {
    let cases = cases();
    if let Ok(wanted) = std::env::var(CASE) {
        let (_, text) = cases.into_iter().find(|(name, _)| *name == wanted).unwrap();
        let told = match Policy::parse(&text(), "large.toml") {
            Ok(_) => "valid".to_owned(),
            Err(error) => {
                let shown = format!("{error:#}");
                format!("{} bytes of faults", shown.len())
            }
        };
        return println!("peak {} {told}", peak());
    }
    let mut too_large = Vec::new();
    for (name, _) in &cases {
        let began = Instant::now();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--nocapture", "--exact"])
            .arg("no_file_makes_a_login_take_more_than_64_mb_or_for_ever")
            .env(CASE, name)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&child.stdout);
        let line = told
            .lines()
            .find_map(|line| line.split_once("peak "))
            .unwrap_or_else(|| panic!("{name}: {told}"));
        let peak: u64 = line.1.split(' ').next().unwrap().parse().unwrap();
        let took = began.elapsed();
        println!("{name}: {} MiB, {took:?}: {}", peak >> 10, line.1);
        if peak > MOST || took > SLOW {
            too_large.push(format!("{name}: {peak} KiB, {took:?}"));
        }
    }
    assert!(too_large.is_empty(), "{}", too_large.join("\n"));
}
