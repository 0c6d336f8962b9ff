use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;

use crate::command::Cmd;
use crate::product::own_program;
use crate::spec::Spec;
use crate::wait::LIMIT;
use crate::{Builder, Census, Output, Pty, Session};

/// The password of every account, root's too.
pub const PASSWORD: &str = "secret";

/// A throw-away host. It is gone, with everything in it, when this value is dropped or its
/// process ends in whatever way.
#[derive(Debug)]
pub struct Host {
    /// `unshare`, the parent of the host's PID 1
    unshare: Child,
    /// its end is the end of the host
    stdin: Option<ChildStdin>,
    pid: u32,
    /// whether systemd is its PID 1
    systemd: bool,
}

impl Host {
    /// A host with alice and bob and the module in every PAM stack, with the built-in policy.
    #[must_use]
    pub fn confined() -> Self {
        Self::builder().confined().user("alice").user("bob").start()
    }

    /// The same host without the product: what nobody keeps apart.
    #[must_use]
    pub fn unconfined() -> Self {
        Self::builder().user("alice").user("bob").start()
    }

    /// A host to be described further; it has root only, and nothing of the product.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn start(spec: &Spec) -> Self {
        // signals: as in Cmd
        let mut unshare = Command::new("env")
            .args(["--default-signal", "unshare"])
            .args(["--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup"])
            .args(["--fork", "--kill-child=SIGKILL", "--"])
            .arg(own_program("testhost_init"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start unshare of util-linux");
        let mut stdin = unshare.stdin.take().expect("stdin is a pipe");
        let stdout = unshare.stdout.take().expect("stdout is a pipe");
        let mut line = serde_json::to_string(spec).expect("a description is plain data");
        line.push('\n');
        stdin
            .write_all(line.as_bytes())
            .expect("describe the host to its init");

        let (sender, answer) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(stdout).read_line(&mut line);
            let _ = sender.send(read.map(|_| line));
        });
        let mut host = Self {
            unshare,
            stdin: Some(stdin),
            pid: 0,
            systemd: spec.systemd,
        };
        let answer = answer
            .recv_timeout(LIMIT)
            .expect("the host starts in time")
            .expect("read from its init");
        host.pid = answer
            .strip_prefix("ready ")
            .and_then(|pid| pid.trim().parse().ok())
            .unwrap_or_else(|| panic!("the test host did not start: {}", answer.trim()));
        host
    }

    /// The pid of the host's PID 1 as the machine sees it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// A line of sh(1), run as root in the host.
    pub fn cmd(&self, line: &str) -> Cmd {
        self.argv(&["/bin/sh", "-c", line])
    }

    /// A program with its arguments, run as root in the host.
    pub fn argv(&self, argv: &[&str]) -> Cmd {
        Cmd::new(self.pid, argv)
    }

    /// Runs a line of sh(1) as root in the host.
    pub fn run(&self, line: &str) -> Output {
        self.cmd(line).output()
    }

    /// Logs in over ssh without a terminal and runs a command line there.
    pub fn ssh(&self, user: &str, line: &str) -> Output {
        self.ssh_cmd(user, &[], line).output()
    }

    /// The same, with options of ssh(1), to be changed further.
    pub fn ssh_cmd(&self, user: &str, options: &[&str], line: &str) -> Cmd {
        let to = format!("{user}@127.0.0.1");
        let mut argv = vec!["ssh"];
        argv.extend(options);
        argv.extend([to.as_str(), line].iter().filter(|word| !word.is_empty()));
        self.argv(&argv)
    }

    /// Logs in over ssh on a terminal of 24 lines and 80 columns: a login shell, or the command
    /// line if it is not empty.
    #[must_use]
    pub fn ssh_pty(&self, user: &str, line: &str) -> Pty {
        self.ssh_cmd(user, &["-tt"], line).pty()
    }

    /// Runs a line of sh(1) as root on a terminal.
    #[must_use]
    pub fn pty(&self, line: &str) -> Pty {
        self.cmd(line).pty()
    }

    /// Opens a login over ssh that answers commands until it is dropped.
    #[must_use]
    pub fn session(&self, user: &str) -> Session {
        Session::new(self.ssh_cmd(user, &["-T"], "exec sh 2>&1"))
    }

    /// Everything that was sent to syslog, a line each; with systemd, what is in the journal.
    #[must_use]
    pub fn log(&self) -> String {
        if self.systemd {
            return self
                .run("journalctl --quiet --no-pager --output=short")
                .ok();
        }
        self.run("cat /run/testlog").ok()
    }

    /// Waits until a line of the log contains `text`: messages are written a moment after they
    /// were sent.
    pub fn wait_for_log(&self, text: &str) {
        crate::wait_for(&format!("`{text}` in the log"), || {
            self.log().contains(text)
        });
    }

    /// Counts what there is in the host now.
    #[must_use]
    pub fn census(&self) -> Census {
        Census::take(self)
    }

    /// Waits until nothing is in the host that was not there at `before`.
    ///
    /// # Panics
    /// With what is left over.
    pub fn wait_for_nothing_left(&self, before: &Census) {
        let end = std::time::Instant::now() + LIMIT;
        loop {
            let left = self.census().without(before);
            if left.is_empty() {
                return;
            }
            assert!(std::time::Instant::now() < end, "left behind: {left:#?}");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // PID 1 sees the end of its input and ends; the kernel ends all others and frees the
        // namespaces, and unshare follows. Killing comes after a host that did not start.
        drop(self.stdin.take());
        if self.pid == 0 {
            let _ = self.unshare.kill();
        }
        let _ = self.unshare.wait();
    }
}
