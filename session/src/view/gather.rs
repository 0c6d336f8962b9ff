//! What the mounts of a plan show, taken from the host before the first mount of ours: each a
//! detached copy, so that no later mount, and nobody who moves things on the host meanwhile,
//! makes it something else.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nsshell_config::{Attributes, Home, Mount, Namespace, Propagation};
use rustix::fs::{FileType, OFlags};

use super::instance::{self, Instance};
use super::{Job, dev, home, idmap, place};
use crate::error::Error;
use crate::sys::attributes::{self, Change, Flags};
use crate::sys::tree::{self, Depth};
use crate::sys::{Errno, fd, fsid};
use crate::{STATE, sys::mount};

/// What was found for one mount of the plan.
pub(super) enum Source {
    /// it shows nothing of the host's
    None,
    /// it is missing, and may be
    Missing,
    /// what is to be attached
    Mount(OwnedFd),
    /// the host's part of a /dev
    Dev(dev::Sources),
}

impl From<Option<OwnedFd>> for Source {
    fn from(found: Option<OwnedFd>) -> Self {
        found.map_or(Self::Missing, Self::Mount)
    }
}

/// Binds that give mounts back to the host. They are taken before the session is cut off from
/// it, which makes a difference to nothing else: in the order of the plan, none for the others.
pub(super) fn shared(job: &Job<'_>) -> Result<Vec<Option<Source>>, Error> {
    let is_shared = |mount: &Mount| {
        let Mount::Bind { propagation, .. } = mount else {
            return false;
        };
        *propagation == Propagation::Shared
    };
    let mounts = &job.session.mounts;
    if !mounts.iter().any(is_shared) {
        return Ok(Vec::new());
    }
    job.need_module("give mounts back to the host (propagation = \"shared\")")?;
    let take = |(index, mount): (usize, &Mount)| {
        if !is_shared(mount) {
            return Ok(None);
        }
        // What we mounted there would show on the host.
        let own = target(mount).unwrap_or(Path::new("/"));
        let beneath = |path: &Path| path.starts_with(own);
        let later = mounts[index + 1..]
            .iter()
            .filter_map(target)
            .find(|path| beneath(path));
        if let Some(path) = later.or_else(|| Some(Path::new(STATE)).filter(|path| beneath(path))) {
            return Err(Error::NotAsPlanned(format!(
                "{} is bound with propagation = \"shared\", so that a mount on {} would show on \
                 the host; make the bind \"slave\", or take the other one out of the profile",
                own.display(),
                path.display()
            )));
        }
        bind(job, mount).map(Some)
    };
    mounts.iter().enumerate().map(take).collect()
}

/// Everything else but the home, in the order of the plan; `shared` is what was taken before.
pub(super) fn all(job: &Job<'_>, shared: Vec<Option<Source>>) -> Result<Vec<Source>, Error> {
    let mut shared = shared.into_iter();
    let one = |mount| match shared.next().flatten() {
        Some(source) => Ok(source),
        None => one(job, mount),
    };
    job.session.mounts.iter().map(one).collect()
}

fn one(job: &Job<'_>, mount: &Mount) -> Result<Source, Error> {
    match mount {
        Mount::Bind { .. } => bind(job, mount),
        Mount::Expose { path } => expose(job, path),
        Mount::Dev { tty } => {
            job.need_module("make another /dev")?;
            dev::gather(tty.as_deref()).map(Source::Dev)
        }
        Mount::Instance { .. } => instance(job, mount),
        // Under another root there is none before it is made, and it is made if the host has one.
        Mount::RuntimeDir if job.session.root.is_some() && !mount::exists("/run/user") => {
            Ok(Source::Missing)
        }
        _ => Ok(Source::None),
    }
}

/// A directory on disk in place of another one.
fn instance(job: &Job<'_>, mount: &Mount) -> Result<Source, Error> {
    job.need_module("make an instance of a directory")?;
    match Instance::of(mount) {
        Some(wanted) => instance::gather(&wanted, job.user()).map(Source::from),
        None => Ok(Source::None),
    }
}

/// The home, as it is when the host's mounts are off that are to be.
pub(super) fn home(job: &Job<'_>, home: &Home) -> Result<Source, Error> {
    match home {
        Home::Real => real_home(job, false),
        Home::ReadOnly => real_home(job, true),
        Home::Overlay { .. } | Home::Fresh { .. } => {
            job.need_module("make an ephemeral home")?;
            home::gather(job, home).map(Source::from)
        }
    }
}

/// The host's home directory, with what is mounted in it.
fn real_home(job: &Job<'_>, read_only: bool) -> Result<Source, Error> {
    let path = &job.plan.account.home;
    let cannot = |errno| {
        let advice = match errno {
            Errno::LOOP => place::loop_advice(path, place::HOME_LINK),
            Errno::ACCESS => "neither root nor the user may go there",
            Errno::NOENT | Errno::NOTDIR => "make it, or have pam_mkhomedir make it before",
            _ => "",
        };
        Error::advised(
            format!("cannot open the home directory {}", path.display()),
            errno,
            advice,
        )
    };
    // O_DIRECTORY has an automounter mount it.
    let found = match place::open(path, job.user(), OFlags::DIRECTORY) {
        // As without a session: it is for the application to say so.
        Err(Errno::NOENT) if !read_only => return Ok(Source::Missing),
        found => found.map_err(cannot)?,
    };
    let owner = fd::owner(&found).map_err(cannot)?;
    if !job.alone && owner != job.plan.account.uid && owner != 0 {
        return Err(Error::NotAsPlanned(format!(
            "the home directory {} belongs to uid {owner}; it has to be the user's or root's",
            path.display()
        )));
    }
    let copy = tree::copy(found, Depth::Recursive).map_err(cannot)?;
    if read_only {
        make_read_only(&copy, Depth::Recursive).map_err(cannot)?;
    }
    Ok(Source::Mount(copy))
}

/// Makes a detached copy, or a mount of the session's, read-only, and deaf to later mounts of
/// the host, which would not be.
pub(super) fn make_read_only(mount: impl AsFd, depth: Depth) -> Result<(), Errno> {
    let change = Change {
        set: Flags::READ_ONLY,
        private: true,
        ..Change::default()
    };
    attributes::change(&mount, depth, &change)?;
    if attributes::flags(&mount)?.has(Flags::READ_ONLY) {
        Ok(())
    } else {
        Err(Errno::ROFS)
    }
}

/// What shows in spite of other mounts. Reached with the user's rights alone, and only if it is
/// of a kind that gives nothing but a conversation, with root or with the user: anybody may have
/// made something of this name in a directory that all can write, and then it counts as missing;
/// to refuse the login would be theirs to do.
fn expose(job: &Job<'_>, path: &Path) -> Result<Source, Error> {
    let cannot = |errno| Error::system(format!("cannot expose {}", path.display()), errno);
    let open = || fd::open_beneath(rustix::fs::CWD, path, OFlags::PATH);
    let found = match job.user() {
        Some((uid, gid)) => fsid::as_user(uid, gid, open),
        None => open(),
    };
    let Ok(found) = found else {
        return Ok(Source::Missing);
    };
    let stat = rustix::fs::fstat(&found).map_err(cannot)?;
    let theirs = stat.st_uid == 0 || stat.st_uid == job.plan.account.uid || job.alone;
    let depth = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Socket if theirs => Depth::Single,
        FileType::Directory if theirs => Depth::Recursive,
        _ => return Ok(Source::Missing),
    };
    let copy = tree::copy(found, depth).map_err(cannot)?;
    let change = Change {
        set: Flags::NO_SUID.with(Flags::NO_DEV).with(Flags::NO_EXEC),
        ..Change::default()
    };
    attributes::change(&copy, depth, &change).map_err(cannot)?;
    Ok(Source::Mount(copy))
}

/// A file or directory of the host that the policy names.
fn bind(job: &Job<'_>, mount: &Mount) -> Result<Source, Error> {
    let Mount::Bind {
        source,
        attributes,
        recursive,
        propagation,
        ids,
        optional,
        ..
    } = mount
    else {
        return Ok(Source::None);
    };
    let cannot = |errno| {
        let advice = match errno {
            Errno::LOOP => place::loop_advice(source, place::LINK),
            Errno::NOENT => "make it, or say optional = true in the profile",
            Errno::ACCESS => "neither root nor the user may go there",
            Errno::INVAL if job.alone && !recursive => {
                "what is mounted beneath must stay mounted: say recursive = true in the profile"
            }
            _ => "",
        };
        Error::advised(format!("cannot bind {}", source.display()), errno, advice)
    };
    let found = match place::open(source, job.user(), OFlags::empty()) {
        Err(Errno::NOENT) if *optional => return Ok(Source::Missing),
        found => found.map_err(cannot)?,
    };
    let depth = if *recursive {
        Depth::Recursive
    } else {
        Depth::Single
    };
    let copy = tree::copy(found, depth).map_err(cannot)?;
    if let Some(ids) = ids {
        job.need_module("show a bind with other ids")?;
        idmap::apply(job, &copy, depth, *ids, source)?;
    }
    let no_suid = attributes.no_suid || ids.is_some() || job.session.has(Namespace::User);
    let set = flags(Attributes {
        no_suid,
        ..*attributes
    });
    let change = Change {
        set,
        private: *propagation == Propagation::Private,
        ..Change::default()
    };
    attributes::change(&copy, depth, &change).map_err(cannot)?;
    if !attributes::flags(&copy).map_err(cannot)?.has(set) {
        return Err(cannot(Errno::PERM));
    }
    Ok(Source::Mount(copy))
}

fn flags(attributes: Attributes) -> Flags {
    Flags::default()
        .and_if(attributes.read_only, Flags::READ_ONLY)
        .and_if(attributes.no_suid, Flags::NO_SUID)
        .and_if(attributes.no_dev, Flags::NO_DEV)
        .and_if(attributes.no_exec, Flags::NO_EXEC)
}

/// Where a mount goes; none for a home directory, which the account names.
fn target(mount: &Mount) -> Option<&Path> {
    match mount {
        Mount::Unmount { target, .. }
        | Mount::ReadOnly { target, .. }
        | Mount::Homes { target, .. }
        | Mount::Tmpfs { target, .. }
        | Mount::Instance { target, .. }
        | Mount::Bind { target, .. }
        | Mount::Mask { target, .. }
        | Mount::Expose { path: target } => Some(target),
        Mount::Proc { .. } => Some(Path::new("/proc")),
        Mount::Mqueue => Some(Path::new("/dev/mqueue")),
        Mount::Sys { .. } => Some(Path::new("/sys")),
        Mount::Dev { .. } => Some(Path::new("/dev")),
        Mount::RuntimeDir => Some(Path::new("/run/user")),
        Mount::Home { .. } => None,
    }
}
