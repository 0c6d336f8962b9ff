//! What two profiles of a policy do to each other on disk: each is right alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::binds::Bind;
use crate::diagnostic::Faults;
use crate::profile::Profile;
use crate::source::Place;
use crate::template::Template;
use crate::{Contents, Namespace, Policy};

/// A profile that a rule chooses.
struct Chosen<'p> {
    name: &'p str,
    profile: Profile,
    /// where it has another root
    root: Option<Place>,
}

/// Looks at all profiles that rules choose.
pub(crate) fn whole(policy: &Policy, faults: &mut Faults) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let chosen = policy.rules.iter().filter_map(|rule| {
        let name = rule.profile.as_ref();
        let keys = policy.settled.get(name).filter(|_| seen.insert(name))?;
        Some(Chosen {
            name,
            profile: Profile::new(keys),
            root: keys.root.as_ref().map(|set| set.place),
        })
    });
    let chosen: Vec<Chosen<'_>> = chosen
        .filter(|one| one.profile.has(Namespace::Mount))
        .collect();
    set_uid(&chosen, faults);
    contents(&chosen, faults);
}

/// Through a bind with other ids the user can leave set-uid programs of root's. They are of no
/// use to anybody who cannot get at them, or only where set-uid means nothing.
fn set_uid(chosen: &[Chosen<'_>], faults: &mut Faults) {
    let binds = || chosen.iter().flat_map(|one| &one.profile.binds);
    for mapped in binds().filter(|bind| bind.ids.is_some()) {
        let tree = begins(&mapped.source);
        let meets = |path: &Path| path.starts_with(&tree) || Path::new(&tree).starts_with(path);
        let works = chosen
            .iter()
            .filter(|one| !one.profile.has(Namespace::User));
        for Chosen {
            name,
            profile,
            root,
        } in works
        {
            let works = |bind: &&Bind| bind.ids.is_none() && !bind.attributes.no_suid;
            for bind in profile.binds.iter().filter(works) {
                let source = bind.source.fixed().map(Path::new);
                if !source.is_some_and(meets) {
                    continue;
                }
                let what = format!(
                    "the bind of {} in profile `{name}` shows what users can make root's by \
                     another bind with `ids`, and set-uid programs work in it",
                    bind.source.text()
                );
                let noted = faults.error(bind.place, what);
                noted
                    .help("add \"nosuid\" to its options")
                    .other(mapped.place, "the other bind is here");
            }
            if let (Some(path), Some(place)) = (&profile.root, root)
                && meets(path)
            {
                let what = format!(
                    "the root of profile `{name}` shows what users can make root's by a bind with \
                     `ids`, and set-uid programs work in it"
                );
                let noted = faults.error(*place, what).help("choose another directory");
                noted.other(mapped.place, "the bind is here");
            }
        }
    }
}

/// The directories that a template is beneath, whatever is filled in.
fn begins(template: &Template) -> String {
    match template.fixed() {
        Some(path) => path.to_owned(),
        None => {
            let text = template.text();
            let (fixed, _) = text.split_once('{').unwrap_or((&text, ""));
            let (above, _) = fixed.rsplit_once('/').unwrap_or((fixed, ""));
            above.to_owned()
        }
    }
}

/// One directory whose contents some keep and others empty: who empties it does not ask.
fn contents(chosen: &[Chosen<'_>], faults: &mut Faults) {
    let mut first: BTreeMap<String, (Contents, Place)> = BTreeMap::new();
    for one in chosen {
        let instances = one
            .profile
            .private
            .iter()
            .filter_map(|p| p.instance.as_ref());
        for instance in instances {
            let text = instance.template.text();
            let (kept, place) = *first
                .entry(text.clone())
                .or_insert((instance.contents, instance.place));
            if kept != instance.contents {
                let what = format!(
                    "{text} is kept in one place and emptied in another, which takes it from both"
                );
                let noted = faults.error(instance.place, what);
                noted
                    .help("say the same `contents`, or choose another directory")
                    .other(place, "the other one is here");
            }
        }
    }
}
