//! What sessions have left on disk whose janitor was killed, with the host for instance: the next
//! login that uses the same store removes it, and so does this, whoever logs in.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nsshell_config::{Policy, Stores};
use rustix::fs::{Dir, FileType, OFlags};

use crate::error::Error;
use crate::sys::fd;
use crate::view::{ephemeral, trusted};
use crate::{RECORDS, live};

/// How long the removal from one store may take: a tree of some millions of files on a slow disk.
const LIMIT: Duration = Duration::from_secs(600);

/// The stores of the policy, and those of sessions that have a record, dead ones as well, which
/// may be of an older policy. To be called before dead records are removed.
#[must_use]
pub fn stores(policy: Option<&Policy>) -> Vec<PathBuf> {
    let named = policy.map(Policy::stores).unwrap_or_default();
    let mut found: Vec<PathBuf> = named.iter().flat_map(beneath).collect();
    found.extend(remembered());
    found.sort();
    found.dedup();
    found
}

/// Where the directories are that a policy names by levels. What is not root's alone is no store.
fn beneath(stores: &Stores) -> Vec<PathBuf> {
    let mut level = vec![stores.path.clone()];
    for _ in 0..stores.depth {
        level = level.iter().flat_map(|path| directories(path)).collect();
    }
    level
}

fn directories(path: &Path) -> Vec<PathBuf> {
    let Ok(listing) = trusted::open(path).and_then(|directory| {
        Dir::read_from(&directory).map_err(|errno| Error::system("cannot list a store", errno))
    }) else {
        return Vec::new();
    };
    let entries = listing.filter_map(Result::ok);
    entries
        .filter(|entry| matches!(entry.file_type(), FileType::Directory | FileType::Unknown))
        .map(|entry| OsStr::from_bytes(entry.file_name().to_bytes()).to_owned())
        .filter(|name| name != "." && name != ".." && name != ephemeral::SCRATCH)
        .map(|name| path.join(name))
        .collect()
}

fn remembered() -> Vec<PathBuf> {
    let Ok(records) = live::open_directory(Path::new(RECORDS)) else {
        return Vec::new();
    };
    let names = live::names(&records).unwrap_or_default();
    let open = |name: &PathBuf| fd::open_beneath(&records, name, OFlags::RDONLY).ok();
    let read = names.iter().filter_map(open).filter_map(live::read);
    read.flat_map(|record| record.on_disk)
        .filter_map(|path| path.parent().map(Path::to_owned))
        .collect()
}

/// What [`sweep`] has done in one store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Emptied {
    /// what nobody used any more, and is gone
    pub gone: Vec<PathBuf>,
    /// what is left of it, and why
    pub left: Option<String>,
}

/// Removes what nobody uses in a store; nothing where there is none. What a session uses is
/// locked, and left alone.
#[must_use]
pub fn sweep(store: &Path) -> Emptied {
    match ephemeral::sweep_store(store, Instant::now() + LIMIT) {
        Ok((names, left)) => Emptied {
            gone: names
                .iter()
                .map(|name| store.join(OsStr::from_bytes(name.to_bytes())))
                .collect(),
            left: left.err().map(|left| left.to_string()),
        },
        Err(error) => Emptied {
            gone: Vec::new(),
            left: match error {
                Error::System { errno, .. } if errno == crate::sys::Errno::NOENT => None,
                error => Some(error.to_string()),
            },
        },
    }
}
