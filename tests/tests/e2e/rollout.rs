//! A policy that is being brought in: observed, exempt, unconfined on failure, changed while
//! logins run, put together from parts.

mod change;
mod observed;

use nsshell_tests::{Builder, Host, root_or_skip};

use crate::attempt::{Attempt, WAYS, attempt};

/// A policy under which nobody of these users can have a session: no range of subordinate ids.
fn refusing(policy: &str) -> Builder {
    Host::builder()
        .confined()
        .policy(policy)
        .user_with("alice", |user| user.subordinate(&[]))
        .user_with("bob", |user| user.subordinate(&[]))
}

const REASON: &str = "nsctl ranges --allocate alice";

/// Where the host's own commands run.
fn outside(host: &Host) -> String {
    host.run("readlink /proc/self/ns/mnt").ok()
}

fn assert_spared(host: &Host, attempt: &Attempt, why: &str) {
    assert_eq!(
        attempt.ran_in.as_deref(),
        Some(outside(host).as_str()),
        "{attempt:?}"
    );
    let told: Vec<_> = attempt
        .lines
        .iter()
        .filter(|line| line.contains(REASON))
        .collect();
    assert_eq!(told.len(), 1, "one line: {attempt:?}");
    assert!(
        told[0].contains("left unconfined") && told[0].contains(why),
        "{told:?}"
    );
}

#[test]
fn under_observation_everybody_logs_in_and_the_log_has_one_line_each_with_reason_and_remedy() {
    root_or_skip!();
    let host = refusing("[profile.standard]\nranges = 'required'\nmode = 'observe'\n").start();
    for way in WAYS {
        assert_spared(
            &host,
            &attempt(&host, way),
            "as mode = \"observe\" says; it would have been refused",
        );
    }
    // The same policy, enforced, refuses all of them.
    let enforced = refusing("[profile.standard]\nranges = 'required'\n").start();
    for way in WAYS {
        let refused = attempt(&enforced, way);
        assert_eq!(refused.ran_in, None, "{refused:?}");
    }
}

#[test]
fn what_is_observed_without_fault_leaves_no_line_and_no_session() {
    root_or_skip!();
    let host = Host::builder()
        .confined()
        .policy("[profile.standard]\nmode = 'observe'\n")
        .user("alice")
        .start();
    let before = host.census();
    for way in WAYS {
        let seen = attempt(&host, way);
        assert_eq!(
            seen.ran_in.as_deref(),
            Some(outside(&host).as_str()),
            "{seen:?}"
        );
        assert_eq!(seen.lines, Vec::<String>::new());
    }
    host.wait_for_nothing_left(&before);
}

#[test]
fn g6_a_login_goes_on_unconfined_after_a_failure_only_where_the_policy_says_so() {
    root_or_skip!();
    let policy = "[profile.standard]\non_failure = 'unconfined'\n";
    let host = Host::builder()
        .confined()
        .policy(policy)
        .user("alice")
        .start();
    // It is confined while it can be.
    let confined = attempt(&host, WAYS[0]);
    assert_ne!(
        confined.ran_in.as_deref(),
        Some(outside(&host).as_str()),
        "{confined:?}"
    );
    host.run("rm /usr/bin/newuidmap").ok();
    for _ in 0..2 {
        // Each time anew, not only the first.
        let spared = attempt(&host, WAYS[0]);
        assert_eq!(
            spared.ran_in.as_deref(),
            Some(outside(&host).as_str()),
            "{spared:?}"
        );
        assert!(
            spared.lines[0].contains("as on_failure = \"unconfined\" says"),
            "{spared:?}"
        );
        assert!(spared.lines[0].contains("uidmap"), "{spared:?}");
    }
    let denied = Host::confined();
    denied.run("rm /usr/bin/newuidmap").ok();
    assert_eq!(attempt(&denied, WAYS[0]).ran_in, None);
}

#[test]
fn a_member_of_an_exempt_group_is_never_refused_and_nobody_else_is_spared() {
    root_or_skip!();
    let policy = "exempt = ['@staff']\n[profile.standard]\nranges = 'required'\n";
    let host = refusing(policy).prepare("usermod -aG staff alice").start();
    for way in WAYS {
        assert_spared(&host, &attempt(&host, way), "as the user is exempt");
    }
    host.ssh("bob", "true").fails();
}

#[test]
fn a_part_in_conf_d_is_stronger_than_the_file_and_the_file_than_a_package_s_part() {
    root_or_skip!();
    let name = |of: &str| format!("[profile.standard]\nhostname = '{of}'\n");
    let host = Host::builder()
        .confined()
        .user("alice")
        .file("/usr/lib/nsshell/vendor.toml", 0o644, &name("vendor"))
        .start();
    let hostname = || host.ssh("alice", "hostname").ok();
    assert_eq!(hostname(), "vendor");
    let put = |path: &str, of: &str| {
        host.cmd(&format!("mkdir -p $(dirname {path}) && cat > {path}"))
            .stdin(name(of))
            .output()
            .ok();
    };
    put("/etc/nsshell/nsshell.toml", "main");
    assert_eq!(hostname(), "main");
    put("/etc/nsshell/conf.d/20.toml", "twenty");
    assert_eq!(hostname(), "twenty");
    put("/etc/nsshell/conf.d/10.toml", "ten");
    assert_eq!(hostname(), "ten");
    // What others could write refuses the whole policy.
    host.run("chmod 666 /etc/nsshell/conf.d/20.toml").ok();
    host.ssh("alice", "true").fails();
    host.wait_for_log("/etc/nsshell/conf.d/20.toml can be written by others");
}
