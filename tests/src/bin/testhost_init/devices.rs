//! /dev of the host: the few devices that every program may expect, and nothing with the
//! machine's hardware behind it.

use std::os::unix::fs::symlink;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use rustix::mount::MountFlags;

use crate::Because as _;
use crate::root::{fs_mount, make_dir};

/// Name, major and minor number (the kernel's Documentation/admin-guide/devices.txt).
const NODES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Makes ./dev.
pub fn make() -> Result<(), String> {
    fs_mount("tmpfs", "dev", MountFlags::NOSUID, c"mode=755")?;
    // mknod(2) takes the umask away from the mode.
    let umask = rustix::process::umask(Mode::empty());
    for (name, major, minor) in NODES {
        let path = format!("dev/{name}");
        let mode = Mode::from_raw_mode(0o666);
        mknodat(
            CWD,
            &path,
            FileType::CharacterDevice,
            mode,
            makedev(major, minor),
        )
        .because(&path)?;
    }
    rustix::process::umask(umask);
    for (name, target) in LINKS {
        symlink(target, format!("dev/{name}")).because(name)?;
    }
    for dir in ["dev/pts", "dev/shm", "dev/mqueue"] {
        make_dir(dir, 0o755)?;
    }
    let plain = MountFlags::NOSUID | MountFlags::NOEXEC;
    // An instance of its own (the kernel's Documentation/filesystems/devpts.rst); group 5 is tty.
    fs_mount(
        "devpts",
        "dev/pts",
        plain,
        c"newinstance,gid=5,mode=620,ptmxmode=666",
    )?;
    fs_mount(
        "tmpfs",
        "dev/shm",
        MountFlags::NOSUID | MountFlags::NODEV,
        c"mode=1777",
    )?;
    fs_mount("mqueue", "dev/mqueue", plain | MountFlags::NODEV, c"")?;
    make_dir("dev/mqueue", 0o1777)
}
