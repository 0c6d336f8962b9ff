//! syslog(3), for what happens when nobody is left to be told.

use std::ffi::{CStr, CString};

/// Writes one warning for the administrator, under the caller's `name`. A text with a NUL is
/// cut there.
pub fn warn(name: &'static CStr, text: &str) {
    write(name, libc::LOG_WARNING, text);
}

/// The same for what is as it should be.
pub fn info(name: &'static CStr, text: &str) {
    write(name, libc::LOG_INFO, text);
}

fn write(name: &'static CStr, level: i32, text: &str) {
    let text: Vec<u8> = text.bytes().take_while(|byte| *byte != 0).collect();
    let Ok(text) = CString::new(text) else { return };
    // SAFETY: the name is static, as openlog(3) demands; the format takes the one string, which
    // ends in NUL.
    unsafe {
        libc::openlog(name.as_ptr(), libc::LOG_PID, libc::LOG_AUTHPRIV);
        libc::syslog(level, c"%s".as_ptr(), text.as_ptr());
        libc::closelog();
    }
}
