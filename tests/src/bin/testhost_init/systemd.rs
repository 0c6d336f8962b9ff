//! systemd as PID 1 of the host: the machine's program, with units of the harness's.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use nsshell_tests::spec::Spec;
use rustix::mount::{MountPropagationFlags, mount_change};

use crate::Because as _;
use crate::etc::{put, remove};
use crate::root::make_dir;

const SYSTEMD: &str = "/lib/systemd/systemd";

/// What the machine's administrator and packages have switched on: units, and the programs
/// that make units of the machine's fstab, disks and kernel command line.
const REMOVED: [&str; 8] = [
    "/etc/fstab",
    "/etc/systemd",
    "/etc/xdg/systemd",
    "/usr/local/lib/systemd",
    "/lib/systemd/system-generators",
    "/lib/systemd/system-environment-generators",
    "/lib/systemd/user-environment-generators",
    "/var/lib/systemd/linger",
];

/// Where packages bring units, and in directories of this end have them started with others:
/// which others, every package decides.
const UNITS: &str = "/lib/systemd/system";
const WITH: &str = ".wants";

/// Programs that the units below and PAM need, and who brings them.
const NEEDED: [(&str, &str); 3] = [
    (SYSTEMD, "systemd"),
    ("/lib/systemd/systemd-logind", "systemd"),
    ("/usr/bin/dbus-daemon", "dbus"),
];

/// Powers over the machine that no namespace holds back. systemd loads modules and sets the
/// clock if it may.
const DROPPED: &str = "-sys_module,-sys_time,-sys_rawio,-syslog,-mac_admin,-wake_alarm";

/// Files of the host: path, content.
const FILES: [(&str, &str); 5] = [
    ("/etc/fstab", ""),
    (
        "/etc/systemd/journald.conf",
        "[Journal]\nStorage=volatile\nRateLimitBurst=0\nAudit=\nReadKMsg=no\n",
    ),
    // The default is 10 s, which a test of two logins one after the other would wait.
    ("/etc/systemd/logind.conf", "[Login]\nUserStopDelaySec=0\n"),
    (
        "/etc/systemd/system/testhost.target",
        "[Unit]\nRequires=basic.target\nAfter=basic.target\n\
         Wants=systemd-journald.service dbus.service systemd-logind.service\n\
         After=systemd-journald.service dbus.service systemd-logind.service\n\
         AllowIsolate=yes\n",
    ),
    // It writes its pid when it listens.
    (
        "/etc/systemd/system/sshd.service",
        "[Unit]\nAfter=systemd-logind.service\n\
         [Service]\nType=exec\nKillMode=process\nExecStart=/usr/sbin/sshd -D\n\
         ExecStartPost=/bin/sh -c 'until test -e /run/sshd.pid; do sleep 0.01; done'\n",
    ),
];

/// Units that are wanted by others, as links in their directories.
const WANTED: [(&str, &str); 3] = [
    ("sockets.target", "dbus.socket"),
    ("sockets.target", "systemd-journald.socket"),
    ("sockets.target", "systemd-journald-dev-log.socket"),
];

/// Replaces the machine's units by the host's.
pub fn write(spec: &Spec) -> Result<(), String> {
    for (program, package) in NEEDED {
        if !Path::new(program).exists() {
            return Err(format!("{program} is missing; install {package}"));
        }
    }
    for path in REMOVED {
        remove(path)?;
    }
    for entry in std::fs::read_dir(UNITS).because(UNITS)? {
        let path = entry.because(UNITS)?.path();
        match path.to_str() {
            Some(path) if path.ends_with(WITH) => remove(path)?,
            _ => {}
        }
    }
    for (path, content) in FILES {
        put(path, 0o644, content)?;
    }
    for (by, unit) in WANTED {
        want(by, &format!("/lib/systemd/system/{unit}"), unit)?;
    }
    // journald asks for it; it is the machine's kernel that would be heard.
    let audit = "/etc/systemd/system/systemd-journald-audit.socket";
    std::os::unix::fs::symlink("/dev/null", audit).because(audit)?;
    if spec.sshd {
        let unit = "sshd.service";
        want(
            "testhost.target",
            &format!("/etc/systemd/system/{unit}"),
            unit,
        )?;
    }
    Ok(())
}

fn want(by: &str, path: &str, unit: &str) -> Result<(), String> {
    let dir = format!("/etc/systemd/system/{by}.wants");
    make_dir(&dir, 0o755)?;
    std::os::unix::fs::symlink(path, format!("{dir}/{unit}")).because(unit)
}

/// Makes the host around this process, says so, and becomes systemd; comes back only with what
/// went wrong.
pub fn become_pid_1(spec: &Spec) -> String {
    let made = crate::make_host(spec).and_then(|pid| {
        // systemd does so itself where it knows of no container.
        let shared = MountPropagationFlags::REC | MountPropagationFlags::SHARED;
        mount_change("/", shared).because("share all mounts")?;
        spec.prepare
            .iter()
            .try_for_each(|line| crate::shell(line))?;
        crate::say(&format!("ready {pid}"))
    });
    if let Err(reason) = made {
        return reason;
    }
    let error = Command::new("setpriv")
        .args(["--bounding-set", DROPPED, SYSTEMD, "--system"])
        .args(["--unit=testhost.target", "--log-target=journal"])
        // It leaves alone what belongs to the machine if it knows that it is not the first
        // (systemd's "container interface").
        .env_clear()
        .env("container", "testhost")
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .exec();
    format!("start setpriv: {error}")
}
