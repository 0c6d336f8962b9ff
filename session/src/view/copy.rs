//! Copies a skeleton, such as /etc/skel, to a directory that nobody has seen yet.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Uid};

use crate::sys::Errno;

/// How many directories a skeleton may have in each other.
const DEEPEST: u32 = 40;

/// Copies everything in `from` into `to`: regular files, directories and symbolic links, which
/// become the owner's, with their modes but without set-user-id and set-group-id. Anything else
/// is left out, and so are extended attributes and times; hard links become files.
///
/// # Errors
/// ENOSPC, EDQUOT; ELOOP if the skeleton is too deep; EXDEV if something is mounted in it; as
/// openat2(2), read(2), write(2).
pub(crate) fn tree(from: impl AsFd, to: impl AsFd, owner: (u32, u32)) -> Result<(), Errno> {
    directory(from.as_fd(), to.as_fd(), owner, 0)
}

fn directory(
    from: std::os::fd::BorrowedFd<'_>,
    to: std::os::fd::BorrowedFd<'_>,
    owner: (u32, u32),
    depth: u32,
) -> Result<(), Errno> {
    if depth >= DEEPEST {
        return Err(Errno::LOOP);
    }
    for entry in Dir::read_from(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let inner = open(from, name, OFlags::DIRECTORY)?;
                rustix::fs::mkdirat(to, name, Mode::from_raw_mode(0o700))?;
                let made = open(to, name, OFlags::DIRECTORY)?;
                directory(inner.as_fd(), made.as_fd(), owner, depth + 1)?;
                give(&made, owner, stat.st_mode & 0o1777)?;
            }
            FileType::RegularFile => file(from, to, name, owner)?,
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(from, name, Vec::new())?;
                rustix::fs::symlinkat(&target, to, name)?;
                let (uid, gid) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
                rustix::fs::chownat(to, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn open(at: impl AsFd, name: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    let safe = OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV | ResolveFlags::BENEATH;
    rustix::fs::openat2(at, name, flags | safe, Mode::empty(), resolve)
}

fn file(from: impl AsFd, to: impl AsFd, name: &CStr, owner: (u32, u32)) -> Result<(), Errno> {
    let source = open(from, name, OFlags::RDONLY)?;
    let stat = rustix::fs::fstat(&source)?;
    // Another one since the look.
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(());
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = rustix::fs::openat(to, name, flags, Mode::from_raw_mode(0o600))?;
    let made = File::from(made);
    std::io::copy(&mut File::from(source), &mut &made)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    give(&made, owner, stat.st_mode & 0o777)
}

/// The mode last: a change of owner may take bits of it away.
fn give(made: impl AsFd, (uid, gid): (u32, u32), mode: u32) -> Result<(), Errno> {
    rustix::fs::fchown(&made, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    rustix::fs::fchmod(&made, Mode::from_raw_mode(mode))
}
