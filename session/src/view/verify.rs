//! A last look at the host layer: root's processes stand in it, the application above all, and
//! they must find nothing to load or to believe there that others than root can write.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use nsshell_config::{Mount, Plan, SessionPlan};
use rustix::fs::{FileType, OFlags};

use crate::error::Error;
use crate::sys::{Errno, fd};

/// Where the C library looks for libraries, modules of the name service and their
/// configuration, and sh(1) for programs.
const TRUSTED: [&str; 18] = [
    "/",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libx32",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/group",
];

/// The administrator's own, on root's path and ld.so(8)'s. A host may let a group write there,
/// so they are looked at only if the plan puts something else there.
const LOCAL: [&str; 3] = ["/usr/local/bin", "/usr/local/sbin", "/usr/local/lib"];

/// Debian's directories of libraries, by the machine's name.
const MULTIARCH: [&str; 2] = ["/lib", "/usr/lib"];

/// Where the C library asks daemons of the name service, and where these and PAM keep what they
/// say or do. On the host it may belong to the daemon's own user, so that it is looked at only if
/// the plan puts something else there. Missing ones count: who can make one answers for it.
const ASKED: [&str; 8] = [
    "/var/run/nscd",
    "/run/nscd",
    "/run/systemd/userdb",
    "/var/lib/sss",
    "/var/lib/extrausers",
    "/var/db",
    "/etc/pam.d",
    "/etc/security",
];

/// FUSE_SUPER_MAGIC of the kernel's include/uapi/linux/magic.h.
const FUSE: i64 = 0x6573_5546;

/// Looks at the places that root trusts, if the plan touches one.
///
/// # Errors
/// Somebody else can write one of them.
pub(super) fn host_layer(plan: &Plan, session: &SessionPlan) -> Result<(), Error> {
    for path in ASKED.map(Path::new) {
        let elsewhere = |mount: &Mount| changes(mount, path);
        if session.root.is_some() || session.mounts.iter().any(elsewhere) {
            walk(path)?;
        }
    }
    let touches = |mount: &Mount| match mount {
        Mount::Home { .. } => is_trusted(&plan.account.home),
        Mount::Expose { path } => is_trusted(path),
        other => target(other).is_some_and(is_trusted),
    };
    let touched = session.root.is_some() || session.mounts.iter().any(touches);
    if !touched {
        return Ok(());
    }
    for path in TRUSTED {
        walk(Path::new(path))?;
    }
    for mount in &session.mounts {
        // The user's own are theirs wherever they are, and no program of root's looks there.
        let Some(target) = target(mount) else {
            continue;
        };
        if is_trusted(target) {
            walk(target)?;
            let changed = LOCAL.iter().filter(|path| meet(target, Path::new(path)));
            changed.copied().map(Path::new).try_for_each(walk)?;
        }
    }
    for path in MULTIARCH {
        let name = format!("{}-linux-gnu", std::env::consts::ARCH);
        walk(&Path::new(path).join(name))?;
    }
    Ok(())
}

/// Whether a mount shows other files at a path, in it or above it. What it does itself to the
/// home is the user's in any place.
fn changes(mount: &Mount, path: &Path) -> bool {
    // by way of the link that /var/run is
    let real = path
        .strip_prefix("/var/run")
        .map(|rest| Path::new("/run").join(rest));
    target(mount)
        .is_some_and(|target| meet(target, path) || real.is_ok_and(|path| meet(target, &path)))
}

/// Where a mount of the plan goes that shows other files than the host's.
fn target(mount: &Mount) -> Option<&Path> {
    match mount {
        Mount::Tmpfs { target, .. }
        | Mount::Instance { target, .. }
        | Mount::Bind { target, .. }
        | Mount::Unmount { target, .. } => Some(target),
        _ => None,
    }
}

/// Whether what root trusts is there, in it or above it.
fn is_trusted(target: &Path) -> bool {
    let etc = ["/etc"];
    let all = TRUSTED.iter().skip(1).chain(&LOCAL).chain(&etc);
    all.into_iter().any(|path| meet(target, Path::new(path)))
}

fn meet(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// Looks at each component of a path, and of where symbolic links lead. What is missing is no
/// danger: nobody else can write what is above it.
fn walk(path: &Path) -> Result<(), Error> {
    const MOST_LINKS: usize = 16;
    let cannot = |at: &Path, errno| {
        let doing = format!("cannot look at {} in the session", at.display());
        Error::system(doing, errno)
    };
    let mut links = 0;
    let mut rest: VecDeque<OsString> = names(path);
    let mut at = PathBuf::from("/");
    let mut place = fd::open_place(&at).map_err(|errno| cannot(&at, errno))?;
    check(&place, &at)?;
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            at.pop();
            place = fd::open_place(&at).map_err(|errno| cannot(&at, errno))?;
            continue;
        }
        let next = at.join(&name);
        let flags = OFlags::PATH | OFlags::NOFOLLOW;
        place = match fd::open_here(&place, Path::new(&name), flags) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            found => found.map_err(|errno| cannot(&next, errno))?,
        };
        match check(&place, &next)? {
            FileType::Symlink => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(cannot(path, Errno::LOOP));
                }
                let to = rustix::fs::readlinkat(&place, "", Vec::new())
                    .map_err(|errno| cannot(&next, errno))?;
                let to = PathBuf::from(OsString::from_vec(to.into_bytes()));
                if to.is_absolute() {
                    at = PathBuf::from("/");
                }
                place = fd::open_place(&at).map_err(|errno| cannot(&at, errno))?;
                let mut led = names(&to);
                led.append(&mut rest);
                rest = led;
            }
            _ => at = next,
        }
    }
    Ok(())
}

fn names(path: &Path) -> VecDeque<OsString> {
    let name = |component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    };
    path.components().filter_map(name).collect()
}

/// What it is, if it is root's, nobody else can write it, and the kernel vouches for that.
fn check(place: &OwnedFd, at: &Path) -> Result<FileType, Error> {
    let cannot = |errno| {
        let doing = format!("cannot look at {} in the session", at.display());
        Error::system(doing, errno)
    };
    let stat = rustix::fs::fstat(place).map_err(cannot)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    let problem = if stat.st_uid != 0 {
        format!("belongs to uid {}", stat.st_uid)
    } else if kind != FileType::Symlink && stat.st_mode & 0o022 != 0 {
        format!(
            "can be written by others (mode {:04o})",
            stat.st_mode & 0o7777
        )
    } else if rustix::fs::fstatfs(place).map_err(cannot)?.f_type == FUSE {
        "is on a FUSE file system, which shows what whoever serves it wants".to_owned()
    } else {
        return Ok(kind);
    };
    Err(Error::NotAsPlanned(format!(
        "{} of the session {problem}, and root's programs would trust it; only root may be able \
         to change it: chown root:root and chmod go-w it, or take it out of the profile",
        at.display()
    )))
}
