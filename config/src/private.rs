//! Private directories of a profile.

use std::path::{Path, PathBuf};

use crate::diagnostic::Faults;
use crate::source::{At, Place};
use crate::template::{About, Template, Values, Variable};
use crate::tree::{Node, Value};
use crate::{Contents, Error, Mount, entry, path, shape};

/// Permission bits of a private directory if none are given, those of /tmp.
const MODE: u32 = 0o1777;

/// The most that one in memory holds if nothing is said. tmpfs(5) would give it half of the
/// memory: one user with three of them could take more than there is, and nobody gets back what
/// lies in files in memory when it is short.
const SIZE: &str = "10%";

/// The keys of an entry of `private`.
pub const PRIVATE_KEYS: &[&str] = &[
    "path", "size", "inodes", "mode", "optional", "instance", "contents", "skeleton",
];

const CONTENTS: &[(&str, Contents)] = &[("keep", Contents::Keep), ("empty", Contents::Empty)];

/// A private directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Private {
    pub(crate) path: Template,
    size: Option<String>,
    inodes: Option<u64>,
    /// none: the default of what it is
    mode: Option<u32>,
    pub(crate) optional: bool,
    /// none: a tmpfs
    pub(crate) instance: Option<Instance>,
    /// none: by default
    pub(crate) place: Option<Place>,
}

/// The directory on disk that is seen in place of a private one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instance {
    pub(crate) template: Template,
    pub(crate) contents: Contents,
    pub(crate) skeleton: Option<At<PathBuf>>,
    pub(crate) place: Place,
}

impl Private {
    /// Whether it is in memory, with the permissions that /tmp has.
    pub(crate) fn has_no_mode(&self) -> bool {
        self.instance.is_none() && self.mode.is_none()
    }
}

/// The private directories of a profile that says nothing about them.
pub(crate) fn standard() -> Vec<Private> {
    // these two need not exist on every host, /tmp does
    let standard = [("/dev/shm", true), ("/tmp", false), ("/var/tmp", true)];
    let private = standard.into_iter().filter_map(|(path, optional)| {
        Some(Private {
            path: Template::path(path, About::Path, path::private).ok()?,
            size: None,
            inodes: None,
            mode: None,
            optional,
            instance: None,
            place: None,
        })
    });
    private.collect()
}

/// Reads `private` and notes what is wrong with it.
pub(crate) fn read(node: &Node<'_>, faults: &mut Faults) -> Option<At<Vec<Private>>> {
    let list = entry::short("private directories", node, faults)?;
    let read = list.value.iter().filter_map(|one| one_entry(one, faults));
    let found: Vec<Private> = read.collect();
    let mut fixed: Vec<(&Path, Place)> = Vec::new();
    for private in &found {
        if let (Some(path), Some(place)) = (private.path.fixed(), private.place) {
            fixed.push((Path::new(path), place));
        }
    }
    if let Some(((above, above_place), (below, below_place))) = collision(&mut fixed) {
        let shown = below.display();
        if above == below {
            let noted = faults.error(below_place, format!("{shown} is listed twice"));
            noted.other(above_place, "it is first listed here");
        } else {
            let above = above.display();
            let what = format!("{shown} does not exist in the private {above}, which is empty");
            faults
                .error(below_place, what)
                .help("take one of them out")
                .other(above_place, format!("the private {above} is here"));
        }
    }
    Some(At {
        value: found,
        place: list.place,
    })
}

/// A path, and what it is listed with.
type Listed<'p, T> = (&'p Path, T);

/// Sorts by path, and finds a directory that is below another one or listed twice.
fn collision<'p, T: Copy + Ord>(
    paths: &mut [(&'p Path, T)],
) -> Option<(Listed<'p, T>, Listed<'p, T>)> {
    paths.sort();
    // parents come before what is in them, but not always directly: /a, /a-b, /a/c
    let mut above: Option<(&Path, T)> = None;
    for (path, what) in paths.iter().copied() {
        match above {
            Some(above) if path.starts_with(above.0) => return Some((above, (path, what))),
            _ => above = Some((path, what)),
        }
    }
    None
}

/// `"/tmp"` or `{ path = "/tmp", size = "64m", mode = "0755", optional = true }`.
fn one_entry(node: &Node<'_>, faults: &mut Faults) -> Option<Private> {
    let entries = match &node.value {
        Value::Text(text) => return private(text, node.place, faults),
        Value::Table(entries) => entries,
        _ => {
            let like = "a directory like \"/tmp\" or { path = \"/tmp\", size = \"64m\" }";
            shape::wrong(node, like, faults);
            return None;
        }
    };
    let mut found = None;
    let (mut size, mut inodes, mut mode, mut optional) = (None, None, None, false);
    let (mut instance, mut contents, mut skeleton) = (None, None, None);
    let (mut has_path, mut has_instance) = (false, false);
    for (key, value) in shape::known(entries, PRIVATE_KEYS, "`private`", faults) {
        match key {
            "path" => {
                has_path = true;
                let text = shape::text(value, faults);
                found = text.and_then(|text| private(text.value, text.place, faults));
            }
            "size" => size = shape::size(value, faults),
            "inodes" => inodes = shape::inodes(value, faults),
            "mode" => mode = self::mode(value, faults),
            "instance" => {
                has_instance = true;
                let text = shape::text(value, faults);
                instance = text.and_then(|text| self::instance(&text, faults));
            }
            "contents" => contents = shape::word(value, CONTENTS, faults),
            "skeleton" => skeleton = entry::path(value, path::skeleton, faults),
            _ => optional = shape::truth(value, faults).is_some_and(|truth| truth.value),
        }
    }
    if !has_path {
        faults.error(node.place, "missing key `path` in `private`");
    }
    let of_tmpfs = [
        ("size", size.as_ref().map(|set| set.place)),
        ("inodes", inodes.as_ref().map(|set| set.place)),
    ];
    let of_instance = [
        ("contents", contents.as_ref().map(|set| set.place)),
        ("skeleton", skeleton.as_ref().map(|set| set.place)),
    ];
    let (pointless, what, help) = match has_instance {
        true => (
            of_tmpfs,
            "limits a directory in memory, and this one is an instance on disk",
            "take it out or limit the file system of the instance",
        ),
        false => (
            of_instance,
            "is about an instance, and this private directory has none",
            "take it out or set `instance`",
        ),
    };
    for (key, place) in pointless {
        if let Some(place) = place {
            let what = format!("`{key}` {what}");
            faults.error(place, what).help(help);
        }
    }
    let private = found?;
    if has_instance && instance.is_none() {
        return None;
    }
    Some(Private {
        size: size.map(|set| set.value),
        inodes: inodes.map(|set| set.value),
        mode,
        optional,
        instance: instance.map(|(template, place)| {
            let mut instance = Instance {
                contents: Contents::Keep,
                skeleton,
                template,
                place,
            };
            instance.settle(&private.path, contents, faults);
            instance
        }),
        ..private
    })
}

impl Instance {
    /// Sets what becomes of the contents, and notes what cannot be.
    fn settle(&mut self, target: &Template, contents: Option<At<Contents>>, faults: &mut Faults) {
        let every_login = self.template.has(Variable::Session);
        self.contents = match (&contents, every_login) {
            (_, true) => Contents::Empty,
            (Some(set), false) => set.value,
            (None, false) => Contents::Keep,
        };
        if let (Some(set), true) = (contents, every_login)
            && set.value == Contents::Keep
        {
            let what = "an instance with {session} is never seen again, so it is always emptied";
            faults
                .error(set.place, what)
                .help("take `contents` out, or {session}")
                .other(self.place, "the instance is here");
        }
        if let (Some(target), Some(instance)) = (target.fixed(), self.template.fixed())
            && Path::new(target).starts_with(instance)
        {
            let what = match target == instance {
                true => format!("{target} is its own instance"),
                false => format!("the instance {instance} has the private {target} in it"),
            };
            let noted = faults.error(self.place, what);
            noted.help("choose a directory of its own, like /var/lib/nsshell/tmp/{user}");
        }
    }
}

fn mode(node: &Node<'_>, faults: &mut Faults) -> Option<u32> {
    if matches!(node.value, Value::Number(_)) {
        let noted = faults.error(node.place, "expected a mode in \" \", not a number");
        noted.help("write it as chmod(1) takes it, such as \"0755\"");
        return None;
    }
    let text = shape::text(node, faults)?;
    match u32::from_str_radix(text.value, 8) {
        Ok(bits) if bits <= 0o1777 && !text.value.starts_with('+') => Some(bits),
        _ => {
            let what = format!("mode `{}` is not like \"0755\"", text.value);
            let help = "write it as chmod(1) takes it, at most \"1777\"";
            faults.error(text.place, what).help(help);
            None
        }
    }
}

fn instance(text: &At<&str>, faults: &mut Faults) -> Option<(Template, Place)> {
    match Template::instance(text.value, path::instance) {
        Ok(template) => Some((template, text.place)),
        Err(why) => {
            faults.error(text.place, why);
            None
        }
    }
}

fn private(text: &str, place: Place, faults: &mut Faults) -> Option<Private> {
    match Template::path(text, About::Path, path::private) {
        Ok(path) => Some(Private {
            path,
            size: None,
            inodes: None,
            mode: None,
            optional: false,
            instance: None,
            place: Some(place),
        }),
        Err(why) => {
            faults.error(place, why);
            None
        }
    }
}

/// The mounts of the private directories for one login, in the order of their paths.
///
/// # Errors
/// The host does not answer, or a template gives a path that cannot be private.
pub(crate) fn mounts(
    profile: &str,
    privates: &[Private],
    shell: &Path,
    values: &Values<'_>,
) -> Result<Vec<Mount>, Error> {
    let refused = |template: &Template, why: String| Error::Private {
        profile: profile.to_owned(),
        template: template.text(),
        why,
    };
    let mut filled: Vec<(PathBuf, &Private)> = Vec::with_capacity(privates.len());
    for private in privates {
        let path = private.path.fill_path(values, path::private)?;
        let path = path.map_err(|why| refused(&private.path, why))?;
        if private.path.fixed().is_none() && shell.starts_with(&path) {
            let why = format!(
                "{} would hide the shell {}",
                path.display(),
                shell.display()
            );
            return Err(refused(&private.path, why));
        }
        filled.push((path, private));
    }
    filled.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut paths: Vec<(&Path, usize)> = Vec::with_capacity(filled.len());
    for (at, (path, _)) in filled.iter().enumerate() {
        paths.push((path, at));
    }
    if let Some(((above, _), (below, at))) = collision(&mut paths) {
        let (above, below) = (above.display(), below.display());
        let why = format!("{below} would be in the private {above}, which is empty");
        let template = filled.get(at).map(|(_, private)| &private.path);
        return Err(template.map_or(
            Error::Private {
                profile: profile.to_owned(),
                template: String::new(),
                why: why.clone(),
            },
            |template| refused(template, why.clone()),
        ));
    }
    let mut mounts = Vec::with_capacity(filled.len());
    for (target, private) in &filled {
        let target = target.clone();
        mounts.push(match &private.instance {
            None => Mount::Tmpfs {
                target,
                mode: private.mode.unwrap_or(MODE),
                size: Some(private.size.as_deref().unwrap_or(SIZE).to_owned()),
                inodes: private.inodes,
                optional: private.optional,
            },
            Some(instance) => {
                let template = &instance.template;
                let filled = template.fill_path(values, path::instance)?;
                let filled = filled.and_then(|filled| match target.starts_with(&filled) {
                    true => Err(format!(
                        "{} has {} in it",
                        filled.display(),
                        target.display()
                    )),
                    false => Ok(filled),
                });
                Mount::Instance {
                    target,
                    instance: filled.map_err(|why| refused(template, why))?,
                    mode: private.mode,
                    skeleton: instance.skeleton.as_ref().map(|set| set.value.clone()),
                    contents: instance.contents,
                    optional: private.optional,
                }
            }
        });
    }
    Ok(mounts)
}
