//! Every mistake in a policy file is found, with its place and a remedy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use crate::common::{faults, parse};
use nsshell_config::{Error, Layer, LoginPolicy, MAX_FILE_SIZE, Policy, PolicyFile, explain};

#[test]
fn a_key_that_contradicts_the_namespaces_is_a_mistake() {
    let cases = [
        ("['mount']", "id_map = 'keep'", "user"),
        ("['mount']", "ranges = 'if-any'", "user"),
        ("['mount']", "require_nsshell = true", "user"),
        ("['mount']", "hostname = 'x'", "uts"),
        ("[]", "private = ['/tmp']", "mount"),
        ("[]", "runtime_dir = true", "mount"),
        ("[]", "grace = 1", "mount"),
        ("[]", "timeout = 1", "mount"),
        ("[]", "id_map = 'root'", "user"),
    ];
    for (namespaces, key, kind) in cases {
        let found = faults(&format!("[profile.a]\nnamespaces = {namespaces}\n{key}"));
        let name = key.split(' ').next().unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        let want =
            format!("`{name}` has no effect in profile `a`, which has no {kind} namespace; ");
        assert!(found[0].contains(&want), "{}", found[0]);
        assert!(found[0].starts_with("p.toml:3:"), "{}", found[0]);
        // the same key is right where the namespace is
        parse(&format!(
            "[profile.a]\nnamespaces = ['mount', 'user', 'uts']\n{key}"
        ));
    }
    for fine in [
        "require_nsshell = false",
        "runtime_dir = false",
        "shell = '/bin/sh'",
    ] {
        parse(&format!("[profile.a]\nnamespaces = []\n{fine}"));
    }
}

#[test]
fn all_mistakes_of_a_file_are_found_at_once_in_the_order_of_the_file() {
    let text = "[[rule]]\nprofile = 'x'\n[profile.z]\ngrace = 999\n[profile.a]\nshell = 'sh'\n";
    let error = Policy::parse(text, "p.toml").unwrap_err();
    let lines: Vec<_> = error
        .diagnostics()
        .iter()
        .map(|fault| fault.at.line)
        .collect();
    assert_eq!(lines, [2, 4, 6]);
    assert_eq!(
        error.to_string(),
        "p.toml:2:11: there is no profile `x`; define it with [profile.x] (and 2 more; see `nsctl check`)"
    );
    assert_eq!(
        format!("{error:#}"),
        "p.toml:2:11: there is no profile `x`; define it with [profile.x]\n 2 | profile = 'x'\n   |           ^^^\n\
         p.toml:4:9: `grace` is 999 seconds, not 0 to 300\n 4 | grace = 999\n   |         ^^^\n\
         p.toml:6:9: path `sh` is not absolute: it has to begin with `/`\n 6 | shell = 'sh'\n   |         ^^^^"
    );
}

#[test]
fn a_policy_has_limits() {
    let fits = format!("#{}", "x".repeat(MAX_FILE_SIZE - 1));
    assert!(Policy::parse(&fits, "p.toml").is_ok());
    let error = Policy::parse(&format!("{fits}x"), "p.toml").unwrap_err();
    assert_eq!(
        error,
        Error::PolicySize {
            file: "p.toml".to_owned(),
            size: MAX_FILE_SIZE + 1
        }
    );
    assert_eq!(
        error.to_string(),
        "p.toml has 4194305 bytes; a policy has at most 4194304"
    );

    let rules = |count: usize| "[[rule]]\nprofile='none'\n".repeat(count);
    let begun = std::time::Instant::now();
    assert!(Policy::parse(&rules(20_000), "p.toml").is_ok());
    assert_eq!(
        faults(&rules(20_001)),
        ["p.toml:40001:1: more than 20000 rules"]
    );
    let profiles = |count: usize| {
        (0..count)
            .map(|at| format!("[profile.p{at}]\n"))
            .collect::<String>()
    };
    assert!(Policy::parse(&profiles(1_000), "p.toml").is_ok());
    assert_eq!(
        faults(&profiles(1_001)),
        ["p.toml:1001:10: more than 1000 profiles"]
    );
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

#[test]
fn a_policy_has_limits_that_keep_it_small_in_memory() {
    // five lists as long as they may be, with a line and a comment for each entry
    let list = |key: &str, entry: &str| format!("{key} = [\n{}]\n", entry.repeat(10_000));
    let long = ["users", "services", "ttys", "hosts"].map(|key| list(key, "'a', # x\n"));
    let rule = format!("[[rule]]\nprofile='none'\n{}", long.concat());
    let rule = rule + &list("uids", "7, # x\n");
    let parsed = Policy::parse(&rule, "p.toml").map(|_| ());
    assert_eq!(parsed, Ok(()));
    let signs = "default = 'none'\n".to_owned() + &"\n".repeat(399_993);
    assert!(Policy::parse(&signs, "p.toml").is_ok());
    assert_eq!(
        faults(&format!("{signs}\n\n[profile.x]\nmode = 1\n")),
        [
            "p.toml:399996:1: more than 400000 words, signs and ends of lines in one piece; put a \
             [header] in between",
            "p.toml:399998:8: expected `enforce` or `observe` in \" \", not a number"
        ]
    );

    let login = crate::common::login("sshd");
    let rules = |count: usize| {
        let list = "'a',".repeat(10_000);
        format!("[[rule]]\nprofile='none'\nusers=[{list}]\n").repeat(count)
    };
    assert_eq!(Policy::parse(&rules(40), "p.toml").map(|_| ()), Ok(()));
    // the built-in rules are not counted, nor any rule twice
    let (alice, host) = (
        crate::common::account("alice", 1000),
        crate::common::Table::default(),
    );
    let full = vec![PolicyFile {
        name: "p.toml".to_owned(),
        text: rules(40),
        layer: Layer::Main,
    }];
    let own = LoginPolicy::from_files(full.clone(), &login, &alice, &host, 10).unwrap();
    let full = explain(
        &Policy::from_files(full).unwrap(),
        &login,
        &alice,
        &host,
        10,
    );
    assert_eq!(full.missed_before, 31);
    assert_eq!(format!("{:?}", own.explain()), format!("{full:?}"));
    let told = "more than 400000 entries in the lists of all rules";
    let at = "[[rule]]\nprofile='none'\nusers=['a']\n".to_owned() + &rules(40);
    assert_eq!(faults(&at), [format!("p.toml:121:1: {told}; name groups")]);
    let file = |name: &str, text: String| PolicyFile {
        name: name.to_owned(),
        text,
        layer: Layer::DropIn,
    };
    let files = vec![file("a.toml", rules(25)), file("b.toml", rules(25))];
    let error = Policy::from_files(files).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("b.toml:46:1: {told} in all files; name groups")
    );

    let heavy = |path: usize, others: usize| {
        let path = "/a".repeat(path);
        let paths: String = (0..50).map(|n| format!("'/{n}{path}',")).collect();
        let other = |n: usize| format!("[profile.p{n}]\nextends = 'base'\n");
        let others: String = (0..others).map(other).collect();
        format!("[profile.base]\nread_only = [{paths}]\n{others}")
    };
    assert!(Policy::parse(&heavy(40, 200), "p.toml").is_ok());
    assert_eq!(
        faults(&heavy(500, 50)),
        ["p.toml:58:11: profiles extend others with more than 1 MiB of text in all"]
    );
}

#[test]
fn nothing_in_a_file_makes_the_reader_fall_over() {
    let deep = "[".repeat(500_000);
    let unterminated = format!("[[rule]]\nusers = [{}", "'a',".repeat(100_000));
    for text in [
        "\0",
        "\u{feff}",
        "=",
        "[profile.a",
        "'''",
        "\u{202e}x = 1",
        &deep,
        &unterminated,
    ] {
        let _ = Policy::parse(text, "p.toml").map_err(|error| format!("{error:#}"));
    }
    // every prefix of a valid text, and the text with a byte changed
    let text = include_str!("../../../packaging/nsshell.toml").replace("\n#", "\n");
    for at in 0..text.len().min(4000) {
        let Some((before, after)) = text.split_at_checked(at) else {
            continue;
        };
        let _ = Policy::parse(before, "p.toml").map_err(|error| format!("{error:#}"));
        let mut chars = after.chars();
        if at % 7 == 0 && chars.next().is_some() {
            let changed = format!("{before}é{}", chars.as_str());
            let _ = Policy::parse(&changed, "p.toml").map_err(|error| format!("{error:#}"));
        }
    }
}

#[test]
fn one_slip_is_told_as_one_fault() {
    let text = "default = \"none\"\n\
        [[rule]]\nusers = [\n    \"alice\", # the first\n    \"@staff\",\n]\nprofile = \"desk\"\n\
        [profile.desk]\n\
        namespaces = [\"mount\", \"pid\", \"user\"]\n\
        home = {\n    kind = \"ephemeral\",\n    size = \"1g\",\n}\n\
        binds = [\n    { source = \"/srv/a\", options = [\"ro\"] },\n    \"/srv/b\",\n]\n\
        masked = [\"/opt/x\"]\n\
        grace = 5\n\
        [profile.lab]\nscope = \"session\"\ntimeout = 20\n";
    parse(text);
    type Slip = fn(&str) -> Option<String>;
    let slips: [(&str, Slip); 5] = [
        ("no `=`", |line| Some(line.replacen(" = ", " ", 1))),
        ("a colon", |line| Some(line.replacen(" =", ":", 1))),
        ("an open string", |line| {
            line.strip_suffix('"').map(str::to_owned)
        }),
        ("more after it", |line| Some(format!("{line} x"))),
        ("no quotation marks", |line| Some(line.replace('"', ""))),
    ];
    let lines: Vec<&str> = text.lines().collect();
    let mut broken = 0;
    for (at, line) in lines.iter().enumerate() {
        if !line.contains(" = ") || line.starts_with([' ', '[']) {
            continue;
        }
        for (slip, make) in slips {
            let Some(wrong) = make(line).filter(|wrong| wrong != line) else {
                continue;
            };
            let mut changed: Vec<&str> = lines.clone();
            changed[at] = &wrong;
            let changed = changed.join("\n");
            // "pid" and the like without quotation marks are several slips
            let Err(error) = Policy::parse(&changed, "p.toml") else {
                continue;
            };
            broken += 1;
            let told = error.diagnostics();
            let here = told.iter().all(|one| one.at.line == at + 1);
            assert!(told.len() == 1 && here, "{slip}: {error:#}\n{changed}");
        }
    }
    assert!(broken > 25, "{broken}");
}

#[test]
fn more_than_is_allowed_in_all_files_is_told_in_the_weaker_one() {
    let file = |name: &str, layer, text: String| PolicyFile {
        name: name.to_owned(),
        text,
        layer,
    };
    let both = |text: String, more: String| {
        let files = vec![
            file("main", Layer::Main, text),
            file("vendor", Layer::Vendor, more),
        ];
        Policy::from_files(files).map_err(|error| error.to_string())
    };
    let rules = |count: usize| "[[rule]]\nprofile='none'\n".repeat(count);
    assert!(both(rules(12_000), rules(8_000)).is_ok());
    assert_eq!(
        both(rules(12_000), rules(12_000)).unwrap_err(),
        "vendor:16001:1: more than 20000 rules in all files"
    );
    let profiles = |from: usize, to: usize| {
        let all = (from..to).map(|at| format!("[profile.p{at}]\n"));
        all.collect::<String>()
    };
    assert!(both(profiles(0, 600), profiles(500, 1_000)).is_ok());
    let told = both(profiles(0, 600), profiles(600, 1_200)).unwrap_err();
    assert!(
        told.ends_with("more than 1000 profiles in all files"),
        "{told}"
    );
}
