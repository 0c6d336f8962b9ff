//! How the namespaces of a session own each other (ioctl_ns(2)).

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nsshell_config::Namespace;
use rustix::fs::OFlags;
use serde::Serialize;

use crate::USER_NAMESPACE;
use crate::error::Error;
use crate::live::Found;
use crate::processes::{self, KINDS, Kind, Process};
use crate::sys::{Errno, fd, ns, pidfd};

/// A namespace that is not the caller's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// its kind, by the name of its link in /proc/PID/ns
    pub kind: &'static str,
    /// its inode
    pub inode: u64,
    /// the inode of the user namespace that owns it; none: one that the caller may not know
    pub owner: Option<u64>,
    /// of a PID or user namespace: the inode of the one that it was made in; none: as `owner`
    pub parent: Option<u64>,
    /// of a user namespace: the user id of who has made it
    pub uid: Option<u32>,
}

/// The namespaces of these processes, and those that own them; the caller's own are left out.
/// Sorted by inode within a kind.
///
/// # Errors
/// The caller may not look into init.
pub fn of(session: &Found, processes: &[&Process]) -> Result<Vec<Node>, Error> {
    let mut found = BTreeMap::new();
    // Pinned, and perhaps without a process: sftp, or a shell that has not come so far.
    if let Some(pinned) = pinned(session)? {
        note(pinned, &mut found);
    }
    for process in processes {
        for Kind {
            namespace: kind,
            link,
            ..
        } in KINDS
        {
            let inode = process.namespaces.get(link);
            if inode.is_some_and(|inode| !found.contains_key(&(kind, *inode)))
                // one that ends meanwhile takes its namespaces with it, or another shows them
                && let Ok(namespace) = processes::open_namespace(process.pid, link)
            {
                note(namespace, &mut found);
            }
        }
    }
    Ok(found.into_values().collect())
}

/// Notes a namespace, and the user namespaces above it.
fn note(namespace: OwnedFd, found: &mut BTreeMap<(Namespace, u64), Node>) {
    let mut next = Some(namespace);
    while let Some(namespace) = next.take() {
        let (
            Ok(identity),
            Some(Kind {
                namespace: kind,
                link,
                ..
            }),
        ) = (fd::identity(&namespace), kind(&namespace))
        else {
            return;
        };
        let own = std::process::id().cast_signed();
        let own = processes::open_namespace(own, link).and_then(fd::identity);
        if own == Ok(identity) || found.contains_key(&(kind, identity.inode())) {
            return;
        }
        let inode_of = |other: &OwnedFd| fd::identity(other).map(fd::Identity::inode).ok();
        let owner = ns::owner(&namespace).ok();
        let parent = ns::parent(&namespace).ok();
        found.insert(
            (kind, identity.inode()),
            Node {
                kind: link,
                inode: identity.inode(),
                owner: owner.as_ref().and_then(inode_of),
                parent: parent.as_ref().and_then(inode_of),
                uid: ns::owner_uid(&namespace).ok(),
            },
        );
        next = owner;
    }
}

fn kind(namespace: impl AsFd) -> Option<Kind> {
    let bits = ns::kind(namespace).ok()?;
    KINDS.into_iter().find(|kind| kind.bits == bits)
}

/// The user namespace that lies ready in the session.
fn pinned(session: &Found) -> Result<Option<OwnedFd>, Error> {
    let name = &session.record.session;
    let cannot = |errno| Error::system(format!("cannot look into session {name}"), errno);
    let Some(init) = session.init() else {
        return Err(Error::NotAsPlanned(format!(
            "only root looks into session {name}"
        )));
    };
    let root = fd::open_root(session.record.pid).map_err(cannot)?;
    if !pidfd::alive(init) {
        return Err(cannot(Errno::SRCH));
    }
    let path = Path::new(USER_NAMESPACE.trim_start_matches('/'));
    match fd::open_beneath(root, path, OFlags::RDONLY) {
        Ok(file) => Ok(Some(file)),
        // a session without one
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(cannot(errno)),
    }
}
