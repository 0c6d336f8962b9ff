//! Wrong policies as files, with what an administrator reads about them beside each. To take
//! over changed words, run with UPDATE=1 in the environment and read the difference.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod common;

use std::fs;

use common::expected::{as_expected, layers};
use nsshell_config::Policy;

fn told(policy: Result<Policy, nsshell_config::Error>) -> String {
    match policy {
        Ok(_) => "this was taken for valid".to_owned(),
        Err(error) => format!("{error:#}"),
    }
}

#[test]
fn every_wrong_policy_is_told_as_its_file_expects() {
    let count = as_expected("wrong", "toml", |path, name| {
        let told = told(Policy::parse(&fs::read_to_string(path).unwrap(), name));
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
        told(Policy::from_files(files))
    });
    assert!(count >= 10, "{count}");
}
