//! The gate's part of a session's plan, in a form that it can read without a parser for JSON.
//!
//! init writes it beside the plan, as a file of root's in the session; its meaning is decided in
//! the plan alone. A header with the version, then fields, each ended by NUL: none of a plan's
//! strings can hold one. Lists are preceded by their length.

use alloc::vec::Vec;

/// The first field, with the version: another one is a session of another nsshell.
const HEADER: &[u8] = b"nsshell-gate-1";

/// Where a command without a slash is looked for.
pub const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games";

/// The gate's instructions: whose session it enters, and which program it becomes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Orders<'a> {
    /// a user namespace is to be entered, with a mount namespace in it
    pub user_layer: bool,
    /// login name
    pub user: &'a [u8],
    /// home directory, absolute
    pub home: &'a [u8],
    /// the variable PATH
    pub path: &'a [u8],
    /// the variable XDG_RUNTIME_DIR; empty: none
    pub runtime_dir: &'a [u8],
    /// name of the profile, for messages
    pub profile: &'a [u8],
    /// the real shell, absolute
    pub shell: &'a [u8],
    /// what runs in place of the shell, with its arguments; the first is absolute; empty: the
    /// shell
    pub command: Vec<&'a [u8]>,
    /// names of further variables that `command` gets from the login
    pub pass_environment: Vec<&'a [u8]>,
}

impl<'a> Orders<'a> {
    /// The text of the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut field = |bytes: &[u8]| {
            // A NUL inside would shift the fields after it: the rest of such a string is left out.
            text.extend(bytes.iter().take_while(|&&byte| byte != 0));
            text.push(0);
        };
        field(HEADER);
        field(if self.user_layer { b"user" } else { b"" });
        for one in [
            self.user,
            self.home,
            self.path,
            self.runtime_dir,
            self.profile,
            self.shell,
        ] {
            field(one);
        }
        for list in [&self.command, &self.pass_environment] {
            field(decimal(list.len()).as_slice());
            list.iter().for_each(|one| field(one));
        }
        text
    }

    /// Reads the text of the file; none if it is not one, is cut short, or is of another version.
    #[must_use]
    pub fn decode(text: &'a [u8]) -> Option<Self> {
        let mut fields = text.strip_suffix(&[0])?.split(|&byte| byte == 0);
        if fields.next()? != HEADER {
            return None;
        }
        let user_layer = match fields.next()? {
            b"user" => true,
            b"" => false,
            _ => return None,
        };
        let mut orders = Self {
            user_layer,
            user: fields.next()?,
            home: fields.next()?,
            path: fields.next()?,
            runtime_dir: fields.next()?,
            profile: fields.next()?,
            shell: fields.next()?,
            ..Self::default()
        };
        for list in [&mut orders.command, &mut orders.pass_environment] {
            let length: usize = core::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
            for _ in 0..length {
                list.push(fields.next()?);
            }
        }
        fields.next().is_none().then_some(orders)
    }
}

fn decimal(number: usize) -> Vec<u8> {
    alloc::format!("{number}").into_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn orders() -> Orders<'static> {
        Orders {
            user_layer: true,
            user: b"alice",
            home: b"/home/\xff",
            path: PATH.as_bytes(),
            runtime_dir: b"",
            profile: b"standard",
            shell: b"/bin/bash",
            command: alloc::vec![b"/usr/bin/app", b"", b"two words"],
            pass_environment: alloc::vec![b"EDITOR"],
        }
    }

    #[test]
    fn orders_are_read_as_they_were_written() {
        let text = orders().encode();
        assert_eq!(Orders::decode(&text), Some(orders()));
        let plain = Orders {
            shell: b"/bin/sh",
            ..Orders::default()
        };
        assert_eq!(Orders::decode(&plain.encode()), Some(plain));
    }

    #[test]
    fn orders_that_are_cut_anywhere_longer_or_of_another_version_are_refused() {
        let whole = orders().encode();
        for length in 0..whole.len() {
            assert_eq!(Orders::decode(&whole[..length]), None, "cut at {length}");
        }
        assert_eq!(Orders::decode(&[&whole[..], b"x\0"].concat()), None);
        let other = whole
            .iter()
            .map(|&byte| if byte == b'1' { b'2' } else { byte });
        assert_eq!(Orders::decode(&other.collect::<Vec<_>>()), None);
    }
}
