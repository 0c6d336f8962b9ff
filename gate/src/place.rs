//! Where nsshell was started: in no session, in a session's host layer, or in its user layer.

use alloc::vec::Vec;
use rustix::io::Errno;

use nsshell_gate::orders::Orders;

use crate::failure::Failure;
use crate::{sys, terminal};

/// The longest orders that are read, in bytes: the state of a session has room for no more.
const LONGEST: usize = 8 << 20;

/// Where nsshell stands.
pub struct Place {
    /// the gate's part of the session's plan; none: there is no session
    text: Option<Vec<u8>>,
    /// who owns that file, as the caller's user namespace shows it
    owner: u32,
}

impl Place {
    /// Finds it out, from files of root's in the session alone.
    ///
    /// # Errors
    /// There is a session, but its plan cannot be read.
    pub fn find() -> Result<Self, Failure> {
        let cannot =
            |errno| Failure::system("cannot read the session's plan /run/nsshell/gate", errno);
        let file = match sys::open_beneath(c"/run/nsshell/gate") {
            // There is no session: the directory is missing, or closed to users.
            Err(Errno::NOENT | Errno::ACCESS) if !is_in_a_session() => {
                return Ok(Self {
                    text: None,
                    owner: 0,
                });
            }
            // A session that has no such file.
            Err(Errno::NOENT) if has_plan() => return Err(Failure::other_version()),
            file => file.map_err(cannot)?,
        };
        Ok(Self {
            owner: sys::fstat(&file).map_err(cannot)?.st_uid,
            text: Some(sys::read(&file, LONGEST).map_err(cannot)?),
        })
    }

    /// The orders of the session; none outside of sessions.
    ///
    /// # Errors
    /// They are of another version.
    pub fn orders(&self) -> Result<Option<Orders<'_>>, Failure> {
        match self.text.as_deref().map(Orders::decode) {
            None => Ok(None),
            Some(Some(orders)) => Ok(Some(orders)),
            Some(None) => Err(Failure::other_version()),
        }
    }

    /// True if the caller was started on a terminal of another user's, which a process in the user
    /// layer no longer is. root is left alone: it can open every terminal, and must get in where the
    /// relay is missing.
    ///
    /// # Errors
    /// In a session: it cannot be seen. Outside it counts as the user's own, so that a host without
    /// /proc lets its users in.
    pub fn has_foreign_terminal(&self) -> Result<bool, Failure> {
        if self.is_user_layer() || sys::uid() == 0 {
            return Ok(false);
        }
        match terminal::is_foreign() {
            Err(_) if self.text.is_none() => Ok(false),
            answer => answer,
        }
    }

    /// True in a session's user namespace, or in one beneath it. The file is the host's root's. No
    /// user namespace of a session maps that id, so it reads as 0 in the host layer alone, and as
    /// the overflow id in the user layer and beneath.
    pub fn is_user_layer(&self) -> bool {
        self.owner != 0
    }
}

/// True if a session of the module's has its state here, so that there have to be orders: what
/// keeps them from being read must not pass for no session, since the shell would then be one
/// without the user layer. In the host layer root alone can cover or remove it.
fn is_in_a_session() -> bool {
    match sys::stat(c"/run/nsshell/session") {
        Ok(_) => true,
        Err(Errno::NOENT) => false,
        // The host's directory may be closed to users; a session's is open to all.
        Err(_) => match sys::stat(c"/run/nsshell") {
            Ok(state) => state.st_mode & 0o001 != 0,
            Err(errno) => errno != Errno::NOENT,
        },
    }
}

fn has_plan() -> bool {
    sys::stat(c"/run/nsshell/plan").is_ok()
}
