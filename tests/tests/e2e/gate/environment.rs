//! The environment that alice brings along: nothing of it runs before she is in the user layer,
//! and nothing of it decides for a program that the policy puts in place of her shell.

mod binary;
mod sources;

use std::collections::BTreeMap;

use nsshell_tests::{Host, root_or_skip};

use sources::{ALL, Source, builder};

/// Variables by which a program loads a file, or does another thing than it was made for.
const HARMFUL: [(&str, &str); 16] = [
    ("LD_PRELOAD", "/srv/libs/preload.so"),
    ("LD_AUDIT", "/srv/libs/audit.so"),
    ("LD_LIBRARY_PATH", "/srv/libs"),
    ("GCONV_PATH", "/srv/libs"),
    ("LOCPATH", "/srv/libs"),
    ("GLIBC_TUNABLES", "glibc.malloc.perturb=1"),
    ("BASH_ENV", "/srv/libs/script"),
    ("ENV", "/srv/libs/script"),
    ("SHELLOPTS", "braceexpand"),
    ("PYTHONPATH", "/srv/libs"),
    ("PERL5LIB", "/srv/libs"),
    ("SSH_ASKPASS", "/srv/libs/script"),
    ("XDG_CONFIG_HOME", "/srv/libs"),
    ("XDG_DATA_DIRS", "/srv/libs"),
    ("EDITOR", "/srv/libs/script"),
    ("FOO", "bar"),
];

/// Variables that the plan sets, otherwise.
const FORGED: [(&str, &str); 6] = [
    ("HOME", "/srv/libs"),
    ("USER", "forged"),
    ("LOGNAME", "forged"),
    ("SHELL", "/srv/libs/script"),
    ("PATH", "/srv/libs"),
    ("XDG_RUNTIME_DIR", "/srv/libs"),
];

/// A line of the record: the library, the program, and whether it was in the host's user
/// namespace.
fn loaded(host: &Host) -> Vec<(String, String, bool)> {
    let text = host.run("cat /srv/env/loaded").ok();
    let line = |line: &str| {
        let mut words = line.split(' ').map(str::to_owned);
        let mut next = || words.next().unwrap_or_default();
        (next(), next(), next() == "0-0-4294967295")
    };
    text.lines().map(line).collect()
}

#[test]
fn nothing_of_it_is_loaded_before_the_user_layer_and_the_shell_gets_it_all() {
    root_or_skip!();
    let mut faults = Vec::new();
    for source in ALL {
        for confined in [true, false] {
            let host = builder(confined, source, "").start();
            let variables = source.possible(&HARMFUL);
            let found = shell_gets(&host, source, &variables)
                .into_iter()
                .chain(loaded_early(&host, confined, &variables));
            faults.extend(found.map(|fault| format!("{source:?}, confined {confined}: {fault}")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The ordinary shell has the variables.
fn shell_gets(host: &Host, source: Source, variables: &[(&str, &str)]) -> Option<String> {
    // The shell sets this one itself.
    let wanted = variables.iter().filter(|(name, _)| *name != "SHELLOPTS");
    let show = wanted
        .clone()
        .map(|(name, _)| format!("echo {name}=${name}; "));
    // A bash that sshd starts does without BASH_ENV; and so does one that it becomes.
    let line = format!(
        "{{ {}}} >/srv/env/seen; bash -c :; true",
        show.collect::<String>()
    );
    source.login(host, variables, &line);
    let expected: Vec<String> = wanted
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let seen = host.run("cat /srv/env/seen").ok();
    (seen != expected.join("\n")).then(|| format!("the shell has {seen}"))
}

/// Libraries that nsshell has loaded in the host layer, and those that the shell has not loaded in
/// the user layer, which it must, to show that they can be.
fn loaded_early(host: &Host, confined: bool, variables: &[(&str, &str)]) -> Vec<String> {
    let record = loaded(host);
    let mut faults = Vec::new();
    for (variable, library) in [
        ("LD_PRELOAD", "preload"),
        ("LD_AUDIT", "audit"),
        ("BASH_ENV", "script"),
    ] {
        let by_shell = record.iter().any(|(name, program, in_host)| {
            name == library && program.ends_with("/bash") && *in_host != confined
        });
        if by_shell != variables.iter().any(|(name, _)| *name == variable) {
            faults.push(format!("{library} and the shell: {record:?}"));
        }
    }
    let early = record
        .iter()
        .filter(|(_, program, in_host)| *in_host && program.contains("nsshell"));
    faults.extend(early.map(|(library, program, _)| format!("{library} is loaded by {program}")));
    faults
}

/// The environment of the program in place of the shell.
fn of_command(host: &Host) -> BTreeMap<String, String> {
    let bytes = host.run("cat /srv/env/seen").stdout;
    let text = String::from_utf8(bytes).expect("text");
    let one = |one: &str| {
        let (name, value) = one.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    text.split('\0').filter_map(one).collect()
}

/// It copies its own environment, as it was given to it.
const COMMAND: &str =
    "[profile.standard]\ncommand = ['/bin/cp', '/proc/self/environ', '/srv/env/seen']\n";

const BY_NAME: [&str; 13] = [
    "SSH_CONNECTION",
    "SSH_CLIENT",
    "SSH_TTY",
    "SSH_ORIGINAL_COMMAND",
    "SSH_AUTH_SOCK",
    "XDG_SEAT",
    "XDG_VTNR",
    "DISPLAY",
    "NSSHELL_SESSION",
    "NSSHELL_PROFILE",
    "NSSHELL_ORIGINAL_COMMAND",
    "TERM",
    "TZ",
];

/// True if a variable of this name may reach the program at all.
fn may_pass(name: &str) -> bool {
    BY_NAME.contains(&name)
        || FORGED.iter().any(|(one, _)| *one == name)
        || name == "LANG"
        || name.starts_with("LC_")
        || name.starts_with("XDG_SESSION_")
}

#[test]
fn nothing_of_it_decides_for_a_command_in_place_of_the_shell() {
    root_or_skip!();
    let mut faults = Vec::new();
    for source in ALL {
        let host = builder(true, source, COMMAND).start();
        let variables = source.possible(&[&HARMFUL[..], &FORGED].concat());
        source.login(&host, &variables, "id -u");
        let mut found = wrong_for_command(&of_command(&host));
        // Not in nsshell, and not in the command.
        let record = loaded(&host);
        found.extend(record.iter().map(|line| format!("loaded: {line:?}")));
        faults.extend(found.iter().map(|fault| format!("{source:?}: {fault}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Variables that the command has and should not have, and those that it lacks.
fn wrong_for_command(seen: &BTreeMap<String, String>) -> Vec<String> {
    let get = |name: &str| seen.get(name).map_or("", String::as_str);
    let mut faults = Vec::new();
    for (name, value) in [
        ("HOME", "/home/alice"),
        ("USER", "alice"),
        ("LOGNAME", "alice"),
        ("SHELL", "/bin/bash"),
        ("NSSHELL_ORIGINAL_COMMAND", "id -u"),
        ("NSSHELL_PROFILE", "standard"),
    ] {
        if get(name) != value {
            faults.push(format!("{name}={}, and not {value}", get(name)));
        }
    }
    let path = get("PATH");
    if !path.contains("/usr/bin") || path.contains("/srv") {
        faults.push(format!("PATH={path}"));
    }
    let runtime_dir = get("XDG_RUNTIME_DIR");
    if !["", "/run/user/1000"].contains(&runtime_dir) {
        faults.push(format!("XDG_RUNTIME_DIR={runtime_dir}"));
    }
    let others = seen.keys().filter(|name| !may_pass(name));
    faults.extend(others.map(|name| format!("{name}={}", get(name))));
    faults
}

#[test]
fn a_command_gets_harmless_locales_and_the_names_of_the_login() {
    root_or_skip!();
    let host = builder(true, Source::SshEnvironment, COMMAND).start();
    let longest = "a".repeat(64);
    let too_long = "a".repeat(65);
    let harmless = [
        ("TERM", "xterm-256color"),
        ("LANG", "de_DE.UTF-8"),
        ("LC_TIME", "en_GB@euro"),
        ("LC_NAME", longest.as_str()),
        ("LC_ANY_OTHER", "a+b"),
        ("TZ", "America/Argentina/Ushuaia"),
        ("DISPLAY", ":10.0"),
        ("SSH_AUTH_SOCK", "/tmp/ssh-x/agent.1"),
        ("SSH_ORIGINAL_COMMAND", "a b"),
        ("XDG_SESSION_ID", "c1"),
        ("XDG_SESSION_TYPE", "tty"),
        ("XDG_SEAT", "seat0"),
        ("XDG_VTNR", "7"),
    ];
    Source::SshEnvironment.login(&host, &harmless, "id -u");
    let seen = of_command(&host);
    for (name, value) in harmless {
        assert_eq!(
            seen.get(name).map(String::as_str),
            Some(value),
            "{name}: {seen:#?}"
        );
    }
    assert!(seen.contains_key("SSH_CONNECTION") && seen.contains_key("SSH_CLIENT"));
    for values in [
        [
            ("TERM", "a/b"),
            ("LANG", "/tmp/a"),
            ("LC_ALL", "a/b"),
            ("LC_TIME", too_long.as_str()),
            ("TZ", "/etc/localtime"),
        ],
        [
            ("TERM", "/tmp/a"),
            ("LANG", "a..b"),
            ("LC_ALL", ".."),
            ("LC_TIME", "a b"),
            ("TZ", "../../tmp/a"),
        ],
        [
            ("TERM", "a;b"),
            ("LANG", "a$b"),
            ("LC_ALL", "a%b"),
            ("LC_TIME", "é"),
            ("TZ", ":Europe/Berlin"),
        ],
        [
            ("TERM", too_long.as_str()),
            ("LANG", "a:b"),
            ("LC_ALL", "a=b"),
            ("LC_TIME", "a\\b"),
            ("TZ", "Europe/../Berlin"),
        ],
    ] {
        Source::SshEnvironment.login(&host, &values, "id -u");
        let seen = of_command(&host);
        for (name, value) in values {
            assert_ne!(
                seen.get(name).map(String::as_str),
                Some(value),
                "{name}: {seen:#?}"
            );
        }
    }
}
