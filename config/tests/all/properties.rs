//! What holds for every policy, every login and every name, shown for many that are thrown by
//! dice. The dice fall alike in each run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
use crate::common::dice::{Dice, Groups};
use crate::common::{account, login};
use nsshell_config::{
    Error, Everybody, Layer, Login, LoginPolicy, Plan, Policy, PolicyFile, Range, resolve,
};

const USERS: &[&str] = &[
    "alice", "bob", "a*", "?ob", "root", "web-1", "@staff", "@wheel", "@s*",
];
const SERVICES: &[&str] = &["sshd", "login", "systemd-user", "su*"];
const HOSTS: &[&str] = &["192.0.2.0/24", "*.example.org", "mill", "::/0", "192.0.2.7"];
const PROFILES: &[&str] = &["none", "standard", "a", "b", "lab", "kiosk", "sftp-only"];
const VIEWS: &[&str] = &[
    "",
    "home = \"ephemeral\"\nhide_homes = [\"/home\"]\n",
    "binds = [\"/srv/{group}\", { source = \"/opt\", target = \"{home}/opt\" }]\n",
    "masked = [\"/boot\", \"/usr\"]\nread_only = [\"/\"]\n",
    "dev = \"minimal\"\nexpose = [\"x11\", \"{home}/socket\"]\n",
    "root = \"/srv/jail\"\ncommand = [\"/bin/ls\"]\npass_environment = [\"TMOUT\"]\n",
];

fn random_policy(dice: &Dice) -> String {
    let mut text = String::new();
    if dice.chance(3) {
        text += &format!("default = \"{}\"\n", dice.of(PROFILES));
    }
    for _ in 0..dice.below(6) {
        text += "[[rule]]\n";
        let lists = [
            ("users", USERS),
            ("services", SERVICES),
            ("hosts", HOSTS),
            ("ttys", &["tty1", "pts/*", "ssh"]),
            ("uids", &["1000", "1-1999", "65534"]),
        ];
        for (key, among) in lists {
            if dice.chance(3) {
                text += &crate::common::dice::list(dice, key, among);
            }
        }
        text += &format!("profile = \"{}\"\n", dice.of(PROFILES));
    }
    text += "[profile.a]\n";
    text += dice.of(&["", "extends = [\"b\"]\n", "extends = [\"standard\"]\n"]);
    text += dice.of(&["", "id_map = \"root\"\n", "ranges = \"required\"\n"]);
    text += dice.of(&[
        "",
        "private = [\"/srv/{user}\"]\n",
        "hostname = \"{user}-{hostname}\"\n",
    ]);
    text += dice.of(VIEWS);
    text += "[profile.b]\n";
    text += dice.of(VIEWS);
    text += dice.of(&[
        "",
        "namespaces = [\"mount\"]\n",
        "namespaces = [\"mount\", \"uts\"]\n",
    ]);
    text
}

fn shown(plan: Result<Plan, Error>) -> String {
    match plan {
        Ok(plan) => serde_json::to_string(&plan).unwrap(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_login_gets_one_answer_and_always_the_same() {
    let dice = Dice::new();
    let (mut valid, mut planned, mut refused) = (0, 0, 0);
    for _ in 0..3_000 {
        let text = random_policy(&dice);
        let file = PolicyFile {
            name: "p".to_owned(),
            text: text.clone(),
            layer: Layer::Main,
        };
        let policy = match Policy::parse(&text, "p") {
            Ok(policy) => policy,
            Err(error) => {
                let (login, who) = (login("sshd"), account("alice", 1000));
                let host = Groups::default();
                let own = LoginPolicy::from_files(vec![file], &login, &who, &host, 2);
                let own = own.err().map(|error| error.to_string());
                assert_eq!(own, Some(error.to_string()), "{text}");
                continue;
            }
        };
        let again = Policy::parse(&text, "p").unwrap();
        valid += 1;
        let everybody = Everybody::new(&policy);
        for _ in 0..10 {
            let uid = [0, 1, 999, 1000, 1001, 65534, u32::MAX][dice.below(7)];
            let who = account(dice.of(&["alice", "bob", "root", "web-1", "x y", ""]), uid);
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let login = Login {
                service: dice
                    .of(&["sshd", "SSHD", "login", "systemd-user", "su-l", ""])
                    .into(),
                tty: some(dice.of(&["", "tty1", "/dev/pts/3", "ssh"])),
                rhost: some(dice.of(&["", "192.0.2.7", "::1", "A.Example.Org.", "mill"])),
            };
            let mut host = Groups {
                names: ["staff", "wheel", "users"][..dice.below(4)]
                    .iter()
                    .map(|&n| n.into())
                    .collect(),
                primary: "users".to_owned(),
                ranges: vec![
                    Range {
                        start: 100_000,
                        count: 65_536
                    };
                    dice.below(2)
                ],
            };
            let answer = resolve(&policy, &login, &who, &host);
            *(if answer.is_ok() {
                &mut planned
            } else {
                &mut refused
            }) += 1;
            let answer = shown(answer);
            assert_eq!(
                answer,
                shown(resolve(&policy, &login, &who, &host)),
                "{text}"
            );
            assert_eq!(
                answer,
                shown(resolve(&again, &login, &who, &host)),
                "{text}"
            );
            assert_eq!(
                answer,
                shown(everybody.resolve(&login, &who, &host)),
                "{text}"
            );
            let own = LoginPolicy::from_files(vec![file.clone()], &login, &who, &host, 2).unwrap();
            assert_eq!(answer, shown(own.resolve()), "{text}");
            let spared = nsshell_config::spared(&policy, &login, &who, &host);
            assert_eq!(own.spared(), spared, "{text}");
            let explained = nsshell_config::explain(&policy, &login, &who, &host, 2);
            let explained = format!("{explained:?}");
            assert_eq!(format!("{:?}", own.explain()), explained, "{text}");
            // the order in which the user database tells groups means nothing
            host.names.reverse();
            assert_eq!(
                answer,
                shown(resolve(&policy, &login, &who, &host)),
                "{text}"
            );
        }
    }
    assert!(
        valid > 500 && planned > 1000 && refused > 1000,
        "{valid} {planned} {refused}"
    );
}

#[test]
fn of_several_files_the_first_that_says_something_holds() {
    let dice = Dice::new();
    let layers = [
        Layer::DropIn,
        Layer::DropIn,
        Layer::Main,
        Layer::Vendor,
        Layer::Vendor,
    ];
    for _ in 0..2_000 {
        let mut files = Vec::new();
        let (mut grace, mut timeout, mut first_rule, mut default) = (None, None, None, None);
        for (number, layer) in (1..).zip(layers.into_iter().skip(dice.below(4))) {
            let name = format!("{number}.toml");
            let mut text = String::new();
            if dice.chance(3) {
                text += &format!("default = \"d{number}\"\n");
                default.get_or_insert(number);
            }
            let user = dice.of(&["alice", "bob"]);
            if dice.chance(2) {
                text += &format!("[[rule]]\nusers = [\"{user}\"]\nprofile = \"r{number}\"\n");
                if user == "alice" {
                    first_rule.get_or_insert(number);
                }
            }
            for kind in ["d", "r"] {
                text += &format!("[profile.{kind}{number}]\nextends = [\"shared\"]\n");
            }
            text += "[profile.shared]\n";
            for (key, known) in [("grace", &mut grace), ("timeout", &mut timeout)] {
                if dice.chance(2) {
                    text += &format!("{key} = {number}\n");
                    known.get_or_insert(number);
                }
            }
            files.push(PolicyFile { name, text, layer });
        }
        let policy =
            Policy::from_files(files.clone()).unwrap_or_else(|e| panic!("{e:#}\n{files:?}"));
        let plan = resolve(
            &policy,
            &login("sshd"),
            &account("alice", 1000),
            &Groups::default(),
        );
        let plan = plan.unwrap();
        let profile = match (first_rule, default) {
            (Some(number), _) => format!("r{number}"),
            (None, Some(number)) => format!("d{number}"),
            (None, None) => "standard".to_owned(),
        };
        assert_eq!(plan.profile, profile, "{files:?}");
        if let Some(number) = first_rule.or(default) {
            assert_eq!(plan.matched.file, format!("{number}.toml"), "{files:?}");
            let session = plan.session.unwrap();
            let builtin = resolve(
                &Policy::builtin(),
                &plan.login,
                &plan.account,
                &Groups::default(),
            );
            let builtin = builtin.unwrap().session.unwrap();
            assert_eq!(session.grace, grace.unwrap_or(builtin.grace), "{files:?}");
            assert_eq!(
                session.timeout,
                timeout.unwrap_or(builtin.timeout),
                "{files:?}"
            );
        }
    }
}
