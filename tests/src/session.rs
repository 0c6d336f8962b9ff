use crate::Output;
use crate::command::{Cmd, Running};
use crate::wait::LIMIT;

/// A login that stays open and answers one command line after the other (sh(1)).
#[derive(Debug)]
pub struct Session {
    shell: Running,
    questions: usize,
}

impl Session {
    /// `login` ends in a shell that reads commands from its standard input.
    pub(crate) fn new(login: Cmd) -> Self {
        let mut session = Self {
            shell: login.spawn(),
            questions: 0,
        };
        // The login is through when it answers.
        session.ask("true").ok();
        session
    }

    /// Runs a command line there. Both of its outputs come as standard output.
    ///
    /// # Panics
    /// If it does not end within [`LIMIT`], or the session is closed.
    #[track_caller]
    pub fn ask(&mut self, line: &str) -> Output {
        self.questions += 1;
        let end = format!("--end of answer {}: ", self.questions);
        // What the line starts must not read the next question.
        self.shell
            .send(&format!("{{ {line}\n}} </dev/null\necho \"{end}$?\"\n"));
        let text = self.shell.expect(&end);
        let code = self
            .shell
            .expect("\n")
            .trim()
            .parse()
            .expect("an exit status");
        Output::answer(line, code, text[..text.len() - end.len()].to_owned())
    }

    /// Logs out and waits for the end of the client.
    ///
    /// # Panics
    /// If that takes longer than [`LIMIT`].
    pub fn end(mut self) -> Output {
        self.shell.wait(LIMIT)
    }

    /// Kills the client with SIGKILL, as if its machine had vanished.
    pub fn vanish(mut self) {
        self.shell.kill();
    }

    /// Waits for the end of a client whose session somebody else ended.
    ///
    /// # Panics
    /// If that takes longer than [`LIMIT`].
    pub fn wait(mut self) -> Output {
        self.shell.wait(LIMIT)
    }
}
