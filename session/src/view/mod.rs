//! What a session sees of the file system: the mounts of its plan, carried out by its init in
//! its new namespaces, before anybody else is in them.
//!
//! First everything that is to be seen of the host is taken, as detached copies; then comes the
//! session's own root, if it has one; then the mounts in the order of the plan, each on a place
//! that is opened without following a link; last the state, and what is ours becomes read-only.
//!
//! Who could interfere is the user: everything beneath their home, in /tmp and in their runtime
//! directory is theirs, and processes of theirs may run outside the session meanwhile. So no
//! path is walked twice, what they could have put somewhere is taken with their rights or looked
//! at, and nothing is made where they could have been. The session's mounts exist in its mount
//! namespace alone, in which nobody is but init; from the moment that the user is in there, they
//! are locked (mount_namespaces(7)): the user's power to mount is over a copy that belongs to
//! their user namespace.

mod copy;
mod dev;
pub mod ephemeral;
pub(crate) mod firm;
mod fresh;
mod gather;
mod home;
mod idmap;
mod instance;
pub mod janitor;
mod mask;
mod place;
mod removal;
mod root;
mod state;
mod system;
pub mod trusted;
mod verify;

use std::ffi::OsStr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nsshell_config::{BindIds, Mount, Namespace, Plan, SessionPlan};

use crate::error::Error;
use crate::sys::mount::{self, Programs};
use crate::sys::{Errno, process};

use fresh::{attach, frame, make};
use gather::Source;
use place::{Kind, Places};
pub use state::pin;

/// What a view is made for.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// the whole plan
    pub plan: &'a Plan,
    /// its part that is about the session
    pub session: &'a SessionPlan,
    /// the session's name; empty for one that a user makes alone
    pub name: &'a str,
    /// the session's user namespace, if [`needs_user_namespace`]
    pub user_namespace: Option<BorrowedFd<'a>>,
    /// the user's ids as the caller's user namespace has them
    pub owner: (u32, u32),
    /// the caller is a user in namespaces of their own, not root
    pub alone: bool,
}

impl Job<'_> {
    /// The user's ids, if the caller can take them.
    fn user(&self) -> Option<(u32, u32)> {
        let account = &self.plan.account;
        (!self.alone).then_some((account.uid, account.gid))
    }

    /// Refuses what a user alone has no right to.
    fn need_module(&self, what: &str) -> Result<(), Error> {
        if !self.alone {
            return Ok(());
        }
        Err(Error::NotAsPlanned(format!(
            "only the PAM module can {what}; take it out of the profile \"{}\", or use pam_nsshell",
            self.plan.profile
        )))
    }
}

/// Whether the mounts cannot be made without the session's user namespace. It takes longer to
/// be made than anything else, so that otherwise nobody waits for it here.
#[must_use]
pub fn needs_user_namespace(session: &SessionPlan) -> bool {
    let is_mapped = |mount: &Mount| {
        let Mount::Bind { ids, .. } = mount else {
            return false;
        };
        *ids == Some(BindIds::Session)
    };
    session.mounts.iter().any(is_mapped)
}

/// Makes everything of the plan that needs no user namespace, as root.
///
/// # Errors
/// A step fails; the namespaces die with init, so nothing has to be undone.
pub fn build(job: &Job<'_>) -> Result<(), Error> {
    let shared = gather::shared(job)?;
    // Before the first mount, or it would show on the host.
    mount::receive_only()
        .map_err(|errno| Error::system("cannot cut the session's mounts off the host's", errno))?;
    if job.session.has(Namespace::User) {
        // What the user runs before nsshell, or without it (cron's jobs, xauth for X11), is in
        // the host layer: set-uid programs must give nothing there either. Before anything is
        // copied, so that it holds for the copies.
        mount::forbid_set_id().map_err(|errno| {
            let advice = if errno == Errno::NOSYS {
                "it needs Linux 5.12 or later"
            } else {
                ""
            };
            Error::advised(
                "cannot take set-uid off the session's mounts",
                errno,
                advice,
            )
        })?;
    }
    let view = carry_out(job, shared)?;
    view.put_state()?;
    view.seal()?;
    verify::host_layer(job.plan, job.session)?;
    settle(job.session)
}

/// The part of [`build`] that an unprivileged user can do in namespaces of their own, too.
///
/// # Errors
/// A step fails, or needs root.
pub fn build_own(job: &Job<'_>) -> Result<(), Error> {
    let shared = gather::shared(job)?;
    carry_out(job, shared)?.seal()?;
    settle(job.session)
}

/// The mounts of the plan, in its order.
fn carry_out<'a>(job: &'a Job<'a>, shared: Vec<Option<Source>>) -> Result<View<'a>, Error> {
    let mut sources = gather::all(job, shared)?;
    let tree = root::gather(job)?;
    let mut view = View {
        job,
        places: Places::new(job.user()),
        seal: Vec::new(),
    };
    let mounts = &job.session.mounts;
    let first = mounts
        .iter()
        .take_while(|mount| matches!(mount, Mount::Unmount { .. }))
        .count();
    for mount in &mounts[..first] {
        view.make(mount, &Source::None)?;
    }
    // Or it would bring back what was just taken off.
    for (mount, source) in mounts.iter().zip(&mut sources) {
        if let Mount::Home { home } = mount {
            *source = gather::home(job, home)?;
        }
    }
    // What is still there of the host's /sys, which another root has not.
    let sys = system::gather_sys(mounts)?;
    if let Some(tree) = tree {
        view.enter_root(tree)?;
    }
    for (mount, source) in mounts.iter().zip(&sources).skip(first) {
        match mount {
            Mount::Sys { view: kind } => view.put_sys(*kind, sys.as_ref())?,
            _ => view.make(mount, source)?,
        }
    }
    Ok(view)
}

/// What a namespace has beside mounts.
fn settle(session: &SessionPlan) -> Result<(), Error> {
    if let Some(name) = &session.hostname {
        process::set_hostname(OsStr::new(name))
            .map_err(|errno| Error::system(format!("cannot set the host name {name:?}"), errno))?;
    }
    if session.has(Namespace::Net) {
        process::loopback_up()
            .map_err(|errno| Error::system("cannot set the loopback interface up", errno))?;
    }
    Ok(())
}

/// A view that is being made.
struct View<'a> {
    job: &'a Job<'a>,
    places: Places,
    /// what is ours and becomes read-only when all places in it are made
    seal: Vec<OwnedFd>,
}

impl View<'_> {
    fn make(&mut self, mount: &Mount, source: &Source) -> Result<(), Error> {
        let target = firm::target(mount, &self.job.plan.account.home);
        if let (Some(target), false) = (target, matches!(source, Source::Missing)) {
            // A user alone has nobody but themselves to keep from anything.
            if !self.job.alone {
                firm::check(target)?;
            }
        }
        match (mount, source) {
            (_, Source::Missing) => Ok(()),
            (Mount::Unmount { target, optional }, _) => self.unmount(target, *optional),
            (Mount::ReadOnly { target, optional }, _) => self.read_only(target, *optional),
            (Mount::Proc { hidepid, pids_only }, _) => self.put_proc(*hidepid, *pids_only),
            // In a /dev of the session's own it comes with that.
            (Mount::Mqueue, _) if self.has_dev() => Ok(()),
            (Mount::Mqueue, _) => self.put_mqueue(),
            (Mount::Dev { .. }, Source::Dev(sources)) => self.put_dev(sources),
            (Mount::Homes { target, optional }, _) => self.hide_homes(target, *optional),
            (Mount::Tmpfs { .. }, _) => self.put_tmpfs(mount),
            (Mount::RuntimeDir, _) => self.put_runtime_dir(),
            (Mount::Mask { target, optional }, _) => self.mask(target, *optional),
            (Mount::Home { .. }, Source::Mount(copy)) => {
                self.put_copy(copy, &self.job.plan.account.home, false)
            }
            (Mount::Expose { path }, Source::Mount(copy)) => self.put_copy(copy, path, false),
            (
                Mount::Bind {
                    target, optional, ..
                }
                | Mount::Instance {
                    target, optional, ..
                },
                Source::Mount(copy),
            ) => self.put_copy(copy, target, *optional),
            (other, _) => Err(Error::NotAsPlanned(format!(
                "nothing was found to make {other:?} of"
            ))),
        }
    }

    fn has_dev(&self) -> bool {
        let is_dev = |mount: &Mount| matches!(mount, Mount::Dev { .. });
        self.job.session.mounts.iter().any(is_dev)
    }

    /// A place that has to be there, made if it can be.
    fn required(&self, target: &Path, kind: Kind) -> Result<OwnedFd, Error> {
        self.places
            .find_or_make(target, kind, false)?
            .ok_or_else(|| place::cannot(target, Errno::NOENT))
    }

    fn put_copy(&self, copy: &OwnedFd, target: &Path, optional: bool) -> Result<(), Error> {
        let kind = Kind::of(copy).map_err(|errno| place::cannot(target, errno))?;
        match self.places.find_or_make(target, kind, optional)? {
            Some(place) => attach(copy, place, target),
            None => Ok(()),
        }
    }

    fn put_tmpfs(&mut self, mount: &Mount) -> Result<(), Error> {
        let Mount::Tmpfs {
            target,
            mode,
            size,
            inodes,
            optional,
        } = mount
        else {
            return Ok(());
        };
        let Some(place) = self
            .places
            .find_or_make(target, Kind::Directory, *optional)?
        else {
            return Ok(());
        };
        let (mode, inodes) = (format!("{mode:o}"), inodes.map(|count| count.to_string()));
        let mut options = vec![("mode", mode.as_str())];
        options.extend(size.as_deref().map(|size| ("size", size)));
        options.extend(inodes.as_deref().map(|count| ("nr_inodes", count)));
        let tmpfs = make("tmpfs", &options, Programs::Allowed, target)?;
        attach(&tmpfs, place, target)?;
        self.count_as_fresh(&tmpfs, target)
    }

    /// Homes of others are gone with all the rest; the user's own comes back as a mount.
    fn hide_homes(&mut self, target: &Path, optional: bool) -> Result<(), Error> {
        let Some(place) = self
            .places
            .find_or_make(target, Kind::Directory, optional)?
        else {
            return Ok(());
        };
        let homes = frame(target)?;
        attach(&homes, place, target)?;
        self.count_as_fresh(&homes, target)?;
        self.seal.push(homes);
        Ok(())
    }

    /// An empty runtime directory of the user's own in place of /run/user.
    fn put_runtime_dir(&mut self) -> Result<(), Error> {
        let target = Path::new("/run/user");
        // A host without logind has none; then no manager has to be hidden, and there is no
        // place.
        let optional = self.job.session.root.is_none();
        let Some(place) = self
            .places
            .find_or_make(target, Kind::Directory, optional)?
        else {
            return Ok(());
        };
        let options = [("mode", "755"), ("size", "10%")];
        let directory = make("tmpfs", &options, Programs::Allowed, target)?;
        let name = self.job.plan.account.uid.to_string();
        let (uid, gid) = self.job.owner;
        mount::make_directory(&directory, name, 0o700, uid, gid)
            .map_err(|errno| Error::system("cannot make the session's runtime directory", errno))?;
        attach(&directory, place, target)?;
        self.count_as_fresh(&directory, target)
    }

    fn count_as_fresh(&mut self, mount: &OwnedFd, target: &Path) -> Result<(), Error> {
        self.places
            .add_fresh(mount)
            .map_err(|errno| place::cannot(target, errno))
    }

    /// Makes read-only what holds nothing but places for mounts.
    fn seal(&self) -> Result<(), Error> {
        for mount in &self.seal {
            system::seal(mount).map_err(|errno| {
                Error::system("cannot make the session's own directories read-only", errno)
            })?;
        }
        Ok(())
    }
}

/// The runtime directory that a plan gives, if it gives one.
#[must_use]
pub fn runtime_dir(plan: &Plan) -> Option<PathBuf> {
    let session = plan.session.as_ref()?;
    let there = session.mounts.contains(&Mount::RuntimeDir) && mount::exists("/run/user");
    there.then(|| Path::new("/run/user").join(plan.account.uid.to_string()))
}
