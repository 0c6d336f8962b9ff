//! The gate's system calls, and how it begins: there is no C library and no runtime in it.
//!
//! All unsafe code of the program. It stands apart from the project's other system calls since
//! those are for programs with the standard library.
#![allow(unsafe_code)]

mod memory;
mod start;

use core::ffi::CStr;
use core::mem::MaybeUninit;

use alloc::vec::Vec;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, RawDir, ResolveFlags, Stat};
use rustix::io::{Errno, FdFlags};
use rustix::thread::UnshareFlags;

use nsshell_gate::typing_filter::{self, Instruction};

pub use start::Called;

/// The result of a system call.
pub type Result<T> = core::result::Result<T, Errno>;

/// A system call by its number, for those that rustix does not have.
///
/// # Safety
/// As the call demands it.
unsafe fn call(number: usize, arguments: [usize; 3]) -> isize {
    let [first, second, third] = arguments;
    let result: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller's; the kernel changes no register but these (syscall(2)).
    unsafe {
        core::arch::asm!("syscall", inlateout("rax") number as isize => result, in("rdi") first,
            in("rsi") second, in("rdx") third, lateout("rcx") _, lateout("r11") _,
            options(nostack));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the caller's; the kernel changes no register but the result's.
    unsafe {
        core::arch::asm!("svc 0", in("x8") number, inlateout("x0") first as isize => result,
            in("x1") second, in("x2") third, options(nostack));
    }
    #[cfg(target_arch = "riscv64")]
    // SAFETY: the caller's; the kernel changes no register but the result's.
    unsafe {
        core::arch::asm!("ecall", in("a7") number, inlateout("a0") first as isize => result,
            in("a1") second, in("a2") third, options(nostack));
    }
    result
}

#[cfg(target_arch = "x86_64")]
mod number {
    pub const EXECVE: usize = 59;
    pub const EXIT_GROUP: usize = 231;
    pub const SECCOMP: usize = 317;
}
#[cfg(not(target_arch = "x86_64"))]
mod number {
    pub const EXECVE: usize = 221;
    pub const EXIT_GROUP: usize = 94;
    pub const SECCOMP: usize = 277;
}

fn errno(result: isize) -> Errno {
    Errno::from_raw_os_error(i32::try_from(result.unsigned_abs()).unwrap_or(0))
}

/// Ends the process.
pub fn exit(status: u8) -> ! {
    loop {
        // SAFETY: ends the process and takes no memory.
        unsafe { call(number::EXIT_GROUP, [usize::from(status), 0, 0]) };
    }
}

/// Executes a program in place of the caller. Returns only on failure.
pub fn execute(path: &CStr, arguments: &[&CStr], environment: &[&CStr]) -> Errno {
    let pointers = |list: &[&CStr]| -> Vec<usize> {
        let pointers = list.iter().map(|one| one.as_ptr() as usize);
        pointers.chain([0]).collect()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    let pointers = [path.as_ptr() as usize, arguments.as_ptr() as usize];
    // SAFETY: a string and two lists of strings, each ended by NUL or a null pointer, that live to
    // the end of the call.
    let result = unsafe {
        call(
            number::EXECVE,
            [pointers[0], pointers[1], environment.as_ptr() as usize],
        )
    };
    errno(result)
}

/// Takes the means of typing into terminals from the caller and all that it starts (seccomp(2)).
/// To be called with CAP_SYS_ADMIN in the caller's user namespace: without that the kernel demands
/// no_new_privs, which would stop set-uid programs.
///
/// # Errors
/// EACCES without CAP_SYS_ADMIN; EINVAL: the kernel has no filters.
pub fn forbid_typing() -> Result<()> {
    /// `struct sock_fprog` of linux/filter.h
    #[repr(C)]
    struct Program {
        length: u16,
        filter: *const Instruction,
    }
    const SET_MODE_FILTER: usize = 1;
    let filter = typing_filter::program();
    let program = Program {
        length: u16::try_from(filter.len()).unwrap_or(0),
        filter: filter.as_ptr(),
    };
    let pointer = &raw const program as usize;
    let flags = typing_filter::FLAGS as usize;
    // SAFETY: the kernel copies the program, which lives to the end of the call.
    match unsafe { call(number::SECCOMP, [SET_MODE_FILTER, flags, pointer]) } {
        0 => Ok(()),
        result => Err(errno(result)),
    }
}

/// Enters the namespace behind a descriptor (setns(2)).
///
/// # Errors
/// EINVAL: the caller is in that user namespace already; EPERM.
pub fn join(namespace: impl AsFd) -> Result<()> {
    rustix::thread::move_into_link_name_space(namespace.as_fd(), None)
}

/// Takes a mount namespace of the caller's own (unshare(2)).
///
/// # Errors
/// EPERM; ENOSPC: the limit of mount namespaces is reached.
pub fn unshare_mounts() -> Result<()> {
    // SAFETY: no descriptor table is unshared, which is what could be unsound.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }
}

/// The caller's real user id.
pub fn uid() -> u32 {
    rustix::process::getuid().as_raw()
}

/// Opens a file to be read, following no symbolic link, without waiting (openat2(2)).
///
/// # Errors
/// ELOOP: a component is a symbolic link.
pub fn open_beneath(path: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(CWD, path, flags, Mode::empty(), resolve)
}

/// Opens a file of the kernel's.
///
/// # Errors
/// As open(2).
pub fn open(path: &CStr, flags: OFlags) -> Result<OwnedFd> {
    rustix::fs::openat(CWD, path, flags | OFlags::CLOEXEC, Mode::empty())
}

/// Looks at a path.
///
/// # Errors
/// As stat(2).
pub fn stat(path: &CStr) -> Result<Stat> {
    rustix::fs::stat(path)
}

/// Looks at an open file.
///
/// # Errors
/// As fstat(2).
pub fn fstat(file: impl AsFd) -> Result<Stat> {
    rustix::fs::fstat(file)
}

/// Reads a file to its end, but no more than `most` bytes.
///
/// # Errors
/// As read(2).
pub fn read(file: impl AsFd, most: usize) -> Result<Vec<u8>> {
    const PIECE: usize = 8192;
    let mut text = Vec::new();
    while text.len() < most {
        let start = text.len();
        text.resize(start + PIECE.min(most - start), 0);
        let got = match rustix::io::read(&file, &mut text[start..]) {
            Err(Errno::INTR) => 0,
            Err(errno) => return Err(errno),
            Ok(0) => {
                text.truncate(start);
                break;
            }
            Ok(got) => got,
        };
        text.truncate(start + got);
    }
    Ok(text)
}

/// Writes to standard error. There is no other place to say that this does not work.
pub fn complain(text: &[u8]) {
    // SAFETY: start() has seen to it that descriptor 2 is open; it is never closed.
    let error = unsafe { BorrowedFd::borrow_raw(2) };
    let mut rest = text;
    while let Ok(written @ 1..) = rustix::io::write(error, rest) {
        rest = &rest[written..];
    }
}

/// A descriptor that the program was started with.
#[derive(Debug, Clone, Copy)]
pub struct Inherited(i32);

impl Inherited {
    /// Standard input, output and error.
    pub const STANDARD: [Self; 3] = [Self(0), Self(1), Self(2)];

    /// Its number.
    pub fn number(self) -> i32 {
        self.0
    }

    fn borrow(self) -> BorrowedFd<'static> {
        // SAFETY: the program closes inherited descriptors only by `close`, which takes the value.
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }

    /// The terminal's owner and number, if it is a terminal.
    pub fn terminal(self) -> Option<Stat> {
        let stat = fstat(self.borrow()).ok()?;
        let is_device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
        (is_device && rustix::termios::isatty(self.borrow())).then_some(stat)
    }

    /// True if it is a directory.
    pub fn is_directory(self) -> bool {
        fstat(self.borrow()).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir())
    }

    /// True if it is a file of a procfs.
    pub fn is_of_proc(self) -> bool {
        rustix::fs::fstatfs(self.borrow())
            .is_ok_and(|stat| stat.f_type == rustix::fs::PROC_SUPER_MAGIC)
    }

    /// Closes it; /dev/null takes the place of a standard one, so that no later file gets its
    /// number.
    ///
    /// # Errors
    /// /dev/null cannot be opened.
    pub fn close(self) -> Result<()> {
        if self.0 > 2 {
            // SAFETY: nothing of this program owns an inherited descriptor.
            unsafe { rustix::io::close(self.0) };
            return Ok(());
        }
        let null = open(c"/dev/null", OFlags::RDWR)?;
        match self.0 {
            0 => rustix::stdio::dup2_stdin(&null),
            1 => rustix::stdio::dup2_stdout(&null),
            _ => rustix::stdio::dup2_stderr(&null),
        }
    }
}

/// The descriptors that a program executed by this one would have.
///
/// # Errors
/// /proc cannot be read.
pub fn inherited() -> Result<Vec<Inherited>> {
    let listing = open(c"/proc/self/fd", OFlags::RDONLY | OFlags::DIRECTORY)?;
    let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
    let mut entries = RawDir::new(&listing, &mut buffer);
    let mut all = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let number = entry.file_name().to_str().unwrap_or("").parse::<i32>();
        all.extend(number.map(Inherited));
    }
    // Descriptors with close-on-exec are this program's own, or do not get any further.
    all.retain(|one| {
        one.0 != listing.as_raw_fd()
            && rustix::io::fcntl_getfd(one.borrow())
                .is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC))
    });
    Ok(all)
}

/// Puts /dev/null, close-on-exec, at each standard number that is closed, so that nothing opened
/// later gets it and is written to as standard error. The program that is executed in the end
/// finds them closed, as they were.
fn fill_standard() {
    for standard in Inherited::STANDARD {
        if rustix::io::fcntl_getfd(standard.borrow()).is_err()
            && let Ok(null) = open(c"/dev/null", OFlags::RDWR)
        {
            // The kernel gives the lowest free number, which is this one.
            core::mem::forget(null);
        }
    }
}
