//! `home` and `hide_homes`: the user's home directory, and those of others.

use std::path::{Component, Path};

use crate::diagnostic::Faults;
use crate::entry;
use crate::profile::Profile;
use crate::source::At;
use crate::tree::{Node, Value};
use crate::{Account, Error, Home, Mount, Upper, path, shape};

/// The keys of `home` as a table.
pub const HOME_KEYS: &[&str] = &["kind", "skeleton", "store", "size", "inodes"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Real,
    ReadOnly,
    Ephemeral,
}

const KINDS: &[(&str, Kind)] = &[
    ("real", Kind::Real),
    ("read-only", Kind::ReadOnly),
    ("ephemeral", Kind::Ephemeral),
];

const IN_MEMORY: Upper = Upper::Memory {
    size: None,
    inodes: None,
};

/// Reads `home`, a word or a table.
pub(crate) fn read(node: &Node<'_>, faults: &mut Faults) -> Option<At<Home>> {
    let place = node.place;
    let entries = match &node.value {
        Value::Text(_) => {
            let kind = shape::word(node, KINDS, faults)?.value;
            let value = plain(kind);
            return Some(At { value, place });
        }
        Value::Table(entries) => entries,
        _ => {
            let like = "\"real\", \"read-only\", \"ephemeral\" or { kind = \"ephemeral\", ... }";
            shape::wrong(node, like, faults);
            return None;
        }
    };
    let mut kind = None;
    let mut has_kind = false;
    let (mut skeleton, mut store, mut size, mut inodes) = (None, None, None, None);
    for (key, value) in shape::known(entries, HOME_KEYS, "`home`", faults) {
        match key {
            "kind" => {
                has_kind = true;
                kind = shape::word(value, KINDS, faults);
            }
            "skeleton" => skeleton = entry::path(value, path::skeleton, faults),
            "store" => store = entry::path(value, path::store, faults),
            "size" => size = shape::size(value, faults),
            _ => inodes = shape::inodes(value, faults),
        }
    }
    if !has_kind {
        let noted = faults.error(place, "missing key `kind` in `home`");
        noted.help("add kind = \"ephemeral\"");
    }
    let kind = kind?.value;
    let only = [
        ("skeleton", skeleton.as_ref().map(|set| set.place)),
        ("store", store.as_ref().map(|set| set.place)),
        ("size", size.as_ref().map(|set| set.place)),
        ("inodes", inodes.as_ref().map(|set| set.place)),
    ];
    for (key, place) in only {
        if let (Some(place), true) = (place, kind != Kind::Ephemeral) {
            let what = format!("`{key}` has no effect on a home that is not ephemeral");
            let help = "take it out or say kind = \"ephemeral\"";
            faults.error(place, what).help(help);
        } else if let (Some(place), "size" | "inodes", Some(store)) = (place, key, &store) {
            let what = format!("`{key}` limits a home in memory, and this one is on disk");
            faults
                .error(place, what)
                .help("take it out or limit the file system of the store")
                .other(store.place, "the store is set here");
        }
    }
    if kind != Kind::Ephemeral {
        let value = plain(kind);
        return Some(At { value, place });
    }
    let upper = match store {
        Some(store) => Upper::Disk { store: store.value },
        None => Upper::Memory {
            size: size.map(|set| set.value),
            inodes: inodes.map(|set| set.value),
        },
    };
    let value = match skeleton {
        Some(skeleton) => Home::Fresh {
            skeleton: skeleton.value,
            upper,
        },
        None => Home::Overlay { upper },
    };
    Some(At { value, place })
}

fn plain(kind: Kind) -> Home {
    match kind {
        Kind::Real => Home::Real,
        Kind::ReadOnly => Home::ReadOnly,
        Kind::Ephemeral => Home::Overlay { upper: IN_MEMORY },
    }
}

/// The mounts that hide homes, and that of the own home if it has to be one.
///
/// # Errors
/// The account's home directory cannot be had as the profile says.
pub(crate) fn mounts(
    name: &str,
    profile: &Profile,
    account: &Account,
) -> Result<Vec<Mount>, Error> {
    let mut mounts: Vec<Mount> = Vec::with_capacity(profile.hide_homes.len() + 1);
    let mut hidden: Vec<_> = profile.hide_homes.iter().collect();
    hidden.sort_by(|a, b| a.path.cmp(&b.path));
    mounts.extend(hidden.into_iter().map(|entry| Mount::Homes {
        target: entry.path.clone(),
        optional: entry.optional,
    }));
    let home = account.home.as_path();
    let beneath = |above: &Path| home.starts_with(above) && home != above;
    let is_hidden = profile.hide_homes.iter().any(|one| beneath(&one.path));
    if profile.home == Home::Real && !is_hidden {
        return Ok(mounts);
    }
    if let Err((key, why)) = possible(profile, home) {
        return Err(Error::View {
            profile: name.to_owned(),
            key,
            why: format!("the home of `{}`, {}, {why}", account.name, home.display()),
        });
    }
    let read_only = profile.read_only.iter();
    let covered = read_only
        .map(|one| &one.path)
        .any(|one| home.starts_with(one));
    mounts.push(Mount::Home {
        home: match &profile.home {
            // It comes back as it was otherwise.
            Home::Real if covered => Home::ReadOnly,
            kind => kind.clone(),
        },
    });
    Ok(mounts)
}

/// Whether a home can be a mount of its own that the later mounts leave there.
fn possible(profile: &Profile, home: &Path) -> Result<(), (&'static str, String)> {
    let key = match profile.home {
        Home::Real => "hide_homes",
        _ => "home",
    };
    let told = |why: &str| Err((key, why.to_owned()));
    let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    let control = home
        .to_str()
        .is_none_or(|text| text.contains(char::is_control));
    if !home.is_absolute() || !home.components().all(plain) || control {
        return told("is no plain absolute path");
    }
    let system = ["/dev", "/proc", "/sys", "/run/nsshell"];
    let above = ["/dev", "/proc", "/run", "/run/nsshell", "/usr", "/etc"];
    if home.parent().is_none()
        || above.iter().any(|one| home == Path::new(one))
        || system.iter().any(|one| home.starts_with(one))
    {
        return told("is a directory of the system");
    }
    for hidden in &profile.hide_homes {
        if hidden.path.starts_with(home) {
            return Err((
                key,
                format!("would show the homes in {} again", hidden.path.display()),
            ));
        }
    }
    let private = profile.private.iter().filter_map(|one| one.path.fixed());
    if let Some(private) = private.map(Path::new).find(|one| home.starts_with(one)) {
        let shown = private.display();
        return Err((key, format!("lies in the private directory {shown}")));
    }
    match profile
        .masked
        .iter()
        .find(|one| home.starts_with(&one.path))
    {
        Some(mask) => Err((key, format!("lies in the masked {}", mask.path.display()))),
        None => Ok(()),
    }
}
