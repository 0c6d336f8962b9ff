//! Binds whose files seem to be somebody else's (MOUNT_ATTR_IDMAP of mount_setattr(2)).

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nsshell_config::BindIds;
use rustix::fs::OFlags;

use super::{Job, place, trusted};
use crate::error::Error;
use crate::sys::ns::{self, Kinds};
use crate::sys::process;
use crate::sys::tree::{self, Depth};
use crate::sys::{Errno, socket};

/// How long the process may take that only makes a namespace.
const LIMIT: Duration = Duration::from_secs(10);

/// Gives a detached mount that nobody has attached yet other ids. `source` names it in errors.
///
/// For [`BindIds::Owner`] /proc has to be the host's still.
///
/// # Errors
/// The file system cannot; the session has no user namespace; no namespace can be made; others
/// can reach the source on the host.
pub(super) fn apply(
    job: &Job<'_>,
    mount: &OwnedFd,
    depth: Depth,
    ids: BindIds,
    source: &Path,
) -> Result<(), Error> {
    let made;
    let namespace = match (ids, job.user_namespace) {
        (BindIds::Session, Some(namespace)) => namespace,
        (BindIds::Session, None) => {
            return Err(Error::NotAsPlanned(format!(
                "{} cannot have the session's ids: the session has no user namespace",
                source.display()
            )));
        }
        (BindIds::Owner, _) => {
            let stat = rustix::fs::fstat(mount).map_err(|errno| {
                Error::system(format!("cannot look at {}", source.display()), errno)
            })?;
            let account = &job.plan.account;
            made = owner_namespace((stat.st_uid, stat.st_gid), (account.uid, account.gid))?;
            made.as_fd()
        }
    };
    tree::map_ids(mount, namespace, depth).map_err(|errno| {
        let advice = match errno {
            Errno::INVAL => {
                let kind = file_system(mount);
                format!(
                    "{kind} cannot show files with other ids; ext4, xfs, btrfs and (since Linux \
                     6.3) tmpfs can, others see mount_setattr(2); take `ids` out of the bind"
                )
            }
            Errno::PERM => "its ids are mapped on the host already, or it belongs to another user \
                            namespace"
                .to_owned(),
            Errno::NOSYS => "it needs Linux 5.12 or later".to_owned(),
            _ => String::new(),
        };
        Error::System {
            doing: format!("cannot map the ids of {}", source.display()),
            errno,
            advice,
        }
    })?;
    refuse_within_reach(source)
}

/// Through such a mount the user makes files that are somebody else's on disk, root's for
/// instance, and can make them set-uid: that is nothing to the session, whose mount knows no
/// set-uid, but whoever reaches them by their real path becomes that somebody. So nobody may
/// reach them. The source's own mode says nothing of that, since through the mount it may be
/// the user's to change. Nor may the user choose what lies at the path.
///
/// # Errors
/// A directory above the source is not root's alone, or none of them keeps others out.
fn refuse_within_reach(source: &Path) -> Result<(), Error> {
    let parent = source.parent().unwrap_or(source);
    drop(trusted::open(parent)?);
    for path in source.ancestors().skip(1) {
        let cannot = |errno| Error::system(format!("cannot look at {}", path.display()), errno);
        let place = place::open(path, None, OFlags::empty()).map_err(cannot)?;
        let stat = rustix::fs::fstat(&place).map_err(cannot)?;
        // The group's bit, too, whosever group it is: with an ACL it is the most that any entry
        // of it allows (acl(5)).
        if stat.st_mode & 0o011 == 0 {
            return Ok(());
        }
    }
    Err(Error::NotAsPlanned(format!(
        "others can reach {} on the host, and with other ids the user could leave set-uid programs \
         of root or of others there; put it into a directory of root's with mode 0700, or take \
         `ids` out of the bind",
        source.display()
    )))
}

/// A user namespace in which the ids `from` are the host's `to`, and there are no others.
fn owner_namespace(from: (u32, u32), to: (u32, u32)) -> Result<OwnedFd, Error> {
    let cannot = |errno| {
        Error::namespaces(
            "cannot make a user namespace to map the ids of a bind",
            errno,
        )
    };
    let (ours, theirs) = socket::pair().map_err(cannot)?;
    let child = process::clone(Kinds::USER, || live(&theirs)).map_err(cannot)?;
    // Or its end would not show.
    drop(theirs);
    let mapped = (|| {
        // Its number in the PID namespace of this /proc, which need not be ours.
        let (number, _) = socket::receive(&ours, Instant::now() + LIMIT)?;
        let number = std::str::from_utf8(&number).map_err(|_| Errno::INVAL)?;
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Errno::SRCH);
        }
        for (file, from, to) in [("uid_map", from.0, to.0), ("gid_map", from.1, to.1)] {
            std::fs::write(format!("/proc/{number}/{file}"), format!("{from} {to} 1\n"))
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        }
        let link = CString::new(format!("/proc/{number}/ns/user")).map_err(|_| Errno::INVAL)?;
        ns::open_link(&link)
    })();
    child.kill(Instant::now() + Duration::from_secs(1));
    mapped.map_err(cannot)
}

/// The life of the process that holds the namespace until it is open: says its number, and
/// waits to be killed.
fn live(socket: &OwnedFd) -> i32 {
    let prepared = process::close_all_but(&[socket]);
    if prepared
        .and_then(|()| process::die_with_parent(true))
        .is_err()
    {
        return 1;
    }
    let Ok(number) = rustix::fs::readlink("/proc/self", Vec::new()) else {
        return 1;
    };
    if socket::send(socket, number.to_bytes(), &[]).is_err() {
        return 1;
    }
    let _ = socket::readable(socket, None);
    0
}

/// What a mount is of, for file systems that are likely to be asked for and cannot.
fn file_system(mount: impl AsFd) -> String {
    // statfs(2)
    const NAMES: [(i64, &str); 10] = [
        (0x6573_5546, "fuse"),
        (0x794c_7630, "overlay"),
        (0x9fa0, "proc"),
        (0x6265_6572, "sysfs"),
        (0x6969, "nfs"),
        (0xff53_4d42, "cifs"),
        (0xfe53_4d42, "smb3"),
        (0x0102_1997, "9p"),
        (0x2fc1_2fc1, "zfs"),
        (0x0102_1994, "this tmpfs"),
    ];
    let Ok(stat) = rustix::fs::fstatfs(mount) else {
        return "its file system".to_owned();
    };
    let magic = stat.f_type & 0xffff_ffff;
    NAMES
        .iter()
        .find(|(number, _)| *number == magic)
        .map_or_else(
            || "its file system".to_owned(),
            |(_, name)| (*name).to_owned(),
        )
}
