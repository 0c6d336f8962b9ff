use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process_group};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::command::{find, poll_until, wait_child};
use crate::wait::LIMIT;

/// A terminal of the host (pty(7)) with a command on it. Dropping it kills the command and hangs
/// up.
#[derive(Debug)]
pub struct Pty {
    line: String,
    master: OwnedFd,
    child: Child,
    /// what came and was not taken yet
    seen: Vec<u8>,
    questions: usize,
}

impl Pty {
    /// The terminal must be one of the host's own devpts, else nothing in the host knows its
    /// name and login(1) refuses it. `/proc/PID/root` leads there without entering.
    pub(crate) fn spawn(
        host: u32,
        line: String,
        owner: Option<u32>,
        command: impl FnOnce(u32) -> Command,
    ) -> Self {
        let ptmx = format!("/proc/{host}/root/dev/pts/ptmx");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let master =
            rustix::fs::open(&ptmx, flags, Mode::empty()).expect("open the host's /dev/ptmx");
        unlockpt(&master).expect("unlock the terminal");
        let open = || {
            let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
            ioctl_tiocgptpeer(&master, flags).expect("open the terminal's other side")
        };
        set_size(&master, 24, 80);
        if let Some(owner) = owner {
            rustix::fs::fchown(open(), Some(rustix::fs::Uid::from_raw(owner)), None)
                .expect("give the terminal to its user");
        }
        let mut command = command(host);
        command
            .process_group(0)
            .stdin(open())
            .stdout(open())
            .stderr(open());
        let child = command.spawn().expect("start nsenter of util-linux");
        Self {
            line,
            master,
            child,
            seen: Vec::new(),
            questions: 0,
        }
    }

    /// Types this, without a line's end.
    ///
    /// # Panics
    /// If the terminal is gone.
    pub fn send(&mut self, text: &str) {
        self.send_bytes(text.as_bytes());
    }

    /// Types these bytes.
    ///
    /// # Panics
    /// If the terminal is gone.
    pub fn send_bytes(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let written = rustix::io::write(&self.master, bytes).expect("write to the terminal");
            bytes = &bytes[written..];
        }
    }

    /// Types a line and the return key.
    pub fn line(&mut self, text: &str) {
        self.send(&format!("{text}\r"));
    }

    /// Types a control character: `control('c')` is Ctrl-C.
    pub fn control(&mut self, key: char) {
        let code = u8::try_from(key.to_ascii_uppercase()).expect("an ASCII letter") & 0x1f;
        self.send(&char::from(code).to_string());
    }

    /// Waits until the screen contains `pattern`, and takes everything up to its end.
    ///
    /// # Panics
    /// If it does not come within [`LIMIT`], or the terminal is closed.
    #[track_caller]
    pub fn expect(&mut self, pattern: &str) -> String {
        self.expect_any(&[pattern])
    }

    /// The same for whichever of several patterns comes first; what is taken ends in it.
    ///
    /// # Panics
    /// If none comes within [`LIMIT`], or the terminal is closed.
    #[track_caller]
    pub fn expect_any(&mut self, patterns: &[&str]) -> String {
        let end = Instant::now() + LIMIT;
        loop {
            let ends = patterns
                .iter()
                .filter_map(|pattern| Some(find(&self.seen, pattern.as_bytes())? + pattern.len()));
            if let Some(end) = ends.min() {
                let taken: Vec<u8> = self.seen.drain(..end).collect();
                return String::from_utf8_lossy(&taken).into_owned();
            }
            let more = self.read(end.saturating_duration_since(Instant::now()));
            assert!(
                more,
                "`{}` did not show {patterns:?}; it shows `{}`",
                self.line,
                String::from_utf8_lossy(&self.seen)
            );
        }
    }

    /// Waits for the next bytes on the screen, as they are, and takes them.
    ///
    /// # Panics
    /// If so many do not come within [`LIMIT`], or the terminal is closed.
    #[track_caller]
    pub fn take(&mut self, length: usize) -> Vec<u8> {
        let end = Instant::now() + LIMIT;
        while self.seen.len() < length {
            let more = self.read(end.saturating_duration_since(Instant::now()));
            let seen = self.seen.len();
            assert!(more, "`{}` shows {seen} bytes of {length}", self.line);
        }
        self.seen.drain(..length).collect()
    }

    /// Waits until a shell asks for a command. What is typed before that may be lost: login and
    /// su throw away what came while they asked for the password.
    #[track_caller]
    pub fn prompt(&mut self) {
        self.expect_any(&["$ ", "# "]);
    }

    /// Types a command line to a shell and waits for its end; what it wrote.
    ///
    /// # Panics
    /// If that takes longer than [`LIMIT`].
    #[track_caller]
    pub fn ask(&mut self, line: &str) -> String {
        self.questions += 1;
        let number = self.questions;
        // The quotes keep the shell's echo of the line apart from what it writes.
        self.line(&format!(
            "echo 'be''gin'{number}; {line}; echo 'e''nd'{number}"
        ));
        self.expect(&format!("begin{number}\r\n"));
        let end = format!("end{number}\r\n");
        let answer = self.expect(&end);
        answer[..answer.len() - end.len()]
            .replace("\r\n", "\n")
            .trim_end()
            .to_owned()
    }

    /// Changes the window's size, in characters.
    pub fn resize(&self, rows: u16, columns: u16) {
        set_size(&self.master, rows, columns);
    }

    /// Waits for the end of the command, and takes the rest of what it wrote.
    ///
    /// # Panics
    /// If that takes longer than [`LIMIT`].
    #[track_caller]
    pub fn wait(&mut self) -> (ExitStatus, String) {
        // The terminal is read on: a command that cannot write does not end.
        let end = Instant::now() + LIMIT;
        while self.read(end.saturating_duration_since(Instant::now())) {}
        let ended = wait_child(&self.child, end.saturating_duration_since(Instant::now()));
        let rest = String::from_utf8_lossy(&std::mem::take(&mut self.seen)).into_owned();
        assert!(
            ended,
            "`{}` still runs after {LIMIT:?}; it shows `{rest}`",
            self.line
        );
        (self.child.wait().expect("wait for nsenter"), rest)
    }

    /// Takes in more of what was written; false if the terminal is closed or the time is over.
    fn read(&mut self, limit: Duration) -> bool {
        if !poll_until(&mut [PollFd::new(&self.master, PollFlags::IN)], limit) {
            return false;
        }
        let mut piece = [0; 4096];
        // EIO: nobody has the other side open any more.
        match rustix::io::read(&self.master, &mut piece) {
            Ok(length @ 1..) => self.seen.extend(&piece[..length]),
            _ => return false,
        }
        true
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            if let Some(group) = Pid::from_raw(self.child.id().cast_signed()) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = self.child.wait();
        }
    }
}

fn set_size(master: &OwnedFd, rows: u16, columns: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(master, size).expect("set the window's size");
}
