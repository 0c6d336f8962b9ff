//! Another directory of the host as the session's root.
//!
//! The session does not get that directory itself, but a root of its own on which the entries
//! of the directory are mounted, read-only: there is room for mount points, and /proc, /dev and
//! /run are always the session's. It becomes the root by pivot_root(2), and the old one is taken
//! off, so that it is not in the mount namespace any more: chroot(2) can be left by whoever has
//! kept a directory outside, or may call it again; this cannot.
//!
//! The application stands under this root, too, since that is what confines a file transfer or
//! a forwarding that sshd carries out itself. So root's processes look up names and load
//! libraries here: [`super::verify`] looks that nobody else can write them.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, OFlags};

use super::fresh::{attach, frame};
use super::{Job, View, trusted};
use crate::STATE;
use crate::error::Error;
use crate::sys::attributes::{self, Change, Flags};
use crate::sys::tree::{self, Depth};
use crate::sys::{Errno, fd, mount, pivot};

/// What is never the tree's: these show the host, and the tree's own would show nothing.
const OWN: [&str; 3] = ["proc", "dev", "run"];

/// What stands at the top of the session's root.
enum Entry {
    Directory(OwnedFd),
    File(OwnedFd),
    Link(std::ffi::CString),
}

/// The entries of the plan's tree, as detached copies; none if the root is the host's.
pub(super) fn gather(job: &Job<'_>) -> Result<Option<Tree>, Error> {
    let Some(path) = &job.session.root else {
        return Ok(None);
    };
    job.need_module("give a session another root")?;
    let directory = trusted::open(path)?;
    let cannot = |name: &OsStr, errno| {
        let doing = format!("cannot take {} as root", path.join(name).display());
        Error::system(doing, errno)
    };
    let mut entries = Vec::new();
    let listing = Dir::read_from(&directory).map_err(|errno| cannot(OsStr::new(""), errno))?;
    for entry in listing {
        let entry = entry.map_err(|errno| cannot(OsStr::new(""), errno))?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes()).to_owned();
        if name == "." || name == ".." || OWN.iter().any(|own| name == *own) {
            continue;
        }
        if let Some(entry) = take(&directory, &name).map_err(|errno| cannot(&name, errno))? {
            entries.push((name, entry));
        }
    }
    Ok(Some(Tree { entries }))
}

/// A tree that is to become a root.
pub(super) struct Tree {
    entries: Vec<(std::ffi::OsString, Entry)>,
}

fn take(directory: &OwnedFd, name: &OsStr) -> Result<Option<Entry>, Errno> {
    let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let open = |flags| fd::open_beneath(directory, Path::new(name), OFlags::PATH | flags);
    Ok(Some(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Symlink => Entry::Link(rustix::fs::readlinkat(directory, name, Vec::new())?),
        FileType::Directory => Entry::Directory(restricted(open(OFlags::DIRECTORY)?)?),
        FileType::RegularFile => Entry::File(restricted(open(OFlags::empty())?)?),
        // A device, socket or pipe has no place at the top of a tree.
        _ => return Ok(None),
    }))
}

/// A copy that nobody can write through, and that the host's later mounts do not change.
fn restricted(place: OwnedFd) -> Result<OwnedFd, Errno> {
    let copy = tree::copy(place, Depth::Recursive)?;
    let set = Flags::READ_ONLY.with(Flags::NO_SUID).with(Flags::NO_DEV);
    let change = Change {
        set,
        private: true,
        ..Change::default()
    };
    attributes::change(&copy, Depth::Recursive, &change)?;
    Ok(copy)
}

impl View<'_> {
    /// Makes the root and goes there.
    pub(super) fn enter_root(&mut self, tree: Tree) -> Result<(), Error> {
        let root = Path::new("/");
        let cannot = |errno| Error::system("cannot make the session's root", errno);
        let new = frame(root)?;
        // A mount can only be put on one that is attached itself; this directory is ours.
        let here = Path::new(STATE);
        attach(&new, fd::open_place(here).map_err(cannot)?, here)?;
        for name in OWN {
            mount::make_directory(&new, name, 0o755, 0, 0).map_err(cannot)?;
        }
        for (name, entry) in tree.entries {
            put(&new, &name, entry).map_err(|errno| {
                let doing = format!("cannot mount /{} of the session's root", name.display());
                Error::system(doing, errno)
            })?;
        }
        self.places.add_fresh(&new).map_err(cannot)?;
        pivot::pivot(&new).map_err(|errno| {
            let advice = match errno {
                Errno::INVAL => "is the host's root an initramfs, or a chroot?",
                _ => "",
            };
            Error::advised("cannot change the session's root", errno, advice)
        })?;
        self.seal.push(new);
        Ok(())
    }
}

fn put(root: &OwnedFd, name: &OsStr, entry: Entry) -> Result<(), Errno> {
    let place = |flags| fd::open_beneath(root, Path::new(name), OFlags::PATH | flags);
    match entry {
        Entry::Link(to) => mount::make_link(root, name, OsStr::from_bytes(to.to_bytes())),
        Entry::Directory(copy) => {
            mount::make_directory(root, name, 0o755, 0, 0)?;
            mount::attach(copy, place(OFlags::DIRECTORY)?)
        }
        Entry::File(copy) => {
            drop(mount::make_file(root, name, 0o444, b"")?);
            mount::attach(copy, place(OFlags::empty())?)
        }
    }
}
