//! The module's arguments in a line of /etc/pam.d.
#![forbid(unsafe_code)]

use std::ffi::CStr;
use std::fmt;

use nsshell_session::audit::Format;

/// `config=PATH json debug`
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// the policy file, absolute; empty for the default
    pub config: Vec<u8>,
    /// say more in the log
    pub debug: bool,
    /// write the audit trail as JSON
    pub json: bool,
}

/// An argument that the module does not take. A misspelt one must not be passed over: it may
/// have been meant to confine somebody.
#[derive(Debug, PartialEq, Eq)]
pub struct BadArgument(String);

impl fmt::Display for BadArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(argument) = self;
        write!(
            f,
            "pam_nsshell.so does not take the argument \"{argument}\"; it takes config=PATH \
            with an absolute path, json and debug"
        )
    }
}

impl Arguments {
    /// How the lines of the audit trail are written.
    pub fn format(&self) -> Format {
        match self.json {
            true => Format::Json,
            false => Format::Text,
        }
    }

    /// Reads the arguments.
    ///
    /// # Errors
    /// The first one that is unknown.
    pub fn parse(arguments: &[&CStr]) -> Result<Self, BadArgument> {
        let mut parsed = Self::default();
        for argument in arguments {
            let bytes = argument.to_bytes();
            match bytes.strip_prefix(b"config=") {
                Some(path) if path.starts_with(b"/") => parsed.config = path.to_vec(),
                None if bytes == b"debug" => parsed.debug = true,
                None if bytes == b"json" => parsed.json = true,
                _ => return Err(BadArgument(nsshell_session::one_line(bytes))),
            }
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_arguments_are_understood_in_any_order() {
        let wanted = Arguments {
            config: b"/etc/x.toml".to_vec(),
            debug: true,
            json: true,
        };
        assert_eq!(
            Arguments::parse(&[c"debug", c"config=/etc/x.toml", c"json"]),
            Ok(wanted)
        );
        assert_eq!(Arguments::parse(&[]), Ok(Arguments::default()));
    }

    #[test]
    fn an_unknown_argument_or_a_relative_path_is_refused_by_name() {
        for bad in [
            c"debg",
            c"config=x.toml",
            c"config",
            c"config=",
            c"DEBUG",
            c"",
        ] {
            let told = Arguments::parse(&[bad]).map_err(|bad| bad.to_string());
            let name = bad.to_string_lossy();
            assert!(told.is_err_and(|line| line.contains(&*name)), "{name}");
        }
    }
}
