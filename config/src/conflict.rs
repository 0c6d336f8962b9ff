//! Keys of a profile that contradict each other: each is right alone, and a login would get
//! something that its writer does not expect.

use std::collections::BTreeSet;
use std::path::Path;

use crate::binds::Bind;
use crate::diagnostic::{Faults, Noted};
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
/// whoever wrote it could not know. And of two that cannot both be, the stronger one is told: it
/// may be that nobody here can change the other one.
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
        (
            "pass_environment",
            at(&own.pass_environment),
            Mount,
            "mount",
        ),
        ("grace", at(&own.grace), Mount, "mount"),
        ("timeout", at(&own.timeout), Mount, "mount"),
        ("on_failure", at(&own.on_failure), Mount, "mount"),
        ("mode", at(&own.mode), Mount, "mount"),
        ("scope", at(&own.scope), Mount, "mount"),
        ("on_logout", at(&own.on_logout), Mount, "mount"),
        ("keep_for", at(&own.keep_for), Mount, "mount"),
        ("max_sessions", at(&own.max_sessions), Mount, "mount"),
        ("max_lifetime", at(&own.max_lifetime), Mount, "mount"),
        // what else it needs is told with the other keys of life
        ("idle", at(&own.idle), Mount, "mount"),
        (
            "on_policy_change",
            at(&own.on_policy_change),
            Mount,
            "mount",
        ),
    ];
    for (key, place, kind, kind_name) in keys {
        let known = |at: &Place| kinds.is_none_or(|kinds| at.knows(kinds));
        let Some(place) = place.filter(|at| !profile.has(kind) && known(at)) else {
            continue;
        };
        let what = format!(
            "`{key}` has no effect in profile `{name}`, which has no {kind_name} namespace"
        );
        let noted = faults.error(place, what).help(format!(
            "take it out or add \"{kind_name}\" to `namespaces`"
        ));
        if let Some(kinds) = kinds {
            noted.other(kinds, "the namespaces are set here");
        }
    }
    if profile.has(Mount) {
        program(settled, &profile, faults);
        environment(name, own, settled, faults);
        missing(settled, &profile, faults);
        user_namespace(name, kinds, &profile, faults);
        overlaps(&profile, faults);
    }
}

/// Notes a shell or command that the session could not run.
fn program(settled: &Keys, profile: &Profile, faults: &mut Faults) {
    let (what, program, set) = match profile.command.first() {
        Some(program) => ("command", Path::new(program), at(&settled.command)),
        None => ("shell", profile.shell.as_path(), at(&settled.shell)),
    };
    let private = profile.private.iter();
    let mut private = private.filter_map(|one| Some((Path::new(one.path.fixed()?), one.place)));
    let masked = profile.masked.iter();
    let mut masked = masked.map(|one| (one.path.as_path(), Some(one.place)));
    let hides = |(path, _): &(&Path, Option<Place>)| program.starts_with(path);
    let hiders = [
        ("private", private.find(hides)),
        ("masked", masked.find(hides)),
    ];
    for (key, hider) in hiders {
        let Some((path, hider)) = hider else { continue };
        let (path, program) = (path.display().to_string(), program.display());
        let help = match hider {
            None => by_default(&path),
            Some(_) => format!("take it out of `{key}`, or set another `{what}`"),
        };
        let message = format!("the {key} {path} would hide the {what} {program}");
        let hider = (hider, &*format!("the {key} {path} is here"));
        let set = (set, &*format!("the {what} is set here"));
        if let Some(noted) = collide(hider, set, message, faults) {
            noted.help(help);
        }
    }
}

/// Notes variables for a command that there is not.
fn environment(name: &str, own: &Keys, settled: &Keys, faults: &mut Faults) {
    let passed = own.pass_environment.as_ref();
    let passed = passed.filter(|set| !set.value.is_empty());
    let command = settled.command.as_ref();
    let known = |at: Place| command.is_none_or(|command| at.knows(command.place));
    let Some(passed) = passed.filter(|set| known(set.place)) else {
        return;
    };
    if command.is_none_or(|command| command.value.is_empty()) {
        let what =
            format!("`pass_environment` has no effect in profile `{name}`, which has no command");
        let noted = faults
            .error(passed.place, what)
            .help("set `command`, or take it out");
        if let Some(command) = command {
            noted.other(command.place, "`command` is set here");
        }
    }
}

/// One of two keys that cannot both be: where it is set, if it is, and what is said of it where
/// the fault is told at the other one.
pub(crate) type Side<'s> = (Option<Place>, &'s str);

/// Where a fault of two is told: in the stronger file, whose writer could know both, and in one
/// file at the second; and what is said where the other one is.
fn stronger<'s>(one: Side<'s>, two: Side<'s>) -> Option<(Place, Option<(Place, &'s str)>)> {
    Some(match (one.0, two.0) {
        (Some(first), Some(second)) if !second.knows(first) => (first, Some((second, two.1))),
        (Some(first), Some(second)) => (second, Some((first, one.1))),
        (first, second) => (first.or(second)?, None),
    })
}

/// Notes a fault of two.
pub(crate) fn collide<'f>(
    one: Side<'_>,
    two: Side<'_>,
    what: String,
    faults: &'f mut Faults,
) -> Option<Noted<'f>> {
    let (place, other) = stronger(one, two)?;
    let noted = faults.error(place, what);
    Some(match other {
        Some((other, said)) => noted.other(other, said),
        None => noted,
    })
}

/// What to do about a directory that is private without anybody having said so.
fn by_default(path: &str) -> String {
    format!("{path} is private by default: set `private` without it, or take this out")
}

/// Notes what cannot be there for another key's sake.
fn missing(settled: &Keys, profile: &Profile, faults: &mut Faults) {
    let root = settled.root.as_ref().filter(|set| set.value.is_some());
    let root = root.map(|set| set.place);
    if let Some(root) = root {
        let said = "the root is set here";
        // in a weaker file they mean the host's own root
        let dev = settled.dev.as_ref().filter(|set| set.place.knows(root));
        if let Some(dev) = dev.filter(|set| set.value == DevView::Host) {
            let what = "dev = \"host\" cannot be had with another root, which has a minimal /dev";
            let noted = faults.error(dev.place, what).help("take it out");
            noted.other(root, said);
        }
        let sys = settled.sys.as_ref().filter(|set| set.place.knows(root));
        if let Some(sys) = sys.filter(|set| set.value.is_none()) {
            let what = "sys = \"host\" cannot be had with another root";
            let noted = faults.error(sys.place, what);
            noted
                .help("say \"read-only\", or take it out for an empty /sys")
                .other(root, said);
        }
    }
    let minimal = profile.dev == DevView::Minimal || root.is_some();
    let minimal = minimal.then(|| root.or(at(&settled.dev)));
    let pids = profile.has(Namespace::Pid) && profile.proc == ProcView::Pids;
    let why_not = |path: &Path| {
        let mut parts = path.components().skip(1);
        let (first, second) = (parts.next()?, parts.next()?.as_os_str().to_str()?);
        match first.as_os_str().to_str()? {
            "dev" if !MINIMAL_DEV.contains(&second) => Some(("a minimal /dev", minimal?)),
            "proc" if pids && !second.starts_with(|c: char| c.is_ascii_digit()) => {
                let own = second.ends_with("self");
                (!own).then_some(("a /proc of processes only", at(&settled.proc)))
            }
            _ => None,
        }
    };
    let masked = profile.masked.iter();
    let masked = masked.map(|one| ("masked", one.path.as_path(), Some(one.place), one.optional));
    let private = profile.private.iter();
    let private = private.map(|one| {
        let fixed = one.path.fixed().unwrap_or("/");
        ("private", Path::new(fixed), one.place, one.optional)
    });
    for (key, path, place, optional) in masked.chain(private) {
        if let (false, Some(_), Some((why, taker))) = (optional, place, why_not(path)) {
            let path = path.display();
            let what = format!("{path} does not exist in {why}");
            let taker = (taker, &*format!("{why} is wanted here"));
            let listed = (place, &*format!("{path} is {key} here"));
            if let Some(noted) = collide(taker, listed, what, faults) {
                noted.help(format!(
                    "take it out of `{key}`, or say {{ path = ..., optional = true }} there"
                ));
            }
        }
    }
}

/// What a minimal /dev has in it.
const MINIMAL_DEV: [&str; 13] = [
    "null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "fd", "stdin",
    "stdout", "stderr",
];

fn user_namespace(name: &str, kinds: Option<Place>, profile: &Profile, faults: &mut Faults) {
    let known = |at: Place| kinds.is_none_or(|kinds| at.knows(kinds));
    let of_session = |bind: &&Bind| bind.ids == Some(BindIds::Session) && known(bind.place);
    if let (false, Some(bind)) = (
        profile.has(Namespace::User),
        profile.binds.iter().find(of_session),
    ) {
        let what = format!(
            "ids = \"session\" has no effect in profile `{name}`, which has no user namespace"
        );
        let help = "take it out or add \"user\" to `namespaces`";
        let noted = faults.error(bind.place, what).help(help);
        if let Some(kinds) = kinds {
            noted.other(kinds, "the namespaces are set here");
        }
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

    fn is_here(&self) -> String {
        let verb = if self.order == HOMES { "are" } else { "is" };
        format!("{} {verb} here", self.shown())
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
            let (early_is, late_is) = (early.is_here(), late.is_here());
            let sides = ((early.place, &*early_is), (late.place, &*late_is));
            let is_new = stronger(sides.0, sides.1).is_some_and(|(place, _)| told.insert(place));
            if !is_new {
                continue;
            }
            let what = match early.path == late.path {
                true if early.order >= BIND && late.order < MASK => {
                    format!("{} is the target of two binds", late.path)
                }
                true => format!("{} is both {} and {}", late.path, early.is(), late.is()),
                false => format!("{} would hide {}", late.shown(), early.shown()),
            };
            let default = [early, late].into_iter().find(|spot| spot.place.is_none());
            let help = match (early.order, late.order) {
                _ if default.is_some() => {
                    default.map(|one| by_default(one.path)).unwrap_or_default()
                }
                (READ_ONLY, BIND..MASK) => "say options = [\"ro\"] in the bind instead".to_owned(),
                (BIND..MASK, BIND..MASK) if early.path != late.path => {
                    "list the directory above before what is in it".to_owned()
                }
                _ => "take one of them out".to_owned(),
            };
            if let Some(noted) = collide(sides.0, sides.1, what, faults) {
                noted.help(help);
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
        let private = (empty.place, &*format!("the private {above} is here"));
        let masked = (Some(mask.place), &*format!("{mask_path} is masked here"));
        if let Some(noted) = collide(private, masked, what, faults) {
            noted.help("take it out of `masked`");
        }
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
