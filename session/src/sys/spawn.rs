//! Starts a program from inside somebody else's process without that process noticing.
//!
//! The application may have threads, may ignore or handle SIGCHLD, and may have any
//! descriptor open or closed. So the program is not our child but our grandchild:
//!
//! application → **keeper** (a copy of the application that sends no signal when it ends, and
//! for which no plain wait(2) of the application waits) → program (the keeper's child).
//!
//! No signal disposition of the application is touched, none of its handlers runs, and none
//! of its children's statuses can be lost. exec(2) puts an exit signal back to SIGCHLD, which
//! is why the program itself cannot be made this way.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::process::{Child, clone3};
use super::signal::Mask;
use super::{Errno, Result};

/// First byte of the message that the program's socket carries if it could not be executed;
/// the second is the errno.
pub const EXEC_FAILED: u8 = b'X';

/// Starts `program` with no arguments and an empty environment: descriptors 0 to 2 are
/// /dev/null, 3 is `socket`, 4 is `second`, all others closed; no signal is blocked. It is
/// killed if the keeper is. The returned child is the keeper, which ends with the program's
/// status, or 128 + n if a signal ended that.
///
/// # Errors
/// As clone(2): EAGAIN, ENOMEM. A failure to execute comes as a message over `socket`.
pub fn spawn(program: &CStr, socket: BorrowedFd<'_>, second: BorrowedFd<'_>) -> Result<Child> {
    // Before the copies are made: a handler of the application must not run in one of them.
    let before = Mask::all().set();
    // SAFETY: in the child, keep() and everything below it makes system calls only: no
    // allocation, no lock, no unwinding.
    let made = unsafe { clone3(super::ns::Kinds::default(), 0) };
    if let Ok((0, None)) = made {
        keep(program, socket.as_raw_fd(), second.as_raw_fd());
    }
    before.set();
    let (pid, pidfd) = made?;
    pidfd.map(|pidfd| Child { pid, pidfd }).ok_or(Errno::CHILD)
}

/// The keeper's life.
fn keep(program: &CStr, socket: i32, second: i32) -> ! {
    // SAFETY: default action, no code. The keeper has a copy of the application's
    // dispositions; if it ignored SIGCHLD, it could not wait for the program.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    // SAFETY: in the child, execute() makes system calls only.
    match unsafe { clone3(super::ns::Kinds::default(), libc::SIGCHLD) } {
        Ok((0, _)) => execute(program, socket, second),
        Ok((pid, pidfd)) => {
            std::mem::forget(pidfd);
            // The program's end of the socket must be held by the program alone, or its
            // death would not show at the other end.
            // SAFETY: no memory is passed, and the keeper uses no descriptor any more.
            if unsafe { libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0) } != 0 {
                // The program goes with its parent.
                super::process::exit_now(127);
            }
            let mut status = 0;
            // SAFETY: `status` outlives the call.
            if unsafe { libc::waitpid(pid, &raw mut status, 0) } != pid {
                super::process::exit_now(127);
            }
            let status = if libc::WIFEXITED(status) {
                libc::WEXITSTATUS(status)
            } else {
                128 + libc::WTERMSIG(status)
            };
            super::process::exit_now(status)
        }
        Err(errno) => tell(socket, errno),
    }
}

/// Becomes the program.
fn execute(program: &CStr, socket: i32, second: i32) -> ! {
    // SAFETY: system calls only, on integers and on the strings, which end in NUL and live on.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        // Out of the way of 0 to 4 first, in case they are among those.
        let above = |fd: i32| {
            let moved = if fd < 0 {
                -1
            } else {
                libc::fcntl(fd, libc::F_DUPFD, 5)
            };
            if moved < 0 {
                tell(socket, super::last_errno())
            } else {
                moved
            }
        };
        let second = above(second);
        let null = above(libc::open(c"/dev/null".as_ptr(), libc::O_RDWR));
        let socket = above(socket);
        for (from, to) in [(null, 0), (null, 1), (null, 2), (socket, 3), (second, 4)] {
            if libc::dup2(from, to) != to {
                tell(socket, super::last_errno());
            }
        }
        if libc::syscall(libc::SYS_close_range, 5, u32::MAX, 0) != 0 {
            tell(3, super::last_errno());
        }
        let none = std::mem::zeroed::<libc::sigset_t>();
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        let argv = [c"session-init".as_ptr(), std::ptr::null()];
        let environment = [std::ptr::null()];
        libc::execve(program.as_ptr(), argv.as_ptr(), environment.as_ptr());
        tell(3, super::last_errno())
    }
}

/// Says why there is no program, and ends.
fn tell(socket: i32, errno: Errno) -> ! {
    let message = [EXEC_FAILED, u8::try_from(errno.raw_os_error()).unwrap_or(0)];
    // SAFETY: the message outlives the call; a lost one shows as an end without a word.
    unsafe {
        libc::send(
            socket,
            message.as_ptr().cast(),
            message.len(),
            libc::MSG_NOSIGNAL,
        )
    };
    super::process::exit_now(127)
}
