//! File systems of the session's own: made detached, attached when they are complete.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nsshell_config::HidePid;

use crate::error::Error;
use crate::sys::Errno;
use crate::sys::mount::{self, Programs};

/// Options of a file system, with their values.
pub(super) type Options<'a> = Vec<(&'a str, &'a str)>;

/// Makes a file system, attached nowhere yet. `target` is for the sentence of a failure.
pub(super) fn make(
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
            "proc" if errno == Errno::INVAL && !options.is_empty() => {
                "hidepid and proc = \"pids\" need Linux 5.8 or later".to_owned()
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

/// Attaches a detached mount on an open place.
pub(super) fn attach(mount: impl AsFd, place: impl AsFd, target: &Path) -> Result<(), Error> {
    mount::attach(mount, place).map_err(|errno| {
        let advice = match errno {
            Errno::NOTDIR => "one is a directory and the other is none",
            _ => "",
        };
        Error::advised(
            format!("cannot mount on {}", target.display()),
            errno,
            advice,
        )
    })
}

/// A tmpfs(5) of ours with nothing to be written but what we put there: a file system for
/// mount points.
pub(super) fn frame(target: &Path) -> Result<OwnedFd, Error> {
    let options = [("mode", "755"), ("size", "1m")];
    make("tmpfs", &options, Programs::Forbidden, target)
}

/// Options of procfs(5).
pub(super) fn proc_options(hidepid: HidePid, pids_only: bool) -> Options<'static> {
    let hidepid = match hidepid {
        HidePid::Off => None,
        HidePid::NoAccess => Some(("hidepid", "noaccess")),
        HidePid::Invisible => Some(("hidepid", "invisible")),
        HidePid::Ptraceable => Some(("hidepid", "ptraceable")),
    };
    let subset = pids_only.then_some(("subset", "pid"));
    hidepid.into_iter().chain(subset).collect()
}
