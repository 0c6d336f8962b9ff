//! What a test host is made of: written by the builder, read by `testhost_init`, as one line of
//! JSON on its standard input.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// An account of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// login name
    pub name: String,
    /// user id
    pub uid: u32,
    /// primary group id; the group has the user's name
    pub gid: u32,
    /// login shell
    pub shell: String,
    /// home directory, made and owned by the user
    pub home: PathBuf,
    /// subordinate user ids: first id, count (subuid(5))
    pub subuid: Vec<(u32, u32)>,
    /// subordinate group ids: first id, count (subgid(5))
    pub subgid: Vec<(u32, u32)>,
}

/// A file of the host, owned by root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// absolute path in the host; missing directories are made
    pub path: PathBuf,
    /// permission bits
    pub mode: u32,
    /// the whole content
    pub content: String,
}

/// A file that is copied from the machine into the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// absolute path on the machine
    pub from: PathBuf,
    /// absolute path in the host
    pub to: PathBuf,
    /// permission bits
    pub mode: u32,
}

/// A directory of the machine that is in the host as it is, and stays when the host is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// absolute path on the machine
    pub from: PathBuf,
    /// absolute path in the host
    pub to: PathBuf,
}

/// A whole host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// accounts beside root and the machine's system accounts
    pub users: Vec<User>,
    /// crypt(5) hash of everybody's password
    pub password_hash: String,
    /// written in this order, after the harness's own files
    pub files: Vec<File>,
    /// the product
    pub copies: Vec<Copy>,
    /// mounted before anything else is made
    pub disks: Vec<Disk>,
    /// shell lines, run as root in this order before sshd starts
    pub prepare: Vec<String>,
    /// whether sshd runs
    pub sshd: bool,
    /// whether systemd is PID 1, with logind and a system bus
    pub systemd: bool,
}
