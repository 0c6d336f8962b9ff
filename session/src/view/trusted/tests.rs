#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// A directory for one test, the caller's own, and a descriptor of it to go down from.
fn start() -> (tempfile::TempDir, OwnedFd, u32) {
    let directory = tempfile::tempdir().unwrap();
    let open = fd::open_place(directory.path()).unwrap();
    (directory, open, rustix::process::geteuid().as_raw())
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn refused(from: &OwnedFd, path: &str, owner: u32) -> String {
    let opened = descend(from, Path::new(path), owner, Missing::Made);
    opened.expect_err("it was opened").to_string()
}

#[test]
fn what_is_missing_is_made_for_the_owner_alone() {
    let (directory, from, owner) = start();
    let found = descend(&from, Path::new("a/b/c"), owner, Missing::Refused);
    assert!(found.is_err() && !directory.path().join("a").exists());
    descend(&from, Path::new("a/b/c"), owner, Missing::Made).unwrap();
    for path in ["a", "a/b", "a/b/c"] {
        let metadata = fs::metadata(directory.path().join(path)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o700, "{path}");
    }
    descend(&from, Path::new("a/b/c"), owner, Missing::Refused).unwrap();
}

#[test]
fn a_component_that_others_can_write_is_refused_at_every_place() {
    for (component, mode) in [("a", 0o770), ("a/b", 0o707), ("a/b/c", 0o1777)] {
        let (directory, from, owner) = start();
        descend(&from, Path::new("a/b/c"), owner, Missing::Made).unwrap();
        set_mode(&directory.path().join(component), mode);
        let said = refused(&from, "a/b/c", owner);
        assert!(
            said.starts_with(&format!("{component} can be written")),
            "{said}"
        );
        set_mode(&directory.path().join(component), 0o755);
        descend(&from, Path::new("a/b/c"), owner, Missing::Made).unwrap();
    }
}

#[test]
fn a_component_of_another_owner_is_refused() {
    let (_directory, from, owner) = start();
    descend(&from, Path::new("a"), owner, Missing::Made).unwrap();
    let said = refused(&from, "a", owner + 1);
    assert!(said.contains("belongs to uid"), "{said}");
}

#[test]
fn a_symbolic_link_is_refused_at_every_place_also_to_a_directory_of_the_owners() {
    for component in ["a", "a/b", "a/b/c"] {
        let (directory, from, owner) = start();
        descend(&from, Path::new("real/b/c"), owner, Missing::Made).unwrap();
        let link = directory.path().join(component);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        for above in ["a", "a/b"] {
            if directory.path().join(above).is_dir() {
                set_mode(&directory.path().join(above), 0o700);
            }
        }
        symlink(directory.path().join("real"), &link).unwrap();
        let said = refused(&from, "a/b/c", owner);
        assert!(
            said.contains(component) && said.contains("symbolic link"),
            "{said}"
        );
    }
}

#[test]
fn a_file_or_a_fifo_in_the_way_is_refused_and_does_not_block() {
    let (directory, from, owner) = start();
    fs::write(directory.path().join("file"), "").unwrap();
    let fifo = directory.path().join("fifo");
    rustix::fs::mknodat(
        CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    for path in ["file", "file/x", "fifo"] {
        let said = refused(&from, path, owner);
        assert!(said.contains("no directory"), "{path}: {said}");
    }
}

#[test]
fn dots_are_no_components() {
    let (_directory, from, owner) = start();
    descend(&from, Path::new("a/b"), owner, Missing::Made).unwrap();
    let said = refused(&from, "a/../a/b", owner);
    assert!(said.contains("no plain absolute path"), "{said}");
    assert!(descend(&from, Path::new(""), owner, Missing::Made).is_err());
}
