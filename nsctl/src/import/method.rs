//! The third field of a line of namespace.conf(5): the method and its flags.

use super::fault::{Fault, Line};
use super::parser::Field;

/// How an instance is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Method {
    /// a directory that stays, for each user
    User(Flags),
    /// the same for each user and level of SELinux
    Level(Flags),
    /// the same for each user and context of SELinux
    Context(Flags),
    /// a directory that is removed at the end of the session
    Tmpdir(Flags),
    /// a tmpfs
    Tmpfs(Flags),
}

/// The flags behind the method.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// `create`: the directory is made if it is missing
    pub(crate) create: Option<Create>,
    /// `iscript=`, if not empty
    pub(crate) script: Option<String>,
    /// `noinit`
    pub(crate) noinit: bool,
    /// `shared`
    pub(crate) shared: bool,
    /// `mntopts=`, for tmpfs only: each option with its value
    pub(crate) options: Vec<(String, Option<String>)>,
}

/// `create=MODE,OWNER,GROUP`, each perhaps left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Create {
    pub(crate) mode: Option<u32>,
    pub(crate) owner: Option<String>,
    pub(crate) group: Option<String>,
}

impl Method {
    pub(crate) fn flags(&self) -> &Flags {
        match self {
            Method::User(flags)
            | Method::Level(flags)
            | Method::Context(flags)
            | Method::Tmpdir(flags)
            | Method::Tmpfs(flags) => flags,
        }
    }
}

type Named = (&'static str, fn(Flags) -> Method);

const METHODS: [Named; 5] = [
    ("user", Method::User),
    ("level", Method::Level),
    ("context", Method::Context),
    ("tmpdir", Method::Tmpdir),
    ("tmpfs", Method::Tmpfs),
];

/// Reads the field. A flag counts by its beginning (`noinits` is `noinit`), an unknown one
/// not at all.
pub(crate) fn parse(
    field: &Field,
    line: Line<'_>,
    ignored: &mut Vec<String>,
) -> Result<Method, Fault> {
    let parts = field.text.split(':').scan(0, |next, part| {
        let from = *next;
        *next += part.len() + 1;
        Some((part, field.part(from, part.len())))
    });
    // several colons are as one
    let mut parts = parts.filter(|(part, _)| !part.is_empty());
    let (name, at) = parts.next().unwrap_or(("", field.at));
    let Some((_, method)) = METHODS.iter().find(|(known, _)| *known == name) else {
        let names = "user, level, context, tmpdir and tmpfs";
        let fault = line.fault(at, format!("unknown method `{name}`"));
        return Err(fault.help(format!("the methods are {names}")));
    };
    let mut flags = Flags::default();
    for (flag, at) in parts {
        flags.read(flag, name, at, line, ignored)?;
    }
    Ok(method(flags))
}

impl Flags {
    fn read(
        &mut self,
        flag: &str,
        method: &str,
        at: (usize, usize),
        line: Line<'_>,
        ignored: &mut Vec<String>,
    ) -> Result<(), Fault> {
        if let Some(rest) = flag.strip_prefix("create") {
            self.create = Some(create(rest, at, line)?);
        } else if flag.starts_with("noinit") {
            self.noinit = true;
        } else if let Some(rest) = flag.strip_prefix("iscript") {
            let path = rest.strip_prefix('=').filter(|path| !path.is_empty());
            if let Some(path) = path {
                self.script = Some(path.to_owned());
            }
        } else if flag.starts_with("shared") {
            self.shared = true;
        } else if let Some(rest) = flag.strip_prefix("mntopts") {
            match rest.strip_prefix('=') {
                Some(options) if method == "tmpfs" => {
                    // a second one replaces the first
                    let options = options.split(',').filter(|option| !option.is_empty());
                    let pair = |option: &str| match option.split_once('=') {
                        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                        None => (option.to_owned(), None),
                    };
                    self.options = options.map(pair).collect();
                    self.check(at, line)?;
                }
                Some(_) => ignored.push(format!("`{flag}`: it counts with the method tmpfs only")),
                None => ignored.push(format!("`{flag}`: it has no value")),
            }
        } else {
            ignored.push(format!("`{flag}`: there is no such flag"));
        }
        Ok(())
    }

    /// Refuses what the kernel would refuse at each login.
    fn check(&self, at: (usize, usize), line: Line<'_>) -> Result<(), Fault> {
        for (key, value) in &self.options {
            let value = value.as_deref().unwrap_or("");
            let wrong = match key.as_str() {
                "size" => Size::parse(value).is_none(),
                "mode" => u32::from_str_radix(value, 8).is_err() || value.starts_with('+'),
                _ => false,
            };
            if wrong {
                let what = format!("`{key}={value}`: no {key} that tmpfs(5) takes");
                return Err(line.fault(at, what));
            }
        }
        Ok(())
    }
}

/// What `size=` of tmpfs(5) says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// in bytes; 0 is no limit
    Bytes(u64),
    /// of the memory, which may be more than all of it
    Percent(u64),
}

impl Size {
    /// A number as strtoull(3) takes it, perhaps with k, m, g, t, p, e or %.
    pub(crate) fn parse(text: &str) -> Option<Size> {
        let (digits, radix) = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
            Some(rest) => (rest, 16),
            None if text.starts_with('0') => (text, 8),
            None => (text, 10),
        };
        let end = digits.find(|c: char| !c.is_digit(radix));
        let (number, suffix) = digits.split_at(end.unwrap_or(digits.len()));
        let number = u64::from_str_radix(number, radix).ok()?;
        // "e" is a digit in hexadecimal and a suffix elsewhere
        let shift = match suffix {
            "%" => return Some(Size::Percent(number)),
            "" => 0,
            "k" | "K" => 10,
            "m" | "M" => 20,
            "g" | "G" => 30,
            "t" | "T" => 40,
            "p" | "P" => 50,
            "e" | "E" => 60,
            _ => return None,
        };
        number.checked_mul(1 << shift).map(Size::Bytes)
    }
}

/// `=MODE,OWNER,GROUP`, or something else, which counts as nothing.
fn create(rest: &str, at: (usize, usize), line: Line<'_>) -> Result<Create, Fault> {
    let Some(list) = rest.strip_prefix('=') else {
        return Ok(Create::default());
    };
    let mut list = list.splitn(3, ',').map(|part| match part {
        "" => None,
        part => Some(part),
    });
    let mode = list.next().flatten().map(|mode| {
        // as strtoul(3) takes it with base 0: 755 is decimal
        let read = match (mode.strip_prefix("0x"), mode.strip_prefix('0')) {
            (Some(hex), _) => u32::from_str_radix(hex, 16),
            (_, Some("")) => Ok(0),
            (_, Some(octal)) => u32::from_str_radix(octal, 8),
            (None, None) => mode.parse(),
        };
        let usable = read.ok().filter(|bits| *bits <= 0o7777);
        usable.ok_or_else(|| {
            line.fault(at, format!("`{mode}` is no mode"))
                .help("write 0755")
        })
    });
    let owned = |name: Option<Option<&str>>| name.flatten().map(str::to_owned);
    Ok(Create {
        mode: mode.transpose()?,
        owner: owned(list.next()),
        group: owned(list.next()),
    })
}
