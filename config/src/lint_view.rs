//! What a profile's view of the file system needs of the host, and what it costs its users.

use std::path::{Path, PathBuf};

use crate::binds::Bind;
use crate::diagnostic::Faults;
use crate::entry::Entry;
use crate::host::Facts;
use crate::profile::{Keys, Profile};
use crate::source::{At, Place};
use crate::template::Variable;
use crate::view::{DevView, ProcView};
use crate::{Home, Namespace};

/// Notes what is missing on this host, and what looks right and is not.
pub(crate) fn profile(
    name: &str,
    keys: &Keys,
    profile: &Profile,
    facts: &dyn Facts,
    faults: &mut Faults,
    at: impl Fn(Option<Place>) -> Place,
) {
    let said = |found: &mut Faults, place, path: &Path, what: &str, help: &str| {
        let what = format!("{}, {what} `{name}`, does not exist", path.display());
        found.error(at(place), what).help(help.to_owned());
    };
    let optional = "make it, or say { path = ..., optional = true }";
    let in_tree = |path: &Path| in_tree(profile, path);
    if let Some(root) = &profile.root
        && !facts.is_directory(root)
    {
        let place = set(&keys.root);
        said(faults, place, root, "the root of profile", "make it");
        // nothing of what is beneath can be there either
        return;
    }
    let lists = [
        ("hidden homes of profile", &profile.hide_homes),
        ("read-only in profile", &profile.read_only),
        ("unmounted in profile", &profile.unmounted),
        ("masked in profile", &profile.masked),
    ];
    for (what, list) in lists {
        for entry in list.iter().filter(|entry| !entry.optional) {
            // what the session mounts itself has other files in it than the host's
            let own = profile.root.is_some() && what.starts_with("hidden")
                || entry.path.starts_with("/proc");
            if !own && !facts.exists(&in_tree(&entry.path)) {
                said(faults, Some(entry.place), &entry.path, what, optional);
            }
        }
    }
    for bind in profile.binds.iter().filter(|bind| !bind.optional) {
        let help = "make it, or say optional = true";
        let source = bind.source.fixed().map(Path::new);
        if let Some(source) = source.filter(|source| !facts.exists(source)) {
            let what = "the source of a bind of profile";
            said(faults, Some(bind.place), source, what, help);
        }
    }
    for private in &profile.private {
        let instance = private.instance.as_ref();
        if let Some(skeleton) = instance.and_then(|one| one.skeleton.as_ref())
            && !facts.is_directory(&skeleton.value)
        {
            let what = "a skeleton of profile";
            said(
                faults,
                Some(skeleton.place),
                &skeleton.value,
                what,
                "make it",
            );
        }
    }
    if let Home::Fresh { skeleton, .. } = &profile.home
        && !facts.is_directory(skeleton)
    {
        let place = set(&keys.home);
        said(
            faults,
            place,
            skeleton,
            "the skeleton of profile",
            "make it",
        );
    }
    if let Some(program) = profile.command.first() {
        let program = Path::new(program);
        if !facts.is_program(&in_tree(program)) {
            let what = format!(
                "the command {} of profile `{name}` is no program on this host",
                in_tree(program).display()
            );
            let help = "install it or set `command`";
            faults.error(at(set(&keys.command)), what).help(help);
        }
    }
    loose(name, profile, facts, faults, &at);
    open_to_all(name, profile, faults, &at);
    made_by_anybody(name, profile, facts, faults, &at);
    costs(name, keys, profile, faults, &at);
}

fn set<T>(key: &Option<At<T>>) -> Option<Place> {
    key.as_ref().map(|set| set.place)
}

/// What is to keep a user from something, and could be moved or removed by them with the
/// directory that it is in: the login is refused.
fn loose(
    name: &str,
    profile: &Profile,
    facts: &dyn Facts,
    faults: &mut Faults,
    at: &impl Fn(Option<Place>) -> Place,
) {
    let lists = [
        ("hidden homes of profile", &profile.hide_homes),
        ("read-only in profile", &profile.read_only),
        ("unmounted in profile", &profile.unmounted),
        ("masked in profile", &profile.masked),
    ];
    let listed = lists.iter().flat_map(|(what, list)| {
        let entry = |one: &'_ Entry| (one.path.clone(), one.place, *what);
        list.iter().map(entry)
    });
    let restricts = |bind: &&Bind| bind.attributes.restrict(bind.source == bind.target);
    let binds = profile.binds.iter().filter(restricts);
    let bound = binds.clone().filter_map(|bind| {
        let target = PathBuf::from(bind.target.fixed()?);
        Some((target, bind.place, "the target of a bind of profile"))
    });
    for (path, place, what) in listed.chain(bound) {
        // what the session has of its own is root's, whatever the host has there
        if is_own(profile, &path) {
            continue;
        }
        let looked_at = in_tree(profile, &path);
        if let Some((directory, why)) = facts.loose_above(&looked_at) {
            let what = format!(
                "{}, {what} `{name}`, could be moved or taken off, since {} {why}",
                path.display(),
                directory.display()
            );
            let help = "name a place in directories that are root's alone, or take it out";
            faults.error(at(Some(place)), what).help(help);
        }
    }
    if let Some(bind) = binds.clone().find(|bind| bind.target.has(Variable::Home)) {
        let what = format!(
            "{}, the target of a bind of profile `{name}`, could be moved or taken off by whoever \
             has a home of their own",
            bind.target.text()
        );
        let help = "name a place in directories that are root's alone, or the login is refused";
        faults.warning(at(Some(bind.place)), what).help(help);
    }
}

/// Whether a path lies in a directory that the session has instead of the host's.
fn is_own(profile: &Profile, path: &Path) -> bool {
    let beneath = |above: &Path| path.starts_with(above) && path != above;
    let mut private = profile.private.iter().filter_map(|one| one.path.fixed());
    let dev = profile.dev == DevView::Minimal || profile.root.is_some();
    private.any(|one| beneath(Path::new(one)))
        || profile.hide_homes.iter().any(|one| beneath(&one.path))
        || path.starts_with("/proc")
        || path.starts_with("/sys")
        || dev && path.starts_with("/dev")
        || profile.runtime_dir && beneath(Path::new("/run/user"))
}

/// Where a path of the session is on the host: in another root the places are those of its
/// tree.
fn in_tree(profile: &Profile, path: &Path) -> PathBuf {
    match (&profile.root, path.strip_prefix("/")) {
        (Some(root), Ok(rest)) => root.join(rest),
        _ => path.to_owned(),
    }
}

/// Private directories that everybody may write, like /tmp, for want of a mode, and that lie
/// where the host has none that everybody may write.
fn open_to_all(
    name: &str,
    profile: &Profile,
    faults: &mut Faults,
    at: &impl Fn(Option<Place>) -> Place,
) {
    const SYSTEM: [&str; 8] = [
        "/bin", "/boot", "/etc", "/lib", "/opt", "/sbin", "/usr", "/var",
    ];
    const OPEN: [&str; 4] = ["/var/tmp", "/var/lock", "/var/crash", "/var/spool"];
    for private in profile.private.iter().filter(|one| one.has_no_mode()) {
        let Some(path) = private.path.fixed().map(Path::new) else {
            continue;
        };
        let is_in = |all: &[&str]| all.iter().any(|one| path.starts_with(one));
        if is_in(&SYSTEM) && !is_in(&OPEN) {
            let what = format!(
                "everybody may write to {}, private in profile `{name}`: its mode is \"1777\", \
                 and root's programs may trust what is there",
                path.display()
            );
            let help = "say { path = ..., mode = \"0755\" }, or make private what is in it";
            faults.warning(at(private.place), what).help(help);
        }
    }
}

/// Sources of binds that another user can make before the one whom they are meant for.
fn made_by_anybody(
    name: &str,
    profile: &Profile,
    facts: &dyn Facts,
    faults: &mut Faults,
    at: &impl Fn(Option<Place>) -> Place,
) {
    for bind in profile
        .binds
        .iter()
        .filter(|one| one.source.fixed().is_none())
    {
        let text = bind.source.text();
        let fixed = text.split('{').next().unwrap_or_default();
        let directory = fixed
            .rsplit_once('/')
            .map_or("", |(directory, _)| directory);
        if facts.is_open_to_all(Path::new(directory)) {
            let what = format!(
                "everybody may write to {directory}, where the source {text} of a bind of profile \
                 `{name}` is: with a link or a file of that name, a user has another one's logins \
                 refused"
            );
            let help = "let only root make it, in a directory of root's";
            faults.warning(at(Some(bind.place)), what).help(help);
        }
    }
}

/// What is allowed, and does less or more than it seems to.
fn costs(
    name: &str,
    keys: &Keys,
    profile: &Profile,
    faults: &mut Faults,
    at: &impl Fn(Option<Place>) -> Place,
) {
    let enforced = profile.require_nsshell && profile.has(Namespace::User);
    if !profile.command.is_empty() && !enforced {
        let what = format!(
            "`command` of profile `{name}` holds only for users whose login shell is nsshell, \
             which nothing requires"
        );
        let help = "set require_nsshell = true, with \"user\" in `namespaces`";
        faults.warning(at(set(&keys.command)), what).help(help);
    }
    let mask = |place| (place, "masks a part of /proc");
    let masked = profile.masked.iter();
    let masked = masked.filter(|one| one.path.starts_with("/proc"));
    let masked = masked.map(|one| mask(Some(one.place))).next();
    let bound = profile.binds.iter().find(|one| {
        let target: Option<PathBuf> = one.target.fixed().map(PathBuf::from);
        target.is_some_and(|target| target.starts_with("/proc"))
    });
    let covered = bound.map(|one| (Some(one.place), "covers a part of /proc"));
    let pids = profile.proc == ProcView::Pids && profile.has(Namespace::Pid);
    let pids = pids.then_some((set(&keys.proc), "has proc = \"pids\""));
    if let Some((place, why)) = masked.or(covered).or(pids)
        && profile.has(Namespace::User)
        && profile.command.is_empty()
    {
        let what = format!(
            "profile `{name}` {why}: the kernel lets its users mount no /proc, so that their own \
             containers do not start"
        );
        faults.warning(at(place), what);
    }
}
