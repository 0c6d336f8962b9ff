//! A /dev with what every program expects and nothing of the host's hardware.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nsshell_config::Mount;
use rustix::fs::{CWD, FileType, OFlags};

use super::View;
use super::fresh::{attach, make};
use super::place::Kind;
use crate::error::Error;
use crate::sys::attributes::{self, Change, Flags};
use crate::sys::mount::{self, Programs};
use crate::sys::tree::{self, Depth};
use crate::sys::{Errno, fd};

const DEV: &str = "/dev";

/// Name, major and minor number; everybody may read and write (devices.txt of the kernel).
const NODES: [(&str, (u32, u32)); 7] = [
    ("null", (1, 3)),
    ("zero", (1, 5)),
    ("full", (1, 7)),
    ("random", (1, 8)),
    ("urandom", (1, 9)),
    ("tty", (5, 0)),
    // The kernel looks for the devpts beside it, on "pts".
    ("ptmx", (5, 2)),
];

/// Descriptors by name, as every program expects them.
const LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// The socket of syslog(3), and where systemd's journal keeps it, to which the first is a link.
const LOGS: [&str; 2] = ["/dev/log", "/run/systemd/journal/dev-log"];

/// What of the host's /dev is seen in a session.
pub(super) struct Sources {
    /// The host's devpts: with another one, the terminal of the login would lose its name.
    pts: OwnedFd,
    /// the login's own terminal, where it is
    tty: Option<(PathBuf, OwnedFd)>,
    /// The socket of syslog(3): the application stands in this /dev when it logs the end of the
    /// login.
    log: Option<OwnedFd>,
}

pub(super) fn gather(tty: Option<&Path>) -> Result<Sources, Error> {
    Ok(Sources {
        pts: take(Path::new("/dev/pts"), FileType::Directory)?
            .ok_or_else(|| cannot(Path::new("/dev/pts"), Errno::NOENT))?,
        tty: match tty {
            Some(path) => take(path, FileType::CharacterDevice)?.map(|tty| (path.to_owned(), tty)),
            None => None,
        },
        log: LOGS
            .iter()
            .find_map(|path| take(Path::new(path), FileType::Socket).transpose())
            .transpose()?,
    })
}

/// A copy of something in the host's /dev; none if it is missing or something else.
fn take(path: &Path, wanted: FileType) -> Result<Option<OwnedFd>, Error> {
    let found = match fd::open_beneath(CWD, path, OFlags::PATH) {
        Err(Errno::NOENT | Errno::LOOP) => return Ok(None),
        found => found.map_err(|errno| cannot(path, errno))?,
    };
    let stat = rustix::fs::fstat(&found).map_err(|errno| cannot(path, errno))?;
    if FileType::from_raw_mode(stat.st_mode) != wanted {
        return Ok(None);
    }
    tree::copy(found, Depth::Single)
        .map(Some)
        .map_err(|errno| cannot(path, errno))
}

impl View<'_> {
    pub(super) fn put_dev(&mut self, sources: &Sources) -> Result<(), Error> {
        let target = Path::new(DEV);
        let place = self.required(target, Kind::Directory)?;
        let dev = make(
            "tmpfs",
            &[("mode", "755"), ("size", "64k")],
            Programs::Forbidden,
            target,
        )?;
        fill(&dev).map_err(|(name, errno)| {
            let advice = match errno {
                Errno::PERM => {
                    "root needs CAP_MKNOD; in a container, take `dev` out of the profile"
                }
                _ => "",
            };
            Error::advised(format!("cannot make /dev/{name}"), errno, advice)
        })?;
        // What we make has no device nodes unless it is for them.
        let change = Change {
            clear: Flags::NO_DEV,
            ..Change::default()
        };
        attributes::change(&dev, Depth::Single, &change).map_err(|errno| cannot(target, errno))?;
        attach(&dev, place, target)?;
        self.places
            .add_fresh(&dev)
            .map_err(|errno| cannot(target, errno))?;
        self.put_on("/dev/pts", Kind::Directory, &sources.pts)?;
        if let Some(log) = &sources.log {
            self.put_on(LOGS[0], Kind::File, log)?;
        }
        if let Some((path, tty)) = &sources.tty {
            self.put_on(path, Kind::File, tty)?;
        }
        if self.job.session.mounts.contains(&Mount::Mqueue) {
            self.required(Path::new("/dev/mqueue"), Kind::Directory)?;
            self.put_mqueue()?;
        }
        self.put_shm()?;
        // Once all places in it are made.
        self.seal.push(dev);
        Ok(())
    }

    fn put_on(&self, path: impl AsRef<Path>, kind: Kind, copy: &OwnedFd) -> Result<(), Error> {
        let path = path.as_ref();
        attach(copy, self.required(path, kind)?, path)
    }

    /// The directory of shm_open(3), which is the session's own if the plan makes it so later.
    fn put_shm(&self) -> Result<(), Error> {
        let path = Path::new("/dev/shm");
        let place = self.required(path, Kind::Directory)?;
        let own = |mount: &Mount| match mount {
            Mount::Tmpfs { target, .. } | Mount::Instance { target, .. } => target == path,
            _ => false,
        };
        if self.job.session.mounts.iter().any(own) {
            return Ok(());
        }
        let shm = make("tmpfs", &[("mode", "1777")], Programs::Allowed, path)?;
        attach(shm, place, path)
    }
}

fn fill(dev: &OwnedFd) -> Result<(), (&'static str, Errno)> {
    for (name, number) in NODES {
        mount::make_device(dev, name, number).map_err(|errno| (name, errno))?;
    }
    for (name, to) in LINKS {
        mount::make_link(dev, OsStr::new(name), OsStr::new(to)).map_err(|errno| (name, errno))?;
    }
    Ok(())
}

fn cannot(path: &Path, errno: Errno) -> Error {
    Error::system(
        format!("cannot take {} into the session", path.display()),
        errno,
    )
}
