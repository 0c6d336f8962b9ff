//! What login.defs(5) says about subordinate ids.

use crate::{Error, IdKind};

/// Where subordinate ids may lie, and how many a user gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// first id that may be given
    pub first: u32,
    /// last id that may be given
    pub last: u32,
    /// ids of one user
    pub count: u32,
}

impl Limits {
    /// The limits in the text of /etc/login.defs; for what it does not say those of shadow,
    /// whose programs read the same file.
    ///
    /// # Errors
    /// A value that is no number, or limits that leave no id.
    pub fn parse(login_defs: &str, kind: IdKind) -> Result<Limits, Error> {
        let id = match kind {
            IdKind::Uid => "UID",
            IdKind::Gid => "GID",
        };
        let value = |what: &str, default: u32| {
            let name = format!("SUB_{id}_{what}");
            match setting(login_defs, &name) {
                None => Ok(default),
                Some(text) => number(text)
                    .ok_or_else(|| wrong(&format!("{name} is `{text}`, which is no number"))),
            }
        };
        let limits = Limits {
            // neither root nor the kernel's "no id" is anybody's to be given
            first: value("MIN", 100_000)?.max(1),
            last: value("MAX", 600_100_000)?.min(u32::MAX - 1),
            count: value("COUNT", 65_536)?,
        };
        if limits.count == 0 {
            return Err(wrong(&format!("SUB_{id}_COUNT is 0: nobody gets a range")));
        }
        if limits.first > limits.last || limits.last - limits.first < limits.count - 1 {
            let what = format!("SUB_{id}_MIN to SUB_{id}_MAX has no room for SUB_{id}_COUNT ids");
            return Err(wrong(&what));
        }
        Ok(limits)
    }
}

fn wrong(what: &str) -> Error {
    Error::Host {
        what: format!("/etc/login.defs: {what}"),
        errno: None,
    }
}

/// The value of a setting. Of two lines shadow takes the last.
fn setting<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let value = |line: &'t str| {
        let rest = line.trim_start().strip_prefix(name)?;
        let value = rest.trim_start_matches([' ', '\t', '"']);
        // a longer name begins alike
        (value.len() < rest.len()).then(|| value.split([' ', '\t', '"', '#']).next())?
    };
    text.lines().rev().find_map(value)
}

/// A number as shadow reads it: like strtoul(3), which knows octal and hexadecimal ones.
fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text {
        "0" => ("0", 10),
        _ => match (
            text.strip_prefix("0x").or(text.strip_prefix("0X")),
            text.strip_prefix('0'),
        ) {
            (Some(digits), _) => (digits, 16),
            (None, Some(digits)) => (digits, 8),
            (None, None) => (text, 10),
        },
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain
        .then(|| u32::from_str_radix(digits, radix).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Limits = Limits {
        first: 100_000,
        last: 600_100_000,
        count: 65_536,
    };

    #[test]
    fn limits_are_those_that_shadow_reads() {
        let cases = [
            ("", DEFAULT),
            ("#SUB_UID_MIN 5\nSUB_UID_MINUTE 5\nSUB_GID_MIN 5\n", DEFAULT),
            (
                "SUB_UID_MIN\t\t   200000\nSUB_UID_MAX 300000\nSUB_UID_COUNT 10\n",
                Limits {
                    first: 200_000,
                    last: 300_000,
                    count: 10,
                },
            ),
            (
                "  SUB_UID_COUNT \"0x10\" # sixteen\nSUB_UID_MIN 010\nSUB_UID_MIN 0100",
                Limits {
                    first: 64,
                    count: 16,
                    ..DEFAULT
                },
            ),
            (
                "SUB_UID_MIN 0\nSUB_UID_MAX 4294967295\n",
                Limits {
                    first: 1,
                    last: 4_294_967_294,
                    ..DEFAULT
                },
            ),
        ];
        for (text, want) in cases {
            assert_eq!(Limits::parse(text, IdKind::Uid), Ok(want), "{text:?}");
        }
        let gid = Limits::parse("SUB_UID_MIN 5\nSUB_GID_MIN 7\n", IdKind::Gid);
        assert_eq!(gid.map(|limits| limits.first), Ok(7));
    }

    #[test]
    fn limits_without_sense_are_told() {
        let cases = [
            ("SUB_UID_MIN many\n", "SUB_UID_MIN is `many`"),
            ("SUB_UID_MIN -1\n", "SUB_UID_MIN is `-1`"),
            ("SUB_UID_MIN +1\n", "SUB_UID_MIN is `+1`"),
            ("SUB_UID_MAX 4294967296\n", "SUB_UID_MAX is `4294967296`"),
            ("SUB_UID_COUNT 0\n", "SUB_UID_COUNT is 0"),
            ("SUB_UID_MAX 100\n", "no room"),
            ("SUB_UID_MAX 165534\n", "no room"),
            ("SUB_UID_MIN \n", "SUB_UID_MIN is ``"),
        ];
        for (text, want) in cases {
            let told = Limits::parse(text, IdKind::Uid).map_err(|error| error.to_string());
            assert!(
                matches!(&told, Err(told) if told.contains(want)),
                "{told:?}"
            );
        }
    }
}
