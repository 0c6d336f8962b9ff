//! `pass_environment`: further variables of the login that a profile's `command` gets.

use std::fmt;

use crate::diagnostic::Faults;
use crate::entry;
use crate::shape;
use crate::source::At;
use crate::tree::Node;

/// Longest name of a variable, in bytes.
const MAX_NAME: usize = 255;

/// Variables that nsshell sets itself, from the plan and from the module; a `*` at the end stands for any rest.
const FROM_PLAN: &[&str] = &[
    "HOME",
    "LOGNAME",
    "NSSHELL_*",
    "PATH",
    "SHELL",
    "USER",
    "XDG_RUNTIME_DIR",
];

/// Variables that the command gets without being asked for, where the value is harmless. By name
/// they would come with any value.
const BY_VALUE: &[&str] = &["LANG", "LC_*", "TERM", "TZ"];

/// Variables by which the loader, the C library, shells, interpreters and common libraries load or
/// run a file, or read a configuration that names one.
const LOADING: &[&str] = &[
    "BASHOPTS",
    "BASH_ENV",
    "BASH_FUNC_*",
    "ENV",
    "GCONV_PATH",
    "GIO_MODULE_DIR",
    "GLIBC_TUNABLES",
    "GTK_MODULES",
    "GTK_PATH",
    "IFS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "LD_*",
    "LOCPATH",
    "NODE_OPTIONS",
    "NODE_PATH",
    "OPENSSL_CONF",
    "OPENSSL_ENGINES",
    "OPENSSL_MODULES",
    "PERL5*",
    "PERLLIB",
    "PROMPT_COMMAND",
    "PS4",
    "PYTHON*",
    "QT_PLUGIN_PATH",
    "RUBYLIB",
    "RUBYOPT",
    "SHELLOPTS",
    "SSH_ASKPASS",
    "XDG_CONFIG_*",
    "XDG_DATA_*",
    "ZDOTDIR",
    "_JAVA_OPTIONS",
];

/// Why `pass_environment` takes no such name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpassable {
    /// it is not a name of a variable
    NotAName,
    /// it has more than 255 characters
    TooLong,
    /// nsshell sets the variable itself
    FromPlan,
    /// the command gets the variable anyway, where its value is harmless
    ByValue,
    /// a user could have a program of their own loaded by it
    Loading,
}

impl fmt::Display for Unpassable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unpassable::NotAName => {
                "is not a name of a variable: only letters, digits and _, and no digit at the \
                 beginning"
            }
            Unpassable::TooLong => "is longer than 255 characters",
            Unpassable::FromPlan => "is set by nsshell itself",
            Unpassable::ByValue => "is passed anyway, where its value is harmless",
            Unpassable::Loading => {
                "lets users have a program of their own loaded by the command, or in its place"
            }
        })
    }
}

/// Says if a variable of this name may be passed to a profile's `command`, with any value.
///
/// # Errors
/// It may not, and why.
pub fn may_pass(name: &str) -> Result<(), Unpassable> {
    let is_one_of = |names: &[&str]| {
        names.iter().any(|one| match one.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == *one,
        })
    };
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let first = name.bytes().next();
    if !first.is_some_and(is_letter) || !name.bytes().all(|b| is_letter(b) || b.is_ascii_digit()) {
        return Err(Unpassable::NotAName);
    }
    if name.len() > MAX_NAME {
        return Err(Unpassable::TooLong);
    }
    for (names, why) in [
        (FROM_PLAN, Unpassable::FromPlan),
        (BY_VALUE, Unpassable::ByValue),
        (LOADING, Unpassable::Loading),
    ] {
        if is_one_of(names) {
            return Err(why);
        }
    }
    Ok(())
}

/// Reads `pass_environment`: names of variables, none of which is there twice.
pub(crate) fn read(node: &Node<'_>, faults: &mut Faults) -> Option<At<Vec<String>>> {
    let list = entry::short("names in `pass_environment`", node, faults)?;
    let mut found: Vec<At<&str>> = Vec::with_capacity(list.value.len());
    for one in list.value {
        let Some(name) = shape::text(one, faults) else {
            continue;
        };
        if let Err(why) = may_pass(name.value) {
            let what = match why {
                Unpassable::TooLong => format!("a name in `pass_environment` {why}"),
                _ => format!("`{}` in `pass_environment` {why}", name.value),
            };
            let noted = faults.error(name.place, what);
            match (why, name.value.split_once('=')) {
                (Unpassable::NotAName, Some((name, _))) if may_pass(name).is_ok() => {
                    noted.help(format!("write \"{name}\": its value is that of the login"));
                }
                (Unpassable::NotAName, None) if name.value.contains(['*', '?']) => {
                    noted.help("write each name out");
                }
                (Unpassable::NotAName | Unpassable::TooLong, _) => {}
                _ => drop(noted.help("take it out")),
            }
            continue;
        }
        if let Some(first) = found.iter().find(|first| first.value == name.value) {
            let what = format!("`{}` is listed twice", name.value);
            let noted = faults.error(name.place, what);
            noted.other(first.place, "it is first listed here");
        }
        found.push(name);
    }
    Some(At {
        value: found.iter().map(|name| name.value.to_owned()).collect(),
        place: list.place,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_passed_unless_it_is_malformed_the_plans_or_loads_a_program() {
        let longest = "A".repeat(MAX_NAME);
        let too_long = "A".repeat(MAX_NAME + 1);
        let pass = [
            "A",
            "_",
            "_9",
            "COLORTERM",
            "KRB5CCNAME",
            "no_proxy",
            "LDAPCONF",
            "LD",
            "HOMEPAGE",
            "ENVIRONMENT",
            "TERMINAL",
            "LANGUAGES",
            "PERL",
            "home",
            &longest,
        ];
        for name in pass {
            assert_eq!(may_pass(name), Ok(()), "{name}");
        }
        let malformed = [
            "", "9A", "A-B", "A B", "A=b", "A.B", "Ä", "A\0", "A\n", "*", "LD_%%", "\u{ff21}",
        ];
        for name in malformed {
            assert_eq!(may_pass(name), Err(Unpassable::NotAName), "{name:?}");
        }
        assert_eq!(may_pass(&too_long), Err(Unpassable::TooLong));
        for (names, why) in [
            (FROM_PLAN, Unpassable::FromPlan),
            (BY_VALUE, Unpassable::ByValue),
            (LOADING, Unpassable::Loading),
        ] {
            assert!(names.is_sorted(), "{names:?}");
            for name in names {
                let whole = name.replace('*', "");
                assert_eq!(may_pass(&whole), Err(why), "{whole}");
                if name.ends_with('*') {
                    assert_eq!(may_pass(&format!("{whole}X9")), Err(why), "{name}");
                }
            }
        }
        // of each kind one that another list could be taken for
        assert_eq!(may_pass("XDG_RUNTIME_DIR"), Err(Unpassable::FromPlan));
        assert_eq!(may_pass("XDG_DATA_DIRS"), Err(Unpassable::Loading));
        assert_eq!(may_pass("XDG_CURRENT_DESKTOP"), Ok(()));
    }
}
