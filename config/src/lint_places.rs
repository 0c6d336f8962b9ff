//! Places of a profile that no login gets to on this host: over a symbolic link, which the
//! engine follows nowhere, or on a target that is not there.

use std::path::{Path, PathBuf};

use crate::binds::Bind;
use crate::diagnostic::Faults;
use crate::host::Facts;
use crate::profile::Profile;
use crate::reach::Found;
use crate::source::Place;
use crate::template::Template;
use crate::view::DevView;
use crate::{Home, Namespace, SysView, Upper};

/// Notes what a login would be refused for. A place with variables in it is another one for
/// each user: see [`obstacle`](crate::obstacle).
pub(crate) fn profile(
    name: &str,
    profile: &Profile,
    facts: &dyn Facts,
    faults: &mut Faults,
    at: impl Fn(Option<Place>) -> Place,
) {
    links(name, profile, facts, faults, &at);
    for (number, bind) in profile.binds.iter().enumerate() {
        let Some(target) = bind.target.fixed().map(Path::new) else {
            continue;
        };
        // onto itself: what there is to say of the source is said
        if profile.root.is_none() && bind.source.fixed().map(Path::new) == Some(target) {
            continue;
        }
        let earlier = profile.binds.get(..number).unwrap_or_default();
        if bind.optional || is_own(target, profile) || is_covered(target, profile, earlier, facts) {
            continue;
        }
        // at the top of another root there is room
        let has_room = profile.root.is_some() && target.parent() == Some(Path::new("/"));
        if !has_room && facts.look(&in_tree(target, profile)) == Found::Missing {
            let shown = target.display();
            let what = format!("{shown}, the target of a bind of profile `{name}`, does not exist");
            let help = "make it, or say optional = true";
            faults.error(at(Some(bind.place)), what).help(help);
        }
    }
}

/// In another root the places are those of its tree.
fn in_tree(path: &Path, profile: &Profile) -> PathBuf {
    match (&profile.root, path.strip_prefix("/")) {
        (Some(root), Ok(rest)) => root.join(rest),
        _ => path.to_owned(),
    }
}

/// Whether a place is in a file system of the session's own.
fn is_own(target: &Path, profile: &Profile) -> bool {
    let minimal = profile.dev == DevView::Minimal;
    let own = match profile.root {
        Some(_) => [
            ("/proc", true),
            ("/dev", true),
            ("/sys", true),
            ("/run", true),
        ],
        None => [
            ("/proc", profile.has(Namespace::Pid)),
            ("/dev", minimal),
            ("/sys", profile.sys == Some(SysView::Hidden)),
            ("/run/user", profile.runtime_dir),
        ],
    };
    own.iter()
        .any(|(above, is_own)| *is_own && target.starts_with(above))
}

/// Whether something of the profile may lie over a place, which is there then, or is made.
fn is_covered(target: &Path, profile: &Profile, binds: &[Bind], facts: &dyn Facts) -> bool {
    let private = profile.private.iter().map(|one| &one.path);
    let mut covers = private.chain(binds.iter().map(|one| &one.target));
    let mut homes = profile.hide_homes.iter();
    covers.any(|above| may_cover(above, target, facts))
        || homes.any(|one| target.starts_with(&one.path))
}

/// Whether a place may lie beneath a path, for some user.
fn may_cover(above: &Template, target: &Path, facts: &dyn Facts) -> bool {
    if let Some(fixed) = above.fixed() {
        return target.starts_with(fixed);
    }
    let text = above.text();
    if text.starts_with("{home}") {
        let mut homes = facts.accounts().iter().map(|one| &one.home);
        return homes.any(|home| home.parent().is_some() && target.starts_with(home));
    }
    let fixed = text.split('{').next().unwrap_or("");
    target
        .to_str()
        .is_some_and(|target| target.starts_with(fixed))
}

/// Notes what is named by way of a symbolic link.
fn links(
    name: &str,
    profile: &Profile,
    facts: &dyn Facts,
    faults: &mut Faults,
    at: &impl Fn(Option<Place>) -> Place,
) {
    let mut said = |path: &Path, place: Option<Place>, is_target: bool| {
        let there = match is_target {
            true => in_tree(path, profile),
            false => path.to_owned(),
        };
        let Found::Link(real) = facts.look(&there) else {
            return;
        };
        // a link of a tree leads elsewhere from within
        let real = real.filter(|_| there == path);
        let shown = path.display();
        let what = format!(
            "{shown} of profile `{name}` leads over a symbolic link, which no session follows"
        );
        let help = match real {
            Some(real) => format!("name {}", real.display()),
            None => "name the real path".to_owned(),
        };
        faults.error(at(place), what).help(help);
    };
    // masks are made after everything else, and these before
    let first = [&profile.hide_homes, &profile.read_only, &profile.unmounted];
    let masked = profile.masked.iter();
    let masked = masked.filter(|one| !is_covered(&one.path, profile, &profile.binds, facts));
    for entry in first.into_iter().flatten().chain(masked) {
        if !is_own(&entry.path, profile) {
            said(&entry.path, Some(entry.place), true);
        }
    }
    for private in &profile.private {
        let path = private.path.fixed().map(Path::new);
        if let Some(path) = path.filter(|path| !is_own(path, profile)) {
            said(path, private.place, true);
        }
        if let Some(instance) = &private.instance {
            if let Some(path) = instance.template.fixed() {
                said(Path::new(path), Some(instance.place), false);
            }
            if let Some(skeleton) = &instance.skeleton {
                said(&skeleton.value, Some(skeleton.place), false);
            }
        }
    }
    for bind in &profile.binds {
        let source = bind.source.fixed().map(Path::new);
        if let Some(source) = source {
            said(source, Some(bind.place), false);
        }
        let target = bind.target.fixed().map(Path::new);
        if let Some(target) = target.filter(|one| Some(*one) != source || profile.root.is_some())
            && !is_own(target, profile)
            && !is_covered(target, profile, &[], facts)
        {
            said(target, Some(bind.place), true);
        }
    }
    let mut others: Vec<&PathBuf> = profile.root.iter().collect();
    if let Home::Fresh { skeleton, .. } = &profile.home {
        others.push(skeleton);
    }
    if let Home::Fresh { upper, .. } | Home::Overlay { upper } = &profile.home
        && let Upper::Disk { store } = upper
    {
        others.push(store);
    }
    for path in others {
        said(path, None, false);
    }
    for exposed in &profile.expose {
        let path = exposed.path.fixed().map(Path::new);
        // missing, it is passed by; and so it is for the engine, since it leads over a link
        if let Some(path) = path.filter(|path| matches!(facts.look(path), Found::Link(_))) {
            let shown = path.display();
            let what = format!(
                "{shown} leads over a symbolic link, which no session follows: profile `{name}` \
                 exposes nothing by it"
            );
            let noted = faults.warning(at(Some(exposed.place)), what);
            noted.help("name the real path");
        }
    }
}
