#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// What is wrong with the way to a/b/c, if these directories have these modes.
fn found(modes: [(&str, u32); 2], owner_of_c: u32) -> Option<Loose> {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("a/b/c")).unwrap();
    for (name, mode) in modes {
        let path = directory.path().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    // Whoever runs the tests stands for root.
    let own = rustix::process::geteuid().as_raw();
    let from = fd::open_place(directory.path()).unwrap();
    walk(from, Path::new("/a/b/c"), own + owner_of_c).unwrap()
}

#[test]
fn nothing_stays_in_a_directory_that_others_can_write() {
    assert_eq!(found([("a", 0o755), ("a/b", 0o700)], 0), None);
    for mode in [0o777, 0o775, 0o757] {
        for (weak, firm) in [("a", "a/b"), ("a/b", "a")] {
            let loose = found([(weak, mode), (firm, 0o755)], 0).unwrap();
            assert_eq!(loose.directory, Path::new("/").join(weak));
            assert_eq!(
                loose.why,
                format!("can be written by others (mode {mode:04o})")
            );
        }
    }
    // What the place itself allows is no matter.
    assert_eq!(found([("a", 0o755), ("a/b/c", 0o777)], 0), None);
}

#[test]
fn a_directory_of_somebody_else_is_theirs_to_change() {
    let loose = found([("a", 0o755), ("a/b", 0o755)], 1).unwrap();
    assert_eq!(loose.directory, Path::new("/"));
    assert!(loose.why.starts_with("belongs to uid "), "{}", loose.why);
}

#[test]
fn the_sticky_bit_keeps_what_is_root_s_and_what_is_not_there_yet() {
    assert_eq!(found([("a", 0o1777), ("a/b", 0o755)], 0), None);
    let directory = tempfile::tempdir().unwrap();
    let own = rustix::process::geteuid().as_raw();
    for (mode, loose) in [(0o1777, false), (0o777, true), (0o755, false)] {
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
        let from = fd::open_place(directory.path()).unwrap();
        let found = walk(from, Path::new("/missing/x"), own).unwrap();
        assert_eq!(found.is_some(), loose, "{mode:o}");
    }
}

#[test]
fn the_sticky_bit_does_not_keep_what_is_another_s() {
    let directory = tempfile::tempdir().unwrap();
    let own = rustix::process::geteuid().as_raw();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    let open = || fd::open_place(directory.path()).unwrap();
    assert_eq!(loose(open(), true, own).unwrap(), None);
    assert!(loose(open(), false, own).unwrap().is_some());
}
