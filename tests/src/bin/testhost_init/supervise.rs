//! The first process of a host with systemd: it stays where the machine's file system is, and
//! ends systemd and everything under it when the test is over.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::mount::{MountFlags, MountPropagationFlags, mount_change};

use crate::Because as _;
use crate::root::fs_mount;

/// A directory that every machine has (hier(7)), covered in this mount namespace only.
const CGROUPS: &str = "/mnt";

/// The host's control group, with the pid of this process behind it.
const PREFIX: &str = "nsshell-testhost-";

/// How long systemd may take to start, and everything under it to be gone.
const LIMIT: Duration = Duration::from_secs(15);

/// Starts the host, says so, and ends it when standard input does.
pub fn run(spec: &str) -> Result<(), String> {
    let private = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
    mount_change("/", private).because("make all mounts private")?;
    fs_mount("cgroup2", CGROUPS, MountFlags::empty(), c"")?;
    let host = Inner::start(spec)?;
    crate::say(&format!("ready {}", host.pid))?;
    let mut rest = Vec::new();
    std::io::stdin()
        .read_to_end(&mut rest)
        .because("wait for the end of the test")?;
    Ok(())
}

/// systemd and its control group; both end with this value.
struct Inner {
    child: Child,
    group: PathBuf,
    /// as the machine sees it
    pid: String,
}

impl Inner {
    fn start(spec: &str) -> Result<Self, String> {
        remove_stale()?;
        let group = Path::new(CGROUPS).join(format!("{PREFIX}{}", crate::machine_pid()?));
        fs::create_dir(&group).because(group.display())?;
        // In the group before the namespace is made: the group becomes the namespace's root.
        let line = "echo 0 > \"$0/cgroup.procs\" && \
                    exec unshare --mount --pid --cgroup --fork --kill-child=SIGKILL -- \"$@\"";
        let own = std::env::current_exe().because("find this program")?;
        let child = Command::new("/bin/sh")
            .args(["-c", line])
            .args([group.as_path(), &own, Path::new("systemd")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let child = match child {
            Ok(child) => child,
            Err(error) => {
                let _ = fs::remove_dir(&group);
                return Err(format!("start /bin/sh: {error}"));
            }
        };
        let mut inner = Self {
            child,
            group,
            pid: String::new(),
        };
        inner.pid = inner.describe(spec)?;
        inner.booted()?;
        Ok(inner)
    }

    /// Hands on the description; the answer is the pid.
    fn describe(&mut self, spec: &str) -> Result<String, String> {
        let stdin = self.child.stdin.take();
        stdin
            .because_none()?
            .write_all(spec.as_bytes())
            .because("describe the host")?;
        let mut answer = String::new();
        BufReader::new(self.child.stdout.take().because_none()?)
            .read_line(&mut answer)
            .because("read from the host")?;
        let answer = answer.trim();
        match answer.strip_prefix("ready ") {
            Some(pid) => Ok(pid.to_owned()),
            None => Err(answer.trim_start_matches("error ").to_owned()),
        }
    }

    /// Waits until everything that is to run does.
    fn booted(&self) -> Result<(), String> {
        let end = Instant::now() + LIMIT;
        loop {
            let state = self.systemctl(&["is-system-running", "--wait"])?;
            match state.as_str() {
                "running" => return Ok(()),
                "degraded" | "maintenance" => {
                    let failed = self.systemctl(&["--failed", "--plain", "--no-legend"])?;
                    return Err(format!("systemd could not start: {failed}"));
                }
                // Its socket is not there yet.
                _ if Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
                _ => {
                    let jobs = self.systemctl(&["list-jobs"])?;
                    return Err(format!("systemd is {state:?} after {LIMIT:?}: {jobs}"));
                }
            }
        }
    }

    fn systemctl(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new("timeout")
            .arg(LIMIT.as_secs().to_string())
            .args(["nsenter", "--target", &self.pid])
            .args(["--mount", "--pid", "--", "systemctl"])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .because("start nsenter")?;
        let text = [output.stdout, output.stderr].concat();
        Ok(String::from_utf8_lossy(&text).trim().to_owned())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Whatever fails, the end of this process, PID 1 of a PID namespace, ends all of them.
        let _ = fs::write(self.group.join("cgroup.kill"), "1");
        let _ = self.child.kill();
        let _ = self.child.wait();
        let end = Instant::now() + LIMIT;
        while remove_tree(&self.group).is_err() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Groups of hosts whose first process was killed: nobody else removes them. A group that has
/// processes cannot be removed.
fn remove_stale() -> Result<(), String> {
    for entry in fs::read_dir(CGROUPS).because(CGROUPS)?.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = remove_tree(&entry.path());
        }
    }
    Ok(())
}

/// Removes a control group and those beneath it (cgroups(7): rmdir, the files go by themselves).
fn remove_tree(group: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}

/// What std gives as an option, though a pipe was asked for.
trait BecauseNone<T> {
    fn because_none(self) -> Result<T, String>;
}

impl<T> BecauseNone<T> for Option<T> {
    fn because_none(self) -> Result<T, String> {
        self.ok_or_else(|| "a pipe is missing".to_owned())
    }
}
