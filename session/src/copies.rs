//! The users' copies of the records of their sessions: what `nsctl` shows to who is not root.
//!
//! A user cannot be let near the records: who can open one can also lock it, and the lock is
//! what says that a session is alive. So the user gets a file of their own, root's and
//! read-only, in a directory that an access list opens to that user alone (a group would be
//! shared with others on many hosts). Nothing that has more rights than the user reads it.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags};

use crate::sys::{Errno, acl};

/// [`crate::COPIES`] within [`crate::STATE`].
pub(crate) const DIRECTORY: &str = "copies";

/// Lists a copy. `state`: [`crate::STATE`] of the host.
///
/// # Errors
/// /run is full, or has no access lists.
pub fn put(state: &OwnedFd, uid: u32, session: &str, text: &[u8]) -> Result<(), Errno> {
    /// How often the last session of the user may take the directory away under our hands.
    const MOST: usize = 5;
    let mut done = Err(Errno::NOENT);
    for _ in 0..MOST {
        done = put_once(state, uid, session, text);
        if done != Err(Errno::NOENT) {
            break;
        }
    }
    done
}

fn put_once(state: &OwnedFd, uid: u32, session: &str, text: &[u8]) -> Result<(), Errno> {
    make(state, DIRECTORY, 0o711)?;
    let directory = of_user(uid);
    if make(state, &directory, 0o700)? {
        let open = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = rustix::fs::openat(state, &directory, open, Mode::empty())?;
        acl::share_directory(made, uid)?;
    }
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::openat(state, &directory, flags, Mode::from_raw_mode(0o600))?;
    rustix::fs::fchmod(&file, Mode::from_raw_mode(0o444))?;
    let mut file = File::from(file);
    file.write_all(text)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    let path = format!("{directory}/{session}");
    rustix::fs::linkat(file.as_fd(), "", state, path, AtFlags::EMPTY_PATH)
}

/// Makes a directory of exactly this mode; false if it is there and somebody else than root may
/// look into it. It has not come so far if whoever made it was killed at once.
fn make(state: &OwnedFd, path: &str, mode: u32) -> Result<bool, Errno> {
    match rustix::fs::mkdirat(state, path, Mode::from_raw_mode(0o700)) {
        Ok(()) => {}
        Err(Errno::EXIST) => {
            let made = rustix::fs::statat(state, path, AtFlags::SYMLINK_NOFOLLOW)?;
            if made.st_mode & 0o077 != 0 {
                return Ok(false);
            }
        }
        Err(errno) => return Err(errno),
    }
    // whatever the caller's umask(2) is
    rustix::fs::chmodat(state, path, Mode::from_raw_mode(mode), AtFlags::empty())?;
    Ok(true)
}

/// Takes a copy off the list, and the directories that hold nothing any more.
pub fn remove(state: &OwnedFd, uid: u32, session: &str) {
    let directory = of_user(uid);
    // What is not there, or still in use, is as it should be.
    let path = format!("{directory}/{session}");
    let _ = rustix::fs::unlinkat(state, path, AtFlags::empty());
    let _ = rustix::fs::unlinkat(state, directory, AtFlags::REMOVEDIR);
    let _ = rustix::fs::unlinkat(state, DIRECTORY, AtFlags::REMOVEDIR);
}

fn of_user(uid: u32) -> String {
    format!("{DIRECTORY}/{uid}")
}
