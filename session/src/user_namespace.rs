//! The session's user namespace: made by a process that has become the user, so that the user
//! owns it, mapped, looked at, and handed on as a descriptor.

use std::fmt::Write;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nsshell_config::{Account, IdMaps};

use crate::error::Error;
use crate::maps;
use crate::program::As;
use crate::sys::ns::{self, Kinds};
use crate::sys::process::{self, Child};
use crate::sys::{Errno, fd, socket};

/// Makes and maps a user namespace of this account.
///
/// It runs on the host's side, beside init's mounting: the two do not need each other until
/// the descriptor is there.
///
/// # Errors
/// The kernel makes none; a map cannot be written, or reads otherwise than it was planned;
/// the deadline has come.
pub fn make(account: &Account, maps: &IdMaps, deadline: Instant) -> Result<OwnedFd, Error> {
    let (ours, theirs) = socket::pair().map_err(cannot)?;
    let owner = process::clone(Kinds::default(), || own(account, maps, &theirs)).map_err(cannot)?;
    drop(theirs);
    let made = map(&owner, &ours, account, maps, deadline);
    // The descriptor keeps the namespace; its maker is not needed any more.
    owner.kill(Instant::now() + Duration::from_secs(1));
    made
}

fn cannot(errno: Errno) -> Error {
    Error::namespaces("cannot make the session's user namespace", errno)
}

/// The maker's side of the socket: says when there is a namespace, or why there is none.
fn own(account: &Account, maps: &IdMaps, socket: &OwnedFd) -> i32 {
    let answer = match enter_new(account, maps, socket) {
        Ok(()) => Vec::new(),
        Err(error) => error.to_string().into_bytes(),
    };
    // An empty message would look like the end.
    let answer = [b"=".as_slice(), &answer].concat();
    if socket::send(socket, &answer, &[]).is_err() {
        return 1;
    }
    // Stays until it is killed, or whoever waits for it is gone.
    let _ = socket::readable(socket, None);
    0
}

/// Becomes the user and enters a namespace of its own.
fn enter_new(account: &Account, maps: &IdMaps, socket: &OwnedFd) -> Result<(), Error> {
    // First of all: from the moment that this process is the user's, the user may look into
    // it, and none of the helper's descriptors must be there to be found.
    process::close_all_but(&[socket]);
    process::become_user(account.uid, account.gid, &[account.gid]).map_err(|errno| {
        Error::system(format!("cannot become user {}", account.name.escape_debug()), errno)
    })?;
    // After becoming the user, which clears it.
    process::die_with_parent(true).map_err(cannot)?;
    process::unshare(Kinds::USER).map_err(cannot)?;
    // newuidmap acts only on a process whose files in /proc are the user's.
    process::set_dumpable(true).map_err(cannot)?;
    if maps::own_id_only(maps) { maps::write_own(maps) } else { Ok(()) }
}

fn map(
    owner: &Child,
    socket: &OwnedFd,
    account: &Account,
    maps: &IdMaps,
    deadline: Instant,
) -> Result<OwnedFd, Error> {
    let too_slow = || Error::TooSlow { what: "the maker of the user namespace".into(), limit: 0 };
    match socket::receive(socket, deadline) {
        Err(Errno::TIMEDOUT) => return Err(too_slow()),
        Err(errno) => return Err(cannot(errno)),
        Ok((said, _)) if said == b"=" => {}
        Ok((said, _)) if said.is_empty() => return Err(Error::NotAsPlanned(
            "the maker of the user namespace was killed; did the user do it?".to_owned(),
        )),
        Ok((said, _)) => return Err(Error::Said(String::from_utf8_lossy(&said[1..]).into_owned())),
    }
    let namespace = of(owner)?;
    if !maps::own_id_only(maps) {
        let who = As::User { uid: account.uid, gid: account.gid };
        maps::write(owner.pid, maps, who, deadline)?;
    }
    // The user owns the maker, and may have moved it to another namespace meanwhile: what was
    // opened before the maps were written must be what they were written for.
    maps::verify(owner.pid, maps)?;
    if fd::identity(&namespace) != fd::identity(of(owner)?) {
        let line = "the maker of the user namespace has changed its namespace; did the user do it?";
        return Err(Error::NotAsPlanned(line.to_owned()));
    }
    Ok(namespace)
}

/// The maker's user namespace. The maker is our child and has not been waited for, so that
/// the number is still its own.
fn of(owner: &Child) -> Result<OwnedFd, Error> {
    let mut path = String::new();
    // Writing to a String cannot fail.
    let _ = write!(path, "/proc/{}/ns/user", owner.pid);
    let path = std::ffi::CString::new(path).map_err(|_| cannot(Errno::INVAL))?;
    ns::open_link(&path).map_err(cannot)
}
