//! The controlling terminal of an application that another user than the one who logs in sits at:
//! root's under `su alice`.

use std::ffi::CString;
use std::mem::ManuallyDrop;

use nsshell_gate::terminal_number;
use rustix::termios::Termios;

use crate::error::Error;
use crate::sys::fd::Kept;
use crate::sys::pty::{self, Modes};
use crate::sys::terminal::{Group, Terminal};
use crate::sys::{fd, filter, process};

/// Services whose application makes its terminal the user's own, after the session was opened:
/// login(1), and login(1) for telnet.
const MAKE_IT_THE_USERS: [&[u8]; 2] = [b"login", b"remote"];

/// The variable that tells the relay under which number /proc/PID/stat of the application is open.
/// `su -c` starts its command without a controlling terminal: from inside of the session nothing
/// else shows if the application is in the terminal's foreground.
pub use nsshell_gate::environment::APPLICATION as VARIABLE;

/// A terminal that is to be kept from the user.
#[derive(Debug)]
pub struct ForeignTerminal {
    /// none if the application was not in its foreground, where they may be another program's
    modes: Option<Termios>,
    /// Not closed with this value: su's child ends its copy of PAM's data (pam_end(3)) before it
    /// executes the shell, which is to inherit this.
    application: Option<ManuallyDrop<Kept>>,
}

impl ForeignTerminal {
    /// The application's, with its modes; none if it has none, or one that is user `uid`'s.
    #[must_use]
    pub fn find(service: &[u8], uid: u32) -> Option<Self> {
        if MAKE_IT_THE_USERS.contains(&service) {
            return None;
        }
        let terminal = Terminal::own()?;
        if owner() == Some(uid) {
            return None;
        }
        let modes = is_in_foreground(&terminal)
            .then(|| pty::modes(&terminal).ok())
            .flatten();
        // Without it the user's side is not typed at below `su -c`, and says so.
        let application = fd::open_stat(process::own())
            .and_then(Kept::new)
            .and_then(|kept| kept.leave_to_children().map(|()| ManuallyDrop::new(kept)))
            .ok();
        Some(Self { modes, application })
    }

    /// `NAME=value` for the environment of what the application starts, if there is something to
    /// tell.
    #[must_use]
    pub fn variable(&self) -> Option<String> {
        let number = self.application.as_ref()?.number();
        Some(format!("{VARIABLE}={number}"))
    }

    /// Keeps the application, and all that it starts from now on, from typing into terminals. It
    /// stays so until the application ends, which su and its like do with the session.
    ///
    /// # Errors
    /// EINVAL: the kernel has no filters of system calls.
    pub fn forbid_typing(&self) -> Result<(), Error> {
        filter::forbid_typing().map_err(|errno| Error::System {
            doing: "cannot keep the user from typing into this terminal (seccomp)".to_owned(),
            errno,
            advice: "nsshell needs a kernel with CONFIG_SECCOMP_FILTER".to_owned(),
        })
    }

    /// Gives the terminal its modes back if the user's side has left it raw, as a relay that was
    /// killed does, and the application is in its foreground.
    pub fn mend(&self) {
        let Some((terminal, modes)) = Terminal::own().zip(self.modes.as_ref()) else {
            return;
        };
        let modes = Modes::of(&terminal, modes);
        if is_in_foreground(&terminal) && modes.are_raw() {
            modes.put_back();
        }
    }

    /// Closes what is open for the relay, at the end of the session.
    pub fn let_go(self) {
        drop(self.application.map(ManuallyDrop::into_inner));
    }
}

/// True if the application is in the foreground of its controlling terminal.
fn is_in_foreground(terminal: &Terminal) -> bool {
    let foreground = terminal.foreground();
    foreground.is_some() && foreground == Group::own()
}

/// The owner of the controlling terminal's device file; none if no such file is known.
fn owner() -> Option<u32> {
    let stat = std::fs::read("/proc/self/stat").ok()?;
    let number = terminal_number::controlling(&stat)?;
    // The low half of st_rdev is laid out as the number in /proc (Linux's new_encode_dev).
    let is_it = |device: u64| device & 0xffff_ffff == u64::from(number);
    let open = fd::standard()
        .into_iter()
        .filter_map(|fd| rustix::fs::fstat(fd).ok());
    let named = terminal_number::device_file(number)
        .and_then(|path| rustix::fs::stat(CString::new(path).ok()?).ok());
    let mut all = open.chain(named);
    all.find(|stat| is_it(stat.st_rdev)).map(|stat| stat.st_uid)
}
