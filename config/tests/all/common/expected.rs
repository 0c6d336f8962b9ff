//! Texts in files, with what is expected of each in a file beside it.

use std::fs;
use std::path::{Path, PathBuf};

use nsshell_config::{Layer, PolicyFile};

/// The entries of a directory with one ending, by name; none if there is no such directory.
pub fn entries(directory: &Path, ending: &str) -> Vec<(String, PathBuf)> {
    let Ok(list) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let paths = list.map(|entry| entry.unwrap().path());
    let named = paths.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path));
    let wanted = |(name, _): &(String, PathBuf)| name.ends_with(&format!(".{ending}"));
    let mut found: Vec<_> = named.filter(wanted).collect();
    found.sort();
    found
}

/// The files of a directory as layers of a policy: `conf.d`, itself, and `lib` for the vendor's.
pub fn layers(directory: &Path) -> Vec<PolicyFile> {
    let layers = [
        ("conf.d/", Layer::DropIn),
        ("", Layer::Main),
        ("lib/", Layer::Vendor),
    ];
    let files = layers.into_iter().flat_map(|(under, layer)| {
        let files = entries(&directory.join(under), "toml").into_iter();
        files.map(move |(name, path)| PolicyFile {
            text: fs::read_to_string(path).unwrap(),
            name: format!("{under}{name}"),
            layer,
        })
    });
    files.collect()
}

/// Shows that each entry with an ending in a directory of these tests is told as the file beside
/// it expects, and counts them. UPDATE=1 in the environment takes over what is told.
pub fn as_expected(directory: &str, ending: &str, tell: impl Fn(&Path, &str) -> String) -> usize {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(directory);
    let update = std::env::var_os("UPDATE").is_some();
    let all = entries(&directory, ending);
    let mut differ = Vec::new();
    for (name, path) in &all {
        let told = tell(path, name) + "\n";
        let expected = path.with_extension("expected");
        if update {
            fs::write(&expected, &told).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        if told != expected {
            differ.push(format!("--- expected\n{expected}+++ told\n{told}"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    all.len()
}
