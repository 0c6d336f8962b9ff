#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::time::Duration;

use super::*;

/// A store with one directory in it, without the look at the directories above.
struct Store {
    directory: tempfile::TempDir,
    open: OwnedFd,
    scratch: OwnedFd,
}

impl Store {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let open = rustix::fs::open(directory.path(), OFlags::DIRECTORY, Mode::empty()).unwrap();
        let scratch = scratch(&directory.path().join("one"), &open).unwrap();
        Self {
            directory,
            open,
            scratch,
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("one")
    }

    /// What a session does that has the directory.
    fn claim(&self) -> Claim {
        let copy = |fd: &OwnedFd| fd.try_clone().unwrap();
        let claim = locked(&self.path(), copy(&self.open), copy(&self.scratch), soon()).unwrap();
        fs::create_dir_all(self.path()).unwrap();
        fs::write(self.path().join("file"), "").unwrap();
        claim
    }

    fn is_empty(&self) -> bool {
        let count = |path: &Path| fs::read_dir(path).unwrap().count();
        count(self.directory.path()) == 1 && count(&self.directory.path().join(SCRATCH)) == 0
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

#[test]
fn the_last_of_several_empties_in_whichever_order_they_end() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let store = Store::new();
        let claims = [store.claim(), store.claim(), store.claim()];
        for (index, which) in order.into_iter().enumerate() {
            claims[which].give_up(soon()).unwrap();
            assert_eq!(store.path().exists(), index < 2, "{order:?}");
        }
        assert!(store.is_empty());
    }
}

#[test]
fn who_comes_after_the_last_has_a_new_one_that_no_old_lock_takes_away() {
    let store = Store::new();
    let old = store.claim();
    // A sweep that has opened the lock, and comes to it after everything else.
    let late = fd::open_beneath(&store.scratch, Path::new("one"), OFlags::RDONLY).unwrap();
    old.give_up(soon()).unwrap();
    drop(old);
    let new = store.claim();
    take_away(&store.open, &store.scratch, &c"one".to_owned(), &late).unwrap();
    assert!(store.path().join("file").exists());
    new.sweep(soon()).unwrap();
    assert!(store.path().join("file").exists());
    new.give_up(soon()).unwrap();
    assert!(store.is_empty());
}

#[test]
fn what_the_killed_have_left_is_swept_and_what_is_live_or_being_made_is_not() {
    let store = Store::new();
    // A claim that ends without being given up: only its lock goes.
    drop(store.claim());
    assert!(store.path().exists());
    let (making, _locked) = new_directory(&store.scratch).unwrap();
    let (waste, open) = new_directory(&store.scratch).unwrap();
    drop(open);
    let other = locked(
        &store.directory.path().join("two"),
        store.open.try_clone().unwrap(),
        store.scratch.try_clone().unwrap(),
        soon(),
    )
    .unwrap();
    fs::create_dir(store.directory.path().join("two")).unwrap();
    fs::create_dir(store.directory.path().join("kept")).unwrap();
    other.sweep(soon()).unwrap();
    let there = |name: &CString| {
        rustix::fs::statat(&store.scratch, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    };
    assert!(!store.path().exists() && !there(&waste));
    assert!(there(&making));
    for name in ["two", "kept"] {
        assert!(store.directory.path().join(name).exists(), "{name}");
    }
}

#[test]
fn our_own_directory_is_no_instance() {
    let said = plain_name(Path::new("/x/.nsshell"), OsStr::new(SCRATCH)).expect_err("it was taken");
    assert!(said.to_string().contains("nsshell's own"), "{said}");
    assert!(plain_name(Path::new("/x/.nsshel"), OsStr::new(".nsshel")).is_ok());
}

#[test]
fn who_waits_for_a_lock_has_it_before_what_was_there_is_removed_and_not_for_ever() {
    let _alone = lock::WAITING.lock();
    let store = Store::new();
    let copy = |fd: &OwnedFd| fd.try_clone().unwrap();
    let claim = |deadline| {
        locked(
            &store.path(),
            copy(&store.open),
            copy(&store.scratch),
            deadline,
        )
    };
    let old = store.claim();
    // Somebody who has it alone, and does not come to an end.
    rustix::fs::flock(&old.lock, FlockOperation::LockExclusive).unwrap();
    let begun = Instant::now();
    let said = claim(begun + Duration::from_millis(200)).expect_err("it was taken");
    assert!(said.to_string().contains("cannot lock"), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    // Somebody who has taken it away, and is not done with removing it: the claim lives on.
    assert!(take_away(&store.open, &store.scratch, &old.name, &old.lock).unwrap());
    let new = claim(Instant::now()).unwrap();
    new.give_up(soon()).unwrap();
    old.give_up(soon()).unwrap();
    assert!(store.is_empty());
}
