//! The profiles that come with the policy and that no built-in rule chooses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use crate::common::{Table, account, login, parse};
use nsshell_config::{Account, Error, Home, Mount, Namespace, Plan, Upper, resolve};

fn as_account(text: &str, account: &Account) -> Result<Plan, Error> {
    resolve(&parse(text), &login("sshd"), account, &Table::default())
}

fn shipped(profile: &str) -> Plan {
    let text = format!("[[rule]]\nprofile = '{profile}'\n");
    as_account(&text, &account("alice", 1000)).unwrap()
}

#[test]
fn the_shipped_profiles_are_there_for_whoever_names_them() {
    let lab = shipped("lab");
    let mounts = lab.session.unwrap().mounts;
    let home = Mount::Home {
        home: Home::Overlay {
            upper: Upper::Memory {
                size: Some("20%".to_owned()),
                inodes: None,
            },
        },
    };
    assert!(mounts.contains(&home), "{mounts:?}");
    // No login alone takes all of the memory.
    for profile in ["lab", "kiosk", "sftp-only"] {
        let mounts = shipped(profile).session.unwrap().mounts;
        let unlimited = |one: &&Mount| matches!(one, Mount::Tmpfs { size: None, .. });
        assert_eq!(mounts.iter().find(unlimited), None, "{profile}");
    }
    let kiosk = shipped("kiosk");
    assert_eq!(kiosk.command, ["/usr/lib/nsshell/kiosk"]);
    assert!(kiosk.require_nsshell);
    let session = kiosk.session.unwrap();
    assert!(session.has(Namespace::Net) && session.has(Namespace::User));
    let everything = Mount::ReadOnly {
        target: "/".into(),
        optional: false,
    };
    assert_eq!(session.mounts.first(), Some(&everything));
    let sftp = shipped("sftp-only");
    assert!(!sftp.require_nsshell);
    let session = sftp.session.unwrap();
    assert!(!session.has(Namespace::User) && session.has(Namespace::Net));
    assert_eq!(session.root, Some("/usr/lib/nsshell/sftp-root".into()));
    assert!(session.mounts.contains(&Mount::Home { home: Home::Real }));
    // named by the default, or by a profile, or only changed
    for text in [
        "default = 'lab'\n",
        "[[rule]]\nprofile = 'x'\n[profile.x]\nextends = ['lab']\n",
        "[profile.lab]\ngrace = 1\n[profile.standard]\nextends = ['lab']\n",
    ] {
        let plan = as_account(text, &account("alice", 1000)).unwrap();
        assert!(plan.session.unwrap().mounts.contains(&home), "{text}");
    }
    let said = crate::common::faults("[[rule]]\nprofile = 'kiosc'\n");
    assert!(said[0].ends_with("did you mean `kiosk`?"), "{said:?}");
}

#[test]
fn an_account_without_a_plain_home_is_refused_by_the_shipped_profiles() {
    for profile in ["lab", "kiosk"] {
        let text = format!("[[rule]]\nprofile = '{profile}'\n");
        for home in ["/", "/home", "/home/../root", "/tmp/x"] {
            let who = Account {
                home: home.into(),
                ..account("alice", 1000)
            };
            let error = as_account(&text, &who).unwrap_err();
            assert!(error.to_string().contains("`home` of profile"), "{error}");
        }
    }
}
