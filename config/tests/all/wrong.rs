//! Wrong policies as files, with what an administrator reads about them beside each. To take
//! over changed words, run with UPDATE=1 in the environment and read the difference.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::fs;

use crate::common::expected::{as_expected, layers};
use crate::common::{Table, account, login};
use nsshell_config::{Layer, LoginPolicy, Policy, PolicyFile};

/// What is told about the files, and told alike where they are read for one login.
fn told(files: Vec<PolicyFile>) -> String {
    let (login, alice, host) = (login("sshd"), account("alice", 1000), Table::default());
    let own = LoginPolicy::from_files(files.clone(), &login, &alice, &host, 0);
    let told = match Policy::from_files(files) {
        Ok(_) => "this was taken for valid".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    let own = own.err().map(|error| format!("{error:#}"));
    assert_eq!(own.as_deref(), Some(told.as_str()));
    told
}

#[test]
fn every_wrong_policy_is_told_as_its_file_expects() {
    let count = as_expected("wrong", "toml", |path, name| {
        let told = told(vec![PolicyFile {
            name: name.to_owned(),
            text: fs::read_to_string(path).unwrap(),
            layer: Layer::Main,
        }]);
        assert_ne!(told, "this was taken for valid", "{name}");
        told
    });
    assert!(count >= 60, "{count}");
}

#[test]
fn what_is_wrong_among_several_files_is_told_as_their_directory_expects() {
    let count = as_expected("wrong_files", "d", |path, name| {
        let files = layers(path);
        assert!(files.len() > 1, "{name}");
        told(files)
    });
    assert!(count >= 10, "{count}");
}
