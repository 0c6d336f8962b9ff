//! One line of namespace.conf(5) as a private directory, and what of it is lost.

use nsshell_config::{Error, Policy};

use super::method::{Create, Flags, Method, Size};
use super::parser::Entry;

/// Permission bits of a private directory, and of a tmpfs, that nothing is said about.
const MODE: u32 = 0o1777;

/// A private directory of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Private {
    /// of its path
    pub(crate) template: String,
    pub(crate) size: Option<String>,
    pub(crate) inodes: Option<u64>,
    /// a template; none: in memory
    pub(crate) instance: Option<String>,
    pub(crate) skeleton: Option<&'static str>,
    /// none: [`MODE`]
    pub(crate) mode: Option<u32>,
    pub(crate) optional: bool,
}

/// What becomes of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    /// none: there is no equal
    pub(crate) private: Option<Private>,
    /// what is lost and what comes nearest, each in a sentence
    pub(crate) notes: Vec<String>,
}

/// Takes a line over as far as the language can.
pub(crate) fn take(entry: &Entry) -> Taken {
    let mut notes = Vec::new();
    let flags = entry.method.flags();
    let taken = template(&entry.directory).and_then(|template| {
        let mut private = Private {
            template,
            size: None,
            inodes: None,
            instance: None,
            skeleton: None,
            mode: None,
            optional: false,
        };
        try_alone(&private)?;
        match &entry.method {
            Method::Tmpfs(_) => options(flags, &mut private, &mut notes),
            Method::Tmpdir(_) => instance(entry, "{session}", &mut private, &mut notes)?,
            Method::User(_) => instance(entry, "{user}", &mut private, &mut notes)?,
            Method::Level(_) => selinux(entry, "level", &mut private, &mut notes)?,
            Method::Context(_) => selinux(entry, "context", &mut private, &mut notes)?,
        }
        try_alone(&private)?;
        if let Some(create) = &flags.create {
            notes.push(created(create, &mut private));
        }
        script(entry, &private, &mut notes);
        Ok(private)
    });
    match taken {
        Ok(private) => {
            notes.extend(
                entry
                    .ignored
                    .iter()
                    .map(|what| format!("without effect in pam_namespace too: {what}")),
            );
            Taken {
                private: Some(private),
                notes,
            }
        }
        Err(why) => Taken {
            private: None,
            notes: vec![format!("left out: {why}")],
        },
    }
}

/// The path as the language writes it.
fn template(directory: &str) -> Result<String, String> {
    if directory.contains(['{', '}']) {
        return Err("a brace in a path means a variable in a policy".to_owned());
    }
    let mut rest = directory;
    let mut path = String::new();
    while let Some((before, after)) = rest.split_once('$') {
        path += before;
        rest = after;
        if let Some(after) = rest.strip_prefix("USER") {
            path += "{user}";
            rest = after;
        } else if let Some(after) = rest.strip_prefix("HOME") {
            if !path.is_empty() || !(after.is_empty() || after.starts_with('/')) {
                return Err("`{home}` is a whole path: it can only begin one".to_owned());
            }
            path += "{home}";
            rest = after;
        } else {
            path.push('$');
        }
    }
    path += rest;
    // two ways to write one directory
    let names = path.split('/').filter(|name| !matches!(*name, "" | "."));
    let plain = names.collect::<Vec<_>>().join("/");
    Ok(match path.starts_with('/') {
        true => format!("/{plain}"),
        false => plain,
    })
}

/// Asks the language itself whether it has such a directory.
fn try_alone(private: &Private) -> Result<(), String> {
    let policy = format!(
        "[profile.p]\nnamespaces = [\"mount\"]\nprivate = [{}]\n",
        super::write::private(private)
    );
    match Policy::parse(&policy, "") {
        Ok(_) => Ok(()),
        Err(Error::Policy(faults)) => {
            let first = faults.first().map(|fault| fault.message.as_str());
            Err(first.unwrap_or("a policy cannot have it").to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Where instances lie that pam_namespace has in a place that is not root's alone.
const MOVED: &str = "/var/lib/nsshell";

/// The directory on disk: the prefix with the instance's name behind it.
fn instance(
    entry: &Entry,
    name: &str,
    private: &mut Private,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    let with_name = |prefix: &str| {
        template(prefix).map(|plain| match prefix.ends_with('/') {
            true => format!("{plain}/{name}"),
            false => plain + name,
        })
    };
    let of = |path: String| Private {
        instance: Some(path),
        ..private.clone()
    };
    let mut taken = of(with_name(&entry.prefix)?);
    if try_alone(&taken).is_err() {
        // each prefix keeps a place of its own
        let prefix = match entry.prefix.strip_prefix("$HOME") {
            Some(rest) => format!("{MOVED}/home{rest}"),
            None => format!("{MOVED}{}", entry.prefix),
        };
        taken = of(with_name(&prefix)?);
        try_alone(&taken)?;
        notes.push(format!(
            "in another place, since everything above an instance has to be root's alone; what is \
             in those of {} is not taken over",
            entry.prefix
        ));
    }
    if private.template == "{home}" && !entry.method.flags().noinit {
        taken.skeleton = Some("/etc/skel");
    }
    *private = taken;
    Ok(())
}

/// An instance for each level or context of SELinux. A policy that names them refuses logins
/// where SELinux is off, and there pam_namespace has one for each user, or none if it is shared.
fn selinux(
    entry: &Entry,
    what: &str,
    private: &mut Private,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    instance(entry, "{user}", private, notes)?;
    let instance = private.instance.as_deref().unwrap_or_default();
    let other = instance.strip_suffix("{user}").unwrap_or(instance);
    if entry.method.flags().shared {
        return Err(format!(
            "without SELinux pam_namespace leaves it as it is; with it there is one for each \
             {what}: {{ path = \"{}\", instance = \"{other}{{{what}}}\" }}",
            private.template
        ));
    }
    notes.push(format!(
        "as without SELinux; with it pam_namespace has one for each user and {what}: instance = \
         \"{other}{{{what}}}_{{user}}\""
    ));
    Ok(())
}

/// The options of a tmpfs.
fn options(flags: &Flags, private: &mut Private, notes: &mut Vec<String>) {
    for (key, value) in &flags.options {
        let value = value.as_deref().unwrap_or("");
        match key.as_str() {
            // every private directory has them
            "nosuid" | "nodev" => {}
            "noexec" => notes.push(
                "`noexec` has no equal: programs in it can be executed".to_owned(),
            ),
            "size" => private.size = size(value, notes),
            "mode" => {
                let bits = u32::from_str_radix(value, 8).unwrap_or(MODE) & 0o7777;
                if bits > MODE {
                    notes.push(format!(
                        "`mode={value}` has a set-id bit, which a private directory cannot have"
                    ));
                }
                private.mode = Some(bits & MODE).filter(|bits| *bits != MODE);
            }
            "nr_blocks" => notes.push(format!(
                "`nr_blocks={value}` has no equal; nearest: a `size` of as many pages (getconf PAGESIZE)"
            )),
            "nr_inodes" => match Size::parse(value) {
                Some(Size::Bytes(count @ 1..=2_147_483_647)) => private.inodes = Some(count),
                _ => notes.push(format!(
                    "`nr_inodes={value}` has no equal: the kernel's limit holds"
                )),
            },
            "uid" | "gid" => notes.push(format!(
                "`{key}={value}` has no equal: the directory is root's; nearest: mode \"1777\""
            )),
            _ => {
                let written = if value.is_empty() { key.clone() } else { format!("{key}={value}") };
                notes.push(format!("`{written}` has no equal"));
            }
        }
    }
    // What the kernel gives where nothing is said; the language would give less.
    private.size.get_or_insert_with(|| "50%".to_owned());
}

/// A size as the language writes it.
fn size(text: &str, notes: &mut Vec<String>) -> Option<String> {
    // a leading zero is octal or hexadecimal there, and nothing here
    let written = |plain: String| match text.starts_with('0') {
        true => plain,
        false => text.to_owned(),
    };
    match Size::parse(text)? {
        Size::Bytes(0) | Size::Percent(0) => {
            notes.push(format!(
                "`size={text}` is no limit, which has no equal; nearest: all of the memory"
            ));
            Some("100%".to_owned())
        }
        Size::Percent(more @ 101..) => {
            notes.push(format!(
                "{more}% of the memory has no equal; nearest: all of it"
            ));
            Some("100%".to_owned())
        }
        Size::Percent(percent) => Some(written(format!("{percent}%"))),
        Size::Bytes(bytes) => match text.ends_with(['p', 'P', 'e', 'E']) && !text.starts_with("0x")
        {
            true => Some(bytes.to_string()),
            false => Some(written(bytes.to_string())),
        },
    }
}

/// `create`: nothing is created here. A directory that an administrator can make once is
/// wanted, so that its absence is noticed; one that each user has is not.
fn created(create: &Create, private: &mut Private) -> String {
    if private.template.contains('{') {
        private.optional = true;
        return "`create` has no equal: if the directory is missing it stays so, and nothing is \
                private there"
            .to_owned();
    }
    let mut how = String::from("install -d");
    for (flag, value) in [
        ("-m", create.mode.map(|mode| format!("{mode:04o}"))),
        ("-o", create.owner.clone()),
        ("-g", create.group.clone()),
    ] {
        if let Some(value) = value {
            how += &format!(" {flag} {value}");
        }
    }
    format!(
        "`create` has no equal: the login is refused if the directory is missing; make it once \
         with `{how} {}`",
        private.template
    )
}

/// Init scripts. namespace.init without a say in the matter is told of at the top, once, but
/// for home directories, which it fills.
fn script(entry: &Entry, private: &Private, notes: &mut Vec<String>) {
    let flags = entry.method.flags();
    if flags.noinit {
        return;
    }
    if let Some(script) = &flags.script {
        notes.push(format!(
            "`iscript={script}` is not run; nearest: what it does, in the user's shell profile"
        ));
    } else if private.template == "{home}" {
        let lost = match private.skeleton {
            Some(_) => {
                "of what it does to a new home directory, only the files of /etc/skel are copied"
            }
            None => {
                "what it does to a new home directory (owner, mode, the files of /etc/skel) is not \
                 done"
            }
        };
        notes.push(format!("namespace.init is not run: {lost}"));
    }
}
