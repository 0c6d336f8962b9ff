//! Descriptors: kept clear of the standard ones, known again, opened without surprises.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};

use super::Result;

/// Moves a descriptor to a number above 2, close-on-exec.
///
/// An application that has closed 0 to 2 would otherwise get ours there, and lose it at its
/// next `dup2` onto standard output.
///
/// # Errors
/// EMFILE.
pub fn above_standard(fd: OwnedFd) -> Result<OwnedFd> {
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    rustix::io::fcntl_dupfd_cloexec(&fd, 3)
}

/// What a descriptor refers to: device and inode. An application may close descriptors that
/// it does not know and use their numbers again; this tells whether one is still ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// The inode: for a namespace, the number that its link in /proc shows.
    #[must_use]
    pub fn inode(self) -> u64 {
        self.inode
    }
}

/// The identity of an open descriptor.
///
/// # Errors
/// EBADF if it is not open.
pub fn identity(fd: impl AsFd) -> Result<Identity> {
    let stat = rustix::fs::fstat(fd)?;
    Ok(Identity {
        device: stat.st_dev,
        inode: stat.st_ino,
    })
}

/// A descriptor that is only used, and only closed, while it is still what it was.
#[derive(Debug)]
pub struct Kept {
    number: RawFd,
    identity: Identity,
}

impl Kept {
    /// Keeps a descriptor, above the standard ones.
    ///
    /// # Errors
    /// EMFILE.
    pub fn new(fd: OwnedFd) -> Result<Self> {
        let fd = above_standard(fd)?;
        let identity = identity(&fd)?;
        Ok(Self {
            number: std::os::fd::IntoRawFd::into_raw_fd(fd),
            identity,
        })
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> RawFd {
        self.number
    }

    /// Has programs that the application executes inherit it.
    ///
    /// # Errors
    /// EBADF if it is not ours any more.
    pub fn leave_to_children(&self) -> Result<()> {
        let fd = self.get().ok_or(super::Errno::BADF)?;
        rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty())
    }

    /// Lends the descriptor if it is still ours.
    #[must_use]
    pub fn get(&self) -> Option<BorrowedFd<'_>> {
        // SAFETY: the number came from an OwnedFd; if the application has closed it since,
        // fstat fails or shows another file, and it is not lent. Nothing runs between the
        // check and the use in an application without threads, the only kind we enter.
        let fd = unsafe { BorrowedFd::borrow_raw(self.number) };
        (identity(fd) == Ok(self.identity)).then_some(fd)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.get().is_some() {
            // SAFETY: still the file that we opened, and nobody else owns the number.
            unsafe { libc::close(self.number) };
        }
    }
}

/// Opens a directory as a place (`O_PATH`), following no symbolic link in any component.
///
/// # Errors
/// ELOOP: a component is a symbolic link; ENOENT, ENOTDIR.
pub fn open_place(path: &Path) -> Result<OwnedFd> {
    open_beneath(CWD, path, OFlags::PATH | OFlags::DIRECTORY)
}

/// Opens `path`, relative to `dir` unless absolute, following no symbolic link, never
/// blocking on a FIFO and never taking a terminal (openat2(2)).
///
/// # Errors
/// ELOOP: a component is a symbolic link; otherwise as openat2(2).
pub fn open_beneath(dir: impl AsFd, path: &Path, flags: OFlags) -> Result<OwnedFd> {
    let safe = if flags.contains(OFlags::PATH) {
        OFlags::CLOEXEC
    } else {
        OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY
    };
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(dir, path, flags | safe, Mode::empty(), resolve)
}

/// Opens a name in an open directory, itself if it is a symbolic link, without mounting what an
/// automounter would.
///
/// # Errors
/// As openat(2).
#[cfg(feature = "engine")]
pub fn open_here(dir: impl AsFd, name: &Path, flags: OFlags) -> Result<OwnedFd> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::empty())
}

/// Closes every open directory of the caller; a standard one becomes /dev/null instead, so that
/// no later file takes its number.
///
/// # Errors
/// /proc or /dev/null is not there, or cannot be read.
pub fn close_directories() -> Result<()> {
    close_inherited_if(|fd| {
        rustix::fs::fstat(fd)
            .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir())
    })
}

/// Closes every descriptor that the program was started with; standard ones become /dev/null.
///
/// # Errors
/// As [`close_directories`].
pub fn close_inherited() -> Result<()> {
    close_inherited_if(|_| true)
}

fn close_inherited_if(wanted: impl Fn(BorrowedFd<'_>) -> bool) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let listing = rustix::fs::openat(CWD, "/proc/self/fd", flags, Mode::empty())?;
    for entry in rustix::fs::Dir::read_from(&listing)? {
        let entry = entry?;
        let number = entry.file_name().to_str().unwrap_or("").parse::<RawFd>();
        let Ok(number) = number else { continue };
        // SAFETY: only looked at; what is not open any more makes fcntl fail.
        let open = unsafe { BorrowedFd::borrow_raw(number) };
        // Ours have close-on-exec.
        let theirs = rustix::io::fcntl_getfd(open)
            .is_ok_and(|flags| !flags.contains(rustix::io::FdFlags::CLOEXEC));
        if theirs && wanted(open) {
            close_one_inherited(number)?;
        }
    }
    Ok(())
}

fn close_one_inherited(number: RawFd) -> Result<()> {
    if number > 2 {
        // SAFETY: inherited from whoever executed this program, so that no value of it owns it.
        unsafe { libc::close(number) };
        return Ok(());
    }
    let null = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty())?;
    // SAFETY: as above; the standard descriptors have no owner in this program.
    if unsafe { libc::dup2(null.as_raw_fd(), number) } < 0 {
        return Err(super::last_errno());
    }
    Ok(())
}

/// Opens the root directory of a process as a place.
///
/// # Errors
/// ENOENT: the process is gone; EACCES: the caller may not look into it.
pub fn open_root(pid: i32) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, format!("/proc/{pid}/root"), flags, Mode::empty())
}

/// Makes an open directory the working directory.
///
/// # Errors
/// EACCES, ENOTDIR.
pub fn change_directory(place: impl AsFd) -> Result<()> {
    rustix::process::fchdir(place)
}

/// Removes a file if it is there.
pub fn remove_file(path: &Path) {
    // Nothing more can be done about one that cannot be removed.
    let _ = rustix::fs::unlink(path);
}

/// Removes a directory if it is there and empty.
pub fn remove_directory(path: &Path) {
    let _ = rustix::fs::rmdir(path);
}

/// Takes a descriptor that whoever started this program has left open under an agreed number.
///
/// # Errors
/// EBADF if it is not open.
pub fn inherited(number: RawFd) -> Result<OwnedFd> {
    // SAFETY: only looked at; fstat says whether it is open at all.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    identity(borrowed)?;
    // Taken under another number, close-on-exec, so that nothing here owns the agreed one.
    let taken = rustix::io::fcntl_dupfd_cloexec(borrowed, 5)?;
    // SAFETY: open, and no value of this program owns it.
    unsafe { libc::close(number) };
    Ok(taken)
}

/// Takes a descriptor that the program was started with, if it is a file of a procfs.
#[must_use]
pub fn inherited_of_proc(number: RawFd) -> Option<OwnedFd> {
    if number < 0 {
        return None;
    }
    // SAFETY: only looked at; what is not open makes the call fail.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let of_proc =
        rustix::fs::fstatfs(borrowed).is_ok_and(|stat| stat.f_type == rustix::fs::PROC_SUPER_MAGIC);
    if of_proc {
        inherited(number).ok()
    } else {
        None
    }
}

/// True if a file is open for reading.
#[must_use]
pub fn is_readable(file: impl AsFd) -> bool {
    rustix::fs::fcntl_getfl(file).is_ok_and(|flags| flags & OFlags::RWMODE != OFlags::WRONLY)
}

/// Closes a descriptor in a child that never returns to the code of its owner (see
/// [`super::process::clone`]).
pub fn close_in_child(fd: BorrowedFd<'_>) {
    // SAFETY: the owner is a value of the process that the child is a copy of, and is not dropped
    // in the child.
    unsafe { libc::close(fd.as_raw_fd()) };
}

/// Opens /proc/PID/stat (proc_pid_stat(5)). The file stays that process's, also when another one
/// gets its number.
///
/// # Errors
/// ENOENT: the process is gone.
pub fn open_stat(pid: i32) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, format!("/proc/{pid}/stat"), flags, Mode::empty())
}

/// Reads a file from its start, wherever it has been read before.
///
/// # Errors
/// As pread(2).
pub fn read_at_start(file: impl AsFd, buffer: &mut [u8]) -> Result<usize> {
    rustix::io::pread(file, buffer, 0)
}

/// A pipe, close-on-exec: where to read, where to write.
///
/// # Errors
/// EMFILE.
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
}

/// Puts `fd` at a standard number (0 to 2) for the program to be executed.
///
/// # Errors
/// EBADF.
pub fn install(fd: impl AsFd, standard: RawFd) -> Result<()> {
    // SAFETY: no memory is passed; a standard descriptor that is replaced is owned by nobody.
    let got = unsafe { libc::dup2(fd.as_fd().as_raw_fd(), standard) };
    if got == standard {
        Ok(())
    } else {
        Err(super::last_errno())
    }
}

/// Puts /dev/null at the standard numbers, and so lets go of what was there.
pub fn empty_standard() {
    let null = rustix::fs::openat(
        CWD,
        c"/dev/null",
        OFlags::RDWR | OFlags::CLOEXEC,
        Mode::empty(),
    );
    if let Ok(null) = null {
        for standard in 0..=2 {
            // Fails for no descriptor of ours.
            let _ = install(&null, standard);
        }
    }
}

/// Puts /dev/null, close-on-exec, at each standard number that is closed, so that nothing
/// opened later gets it and is written to by whoever means standard error. The program that
/// is executed in the end finds them closed, as they were.
pub fn fill_standard() {
    for standard in 0..=2 {
        // SAFETY: no memory is passed; F_GETFD only looks.
        let closed = unsafe { libc::fcntl(standard, libc::F_GETFD) } < 0;
        if closed {
            // SAFETY: the path ends in NUL. The kernel gives the lowest free number, which is
            // this one; it is never closed, and nobody owns it.
            unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) };
        }
    }
}

/// The standard descriptors: input, output, error.
#[must_use]
pub fn standard() -> [BorrowedFd<'static>; 3] {
    // SAFETY: a number that is closed makes every call with it fail; the programs of the project
    // begin with something at each of the three (`fill_standard`), and only replace it.
    [0, 1, 2].map(|number| unsafe { BorrowedFd::borrow_raw(number) })
}

/// Reads once; 0 at the end.
///
/// # Errors
/// As read(2), interruption waited out.
pub fn read(fd: impl AsFd, buffer: &mut [u8]) -> Result<usize> {
    loop {
        match rustix::io::read(&fd, &mut *buffer) {
            Err(super::Errno::INTR) => {}
            other => return other,
        }
    }
}

/// The user id that owns an open file, as the caller's user namespace shows it.
///
/// # Errors
/// EBADF.
pub fn owner(fd: impl AsFd) -> Result<u32> {
    Ok(rustix::fs::fstat(fd)?.st_uid)
}
