//! The hostile user's suite (G7): every path that a privileged step touches and that a user can
//! change, against everything that the user can put there. Whatever it is, the login is refused
//! with a reason or is as planned: nothing is followed, nothing blocks, and nothing of root's is
//! changed, covered or shown.

mod attacks;
mod daemons;
mod names;
mod paths;
mod races;
mod siege;

use std::io::Write as _;

use nsshell_tests::root_or_skip;

use attacks::ATTACKS;
use paths::PATHS;
use siege::{Outcome, Siege, probe_naively};

#[test]
fn g7_whatever_a_user_puts_at_a_path_of_the_policy_root_follows_it_nowhere() {
    root_or_skip!();
    let siege = Siege::start();
    let mut table = vec![format!(
        "{:<22} {:<26} {:<10} pam_namespace (for comparison)",
        "path", "what is there", "nsshell"
    )];
    let mut faults = Vec::new();
    for path in PATHS {
        siege.set_policy(path.policy);
        for attack in ATTACKS.iter().filter(|attack| path.can_be(attack)) {
            let what = format!("{} is {}", path.name, attack.name);
            let seen = siege.attempt(attack);
            faults.extend(seen.harm().map(|harm| format!("{what}: {harm}")));
            match (attack.harmless, path.always_refused, &seen.outcome) {
                (true, false, Outcome::Refused(line)) => {
                    faults.push(format!("{what}, but is refused: {line}"));
                }
                (_, true, Outcome::In(_)) => faults.push(format!("{what}, and is not refused")),
                (_, _, Outcome::Refused(line)) if !line.contains("refused: ") => {
                    faults.push(format!("{what}: without a reason in the log: {line}"));
                }
                _ => {}
            }
            let peer = path
                .peer
                .map_or("", |line| siege.attempt_with_pam_namespace(attack, line));
            let outcome = seen.outcome.word();
            table.push(format!(
                "{:<22} {:<26} {outcome:<10} {peer}",
                path.name, attack.name
            ));
        }
    }
    // The table is what this test is read for, so it is printed past the harness's capture.
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "{}", table.join("\n"));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_suite_notices_a_program_that_follows_what_a_user_has_put_there() {
    root_or_skip!();
    let siege = Siege::start();
    // What a script of root's does, without any of nsshell's care.
    for (attack, notice) in [
        ("a link", "shows root's secret"),
        ("a link on the way", "shows root's secret"),
    ] {
        let attack = ATTACKS.iter().find(|one| one.name == attack).unwrap();
        assert_eq!(probe_naively(&siege, attack), notice, "{}", attack.name);
    }
}
