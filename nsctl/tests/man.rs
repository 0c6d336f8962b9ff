//! The manual pages say what there is, and nothing that there is not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use clap::CommandFactory;
use nsshell_config::{
    BIND_KEYS, ENTRY_KEYS, EXPOSED, HOME_KEYS, PRIVATE_KEYS, PROFILE_KEYS, Policy, RULE_KEYS,
    TOP_KEYS,
};

#[allow(dead_code)]
#[path = "../src/cli.rs"]
mod cli;

const PAGES: [&str; 5] = [
    "nsshell.1",
    "nsshell.toml.5",
    "nsctl.8",
    "pam_nsshell.8",
    "session-init.8",
];

fn top() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn path(page: &str) -> PathBuf {
    top().join("packaging/man").join(page)
}

fn page(page: &str) -> String {
    fs::read_to_string(path(page)).unwrap()
}

/// The lines of the section with this header, or of the subsection.
fn section<'t>(text: &'t str, macro_name: &str, name: &str) -> Vec<&'t str> {
    let header = format!("{macro_name} {name}");
    let mut lines = text.lines().skip_while(|line| *line != header);
    assert!(lines.next().is_some(), "no section {name}");
    lines
        .take_while(|line| !line.starts_with(".Sh ") && !line.starts_with(macro_name))
        .collect()
}

/// The words after `.It Cm`, in their order.
fn keys(lines: &[&str]) -> Vec<String> {
    let items = lines
        .iter()
        .filter_map(|line| line.strip_prefix(".It Cm "))
        .map(|rest| rest.split(' ').next().unwrap().to_owned());
    items.collect()
}

#[test]
fn every_key_of_the_policy_stands_in_its_page_and_every_key_of_the_page_exists() {
    let text = page("nsshell.toml.5");
    let sections = [
        ("KEYS AT THE TOP", TOP_KEYS),
        ("KEYS OF A RULE", RULE_KEYS),
        ("KEYS OF A PROFILE", PROFILE_KEYS),
        ("KEYS OF A PRIVATE DIRECTORY", PRIVATE_KEYS),
        ("KEYS OF A HOME", HOME_KEYS),
        ("KEYS OF A BIND", BIND_KEYS),
        ("KEYS OF A PATH", ENTRY_KEYS),
    ];
    let mut counted = 0;
    for (name, wanted) in sections {
        let found = keys(&section(&text, ".Sh", name));
        counted += found.len();
        let mut sorted = found.clone();
        sorted.sort();
        let mut wanted = wanted.to_vec();
        wanted.sort_unstable();
        assert_eq!(sorted, wanted, "{name}");
    }
    let all: Vec<&str> = text.lines().collect();
    assert_eq!(keys(&all).len(), counted, "a key outside of its section");
}

#[test]
fn the_page_says_where_each_exposed_socket_is() {
    let text = page("nsshell.toml.5");
    let lines = section(&text, ".Sh", "EXPOSED SOCKETS");
    let items = lines.windows(2).filter_map(|two| {
        let name = two[0].strip_prefix(".It Ql ")?;
        Some((name, two[1].strip_prefix(".Pa ")?.strip_suffix(" .")?))
    });
    assert_eq!(items.collect::<Vec<_>>(), EXPOSED);
}

#[test]
fn every_policy_of_the_page_is_valid() {
    let text = page("nsshell.toml.5");
    let mut examples = Vec::new();
    let mut open: Option<String> = None;
    for line in section(&text, ".Sh", "POLICIES TO START FROM") {
        match (line, &mut open) {
            (".Ed", _) => examples.extend(open.take()),
            (begin, _) if begin.starts_with(".Bd -literal") => open = Some(String::new()),
            (line, Some(example)) => {
                example.push_str(&line.replace("\\-", "-"));
                example.push('\n');
            }
            _ => {}
        }
    }
    // the first one is what to run, not a policy
    assert!(examples[0].starts_with("nsctl check"), "{}", examples[0]);
    assert!(examples.len() > 4);
    for example in &examples[1..] {
        if let Err(error) = Policy::parse(example, "example") {
            panic!("{error:#}\nin:\n{example}");
        }
    }
}

/// Long and short options of a command as they are typed, and its values in capitals.
fn options(command: &clap::Command) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for argument in command.get_arguments() {
        found.extend(argument.get_long().map(|long| format!("--{long}")));
        found.extend(argument.get_short().map(|short| format!("-{short}")));
    }
    found
}

/// What stands behind `.Fl` in these lines, as it is typed.
fn flags(lines: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in lines.iter().filter(|line| line.starts_with(".It Fl ")) {
        for word in line.split([' ', ',']).skip(2).filter(|w| !w.is_empty()) {
            match word {
                "Ar" => break,
                word => {
                    found.insert(format!("-{word}"));
                }
            }
        }
    }
    found
}

#[test]
fn every_verb_and_option_of_nsctl_stands_in_its_page_and_the_other_way_round() {
    let text = page("nsctl.8");
    let description = section(&text, ".Sh", "DESCRIPTION");
    let mut command = cli::Cli::command();
    command.build();
    let mut told = keys(&description);
    told.sort();
    let mut verbs: Vec<String> = command
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set())
        .map(|verb| verb.get_name().to_owned())
        .collect();
    verbs.sort();
    assert_eq!(told, verbs);

    // clap gives these two to every verb; the page tells of them once
    let common = BTreeSet::from(["-h", "--help", "-V", "--version"].map(str::to_owned));
    let mut common_told = BTreeSet::new();
    for verb in command.get_subcommands() {
        let name = verb.get_name();
        let begin = format!(".It Cm {name}");
        let of_verb = |line: &&&str| **line == begin || line.starts_with(&format!("{begin} "));
        let at = description.iter().position(|line| of_verb(&line)).unwrap();
        let rest = &description[at + 1..];
        let end = rest.iter().position(|line| line.starts_with(".It Cm "));
        let mut found = flags(&rest[..end.unwrap_or(rest.len())]);
        common_told.extend(common.intersection(&found).cloned());
        found.retain(|flag| !common.contains(flag));
        let mut wanted = options(verb);
        wanted.retain(|flag| !common.contains(flag));
        assert_eq!(found, wanted, "options of {name}");

        // and in the synopsis, in the lines of that verb
        let synopsis = section(&text, ".Sh", "SYNOPSIS").join("\n");
        let lines: String = synopsis
            .split(".Nm")
            .filter(|part| part.trim_start().starts_with(&format!(".Cm {name}")))
            .collect();
        assert!(!lines.is_empty(), "{name} is not in the synopsis");
        for flag in &wanted {
            let written = format!("Fl {}", &flag[1..]);
            assert!(lines.contains(&written), "{flag} of {name}: {lines}");
        }
    }
    assert_eq!(common_told, common);
}

/// The byte strings that the module compares its arguments with.
#[test]
fn every_argument_of_the_module_stands_in_its_page_and_the_other_way_round() {
    let source = fs::read_to_string(top().join("pam_module/src/arguments.rs")).unwrap();
    let product = source.split("#[cfg(test)]").next().unwrap();
    let wanted: BTreeSet<&str> = product
        .split("b\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(|literal| literal.trim_end_matches('='))
        .filter(|literal| *literal != "/")
        .collect();
    assert!(wanted.contains("config"), "{wanted:?}");
    let text = page("pam_nsshell.8");
    let told = keys(&section(&text, ".Ss", "Arguments"));
    let told: BTreeSet<&str> = told.iter().map(String::as_str).collect();
    assert_eq!(told, wanted);
    for line in section(&text, ".Sh", "SYNOPSIS") {
        for argument in &wanted {
            let there = line.contains(&format!("Cm {argument}"));
            assert!(there, "{argument} is not in: {line}");
        }
    }
}

/// What begins a line of the log is what the page lists.
#[test]
fn the_forms_of_the_log_stand_in_the_page_of_the_module() {
    let text = page("pam_nsshell.8").replace("\\(dq", "\"");
    let sources = [
        "pam_module/src/lib.rs",
        "session/src/helper.rs",
        "config/src/spared.rs",
    ]
    .map(|file| fs::read_to_string(top().join(file)).unwrap())
    .join("\n");
    for form in [
        "as mode = \"observe\" says; it would have been refused",
        "as on_failure = \"unconfined\" says",
        "as the user is exempt",
        "without a policy",
        "left unconfined, ",
        " refused: ",
        "the session is open already; is the module in the stack twice?",
        "a fault in the module itself",
    ] {
        assert!(text.contains(form), "not in the page: {form}");
        let written = form.replace('"', "\\\"");
        assert!(sources.contains(&written), "not in the source: {form}");
    }
}

/// The first words of what the page explains, as the sources have them.
#[test]
fn the_reasons_that_the_page_of_the_module_explains_are_those_that_are_given() {
    let text = page("pam_nsshell.8");
    let told = section(&text, ".Sh", "DIAGNOSTICS").join("\n");
    let mut sources = String::new();
    for folder in [
        "config/src",
        "session/src",
        "session/src/view",
        "pam_module/src",
    ] {
        for entry in fs::read_dir(top().join(folder)).unwrap() {
            let file = entry.unwrap().path();
            if file.extension().is_some_and(|extension| extension == "rs") {
                sources += &fs::read_to_string(file).unwrap();
            }
        }
    }
    for reason in [
        "the policy is not used: ",
        "cannot read the policy ",
        "no rule of the policy matches",
        "the login shell of ",
        "is not in the user database",
        "has no subordinate ",
        " map would need more than the kernel's ",
        " cannot be given the user namespace of profile ",
        "cannot mount on ",
        "cannot make the session's namespaces",
        "cannot take set-uid off the session's mounts",
        "/usr/bin/newuidmap",
        "/usr/bin/getsubids",
        "cannot write a session record",
        " is not root's alone",
        " did not finish within ",
        "the application has threads",
        "the application runs in a chroot",
        "the maker of the user namespace was killed",
        " is missing",
        "the parts of nsshell do not fit together",
        "pam_nsshell.so does not take the argument ",
    ] {
        assert!(told.contains(reason), "not in the page: {reason}");
        assert!(sources.contains(reason), "not in the sources: {reason}");
    }
}

#[test]
fn every_page_is_named_after_its_file() {
    let mut found: Vec<String> = fs::read_dir(top().join("packaging/man"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    let mut wanted = PAGES.map(str::to_owned).to_vec();
    wanted.sort();
    assert_eq!(found, wanted);
    for name in PAGES {
        let (title, number) = name.rsplit_once('.').unwrap();
        let head = format!(".Dt {} {number}\n", title.to_uppercase());
        assert!(page(name).contains(&head), "{name}: {head}");
    }
}

/// All that a page says of the helper's own arguments, and all that it compares them with.
#[test]
fn every_argument_of_the_helper_stands_in_its_page_and_the_other_way_round() {
    let file = top().join("session/src/bin/session_init.rs");
    let source = fs::read_to_string(file).unwrap();
    let compared = source.split("option == \"").skip(1);
    let wanted: BTreeSet<&str> = compared.filter_map(|rest| rest.split('"').next()).collect();
    assert!(wanted.contains("--user-manager"), "{wanted:?}");
    let text = page("session-init.8");
    for name in ["SYNOPSIS", "DESCRIPTION"] {
        let lines = section(&text, ".Sh", name).into_iter();
        let told = lines.filter_map(|line| line.strip_prefix(".Fl "));
        let told: BTreeSet<String> = told
            .filter_map(|rest| rest.split(' ').next())
            .map(|flag| format!("-{flag}"))
            .collect();
        assert_eq!(
            told,
            wanted.iter().map(|one| (*one).to_owned()).collect(),
            "{name}"
        );
    }
    let without = "session-init: run by pam_nsshell.so only, see session-init(8)";
    assert!(text.contains(without) && source.contains(without));
}

/// Whoever builds without mandoc is not kept from it; continuous integration is.
#[allow(clippy::print_stderr)]
#[test]
fn mandoc_finds_nothing_to_warn_of() {
    let lint = Command::new("mandoc")
        .args(["-T", "lint", "-W", "style"])
        .args(PAGES.map(path))
        .output();
    match lint {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            // what a page is for is no operating system, and what it refers to is not installed
            // on every host
            let of_the_host = ["referenced manual not found", " Os "];
            let ours = said
                .lines()
                .filter(|line| !of_the_host.iter().any(|of| line.contains(of)));
            assert_eq!(ours.collect::<Vec<_>>(), [""; 0]);
        }
        Err(error) => {
            let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!ci, "mandoc cannot be run: {error}");
            eprintln!("skipped: mandoc cannot be run: {error}");
        }
    }
}
