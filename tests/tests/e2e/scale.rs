//! A host of 50,000 accounts under a policy of 10,000 rules: what the rules cost a login, and how
//! long a question about everybody takes. `make scale` measures it; here are bounds that hold on
//! a busy machine, and on a slow one: processor time, compared with that of no rules on the same
//! host.

use std::time::Duration;

use nsshell_tests::{Host, root_or_skip};

const LARGE_HOST: &str = include_str!("../../bench/large_host.sh");

/// Everybody's plan changes, and each into another one.
const OWN: &str = "[profile.standard]\nhostname = '{user}-x'\nexpose = ['dbus-session']\n\
                   private = [{ path = '/tmp', instance = '/var/lib/nsshell/tmp/{user}' }]\n";

fn large() -> Host {
    Host::builder()
        .confined()
        .without_sshd()
        .user("alice")
        .file("/usr/local/sbin/large_host", 0o755, LARGE_HOST)
        .file("/etc/nsshell/own.toml", 0o644, OWN)
        .prepare("printf '%s: files\\n' passwd group shadow > /etc/nsswitch.conf")
        .prepare("/usr/local/sbin/large_host 50000 10000")
        .start()
}

/// Seconds of processor time that so many runs of a line take, with all that they wait for.
fn processor_time(host: &Host, runs: u32, line: &str) -> f64 {
    let told = host
        .argv(&[
            "bash",
            "-c",
            &format!("for i in $(seq {runs}); do {line}; done >/dev/null 2>/tmp/err; times"),
        ])
        .limit(Duration::from_secs(300))
        .output()
        .ok();
    let children = told.lines().last().unwrap();
    let seconds = |time: &str| -> f64 {
        let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
        minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
    };
    children.split(' ').map(seconds).sum()
}

/// The least of several tries each, in turn: what else the machine does adds to both.
fn least(host: &Host, of: [&str; 2]) -> [f64; 2] {
    let mut least = [f64::MAX; 2];
    for _ in 0..4 {
        for (least, line) in least.iter_mut().zip(of) {
            *least = processor_time(host, 5, line).min(*least);
        }
    }
    least
}

#[test]
fn ten_thousand_rules_and_fifty_thousand_accounts_cost_a_login_little_and_nsctl_seconds() {
    root_or_skip!();
    let host = large();
    let [none, rules] = least(
        &host,
        [
            "nsctl explain alice --config /etc/nsshell/none.toml",
            "nsctl explain alice --config /etc/nsshell/rules.toml",
        ],
    );
    host.run("nsctl explain alice --config /etc/nsshell/rules.toml")
        .ok();
    // 1.6 times on an idle machine; naming each group by a reading of its own takes 4 times
    assert!(rules < none * 3.0, "explain: {none} {rules}");

    let login = |policy: &str| {
        format!("cp /etc/nsshell/{policy}.toml /etc/nsshell/nsshell.toml; su alice -c true")
    };
    let [none, rules] = least(&host, [&login("none"), &login("rules")]);
    host.run("su alice -c true").ok();
    assert!(rules < none * 3.0, "login: {none} {rules}");

    // What is asked about everybody: ten thousand rules tried for each of fifty thousand accounts,
    // or a line about each of them, take a few times what no rules and no lines take.
    let check = |policy: &str| format!("nsctl check --users /etc/nsshell/{policy}.toml");
    let diff = |policy: &str| {
        format!("nsctl explain --config /etc/nsshell/none.toml --diff /etc/nsshell/{policy}.toml")
    };
    for (few, many, says) in [
        (check("none"), check("rules"), "no users would be refused"),
        (check("none"), check("refuse"), "is longer than 64 bytes"),
        (diff("none"), diff("rules"), "accounts: nothing changes"),
        (
            diff("none"),
            diff("own"),
            "    host name none -> {user}-x\n",
        ),
    ] {
        let few = processor_time(&host, 1, &few);
        let took = processor_time(&host, 1, &many);
        assert!(took < few * 10.0, "{many}: {took} s; with no rules {few} s");
        let told = host.cmd(&many).limit(Duration::from_secs(120)).output();
        let told = format!("{}{}", told.text(), told.complaint());
        assert!(
            told.contains(says),
            "{many}: {}",
            &told[..told.len().min(2000)]
        );
        // who has the same change stands together, however many they are
        let groups = told.lines().filter(|line| !line.starts_with(' ')).count();
        assert!(groups < 100 || many.contains("check"), "{many}");
    }
}
