//! The policy parser, and plans for logins that the policy itself suggests.
//!
//! The input is the files of a policy, the strongest first, with a form feed between two.
#![no_main]

use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use nsshell_config::{
    Account, Error, Everybody, Facts, Home, Host, IdKind, Layer, Login, LoginPolicy, Mount, Policy,
    PolicyFile, Range, Upper, explain, lint, refused, resolve, spared,
};

/// A host that takes its groups and accounts from the words of the policy.
struct Words {
    groups: Vec<String>,
    accounts: Vec<Account>,
}

impl Host for Words {
    fn groups(&self, _: &Account) -> Result<Vec<String>, Error> {
        Ok(self.groups.clone())
    }
    fn primary_group(&self, account: &Account) -> Result<String, Error> {
        Ok(account.name.clone())
    }
    fn ranges(&self, account: &Account, kind: IdKind) -> Result<Vec<Range>, Error> {
        let count = if kind == IdKind::Uid { 65536 } else { 1 };
        let start = account.uid.wrapping_mul(65536);
        Ok(vec![Range { start, count }])
    }
    fn hostname(&self) -> Result<String, Error> {
        Ok("mill".to_owned())
    }
}

impl Facts for Words {
    fn accounts(&self) -> &[Account] {
        &self.accounts
    }
    fn account(&self, name: &str) -> Option<Account> {
        self.accounts.iter().find(|one| one.name == name).cloned()
    }
    fn has_group(&self, name: &str) -> bool {
        self.groups.iter().any(|group| group == name)
    }
    fn is_directory(&self, path: &Path) -> bool {
        path.as_os_str().len() % 2 == 0
    }
    fn exists(&self, path: &Path) -> bool {
        path.as_os_str().len() % 3 == 0
    }
    fn loose_above(&self, _: &Path) -> Option<(PathBuf, String)> {
        None
    }
    fn is_program(&self, path: &Path) -> bool {
        path.as_os_str().len() % 2 == 1
    }
}

fn account(name: &str, uid: u32) -> Account {
    Account {
        name: name.to_owned(),
        uid,
        gid: uid,
        home: format!("/home/{name}").into(),
        shell: "/usr/bin/nsshell".into(),
    }
}

fn words(text: &str) -> Words {
    let strings = text.split('"').take(40).filter(|word| word.len() < 300);
    let names = strings.map(|word| word.trim_start_matches(['!', '@']));
    let mut words = Words {
        groups: names.clone().map(str::to_owned).collect(),
        accounts: vec![
            account("root", 0),
            account("daemon", 1),
            account("../x", 1000),
        ],
    };
    let few = names.take(8).zip(1001..);
    words
        .accounts
        .extend(few.map(|(name, uid)| account(name, uid)));
    words
}

fn logins(text: &str) -> Vec<Login> {
    let words: Vec<&str> = text.split('"').skip(1).step_by(2).take(6).collect();
    let mut logins = vec![
        login("sshd", "ssh", "192.0.2.7"),
        login("systemd-user", "", ""),
    ];
    logins.extend(words.iter().map(|word| login(word, word, word)));
    logins
}

fn login(service: &str, tty: &str, rhost: &str) -> Login {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Login {
        service: service.to_owned(),
        tty: some(tty),
        rhost: some(rhost),
    }
}

fn check_path(path: &Path) {
    let text = path.to_str().unwrap_or_default();
    assert!(text.starts_with('/') && text.len() > 1, "{text:?}");
    let mut names = text.split('/').skip(1);
    let plain = |name: &str| !matches!(name, "" | "." | "..") && name.len() <= 255;
    assert!(names.all(plain), "{text:?}");
    assert!(!text.contains(char::is_control), "{text:?}");
    assert!(!path.starts_with("/run/nsshell"), "{text:?}");
}

fn check_upper(upper: &Upper) {
    if let Upper::Disk { store } = upper {
        check_path(store);
    }
}

fn check_mounts(mounts: &[Mount], home: &Path) {
    for mount in mounts {
        match mount {
            Mount::ReadOnly { target, .. } if target == Path::new("/") => {}
            Mount::Unmount { target, .. }
            | Mount::ReadOnly { target, .. }
            | Mount::Homes { target, .. }
            | Mount::Tmpfs { target, .. }
            | Mount::Mask { target, .. }
            | Mount::Expose { path: target } => check_path(target),
            Mount::Dev { tty } => tty.iter().for_each(|tty| {
                check_path(tty);
                assert_eq!(tty.parent(), Some(Path::new("/dev")));
            }),
            Mount::Home { home: kind } => {
                assert!(home.is_absolute() && home.parent().is_some(), "{home:?}");
                match kind {
                    Home::Real | Home::ReadOnly => {}
                    Home::Overlay { upper } => check_upper(upper),
                    Home::Fresh { skeleton, upper } => {
                        check_path(skeleton);
                        check_upper(upper);
                    }
                }
            }
            Mount::Instance {
                target,
                instance,
                skeleton,
                ..
            } => {
                check_path(target);
                check_path(instance);
                skeleton.iter().for_each(|skeleton| check_path(skeleton));
                assert!(!instance.starts_with("/tmp"), "{instance:?}");
                assert!(!target.starts_with(instance), "{instance:?}");
            }
            Mount::Bind { source, target, .. } => {
                check_path(target);
                if source != Path::new("/") {
                    check_path(source);
                }
            }
            Mount::Proc { .. } | Mount::Mqueue | Mount::Sys { .. } | Mount::RuntimeDir => {}
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let layers = [Layer::DropIn, Layer::Main, Layer::Vendor];
    let parts = text.splitn(layers.len(), '\u{c}').zip(layers);
    let file = |(text, layer): (&str, Layer)| PolicyFile {
        name: format!("{layer:?}.toml"),
        text: text.to_owned(),
        layer,
    };
    let files: Vec<PolicyFile> = parts.map(file).collect();
    let policy = match Policy::from_files(files.clone()) {
        Ok(policy) => policy,
        Err(error) => {
            assert!(!error.diagnostics().is_empty());
            let shown = format!("{error:#}");
            let quiet = |c: char| !c.is_control() || c == '\n';
            assert!(shown.chars().all(quiet), "{shown:?}");
            let (host, login) = (words(text), login("sshd", "ssh", "192.0.2.7"));
            let who = host.accounts.last().unwrap();
            let own = LoginPolicy::from_files(files, &login, who, &host, 2);
            assert_eq!(own.err().map(|error| format!("{error:#}")), Some(shown));
            return;
        }
    };
    let host = words(text);
    let everybody = Everybody::new(&policy);
    for login in logins(text) {
        for account in &host.accounts {
            let plan = resolve(&policy, &login, account, &host);
            let again = resolve(&policy, &login, account, &host);
            // what is asked for one account alone is what is found for it among all
            let among = everybody.resolve(&login, account, &host);
            let own = LoginPolicy::from_files(files.clone(), &login, account, &host, 2).unwrap();
            let alone = own.resolve();
            let shown = [&plan, &again, &among, &alone].map(|plan| match plan {
                Ok(plan) => serde_json::to_string(plan).unwrap(),
                Err(error) => error.to_string(),
            });
            assert_eq!(shown[0], shown[1]);
            assert_eq!(shown[0], shown[2]);
            assert_eq!(shown[0], shown[3]);
            if let Ok(plan) = plan {
                let session = plan.session.as_ref();
                check_mounts(session.map_or(&[], |one| &one.mounts), &account.home);
                session.and_then(|one| one.root.as_deref()).map(check_path);
                if let Some(program) = plan.command.first() {
                    check_path(Path::new(program));
                }
            }
            assert_eq!(spared(&policy, &login, account, &host), own.spared());
        }
        let who = &host.accounts[0];
        let own = LoginPolicy::from_files(files.clone(), &login, who, &host, 5).unwrap();
        let explained = explain(&policy, &login, who, &host, 5);
        assert_eq!(format!("{:?}", own.explain()), format!("{explained:?}"));
        let _ = refused(&policy, &login, &host, &|plan| Some(plan.profile.clone()));
    }
    for found in lint(&policy, &host) {
        let _ = format!("{found:#}");
    }
});
