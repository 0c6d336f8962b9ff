//! Reads the policy, if nobody but root could have written it.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nsshell_config::{Layer, MAX_FILE_SIZE, MAX_FILES, Policy, PolicyFile};
use rustix::fs::OFlags;

use crate::error::Error;
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

/// How long a file has to have been left alone to be taken as it is. An editor that truncates
/// a file and writes it anew is done by then; half of its text could be a policy as well.
const SETTLED: Duration = Duration::from_millis(50);

/// How often a policy that goes on changing is read again before it is taken as it is.
const MOST_READINGS: usize = 20;

/// The texts of the policy that [`load`] takes, the strongest first: each as it was before or
/// after a change that is going on, never a part of it.
///
/// # Errors
/// A file cannot be read, or somebody other than root could change it.
pub fn files(path: Option<&Path>) -> Result<Vec<PolicyFile>, Error> {
    let mut reading = Reading::all(path)?;
    for _ in 1..MOST_READINGS {
        if reading.is_settled() {
            break;
        }
        std::thread::sleep(SETTLED);
        reading = Reading::all(path)?;
    }
    Ok(reading.files)
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
    let mut files = reading.files;
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
    files: Vec<PolicyFile>,
    /// this one is left out, since a draft stands for it
    instead: Option<PathBuf>,
    /// the last change of any of them or of their directories (inode(7), ctime), in
    /// nanoseconds since 1970
    changed: i128,
    /// one of them was changed while it was read
    torn: bool,
}

impl Reading {
    fn all(path: Option<&Path>) -> Result<Self, Error> {
        let mut reading = Self::default();
        if let Some(path) = path {
            reading.file(path, Layer::Main)?;
            return Ok(reading);
        }
        reading.in_force()?;
        Ok(reading)
    }

    fn in_force(&mut self) -> Result<(), Error> {
        self.directory(Path::new(DROP_INS), Layer::DropIn)?;
        self.file_if_there(Path::new(FILE), Layer::Main)?;
        self.directory(Path::new(VENDOR), Layer::Vendor)
    }

    /// Whether nobody is about to change anything. A change in the future is one of a clock
    /// that was wrong once, and will not come nearer by waiting.
    fn is_settled(&self) -> bool {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        let since = i128::try_from(now).unwrap_or(i128::MAX) - self.changed;
        !self.torn && (since < 0 || since >= SETTLED.as_nanos() as i128)
    }

    /// The files of a directory, in the order of their names. What an editor or a package
    /// manager leaves beside them (`.x.toml.swp`, `x.toml~`, `x.toml.dpkg-new`) does not count.
    fn directory(&mut self, path: &Path, layer: Layer) -> Result<(), Error> {
        let cannot = |error: std::io::Error| unreadable(path, errno(&error));
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
        let metadata = std::fs::metadata(path).map_err(cannot)?;
        self.changed = self.changed.max(change_of(&metadata));
        Ok(())
    }

    /// A file that may be missing, but not a link that leads nowhere: somebody meant it to
    /// count.
    fn file_if_there(&mut self, path: &Path, layer: Layer) -> Result<(), Error> {
        if self.instead.as_deref() == Some(path) {
            return Ok(());
        }
        match std::fs::symlink_metadata(path) {
            Err(error) if is_missing(&error) => Ok(()),
            _ => match self.file(path, layer) {
                // removed since then
                Err(_) if std::fs::symlink_metadata(path).is_err_and(|e| is_missing(&e)) => Ok(()),
                read => read,
            },
        }
    }

    fn file(&mut self, path: &Path, layer: Layer) -> Result<(), Error> {
        let real = std::fs::canonicalize(path).map_err(|error| unreadable(path, errno(&error)))?;
        for place in [path, &real] {
            only_root_can_replace(place)?;
        }
        let name = path.to_string_lossy().into_owned();
        let text = self.text(&real)?;
        self.files.push(PolicyFile { name, text, layer });
        Ok(())
    }

    /// The file's text, in one piece and from one descriptor: what was checked is what is read.
    fn text(&mut self, path: &Path) -> Result<String, Error> {
        let cannot = |error: std::io::Error| unreadable(path, errno(&error));
        let file = fd::open_beneath(rustix::fs::CWD, path, OFlags::RDONLY)
            .map_err(|errno| unreadable(path, errno))?;
        let mut file = std::fs::File::from(file);
        let metadata = file.metadata().map_err(cannot)?;
        if !metadata.is_file() {
            return Err(unsafe_policy(path, "is not a regular file"));
        }
        only_root_can_write(path, &metadata)?;
        let mut bytes = Vec::new();
        // One byte more than allowed, so that a file that is too long shows as such.
        (&mut file)
            .take(MAX_FILE_SIZE as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(cannot)?;
        let after = file.metadata().map_err(cannot)?;
        self.torn |= change_of(&metadata) != change_of(&after) || metadata.len() != after.len();
        self.changed = self.changed.max(change_of(&after));
        if bytes.len() > MAX_FILE_SIZE {
            let size = metadata.len().try_into().unwrap_or(usize::MAX);
            let file = path.to_string_lossy().into_owned();
            return Err(nsshell_config::Error::PolicySize { file, size }.into());
        }
        String::from_utf8(bytes).map_err(|_| unreadable(path, Errno::ILSEQ))
    }
}

fn change_of(metadata: &std::fs::Metadata) -> i128 {
    i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec())
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
