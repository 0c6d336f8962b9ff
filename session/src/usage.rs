//! What sessions have written to where it will be gone: looked at from the host.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nsshell_config::{Home, Mount, Plan, SessionPlan, Upper};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use serde::Serialize;

use crate::live::Found;
use crate::sys::{Errno, fd, pidfd};
use crate::view::ephemeral;
use crate::{LONGEST_PLAN, PLAN};

/// What a session takes that is given back at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// bytes in the file systems in memory that the session has of its own
    pub used: u64,
    /// bytes that these may have at most, together; none: one of them has no limit
    pub limit: Option<u64>,
    /// directories on disk that are removed at the end. How much is in them only a walk
    /// through each tells (`du -s`): it is not asked for here.
    pub on_disk: Vec<PathBuf>,
}

/// Looks at a live session. None if it has ended, or the caller is not root.
///
/// Waits for no file system that a user may have mounted: what is not at hand is not counted.
#[must_use]
pub fn of(session: &Found) -> Option<Usage> {
    let record = &session.record;
    let root = fd::open_root(record.pid).ok()?;
    // Another's if its number has been given anew, whose file system may be of any kind.
    if !pidfd::alive(session.init()?) {
        return None;
    }
    let plan = plan(&root)?;
    if plan.account.uid != record.uid || plan.profile != record.profile {
        return None;
    }
    let session = plan.session.as_ref()?;
    let mut usage = Usage {
        limit: Some(0),
        on_disk: ephemeral::directories(session, &record.session),
        ..Usage::default()
    };
    let mounts = std::fs::read(format!("/proc/{}/mountinfo", record.pid)).ok()?;
    let mut counted = Vec::new();
    for target in in_memory(&plan, session) {
        let Ok(place) = open(&root, &target, OFlags::PATH) else {
            continue;
        };
        // statfs(2) asks whoever serves a FUSE file system, which may not answer.
        if is_in_memory(&place, &mounts) {
            usage.add(&place, &mut counted);
        }
    }
    Some(usage)
}

fn plan(root: impl AsFd) -> Option<Plan> {
    let file = open(root, Path::new(PLAN), OFlags::RDONLY).ok()?;
    let mut text = Vec::new();
    File::from(file)
        .take(LONGEST_PLAN)
        .read_to_end(&mut text)
        .ok()?;
    serde_json::from_slice(&text).ok()
}

/// Opens a path of the session. The names of a mount point are at hand as long as it is one, so
/// that no file system is asked (openat2(2), RESOLVE_CACHED).
fn open(root: impl AsFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::CACHED;
    // A number that was given anew may lead to anything, a FIFO that nobody writes to as well.
    let wait_not = match flags.contains(OFlags::PATH) {
        true => OFlags::empty(),
        false => OFlags::NONBLOCK | OFlags::NOCTTY,
    };
    let flags = flags | OFlags::CLOEXEC | wait_not;
    rustix::fs::openat2(root, path, flags, Mode::empty(), resolve)
}

/// Where the session has file systems in memory.
fn in_memory(plan: &Plan, session: &SessionPlan) -> Vec<PathBuf> {
    let target = |mount: &Mount| match mount {
        Mount::Tmpfs { target, .. } => Some(target.clone()),
        Mount::RuntimeDir => Some("/run/user".into()),
        Mount::Dev { .. } => Some("/dev/shm".into()),
        Mount::Home {
            home:
                Home::Overlay {
                    upper: Upper::Memory { .. },
                }
                | Home::Fresh {
                    upper: Upper::Memory { .. },
                    ..
                },
        } => Some(plan.account.home.clone()),
        _ => None,
    };
    session.mounts.iter().filter_map(target).collect()
}

/// Whether the mount that an open place is on is of a file system in memory, by the session's
/// mountinfo (proc(5)). An overlay tells what its upper layer, which is in memory here, would
/// tell.
fn is_in_memory(place: &OwnedFd, mounts: &[u8]) -> bool {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", place.as_raw_fd()));
    let id = info.ok().and_then(|info| {
        let line = info.lines().find_map(|line| line.strip_prefix("mnt_id:"));
        line.map(|id| id.trim().to_owned())
    });
    let Some(id) = id else {
        return false;
    };
    matches!(kind(&id, mounts), Some(b"tmpfs" | b"overlay"))
}

/// The type of the file system of the mount `id`.
fn kind<'m>(id: &str, mounts: &'m [u8]) -> Option<&'m [u8]> {
    let mut lines = mounts.split(|byte| *byte == b'\n');
    let line = lines.find_map(|line| line.strip_prefix(id.as_bytes())?.strip_prefix(b" "))?;
    let mut words = line.split(|byte| *byte == b' ');
    // A mount point has no blank in it here: they are written as \040.
    words.by_ref().find(|word| *word == b"-")?;
    words.next()
}

impl Usage {
    /// Counts the file system that a place is on, if it is one in memory, and once.
    fn add(&mut self, place: &OwnedFd, counted: &mut Vec<u64>) {
        let (Ok(stat), Ok(file)) = (rustix::fs::fstatfs(place), rustix::fs::fstat(place)) else {
            return;
        };
        if counted.contains(&file.st_dev) {
            return;
        }
        counted.push(file.st_dev);
        let size = stat.f_bsize.cast_unsigned();
        let used = stat.f_blocks.saturating_sub(stat.f_bfree);
        self.used = self.used.saturating_add(used.saturating_mul(size));
        self.limit = match (self.limit, stat.f_blocks) {
            (Some(limit), 1..) => Some(limit.saturating_add(stat.f_blocks.saturating_mul(size))),
            _ => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::kind;

    #[test]
    fn the_type_of_a_file_system_is_that_of_its_mount() {
        let mounts = b"21 1 0:5 / / rw - ext4 /dev/x rw\n\
            2 21 0:6 / /a\\040b rw,nosuid shared:1 master:2 - tmpfs tmpfs rw\n\
            210 2 0:7 /- /c rw - fuse.sshfs - rw\n";
        assert_eq!(kind("21", mounts), Some(&b"ext4"[..]));
        assert_eq!(kind("2", mounts), Some(&b"tmpfs"[..]));
        assert_eq!(kind("210", mounts), Some(&b"fuse.sshfs"[..]));
        assert_eq!(kind("1", mounts), None);
    }
}
