//! The rest of what a session sees of the file system, and the order of all of it.

use std::path::{Path, PathBuf};

use crate::diagnostic::Faults;
use crate::entry::{self, Entry};
use crate::profile::Profile;
use crate::source::{At, Place};
use crate::template::{About, Template, Values};
use crate::tree::{Node, Value};
use crate::{Error, HidePid, Mount, Namespace, SysView, binds, home, path, private, shape};

/// `proc`: what is in /proc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProcView {
    All,
    Pids,
}

/// `dev`: what is in /dev.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DevView {
    Host,
    Minimal,
}

pub(crate) const PROC: &[(&str, ProcView)] = &[("all", ProcView::All), ("pids", ProcView::Pids)];

pub(crate) const DEV: &[(&str, DevView)] =
    &[("host", DevView::Host), ("minimal", DevView::Minimal)];

/// None: the host's
pub(crate) const SYS: &[(&str, Option<SysView>)] = &[
    ("host", None),
    ("read-only", Some(SysView::ReadOnly)),
    ("hidden", Some(SysView::Hidden)),
];

const HIDEPID: &[(&str, HidePid)] = &[
    ("off", HidePid::Off),
    ("noaccess", HidePid::NoAccess),
    ("invisible", HidePid::Invisible),
    ("ptraceable", HidePid::Ptraceable),
];

/// Reads `hidepid`, which mount(8) takes as a number.
pub(crate) fn hidepid(node: &Node<'_>, faults: &mut Faults) -> Option<At<HidePid>> {
    let number = match node.value {
        Value::Number(number) => number,
        _ => return shape::word(node, HIDEPID, faults),
    };
    let word = match number {
        0 => Some("off"),
        1 => Some("noaccess"),
        2 => Some("invisible"),
        4 => Some("ptraceable"),
        _ => None,
    };
    let names = shape::either(HIDEPID.iter().map(|(name, _)| *name));
    let noted = faults.error(
        node.place,
        format!("expected {names} in \" \", not a number"),
    );
    if let Some(word) = word {
        noted.help(format!("write \"{word}\""));
    }
    None
}

/// The sockets that `expose` has a name for, and where they are.
pub const EXPOSED: &[(&str, &str)] = &[
    ("x11", "/tmp/.X11-unix"),
    ("wayland", "/run/user/{uid}/wayland-0"),
    ("ssh-agent", "/run/user/{uid}/openssh_agent"),
    ("gpg-agent", "/run/user/{uid}/gnupg"),
    ("dbus-session", "/run/user/{uid}/bus"),
];

/// Something that `expose` lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exposed {
    pub(crate) path: Template,
    pub(crate) place: Place,
}

/// Reads `expose`: names or paths.
pub(crate) fn exposed(node: &Node<'_>, faults: &mut Faults) -> Option<At<Vec<Exposed>>> {
    let list = entry::short("entries in `expose`", node, faults)?;
    let mut found: Vec<Exposed> = Vec::with_capacity(list.value.len());
    for one in list.value {
        let Some(text) = shape::text(one, faults) else {
            continue;
        };
        let named = EXPOSED.iter().find(|(name, _)| *name == text.value);
        if named.is_none() && !text.value.starts_with(['/', '{', '~', '$']) {
            let names = || EXPOSED.iter().map(|(name, _)| *name);
            let what = format!(
                "`{}` in `expose` is neither a path nor {}",
                text.value,
                shape::either(names())
            );
            faults
                .error(text.place, what)
                .did_you_mean(text.value, names());
            continue;
        }
        let path = named.map_or(text.value, |(_, path)| path);
        let path = match Template::path(path, About::Path, path::exposed) {
            Ok(path) => path,
            Err(why) => {
                faults.error(text.place, why);
                continue;
            }
        };
        if let Some(first) = found.iter().find(|first| first.path == path) {
            let what = format!("{} is listed twice", path.text());
            faults
                .error(text.place, what)
                .other(first.place, "it is first listed here");
        }
        found.push(Exposed {
            path,
            place: text.place,
        });
    }
    Some(At {
        value: found,
        place: list.place,
    })
}

/// Reads `root`; `/` is none but the host's.
pub(crate) fn root(node: &Node<'_>, faults: &mut Faults) -> Option<At<Option<PathBuf>>> {
    let root = entry::path(node, path::root, faults)?;
    Some(At {
        value: Some(root.value).filter(|root| root != Path::new("/")),
        place: root.place,
    })
}

/// The mounts of the host layer for one login, in the order in which they are made: what takes
/// away from the host's view before what puts something there, and masks last, so that nothing
/// brings back what they cover.
///
/// # Errors
/// The host does not answer, or something cannot be for this login.
pub(crate) fn mounts(
    name: &str,
    profile: &Profile,
    values: &Values<'_>,
) -> Result<Vec<Mount>, Error> {
    let mut mounts = Vec::with_capacity(6 + profile.private.len());
    mounts.extend(profile.unmounted.iter().map(|one| Mount::Unmount {
        target: one.path.clone(),
        optional: one.optional,
    }));
    let read_only = |one: &Entry| Mount::ReadOnly {
        target: one.path.clone(),
        optional: one.optional,
    };
    let homes = home::mounts(name, profile, values.account)?;
    let own = homes.iter().any(|one| matches!(one, Mount::Home { .. }));
    let home = values.account.home.as_path();
    // The home comes as a mount of its own, which would cover what is read-only in it.
    let (in_home, elsewhere): (Vec<_>, Vec<_>) = sorted(&profile.read_only)
        .partition(|one| own && one.path != home && one.path.starts_with(home));
    mounts.extend(elsewhere.into_iter().map(read_only));
    if profile.has(Namespace::Pid) {
        mounts.push(Mount::Proc {
            hidepid: profile.hidepid,
            pids_only: profile.proc == ProcView::Pids,
        });
    }
    if profile.has(Namespace::Ipc) {
        mounts.push(Mount::Mqueue);
    }
    mounts.extend(profile.sys.map(|view| Mount::Sys { view }));
    if profile.dev == DevView::Minimal || profile.root.is_some() {
        let tty = values.login.tty.as_deref().and_then(terminal);
        mounts.push(Mount::Dev { tty });
    }
    mounts.extend(homes);
    mounts.extend(in_home.into_iter().map(read_only));
    mounts.extend(private::mounts(
        name,
        &profile.private,
        &profile.shell,
        values,
    )?);
    if profile.runtime_dir {
        mounts.push(Mount::RuntimeDir);
    }
    for one in &profile.expose {
        let path = one.path.fill_path(values, path::exposed)?;
        let path = path.map_err(|why| Error::View {
            profile: name.to_owned(),
            key: "expose",
            why,
        })?;
        mounts.push(Mount::Expose { path });
    }
    mounts.extend(binds::mounts(name, profile, values)?);
    mounts.extend(sorted(&profile.masked).map(|one| Mount::Mask {
        target: one.path.clone(),
        optional: one.optional,
    }));
    Ok(mounts)
}

fn sorted(entries: &[Entry]) -> impl Iterator<Item = &Entry> {
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    sorted.into_iter()
}

/// The device of a login's own terminal, if it has one that a minimal /dev lacks. PAM_TTY may
/// be anything ("ssh", ":0"), so only what is named like a terminal counts.
fn terminal(tty: &str) -> Option<PathBuf> {
    let name = tty.strip_prefix("/dev/").unwrap_or(tty);
    let like = ["tty", "hvc", "console"];
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (plain && name != "tty" && like.iter().any(|one| name.starts_with(one)))
        .then(|| Path::new("/dev").join(name))
}
