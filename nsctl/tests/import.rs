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
