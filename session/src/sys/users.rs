//! Everybody in the user database: getpwent(3) and getgrent(3), which the crates leave out.
//!
//! The C library keeps one position for the whole process: two walks at once would take each
//! other's entries. A lock keeps ours apart; code that is not ours must not walk meanwhile, so
//! only `nsctl`, a program of one thread, does this at all.

use std::ffi::{CStr, CString, c_char};
use std::sync::{Mutex, PoisonError};

use super::{Errno, Result};

static WALK: Mutex<()> = Mutex::new(());

/// An entry of passwd(5), as bytes: not every name is UTF-8.
#[derive(Debug, Clone)]
pub struct User {
    /// login name
    pub name: Vec<u8>,
    /// user id
    pub uid: u32,
    /// primary group id
    pub gid: u32,
    /// home directory
    pub home: Vec<u8>,
    /// login shell
    pub shell: Vec<u8>,
}

/// An entry of group(5), as bytes.
#[derive(Debug, Clone)]
pub struct Group {
    /// name
    pub name: Vec<u8>,
    /// group id
    pub gid: u32,
    /// login names of the members, without those who have it as primary group
    pub members: Vec<Vec<u8>>,
}

/// All users that the name service enumerates; a directory service may be set not to.
///
/// # Errors
/// A source of the name service fails in the middle.
pub fn all_users() -> Result<Vec<User>> {
    let _walk = WALK.lock().unwrap_or_else(PoisonError::into_inner);
    let mut found = Vec::new();
    // SAFETY: no arguments; the lock keeps other walks of ours away.
    unsafe { libc::setpwent() };
    let end = loop {
        clear_errno();
        // SAFETY: the entry is valid until the next call, and is copied before that.
        let entry = unsafe { libc::getpwent() };
        if entry.is_null() {
            break super::last_errno_or_none();
        }
        // SAFETY: not null, and its fields are strings of the C library.
        found.push(unsafe {
            User {
                name: bytes((*entry).pw_name),
                uid: (*entry).pw_uid,
                gid: (*entry).pw_gid,
                home: bytes((*entry).pw_dir),
                shell: bytes((*entry).pw_shell),
            }
        });
    };
    // SAFETY: no arguments.
    unsafe { libc::endpwent() };
    finish(end, found)
}

/// All groups that the name service enumerates.
///
/// # Errors
/// A source of the name service fails in the middle.
pub fn all_groups() -> Result<Vec<Group>> {
    let _walk = WALK.lock().unwrap_or_else(PoisonError::into_inner);
    let mut found = Vec::new();
    // SAFETY: no arguments; the lock keeps other walks of ours away.
    unsafe { libc::setgrent() };
    let end = loop {
        clear_errno();
        // SAFETY: the entry is valid until the next call, and is copied before that.
        let entry = unsafe { libc::getgrent() };
        if entry.is_null() {
            break super::last_errno_or_none();
        }
        let mut members = Vec::new();
        // SAFETY: not null; gr_mem is a list of strings that a null pointer ends.
        found.push(unsafe {
            let mut member = (*entry).gr_mem;
            while !member.is_null() && !(*member).is_null() {
                members.push(bytes(*member));
                member = member.add(1);
            }
            Group {
                name: bytes((*entry).gr_name),
                gid: (*entry).gr_gid,
                members,
            }
        });
    };
    // SAFETY: no arguments.
    unsafe { libc::endgrent() };
    finish(end, found)
}

/// Ids of the user's groups, the primary one first: getgrouplist(3).
///
/// # Errors
/// EINVAL for a name with a NUL, EIO if the number of groups goes on growing.
pub fn group_ids(user: &str, gid: u32) -> Result<Vec<u32>> {
    let user = CString::new(user).map_err(|_| Errno::INVAL)?;
    // Room for many at once: each call reads the whole database.
    let mut ids: Vec<libc::gid_t> = vec![0; 512];
    for _ in 0..4 {
        let mut count = libc::c_int::try_from(ids.len()).map_err(|_| Errno::OVERFLOW)?;
        // SAFETY: the name ends with a NUL, and `ids` has room for `count` ids.
        let done =
            unsafe { libc::getgrouplist(user.as_ptr(), gid, ids.as_mut_ptr(), &raw mut count) };
        let count = usize::try_from(count).map_err(|_| Errno::IO)?;
        if done >= 0 {
            ids.truncate(count);
            return Ok(ids);
        }
        // the number that there is, or, by a C library that does not tell, more than was tried
        ids.resize(count.max(ids.len() * 2), 0);
    }
    Err(Errno::IO)
}

/// The end of a list and an error look alike but for errno; glibc also leaves ENOENT or
/// ENOTTY behind at an end that is none of ours to complain about.
fn finish<T>(end: Option<Errno>, found: Vec<T>) -> Result<Vec<T>> {
    match end {
        Some(errno @ (Errno::IO | Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN)) => {
            Err(errno)
        }
        _ => Ok(found),
    }
}

fn clear_errno() {
    // SAFETY: the pointer is this thread's own errno.
    unsafe { *libc::__errno_location() = 0 };
}

/// # Safety
/// Null, or a string that a NUL ends.
unsafe fn bytes(text: *const c_char) -> Vec<u8> {
    match text.is_null() {
        true => Vec::new(),
        // SAFETY: the caller's promise.
        false => unsafe { CStr::from_ptr(text) }.to_bytes().to_vec(),
    }
}
