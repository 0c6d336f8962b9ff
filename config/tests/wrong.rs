//! Wrong policies as files, with what an administrator reads about them beside each. To take
//! over changed words, run with UPDATE=1 in the environment and read the difference.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use nsshell_config::Policy;

#[test]
fn every_wrong_policy_is_told_as_its_file_expects() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wrong");
    let update = std::env::var_os("UPDATE").is_some();
    let mut names: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| Some(name.strip_suffix(".toml")?.to_owned()))
        .collect();
    names.sort();
    assert!(names.len() >= 60, "{}", names.len());
    let mut differ = Vec::new();
    for name in names {
        let file = format!("{name}.toml");
        let text = fs::read_to_string(directory.join(&file)).unwrap();
        let told = match Policy::parse(&text, &file) {
            Ok(_) => format!("{file} was taken for valid\n"),
            Err(error) => format!("{error:#}\n"),
        };
        let expected = directory.join(format!("{name}.expected"));
        if update {
            fs::write(&expected, &told).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        assert!(!told.contains("was taken for valid"), "{told}");
        if told != expected {
            differ.push(format!("--- expected\n{expected}+++ told\n{told}"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}
