//! The session's user namespace: made by a process that has become the user, so that the user
//! owns it, mapped, looked at, and handed on as a descriptor.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::time::Instant;

use nsshell_config::{Account, IdMaps};

use crate::error::Error;
use crate::maps;
use crate::program::As;
use crate::sys::ns::{self, Kinds};
use crate::sys::process::{self, Child};
use crate::sys::{Errno, fd, socket};

/// What the maker says: that it is done with what it was last told, or at which step which
/// errno stopped it. Numbers only: the maker is the user's, who may make it say anything, and
/// what it says ends in the log.
const DONE: u8 = b'=';

/// The steps of the maker that can fail.
const STEPS: [&str; 3] = [
    "cannot become the user",
    "cannot make the session's user namespace",
    "cannot write the id maps of the session's user namespace",
];
const BECOME: u8 = 0;
const MAKE: u8 = 1;
const WRITE: u8 = 2;

/// The process that makes the user namespace.
///
/// It is a copy of the helper that the user may look into, as newuidmap demands. So it is made
/// before the helper reads what is not the user's to know, the policy above all; and it runs
/// beside the reading and init's mounting, which do not need it yet.
pub struct Maker {
    child: Child,
    socket: OwnedFd,
    started: Instant,
}

impl Maker {
    /// Starts making a user namespace of this account, whether or not it will be needed.
    ///
    /// # Errors
    /// No process can be made.
    pub fn start(account: &Account) -> Result<Self, Error> {
        let (socket, theirs) = socket::pair().map_err(cannot)?;
        let child = process::clone(Kinds::default(), || live(account, &theirs)).map_err(cannot)?;
        Ok(Self {
            child,
            socket,
            started: Instant::now(),
        })
    }

    /// Maps the namespace as planned, and hands it on.
    ///
    /// # Errors
    /// The kernel has made none; a map cannot be written, or reads otherwise than it was
    /// planned; the deadline has come.
    pub fn finish(
        &self,
        account: &Account,
        maps: &IdMaps,
        deadline: Instant,
    ) -> Result<OwnedFd, Error> {
        self.hear_done(deadline)?;
        let namespace = self.namespace()?;
        if maps::own_id_only(maps) {
            let order = maps::own_lines(maps);
            socket::send(&self.socket, order.as_bytes(), &[]).map_err(cannot)?;
            self.hear_done(deadline)?;
        } else {
            let who = As::User {
                uid: account.uid,
                gid: account.gid,
            };
            maps::write(self.child.pid, maps, who, deadline)?;
        }
        // The user owns the maker, and may have moved it to another namespace meanwhile: what
        // was opened before the maps were written must be what they were written for.
        maps::verify(self.child.pid, maps)?;
        if fd::identity(&namespace) != fd::identity(self.namespace()?) {
            let line = "the maker of the user namespace has changed its namespace; did the user \
                        do it?";
            return Err(Error::NotAsPlanned(line.to_owned()));
        }
        Ok(namespace)
    }

    fn hear_done(&self, deadline: Instant) -> Result<(), Error> {
        let said = match socket::receive_message(&self.socket, deadline) {
            Err(Errno::TIMEDOUT) => {
                let what = "the maker of the user namespace";
                return Err(Error::too_slow(what, self.started));
            }
            said => said.map_err(cannot)?,
        };
        let errno = |bytes: &[u8; 4]| Errno::from_raw_os_error(i32::from_ne_bytes(*bytes));
        match said[..] {
            [DONE] => Ok(()),
            [step @ (BECOME | MAKE | WRITE), a, b, c, d] => Err(Error::namespaces(
                STEPS[usize::from(step)],
                errno(&[a, b, c, d]),
            )),
            [] => Err(Error::NotAsPlanned(
                "the maker of the user namespace was killed; did the user do it?".to_owned(),
            )),
            _ => Err(Error::Protocol(
                "the maker of the user namespace says what it cannot say",
            )),
        }
    }

    /// The maker's user namespace. The maker is our child and has not been waited for, so that
    /// the number is still its own.
    fn namespace(&self) -> Result<OwnedFd, Error> {
        let path = CString::new(format!("/proc/{}/ns/user", self.child.pid));
        let path = path.map_err(|_| cannot(Errno::INVAL))?;
        ns::open_link(&path).map_err(cannot)
    }
}

impl Drop for Maker {
    /// A descriptor keeps the namespace; its maker is not needed any more.
    fn drop(&mut self) {
        self.child
            .kill(Instant::now() + std::time::Duration::from_secs(1));
    }
}

fn cannot(errno: Errno) -> Error {
    Error::namespaces(STEPS[usize::from(MAKE)], errno)
}

/// The maker's life: makes the namespace, writes the maps if it is told to, and stays until it
/// is killed or whoever waits for it is gone.
fn live(account: &Account, socket: &OwnedFd) -> i32 {
    // First of all: from the moment that this process is the user's, the user may look into
    // it, and none of the helper's descriptors must be there to be found.
    let closed = process::close_all_but(&[socket]).map_err(|errno| (MAKE, errno));
    if !report(socket, closed.and_then(|()| enter_new(account))) {
        return 1;
    }
    let order = socket::receive(socket, Instant::now() + std::time::Duration::from_secs(120));
    let Ok((lines, _)) = order else { return 1 };
    if lines.is_empty() {
        return 0;
    }
    let written = maps::write_own(&String::from_utf8_lossy(&lines));
    if !report(socket, written.map_err(|errno| (WRITE, errno))) {
        return 1;
    }
    let _ = socket::readable(socket, None);
    0
}

/// Becomes the user and enters a namespace of its own.
fn enter_new(account: &Account) -> Result<(), (u8, Errno)> {
    let at = |step: u8| move |errno| (step, errno);
    process::become_user(account.uid, account.gid, &[account.gid]).map_err(at(BECOME))?;
    // After becoming the user, which clears it.
    process::die_with_parent(true).map_err(at(BECOME))?;
    process::unshare(Kinds::USER).map_err(at(MAKE))?;
    // newuidmap acts only on a process whose files in /proc are the user's.
    process::set_dumpable(true).map_err(at(MAKE))
}

/// Says how it went; false if it went badly or nobody listens.
fn report(socket: &OwnedFd, result: Result<(), (u8, Errno)>) -> bool {
    let message = match result {
        Ok(()) => vec![DONE],
        Err((step, errno)) => [&[step][..], &errno.raw_os_error().to_ne_bytes()].concat(),
    };
    socket::send(socket, &message, &[]).is_ok() && result.is_ok()
}
