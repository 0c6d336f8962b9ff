//! `nsctl ranges`: overlaps are found, and what it gives a login uses.

use nsshell_tests::{Builder, Host, root_or_skip};

/// alice with ranges in files with this text, bob beside her.
fn with_ranges(subuid: &str, subgid: &str) -> Builder {
    Host::builder()
        .confined()
        .without_sshd()
        .user("alice")
        .user("bob")
        .file("/etc/subuid", 0o644, subuid)
        .file("/etc/subgid", 0o644, subgid)
}

/// The columns of `nsctl ranges` for one user.
fn row(host: &Host, user: &str) -> Vec<String> {
    let listed = host.run("nsctl ranges").text();
    let line = listed.lines().find(|line| line.starts_with(user));
    let line = line.unwrap_or_else(|| panic!("no {user} in {listed}"));
    line.split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn overlaps_and_ids_of_others_are_found_by_ranges_and_by_check() {
    root_or_skip!();
    let text = "alice:100000:65536\nbob:165535:65536\n";
    let host = with_ranges(text, "alice:100000:65536\nbob:165536:65536\n").start();
    for command in ["nsctl ranges", "nsctl check"] {
        let told = host.run(command).fails();
        let overlap = "/etc/subuid:2:1: the range of `bob` overlaps that of `alice`";
        assert!(told.contains(overlap), "{command}: {told}");
        assert!(
            told.contains("/etc/subuid:1:1: the range of `alice`"),
            "{told}"
        );
        assert!(told.contains(" 2 | bob:165535:65536\n"), "{told}");
        assert!(!told.contains("subgid"), "{told}");
    }
    let json = host.run("nsctl ranges --json");
    assert_eq!(json.code(), Some(1));
    let value = json.json("ranges");
    assert_eq!(value["found"][0]["severity"], "error");
    assert_eq!(value["found"][0]["line"], 2);
    assert_eq!(value["accounts"][0]["user"], "alice");
    assert_eq!(value["accounts"][0]["uids"][0]["start"], 100_000);

    // the remedy that it names mends it
    host.run("usermod --del-subuids 165535-231070 bob && nsctl ranges --allocate bob")
        .ok();
    assert_eq!(row(&host, "bob")[2], "165536-231071");
    host.run("nsctl check").ok();

    // an id of somebody else's in a range: alice could become bob
    host.run("echo alice:1001:1 >> /etc/subuid").ok();
    let told = host.run("nsctl check").fails();
    assert!(
        told.contains("`alice` contains uid 1001 of user `bob`"),
        "{told}"
    );
}

#[test]
fn who_has_no_range_gets_one_that_the_next_login_uses() {
    root_or_skip!();
    let host = with_ranges(
        "alice:100000:65536\n",
        "alice:100000:65536\nbob:300000:100\n",
    )
    .start();
    let map = |file: &str| {
        let cat = format!("cat /proc/self/{file}");
        let seen = host.argv(&["su", "bob", "-c", &cat]).output().ok();
        let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        seen.lines().map(line).collect::<Vec<_>>()
    };
    assert_eq!(row(&host, "bob")[1..], ["1001", "none", "300000-300099"]);
    assert_eq!(map("uid_map"), ["1001 1001 1"]);

    let before = host.run("cat /etc/subuid /etc/subgid").ok();
    let dry = host.run("nsctl ranges --allocate --all --dry-run").ok();
    assert_eq!(dry, "/usr/sbin/usermod --add-subuids 165536-231071 -- bob");
    assert_eq!(host.run("cat /etc/subuid /etc/subgid").ok(), before);

    // uids only: there are gids already
    let given = host.run("nsctl ranges --allocate --all").ok();
    assert_eq!(given, "bob: uids 165536-231071");
    let now = host.run("cat /etc/subuid").ok();
    assert_eq!(now, "alice:100000:65536\nbob:165536:65536");
    assert_eq!(
        map("uid_map"),
        ["0 165536 1001", "1001 1001 1", "1002 166537 64535"]
    );
    assert_eq!(map("gid_map"), ["0 300000 100", "1001 1001 1"]);

    // once is enough
    for again in ["--all", "bob"] {
        let told = host.run(&format!("nsctl ranges --allocate {again}"));
        assert!(told.success(), "{}", told.complaint());
        assert_eq!(told.text(), "");
    }
    assert_eq!(host.run("cat /etc/subuid").ok(), now);
}

#[test]
fn login_defs_says_which_ids_are_given_and_too_few_change_nothing() {
    root_or_skip!();
    let host = with_ranges("", "")
        .prepare("sed -i '/^SUB_/d' /etc/login.defs")
        .prepare(
            "printf 'SUB_UID_MIN 200000\\nSUB_UID_MAX 200019\\nSUB_UID_COUNT 10\\n' \
             >> /etc/login.defs",
        )
        .start();
    let given = host.run("nsctl ranges --allocate bob alice").ok();
    let given: Vec<_> = given.lines().collect();
    assert_eq!(
        given,
        [
            "alice: uids 200000-200009, gids 100000-165535",
            "bob: uids 200010-200019, gids 165536-231071"
        ]
    );
    host.run("useradd -K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0 carol")
        .ok();
    let before = host.run("cat /etc/subuid /etc/subgid").ok();
    let told = host.run("nsctl ranges --allocate carol").fails();
    assert!(
        told.contains("no 10 uids in a row are free from 200000 to 200019"),
        "{told}"
    );
    assert_eq!(host.run("cat /etc/subuid /etc/subgid").ok(), before);
}

#[test]
fn nothing_is_given_where_nobody_would_read_it_or_nobody_knows_what_is_free() {
    root_or_skip!();
    let host = with_ranges("alice:100000:65536\nbob:xyz:1\n", "").start();
    let told = host.run("nsctl ranges --allocate bob").fails();
    assert!(told.contains("/etc/subuid makes no sense"), "{told}");
    host.run("sed -i /xyz/d /etc/subuid; echo 'subid: sss' >> /etc/nsswitch.conf")
        .ok();
    let told = host.run("nsctl ranges --allocate bob").fails();
    assert!(
        told.contains("`subid: sss` in /etc/nsswitch.conf"),
        "{told}"
    );
    host.run("sed -i 's/^subid:.*/subid: files/' /etc/nsswitch.conf")
        .ok();
    let told = host.run("nsctl ranges --allocate no-such-user").fails();
    assert!(told.contains("no-such-user"), "{told}");
    // usermod's own reason is told
    host.run("mv /etc/subgid /etc/gone").ok();
    let told = host.run("nsctl ranges --allocate bob").fails();
    assert!(
        told.contains("/usr/sbin/usermod") && told.contains("subgid"),
        "{told}"
    );
    assert_eq!(host.run("cat /etc/subuid").ok(), "alice:100000:65536");
    host.run("mv /etc/gone /etc/subgid").ok();
    assert!(
        host.cmd("nsctl ranges --allocate bob")
            .user("alice")
            .output()
            .fails()
            .contains("root")
    );
    host.run("nsctl ranges --allocate bob").ok();
}
