//! The program itself: it has no code that loads a file by a variable, and opens none.

use nsshell_tests::{Host, Product, root_or_skip};

use super::Source;
use super::sources::builder;

/// Names in static glibc, which loads modules by the environment.
const LOADERS: [&str; 3] = ["libnss_", "gconv", "LD_LIBRARY_PATH"];

#[test]
fn the_gate_has_no_loader_in_it() {
    let product = Product::find().unwrap_or_else(|reason| panic!("{reason}"));
    let copies = product.copies();
    let gate = copies.iter().find(|copy| copy.to.ends_with("bin/nsshell"));
    let bytes = std::fs::read(&gate.expect("nsshell").from).expect("read nsshell");
    let has = |text: &&&str| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    let found: Vec<_> = LOADERS.iter().filter(has).collect();
    assert!(found.is_empty(), "{found:?}");
    // A program's interpreter would be the loader.
    let interpreter = bytes.windows(10).any(|part| part == b"/ld-linux-");
    assert!(!interpreter, "it has an interpreter");
}

/// Directories that a gate may open files in.
const ALLOWED: [&str; 3] = ["/proc", "/run/nsshell", "/dev"];

/// The files that a process opens between becoming nsshell and becoming the shell, by the trace.
fn opened(trace: &str) -> Vec<String> {
    let pid = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let mut lines = trace.lines();
    let gate = lines
        .find(|line| line.contains("execve(\"/usr/bin/nsshell\""))
        .and_then(pid)
        .expect("nsshell is executed");
    lines
        .filter(|line| pid(line).as_ref() == Some(&gate))
        .take_while(|line| !line.contains("execve(\"/bin/bash\""))
        .filter_map(path_of)
        .collect()
}

/// The path in a line such as `22 openat(3</proc/2/fd>, "name", …) = 4</proc/2/fd/name>`.
fn path_of(line: &str) -> Option<String> {
    let call = line.split_once("open")?.1;
    let name = call.split('"').nth(1)?;
    let directory = call.split_once('<')?.1.split_once('>')?.0;
    match name.starts_with('/') {
        true => Some(name.to_owned()),
        false => Some(format!("{directory}/{name}")),
    }
}

#[test]
fn the_gate_opens_no_file_but_the_session_s_own() {
    root_or_skip!();
    let trace = |host: &Host| {
        // su has the variables too: it is root's, and goes by them before nsshell is executed.
        let line = "strace -f -y -s 4096 -e trace=open,openat,openat2,execve -o /srv/trace \
            -E LD_PRELOAD=/srv/libs/preload.so -E LD_LIBRARY_PATH=/srv/libs \
            -E GCONV_PATH=/srv/libs -E LOCPATH=/srv/libs -E LANG=de_DE.UTF-8 \
            -E LC_ALL=de_DE.UTF-8 su alice -c true";
        host.run(line).ok();
        host.run("cat /srv/trace").ok()
    };
    let host = builder(true, Source::Su, "").start();
    let paths = opened(&trace(&host));
    // It looks for its place somewhere: the trace is of the right process.
    assert!(
        paths.iter().any(|path| path.starts_with("/run/nsshell")),
        "{paths:#?}"
    );
    let is_allowed = |path: &&String| {
        let below = |allowed: &str| {
            path.strip_prefix(allowed)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        !path.contains("..") && ALLOWED.iter().any(|allowed| below(allowed))
    };
    let others: Vec<_> = paths.iter().filter(|path| !is_allowed(path)).collect();
    assert!(others.is_empty(), "{others:#?}");
}
