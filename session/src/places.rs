//! What a login would find at paths of this host, without carrying anything out.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use nsshell_config::Found;
use rustix::fs::{CWD, FileType, OFlags};

use crate::sys::{Errno, fd};

/// How many paths are remembered: those of the policy are few, and asked for again for each of
/// many users.
const REMEMBERED: usize = 10_000;

/// The mounts of this host (proc(5)).
pub const MOUNTS: &str = "/proc/self/mountinfo";

/// The paths of this host, each looked at once.
#[derive(Default)]
pub struct Places {
    mounts: Vec<Point>,
    seen: RefCell<HashMap<PathBuf, Found>>,
}

/// A mount point.
struct Point {
    path: PathBuf,
    /// whether an automounter waits there
    automounts: bool,
    /// whether what is mounted beneath shows in the mount namespaces made of this one, or of the
    /// one that this was made of (shared and slave mounts of mount_namespaces(7))
    propagates: bool,
}

impl Places {
    /// This host. Its mounts are read once.
    #[must_use]
    pub fn new() -> Self {
        let text = std::fs::read(MOUNTS).unwrap_or_default();
        Self {
            mounts: mounts(&text),
            ..Self::default()
        }
    }

    /// What a login finds at a path: by the call with which the engine opens its places. What an
    /// automounter would have to mount is left alone, or a question about everybody would mount
    /// the home of each.
    pub fn look(&self, path: &Path) -> Found {
        if let Some(found) = self.seen.borrow().get(path) {
            return found.clone();
        }
        let found = self.look_now(path);
        let mut seen = self.seen.borrow_mut();
        if seen.len() < REMEMBERED {
            seen.insert(path.to_owned(), found.clone());
        }
        found
    }

    fn look_now(&self, path: &Path) -> Found {
        if self.mount_of(path).is_some_and(|point| point.automounts) {
            return Found::Hidden;
        }
        let opened = fd::open_beneath(CWD, path, OFlags::PATH);
        match opened.and_then(rustix::fs::fstat) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode).is_dir() => Found::Directory,
            Ok(_) => Found::File,
            Err(Errno::NOENT | Errno::NOTDIR) => Found::Missing,
            Err(Errno::LOOP) => Found::Link(std::fs::canonicalize(path).ok()),
            Err(_) => Found::Hidden,
        }
    }

    /// The mount that a path lies on.
    fn mount_of(&self, path: &Path) -> Option<&Point> {
        let above = self
            .mounts
            .iter()
            .filter(|point| path.starts_with(&point.path));
        // of two at one place the later one lies above
        above.max_by_key(|point| point.path.as_os_str().len())
    }

    /// Whether a path is an automounter's whose mounts show in no other mount namespace: whoever
    /// goes there from a session has it mounted on the host, and then finds nothing (ELOOP).
    #[must_use]
    pub fn is_cut_off(&self, path: &Path) -> bool {
        let point = self.mount_of(path);
        point.is_some_and(|point| point.automounts && !point.propagates)
    }
}

/// Where the first such automounter of a mountinfo waits, and the number of its line, from 0 on;
/// not one in /proc, which is the session's own.
#[must_use]
pub fn first_cut_off(mountinfo: &str) -> Option<(usize, PathBuf)> {
    let places = Places {
        mounts: mounts(mountinfo.as_bytes()),
        ..Places::default()
    };
    let lines = mountinfo.lines().enumerate();
    lines
        .filter_map(|(number, line)| Some((number, point(line.as_bytes())?.path)))
        .find(|(_, path)| !path.starts_with("/proc") && places.is_cut_off(path))
}

/// Mount points in the order of proc(5)'s mountinfo.
fn mounts(mountinfo: &[u8]) -> Vec<Point> {
    mountinfo
        .split(|byte| *byte == b'\n')
        .filter_map(point)
        .collect()
}

fn point(line: &[u8]) -> Option<Point> {
    let mut words = line.split(|byte| *byte == b' ');
    let path = PathBuf::from(OsString::from_vec(unescaped(words.nth(4)?)));
    let mut propagates = false;
    // after the options come fields of any number
    for field in words.by_ref().skip(1).take_while(|word| *word != b"-") {
        propagates |= field.starts_with(b"shared:") || field.starts_with(b"master:");
    }
    let automounts = words.next()? == b"autofs";
    Some(Point {
        path,
        automounts,
        propagates,
    })
}

/// A word of mountinfo: blanks and the like are written in octal, as `\040`.
fn unescaped(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\');
        let digits = digits.and_then(|three| std::str::from_utf8(three).ok());
        match digits.and_then(|three| u8::from_str_radix(three, 8).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_an_automounter_waits_for_is_not_looked_at_and_what_it_has_mounted_is() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        std::fs::create_dir_all(home.join("a b/x")).unwrap();
        std::fs::create_dir_all(home.join("c/x")).unwrap();
        let shown = home.to_str().unwrap();
        let text = format!(
            "1 0 0:1 / / rw - ext4 /dev/vda rw\n\
             2 1 0:2 / {shown} rw shared:1 - autofs systemd-1 rw\n\
             3 2 0:3 / {shown}/a\\040b rw shared:2 - nfs4 server:/a rw\n"
        );
        let places = Places {
            mounts: mounts(text.as_bytes()),
            ..Places::default()
        };
        let look = |path: &str| places.look(&home.join(path));
        assert_eq!(look("a b/x"), Found::Directory);
        assert_eq!(look("a b/y"), Found::Missing);
        assert_eq!(look("c/x"), Found::Hidden);
        assert_eq!(places.look(Path::new("/no-such-name")), Found::Missing);
    }

    #[test]
    fn an_automounter_is_cut_off_whose_mounts_go_nowhere() {
        let text = "1 0 0:1 / / rw - ext4 /dev/vda rw\n\
             2 1 0:2 / /home rw - autofs /etc/auto.home rw\n\
             3 2 0:3 / /home/al rw - nfs4 server:/al rw\n\
             4 1 0:4 / /net rw shared:1 propagate_from:2 - autofs -hosts rw\n\
             5 1 0:5 / /far rw master:1 - autofs /etc/auto.far rw\n\
             6 1 0:6 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw\n";
        let places = Places {
            mounts: mounts(text.as_bytes()),
            ..Places::default()
        };
        let cut_off = |path: &str| places.is_cut_off(Path::new(path));
        let paths = [
            "/home",
            "/home/bob/x",
            "/home/al/x",
            "/net/a",
            "/far/a",
            "/",
        ];
        assert_eq!(paths.map(cut_off), [true, true, false, false, false, false]);
        assert_eq!(first_cut_off(text), Some((1, PathBuf::from("/home"))));
        // The line of the one that is meant, not of another that shows the directory's name.
        let text = "1 0 0:1 / / rw - ext4 /dev/vda rw\n\
             2 1 0:1 /a\\040b /srv rw - ext4 /dev/vda rw\n\
             3 1 0:2 / /a\\040b rw - autofs /etc/auto.home rw\n";
        assert_eq!(first_cut_off(text), Some((2, PathBuf::from("/a b"))));
    }

    #[test]
    fn a_link_anywhere_on_the_way_is_told_with_where_it_leads() {
        let top = tempfile::tempdir().unwrap();
        let top = top.path().canonicalize().unwrap();
        std::fs::create_dir_all(top.join("real/x")).unwrap();
        std::fs::write(top.join("file"), "").unwrap();
        std::os::unix::fs::symlink("real", top.join("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", top.join("dangling")).unwrap();
        let places = Places::new();
        let cases = [
            ("real/x", Found::Directory),
            ("file", Found::File),
            ("file/x", Found::Missing),
            ("none", Found::Missing),
            ("link", Found::Link(Some(top.join("real")))),
            ("link/x", Found::Link(Some(top.join("real/x")))),
            ("link/none", Found::Link(None)),
            ("dangling", Found::Link(None)),
        ];
        for (path, want) in cases {
            // the second answer is a remembered one
            assert_eq!(places.look(&top.join(path)), want, "{path}");
            assert_eq!(places.look(&top.join(path)), want, "{path}");
        }
    }
}
