//! The program as it is called: exit status, and what goes to which output.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nsshell_tests::validate;

fn nsctl(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nsctl"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    told(nsctl(arguments).output().unwrap())
}

fn told(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// A policy of root's in a directory that only its owner changes, if the test runs as root.
fn policy(text: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("p.toml");
    fs::write(&file, text).unwrap();
    let name = file.to_str().unwrap().to_owned();
    (directory, name)
}

/// Policies that are not root's are refused; what a valid one does can only be seen as root.
#[allow(clippy::print_stderr)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if !is_root {
        eprintln!("skipped: this test wants root");
    }
    is_root
}

#[test]
fn wrong_use_is_told_on_standard_error_with_status_2() {
    for arguments in [
        &[][..],
        &["chek"],
        &["check", "a", "b"],
        &["check", "--as", "/etc/nsshell/nsshell.toml"],
        &["check", "--tty", "ssh"],
        &["explain", "root", "--as", "/etc/nsshell/nsshell.toml"],
        &["explain"],
        &["ls", "--jsno"],
    ] {
        let (status, out, err) = run(arguments);
        assert_eq!((status, out.as_str()), (2, ""), "{arguments:?}");
        assert!(err.contains("Usage: nsctl"), "{err}");
    }
    for arguments in [&["--help"][..], &["--version"], &["explain", "--help"]] {
        let (status, out, err) = run(arguments);
        assert_eq!((status, err.as_str()), (0, ""), "{arguments:?}");
        assert!(out.contains("nsctl"), "{out}");
    }
}

#[test]
fn mistakes_of_a_policy_are_shown_with_their_source_lines() {
    let (_directory, file) = policy("[[rule]]\nprofile = 'standrad'\n[profile.a]\ngrace = 999\n");
    let (status, out, err) = run(&["check", &file]);
    assert_eq!((status, out.as_str()), (1, ""), "{err}");
    let want = format!(
        "{file}:2:11: there is no profile `standrad`; did you mean `standard`?\n \
         2 | profile = 'standrad'\n   |           ^^^^^^^^^^\n\
         {file}:4:9: `grace` is 999 seconds, not 0 to 300\n 4 | grace = 999\n   |         ^^^\n"
    );
    assert!(err.ends_with(&want), "{err}");
}

#[test]
fn a_draft_that_others_could_change_is_checked_whole_and_no_login_takes_it() {
    use std::os::unix::fs::PermissionsExt;
    let warning = "warning: no login uses this file as it is: ";
    let cases = [
        ("[profile.standard]\ngrace = 1\n", 0, "no errors, "),
        (
            "[profile.standard]\ngrase = 1\n",
            1,
            "did you mean `grace`?",
        ),
        // what only this host makes wrong
        (
            "[profile.standard]\nshell = '/no/such/shell'\n",
            1,
            "the shell /no/such/shell of profile `standard` is no program on this host",
        ),
    ];
    for (text, want, part) in cases {
        let (_directory, file) = policy(text);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        let (status, _, err) = run(&["check", &file]);
        assert_eq!(status, want, "{err}");
        assert!(err.contains(warning) && err.contains(part), "{err}");
        let (status, out, _) = run(&["explain", "root", "--config", &file]);
        assert_eq!((status, out.as_str()), (1, ""));
    }
}

#[test]
fn with_json_there_is_one_value_whatever_is_wrong_with_the_file() {
    let (directory, file) = policy("");
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("latin1.toml"), b"# \xe9\n").unwrap();
    fs::write(path("large.toml"), "#".repeat((4 << 20) + 1)).unwrap();
    let none = "/etc/nsshell/none";
    let cases: [(&[&str], &str); 5] = [
        (&[&path("missing.toml")], "cannot read the policy"),
        (&[&path("latin1.toml")], ""),
        (&[&path("large.toml")], "4194305"),
        (&[directory.path().to_str().unwrap()], ""),
        (
            &[&file, "--as", none],
            "no file of the policy can be at /etc/nsshell/none",
        ),
    ];
    for (arguments, part) in cases {
        let (status, out, err) = run(&[&["check", "--json"], arguments].concat());
        assert_eq!((status, err.as_str()), (1, ""), "{arguments:?}");
        let value: serde_json::Value = serde_json::from_str(&out).unwrap();
        let found = value["found"].as_array().unwrap();
        let last = found.last().unwrap();
        assert_eq!(last["severity"], "error", "{value}");
        assert!(last["message"].as_str().unwrap().contains(part), "{value}");
    }
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    let (directory, _) = policy("");
    let missing = directory.path().join("missing.toml");
    let (status, _, err) = run(&["check", missing.to_str().unwrap()]);
    assert_eq!(status, 1);
    assert!(err.starts_with("nsctl: cannot read the policy "), "{err}");
    assert_eq!(err.lines().count(), 1);
}

#[test]
fn a_good_policy_is_told_to_people_and_its_plan_is_printed() {
    if !is_root() {
        return;
    }
    let (_directory, file) = policy(
        "[[rule]]\nusers = ['root']\nprofile = 'bare'\n[profile.bare]\nnamespaces = ['mount', 'ipc']\n",
    );
    let (status, out, err) = run(&["check", &file]);
    assert_eq!((status, out.as_str()), (0, ""));
    // the kernel that runs the test may have a switch to be told of, with its line and a caret
    let rest = err.strip_suffix(&format!("{file}: no errors\n"));
    let rest = rest.unwrap_or_else(|| panic!("{err}"));
    let note = rest.starts_with("/proc/sys/dev/tty/legacy_tiocsti:1:1: note: ");
    assert!(
        rest.is_empty() || note && rest.lines().count() == 3,
        "{err}"
    );
    let (status, out, err) = run(&["explain", "root", "--service", "su", "--config", &file]);
    assert_eq!((status, err.as_str()), (0, ""));
    assert!(
        out.contains(&format!("{file}:1\n")) && out.contains("mount ipc\n"),
        "{out}"
    );
    let json = run(&[
        "explain", "root", "--tty", "tty1", "--json", "--config", &file,
    ])
    .1;
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let plan: nsshell_config::Plan = serde_json::from_value(value["plan"].clone()).unwrap();
    assert_eq!(
        (plan.profile.as_str(), plan.login.service.as_str()),
        ("bare", "sshd")
    );
    assert_eq!(plan.login.tty.as_deref(), Some("tty1"));
    assert!(plan.session.is_some());
}

#[test]
fn what_is_printed_as_json_is_as_the_installed_schema_has_it() {
    let (_directory, faulty) = policy("rules = 1\n[profile.standard]\ngrase = 1\n");
    let (_other, good) = policy("[[rule]]\nusers = ['root']\nprofile = 'none'\n");
    let schema = validate::outputs();
    let mut attempts = vec![
        ("check", vec!["check", "--json", &faulty]),
        ("ls", vec!["ls", "--json"]),
        ("ranges", vec!["ranges", "--json"]),
    ];
    if is_root() {
        attempts.extend([
            ("check", vec!["check", "--json", "--users", &good]),
            ("explain", vec!["explain", "--json", "root"]),
            (
                "diff",
                vec!["explain", "--json", "--config", &good, "--diff", &good],
            ),
            ("tree", vec!["tree", "--json"]),
        ]);
    }
    for (verb, arguments) in attempts {
        let (_, out, err) = run(&arguments);
        let value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{verb}: {e}: {err}"));
        let faults = validate::faults_as(verb, &schema, &value);
        assert!(faults.is_empty(), "{faults:#?}: {out}");
    }
}

#[test]
fn a_user_who_is_not_in_the_user_database_is_an_error() {
    let (status, out, err) = run(&["explain", "no-such-user-\u{1b}[2J"]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(
        err.starts_with("nsctl: user ") && !err.trim_end().contains(char::is_control),
        "{err:?}"
    );
}

#[test]
fn a_reader_who_has_enough_is_no_error_but_a_full_disk_is() {
    if !is_root() {
        return;
    }
    let (_directory, file) = policy("");
    let explain = || nsctl(&["explain", "root", "--json", "--config", &file]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let (status, _, err) = told(
        explain()
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap(),
    );
    assert_eq!((status, err.as_str()), (0, ""));
    let full = File::options()
        .write(true)
        .open(Path::new("/dev/full"))
        .unwrap();
    let (status, _, err) = told(
        explain()
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .unwrap(),
    );
    assert_eq!(status, 1);
    assert!(err.starts_with("nsctl: cannot write the result: "), "{err}");
}
