//! Processes: made, become, waited for. clone(2), credentials(7), waitid(2).

use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use rustix::process::{DumpableBehavior, WaitIdOptions, WaitStatus};
use rustix::thread::{Gid, Uid};

use super::ns::Kinds;
use super::{Errno, Result, last_errno};

/// A child of ours that nobody has waited for.
#[derive(Debug)]
pub struct Child {
    /// its number in the caller's PID namespace
    pub pid: i32,
    /// a handle that always means this process
    pub pidfd: OwnedFd,
}

/// Makes a child in new namespaces of these kinds, running `body`; the child ends with the
/// status that `body` returns. The child is a copy of the caller and may do anything that
/// the caller may: the caller has no other thread, which is checked.
///
/// # Errors
/// EINVAL if the caller has threads; otherwise as clone(2): EPERM, ENOSPC (a limit of
/// namespaces), EAGAIN (a limit of processes).
pub fn clone(kinds: Kinds, body: impl FnOnce() -> i32) -> Result<Child> {
    if has_threads() {
        return Err(Errno::INVAL);
    }
    // SAFETY: one thread, so the copy has no lock held by a thread that it lacks.
    let (pid, pidfd) = unsafe { clone3(kinds, libc::SIGCHLD) }?;
    let Some(pidfd) = pidfd else {
        let status = body();
        exit_now(status)
    };
    Ok(Child { pid, pidfd })
}

/// Whether the caller's process has more threads than the one that asks.
#[must_use]
pub fn has_threads() -> bool {
    // "Nothing to be done in a process with one thread, EINVAL in any other" (unshare(2)).
    // SAFETY: no memory is passed, and with one thread nothing is unshared.
    if unsafe { libc::unshare(libc::CLONE_THREAD) } == 0 {
        return false;
    }
    // A filter of system calls may refuse it, too, whoever asks.
    let tasks = || Some(std::fs::read_dir("/proc/self/task").ok()?.count());
    last_errno() == Errno::INVAL || tasks() != Some(1)
}

/// clone3(2) with a pidfd and copied memory. The child gets no pidfd.
///
/// # Safety
/// If the caller has other threads, the child must do nothing but async-signal-safe calls
/// (signal-safety(7)) until it executes a program or ends.
pub(super) unsafe fn clone3(kinds: Kinds, exit_signal: i32) -> Result<(i32, Option<OwnedFd>)> {
    let mut pidfd: i32 = -1;
    // SAFETY: all fields are integers, for which zero means "not asked for".
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = u64::from(kinds.bits()) | libc::CLONE_PIDFD as u64;
    args.pidfd = &raw mut pidfd as u64;
    args.exit_signal = exit_signal as u64;
    // SAFETY: `args` has the size that is passed, and `pidfd` outlives the call.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of_val(&args)) };
    match pid {
        0 => Ok((0, None)),
        1.. => {
            // SAFETY: the kernel just put it there for us.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok((i32::try_from(pid).unwrap_or(-1), Some(pidfd)))
        }
        _ => Err(last_errno()),
    }
}

/// Ends the process at once: no destructors, no buffers flushed, no atexit functions, all of
/// which belong to the process that this one was copied from.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: ends the process, nothing else.
    unsafe { libc::_exit(status) }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// by exit(3), with this status, 0 to 255
    Exited(i32),
    /// by a signal
    Killed(i32),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exit status {status}"),
            Self::Killed(signal) => write!(f, "signal {signal}"),
        }
    }
}

impl Ended {
    /// The status by the shell's convention: 128 + n for a signal.
    #[must_use]
    pub fn shell_status(self) -> i32 {
        match self {
            Self::Exited(status) => status,
            Self::Killed(signal) => 128 + signal,
        }
    }
}

/// Ends the caller as `ended` says, so that whoever waits for it sees what they would see of
/// a program that ended so. Comes back with the status by the shell's convention if that is
/// what is to be ended with.
#[must_use]
pub fn end_as(ended: Ended) -> u8 {
    if let Ended::Killed(signal) = ended {
        use rustix::process::{Resource, Rlimit, setrlimit};
        // The core would be ours, and of no use to anybody.
        let _ = setrlimit(
            Resource::Core,
            Rlimit {
                current: Some(0),
                maximum: Some(0),
            },
        );
        super::signal::suffer(signal);
    }
    u8::try_from(ended.shell_status()).unwrap_or(u8::MAX)
}

/// How long a child's end that does not show is waited for before the next look.
const AGAIN: Duration = Duration::from_millis(2);

impl Child {
    /// Waits for the end, until `deadline`; `None` if it is still running then, or if a process
    /// that traces it has not taken note of its end (ptrace(2)): until then the kernel hides
    /// that from its parent, though not from who holds its pidfd.
    ///
    /// # Errors
    /// ECHILD if somebody else has waited for it, or the kernel has because SIGCHLD is
    /// ignored.
    pub fn wait(&self, deadline: Instant) -> Result<Option<Ended>> {
        if !super::socket::readable(&self.pidfd, Some(deadline))? {
            return Ok(None);
        }
        // __WALL: the child may have been made with another exit signal than SIGCHLD.
        let options = WaitIdOptions::EXITED
            | WaitIdOptions::NOHANG
            | WaitIdOptions::from_bits_retain(libc::__WALL as u32);
        let id = || rustix::process::WaitId::PidFd(self.pidfd.as_fd());
        let status = loop {
            if let Some(status) = rustix::process::waitid(id(), options)? {
                break status;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            std::thread::sleep(left.min(AGAIN));
        };
        Ok(Some(
            match (status.exit_status(), status.terminating_signal()) {
                (Some(status), _) => Ended::Exited(status),
                (None, Some(signal)) => Ended::Killed(signal),
                (None, None) => return Err(Errno::CHILD),
            },
        ))
    }

    /// Kills it and waits for its end, but not beyond `deadline`: a process in an
    /// uninterruptible wait does not die when told to.
    pub fn kill(&self, deadline: Instant) {
        // Already gone is as good.
        let _ = super::signal::send(&self.pidfd, libc::SIGKILL);
        let _ = self.wait(deadline);
    }
}

/// A change in some child of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// it ended; it has been waited for
    Ended(i32, Ended),
    /// it stopped, by this signal
    Stopped(i32, i32),
}

/// The next change among the caller's children, if there is one now (waitpid(2), WNOHANG and
/// WUNTRACED).
#[must_use]
pub fn next_change() -> Option<Change> {
    use rustix::process::WaitOptions;
    let options = WaitOptions::NOHANG | WaitOptions::UNTRACED;
    loop {
        let (pid, status) = rustix::process::wait(options).ok()??;
        let pid = pid.as_raw_nonzero().get();
        if let Some(change) = change(pid, status) {
            return Some(change);
        }
    }
}

fn change(pid: i32, status: WaitStatus) -> Option<Change> {
    if let Some(code) = status.exit_status() {
        return Some(Change::Ended(pid, Ended::Exited(code)));
    }
    if let Some(signal) = status.terminating_signal() {
        return Some(Change::Ended(pid, Ended::Killed(signal)));
    }
    status
        .stopping_signal()
        .map(|signal| Change::Stopped(pid, signal))
}

/// The caller's ids: real, effective, saved.
fn ids() -> ([u32; 3], [u32; 3]) {
    let (mut uids, mut gids) = ([0; 3], [0; 3]);
    let [real, effective, saved] = &mut uids;
    // SAFETY: three valid pointers; cannot fail.
    unsafe { libc::getresuid(real, effective, saved) };
    let [real, effective, saved] = &mut gids;
    // SAFETY: three valid pointers; cannot fail.
    unsafe { libc::getresgid(real, effective, saved) };
    (uids, gids)
}

/// Takes these ids, for good, and looks that it has: supplementary groups first and the user
/// last, since each step needs the right that the last one gives up.
///
/// # Errors
/// EPERM; EINVAL for the id 4294967295, which means "unchanged" to the kernel.
pub fn become_user(uid: u32, gid: u32, groups: &[u32]) -> Result<()> {
    if uid == u32::MAX || gid == u32::MAX {
        return Err(Errno::INVAL);
    }
    let groups: Vec<Gid> = groups.iter().map(|&group| Gid::from_raw(group)).collect();
    let (uid_, gid_) = (Uid::from_raw(uid), Gid::from_raw(gid));
    rustix::thread::set_thread_groups(&groups)?;
    rustix::thread::set_thread_res_gid(gid_, gid_, gid_)?;
    rustix::thread::set_thread_res_uid(uid_, uid_, uid_)?;
    // The kernel takes the capabilities of one who is no longer root, unless a securebit that
    // somebody has set tells it not to.
    let left = rustix::thread::capabilities(None)?;
    let powerless = left.effective.is_empty() && left.permitted.is_empty();
    if ids() == ([uid; 3], [gid; 3]) && (uid == 0 || powerless) {
        Ok(())
    } else {
        Err(Errno::PERM)
    }
}

/// The caller's effective user id.
#[must_use]
pub fn effective_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The caller's own user and group id, as its user namespace has them.
#[must_use]
pub fn own_ids() -> (u32, u32) {
    (effective_uid(), rustix::process::getegid().as_raw())
}

/// The caller's own number, in its PID namespace.
#[must_use]
pub fn own() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// The caller's parent; none if it is not of the caller's PID namespace.
#[must_use]
pub fn parent() -> Option<i32> {
    rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get())
}

/// The caller's real user id.
#[must_use]
pub fn real_uid() -> u32 {
    rustix::process::getuid().as_raw()
}

/// The caller's real group id.
#[must_use]
pub fn real_gid() -> u32 {
    rustix::process::getgid().as_raw()
}

/// Whether the caller leads a session of setsid(2), as the program does that a login starts.
#[must_use]
pub fn is_session_leader() -> bool {
    rustix::process::getsid(None) == Ok(rustix::process::getpid())
}

/// Moves the caller into a new user namespace, alone: it must have no other thread.
///
/// # Errors
/// EPERM (chrooted, or forbidden by a sysctl or an LSM), ENOSPC (max_user_namespaces),
/// EUSERS (nested too deep).
pub fn unshare(kinds: Kinds) -> Result<()> {
    // SAFETY: no memory is passed; namespaces only, no descriptor table is unshared.
    if unsafe { libc::unshare(kinds.bits() as i32) } == 0 {
        Ok(())
    } else {
        Err(last_errno())
    }
}

/// Whether others of the same user may look into the caller (/proc/PID, ptrace(2)).
///
/// # Errors
/// None that can happen.
pub fn set_dumpable(dumpable: bool) -> Result<()> {
    rustix::process::set_dumpable_behavior(if dumpable {
        DumpableBehavior::Dumpable
    } else {
        DumpableBehavior::NotDumpable
    })
}

/// Makes the caller the leader of a session and a process group of its own, without a terminal
/// (setsid(2)).
///
/// # Errors
/// EPERM if it leads a group already.
pub fn new_session() -> Result<()> {
    rustix::process::setsid().map(|_| ())
}

/// Makes a process group of the caller alone (setpgid(2)). Fails for the leader of a session, which
/// has one already.
pub fn new_group() {
    let _ = rustix::process::setpgid(None, None);
}

/// Sets which permissions the caller's new files do not get (umask(2)).
pub fn set_umask(mask: u32) {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask));
}

/// Has the kernel send SIGKILL to the caller when its parent ends. Changing ids clears it.
///
/// # Errors
/// None that can happen.
pub fn die_with_parent(yes: bool) -> Result<()> {
    use rustix::process::Signal;
    rustix::process::set_parent_process_death_signal(yes.then_some(Signal::KILL))
}

/// Closes every descriptor above 2 except `keep`, which is in any order.
///
/// # Errors
/// EPERM, ENOSYS: a filter of system calls does not let us. Any may be open still, so that who
/// must not have them must not go on.
pub fn close_all_but(keep: &[&dyn AsRawFd]) -> Result<()> {
    let mut numbers: Vec<u32> = keep
        .iter()
        .filter_map(|fd| u32::try_from(fd.as_raw_fd()).ok())
        .collect();
    numbers.sort_unstable();
    let mut first = 3;
    for number in numbers.into_iter().chain([u32::MAX]) {
        if number > first {
            // SAFETY: no memory is passed. Rust values that own these descriptors belong to
            // code that the caller, a fresh copy of another process or one that only waits
            // for its end, never returns to.
            let done = unsafe { libc::syscall(libc::SYS_close_range, first, number - 1, 0) };
            if done != 0 {
                return Err(last_errno());
            }
        }
        first = first.max(number.saturating_add(1));
    }
    Ok(())
}

/// Executes a program in place of the caller, searching no path. Returns only on failure.
///
/// `path` and the strings must have no NUL; the environment is `NAME=value` pairs.
#[must_use]
pub fn execute(path: &CStr, argv: &[&CStr], environment: &[&CStr]) -> Errno {
    let pointers = |list: &[&CStr]| -> Vec<*const libc::c_char> {
        list.iter()
            .map(|one| one.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    };
    let (argv, environment) = (pointers(argv), pointers(environment));
    // SAFETY: three NUL-terminated things that live to the end of the call.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), environment.as_ptr()) };
    last_errno()
}

/// A number that no other process on this host has had, opened by the caller for itself.
///
/// # Errors
/// ENOSYS before Linux 5.3; EMFILE.
pub fn own_pidfd() -> Result<OwnedFd> {
    rustix::process::pidfd_open(
        rustix::process::getpid(),
        rustix::process::PidfdFlags::empty(),
    )
}

/// Names the caller in /proc/PID/comm; at most 15 bytes show.
///
/// # Errors
/// None that can happen.
pub fn set_name(name: &CStr) -> Result<()> {
    rustix::thread::set_name(name)
}

/// Gives back what a long-lived process does not need: freed heap, and the pages of the
/// program itself, which come back from the page cache one by one as they are used.
pub fn shrink() {
    // SAFETY: glibc's own call on its own heap.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
    unsafe extern "C" {
        // The linker's own marks: the first byte of the program, the first behind its code.
        static __executable_start: u8;
        static etext: u8;
    }
    let (start, end) = (
        &raw const __executable_start as usize,
        &raw const etext as usize,
    );
    let whole_pages = (end - start) & !4095;
    // SAFETY: between the two marks lies what the file has and nobody writes: headers,
    // constants and code, without relocations. Dropped pages read the same again.
    unsafe { libc::madvise(start as *mut libc::c_void, whole_pages, libc::MADV_DONTNEED) };
}

/// Sets the host name of the caller's UTS namespace.
///
/// # Errors
/// EINVAL if longer than 64 bytes; EPERM.
pub fn set_hostname(name: &OsStr) -> Result<()> {
    rustix::system::sethostname(name.as_bytes())
}

/// Sets the interface `lo` of the caller's network namespace up (netdevice(7)).
///
/// # Errors
/// EPERM; ENODEV.
pub fn loopback_up() -> Result<()> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType};
    let socket = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    // SAFETY: ifreq is plain data, for which zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    let fd = socket.as_raw_fd();
    // SAFETY: SIOCSIFFLAGS reads one ifreq, which outlives the call.
    if unsafe { libc::ioctl(fd, libc::SIOCSIFFLAGS, &raw const request) } == 0 {
        Ok(())
    } else {
        Err(last_errno())
    }
}

/// Lifts the limits that somebody else's process may have set (getrlimit(2)): a session's
/// init must not die of its user's CPU or file size limit, and needs descriptors for the logins
/// of others than the one that it was made for. No core file is ever written.
pub fn reset_limits() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let none = Rlimit {
        current: None,
        maximum: None,
    };
    for resource in [Resource::Cpu, Resource::Fsize, Resource::Data, Resource::As] {
        // Raising the hard limit needs CAP_SYS_RESOURCE, which root in a container may lack;
        // then it stays as it is, and the worst is a session that is refused or ends early.
        if setrlimit(resource, none).is_err() {
            let maximum = getrlimit(resource).maximum;
            let _ = setrlimit(
                resource,
                Rlimit {
                    current: maximum,
                    maximum,
                },
            );
        }
    }
    let _ = setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    );
    // As the kernel has them for its first process, the second with room for many logins.
    for (resource, usual, most) in [
        (Resource::Stack, 8 << 20, None),
        (Resource::Nofile, 1024, Some(65536)),
    ] {
        let limit = getrlimit(resource);
        let wider = |a: Option<u64>, b: Option<u64>| a.zip(b).map(|(a, b)| a.max(b));
        let maximum = wider(limit.maximum, most);
        for maximum in [maximum, limit.maximum] {
            let least = maximum.map_or(usual, |most| most.min(usual));
            let current = wider(limit.current, Some(least));
            if setrlimit(resource, Rlimit { current, maximum }).is_ok() {
                break;
            }
        }
    }
}

/// Raises the limit of descriptors as far as it goes: a session's init has two a login.
pub fn raise_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    );
}
