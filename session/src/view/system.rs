//! Other views of what the host has: taken off, read-only, /proc, /sys.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nsshell_config::{HidePid, Mount, SysView};
use rustix::fs::{CWD, OFlags};

use super::View;
use super::fresh::{attach, frame, make, proc_options};
use super::gather::make_read_only;
use super::place::{self, Kind};
use crate::error::Error;
use crate::sys::attributes::{self, Change, Flags};
use crate::sys::mount::Programs;
use crate::sys::tree::{self, Depth};
use crate::sys::{Errno, fd, pivot};

const SYS: &str = "/sys";
const CGROUP: &str = "/sys/fs/cgroup";
const MQUEUE: &str = "/dev/mqueue";

/// DEVPTS_SUPER_MAGIC of the kernel's include/uapi/linux/magic.h.
const DEVPTS: i64 = 0x1cd1;

impl View<'_> {
    /// Takes off what the host has mounted; what lies under it is seen then.
    pub(super) fn unmount(&self, target: &Path, optional: bool) -> Result<(), Error> {
        self.job.need_module("take off mounts of the host")?;
        let cannot = |errno| {
            let advice = match errno {
                Errno::NOENT => "say optional = true in the profile",
                Errno::LOOP => place::loop_advice(target, place::LINK),
                _ => "",
            };
            Error::advised(
                format!("cannot unmount {}", target.display()),
                errno,
                advice,
            )
        };
        let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(cannot(Errno::INVAL));
        };
        let done = fd::open_place(parent).and_then(|parent| pivot::unmount_all(parent, name));
        match done {
            Ok(true) => Ok(()),
            Ok(false) | Err(Errno::NOENT) if optional => Ok(()),
            Ok(false) => Err(Error::NotAsPlanned(format!(
                "cannot unmount {}: it is no mount point; say optional = true in the profile",
                target.display()
            ))),
            Err(errno) => Err(cannot(errno)),
        }
    }

    /// Makes what is there read-only. A copy of it is laid over it, since only the root of a
    /// mount can be changed; "/" is one.
    pub(super) fn read_only(&self, target: &Path, optional: bool) -> Result<(), Error> {
        let Some(place) = self.places.find(target, None, optional)? else {
            return Ok(());
        };
        let cannot = |errno| {
            let doing = format!("cannot make {} read-only", target.display());
            Error::system(doing, errno)
        };
        if target == Path::new("/") {
            make_read_only(&place, Depth::Recursive).map_err(cannot)?;
            return spare_terminals().map_err(cannot);
        }
        let copy = tree::copy(&place, Depth::Recursive).map_err(cannot)?;
        make_read_only(&copy, Depth::Recursive).map_err(cannot)?;
        attach(copy, place, target)
    }

    pub(super) fn put_proc(&self, hidepid: HidePid, pids_only: bool) -> Result<(), Error> {
        let target = Path::new("/proc");
        let place = self.required(target, Kind::Directory)?;
        let options = proc_options(hidepid, pids_only);
        let proc = make("proc", &options, Programs::Forbidden, target)?;
        attach(proc, place, target)
    }

    pub(super) fn put_mqueue(&self) -> Result<(), Error> {
        let target = Path::new(MQUEUE);
        match self.places.find(target, Some(Kind::Directory), true)? {
            Some(place) => attach(
                make("mqueue", &[], Programs::Forbidden, target)?,
                place,
                target,
            ),
            None => Ok(()),
        }
    }

    /// `source`: the host's /sys, or its control groups; none if the host has none.
    pub(super) fn put_sys(&mut self, view: SysView, source: Option<&OwnedFd>) -> Result<(), Error> {
        let sys = Path::new(SYS);
        match (view, source) {
            (SysView::ReadOnly, None) => Ok(()),
            (SysView::ReadOnly, Some(copy)) => self.put_copy(copy, sys, false),
            (SysView::Hidden, groups) => {
                let place = self.required(sys, Kind::Directory)?;
                let hidden = frame(sys)?;
                attach(&hidden, place, sys)?;
                self.count_as_fresh(&hidden, sys)?;
                self.seal.push(hidden);
                match groups {
                    Some(copy) => self.put_copy(copy, Path::new(CGROUP), false),
                    None => Ok(()),
                }
            }
        }
    }
}

/// The part of the host's /sys that the plan shows, read-only.
pub(super) fn gather_sys(mounts: &[Mount]) -> Result<Option<OwnedFd>, Error> {
    let view = mounts.iter().find_map(|mount| match mount {
        Mount::Sys { view } => Some(*view),
        _ => None,
    });
    let path = match view {
        None => return Ok(None),
        Some(SysView::ReadOnly) => Path::new(SYS),
        Some(SysView::Hidden) => Path::new(CGROUP),
    };
    let cannot = |errno| Error::system(format!("cannot take {} read-only", path.display()), errno);
    let found = match place::open(path, None, OFlags::DIRECTORY) {
        Err(Errno::NOENT) => return Ok(None),
        found => found.map_err(cannot)?,
    };
    let copy = tree::copy(found, Depth::Recursive).map_err(cannot)?;
    make_read_only(&copy, Depth::Recursive).map_err(cannot)?;
    Ok(Some(copy))
}

/// Takes devpts out of a read-only "/". No file can be made on it; but whoever opens a terminal
/// for the user has to make it the user's, and would otherwise leave it root's.
fn spare_terminals() -> Result<(), Errno> {
    let place = match fd::open_beneath(CWD, Path::new("/dev/pts"), OFlags::PATH | OFlags::DIRECTORY)
    {
        Err(Errno::NOENT | Errno::LOOP) => return Ok(()),
        place => place?,
    };
    if rustix::fs::fstatfs(&place)?.f_type != DEVPTS {
        return Ok(());
    }
    let change = Change {
        clear: Flags::READ_ONLY,
        ..Change::default()
    };
    attributes::change(place, Depth::Single, &change)
}

/// Makes one mount of ours read-only.
pub(super) fn seal(mount: impl AsFd) -> Result<(), Errno> {
    make_read_only(mount, Depth::Single)
}
