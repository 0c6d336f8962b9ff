//! Who is in a session, as /proc tells it (proc(5)).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::CString;
use std::fs;
use std::os::fd::OwnedFd;

use nsshell_config::Namespace;
use serde::Serialize;

use crate::record::Record;
use crate::sys::ns::Kinds;
use crate::sys::{Errno, fd, ns, pidfd, signal};

/// A kind of namespace by all that it is called.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// in a plan
    pub namespace: Namespace,
    /// to setns(2)
    pub bits: Kinds,
    /// in policies
    pub name: &'static str,
    /// its link in /proc/PID/ns
    pub link: &'static str,
}

const fn kind(namespace: Namespace, bits: Kinds, name: &'static str, link: &'static str) -> Kind {
    Kind {
        namespace,
        bits,
        name,
        link,
    }
}

/// Every kind.
pub const KINDS: [Kind; 8] = [
    kind(Namespace::Mount, Kinds::MOUNT, "mount", "mnt"),
    kind(Namespace::Ipc, Kinds::IPC, "ipc", "ipc"),
    kind(Namespace::Pid, Kinds::PID, "pid", "pid"),
    kind(Namespace::User, Kinds::USER, "user", "user"),
    kind(Namespace::Uts, Kinds::UTS, "uts", "uts"),
    kind(Namespace::Net, Kinds::NET, "net", "net"),
    kind(Namespace::Cgroup, Kinds::CGROUP, "cgroup", "cgroup"),
    kind(Namespace::Time, Kinds::TIME, "time", "time"),
];

/// The name of a kind in policies.
#[must_use]
pub fn name(kind: Namespace) -> &'static str {
    let found = KINDS.iter().find(|one| one.namespace == kind);
    found.map_or("", |kind| kind.name)
}

/// The inodes of the namespaces that a process is in, by the names of their links: of those that
/// the caller may see.
#[must_use]
pub fn namespaces(pid: i32) -> BTreeMap<String, u64> {
    let seen = |kind: &Kind| Some((kind.link.to_owned(), inode(pid, kind.link).ok()?));
    KINDS.iter().filter_map(seen).collect()
}

/// Opens a namespace that a process is in; `link` as in [`KINDS`].
///
/// # Errors
/// ENOENT: the process is gone; EACCES: it is somebody else's.
pub fn open_namespace(pid: i32, link: &str) -> Result<OwnedFd, Errno> {
    let path = CString::new(format!("/proc/{pid}/ns/{link}")).map_err(|_| Errno::INVAL)?;
    ns::open_link(&path)
}

/// By the link's text, "pid:[4026531836]", which needs no descriptor.
fn inode(pid: i32, link: &str) -> Result<u64, Errno> {
    let text = fs::read_link(format!("/proc/{pid}/ns/{link}")).map_err(|error| errno(&error))?;
    let text = text.to_string_lossy();
    let number = text
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'));
    number
        .and_then(|(number, _)| number.parse().ok())
        .ok_or(Errno::INVAL)
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// When a process was started, in clock ticks since the host was.
///
/// # Errors
/// ENOENT: it is gone, or hidden (hidepid).
pub fn start(pid: i32) -> Result<u64, Errno> {
    let text = fs::read(format!("/proc/{pid}/stat")).map_err(|error| errno(&error))?;
    field(&text, 22).ok_or(Errno::INVAL)
}

/// What a process is known by for good: when it was started, as [`start`] has it, and the inode
/// of each of its namespaces, by the names of their links.
///
/// # Errors
/// ENOENT, ESRCH: there is none of this number; EACCES without CAP_SYS_PTRACE.
pub fn identity(pid: i32) -> Result<(u64, BTreeMap<String, u64>), Errno> {
    let start = start(pid)?;
    let mut namespaces = BTreeMap::new();
    for kind in &KINDS {
        match inode(pid, kind.link) {
            // Linux before 5.6 has no time namespaces.
            Err(Errno::NOENT) if kind.bits == Kinds::TIME => {}
            inode => {
                namespaces.insert(kind.link.to_owned(), inode?);
            }
        }
    }
    Ok((start, namespaces))
}

/// A field of /proc/PID/stat, from 1. The second one is the command in parentheses, which may
/// hold spaces and parentheses itself: fields are counted from the last one on.
fn field(stat: &[u8], number: usize) -> Option<u64> {
    let text = String::from_utf8_lossy(stat);
    let (_, rest) = text.rsplit_once(')')?;
    let mut rest = rest.split_ascii_whitespace();
    rest.nth(number.checked_sub(3)?)?.parse().ok()
}

/// A process of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Process {
    /// its number here
    pub pid: i32,
    /// its numbers from here down to the PID namespace that it is in
    pub inside: Vec<i32>,
    /// its real user id, in the terms of who asks
    pub uid: u32,
    /// its anonymous memory in bytes: what nobody else has
    pub memory: u64,
    /// its name (the kernel's, at most 15 bytes)
    pub command: String,
    /// inodes of the namespaces that it is in, by the names of their links
    pub namespaces: BTreeMap<String, u64>,
}

/// All processes that the caller may look into, and what is known of their PID namespaces.
#[derive(Debug, Default)]
pub struct Processes {
    all: Vec<Process>,
    /// each PID namespace with those above it
    above: HashMap<u64, HashSet<u64>>,
}

impl Processes {
    /// Looks at all of /proc once. A process that ends meanwhile is left out, as is one that the
    /// caller may not look into.
    #[must_use]
    pub fn look() -> Self {
        let mut found = Self::default();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if let Some(process) = read(pid) {
                found.note_above(&process);
                found.all.push(process);
            }
        }
        found
    }

    fn note_above(&mut self, process: &Process) {
        let Some(&own) = process.namespaces.get("pid") else {
            return;
        };
        if self.above.contains_key(&own) {
            return;
        }
        let mut above = HashSet::from([own]);
        let mut next = open_namespace(process.pid, "pid");
        // EPERM: above the caller's own, so above every session that the caller can see.
        while let Ok(parent) = next.and_then(ns::parent) {
            above.extend(fd::identity(&parent).map(fd::Identity::inode));
            next = Ok(parent);
        }
        self.above.insert(own, above);
    }

    /// Those of a session. With a PID namespace: who is in it or beneath it, which nobody
    /// leaves. Without: who is in any namespace that the session has made; the application
    /// that has opened it is, too.
    #[must_use]
    pub fn of(&self, session: &Record) -> Vec<&Process> {
        let made = session.own_namespaces();
        let is_in = |process: &&Process| match made.get(&Namespace::Pid) {
            Some(pid) => {
                let own = process.namespaces.get("pid");
                own.and_then(|own| self.above.get(own))
                    .is_some_and(|above| above.contains(pid))
            }
            None => KINDS.iter().any(|kind| {
                let inode = made.get(&kind.namespace);
                inode.is_some() && process.namespaces.get(kind.link) == inode
            }),
        };
        self.all.iter().filter(is_in).collect()
    }
}

fn read(pid: i32) -> Option<Process> {
    let status = fs::read(format!("/proc/{pid}/status")).ok()?;
    let status = String::from_utf8_lossy(&status);
    let value = |key: &str| {
        let mut lines = status.lines();
        lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(':').map(str::trim))
    };
    let number = |text: &str| text.split_ascii_whitespace().next()?.parse::<u64>().ok();
    // The links first to be refused: nothing is shown of who cannot be told apart.
    let namespaces = namespaces(pid);
    if namespaces.is_empty() || value("State")?.starts_with(['Z', 'X']) {
        return None;
    }
    Some(Process {
        pid,
        inside: value("NSpid")?
            .split_ascii_whitespace()
            .filter_map(|number| number.parse().ok())
            .collect(),
        uid: value("Uid").and_then(number)?.try_into().ok()?,
        // kernel threads have none
        memory: value("RssAnon").and_then(number).unwrap_or(0) * 1024,
        command: value("Name")?.to_owned(),
        namespaces,
    })
}

impl Process {
    /// Signals it if it is still the process that was seen: one handle for the look and the
    /// signal, so that no other process can be hit that has got its number since.
    ///
    /// # Errors
    /// EPERM; ESRCH: it is gone, or elsewhere by now.
    pub fn signal(&self, signal: signal::Signal) -> Result<(), Errno> {
        let handle = pidfd::open(self.pid)?;
        match read(self.pid) {
            // In every kind: without a PID namespace of the session's own that one is the host's.
            Some(now) if now.namespaces == self.namespaces => signal::send(handle, signal),
            _ => Err(Errno::SRCH),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_command_with_spaces_and_parentheses_moves_no_field() {
        let rest = (3..=52)
            .map(|n| n.to_string())
            .collect::<Vec<_>>()
            .join(" ");
        for command in ["sh", "a b", "a) S 1 (", ") 7 8 9"] {
            let line = format!("4711 ({command}) {rest}\n");
            assert_eq!(field(line.as_bytes(), 22), Some(22), "{command}");
        }
        assert_eq!(field(b"4711 (sh", 22), None);
        assert_eq!(field(b"4711 (sh) S 1", 22), None);
    }

    #[test]
    fn a_process_is_known_by_its_start_and_its_namespaces() {
        let own = std::process::id().cast_signed();
        let known = identity(own).unwrap();
        assert_eq!(Ok(&known), identity(own).as_ref());
        assert!(known.0 > 0 && known.1.len() >= 7, "{known:?}");
        assert_eq!(identity(i32::MAX).err(), Some(Errno::NOENT));
    }

    #[test]
    fn the_caller_itself_is_found_with_its_namespaces_and_its_start() {
        let pid = std::process::id().cast_signed();
        let own = read(pid).unwrap();
        assert_eq!(own.inside[0], pid);
        assert_eq!(own.namespaces.len(), 8);
        assert!(own.memory > 0);
        assert!(start(pid).unwrap() >= start(1).unwrap());
        let opened = fd::identity(open_namespace(pid, "mnt").unwrap()).unwrap();
        assert_eq!(opened.inode(), own.namespaces["mnt"]);
    }

    #[test]
    fn a_process_that_is_elsewhere_by_now_is_not_signalled() {
        let own = read(std::process::id().cast_signed()).unwrap();
        assert_eq!(own.signal(0), Ok(()));
        for link in ["pid", "mnt", "ipc"] {
            let mut seen = own.clone();
            seen.namespaces.insert(link.to_owned(), 1);
            assert_eq!(seen.signal(0), Err(Errno::SRCH), "{link}");
        }
    }

    #[test]
    fn a_session_without_a_pid_namespace_has_whoever_shares_one_of_its_own() {
        let found = Processes::look();
        let own = read(std::process::id().cast_signed()).unwrap();
        let mut session: Record = serde_json::from_str(
            r#"{"session":"k","user":"a","uid":1,"service":"s","profile":"p","pid":1,"started":1}"#,
        )
        .unwrap();
        assert!(found.of(&session).is_empty());
        session.namespaces = own.namespaces.clone();
        assert!(found.of(&session).is_empty(), "none of them is its own");
        session.kinds = Kinds::MOUNT.bits();
        let is_own = |process: &&&Process| process.pid == own.pid;
        assert!(found.of(&session).iter().any(|p| is_own(&p)));
        session.kinds = Kinds::MOUNT.with(Kinds::PID).bits();
        assert!(found.of(&session).iter().any(|p| is_own(&p)));
        session.namespaces.insert("pid".to_owned(), 1);
        assert!(found.of(&session).is_empty());
    }
}
