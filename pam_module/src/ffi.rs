//! What pam-bindings does not have of libpam: the PAM environment, the log, and module data
//! that can be read back. All `unsafe` of the module.
#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int};

use pam::module::PamHandle;

/// As in syslog.h.
const LOG_ERR: c_int = 3;
const LOG_WARNING: c_int = 4;
const LOG_INFO: c_int = 6;
const LOG_DEBUG: c_int = 7;

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_putenv(handle: *mut PamHandle, name_value: *const c_char) -> c_int;
    fn pam_getenv(handle: *mut PamHandle, name: *const c_char) -> *const c_char;
    fn pam_syslog(handle: *const PamHandle, priority: c_int, format: *const c_char, ...);
}

/// How loud a line of the log is.
#[derive(Debug, Clone, Copy)]
pub enum Priority {
    /// somebody was refused, or something is left wrong
    Error,
    /// something is odd, and was dealt with
    Warning,
    /// the ordinary course of things
    Info,
    /// only with the argument `debug`
    Debug,
}

/// One line to the system log, with the application's name, the module's and the service
/// (pam_syslog(3)).
pub fn log(handle: &PamHandle, priority: Priority, line: &str) {
    let priority = match priority {
        Priority::Error => LOG_ERR,
        Priority::Warning => LOG_WARNING,
        Priority::Info => LOG_INFO,
        Priority::Debug => LOG_DEBUG,
    };
    // Whatever went into the line, and whoever it came from: it stays one line, and does
    // nothing to the terminal of whoever reads it.
    let escape = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    let line = CString::new(line.chars().map(escape).collect::<String>()).unwrap_or_default();
    // SAFETY: the handle is libpam's own; the format takes exactly one string.
    unsafe { pam_syslog(handle, priority, c"%s".as_ptr(), line.as_ptr()) };
}

/// Sets `NAME=value` in the PAM environment, or with `NAME` alone removes it
/// (pam_putenv(3)). False if libpam refuses.
pub fn put_environment(handle: &mut PamHandle, pair: &str) -> bool {
    let Ok(pair) = CString::new(pair) else {
        return false;
    };
    // SAFETY: the handle is libpam's own; libpam copies the string.
    unsafe { pam_putenv(handle, pair.as_ptr()) == 0 }
}

/// Whether the PAM environment has a variable of this name (pam_getenv(3)).
pub fn has_environment(handle: &mut PamHandle, name: &str) -> bool {
    let Ok(name) = CString::new(name) else {
        return false;
    };
    // SAFETY: the handle is libpam's own; the result is only compared.
    unsafe { !pam_getenv(handle, name.as_ptr()).is_null() }
}

/// A type and the name under which its one value lies in the handle.
///
/// # Safety
/// No other type may be stored under `NAME`.
pub unsafe trait Data: 'static {
    /// unique among all modules, which share the names
    const NAME: &'static str;
}

// SAFETY: the only thing that the module stores under this name.
unsafe impl Data for crate::Slot {
    const NAME: &'static str = "pam_nsshell_session";
}

/// The value that was stored in the handle, if any.
pub fn data<T: Data>(handle: &PamHandle) -> Option<&T> {
    // SAFETY: `Data` promises the type.
    unsafe { handle.get_data::<T>(T::NAME) }.ok()
}

/// Stores a value in the handle until pam_end(3). False if libpam refuses.
pub fn keep<T: Data>(handle: &mut PamHandle, value: T) -> bool {
    handle.set_data(T::NAME, Box::new(value)).is_ok()
}
