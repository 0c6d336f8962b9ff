//! PID 1 of a test host. The harness starts it in fresh namespaces
//! (`unshare --mount --pid --net --ipc --uts --cgroup --fork`) with a host's description on
//! standard input; it makes that host around itself, writes `ready PID` (its pid as the machine
//! sees it), and then reaps and keeps the log until standard input ends, which happens when the
//! test is over however it ended. The kernel then ends everything else in the host.
#![forbid(unsafe_code)]

mod devices;
mod etc;
mod root;
mod serve;

use std::fmt::Display;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nsshell_tests::spec::Spec;

/// How long sshd may take until it listens.
const SSHD_LIMIT: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let served = start().and_then(|(pid, server)| {
        say(&format!("ready {pid}"))?;
        server.run()
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            // If nobody listens any more there is nobody to tell.
            let _ = say(&format!("error {reason}"));
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(String, serve::Server), String> {
    let pid = std::fs::read_link("/proc/self")
        .because("read /proc/self")?
        .display()
        .to_string();
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .because("read the description")?;
    let spec: Spec = serde_json::from_str(&line).because("read the description")?;

    rustix::process::umask(rustix::fs::Mode::WGRP | rustix::fs::Mode::WOTH);
    root::enter(&spec.copies, &spec.disks)?;
    rustix::system::sethostname(b"testhost").because("set the host name")?;
    shell("ip link set lo up")?;
    etc::write(&spec)?;
    // Before anything that logs.
    let server = serve::Server::new()?;
    for line in &spec.prepare {
        shell(line)?;
    }
    if spec.sshd {
        start_sshd()?;
    }
    Ok((pid, server))
}

/// Its log goes to /dev/log, and what is wrong with its configuration to the test's own output.
fn start_sshd() -> Result<(), String> {
    let mut sshd = Command::new("/usr/sbin/sshd");
    sshd.arg("-D").stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = sshd.spawn().because("start /usr/sbin/sshd")?;
    // It writes its pid when it listens.
    let end = Instant::now() + SSHD_LIMIT;
    while !Path::new("/run/sshd.pid").exists() {
        if let Some(status) = child.try_wait().because("wait for sshd")? {
            return Err(format!("sshd ended at once: {status}"));
        }
        if Instant::now() > end {
            return Err(format!("sshd does not listen after {SSHD_LIMIT:?}"));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Runs a line of shell that must succeed.
fn shell(line: &str) -> Result<(), String> {
    let mut sh = Command::new("/bin/sh");
    sh.args(["-e", "-c", line]).stdin(Stdio::null());
    let output = sh.output().because("start /bin/sh")?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "`{line}`: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim_end()
    ))
}

fn say(line: &str) -> Result<(), String> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", line.replace('\n', "; "))
        .and_then(|()| stdout.flush())
        .because("write to the test")
}

/// Gives an error the step that failed.
trait Because<T> {
    fn because(self, step: impl Display) -> Result<T, String>;
}

impl<T, E: Display> Because<T> for Result<T, E> {
    fn because(self, step: impl Display) -> Result<T, String> {
        self.map_err(|error| format!("{step}: {error}"))
    }
}
