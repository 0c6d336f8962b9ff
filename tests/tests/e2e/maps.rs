//! Id maps: as planned from the user's ranges, from wherever these come, or no session.

mod faults;

use nsshell_tests::{Builder, Host, root_or_skip};

use crate::attempt::{Way, attempt, confined};

/// Lines of uid_map or gid_map, one blank between the columns.
fn lines(map: &str) -> Vec<String> {
    map.lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// Both maps of a session of this user's, uid_map first.
#[track_caller]
fn maps(host: &Host, user: &str) -> [Vec<String>; 2] {
    ["uid_map", "gid_map"].map(|map| {
        let cat = format!("cat /proc/self/{map}");
        lines(&host.argv(&["su", user, "-c", &cat]).output().ok())
    })
}

#[track_caller]
fn assert_maps(host: &Host, user: &str, uid: &[&str], gid: &[&str]) {
    let [uid_map, gid_map] = maps(host, user);
    assert_eq!(uid_map, uid, "uid_map");
    assert_eq!(gid_map, gid, "gid_map");
}

/// A host with alice, whose subordinate ids are in files with this text.
fn with_ranges(subuid: &str, subgid: &str) -> Host {
    Host::builder()
        .confined()
        .without_sshd()
        .user("alice")
        .file("/etc/subuid", 0o644, subuid)
        .file("/etc/subgid", 0o644, subgid)
        .start()
}

/// Files that belong to each of these ids, named by it, in a directory where everybody may make
/// more.
fn with_files_of(host: Host, ids: &[u32]) -> Host {
    host.run("mkdir -m 1777 /srv/files").ok();
    for id in ids {
        host.run(&format!("cd /srv/files; touch {id}; chown {id}:{id} {id}"))
            .ok();
    }
    host
}

const SHOW: &str =
    "cd /srv/files && for file in $(ls | sort -n); do stat -c '%n=%u:%g' $file; done";

const OF_INTEREST: [u32; 9] = [
    0,
    1000,
    1001,
    100_000,
    100_999,
    101_000,
    165_535,
    165_536,
    4_294_967_294,
];

#[test]
fn a_kept_own_id_lies_amid_the_range_in_the_map_and_on_every_file() {
    root_or_skip!();
    let host = with_files_of(Host::confined(), &OF_INTEREST);
    let map = ["0 100000 1000", "1000 1000 1", "1001 101000 64536"];
    for file in ["uid_map", "gid_map"] {
        let seen = host.ssh("alice", &format!("cat /proc/self/{file}")).ok();
        assert_eq!(lines(&seen), map);
    }
    assert_eq!(host.ssh("alice", "id -u; id -g").ok(), "1000\n1000");
    let inside = "0=65534:65534 1000=1000:1000 1001=65534:65534 100000=0:0 100999=999:999 \
                  101000=1001:1001 165535=65536:65536 165536=65534:65534 4294967294=65534:65534";
    let seen = host.ssh("alice", SHOW).ok();
    assert_eq!(
        seen.split_whitespace().collect::<Vec<_>>().join(" "),
        inside
    );

    // The other way round: what is made inside, by the user and by others of the namespace.
    let mut session = host.session("alice");
    session
        .ask("touch /srv/files/own; sleep 1000 >/dev/null 2>&1 &")
        .ok();
    let enter = "nsenter --target $(pgrep -x sleep) --user --mount";
    host.run(&format!(
        "{enter} --setuid 0 --setgid 0 touch /srv/files/first"
    ))
    .ok();
    host.run(&format!(
        "{enter} --setuid 999 --setgid 2000 touch /srv/files/other"
    ))
    .ok();
    let outside = host
        .run("cd /srv/files; stat -c %u:%g own first other")
        .ok();
    assert_eq!(outside, "1000:1000\n100000:100000\n100999:101999");

    // On a host without sessions a file's owner is the same for everybody.
    let control = with_files_of(Host::unconfined(), &OF_INTEREST);
    assert_eq!(control.ssh("alice", SHOW).ok(), control.run(SHOW).ok());
}

#[test]
fn with_id_map_root_the_user_is_root_over_the_range_and_nothing_else() {
    root_or_skip!();
    let host = Host::builder()
        .confined()
        .policy("[profile.standard]\nid_map = \"root\"\n")
        .user("alice")
        .user("bob")
        .start();
    let host = with_files_of(host, &OF_INTEREST);
    let map = ["0 1000 1", "1 100000 65536"];
    assert_maps(&host, "alice", &map, &map);
    assert_eq!(host.ssh("alice", "id -u; id -g").ok(), "0\n0");
    let inside = "0=65534:65534 1000=0:0 1001=65534:65534 100000=1:1 100999=1000:1000 \
                  101000=1001:1001 165535=65536:65536 165536=65534:65534 4294967294=65534:65534";
    let seen = host.ssh("alice", SHOW).ok();
    assert_eq!(
        seen.split_whitespace().collect::<Vec<_>>().join(" "),
        inside
    );
    host.ssh("alice", "cd /srv/files; touch own given; chown 5:7 given")
        .ok();
    let outside = host.run("cd /srv/files; stat -c %u:%g own given").ok();
    assert_eq!(outside, "1000:1000\n100004:100006");
    for beyond in [
        "chown 0:0 1001",
        "chown 65537 own",
        "touch 0",
        "rm 0",
        "cat /etc/shadow",
    ] {
        host.ssh("alice", &format!("cd /srv/files; {beyond}"))
            .fails();
    }
}

#[test]
fn several_ranges_follow_each_other_and_uids_and_gids_are_apart() {
    root_or_skip!();
    let host = Host::builder()
        .confined()
        .without_sshd()
        .user_with("alice", |alice| {
            alice.subordinate_apart(&[(300_000, 600), (100_000, 600)], &[(500_000, 50)])
        })
        .start();
    assert_maps(
        &host,
        "alice",
        &[
            "0 300000 600",
            "600 100000 400",
            "1000 1000 1",
            "1001 100400 200",
        ],
        &["0 500000 50", "1000 1000 1"],
    );
}

#[test]
fn ranges_by_name_and_by_uid_count_once_each() {
    root_or_skip!();
    let text = "bob:900000:65536\n1000:200000:100\nalice:100000:500\n1000:100000:500\n10000:1:1\n";
    let host = with_ranges(text, "1000:100000:2000\n");
    assert_maps(
        &host,
        "alice",
        &["0 200000 100", "100 100000 500", "1000 1000 1"],
        &["0 100000 1000", "1000 1000 1", "1001 101000 1000"],
    );
}

#[test]
fn ranges_that_overlap_each_other_or_the_own_id_are_merged() {
    root_or_skip!();
    let host = with_ranges(
        "alice:100000:400\nalice:100200:400\nalice:99900:800\nalice:100000:1\n",
        // The user's own group amid the range.
        "alice:990:20\n",
    );
    assert_maps(
        &host,
        "alice",
        &[
            "0 100000 400",
            "400 100400 200",
            "600 99900 100",
            "700 100600 100",
            "1000 1000 1",
        ],
        &["0 990 10", "10 1001 9", "1000 1000 1"],
    );
}

#[test]
fn a_user_without_a_range_has_the_own_id_alone() {
    root_or_skip!();
    let host = Host::builder()
        .confined()
        .user_with("alice", |alice| alice.subordinate(&[]))
        .start();
    let host = with_files_of(host, &[0, 1000, 100_000]);
    assert_maps(&host, "alice", &["1000 1000 1"], &["1000 1000 1"]);
    let seen = host
        .ssh(
            "alice",
            &format!("{SHOW}; touch own; cat /proc/self/setgroups"),
        )
        .ok();
    assert_eq!(
        seen,
        "0=65534:65534\n1000=1000:1000\n100000=65534:65534\ndeny"
    );
    assert_eq!(host.run("stat -c %u:%g /srv/files/own").ok(), "1000:1000");
}

#[test]
fn an_account_with_the_last_uid_has_its_session() {
    root_or_skip!();
    let host = Host::builder()
        .confined()
        .user_with("alice", |alice| alice.uid(4_294_967_294))
        .start();
    let map = ["0 100000 65536", "4294967294 4294967294 1"];
    assert_maps(&host, "alice", &map, &map);
    let seen = host
        .ssh(
            "alice",
            "id -u; id -g; touch made; stat -c %u:%g made /tmp/..",
        )
        .ok();
    assert_eq!(
        seen,
        "4294967294\n4294967294\n4294967294:4294967294\n65534:65534"
    );
    assert_eq!(
        host.run("stat -c %u:%g /home/alice/made").ok(),
        "4294967294:4294967294"
    );
}

/// A host with the sources of `apps/nss_testhost.c` and dora, an account that is in no file of
/// /etc.
fn with_dora(builder: Builder) -> Host {
    builder
        .confined()
        .user("alice")
        .file(
            "/root/nss.c",
            0o644,
            include_str!("../../apps/nss_testhost.c"),
        )
        .prepare("cc -shared -fPIC -o /root/nss.so /root/nss.c")
        // Where the loader looks without being told: beside the C library.
        .prepare(
            "cd $(dirname $(ldd /bin/sh | sed -n 's/.* => \\(.*libc.so[^ ]*\\) .*/\\1/p'))
            cp /root/nss.so libnss_testhost.so.2; cp /root/nss.so libsubid_testhost.so",
        )
        .prepare("sed -i 's/^\\(passwd\\|group\\):.*/& testhost/' /etc/nsswitch.conf")
        .file(
            "/etc/testhost/passwd",
            0o644,
            "dora:*:5000:5000::/home/dora:/usr/bin/nsshell\n",
        )
        .file("/etc/testhost/group", 0o644, "dora:x:5000:\nfar:x:6000:\n")
        .file(
            "/etc/testhost/subuid",
            0o644,
            "dora:800000:100\nalice:810000:100\n",
        )
        .file(
            "/etc/testhost/subgid",
            0o644,
            "dora:900000:50\nalice:910000:50\n",
        )
        .file(
            "/etc/subuid",
            0o644,
            "dora:700000:65536\nalice:100000:65536\n",
        )
        .file(
            "/etc/subgid",
            0o644,
            "5000:700000:65536\nalice:100000:65536\n",
        )
        .prepare("install -d -o 5000 -g 5000 /home/dora")
        .start()
}

#[test]
fn a_user_whom_only_the_name_service_knows_has_a_session() {
    root_or_skip!();
    let host = with_dora(Host::builder());
    host.run("grep dora /etc/passwd").fails();
    let map = ["0 700000 5000", "5000 5000 1", "5001 705000 60536"];
    assert_maps(&host, "dora", &map, &map);
    let seen = host
        .ssh("dora", "id -un; id -u; id -gn; pwd; touch made")
        .ok();
    assert_eq!(seen, "dora\n5000\ndora\n/home/dora");
    assert_eq!(host.run("stat -c %U:%G /home/dora/made").ok(), "dora:dora");
    host.run("mv /etc/testhost/passwd /etc/testhost/gone").ok();
    host.ssh("dora", "true").fails();
}

#[test]
fn subordinate_ids_come_from_the_name_service_where_it_is_said_to_have_them() {
    root_or_skip!();
    let host = with_dora(Host::builder().without_sshd());
    host.run("echo 'subid: testhost' >> /etc/nsswitch.conf")
        .ok();
    assert_maps(
        &host,
        "dora",
        &["0 800000 100", "5000 5000 1"],
        &["0 900000 50", "5000 5000 1"],
    );
    let alices = maps(&host, "alice");
    assert_eq!(alices[0], ["0 810000 100", "1000 1000 1"]);
    host.run("sed -i s/^alice/nobody/ /etc/testhost/sub*").ok();
    assert_eq!(maps(&host, "alice")[0], ["1000 1000 1"]);
    host.run("sed -i 's/^subid:.*/subid: files/' /etc/nsswitch.conf")
        .ok();
    let files = ["0 100000 1000", "1000 1000 1", "1001 101000 64536"];
    assert_maps(&host, "alice", &files, &files);
}

#[test]
fn without_a_user_namespace_nobody_asks_for_ranges() {
    root_or_skip!();
    let host = Host::builder()
        .confined()
        .policy("[profile.standard]\nnamespaces = [\"mount\", \"pid\"]\n")
        .without_sshd()
        .user("alice")
        .file("/etc/subuid", 0o644, "alice:0:1\n")
        .prepare("rm /usr/bin/newuidmap /usr/bin/newgidmap")
        .start();
    confined(&host, Way::Su);
    let whole = ["0 0 4294967295"];
    assert_maps(&host, "alice", &whole, &whole);
    assert!(attempt(&host, Way::Sudo).output.success());
}

#[test]
fn g6_a_rule_by_group_refuses_when_the_source_of_groups_does_not_answer() {
    root_or_skip!();
    let by_group = "default = 'none'\n[[rule]]\nusers = ['@far']\nprofile = 'standard'\n";
    let host = with_dora(Host::builder().without_sshd().policy(by_group));
    let login = || host.run("su alice -c 'echo $NSSHELL_SESSION'");
    assert_eq!(login().ok(), "none");
    host.run("mv /etc/testhost/group /etc/testhost/gone").ok();
    login().fails();
    host.wait_for_log("a source of groups in /etc/nsswitch.conf does not answer");
    // Somebody has to mend it.
    host.run("su - root -c true").ok();
}
