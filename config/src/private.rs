//! Private directories of a profile.

use std::path::{Path, PathBuf};

use crate::diagnostic::Faults;
use crate::source::{At, Place};
use crate::template::{Template, Values};
use crate::tree::{Node, Value};
use crate::{Error, Mount, path, shape};

/// Permission bits of a private directory if none are given, those of /tmp.
const MODE: u32 = 0o1777;

/// Most private directories of a profile.
const MAX_PRIVATE: usize = 64;

/// The keys of an entry of `private`.
pub const PRIVATE_KEYS: &[&str] = &["path", "size", "mode", "optional"];

/// A private directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Private {
    pub(crate) path: Template,
    size: Option<String>,
    mode: u32,
    pub(crate) optional: bool,
    /// none: by default
    pub(crate) place: Option<Place>,
}

/// The private directories of a profile that says nothing about them.
pub(crate) fn standard() -> Vec<Private> {
    // these two need not exist on every host, /tmp does
    let standard = [("/dev/shm", true), ("/tmp", false), ("/var/tmp", true)];
    let private = standard.into_iter().filter_map(|(path, optional)| {
        Some(Private {
            path: Template::private(path).ok()?,
            size: None,
            mode: MODE,
            optional,
            place: None,
        })
    });
    private.collect()
}

/// Reads `private` and notes what is wrong with it.
pub(crate) fn read(node: &Node<'_>, faults: &mut Faults) -> Option<At<Vec<Private>>> {
    let list = shape::list(node, faults)?;
    if list.value.len() > MAX_PRIVATE {
        let what = format!("more than {MAX_PRIVATE} private directories");
        faults.error(list.place, what);
        return None;
    }
    let read = list.value.iter().filter_map(|one| entry(one, faults));
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
            noted.other(above_place, "it is here");
        } else {
            let above = above.display();
            let what = format!("{shown} does not exist in the private {above}, which is empty");
            faults
                .error(below_place, what)
                .help("take one of them out")
                .other(above_place, "it is here");
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
fn entry(node: &Node<'_>, faults: &mut Faults) -> Option<Private> {
    let entries = match &node.value {
        Value::Text(text) => return Some(private(text, node.place, faults)?.1),
        Value::Table(entries) => entries,
        _ => {
            let like = "a directory like \"/tmp\" or { path = \"/tmp\", size = \"64m\" }";
            shape::wrong(node, like, faults);
            return None;
        }
    };
    let mut found = None;
    let (mut size, mut mode, mut optional) = (None, MODE, false);
    let mut has_path = false;
    for (key, value) in shape::known(entries, PRIVATE_KEYS, "`private`", faults) {
        match key {
            "path" => {
                has_path = true;
                let text = shape::text(value, faults);
                found = text.and_then(|text| private(text.value, text.place, faults));
            }
            "size" => {
                if let Some(text) = shape::text(value, faults) {
                    match path::size(text.value) {
                        Ok(()) => size = Some(text.value.to_owned()),
                        Err(why) => drop(faults.error(text.place, why)),
                    }
                }
            }
            "mode" => {
                if let Some(text) = shape::text(value, faults) {
                    match u32::from_str_radix(text.value, 8) {
                        Ok(bits) if bits <= 0o1777 && !text.value.starts_with('+') => mode = bits,
                        _ => {
                            let what = format!("mode `{}` is not like \"0755\"", text.value);
                            let help = "write it as chmod(1) takes it, at most \"1777\"";
                            faults.error(text.place, what).help(help);
                        }
                    }
                }
            }
            _ => optional = shape::truth(value, faults).is_some_and(|truth| truth.value),
        }
    }
    if !has_path {
        faults.error(node.place, "missing key `path` in `private`");
    }
    let (_, private) = found?;
    Some(Private {
        size,
        mode,
        optional,
        ..private
    })
}

fn private(text: &str, place: Place, faults: &mut Faults) -> Option<(Place, Private)> {
    match Template::private(text) {
        Ok(path) => {
            let private = Private {
                path,
                size: None,
                mode: MODE,
                optional: false,
                place: Some(place),
            };
            Some((place, private))
        }
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
        let path = private.path.fill_path(values)?;
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
    let mounts = filled.iter().map(|(target, private)| Mount::Tmpfs {
        target: target.clone(),
        mode: private.mode,
        size: private.size.clone(),
        inodes: None,
        optional: private.optional,
    });
    Ok(mounts.collect())
}
