//! Maps that must not or cannot be made: no session (G6).

use std::time::Duration;

use nsshell_tests::{Host, root_or_skip};

use super::{maps, with_ranges};
use crate::attempt::{Fault, WAYS, Way, confined, refused};

#[test]
fn g6_ranges_that_must_not_be_mapped_refuse_the_session() {
    root_or_skip!();
    let host = with_ranges("alice:100000:65536\n", "alice:100000:65536\n");
    for (line, reason) in [
        (
            "alice:0:65536",
            "contains id 0 and would give away the host's root",
        ),
        ("alice:4294967290:10", "goes past the last id, 4294967294"),
        (
            "alice:4294967295:1",
            "contains id 4294967295, which means no id at all",
        ),
        (
            "alice:4294967290:6",
            "contains id 4294967295, which means no id at all",
        ),
        ("alice:4294967296:1", ""),
        (
            "alice:100000:4294967295",
            "goes past the last id, 4294967294",
        ),
        ("alice:100000:0", "has no id in it (count 0)"),
        ("alice:100000", "is malformed"),
        ("alice:many:100", "is malformed"),
        ("alice:-1:100", "is malformed"),
        (
            "1000:0:1",
            "contains id 0 and would give away the host's root",
        ),
    ] {
        for file in ["/etc/subuid", "/etc/subgid"] {
            host.run(&format!("cp {file} /root/good; echo {line} >> {file}"))
                .ok();
            let place = format!("{file}, line 2: range `{line}`");
            refused(&host, Way::Su, &[&place, reason, "; correct or remove it"]);
            host.run(&format!("cat /root/good > {file}")).ok();
            // Somebody else's mistake is nobody else's.
            host.run(&format!("echo {line} | sed s/^[^:]*/bob/ >> {file}"))
                .ok();
            confined(&host, Way::Su);
            host.run(&format!("cat /root/good > {file}")).ok();
        }
    }
}

#[test]
fn g6_a_user_without_a_range_is_refused_if_the_profile_requires_one() {
    root_or_skip!();
    let host = Host::builder()
        .confined()
        .policy("[profile.standard]\nranges = \"required\"\n")
        .user("alice")
        .start();
    let fault = |file, reason| Fault {
        cause: file,
        reason,
        mend: "cat /root/subuid > /etc/subuid; cat /root/subgid > /etc/subgid",
    };
    host.run("cp /etc/subuid /etc/subgid /root").ok();
    for way in WAYS {
        fault(
            ": > /etc/subuid",
            &["no subordinate uids; give some with `nsctl ranges --allocate"],
        )
        .refuses(&host, way);
    }
    fault(
        ": > /etc/subgid",
        &["no subordinate gids; give some with `nsctl ranges --allocate"],
    )
    .refuses(&host, Way::Su);
    // The remedy is one.
    host.run(": > /etc/subuid; usermod --add-subuids 300000-300009 alice")
        .ok();
    assert_eq!(maps(&host, "alice")[0], ["0 300000 10", "1000 1000 1"]);
}

/// As many ranges of one id as there are numbers, with gaps between them.
fn single_ids(count: u32) -> String {
    (0..count)
        .map(|at| format!("alice:{}:1\n", 2000 + 2 * at))
        .collect()
}

#[test]
fn a_map_has_as_many_lines_as_the_kernel_takes_and_no_more() {
    root_or_skip!();
    // With the line of the own id 340.
    let host = with_ranges(&single_ids(339), &single_ids(1));
    let [uid_map, _] = maps(&host, "alice");
    assert_eq!(uid_map.len(), 340);
    assert_eq!(uid_map[338..], ["338 2676 1", "1000 1000 1"]);
    let add = |file: &str| host.run(&format!("echo alice:5000:1 >> {file}")).ok();
    add("/etc/subuid");
    let reason = "the uid map would need more than the kernel's 340 lines or 4095 bytes; give \
                  the user fewer and larger ranges in /etc/subuid";
    refused(&host, Way::Su, &[reason]);
    host.run("sed -i '$d' /etc/subuid").ok();
    confined(&host, Way::Su);
}

#[test]
fn g6_a_map_that_is_too_long_as_text_refuses_the_session() {
    root_or_skip!();
    // Few enough lines, but with more digits than fit a page, which is all that the kernel takes.
    let long: String = (0..300)
        .map(|at| format!("alice:{}:1\n", 3_000_000_000u32 + 2 * at))
        .collect();
    let host = with_ranges(&long, &single_ids(1));
    refused(
        &host,
        Way::Su,
        &["the uid map would need more than", "or 4095 bytes; give"],
    );
    host.run("sed -i 11,\\$d /etc/subuid").ok();
    assert_eq!(maps(&host, "alice")[0].len(), 11);
}

const GETSUBIDS: [Fault; 3] = [
    Fault {
        cause: "mv /usr/bin/getsubids /root",
        reason: &["/usr/bin/getsubids is missing; nsswitch.conf has a line `subid:`, so install"],
        mend: "mv /root/getsubids /usr/bin",
    },
    Fault {
        cause: "mv /usr/bin/getsubids /root
            printf '#!/bin/sh\necho the directory is down >&2; exit 3' > /usr/bin/getsubids
            chmod 755 /usr/bin/getsubids",
        reason: &["/usr/bin/getsubids failed with exit status 3: the directory is down"],
        mend: "mv /root/getsubids /usr/bin",
    },
    Fault {
        cause: "mv /usr/bin/getsubids /root
            printf '#!/bin/sh\nexec sleep 1000' > /usr/bin/getsubids; chmod 755 /usr/bin/getsubids",
        reason: &["/usr/bin/getsubids did not finish within 10 s and was ended"],
        mend: "mv /root/getsubids /usr/bin",
    },
];

#[test]
fn g6_a_getsubids_that_is_missing_fails_or_hangs_refuses_the_session() {
    root_or_skip!();
    let host = with_ranges("alice:100000:65536\n", "alice:100000:65536\n");
    host.run("echo 'subid: files' >> /etc/nsswitch.conf").ok();
    for fault in GETSUBIDS {
        let attempt = fault.refuses(&host, Way::Su);
        assert!(attempt.took < Duration::from_secs(15), "{attempt:?}");
    }
}

/// A host where sessions have two seconds to be made.
fn impatient() -> Host {
    Host::builder()
        .confined()
        .policy("[profile.standard]\ntimeout = 2\n")
        .user("alice")
        .start()
}

/// Lines of shell that put a script in place of one of shadow's programs.
fn replaced(program: &str, script: &str) -> String {
    format!(
        "mv /usr/bin/{program} /usr/bin/{program}.real
        printf '#!/bin/sh\n{script}\n' > /usr/bin/{program}; chmod 755 /usr/bin/{program}"
    )
}

#[test]
fn g6_a_newuidmap_that_is_missing_fails_hangs_or_lies_refuses_the_session() {
    root_or_skip!();
    let host = impatient();
    for program in ["newuidmap", "newgidmap"] {
        let faults = [
            (
                format!("mv /usr/bin/{program} /usr/bin/{program}.real"),
                format!("/usr/bin/{program} is missing; install the package uidmap (Debian)"),
            ),
            (
                replaced(program, "echo first; echo it is out of ids >&2; exit 1"),
                format!("/usr/bin/{program} failed with exit status 1: it is out of ids"),
            ),
            (
                replaced(program, "kill -SEGV $$"),
                format!("/usr/bin/{program} failed with signal 11"),
            ),
            (
                replaced(program, "trap \"\" TERM HUP INT; exec sleep 1000"),
                format!("/usr/bin/{program} did not finish within 2 s and was ended"),
            ),
            (
                // It never closes its output, and never stops to write.
                replaced(program, "exec yes"),
                format!("/usr/bin/{program} "),
            ),
            (
                replaced(program, "exit 0"),
                "map of the session's user namespace is not as planned".to_owned(),
            ),
            (
                replaced(
                    program,
                    &format!("exec /usr/bin/{program}.real $1 0 1000 1"),
                ),
                "map of the session's user namespace is not as planned".to_owned(),
            ),
            (
                format!("mv /usr/bin/{program} /usr/bin/{program}.real; mkdir /usr/bin/{program}"),
                format!(
                    "/usr/bin/{program} failed with exit status 126: cannot execute it: Permission denied"
                ),
            ),
        ];
        for (cause, reason) in faults {
            confined(&host, Way::Su);
            let before = host.census();
            host.run(&cause).ok();
            let attempt = refused(&host, Way::Su, &[&reason]);
            assert!(attempt.took < Duration::from_secs(4), "{attempt:?}");
            let mend =
                format!("rm -rf /usr/bin/{program}; mv /usr/bin/{program}.real /usr/bin/{program}");
            host.run(&mend).ok();
            host.wait_for_nothing_left(&before);
        }
    }
    confined(&host, Way::Su);
}

#[test]
fn g6_a_newuidmap_that_hangs_lets_nobody_in_by_any_way() {
    root_or_skip!();
    let host = impatient();
    let fault = Fault {
        cause: "mv /usr/bin/newuidmap /root
            printf '#!/bin/sh\nexec sleep 1000\n' > /usr/bin/newuidmap; chmod 755 /usr/bin/newuidmap",
        reason: &["/usr/bin/newuidmap did not finish within 2 s and was ended"],
        mend: "mv /root/newuidmap /usr/bin",
    };
    for way in WAYS {
        let attempt = fault.refuses(&host, way);
        assert!(attempt.took < Duration::from_secs(5), "{attempt:?}");
    }
}
