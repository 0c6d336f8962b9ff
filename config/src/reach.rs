//! Whether this host has the places that a plan mounts on, and what it shows there: what a
//! login would find out by being refused.

use std::path::{Path, PathBuf};

use crate::{Home, Mount, Plan};

/// What a login finds at a path of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// nothing
    Missing,
    /// a symbolic link on the way, which no mount follows; and where it leads, if it leads
    /// anywhere
    Link(Option<PathBuf>),
    /// a directory
    Directory,
    /// anything else
    File,
    /// it cannot be seen without a login's rights, or without mounting it
    Hidden,
}

/// What stands in the way of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// the login would be refused: why
    Certain(String),
    /// it may be: why
    Perhaps(String),
}

/// What a login with this plan would be refused for, by a host on which `look` tells what is
/// at a path.
#[must_use]
pub fn obstacle(plan: &Plan, look: &dyn Fn(&Path) -> Found) -> Option<Obstacle> {
    let session = plan.session.as_ref()?;
    let mut walk = Walk {
        plan,
        look,
        root: session.root.as_deref(),
        covers: Vec::new(),
    };
    // sources first: they are of the host as it is before the first mount
    let mounts = &session.mounts;
    let mut found: Vec<_> = mounts.iter().filter_map(|one| walk.source(one)).collect();
    found.extend(mounts.iter().filter_map(|one| walk.target(one)));
    let certain = |one: &Obstacle| matches!(one, Obstacle::Certain(_));
    let first = found.iter().position(certain).unwrap_or(0);
    (!found.is_empty()).then(|| found.swap_remove(first))
}

/// What a mount leaves to be seen.
enum Cover<'a> {
    /// a file system of the session's own, in which a missing place is made
    Fresh,
    /// this directory of the host
    Of(&'a Path),
    /// who knows
    Unknown,
}

/// The mounts of a plan, one after the other.
struct Walk<'a> {
    plan: &'a Plan,
    look: &'a dyn Fn(&Path) -> Found,
    root: Option<&'a Path>,
    /// those that were made so far
    covers: Vec<(&'a Path, Cover<'a>)>,
}

impl<'a> Walk<'a> {
    fn source(&self, mount: &Mount) -> Option<Obstacle> {
        let home = &self.plan.account.home;
        match mount {
            Mount::Bind {
                source, optional, ..
            } => self.told(source, (self.look)(source), *optional, "binds"),
            // as without a session: it is for the application to say that there is none
            Mount::Home { home: Home::Real } => {
                self.told(home, (self.look)(home), true, "shows the home")
            }
            Mount::Home {
                home: Home::ReadOnly | Home::Overlay { .. },
            } => self.told(home, (self.look)(home), false, "shows the home"),
            Mount::Instance {
                target, optional, ..
            } => self.told(target, (self.look)(target), *optional, "has an instance of"),
            _ => None,
        }
    }

    fn target(&mut self, mount: &'a Mount) -> Option<Obstacle> {
        let home = self.plan.account.home.as_path();
        let (target, optional, cover) = match mount {
            Mount::ReadOnly { target, optional } => (target.as_path(), *optional, None),
            Mount::Unmount { target, optional } | Mount::Mask { target, optional } => {
                (target.as_path(), *optional, Some(Cover::Unknown))
            }
            Mount::Homes { target, optional }
            | Mount::Tmpfs {
                target, optional, ..
            } => (target.as_path(), *optional, Some(Cover::Fresh)),
            Mount::Instance {
                target, optional, ..
            } => (target.as_path(), *optional, Some(Cover::Unknown)),
            Mount::Bind {
                source,
                target,
                optional,
                ..
            } => (target.as_path(), *optional, Some(Cover::Of(source))),
            Mount::Expose { path } => (path.as_path(), true, Some(Cover::Unknown)),
            Mount::Home { home: kind } => match kind {
                Home::Fresh { skeleton, .. } => (home, false, Some(Cover::Of(skeleton))),
                _ => (home, true, Some(Cover::Of(home))),
            },
            Mount::Proc { .. } => return self.own("/proc", Cover::Unknown),
            Mount::Dev { .. } => return self.own("/dev", Cover::Fresh),
            Mount::Sys { .. } => return self.own("/sys", Cover::Unknown),
            Mount::RuntimeDir => return self.own("/run/user", Cover::Fresh),
            Mount::Mqueue => return self.own("/dev/mqueue", Cover::Unknown),
        };
        let found = self.at(target);
        // a place that is unknown may as well be there
        let is_there = found != Some(Found::Missing);
        let kind = match mount {
            Mount::Bind { source, .. } => (self.look)(source),
            Mount::Tmpfs { .. } | Mount::Instance { .. } | Mount::Homes { .. } => Found::Directory,
            _ => Found::Hidden,
        };
        let told = match (found, kind) {
            (None, _) => None,
            (Some(Found::File), Found::Directory) => self.misfit(target, "is no directory"),
            (Some(Found::Directory), Found::File) => self.misfit(target, "is a directory"),
            (Some(found), _) => self.told(target, found, optional, "mounts on"),
        };
        if let (Some(cover), true) = (cover, is_there) {
            self.covers.push((target, cover));
        }
        told
    }

    fn own(&mut self, target: &'a str, cover: Cover<'a>) -> Option<Obstacle> {
        self.covers.push((Path::new(target), cover));
        None
    }

    /// What is at a place of the session by now; none: nobody can tell, or it is made.
    fn at(&self, target: &Path) -> Option<Found> {
        let over = self.covers.iter().rev();
        let over = over.map(|(path, cover)| (target.strip_prefix(path), cover));
        if let Some((Ok(rest), cover)) = over.into_iter().find(|(rest, _)| rest.is_ok()) {
            return match cover {
                Cover::Of(shown) => Some((self.look)(&join(shown, rest))),
                Cover::Fresh | Cover::Unknown => None,
            };
        }
        let Some(root) = self.root else {
            return Some((self.look)(target));
        };
        let rest = target.strip_prefix("/").ok()?;
        let top = rest.components().next()?;
        // at the top of another root there is room for what is missing, and these are its own
        let is_own = ["proc", "dev", "run", "sys"]
            .iter()
            .any(|own| top.as_os_str() == *own);
        if is_own || (self.look)(&root.join(top)) == Found::Missing {
            return None;
        }
        Some(match (self.look)(&root.join(rest)) {
            // where it leads from within is another matter
            Found::Link(_) => Found::Link(None),
            found => found,
        })
    }

    fn misfit(&self, path: &Path, why: &str) -> Option<Obstacle> {
        let (shown, profile) = (path.display(), &self.plan.profile);
        let what = format!("profile \"{profile}\" mounts on {shown}, which {why}");
        Some(Obstacle::Certain(what))
    }

    fn told(&self, path: &Path, found: Found, optional: bool, does: &str) -> Option<Obstacle> {
        let (shown, profile) = (path.display(), &self.plan.profile);
        let what = format!("profile \"{profile}\" {does} {shown}");
        match found {
            Found::Directory | Found::File => None,
            Found::Missing if optional => None,
            Found::Missing => {
                let home = self.plan.account.home.as_path();
                if path.starts_with(home) && (self.look)(home) == Found::Missing {
                    let why = format!("{what}, and the home directory is not there yet");
                    return Some(Obstacle::Perhaps(why));
                }
                let help = "make it, or say optional = true in the profile";
                Some(Obstacle::Certain(format!(
                    "{what}, which does not exist; {help}"
                )))
            }
            Found::Link(Some(real)) => Some(Obstacle::Certain(format!(
                "{what}, which leads over a symbolic link; name {}",
                real.display()
            ))),
            Found::Link(None) => Some(Obstacle::Certain(format!(
                "{what}, which leads over a symbolic link; name the real path"
            ))),
            Found::Hidden => Some(Obstacle::Perhaps(format!(
                "{what}, which cannot be seen from here"
            ))),
        }
    }
}

/// `shown/rest`, without a slash behind it if there is no rest.
fn join(shown: &Path, rest: &Path) -> PathBuf {
    match rest.as_os_str().is_empty() {
        true => shown.to_owned(),
        false => shown.join(rest),
    }
}
