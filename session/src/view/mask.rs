//! Files and directories in place of which there is an empty one that nobody can open.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::OFlags;

use super::View;
use super::fresh::{attach, make};
use super::place::Kind;
use crate::error::Error;
use crate::sys::mount::{self, Programs};
use crate::sys::tree::{self, Depth};
use crate::sys::{fd, pivot};

const EMPTY: &str = "empty";

impl View<'_> {
    pub(super) fn mask(&self, target: &Path, optional: bool) -> Result<(), Error> {
        let Some(place) = self.places.find(target, None, optional)? else {
            return Ok(());
        };
        let cannot = |errno| Error::system(format!("cannot mask {}", target.display()), errno);
        // Mode 0: the right to open it all the same is root's on the host, and nobody's in a
        // user namespace that does not map the host's root.
        let mask = match Kind::of(&place).map_err(cannot)? {
            Kind::Directory => {
                let options = [("mode", "0"), ("size", "4k"), ("nr_inodes", "2")];
                make("tmpfs", &options, Programs::Forbidden, target)?
            }
            Kind::File => empty_file(target)?,
        };
        super::gather::make_read_only(&mask, Depth::Single).map_err(cannot)?;
        attach(mask, place, target)
    }
}

/// A detached mount of an empty file. Only what is in the tree can be copied (before Linux
/// 6.15), so its file system is attached for a moment: on "/", where no path leads to it.
fn empty_file(target: &Path) -> Result<OwnedFd, Error> {
    let cannot = |errno| Error::system(format!("cannot mask {}", target.display()), errno);
    let options = [("mode", "0"), ("size", "4k"), ("nr_inodes", "3")];
    let file_system = make("tmpfs", &options, Programs::Forbidden, target)?;
    drop(mount::make_file(&file_system, EMPTY, 0, b"").map_err(cannot)?);
    let root = fd::open_place(Path::new("/")).map_err(cannot)?;
    attach(&file_system, root, target)?;
    let copied = fd::open_beneath(&file_system, Path::new(EMPTY), OFlags::PATH)
        .and_then(|file| tree::copy(file, Depth::Single));
    pivot::take_off(&file_system).map_err(cannot)?;
    copied.map_err(cannot)
}
