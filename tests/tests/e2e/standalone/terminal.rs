//! Alice at a terminal.

use nsshell_tests::{Host, Pty, wait_for};

use super::wait_for_front;

/// A terminal whose shells end their prompts in "> ". What is typed before a prompt is there may
/// be read by the wrong program, so every method ends with the next prompt or says otherwise.
pub struct Terminal(pub Pty);

impl Terminal {
    /// Alice's bash, outside of any session.
    pub fn new(host: &Host) -> Self {
        // The leader of the terminal's session itself, as behind a terminal emulator; su(1) would
        // stay between, and ignore a hang-up.
        let login = host.argv(&["/bin/bash", "-c", "cd; exec -a -bash bash"]);
        let mut pty = login.user("alice").env("HOME", "/home/alice").pty();
        pty.prompt();
        pty.line("PS1='out''er> '");
        pty.expect("outer> ");
        let mut terminal = Self(pty);
        assert_eq!(terminal.ask("echo [$NSSHELL_SESSION] $0"), "[] -bash");
        terminal
    }

    pub fn ask(&mut self, line: &str) -> String {
        let answer = self.0.ask(line);
        self.0.expect("> ");
        answer
    }

    /// The exit status of the command before.
    pub fn status(&mut self) -> String {
        self.0.line("echo sta''tus $?.");
        self.0.expect("status ");
        let status = self.0.expect(".\r\n");
        self.0.expect("> ");
        status.trim_end_matches(".\r\n").to_owned()
    }

    /// Types a line; what the terminal then shows up to `end`, which is no prompt yet.
    pub fn run(&mut self, line: &str, end: &str) -> String {
        self.0.line(line);
        self.0.expect(end)
    }

    /// Types a line that leads back to a prompt, of the shell whose name `prompt` begins with.
    pub fn back(&mut self, line: &str, prompt: &str) -> String {
        self.run(line, &format!("{prompt}> "))
    }

    pub fn key(&mut self, key: char, prompt: &str) -> String {
        self.0.control(key);
        self.0.expect(&format!("{prompt}> "))
    }

    /// An interactive shell in a session.
    pub fn enter(&mut self) {
        self.back("PS1='in''ner> ' nsshell $norc", "inner");
        self.is_inside();
    }

    pub fn is_inside(&mut self) {
        assert_eq!(self.ask("cat /proc/1/comm"), "nsshell-init");
    }

    /// And has the terminal.
    pub fn is_outside(&mut self) {
        assert_ne!(self.ask("cat /proc/1/comm"), "nsshell-init");
    }

    /// Continues a stopped command that sleeps. The shell shows its name before it gives it the
    /// terminal: a key that is typed in between would go astray.
    pub fn fg(&mut self, host: &Host) {
        self.0.line("fg");
        wait_for_front(host);
    }

    /// Ends a stopped job.
    pub fn kill_job(&mut self) {
        let said = self.ask("kill %1");
        assert!(!said.contains("kill:"), "{said}");
        // bash may miss the one SIGCHLD of a job that is continued only to die; it looks again
        // when another child ends.
        wait_for("the end of the job", || {
            self.ask("/bin/true; jobs").is_empty()
        });
    }

    /// Starts a command that says when it runs and then waits for signals.
    pub fn start_sleep(&mut self, with: &str) {
        self.run(
            &format!("{with} 'echo star''ted; exec sleep 1000'"),
            "started\r\n",
        );
    }
}

/// Alice's bash, from which `enter` starts another one.
pub fn terminal(host: &Host) -> Terminal {
    let mut terminal = Terminal::new(host);
    terminal.ask("norc=--norc");
    terminal
}
