//! The host layer of a session: what init does in its new namespaces, as root, before
//! anybody else is in them.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nsshell_config::{Account, Mount, Namespace, Plan, SessionPlan};

use crate::error::Error;
use crate::sys::mount::{self, Programs};
use crate::sys::{Errno, fd, process};
use crate::{NAME, PLAN, STATE, USER_NAMESPACE};

/// Makes everything of the plan that needs no user namespace. `name`: the session's.
///
/// # Errors
/// A step fails; the namespaces die with init, so nothing has to be undone.
pub fn build(plan: &Plan, session: &SessionPlan, name: &str) -> Result<(), Error> {
    // Before the first mount, or it would show on the host.
    mount::receive_only()
        .map_err(|errno| Error::system("cannot cut the session's mounts off the host's", errno))?;
    if session.has(Namespace::User) {
        // What the user runs before nsshell, or without it (cron's jobs, xauth for X11), is in
        // the host layer: set-uid programs must give nothing there either.
        mount::forbid_set_id().map_err(|errno| {
            let advice = if errno == Errno::NOSYS {
                "it needs Linux 5.12 or later"
            } else {
                ""
            };
            let doing = "cannot take set-uid off the session's mounts".to_owned();
            Error::System {
                doing,
                errno,
                advice: advice.to_owned(),
            }
        })?;
    }
    build_own(plan, session, (plan.account.uid, plan.account.gid))?;
    put_state(plan, name)
}

/// The part of [`build`] that an unprivileged user can do in namespaces of their own, too.
/// `owner`: the user's ids as the caller's user namespace has them.
///
/// # Errors
/// A step fails.
pub fn build_own(plan: &Plan, session: &SessionPlan, owner: (u32, u32)) -> Result<(), Error> {
    for mount in &session.mounts {
        make(mount, &plan.account, owner)?;
    }
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

fn make(mount: &Mount, account: &Account, owner: (u32, u32)) -> Result<(), Error> {
    match mount {
        Mount::Proc { .. } => put("proc", &[], Programs::Forbidden, Path::new("/proc"), false),
        Mount::Mqueue => put(
            "mqueue",
            &[],
            Programs::Forbidden,
            Path::new("/dev/mqueue"),
            true,
        ),
        Mount::Tmpfs {
            target,
            mode,
            size,
            optional,
            ..
        } => {
            let mode = format!("{mode:o}");
            let mut options = vec![("mode", mode.as_str())];
            options.extend(size.as_deref().map(|size| ("size", size)));
            put("tmpfs", &options, Programs::Allowed, target, *optional)
        }
        Mount::RuntimeDir => put_runtime_dir(account, owner),
        other => Err(Error::NotAsPlanned(format!(
            "no session can have {other:?} yet"
        ))),
    }
}

/// Makes a file system and attaches it to a place that may be missing if `optional`.
fn put(
    fs_type: &str,
    options: &[(&str, &str)],
    programs: Programs,
    target: &Path,
    optional: bool,
) -> Result<(), Error> {
    let place = match place(target) {
        Err(Error::System {
            errno: Errno::NOENT,
            ..
        }) if optional => return Ok(()),
        place => place?,
    };
    attach(
        &file_system(fs_type, options, programs, target)?,
        &place,
        target,
    )
}

/// An empty runtime directory of the user's own in place of /run/user.
fn put_runtime_dir(account: &Account, (uid, gid): (u32, u32)) -> Result<(), Error> {
    let target = Path::new("/run/user");
    // A host without logind has none; then no manager has to be hidden, and there is no place.
    let place = match place(target) {
        Err(Error::System {
            errno: Errno::NOENT,
            ..
        }) => return Ok(()),
        place => place?,
    };
    let mount = file_system(
        "tmpfs",
        &[("mode", "755"), ("size", "10%")],
        Programs::Allowed,
        target,
    )?;
    mount::make_directory(&mount, &account.uid.to_string(), 0o700, uid, gid)
        .map_err(|errno| Error::system("cannot make the session's runtime directory", errno))?;
    attach(&mount, &place, target)
}

/// The plan, for nsshell, and the session's name, on a small tmpfs that covers the host's records: root's, like what
/// it covers, and readable.
fn put_state(plan: &Plan, name: &str) -> Result<(), Error> {
    let target = Path::new(STATE);
    let text = serde_json::to_vec(plan)
        .map_err(|_| Error::Protocol("a plan that cannot be written down"))?;
    let options = [("mode", "755"), ("size", "256k")];
    let mount = file_system("tmpfs", &options, Programs::Forbidden, target)?;
    let cannot = |errno| Error::system("cannot write the plan into the session", errno);
    let in_state = |path: &'static str| path.rsplit('/').next().unwrap_or(path);
    mount::make_file(&mount, in_state(PLAN), 0o444, &text).map_err(cannot)?;
    mount::make_file(&mount, in_state(NAME), 0o444, name.as_bytes()).map_err(cannot)?;
    if plan
        .session
        .as_ref()
        .is_some_and(|session| session.has(Namespace::User))
    {
        mount::make_file(&mount, in_state(USER_NAMESPACE), 0o444, b"").map_err(cannot)?;
    }
    attach(&mount, &place(target)?, target)
}

/// Pins the user namespace where nsshell finds it: its file, bound on one of ours, lives as
/// long as this mount namespace.
///
/// # Errors
/// The kernel refuses the bind.
pub fn pin(user_namespace: OwnedFd) -> Result<(), Error> {
    let cannot = |errno| Error::system(format!("cannot bind {USER_NAMESPACE}"), errno);
    let place = fd::open_beneath(
        rustix::fs::CWD,
        Path::new(USER_NAMESPACE),
        rustix::fs::OFlags::PATH,
    );
    let bound = mount::bind(user_namespace).map_err(cannot)?;
    mount::attach(bound, place.map_err(cannot)?).map_err(cannot)
}

fn file_system(
    fs_type: &str,
    options: &[(&str, &str)],
    programs: Programs,
    target: &Path,
) -> Result<OwnedFd, Error> {
    mount::make(fs_type, options, programs).map_err(|(errno, advice)| {
        let doing = format!("cannot make a {fs_type} for {}", target.display());
        let forbidden = matches!(errno, Errno::PERM | Errno::ACCESS);
        let advice = match fs_type {
            // Whatever the kernel adds ("Mount too revealing"), it comes down to this.
            "proc" if forbidden => {
                "where a part of /proc is masked, as in many containers, the kernel allows no new \
                 one; or AppArmor forbids it, see `sysctl \
                 kernel.apparmor_restrict_unprivileged_userns`"
                    .to_owned()
            }
            _ if forbidden && advice.is_empty() => {
                "AppArmor may forbid it, see `sysctl kernel.apparmor_restrict_unprivileged_userns`"
                    .to_owned()
            }
            _ => advice,
        };
        Error::System {
            doing,
            errno,
            advice,
        }
    })
}

fn place(target: &Path) -> Result<OwnedFd, Error> {
    fd::open_place(target).map_err(|errno| {
        let advice = match errno {
            Errno::LOOP => "a part of this path is a symbolic link: name the real directory",
            Errno::NOENT | Errno::NOTDIR => "make this directory, or take it out of the profile",
            _ => "",
        };
        let doing = format!("cannot mount on {}", target.display());
        Error::System {
            doing,
            errno,
            advice: advice.to_owned(),
        }
    })
}

fn attach(mount: impl AsFd, place: impl AsFd, target: &Path) -> Result<(), Error> {
    mount::attach(mount, place)
        .map_err(|errno| Error::system(format!("cannot mount on {}", target.display()), errno))
}

/// The runtime directory that a plan gives, if it gives one.
#[must_use]
pub fn runtime_dir(plan: &Plan) -> Option<PathBuf> {
    let session = plan.session.as_ref()?;
    let there = session.mounts.contains(&Mount::RuntimeDir) && mount::exists("/run/user");
    there.then(|| Path::new("/run/user").join(plan.account.uid.to_string()))
}
