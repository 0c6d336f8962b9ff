//! What sessions have written to where it will be gone: looked at from the host.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
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
    let mut counted = Vec::new();
    for target in in_memory(&plan, session) {
        let Ok(place) = open(&root, &target, OFlags::PATH) else {
            continue;
        };
        usage.add(&place, &mut counted);
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
    let safe = match flags.contains(OFlags::PATH) {
        true => OFlags::CLOEXEC,
        false => OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY,
    };
    let flags = flags | safe;
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

impl Usage {
    /// Counts the file system that a place is on, if it is one in memory, and once.
    fn add(&mut self, place: &OwnedFd, counted: &mut Vec<u64>) {
        // statfs(2). An overlay tells what its upper layer, which is in memory here, would tell.
        const TMPFS: u64 = 0x0102_1994;
        const OVERLAY: u64 = 0x794c_7630;
        let (Ok(stat), Ok(file)) = (rustix::fs::fstatfs(place), rustix::fs::fstat(place)) else {
            return;
        };
        let kind = stat.f_type.cast_unsigned();
        if !matches!(kind, TMPFS | OVERLAY) || counted.contains(&file.st_dev) {
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
