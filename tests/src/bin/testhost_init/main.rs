//! PID 1 of a test host. The harness starts it in fresh namespaces
//! (`unshare --mount --pid --net --ipc --uts --cgroup --fork`) with a host's description on
//! standard input; it makes that host around itself, writes `ready PID` (its pid as the machine
//! sees it), and then reaps and keeps the log until standard input ends, which happens when the
//! test is over however it ended. The kernel then ends everything else in the host.
//!
//! If the host is to have systemd, this first process only starts and ends it, see `supervise`:
//! a second one makes the host and becomes systemd.
#![forbid(unsafe_code)]

mod devices;
mod etc;
mod root;
mod serve;
mod supervise;
mod systemd;

use std::fmt::Display;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nsshell_tests::spec::Spec;

/// How long sshd may take until it listens.
const SSHD_LIMIT: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let served = read_spec().and_then(|(line, spec)| match spec.systemd {
        true if std::env::args_os().nth(1).is_some() => Err(systemd::become_pid_1(&spec)),
        true => supervise::run(&line),
        false => start(&spec).and_then(|(pid, server)| {
            say(&format!("ready {pid}"))?;
            server.run()
        }),
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

/// The description, as it came and as what it means.
fn read_spec() -> Result<(String, Spec), String> {
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .because("read the description")?;
    let spec = serde_json::from_str(&line).because("read the description")?;
    Ok((line, spec))
}

fn start(spec: &Spec) -> Result<(String, serve::Server), String> {
    let pid = make_host(spec)?;
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

/// Makes the host around this process; its pid as the machine sees it.
fn make_host(spec: &Spec) -> Result<String, String> {
    let pid = machine_pid()?;
    rustix::process::umask(rustix::fs::Mode::WGRP | rustix::fs::Mode::WOTH);
    root::enter(spec)?;
    rustix::system::sethostname(b"testhost").because("set the host name")?;
    shell("ip link set lo up")?;
    etc::write(spec)?;
    Ok(pid)
}

/// This process's pid as the machine sees it, whose /proc is still there.
fn machine_pid() -> Result<String, String> {
    let link = std::fs::read_link("/proc/self").because("read /proc/self")?;
    Ok(link.display().to_string())
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
