//! Why there is no shell, as the sentence that the user reads.

use core::fmt;

use alloc::string::String;
use rustix::io::Errno;

use nsshell_gate::advice;

use crate::NO_SESSION;

/// A step that failed. Its `Display` is one line: which step, why, and after a semicolon what to do
/// about it where that is known.
pub struct Failure {
    /// the status that nsshell ends with
    pub status: u8,
    /// "cannot …"
    pub doing: String,
    /// the kernel's reason, if it is one
    pub errno: Option<Errno>,
    /// what to do; may be empty
    pub advice: String,
}

impl Failure {
    /// A failed system call.
    pub fn system(doing: impl Into<String>, errno: Errno) -> Self {
        Self {
            status: NO_SESSION,
            doing: doing.into(),
            errno: Some(errno),
            advice: String::new(),
        }
    }

    /// A failed call that would have made a namespace, with the advice that its errno suggests.
    pub fn namespaces(doing: impl Into<String>, errno: Errno) -> Self {
        Self {
            advice: advice::namespaces(errno.raw_os_error()).into(),
            ..Self::system(doing, errno)
        }
    }

    /// The session is of a version that this nsshell does not know.
    pub fn other_version() -> Self {
        Self {
            status: NO_SESSION,
            doing: "this session was made by another version of nsshell".into(),
            errno: None,
            advice: "end it (`nsctl end USER` as root), then log in again".into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.doing)?;
        if let Some(errno) = self.errno {
            let number = errno.raw_os_error();
            match advice::reason(number) {
                Some(reason) => write!(f, ": {reason}")?,
                None => write!(f, ": errno {number}")?,
            }
        }
        if self.advice.is_empty() {
            Ok(())
        } else {
            write!(f, "; {}", self.advice)
        }
    }
}
