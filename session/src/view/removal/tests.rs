#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::CWD;

use super::*;

struct Place {
    directory: tempfile::TempDir,
    open: OwnedFd,
}

impl Place {
    fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap())
    }

    /// In memory, where the machine has a tmpfs for everybody: for what is large.
    fn in_memory() -> Self {
        Self::at(tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap()))
    }

    fn at(directory: tempfile::TempDir) -> Self {
        let open = rustix::fs::open(directory.path(), OFlags::DIRECTORY, Mode::empty()).unwrap();
        fs::create_dir(directory.path().join("tree")).unwrap();
        Self { directory, open }
    }

    fn tree(&self) -> PathBuf {
        self.directory.path().join("tree")
    }

    fn remove(&self, seconds: u64) -> Result<(), Left> {
        remove(
            &self.open,
            c"tree",
            Instant::now() + Duration::from_secs(seconds),
        )
    }

    fn assert_gone(&self) {
        assert!(self.tree().symlink_metadata().is_err(), "it is still there");
        assert_eq!(fs::read_dir(self.directory.path()).unwrap().count(), 0);
    }
}

fn mkfifo(path: &Path) {
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

#[test]
fn what_is_not_there_is_removed_already() {
    let place = Place::new();
    place.remove(10).unwrap();
    place.remove(10).unwrap();
    place.assert_gone();
}

#[test]
fn every_kind_of_file_under_any_name_goes_and_nothing_outside() {
    let place = Place::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("kept"), "kept").unwrap();
    fs::set_permissions(outside.path(), fs::Permissions::from_mode(0o750)).unwrap();
    let tree = place.tree();
    for name in [&b"\xff\xfe"[..], b"\n", b" ", b"-rf", b"*", &[b'n'; 255]] {
        let name = OsStr::from_bytes(name);
        fs::create_dir(tree.join(name)).unwrap();
        fs::write(tree.join(name).join(name), "").unwrap();
    }
    symlink(outside.path(), tree.join("link to a directory")).unwrap();
    symlink("/", tree.join("link to the root")).unwrap();
    symlink("nowhere", tree.join("link")).unwrap();
    mkfifo(&tree.join("fifo"));
    let _listener = UnixListener::bind(tree.join("socket")).unwrap();
    fs::hard_link(outside.path().join("kept"), tree.join("hard")).unwrap();
    let shut = tree.join("shut");
    fs::create_dir(&shut).unwrap();
    if rustix::process::geteuid().is_root() {
        fs::write(shut.join("file"), "").unwrap();
        fs::set_permissions(&shut, fs::Permissions::from_mode(0o000)).unwrap();
    }
    place.remove(20).unwrap();
    place.assert_gone();
    let kept = fs::metadata(outside.path().join("kept")).unwrap();
    assert_eq!((kept.len(), kept.nlink()), (4, 1));
    let mode = fs::metadata(outside.path()).unwrap().permissions().mode();
    assert_eq!(
        mode & 0o7777,
        0o750,
        "a directory behind a link was changed"
    );
}

#[test]
fn the_name_itself_may_be_a_file_or_a_link() {
    let place = Place::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("kept"), "").unwrap();
    fs::remove_dir(place.tree()).unwrap();
    symlink(outside.path(), place.tree()).unwrap();
    place.remove(10).unwrap();
    place.assert_gone();
    assert!(outside.path().join("kept").exists());
    fs::write(place.tree(), "").unwrap();
    place.remove(10).unwrap();
    place.assert_gone();
}

/// Directories in directories, by descriptor, since no path is that long.
fn dig(tree: &Path, depth: usize) {
    let mut place = rustix::fs::open(tree, OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..depth {
        rustix::fs::mkdirat(&place, "d", Mode::from_raw_mode(0o700)).unwrap();
        place = rustix::fs::openat(&place, "d", OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
}

#[test]
fn a_hundred_thousand_directories_in_each_other_go_with_few_descriptors() {
    let place = Place::in_memory();
    dig(&place.tree(), 100_000);
    // names that the removal itself would use
    for number in [1, 2, 5] {
        let taken = place.tree().join(format!(".nsshell-{number}"));
        fs::create_dir_all(taken.join("x")).unwrap();
    }
    place.remove(120).unwrap();
    place.assert_gone();
}

#[test]
fn a_wide_tree_goes() {
    let place = Place::new();
    for number in 0..40 {
        let directory = place.tree().join(number.to_string());
        fs::create_dir(&directory).unwrap();
        for file in 0..200 {
            fs::write(directory.join(file.to_string()), "").unwrap();
        }
    }
    place.remove(60).unwrap();
    place.assert_gone();
}

#[test]
fn a_tree_that_somebody_goes_on_filling_goes_once_they_stop_and_never_blocks() {
    let place = Place::new();
    let (tree, stop) = (place.tree(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                number += 1;
                let inner = tree.join(format!("{}/{number}", number % 7));
                let _ = fs::create_dir_all(&inner);
                let _ = symlink("/", inner.join("link"));
                // a directory turns into a link and back
                let _ = fs::rename(&inner, tree.join("turned"));
                let _ = symlink("/etc", &inner);
                let _ = fs::remove_file(&inner);
            }
        });
        let started = Instant::now();
        // Whatever it says: nothing of "/" is touched, and it says it in time.
        let _ = place.remove(2);
        assert!(started.elapsed() < Duration::from_secs(5));
        stop.store(true, Ordering::Relaxed);
    });
    place.remove(30).unwrap();
    place.assert_gone();
    assert!(Path::new("/etc/passwd").exists());
}

#[test]
fn what_is_immutable_is_left_and_named_and_everything_else_goes() {
    use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
    let place = Place::new();
    let path = place.tree().join("a/fixed");
    fs::create_dir(place.tree().join("a")).unwrap();
    fs::write(place.tree().join("other"), "").unwrap();
    let file = fs::File::create(&path).unwrap();
    let set = |on: bool| {
        let flags = ioctl_getflags(&file)?;
        ioctl_setflags(
            &file,
            if on {
                flags | IFlags::IMMUTABLE
            } else {
                flags - IFlags::IMMUTABLE
            },
        )
    };
    if set(true).is_err() {
        // Only root may, and not on every file system.
        return;
    }
    let left = place.remove(10);
    set(false).unwrap();
    let left = left.expect_err("an immutable file was removed");
    assert_eq!((left.name.as_c_str(), left.errno), (c"fixed", Errno::PERM));
    assert!(left.to_string().contains("chattr"), "{left}");
    assert!(!place.tree().join("other").exists());
    place.remove(10).unwrap();
    place.assert_gone();
}
