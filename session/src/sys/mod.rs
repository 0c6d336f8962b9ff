//! Every system call of the project, and all of its `unsafe` but the FFI of PAM.
//!
//! Each function wraps one call or one short, inseparable run of calls, takes and returns
//! descriptors that own themselves, and gives back the kernel's errno. What a call is *for*
//! is said by the caller, which turns the errno into an [`crate::Error`].
#![allow(unsafe_code)]

#[cfg(feature = "engine")]
pub mod acl;
#[cfg(feature = "engine")]
pub mod attributes;
pub mod caps;
pub mod fd;
pub mod filter;
#[cfg(feature = "engine")]
pub mod fsid;
#[cfg(feature = "engine")]
pub mod leave;
pub mod lock;
#[cfg(feature = "engine")]
pub mod log;
#[cfg(feature = "engine")]
pub mod mount;
pub mod ns;
#[cfg(feature = "engine")]
pub mod pidfd;
#[cfg(feature = "engine")]
pub mod pivot;
#[cfg(feature = "engine")]
pub mod priority;
pub mod process;
pub mod pty;
pub mod signal;
pub mod socket;
pub mod spawn;
pub mod start;
pub mod terminal;
#[cfg(feature = "engine")]
pub mod tree;
pub mod unix;
#[cfg(feature = "engine")]
pub mod users;

pub use rustix::io::Errno;

/// What every function here returns.
pub type Result<T> = std::result::Result<T, Errno>;

/// The errno of the C library call that just failed.
pub(crate) fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// The errno of the C library call that has just returned nothing, if it has set one.
#[cfg(feature = "engine")]
pub(crate) fn last_errno_or_none() -> Option<Errno> {
    match std::io::Error::last_os_error().raw_os_error() {
        None | Some(0) => None,
        Some(number) => Some(Errno::from_raw_os_error(number)),
    }
}
