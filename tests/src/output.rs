use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use crate::validate;

/// What became of a command.
#[derive(Debug)]
#[must_use]
pub struct Output {
    /// what was run
    pub(crate) line: String,
    pub(crate) status: ExitStatus,
    /// its standard output
    pub stdout: Vec<u8>,
    /// its standard error
    pub stderr: Vec<u8>,
}

impl Output {
    pub(crate) fn answer(line: &str, code: i32, stdout: String) -> Self {
        let status = ExitStatus::from_raw(code << 8);
        Self {
            line: line.to_owned(),
            status,
            stdout: stdout.into_bytes(),
            stderr: Vec::new(),
        }
    }

    /// Its exit status; none if a signal killed it.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Whether it exited with 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.status.success()
    }

    /// Its standard output without the last line's end.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end().to_owned()
    }

    /// Its standard error without the last line's end.
    #[must_use]
    pub fn complaint(&self) -> String {
        String::from_utf8_lossy(&self.stderr).trim_end().to_owned()
    }

    /// Its standard output, if it succeeded.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn ok(&self) -> String {
        assert!(self.success(), "must succeed: {self}");
        self.text()
    }

    /// Its standard output, if the installed schema has it so as what this verb of `nsctl`
    /// prints with --json. Whether it succeeded does not count: `check` fails for what it finds.
    ///
    /// # Panics
    /// If it is not of that shape.
    #[track_caller]
    #[must_use]
    pub fn json(&self, verb: &str) -> serde_json::Value {
        let value = serde_json::from_slice(&self.stdout);
        let value = value.unwrap_or_else(|error| panic!("{error}: {self}"));
        let faults = validate::faults_as(verb, &validate::outputs(), &value);
        assert!(faults.is_empty(), "{faults:#?}: {self}");
        value
    }

    /// Its standard error, if it failed.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn fails(&self) -> String {
        assert!(!self.success(), "must fail: {self}");
        self.complaint()
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`{}`: {}\nstdout: {}\nstderr: {}",
            self.line,
            self.status,
            self.text(),
            self.complaint()
        )
    }
}
