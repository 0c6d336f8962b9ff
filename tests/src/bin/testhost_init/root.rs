//! The root directory of the host: an overlay over the machine's, and fresh file systems for
//! everything that carries state of the kernel or of running programs.

use std::ffi::CStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nsshell_tests::spec::{Copy, Spec};
use rustix::fs::{XattrFlags, setxattr};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change,
    mount_remount, unmount,
};

use crate::Because as _;

/// Where the upper layer's tmpfs is mounted, in this mount namespace only: a directory that
/// every machine has (hier(7)) and nothing below needs.
const STAGE: &str = "/mnt";

/// Where the new root is put together.
const NEW: &str = "/mnt/root";

/// Directories of the host's own, path and mode: nothing of the machine's shows through them.
/// They are no mounts, so that what a session mounts over them hides something.
const FRESH: [(&str, u32); 5] = [
    ("tmp", 0o1777),
    ("var/tmp", 0o1777),
    ("home", 0o755),
    ("root", 0o700),
    ("mnt", 0o755),
];

/// Parts of /proc through which root could change the machine.
const READ_ONLY_PROC: [&str; 2] = ["proc/sys", "proc/sysrq-trigger"];

/// Makes the host's root with the product in it, and makes it this process's root.
pub fn enter(spec: &Spec) -> Result<(), String> {
    let private = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
    mount_change("/", private).because("make all mounts private")?;
    fs_mount("tmpfs", STAGE, MountFlags::empty(), c"mode=755")?;
    for name in ["upper", "work", "root"] {
        let dir = Path::new(STAGE).join(name);
        fs::create_dir(&dir).because(dir.display())?;
    }
    for (dir, mode) in FRESH {
        fresh(&format!("{STAGE}/upper/{dir}"), mode)?;
    }
    let layers = c"lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work";
    fs_mount("overlay", NEW, MountFlags::empty(), layers)?;
    std::env::set_current_dir(NEW).because(NEW)?;

    kernel_file_systems(spec.systemd)?;
    fs_mount(
        "tmpfs",
        "run",
        MountFlags::NOSUID | MountFlags::NODEV,
        c"mode=755",
    )?;
    crate::devices::make()?;
    whole_proc()?;
    // The machine's file system is still in sight: last chance to take something from it.
    for copy in &spec.copies {
        install(copy)?;
    }
    for disk in &spec.disks {
        let to = disk.to.strip_prefix("/").because(disk.to.display())?;
        fs::create_dir_all(to).because(to.display())?;
        mount_bind(&disk.from, to).because(disk.from.display())?;
    }

    // Not chroot: the kernel makes no user namespace for a chrooted process
    // (user_namespaces(7), EPERM). With both arguments the same the old root comes to lie over
    // the new one, from where it is taken off.
    rustix::process::pivot_root(".", ".").because("pivot_root")?;
    unmount(".", UnmountFlags::DETACH).because("take off the machine's root")?;
    std::env::set_current_dir("/").because("/")
}

fn kernel_file_systems(systemd: bool) -> Result<(), String> {
    let plain = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    fs_mount("proc", "proc", plain, c"")?;
    // Not every kernel has each of them.
    for path in READ_ONLY_PROC
        .into_iter()
        .filter(|path| Path::new(path).exists())
    {
        mount_bind(path, path).because(path)?;
        mount_remount(path, MountFlags::BIND | MountFlags::RDONLY | plain, c"").because(path)?;
    }
    fs_mount("sysfs", "sys", plain | MountFlags::RDONLY, c"")?;
    if Path::new("sys/fs/cgroup").is_dir() {
        // The machine's own hierarchy, from this process's cgroup down: to be looked at only,
        // unless that is one of the host's own, for systemd.
        let access = match systemd {
            true => MountFlags::empty(),
            false => MountFlags::RDONLY,
        };
        fs_mount("cgroup2", "sys/fs/cgroup", plain | access, c"")?;
    }
    Ok(())
}

/// A procfs with nothing over it, out of everybody's reach. While every procfs in sight is
/// partly covered, the kernel lets no user namespace mount a new one (`mount_too_revealing`),
/// and containers in a session would fail for a reason that is the harness's own.
fn whole_proc() -> Result<(), String> {
    make_dir("run/host", 0o700)?;
    make_dir("run/host/proc", 0o555)?;
    fs_mount(
        "proc",
        "run/host/proc",
        MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
        c"",
    )
}

/// A directory of the upper layer that hides the lower one's of the same name (the kernel's
/// Documentation/filesystems/overlayfs.rst, "opaque").
fn fresh(dir: &str, mode: u32) -> Result<(), String> {
    make_dir(dir, mode)?;
    setxattr(dir, "trusted.overlay.opaque", b"y", XattrFlags::empty()).because(dir)
}

/// A directory with exactly this mode.
pub fn make_dir(dir: &str, mode: u32) -> Result<(), String> {
    fs::create_dir_all(dir).because(dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(mode)).because(dir)
}

/// Mounts a new file system of this kind.
pub fn fs_mount(kind: &str, target: &str, flags: MountFlags, data: &CStr) -> Result<(), String> {
    mount(kind, target, kind, flags, data).because(format_args!("mount {kind} on {target}"))
}

fn install(copy: &Copy) -> Result<(), String> {
    let to = copy.to.strip_prefix("/").because(copy.to.display())?;
    if let Some(dir) = to.parent() {
        fs::create_dir_all(dir).because(dir.display())?;
    }
    fs::copy(&copy.from, to).because(copy.from.display())?;
    fs::set_permissions(to, fs::Permissions::from_mode(copy.mode)).because(to.display())
}
