//! A test host leaves the machine as it found it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nsshell_tests::{Host, root_or_skip, wait_for};

/// Modification time and size of everything under a directory.
fn snapshot(dir: &Path, into: &mut BTreeMap<PathBuf, (i64, i64, u64)>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(data) = entry.path().symlink_metadata() else {
            continue;
        };
        into.insert(entry.path(), (data.mtime(), data.mtime_nsec(), data.len()));
        if data.is_dir() {
            snapshot(&entry.path(), into);
        }
    }
}

/// Everything of the machine that a host has of its own and would change if it were not.
fn machine() -> (BTreeMap<PathBuf, (i64, i64, u64)>, String) {
    let mut files = BTreeMap::new();
    for dir in [
        "/etc",
        "/home",
        "/var/spool/cron",
        "/var/log",
        "/run",
        "/usr/local/bin",
        "/usr/libexec",
        "/dev/pts",
    ] {
        snapshot(Path::new(dir), &mut files);
    }
    let mut texts = String::new();
    for file in [
        "/proc/self/mountinfo",
        "/proc/sys/kernel/hostname",
        "/proc/net/tcp",
        "/proc/net/dev_mcast",
        "/proc/sysvipc/msg",
    ] {
        texts += &fs::read_to_string(file).unwrap_or_default();
    }
    texts += &fs::read_to_string("/etc/passwd").unwrap();
    (files, texts)
}

/// The namespaces of a process; empty if it is gone.
fn namespaces(pid: &str) -> Vec<PathBuf> {
    let kinds = ["cgroup", "ipc", "mnt", "net", "pid", "uts"];
    kinds
        .iter()
        .filter_map(|kind| fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok())
        .collect()
}

/// Whether any process of the machine is in one of these namespaces.
fn inhabited(host: &[PathBuf]) -> bool {
    let pids = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().into_string().unwrap());
    pids.filter(|name| name.parse::<u32>().is_ok())
        .any(|pid| namespaces(&pid).iter().any(|of| host.contains(of)))
}

/// The namespaces of the host that are not this process's.
fn own_namespaces(pid: u32) -> Vec<PathBuf> {
    let machine = namespaces("self");
    let own: Vec<PathBuf> = namespaces(&pid.to_string())
        .into_iter()
        .filter(|of| !machine.contains(of))
        .collect();
    assert_eq!(own.len(), 6, "{own:?}");
    own
}

#[test]
fn a_host_changes_nothing_on_the_machine() {
    root_or_skip!();
    let before = machine();
    let host = Host::unconfined();
    let own = own_namespaces(host.pid());
    host.run("useradd carol && touch /etc/new /usr/local/bin/new /home/new /run/new && rm -r /etc/cron.daily && hostname other && ipcmk -Q").ok();
    host.ssh("alice", "setsid -f sleep 1000 >/dev/null 2>&1")
        .ok();
    host.run("mount -t tmpfs new /srv && ip link set lo down")
        .ok();
    assert!(inhabited(&own));
    drop(host);
    wait_for("the end of the host", || !inhabited(&own));
    let after = machine();
    let changed: Vec<_> = after
        .0
        .iter()
        .filter(|(path, data)| before.0.get(*path) != Some(data))
        .collect();
    assert!(changed.is_empty(), "{changed:?}");
    let gone: Vec<_> = before
        .0
        .keys()
        .filter(|path| !after.0.contains_key(*path))
        .collect();
    assert!(gone.is_empty(), "{gone:?}");
    assert_eq!(after.1, before.1);
}

#[test]
fn a_host_dies_with_its_test_even_by_sigkill() {
    root_or_skip!();
    let program = env!("CARGO_BIN_EXE_testhost");
    // PID 1 of the host knows its pid on the machine no more: the parent of the shell does.
    let mut test = Command::new(program)
        .arg("setsid -f sleep 1000 >/dev/null 2>&1; echo up; exec sleep 1000")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(test.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "up\n");
    let init = descendant_named(test.id(), "testhost_init");
    let own = own_namespaces(init);
    assert!(inhabited(&own));
    test.kill().unwrap();
    test.wait().unwrap();
    wait_for("the end of the host", || !inhabited(&own));
}

/// The pid of a process under `ancestor` with this name.
fn descendant_named(ancestor: u32, name: &str) -> u32 {
    let children =
        fs::read_to_string(format!("/proc/{ancestor}/task/{ancestor}/children")).unwrap();
    let pids: Vec<u32> = children
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect();
    let named = |pid: &u32| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name)
    };
    pids.iter().copied().find(named).unwrap_or_else(|| {
        let first = pids
            .first()
            .unwrap_or_else(|| panic!("no {name} under {ancestor}"));
        descendant_named(*first, name)
    })
}
