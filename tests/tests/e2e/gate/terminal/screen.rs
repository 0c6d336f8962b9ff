//! The terminal of the user who becomes alice: a plain one, or a pane of tmux.

use nsshell_tests::{Host, Pty, wait_for};

use super::ways::Typist;

pub enum Screen<'a> {
    /// with everything that it has shown
    Plain(Pty, String),
    /// the host, and the session's name
    Tmux(&'a Host, String),
}

impl<'a> Screen<'a> {
    /// A shell of that user on a terminal of its own.
    pub fn open(host: &'a Host, typist: Typist, name: &str) -> Self {
        if typist == Typist::RootInTmux {
            let start = "tmux -f /dev/null new-session -d -x 120 -y 50 -s";
            host.run(&format!("{start} {name} 'exec bash --norc'")).ok();
            return Self::Tmux(host, name.to_owned());
        }
        let mut shell = host.cmd("exec bash --norc");
        if typist == Typist::Bob {
            shell = shell.user("bob");
        }
        Self::Plain(shell.pty(), String::new())
    }

    /// The path of the terminal in the host.
    pub fn path(&mut self) -> String {
        match self {
            Self::Plain(pty, _) => pty.ask("tty"),
            Self::Tmux(host, name) => host
                .run(&format!(
                    "tmux display-message -p -t {name} '#{{pane_tty}}'"
                ))
                .ok(),
        }
    }

    pub fn line(&mut self, text: &str) {
        match self {
            Self::Plain(pty, _) => pty.line(text),
            Self::Tmux(host, name) => {
                let (host, name) = (*host, &name.clone());
                let keys = ["tmux", "send-keys", "-t", name];
                host.argv(&[&keys[..], &["-l", text]].concat())
                    .output()
                    .ok();
                // Until then the last prompt could be taken for the next one.
                wait_for(text, || self.text().contains(text));
                host.argv(&[&keys[..], &["Enter"]].concat()).output().ok();
            }
        }
    }

    /// Waits until this is there.
    pub fn expect(&mut self, pattern: &str) {
        match self {
            Self::Plain(pty, seen) => *seen += &pty.expect(pattern),
            Self::Tmux(..) => wait_for(pattern, || self.text().contains(pattern)),
        }
    }

    /// Waits until a shell asks for a command.
    pub fn prompt(&mut self) {
        match self {
            Self::Plain(pty, seen) => *seen += &pty.expect_any(&["$ ", "# "]),
            Self::Tmux(..) => wait_for("a prompt", || self.text().trim_end().ends_with(['$', '#'])),
        }
    }

    /// Everything up to what was waited for last.
    pub fn text(&self) -> String {
        match self {
            Self::Plain(_, seen) => seen.clone(),
            Self::Tmux(host, name) => host
                .run(&format!("tmux capture-pane -p -J -S - -t {name}"))
                .ok(),
        }
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        if let Self::Tmux(host, name) = self {
            let _ = host.run(&format!("tmux kill-session -t {name}"));
        }
    }
}
