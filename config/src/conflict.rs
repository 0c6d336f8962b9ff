//! Keys of a profile that contradict each other: each is right alone, and a login would get
//! something that its writer does not expect.

use std::collections::BTreeSet;
use std::path::Path;

use crate::binds::Bind;
use crate::diagnostic::Faults;
use crate::profile::{Keys, Profile};
use crate::source::{At, Place};
use crate::view::{DevView, ProcView};
use crate::{BindIds, Namespace};

fn at<T>(set: &Option<At<T>>) -> Option<Place> {
    set.as_ref().map(|set| set.place)
}

/// Notes the keys of a profile that say something about what it does not have: the writer
/// expects something that would not happen. `own` is what the profile sets itself, `settled`
/// with what it extends. A key that is weaker than the list of namespaces is not in question:
/// whoever wrote it could not know.
pub(crate) fn contradictions(name: &str, own: &Keys, settled: &Keys, faults: &mut Faults) {
    use Namespace::{Mount, Pid, User, Uts};
    let profile = Profile::new(settled);
    let kinds = settled.namespaces.as_ref().map(|set| set.place);
    let set = |on: &Option<At<bool>>| on.as_ref().filter(|on| on.value).map(|on| on.place);
    let keys = [
        ("id_map", at(&own.id_map), User, "user"),
        ("ranges", at(&own.ranges), User, "user"),
        ("require_nsshell", set(&own.require_nsshell), User, "user"),
        ("hostname", at(&own.hostname), Uts, "uts"),
        ("private", at(&own.private), Mount, "mount"),
        ("runtime_dir", set(&own.runtime_dir), Mount, "mount"),
        ("home", at(&own.home), Mount, "mount"),
        ("hide_homes", at(&own.hide_homes), Mount, "mount"),
        ("binds", at(&own.binds), Mount, "mount"),
        ("read_only", at(&own.read_only), Mount, "mount"),
        ("masked", at(&own.masked), Mount, "mount"),
        ("unmounted", at(&own.unmounted), Mount, "mount"),
        ("proc", at(&own.proc), Pid, "pid"),
        ("hidepid", at(&own.hidepid), Pid, "pid"),
        ("dev", at(&own.dev), Mount, "mount"),
        ("sys", at(&own.sys), Mount, "mount"),
        ("root", at(&own.root), Mount, "mount"),
        ("expose", at(&own.expose), Mount, "mount"),
        ("command", at(&own.command), Mount, "mount"),
        ("grace", at(&own.grace), Mount, "mount"),
        ("timeout", at(&own.timeout), Mount, "mount"),
        ("on_failure", at(&own.on_failure), Mount, "mount"),
        ("mode", at(&own.mode), Mount, "mount"),
    ];
    for (key, place, kind, kind_name) in keys {
        let stronger = |at: &Place| kinds.is_none_or(|kinds| at.file <= kinds.file);
        let Some(place) = place.filter(|at| !profile.has(kind) && stronger(at)) else {
            continue;
        };
        let what =
            format!("`{key}` says nothing in profile `{name}`, which has no {kind_name} namespace");
        let noted = faults.error(place, what).help(format!(
            "take it out or add \"{kind_name}\" to `namespaces`"
        ));
        if let Some(kinds) = kinds {
            noted.other(kinds, "the namespaces are set here");
        }
    }
    if profile.has(Mount) {
        program(own, &profile, faults);
        missing(settled, &profile, faults);
        user_namespace(name, &profile, faults);
        overlaps(&profile, faults);
    }
}

/// Notes a shell or command that the session could not run.
fn program(own: &Keys, profile: &Profile, faults: &mut Faults) {
    let (what, program) = match profile.command.first() {
        Some(program) => ("command", Path::new(program)),
        None => ("shell", profile.shell.as_path()),
    };
    let shown = program.display();
    let told = at(&own.command).or(at(&own.shell));
    let private = profile.private.iter().filter_map(|one| one.path.fixed());
    let hidden = private.map(Path::new).find(|one| program.starts_with(one));
    if let (Some(place), Some(hidden)) = (told.or(at(&own.private)), hidden) {
        let hidden = hidden.display();
        let what = format!("the {what} {shown} would be hidden by the private directory {hidden}");
        faults.error(place, what);
    }
    let mut masks = profile.masked.iter();
    let mask = masks.find(|one| program.starts_with(&one.path));
    if let (Some(place), Some(mask)) = (told.or(at(&own.masked)), mask) {
        let what = format!("the {what} {shown} would be hidden, since it is masked");
        faults
            .error(place, what)
            .other(mask.place, "the mask is here");
    }
}

/// Notes what cannot be there for another key's sake.
fn missing(settled: &Keys, profile: &Profile, faults: &mut Faults) {
    let root = settled.root.as_ref().filter(|set| set.value.is_some());
    let host_dev = settled
        .dev
        .as_ref()
        .filter(|set| set.value == DevView::Host);
    if let (Some(root), Some(dev)) = (root, host_dev) {
        let what = "dev = \"host\" cannot be had with another root, which has a minimal /dev";
        let noted = faults.error(dev.place, what).help("take it out");
        noted.other(root.place, "the root is set here");
    }
    let host_sys = settled.sys.as_ref().filter(|set| set.value.is_none());
    if let (Some(root), Some(sys)) = (root, host_sys) {
        let what = "sys = \"host\" cannot be had with another root";
        let noted = faults.error(sys.place, what);
        noted
            .help("say \"read-only\", or take it out for an empty /sys")
            .other(root.place, "the root is set here");
    }
    let minimal = profile.dev == DevView::Minimal || profile.root.is_some();
    let pids = profile.has(Namespace::Pid) && profile.proc == ProcView::Pids;
    let why_not = |path: &Path| {
        let mut parts = path.components().skip(1);
        let (first, second) = (parts.next()?, parts.next()?.as_os_str().to_str()?);
        match first.as_os_str().to_str()? {
            "dev" if minimal && !MINIMAL_DEV.contains(&second) => Some("a minimal /dev"),
            "proc" if pids && !second.starts_with(|c: char| c.is_ascii_digit()) => {
                (!second.ends_with("self")).then_some("a /proc of processes only")
            }
            _ => None,
        }
    };
    let masked = profile.masked.iter();
    let masked = masked.map(|one| (one.path.as_path(), Some(one.place), one.optional));
    let private = profile.private.iter();
    let private = private.map(|one| {
        let fixed = one.path.fixed().unwrap_or("/");
        (Path::new(fixed), one.place, one.optional)
    });
    for (path, place, optional) in masked.chain(private) {
        if let (false, Some(place), Some(why)) = (optional, place, why_not(path)) {
            let what = format!("{} does not exist in {why}", path.display());
            let help = "take it out, or say { path = ..., optional = true }";
            faults.error(place, what).help(help);
        }
    }
}

/// What a minimal /dev has in it.
const MINIMAL_DEV: [&str; 13] = [
    "null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "fd", "stdin",
    "stdout", "stderr",
];

fn user_namespace(name: &str, profile: &Profile, faults: &mut Faults) {
    let of_session = |bind: &&Bind| bind.ids == Some(BindIds::Session);
    if let (false, Some(bind)) = (
        profile.has(Namespace::User),
        profile.binds.iter().find(of_session),
    ) {
        let what = format!(
            "ids = \"session\" says nothing in profile `{name}`, which has no user namespace"
        );
        let help = "take it out or add \"user\" to `namespaces`";
        faults.error(bind.place, what).help(help);
    }
}

/// A path that something is made at.
struct Spot<'p> {
    /// what is made later hides what is made before it
    order: usize,
    path: &'p str,
    /// none: by default
    place: Option<Place>,
}

impl Spot<'_> {
    fn is(&self) -> &'static str {
        match self.order {
            READ_ONLY => "read-only",
            HOMES => "hidden homes",
            PRIVATE => "private",
            EXPOSE => "exposed",
            MASK => "masked",
            _ => "the target of a bind",
        }
    }

    fn shown(&self) -> String {
        match self.order {
            HOMES => format!("the hidden homes in {}", self.path),
            BIND..MASK => format!("the bind on {}", self.path),
            _ => format!("the {} {}", self.is(), self.path),
        }
    }
}

const READ_ONLY: usize = 0;
const HOMES: usize = 1;
const PRIVATE: usize = 2;
const EXPOSE: usize = 3;
const BIND: usize = 4;
const MASK: usize = 100;

/// Notes what something that is made later would hide.
fn overlaps(profile: &Profile, faults: &mut Faults) {
    let spots = spots(profile);
    // in one list they are looked at already
    if spots.iter().all(|spot| spot.order == PRIVATE) {
        return;
    }
    let mut told = BTreeSet::new();
    for late in &spots {
        for early in &spots {
            let same = std::ptr::eq(early, late);
            let nested = early.order == late.order && matches!(late.order, HOMES | MASK);
            let covers = late.order > early.order || nested && early.path != late.path;
            // these two do not hide what they lie above
            let through = early.order == READ_ONLY && matches!(late.order, HOMES | EXPOSE);
            if same || !covers || through || !is_in(early.path, late.path) {
                continue;
            }
            let Some((place, other)) = stronger(early, late) else {
                continue;
            };
            if !told.insert(place) {
                continue;
            }
            let what = match early.path == late.path {
                true if early.order >= BIND && late.order < MASK => {
                    format!("{} is the target of two binds", late.path)
                }
                true => format!("{} is both {} and {}", late.path, early.is(), late.is()),
                false => format!("{} would hide {}", late.shown(), early.shown()),
            };
            let help = match (early.order, late.order) {
                (READ_ONLY, BIND..MASK) => "say options = [\"ro\"] in the bind instead",
                (BIND..MASK, BIND..MASK) if early.path != late.path => {
                    "list the directory above before what is in it"
                }
                _ => "take one of them out",
            };
            let noted = faults.error(place, what).help(help);
            if let Some(other) = other {
                noted.other(other, "the other one is here");
            }
        }
    }
    for mask in profile.masked.iter().filter(|mask| !mask.optional) {
        let empty = profile.private.iter().find(|private| {
            let fixed = private.path.fixed().filter(|_| private.instance.is_none());
            fixed.is_some_and(|fixed| mask.path.starts_with(fixed) && mask.path != Path::new(fixed))
        });
        let bound = |bind: &Bind| match bind.target.fixed() {
            Some(fixed) => mask.path.starts_with(fixed),
            None => true,
        };
        let Some(empty) = empty.filter(|_| !profile.binds.iter().any(bound)) else {
            continue;
        };
        let (mask_path, above) = (mask.path.display(), empty.path.text());
        let what = format!("{mask_path} does not exist in the private {above}, which is empty");
        let noted = faults.error(mask.place, what).help("take it out");
        if let Some(place) = empty.place {
            noted.other(place, "it is here");
        }
    }
}

/// Where a fault of two is told: in the stronger file, whose writer could know both, and where
/// the other one is.
fn stronger(early: &Spot<'_>, late: &Spot<'_>) -> Option<(Place, Option<Place>)> {
    match (early.place, late.place) {
        (Some(early), Some(late)) if early.file < late.file => Some((early, Some(late))),
        (Some(early), Some(late)) => Some((late, Some(early))),
        (one, other) => one.or(other).map(|place| (place, None)),
    }
}

fn spots(profile: &Profile) -> Vec<Spot<'_>> {
    let mut spots = Vec::new();
    let lists = [
        (READ_ONLY, &profile.read_only),
        (HOMES, &profile.hide_homes),
        (MASK, &profile.masked),
    ];
    for (order, list) in lists {
        spots.extend(list.iter().filter_map(|entry| {
            Some(Spot {
                order,
                path: entry.path.to_str()?,
                place: Some(entry.place),
            })
        }));
    }
    spots.extend(profile.private.iter().filter_map(|one| {
        Some(Spot {
            order: PRIVATE,
            path: one.path.fixed()?,
            place: one.place,
        })
    }));
    spots.extend(profile.expose.iter().filter_map(|one| {
        Some(Spot {
            order: EXPOSE,
            path: one.path.fixed()?,
            place: Some(one.place),
        })
    }));
    spots.extend(profile.binds.iter().zip(BIND..).filter_map(|(one, order)| {
        Some(Spot {
            order,
            path: one.target.fixed()?,
            place: Some(one.place),
        })
    }));
    spots
}

/// Whether a plain path is another one or beneath it.
fn is_in(path: &str, above: &str) -> bool {
    match path.strip_prefix(above) {
        Some(rest) => above == "/" || rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}
