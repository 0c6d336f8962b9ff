//! What PID 1 does while the test runs.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::UnixDatagram;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{WaitOptions, wait};

use crate::Because as _;

/// Everything that was sent to syslog, a line each.
const LOG: &str = "/run/testlog";

/// Longer than any message that a C library sends to /dev/log.
const MESSAGE_MAX: usize = 16 * 1024;

/// Reaper and system logger.
pub struct Server {
    syslog: UnixDatagram,
    log: File,
    children: SignalFd,
}

impl Server {
    /// Binds /dev/log. From here on children announce their end on a descriptor.
    pub fn new() -> Result<Self, String> {
        let syslog = UnixDatagram::bind("/dev/log").because("bind /dev/log")?;
        syslog.set_nonblocking(true).because("/dev/log")?;
        std::fs::set_permissions("/dev/log", std::fs::Permissions::from_mode(0o666))
            .because("/dev/log")?;
        let log = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(LOG)
            .because(LOG)?;
        let signals = SigSet::from(Signal::SIGCHLD);
        // std::process::Command gives its children an empty mask again.
        signals.thread_block().because("block SIGCHLD")?;
        let children =
            SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
                .because("signalfd")?;
        Ok(Self {
            syslog,
            log,
            children,
        })
    }

    /// Serves until standard input ends.
    pub fn run(mut self) -> Result<(), String> {
        let stdin = std::io::stdin();
        loop {
            // First: whoever ended before the descriptor was there is not announced.
            while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
            let mut watched = [
                PollFd::new(&stdin, PollFlags::IN),
                PollFd::new(&self.syslog, PollFlags::IN),
                PollFd::new(&self.children, PollFlags::IN),
            ];
            match poll(&mut watched, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(format!("poll: {error}")),
            }
            let over = !watched[0].revents().is_empty();
            self.write_messages()?;
            if over {
                return Ok(());
            }
            while let Ok(Some(_)) = self.children.read_signal() {}
        }
    }

    fn write_messages(&mut self) -> Result<(), String> {
        let mut message = vec![0; MESSAGE_MAX];
        while let Ok(length) = self.syslog.recv(&mut message) {
            let text = String::from_utf8_lossy(&message[..length]);
            let line = text.trim_end_matches(['\0', '\n']).replace('\n', "\\n");
            writeln!(self.log, "{line}").because(LOG)?;
        }
        Ok(())
    }
}
