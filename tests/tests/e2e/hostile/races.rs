//! Links that change while 2,000 logins run.

use std::io::Write as _;

use nsshell_tests::root_or_skip;

use super::attacks::ATTACKS;
use super::siege::Siege;

/// Logins for each of the pairs below; 2,000 in all.
const COUNT: usize = 250;

#[test]
fn g7_links_that_are_swapped_while_2000_logins_run_bring_root_nowhere() {
    root_or_skip!();
    let siege = Siege::start();
    let policies = [
        ("private", "private = ['/home/alice/a/b']"),
        (
            "bind's source",
            "binds = [{ source = '{home}/a/b', target = '/mnt' }]",
        ),
        (
            "bind's target",
            "binds = [{ source = '/srv/data', target = '{home}/a/b' }]",
        ),
        (
            "instance's target",
            "private = [{ path = '{home}/a/b', instance = '/srv/instances/{user}' }]",
        ),
    ];
    let names = ["swapped with a link", "on a way that is swapped"];
    let mut told = Vec::new();
    for (name, policy) in policies {
        siege.set_policy(policy);
        for attack in ATTACKS.iter().filter(|attack| names.contains(&attack.name)) {
            let (came_in, refused) = siege.many(attack, COUNT);
            told.push(format!(
                "{name}, {}: {came_in} as planned, {refused} refused",
                attack.name
            ));
            // Both happen, or nothing was swapped in time.
            assert!(came_in > 0 && refused > 0, "{told:?}");
        }
    }
    // For comparison; what another module does is not ours to judge.
    for attack in ATTACKS.iter().filter(|attack| names.contains(&attack.name)) {
        let line = "/home/alice/a/b tmpfs tmpfs root";
        let (came_in, harmed) = siege.many_by_peer(attack, line, COUNT);
        told.push(format!(
            "pam_namespace, private, {}: {came_in} came in, {harmed} of them to what is root's",
            attack.name
        ));
    }
    let _ = writeln!(std::io::stderr().lock(), "{}", told.join("\n"));
}
