//! The cgroup of a session, to be entered by one process more, and whose it is (cgroups(7)).

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::error::Error;
use crate::sys::{Errno, fd};

/// Opens what puts a process into every cgroup that process `pid` is in and the caller is not:
/// a process that writes "0" there is put there itself.
///
/// # Errors
/// A hierarchy cannot be reached: nothing of the session must run outside of its cgroup, where
/// it would escape its limits and `loginctl terminate-session`.
pub(crate) fn doors(pid: i32) -> Result<Vec<OwnedFd>, Error> {
    let theirs = read(&format!("/proc/{pid}/cgroup"))?;
    let own = read("/proc/self/cgroup")?;
    let mounts = read("/proc/self/mountinfo")?;
    let mut doors = Vec::new();
    for (hierarchy, path) in to_enter(&theirs, &own) {
        let place = place(&mounts, hierarchy, path).ok_or_else(|| {
            Error::NotAsPlanned(format!(
                "the session's cgroup {path} cannot be reached; mount the cgroup file system \
                 under /sys/fs/cgroup"
            ))
        })?;
        let procs = place.join("cgroup.procs");
        let door = fd::open_beneath(rustix::fs::CWD, &procs, OFlags::WRONLY);
        let cannot = |errno| Error::system(format!("cannot enter {}", place.display()), errno);
        doors.push(door.map_err(cannot)?);
    }
    Ok(doors)
}

/// Whether somebody else than root and user `uid` may end, stop or starve what is in the
/// caller's cgroups: one lies in a slice that logind has made for another user, who may have
/// their sessions terminated, or in a directory that is not root's, as those are that have been
/// delegated.
///
/// # Errors
/// The caller's cgroups cannot be read.
pub(crate) fn is_foreign(uid: u32) -> Result<bool, Error> {
    const OWN: &str = "/proc/self/cgroup";
    if !Path::new(OWN).try_exists().unwrap_or(true) {
        // a kernel without
        return Ok(false);
    }
    let own = read(OWN)?;
    if own.lines().any(|line| is_in_slice_of_another(line, uid)) {
        return Ok(true);
    }
    let mounts = read("/proc/self/mountinfo")?;
    let delegated = to_enter(&own, "").into_iter().any(|(hierarchy, path)| {
        // What is not mounted, nobody reaches from here.
        find(&mounts, hierarchy, path).is_some_and(|(top, beneath)| {
            // The top one is that of a container as a whole, and how it belongs to root there
            // is the affair of who has made the container.
            let mut below = beneath.ancestors().filter(|it| !it.as_os_str().is_empty());
            below.any(|place| {
                match std::fs::symlink_metadata(top.join(place)) {
                    Ok(place) => place.uid() != 0,
                    // What cannot be looked at may be anybody's.
                    Err(error) => error.kind() != ErrorKind::NotFound,
                }
            })
        })
    });
    Ok(delegated)
}

/// By a line of /proc/PID/cgroup.
fn is_in_slice_of_another(line: &str, uid: u32) -> bool {
    line.split('/').any(|part| {
        let number = part.strip_prefix("user-");
        let number = number.and_then(|rest| rest.strip_suffix(".slice"));
        let number = number.and_then(|number| number.parse::<u32>().ok());
        number.is_some_and(|number| number != 0 && number != uid)
    })
}

fn read(path: &str) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| {
        let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
        Error::system(format!("cannot read {path}"), errno)
    })
}

/// The lines of /proc/PID/cgroup that are another process's and not one's own: hierarchy (its
/// controllers; none for version 2) and path.
fn to_enter<'t>(theirs: &'t str, own: &str) -> Vec<(&'t str, &'t str)> {
    let differs = |line: &&str| !own.lines().any(|other| other == *line);
    let parts = |line: &'t str| {
        let (_, rest) = line.split_once(':')?;
        rest.split_once(':')
    };
    theirs.lines().filter(differs).filter_map(parts).collect()
}

/// Where a cgroup lies among the mounts (/proc/PID/mountinfo).
fn place(mounts: &str, hierarchy: &str, path: &str) -> Option<PathBuf> {
    find(mounts, hierarchy, path).map(|(top, beneath)| top.join(beneath))
}

/// The place of its hierarchy, and the way from there.
fn find<'t>(mounts: &'t str, hierarchy: &str, path: &'t str) -> Option<(&'t Path, &'t Path)> {
    let found = mounts.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (mount.next()?, mount.next()?);
        let mut file_system = file_system.split(' ');
        let (kind, options) = (file_system.next()?, file_system.nth(1)?);
        let of_hierarchy = match hierarchy {
            "" => kind == "cgroup2",
            wanted => {
                let has = |one: &str| options.split(',').any(|option| option == one);
                kind == "cgroup" && wanted.split(',').all(has)
            }
        };
        let beneath = Path::new(path).strip_prefix(root).ok()?;
        // a space would be written as \040; nobody mounts these at such a place
        (of_hierarchy && !point.contains('\\')).then(|| (Path::new(point), beneath))
    })?;
    let climbs = found.1.components().any(|part| part.as_os_str() == "..");
    (!climbs).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:5 - cgroup2 cgroup2 rw,nsdelegate
32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:6 - cgroup cgroup rw,cpu,cpuacct
33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
34 30 0:30 /part /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
";

    #[test]
    fn only_other_cgroups_than_ones_own_are_entered() {
        let theirs = "3:pids:/a\n1:name=systemd:/user.slice/session-3.scope\n0::/x:y\n";
        let own = "3:pids:/a\n1:name=systemd:/\n0::/\n";
        let want = [
            ("name=systemd", "/user.slice/session-3.scope"),
            ("", "/x:y"),
        ];
        assert_eq!(to_enter(theirs, own), want);
        assert!(to_enter(theirs, theirs).is_empty());
    }

    #[test]
    fn a_slice_of_logind_s_is_foreign_to_all_but_its_user_and_root_s_to_nobody() {
        let scope = "0::/user.slice/user-1001.slice/session-4.scope";
        assert!(is_in_slice_of_another(scope, 1000));
        assert!(!is_in_slice_of_another(scope, 1001));
        let manager = "1:name=systemd:/a/user.slice/user-1001.slice/user@1001.service/init.scope";
        assert!(is_in_slice_of_another(manager, 1000));
        for line in [
            "0::/user.slice/user-0.slice/session-1.scope",
            "0::/system.slice/sshd.service",
            "0::/user.slice",
            "0::/user-x.slice/user-1001.slices",
            "0::/",
        ] {
            assert!(!is_in_slice_of_another(line, 1000), "{line}");
        }
    }

    #[test]
    fn a_cgroup_is_found_under_the_mount_of_its_hierarchy() {
        let at = |hierarchy, path| place(MOUNTS, hierarchy, path);
        let some = |path: &str| Some(PathBuf::from(path));
        assert_eq!(at("", "/a/b"), some("/sys/fs/cgroup/unified/a/b"));
        assert_eq!(
            at("cpu,cpuacct", "/a"),
            some("/sys/fs/cgroup/cpu,cpuacct/a")
        );
        assert_eq!(at("name=systemd", "/a"), some("/sys/fs/cgroup/systemd/a"));
        assert_eq!(at("pids", "/part/a"), some("/sys/fs/cgroup/pids/a"));
        assert_eq!(at("pids", "/other"), None);
        assert_eq!(at("memory", "/a"), None);
        assert_eq!(at("", "/../a"), None);
    }
}
