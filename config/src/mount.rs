//! The mounts of a plan: plain data, in the order in which they are made.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Attributes that a mount gets beside `nosuid` and `nodev`, or that a bind takes on
/// (mount_setattr(2)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// nothing can be written through it
    pub read_only: bool,
    /// set-user-id, set-group-id and file capabilities have no effect
    pub no_suid: bool,
    /// device nodes cannot be opened
    pub no_dev: bool,
    /// no program can be executed from it
    pub no_exec: bool,
}

impl Attributes {
    /// Whether any of them is set.
    #[must_use]
    pub fn any(self) -> bool {
        self.read_only || self.no_suid || self.no_dev || self.no_exec
    }

    /// Whether a bind with them is there to keep its user from something, so that it must not be
    /// the user's to undo: nothing is to be written, or less be done at its place than without it.
    #[must_use]
    pub fn restrict(self, onto_itself: bool) -> bool {
        self.read_only || onto_itself && self.any()
    }
}

/// What later mounts of the host beneath a bind do (mount_namespaces(7)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Propagation {
    /// they do not show inside
    Private,
    /// they show inside
    #[default]
    Slave,
    /// they show inside, and mounts that root makes inside show on the host
    Shared,
}

/// Whose files of a bind seem to be (MOUNT_ATTR_IDMAP of mount_setattr(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BindIds {
    /// ids on disk are ids inside the session's user namespace
    Session,
    /// what belongs to the owner and group of the source belongs to the user and their group,
    /// and everything else to nobody
    Owner,
}

/// procfs(5)'s hidepid=: what of the processes of others in the session is seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HidePid {
    /// everything that their modes allow
    #[default]
    Off,
    /// that they exist
    NoAccess,
    /// nothing
    Invisible,
    /// only processes that the reader may trace
    Ptraceable,
}

/// What a session sees as /sys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SysView {
    /// the host's, read-only with everything beneath
    ReadOnly,
    /// nothing but the control groups, read-only
    Hidden,
}

/// What becomes of what is in an instance of a private directory at the end of its session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Contents {
    /// it is there at the next login
    #[default]
    Keep,
    /// it is removed when the last session that has the instance ends
    Empty,
}

/// Where what is written in an ephemeral home lies until the session ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Upper {
    /// in a tmpfs
    Memory {
        /// tmpfs(5)'s size=; none: the kernel's default
        #[serde(skip_serializing_if = "Option::is_none", default)]
        size: Option<String>,
        /// tmpfs(5)'s nr_inodes=; none: the kernel's default
        #[serde(skip_serializing_if = "Option::is_none", default)]
        inodes: Option<u64>,
    },
    /// in a directory of the session's own beneath this one, absolute
    Disk {
        /// made if it is missing; every component root's, and writable by nobody else
        store: PathBuf,
    },
}

/// What the user's home directory is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Home {
    /// the host's
    Real,
    /// the host's, in which nothing can be written
    ReadOnly,
    /// the host's at the start, changes in an overlay that is gone at the end
    Overlay {
        /// where the changes lie
        upper: Upper,
    },
    /// a copy of a skeleton at the start, gone at the end
    Fresh {
        /// absolute; its files become the user's
        skeleton: PathBuf,
        /// where the copy lies
        upper: Upper,
    },
}

impl Home {
    /// Where changes of it lie on disk.
    #[must_use]
    pub fn store(&self) -> Option<&Path> {
        match self {
            Home::Overlay {
                upper: Upper::Disk { store },
            }
            | Home::Fresh {
                upper: Upper::Disk { store },
                ..
            } => Some(store),
            _ => None,
        }
    }
}

/// One mount of the host layer. They are made in the order of the plan. Sources are paths of
/// the host, as it is before the first of these mounts; targets are paths of the session.
/// Every path is absolute and free of `.`, `..` and empty components.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Mount {
    /// takes off a mount of the host's with everything beneath it
    Unmount {
        /// a mount point
        target: PathBuf,
        /// it may be missing or no mount point; then nothing is done
        #[serde(default)]
        optional: bool,
    },
    /// makes what is there read-only, with all mounts beneath; later mounts of the host do not
    /// show beneath it
    ReadOnly {
        /// a directory or a file
        target: PathBuf,
        /// it may be missing; then nothing is done
        #[serde(default)]
        optional: bool,
    },
    /// a procfs of the session's PID namespace on /proc
    Proc {
        /// what is seen of processes of others
        #[serde(default)]
        hidepid: HidePid,
        /// nothing is in it but processes (procfs(5)'s subset=pid, since Linux 5.8)
        #[serde(default)]
        pids_only: bool,
    },
    /// the mqueue file system of the session's IPC namespace on /dev/mqueue, if that exists
    Mqueue,
    /// another view of /sys
    Sys {
        /// which
        view: SysView,
    },
    /// a /dev of null, zero, full, random, urandom, tty, ptmx, pts, shm, and the links to
    /// descriptors
    Dev {
        /// the login's own terminal, if it has one that is not in /dev/pts
        #[serde(skip_serializing_if = "Option::is_none", default)]
        tty: Option<PathBuf>,
    },
    /// a directory of home directories, in which none is left; comes before [`Mount::Home`]
    Homes {
        /// a directory
        target: PathBuf,
        /// it may be missing; then nothing is done
        #[serde(default)]
        optional: bool,
    },
    /// the user's home directory, where it is on the host
    Home {
        /// what it is
        home: Home,
    },
    /// an empty tmpfs
    Tmpfs {
        /// an existing directory
        target: PathBuf,
        /// permission bits of its root, such as 0o1777
        mode: u32,
        /// tmpfs(5)'s size= ("64m", "10%"); none, as in plans of old: half of the memory
        #[serde(skip_serializing_if = "Option::is_none", default)]
        size: Option<String>,
        /// tmpfs(5)'s nr_inodes=; none: the kernel's default
        #[serde(skip_serializing_if = "Option::is_none", default)]
        inodes: Option<u64>,
        /// the target may be missing; then nothing is mounted
        #[serde(default)]
        optional: bool,
    },
    /// a directory on disk in place of another one (polyinstantiation)
    Instance {
        /// an existing directory
        target: PathBuf,
        /// the directory that is seen there, of the host; made if it is missing. Every
        /// component above it is made as root's with mode 0700 if it is missing, and has to be
        /// root's and writable by nobody else
        instance: PathBuf,
        /// permission bits when it is made; none: those of the target. The owner is the
        /// target's
        #[serde(skip_serializing_if = "Option::is_none", default)]
        mode: Option<u32>,
        /// what is copied into it when it is made; its files become the instance's owner's
        #[serde(skip_serializing_if = "Option::is_none", default)]
        skeleton: Option<PathBuf>,
        /// what becomes of it at the end
        #[serde(default)]
        contents: Contents,
        /// the target may be missing; then nothing is mounted
        #[serde(default)]
        optional: bool,
    },
    /// a tmpfs on /run/user that holds one directory, the user's own runtime directory, empty:
    /// it hides the user's systemd manager and bus, and everybody else's
    RuntimeDir,
    /// a socket of the host, or a directory of the user's or root's with sockets, that is seen
    /// in spite of the mounts before; nothing is done if it does not exist
    Expose {
        /// where it is, on the host and in the session
        path: PathBuf,
    },
    /// a file or directory of the host
    Bind {
        /// on the host
        source: PathBuf,
        /// in the session; made if it is missing in a file system of the session's own
        target: PathBuf,
        /// what it takes on
        #[serde(default)]
        attributes: Attributes,
        /// with the mounts beneath it
        recursive: bool,
        /// whether later mounts show
        #[serde(default)]
        propagation: Propagation,
        /// whose the files seem to be; none: whose they are
        #[serde(skip_serializing_if = "Option::is_none", default)]
        ids: Option<BindIds>,
        /// source or target may be missing; then nothing is done
        #[serde(default)]
        optional: bool,
    },
    /// an empty file or directory that nobody can open, in place of what is there
    Mask {
        /// a file or a directory
        target: PathBuf,
        /// it may be missing; then nothing is done
        #[serde(default)]
        optional: bool,
    },
}
