//! Reads the policy, if nobody but root could have written it.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nsshell_config::{
    Account, Host, Layer, Login, LoginPolicy, MAX_FILE_SIZE, MAX_FILES, Policy, PolicyFile,
};
use rustix::fs::OFlags;

use crate::error::Error;
use crate::snapshot::{Change, SETTLED, Snapshot};
use crate::sys::{Errno, fd, ns};

/// What the kernel shows in place of an id that has none in this user namespace (proc(5),
/// overflowuid).
const OVERFLOW_UID: u32 = 65534;

/// Where the administrator's policy lies. It need not exist.
pub const FILE: &str = "/etc/nsshell/nsshell.toml";

/// Parts of the administrator's policy, stronger than [`FILE`]; of two, the one whose name
/// comes first is the stronger.
pub const DROP_INS: &str = "/etc/nsshell/conf.d";

/// Parts of the policy that packages bring, weaker than [`FILE`].
pub const VENDOR: &str = "/usr/lib/nsshell";

/// The policy in force, or the one of `path` alone, laid over the built-in one. In force are
/// the files of [`DROP_INS`], [`FILE`], and the files of [`VENDOR`]; none of them has to be
/// there. A file that was named has to.
///
/// # Errors
/// A file cannot be read, somebody other than root could change it, or it has errors.
pub fn load(path: Option<&Path>) -> Result<Policy, Error> {
    Ok(Policy::from_files(files(path)?)?)
}

/// The same as far as one login needs it: quicker, where there are many rules.
///
/// # Errors
/// Those of [`load`].
pub fn load_for<'a>(
    path: Option<&Path>,
    login: &'a Login,
    account: &'a Account,
    host: &'a dyn Host,
) -> Result<LoginPolicy<'a>, Error> {
    Ok(LoginPolicy::from_files(
        files(path)?,
        login,
        account,
        host,
        0,
    )?)
}

/// How often a policy that goes on changing is read again, with [`SETTLED`] in between, before the
/// login is refused: a part of a policy could be a policy as well.
const MOST_READINGS: usize = 20;

/// The texts of the policy that [`load`] takes, the strongest first: each as it was before or
/// after a change that is going on, never a part of it.
///
/// # Errors
/// A file cannot be read, somebody other than root could change it, or it goes on changing.
pub fn files(path: Option<&Path>) -> Result<Vec<PolicyFile>, Error> {
    let mut whole = None;
    let mut reading = Reading::all(path)?;
    let first = reading.names();
    // Files that are removed and made anew are missing for a moment, and a policy without one of
    // its files is another one. Who renames a new file over an old one changes no names.
    let mut same_files = true;
    for _ in 0..MOST_READINGS {
        if reading.is_settled() {
            return reading.texts();
        }
        std::thread::sleep(SETTLED);
        let stayed_whole = reading.stayed_whole();
        if stayed_whole && reading.directories_stayed() {
            return reading.texts();
        }
        let next = Reading::all(path)?;
        same_files &= next.names() == first;
        let last = std::mem::replace(&mut reading, next);
        if stayed_whole {
            whole = Some(last);
        }
    }
    match whole {
        Some(reading) if same_files => reading.texts(),
        _ => Err(reading.unsettled()),
    }
}

/// The texts of the policy in force as they would be with a draft at `place`, the strongest
/// first: what is there now is not read. The draft goes by its own name. None: no file of the
/// policy can be at that place.
///
/// # Errors
/// Those of [`files`].
pub fn files_with(
    place: &Path,
    name: String,
    text: String,
) -> Result<Option<Vec<PolicyFile>>, Error> {
    let Some(layer) = layer_of(place) else {
        return Ok(None);
    };
    let mut reading = Reading {
        instead: Some(place.to_owned()),
        ..Reading::default()
    };
    reading.in_force()?;
    let mut files = reading.texts()?;
    let is_stronger = |file: &PolicyFile| {
        let order = file.layer.cmp(&layer);
        order.then_with(|| Path::new(&file.name).as_os_str().cmp(place.as_os_str()))
    };
    let at = files.partition_point(|file| is_stronger(file).is_lt());
    files.insert(at, PolicyFile { name, text, layer });
    Ok(Some(files))
}

/// Whose the file of the policy at a place would be; none: it would be none of them.
fn layer_of(place: &Path) -> Option<Layer> {
    if place == Path::new(FILE) {
        return Some(Layer::Main);
    }
    let name = place.file_name()?;
    let directory = place.parent()?;
    let layers = [(DROP_INS, Layer::DropIn), (VENDOR, Layer::Vendor)];
    let found = layers.iter().find(|(path, _)| directory == Path::new(path));
    found.filter(|_| counts(name)).map(|(_, layer)| *layer)
}

/// Whether a file of this name in a directory of the policy is read.
fn counts(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    bytes.ends_with(b".toml") && !bytes.starts_with(b".")
}

/// The files of a policy, read once.
#[derive(Default)]
struct Reading {
    files: Vec<(String, Layer, Snapshot)>,
    /// this one is left out, since a draft stands for it
    instead: Option<PathBuf>,
    /// where files may come and go, with the last change of each that is there
    directories: Vec<(PathBuf, Option<Change>)>,
    /// something was replaced, added or removed while the others were read
    mixed: bool,
}

impl Reading {
    fn all(path: Option<&Path>) -> Result<Self, Error> {
        let mut reading = Self::default();
        if let Some(path) = path {
            reading.file(path, Layer::Main)?;
        } else {
            reading.in_force()?;
        }
        // All of them still being there, there was a moment at which they were the policy.
        let mut files = reading.files.iter();
        let stayed = files.all(|(name, _, file)| file.is_at(Path::new(name)));
        reading.mixed |= !stayed || !reading.directories_stayed();
        Ok(reading)
    }

    fn in_force(&mut self) -> Result<(), Error> {
        self.directory(Path::new(DROP_INS), Layer::DropIn)?;
        self.file_if_there(Path::new(FILE), Layer::Main)?;
        self.directory(Path::new(VENDOR), Layer::Vendor)
    }

    fn names(&self) -> Vec<String> {
        self.files.iter().map(|(name, ..)| name.clone()).collect()
    }

    /// Whether nobody is about to change anything.
    fn is_settled(&self) -> bool {
        let mut files = self.files.iter();
        let mut directories = self.directories.iter();
        !self.mixed
            && files.all(|(.., file)| file.is_settled())
            && directories.all(|(path, change)| match change {
                Some(change) => change.is_old(),
                None => Change::of(parent(path)).map_or(true, Change::is_old),
            })
    }

    /// Whether each file is one that nobody was writing, as it shows some time later.
    fn stayed_whole(&self) -> bool {
        let mut files = self.files.iter();
        !self.mixed && files.all(|(.., file)| file.stayed_whole())
    }

    fn directories_stayed(&self) -> bool {
        self.directories
            .iter()
            .all(|(path, change)| Change::of(path).ok() == *change)
    }

    /// # Errors
    /// A text is too long, or not UTF-8: no matter before it is whole, since it may have been cut.
    fn texts(self) -> Result<Vec<PolicyFile>, Error> {
        let text = |(name, layer, file): (String, Layer, Snapshot)| {
            let path = Path::new(&name);
            if file.bytes.len() > MAX_FILE_SIZE {
                let size = file.size().try_into().unwrap_or(usize::MAX);
                return Err(nsshell_config::Error::PolicySize { file: name, size }.into());
            }
            match String::from_utf8(file.bytes) {
                Ok(text) => Ok(PolicyFile { name, text, layer }),
                Err(_) => Err(unreadable(path, Errno::ILSEQ)),
            }
        };
        self.files.into_iter().map(text).collect()
    }

    /// What is said of a policy that goes on changing.
    fn unsettled(&self) -> Error {
        let find = |is: fn(&Snapshot) -> bool| self.files.iter().find(|(.., file)| is(file));
        let what = match (
            find(|file| file.was_written),
            find(|file| !file.is_settled()),
        ) {
            (Some((name, ..)), _) => format!("{name} is open for writing"),
            (_, Some((name, ..))) => format!("{name} goes on changing"),
            _ => "files of it come and go".to_owned(),
        };
        Error::NotAsPlanned(format!(
            "the policy is not used: {what}, and a part must not be taken for the whole; end what \
             writes it, and make changes by writing a new file and renaming it (mv)"
        ))
    }

    /// The files of a directory, in the order of their names. What an editor or a package
    /// manager leaves beside them (`.x.toml.swp`, `x.toml~`, `x.toml.dpkg-new`) does not count.
    fn directory(&mut self, path: &Path, layer: Layer) -> Result<(), Error> {
        let cannot = |error: std::io::Error| unreadable(path, errno(&error));
        self.watch(path);
        let entries = match std::fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) if is_missing(&error) => return Ok(()),
            Err(error) => return Err(cannot(error)),
        };
        let mut names: Vec<OsString> = Vec::new();
        for entry in entries {
            let name = entry.map_err(cannot)?.file_name();
            if counts(&name) {
                names.push(name);
            }
            if names.len() > MAX_FILES {
                let place = path.to_string_lossy().into_owned();
                let most = MAX_FILES;
                return Err(nsshell_config::Error::TooManyFiles { place, most }.into());
            }
        }
        // bytes, whatever the locale: one order on all hosts
        names.sort();
        for name in names {
            self.file_if_there(&path.join(name), layer)?;
        }
        Ok(())
    }

    /// Notes what a directory is like before it is looked at, so that a change shows.
    fn watch(&mut self, directory: &Path) {
        let change = Change::of(directory).ok();
        self.directories.push((directory.to_owned(), change));
    }

    /// A file that may be missing, but not a link that leads nowhere: somebody meant it to
    /// count.
    fn file_if_there(&mut self, path: &Path, layer: Layer) -> Result<(), Error> {
        if self.instead.as_deref() == Some(path) {
            return Ok(());
        }
        let found = match std::fs::symlink_metadata(path) {
            Err(error) if is_missing(&error) => {
                // For a moment only, perhaps, which shows on the directory.
                self.watch(parent(path));
                self.mixed |= std::fs::symlink_metadata(path).is_ok();
                return Ok(());
            }
            found => found,
        };
        match self.file(path, layer) {
            // removed since then
            Err(Error::System { errno, .. })
                if errno == Errno::NOENT && !found.is_ok_and(|found| found.is_symlink()) =>
            {
                self.mixed = true;
                Ok(())
            }
            read => read,
        }
    }

    fn file(&mut self, path: &Path, layer: Layer) -> Result<(), Error> {
        let real = std::fs::canonicalize(path).map_err(|error| unreadable(path, errno(&error)))?;
        for place in [path, &real] {
            only_root_can_replace(place)?;
        }
        let name = path.to_string_lossy().into_owned();
        let file = snapshot(&real)?;
        self.files.push((name, layer, file));
        Ok(())
    }
}

/// A file's text, in one piece and from one descriptor: what was checked is what is read.
fn snapshot(path: &Path) -> Result<Snapshot, Error> {
    let cannot = |error: std::io::Error| unreadable(path, errno(&error));
    let file = fd::open_beneath(rustix::fs::CWD, path, OFlags::RDONLY)
        .map_err(|errno| unreadable(path, errno))?;
    let file = std::fs::File::from(file);
    let metadata = file.metadata().map_err(cannot)?;
    if !metadata.is_file() {
        return Err(unsafe_policy(path, "is not a regular file"));
    }
    only_root_can_write(path, &metadata)?;
    // One byte more than allowed, so that a file that is too long shows as such.
    Snapshot::take(file, MAX_FILE_SIZE as u64 + 1).map_err(cannot)
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

fn is_missing(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}

/// Every directory on the way has to be root's as well, or somebody could put another file,
/// or another directory, in its place.
fn only_root_can_replace(path: &Path) -> Result<(), Error> {
    for directory in path
        .ancestors()
        .skip(1)
        .filter(|one| !one.as_os_str().is_empty())
    {
        let metadata =
            std::fs::metadata(directory).map_err(|error| unreadable(directory, errno(&error)))?;
        // In a sticky directory nobody can replace what is root's.
        if metadata.uid() != 0 || metadata.mode() & 0o1000 == 0 {
            only_root_can_write(directory, &metadata)?;
        }
    }
    Ok(())
}

fn only_root_can_write(path: &Path, metadata: &std::fs::Metadata) -> Result<(), Error> {
    if metadata.uid() != 0 {
        // Who is not mapped reads as this id; nobody can tell who it is.
        if metadata.uid() == OVERFLOW_UID && !ns::is_initial_user_namespace() {
            return Err(Error::NotAsPlanned(format!(
                "the policy is not used: {} belongs to somebody who is unknown in this user \
                 namespace; start nsshell outside of it",
                path.display()
            )));
        }
        return Err(unsafe_policy(
            path,
            &format!("belongs to uid {}", metadata.uid()),
        ));
    }
    if metadata.mode() & 0o022 != 0 {
        let problem = format!(
            "can be written by others (mode {:04o})",
            metadata.mode() & 0o7777
        );
        return Err(unsafe_policy(path, &problem));
    }
    Ok(())
}

fn unsafe_policy(path: &Path, problem: &str) -> Error {
    Error::UnsafePolicy {
        path: PathBuf::from(path),
        problem: problem.to_owned(),
    }
}

fn unreadable(path: &Path, errno: Errno) -> Error {
    let doing = format!("cannot read the policy {}", path.display());
    let advice = match errno {
        Errno::ACCESS => {
            "it must be readable by everybody for whom nsshell makes a session: chmod a+r it and \
             a+x its directory"
        }
        _ => "",
    };
    Error::System {
        doing,
        errno,
        advice: advice.to_owned(),
    }
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::ILSEQ)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_can_be_where_a_file_of_the_policy_is_read_and_nowhere_else() {
        let cases = [
            ("/etc/nsshell/nsshell.toml", Some(Layer::Main)),
            ("/etc/nsshell/conf.d/30-x.toml", Some(Layer::DropIn)),
            ("/usr/lib/nsshell/x.toml", Some(Layer::Vendor)),
            ("/etc/nsshell/other.toml", None),
            ("/etc/nsshell/conf.d/x", None),
            ("/etc/nsshell/conf.d/.x.toml", None),
            ("/etc/nsshell/conf.d/a/x.toml", None),
            ("/etc/nsshell/conf.d", None),
            ("nsshell.toml", None),
            ("/", None),
        ];
        for (place, want) in cases {
            assert_eq!(layer_of(Path::new(place)), want, "{place}");
        }
    }
}
