use std::io::{Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::wait::LIMIT;
use crate::{Output, Pty};

/// The environment of root's commands in a host.
const ENVIRONMENT: [(&str, &str); 5] = [
    (
        "PATH",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ),
    ("HOME", "/root"),
    ("SHELL", "/bin/bash"),
    ("TERM", "dumb"),
    ("LC_ALL", "C.UTF-8"),
];

/// A command that is to run in a host, as root unless said otherwise.
#[derive(Debug)]
#[must_use]
pub struct Cmd {
    host: u32,
    argv: Vec<String>,
    user: Option<String>,
    environment: Vec<(String, String)>,
    stdin: Vec<u8>,
    limit: Duration,
}

impl Cmd {
    pub(crate) fn new(host: u32, argv: &[&str]) -> Self {
        Self {
            host,
            argv: argv.iter().map(|&word| word.to_owned()).collect(),
            user: None,
            environment: Vec::new(),
            stdin: Vec::new(),
            limit: LIMIT,
        }
    }

    /// Runs as this user instead, without a login: nothing of PAM is asked.
    pub fn user(mut self, name: &str) -> Self {
        self.user = Some(name.to_owned());
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What the command reads; nothing by default.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// How long it may take, instead of [`LIMIT`].
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// If that takes longer than the limit.
    pub fn output(self) -> Output {
        let (limit, stdin) = (self.limit, self.stdin.clone());
        let mut running = self.spawn();
        running.feed(stdin);
        running.wait(limit)
    }

    /// Starts it and leaves it running, its standard input open. It is killed when the value is
    /// dropped.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn spawn(self) -> Running {
        let mut command = self.command();
        command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("start nsenter of util-linux");
        let stdout = collect(child.stdout.take().expect("stdout is a pipe"));
        let stderr = collect(child.stderr.take().expect("stderr is a pipe"));
        Running {
            line: self.argv.join(" "),
            child,
            stdout,
            stderr,
            seen: Vec::new(),
        }
    }

    /// Starts it on a terminal of 24 lines and 80 columns.
    pub fn pty(self) -> Pty {
        // The new session's terminal is its standard input (setsid(1)). A user's belongs to the
        // user, as sshd and login(1) make it; root's to root.
        let owner = self.user.as_deref().map(|user| uid(self.host, user));
        Pty::spawn(self.host, self.argv.join(" "), owner, |pid_1| {
            let mut argv = vec!["setsid".to_owned(), "--ctty".to_owned()];
            argv.extend(self.argv.iter().cloned());
            Cmd {
                host: pid_1,
                argv,
                ..self
            }
            .command()
        })
    }

    /// Runs it to its end with this process's own standard input and outputs, without a limit;
    /// its exit status, 255 if a signal killed it.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn on_own_output(self) -> u8 {
        let status = self
            .command()
            .status()
            .expect("start nsenter of util-linux");
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(u8::MAX)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("env");
        // The tests may have been started where the terminal's signals are ignored (nohup), which
        // every child would inherit.
        command
            .args(["--default-signal", "nsenter"])
            .arg(format!("--target={}", self.host))
            .args([
                "--mount", "--ipc", "--uts", "--net", "--pid", "--cgroup", "--",
            ])
            .env_clear()
            .envs(ENVIRONMENT)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        // A user may have no way into /root.
        command.args([
            "env",
            if self.user.is_some() {
                "--chdir=/"
            } else {
                "--chdir=/root"
            },
        ]);
        if let Some(user) = &self.user {
            command.args(["setpriv", "--reuid", user, "--regid", user, "--init-groups"]);
        }
        command.args(&self.argv);
        command
    }
}

/// Hands on what comes out of `from`, in pieces, as it comes.
fn collect(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut piece = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut piece) {
            if sender.send(piece[..length].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

/// A command that runs in a host.
#[derive(Debug)]
pub struct Running {
    line: String,
    child: Child,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    /// what came to standard output and was not taken yet
    seen: Vec<u8>,
}

impl Running {
    /// Writes to the command's standard input.
    ///
    /// # Panics
    /// If it is closed.
    pub fn send(&mut self, text: &str) {
        let stdin = self
            .child
            .stdin
            .as_mut()
            .expect("standard input is still open");
        stdin
            .write_all(text.as_bytes())
            .unwrap_or_else(|error| panic!("`{}` takes no input: {error}", self.line));
    }

    /// Waits until the standard output contains `pattern`, and takes everything up to its end.
    ///
    /// # Panics
    /// If it does not come within [`LIMIT`], or the output ends.
    pub fn expect(&mut self, pattern: &str) -> String {
        self.expect_within(pattern, LIMIT)
    }

    /// The same with another limit than [`LIMIT`].
    ///
    /// # Panics
    /// If it does not come in time, or the output ends.
    pub fn expect_within(&mut self, pattern: &str, limit: Duration) -> String {
        let end = Instant::now() + limit;
        loop {
            if let Some(at) = find(&self.seen, pattern.as_bytes()) {
                let taken: Vec<u8> = self.seen.drain(..at + pattern.len()).collect();
                return String::from_utf8_lossy(&taken).into_owned();
            }
            match self
                .stdout
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(piece) => self.seen.extend(piece),
                Err(reason) => panic!(
                    "`{}` did not say `{pattern}`: {reason}; it said `{}` and complained `{}`",
                    self.line,
                    String::from_utf8_lossy(&self.seen),
                    String::from_utf8_lossy(&self.stderr.try_iter().flatten().collect::<Vec<u8>>()),
                ),
            }
        }
    }

    /// Closes the command's standard input.
    pub fn close(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Kills the command with SIGKILL, as if its machine had vanished.
    pub fn kill(&mut self) {
        // nsenter's group holds the command too.
        if let Some(group) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Closes the standard input and waits for the end.
    ///
    /// # Panics
    /// If that takes longer than `limit`.
    pub fn wait(&mut self, limit: Duration) -> Output {
        self.close();
        let end = Instant::now() + limit;
        let ended = wait_child(&self.child, limit);
        if !ended {
            self.kill();
        }
        let status = self.child.wait().expect("wait for nsenter");
        let mut stdout = std::mem::take(&mut self.seen);
        let complete = drain(&self.stdout, end, &mut stdout);
        let mut stderr = Vec::new();
        let complete = drain(&self.stderr, end, &mut stderr) && complete;
        let output = Output {
            line: self.line.clone(),
            status,
            stdout,
            stderr,
        };
        assert!(ended, "still running after {limit:?}: {output}");
        assert!(
            complete,
            "ended, but something still holds its output after {limit:?}: {output}"
        );
        output
    }

    /// In the background, so that a command that writes before it has read everything does not
    /// block.
    fn feed(&mut self, bytes: Vec<u8>) {
        let mut stdin = self
            .child
            .stdin
            .take()
            .expect("standard input is still open");
        // A command need not read what it is given.
        std::thread::spawn(move || stdin.write_all(&bytes));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Not once it has ended: what it has put into the background belongs to the test.
        if let Ok(None) = self.child.try_wait() {
            self.kill();
            let _ = self.child.wait();
        }
    }
}

/// Waits for the end of a child, but not longer than `limit`; whether it ended.
pub(crate) fn wait_child(child: &Child, limit: Duration) -> bool {
    let pid = Pid::from_raw(child.id().cast_signed()).expect("a child has a pid");
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).expect("pidfd_open");
    poll_until(&mut [PollFd::new(&pidfd, PollFlags::IN)], limit)
}

/// Whether one of the descriptors became ready within `limit`.
pub(crate) fn poll_until(watched: &mut [PollFd<'_>], limit: Duration) -> bool {
    let end = Instant::now() + limit;
    loop {
        let left = Timespec::try_from(end.saturating_duration_since(Instant::now()))
            .expect("a short time");
        match poll(watched, Some(&left)) {
            Ok(ready) => return ready > 0,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("poll: {error}"),
        }
    }
}

/// Whether the output came to its end.
fn drain(from: &Receiver<Vec<u8>>, end: Instant, into: &mut Vec<u8>) -> bool {
    loop {
        match from.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(piece) => into.extend(piece),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return true,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => return false,
        }
    }
}

pub(crate) fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len())
        .position(|window| window == needle)
}

/// A user's number in the host.
fn uid(host: u32, user: &str) -> u32 {
    let passwd = std::fs::read_to_string(format!("/proc/{host}/root/etc/passwd"));
    passwd
        .expect("read the host's /etc/passwd")
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&user))
        .and_then(|fields| fields.get(2)?.parse().ok())
        .unwrap_or_else(|| panic!("{user} is not in the host's /etc/passwd"))
}
