//! What the tests of this crate share: people, and a host made of tables.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod dice;
pub mod expected;

use std::cell::Cell;

use nsshell_config::{Account, Error, Host, IdKind, Login, Plan, Policy, Range, resolve};

pub fn account(name: &str, uid: u32) -> Account {
    Account {
        name: name.to_owned(),
        uid,
        gid: uid,
        home: format!("/home/{name}").into(),
        shell: "/usr/bin/nsshell".into(),
    }
}

pub fn login(service: &str) -> Login {
    Login {
        service: service.to_owned(),
        tty: Some("ssh".to_owned()),
        rhost: None,
    }
}

/// A host that answers from its fields and counts what it is asked.
#[derive(Default)]
pub struct Table {
    pub groups: Vec<&'static str>,
    pub uids: Vec<(u32, u32)>,
    pub gids: Vec<(u32, u32)>,
    pub down: bool,
    pub asked_groups: Cell<usize>,
    pub asked_ranges: Cell<usize>,
    pub asked_hostname: Cell<usize>,
}

impl Table {
    fn answer<T>(&self, asked: &Cell<usize>, answer: T) -> Result<T, Error> {
        asked.set(asked.get() + 1);
        if self.down {
            return Err(Error::Host {
                what: "ask the host".to_owned(),
                errno: Some(5),
            });
        }
        Ok(answer)
    }
}

impl Host for Table {
    fn groups(&self, _: &Account) -> Result<Vec<String>, Error> {
        self.answer(
            &self.asked_groups,
            self.groups.iter().map(|&g| g.to_owned()).collect(),
        )
    }

    fn primary_group(&self, account: &Account) -> Result<String, Error> {
        self.answer(&self.asked_groups, format!("group-of-{}", account.name))
    }

    fn ranges(&self, _: &Account, kind: IdKind) -> Result<Vec<Range>, Error> {
        let list = match kind {
            IdKind::Uid => &self.uids,
            IdKind::Gid => &self.gids,
        };
        let ranges = list
            .iter()
            .map(|&(start, count)| Range { start, count })
            .collect();
        self.answer(&self.asked_ranges, ranges)
    }

    fn hostname(&self) -> Result<String, Error> {
        self.answer(&self.asked_hostname, "mill".to_owned())
    }
}

pub fn parse(text: &str) -> Policy {
    match Policy::parse(text, "p.toml") {
        Ok(policy) => policy,
        Err(error) => panic!("{error:#}\n{text}"),
    }
}

/// The one-line faults of a text that must not be valid.
pub fn faults(text: &str) -> Vec<String> {
    match Policy::parse(text, "p.toml") {
        Ok(_) => panic!("this was taken for valid:\n{text}"),
        Err(error) => error
            .diagnostics()
            .iter()
            .map(ToString::to_string)
            .collect(),
    }
}

pub fn plan_of(text: &str, name: &str, uid: u32, service: &str) -> Plan {
    resolve(
        &parse(text),
        &login(service),
        &account(name, uid),
        &Table::default(),
    )
    .unwrap()
}
