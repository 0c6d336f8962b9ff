//! Terminals that belong to another user, above all root's after `su`.
//!
//! A process that has one open can type into it (ioctl TIOCSTI) and can read what is typed on it,
//! for as long as it lives: also after `su` has ended and root goes on at the same terminal.

use alloc::ffi::CString;
use rustix::fs::OFlags;

use nsshell_gate::terminal_number;

use crate::failure::Failure;
use crate::sys::{self, Inherited};

/// True if the controlling terminal, or a standard descriptor, is a terminal that does not belong
/// to the caller's user. sshd and login(1) have made theirs the user's before they start a shell.
///
/// # Errors
/// /proc cannot be read.
pub fn is_foreign() -> Result<bool, Failure> {
    let uid = sys::uid();
    if Inherited::STANDARD
        .iter()
        .any(|one| is_of_another(*one, uid))
    {
        return Ok(true);
    }
    let Some(number) = controlling()? else {
        return Ok(false);
    };
    let is_standard = |one: &Inherited| {
        one.terminal()
            .is_some_and(|stat| is_number(stat.st_rdev, number))
    };
    // The owner of those has been looked at.
    Ok(!Inherited::STANDARD.iter().any(is_standard) && !is_own_device(number, uid))
}

/// True if this is a terminal of another user's. /dev/tty, which stands for the controlling
/// terminal and is root's as a file, counts as one.
pub fn is_of_another(one: Inherited, uid: u32) -> bool {
    one.terminal().is_some_and(|stat| stat.st_uid != uid)
}

fn controlling() -> Result<Option<u32>, Failure> {
    let stat = sys::open(c"/proc/self/stat", OFlags::RDONLY)
        .and_then(|file| sys::read(file, 4096))
        .map_err(|errno| Failure::system("cannot read /proc/self/stat", errno))?;
    Ok(terminal_number::controlling(&stat))
}

/// A terminal that has no device file here, or one of another terminal's, is not known to be the
/// user's.
fn is_own_device(number: u32, uid: u32) -> bool {
    terminal_number::device_file(number)
        .and_then(|path| CString::new(path).ok())
        .and_then(|path| sys::stat(&path).ok())
        .is_some_and(|stat| is_number(stat.st_rdev, number) && stat.st_uid == uid)
}

/// The low half of st_rdev is laid out as the number in /proc (Linux's new_encode_dev).
fn is_number(device: u64, number: u32) -> bool {
    device & 0xffff_ffff == u64::from(number)
}
