//! Runs a program of the host for its answer: by absolute path, with an empty environment,
//! within a limit, and never without looking at how it ended.

use std::ffi::CString;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use crate::error::{Error, one_line};
use crate::sys::ns::Kinds;
use crate::sys::process::{self, Child, Ended};
use crate::sys::{Errno, fd, mount, socket};

/// The most output that is kept, in bytes.
const MOST_OUTPUT: usize = 1 << 20;

/// Whom the program runs as.
#[derive(Debug, Clone, Copy)]
pub enum As {
    /// whoever runs us
    Caller,
    /// this user and group alone: real, effective and saved
    User {
        /// user id
        uid: u32,
        /// group id
        gid: u32,
    },
}

/// A program that has been started.
pub struct Running {
    path: &'static str,
    child: Child,
    output: OwnedFd,
    started: Instant,
}

/// Starts a program. `remedy` is what brings it, should it be missing.
///
/// # Errors
/// It is missing, or no process can be made.
pub fn start(
    path: &'static str,
    remedy: &'static str,
    arguments: &[String],
    who: As,
) -> Result<Running, Error> {
    let cannot = |errno| Error::namespaces(format!("cannot start {path}"), errno);
    if !mount::exists(path) {
        return Err(Error::Missing {
            program: path.to_owned(),
            remedy,
        });
    }
    let argv: Vec<CString> = std::iter::once(path.to_owned())
        .chain(arguments.iter().cloned())
        .map(|one| CString::new(one).map_err(|_| cannot(Errno::INVAL)))
        .collect::<Result<_, _>>()?;
    let (output, input) = fd::pipe().map_err(cannot)?;
    let child = process::clone(Kinds::default(), || become_program(&argv, &input, who));
    Ok(Running {
        path,
        child: child.map_err(cannot)?,
        output,
        started: Instant::now(),
    })
}

/// In the child: never returns if all is well; the status that tells otherwise.
fn become_program(argv: &[CString], output: &OwnedFd, who: As) -> i32 {
    let become_it = || {
        // The user's lock, records, directories of ours: before this is a process of the user's.
        process::close_all_but(&[output])?;
        if let As::User { uid, gid } = who {
            process::become_user(uid, gid, &[])?;
        }
        process::die_with_parent(true)?;
        fd::install(output, 1)?;
        fd::install(output, 2)
    };
    if become_it()
        .and_then(|()| process::close_all_but(&[]))
        .is_err()
    {
        return 126;
    }
    let borrowed: Vec<_> = argv.iter().map(CString::as_c_str).collect();
    let errno = process::execute(borrowed[0], &borrowed, &[]);
    let why = match errno {
        // The user's limit of processes counts when a program is executed, too (execve(2)).
        Errno::AGAIN => Error::namespaces("cannot execute it", errno),
        _ => Error::system("cannot execute it", errno),
    };
    // What it would have printed is read anyway. A line that cannot be written is not missed.
    let _ = writeln!(std::io::stdout(), "{why}");
    if errno == Errno::NOENT { 127 } else { 126 }
}

impl Drop for Running {
    /// One that nobody waits for any more must not go on; for one that has ended this is over
    /// at once.
    fn drop(&mut self) {
        self.child.kill(Instant::now() + Duration::from_secs(1));
    }
}

impl Running {
    /// Waits for its end and gives back what it printed.
    ///
    /// # Errors
    /// It does not end within the limit, and is killed; or it fails, with its last line.
    pub fn finish(self, deadline: Instant) -> Result<Vec<u8>, Error> {
        let cannot = |errno| Error::system(format!("cannot wait for {}", self.path), errno);
        let output = self.read(deadline);
        let ended = match self.child.wait(deadline).map_err(cannot)? {
            Some(ended) => ended,
            None => {
                self.child.kill(Instant::now() + Duration::from_secs(1));
                return Err(Error::too_slow(self.path, self.started));
            }
        };
        let output = output.map_err(cannot)?;
        let ended = match ended {
            Ended::Exited(0) => return Ok(output),
            other => other.to_string(),
        };
        Err(Error::Program {
            program: self.path.to_owned(),
            ended,
            said: one_line(&output),
        })
    }

    /// All that it prints, until it closes its output or the deadline comes.
    fn read(&self, deadline: Instant) -> Result<Vec<u8>, Errno> {
        let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
        while all.len() < MOST_OUTPUT && socket::readable(&self.output, Some(deadline))? {
            match fd::read(&self.output, &mut buffer)? {
                0 => break,
                length => all.extend_from_slice(&buffer[..length]),
            }
        }
        Ok(all)
    }
}
