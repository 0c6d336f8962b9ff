//! `nsctl import`: configurations of pam_namespace as files, NAME.conf with the services of
//! NAME.pam.d, and the policy (NAME.expected.toml) or the faults (NAME.expected) beside each. To
//! take over what changed, run with UPDATE=1 in the environment and read the difference.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nsshell_config::Policy;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import")
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Status, standard output, standard error.
fn import(name: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nsctl"));
    command
        .arg("import")
        .arg(format!("{name}.conf"))
        .current_dir(directory())
        .stdin(Stdio::null());
    let pam = format!("{name}.pam.d");
    for service in names(&directory().join(&pam)) {
        command.arg("--pam").arg(format!("{pam}/{service}"));
    }
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn every_configuration_is_imported_as_its_file_expects() {
    let update = std::env::var_os("UPDATE").is_some();
    let all = names(&directory());
    let all: Vec<_> = all.iter().filter_map(|n| n.strip_suffix(".conf")).collect();
    assert!(all.len() >= 15, "{all:?}");
    let mut differ = Vec::new();
    for name in all {
        let (status, out, err) = import(name);
        let (file, told, other) = match status {
            0 => (format!("{name}.expected.toml"), out, err),
            _ => (format!("{name}.expected"), err, out),
        };
        assert_eq!(other, "", "{name}");
        assert!(matches!(status, 0 | 1), "{name}: {status}");
        if status == 0 {
            Policy::parse(&told, &file).unwrap();
        }
        let path = directory().join(file);
        if update {
            fs::write(&path, &told).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if told != expected {
            differ.push(format!("--- {name} expected\n{expected}+++ told\n{told}"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn what_is_missing_or_wrong_in_the_command_is_told() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nsctl"));
    let output = command.args(["import", "/nonexistent/x"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(
        err.starts_with("nsctl: cannot read /nonexistent/x: "),
        "{err}"
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_nsctl"));
    assert_eq!(
        command.arg("import").output().unwrap().status.code(),
        Some(2)
    );
}

#[test]
fn the_files_of_namespace_d_beside_the_main_one_are_read_in_their_order() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("beside");
    let beside = directory.join("namespace.d");
    fs::create_dir_all(&beside).unwrap();
    let main = directory.join("namespace.conf");
    fs::write(&main, "/tmp x tmpfs:noinit root\n").unwrap();
    for (name, text) in [
        ("b.conf", "/srv/b x tmpfs:noinit root\n"),
        (
            "a.conf",
            "# nothing\n/srv/a /srv/a-inst/ user:noinit root\n",
        ),
        ("c.conf.old", "/srv/c x tmpfs\n"),
        (".d.conf", "/srv/d x tmpfs\n"),
    ] {
        fs::write(beside.join(name), text).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_nsctl"));
    let import = |command: &mut Command| {
        let output = command.arg("import").arg(&main).output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(told).unwrap())
    };
    let (status, told) = import(&mut command);
    assert_eq!(status, Some(0), "{told}");
    let lines: Vec<_> = told
        .lines()
        .skip_while(|line| *line != "private = [")
        .map(str::trim)
        .filter(|line| !line.starts_with("# line"))
        .collect();
    let (a, b) = (beside.join("a.conf"), beside.join("b.conf"));
    let want = [
        "private = [".to_owned(),
        "{ path = \"/tmp\", size = \"50%\" },".to_owned(),
        format!("# {}:2: /srv/a /srv/a-inst/ user:noinit root", a.display()),
        "{ path = \"/srv/a\", instance = \"/srv/a-inst/{user}\" },".to_owned(),
        format!("# {}:1: /srv/b x tmpfs:noinit root", b.display()),
        "{ path = \"/srv/b\", size = \"50%\" },".to_owned(),
        "]".to_owned(),
    ];
    assert_eq!(lines, want, "{told}");
    // a fault in one of them is told with its name
    fs::write(&b, "/srv/b\n").unwrap();
    let (status, told) = import(&mut Command::new(env!("CARGO_BIN_EXE_nsctl")));
    assert_eq!(status, Some(1));
    assert!(told.starts_with(&format!("{}:1:", b.display())), "{told}");
}
