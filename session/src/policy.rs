//! Reads the policy, if nobody but root could have written it.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nsshell_config::{MAX_FILE_SIZE, Policy};
use rustix::fs::OFlags;

use crate::error::Error;
use crate::sys::{Errno, fd, ns};

/// What the kernel shows in place of an id that has none in this user namespace (proc(5),
/// overflowuid).
const OVERFLOW_UID: u32 = 65534;

/// Where the administrator's policy lies. It need not exist.
pub const FILE: &str = "/etc/nsshell/nsshell.toml";

/// The policy of `path`, or of [`FILE`] if none is named, laid over the built-in one. Without
/// a file at the default place the built-in policy alone is in force; a file that was named
/// has to be there.
///
/// # Errors
/// The file cannot be read, somebody other than root could change it, or it has errors.
pub fn load(path: Option<&Path>) -> Result<Policy, Error> {
    let named = path.is_some();
    let path = path.unwrap_or(Path::new(FILE));
    match std::fs::canonicalize(path) {
        // A symbolic link that leads nowhere is no missing policy but a lost one.
        Err(error)
            if !named
                && error.kind() == std::io::ErrorKind::NotFound
                && path.symlink_metadata().is_err() =>
        {
            Ok(Policy::builtin())
        }
        Err(error) => Err(unreadable(path, errno(&error))),
        Ok(real) => {
            for place in [path, &real] {
                only_root_can_replace(place)?;
            }
            Ok(Policy::parse(&read(&real)?, &path.to_string_lossy())?)
        }
    }
}

/// The file's text, in one piece and from one descriptor: what was checked is what is read.
fn read(path: &Path) -> Result<String, Error> {
    let file = fd::open_beneath(rustix::fs::CWD, path, OFlags::RDONLY)
        .map_err(|errno| unreadable(path, errno))?;
    let mut file = std::fs::File::from(file);
    let metadata = file
        .metadata()
        .map_err(|error| unreadable(path, errno(&error)))?;
    if !metadata.is_file() {
        return Err(unsafe_policy(path, "is not a regular file"));
    }
    only_root_can_write(path, &metadata)?;
    let mut bytes = Vec::new();
    // One byte more than allowed, so that a file that is too long shows as such.
    (&mut file)
        .take(MAX_FILE_SIZE as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, errno(&error)))?;
    if bytes.len() > MAX_FILE_SIZE {
        let size = metadata.len().try_into().unwrap_or(usize::MAX);
        let file = path.to_string_lossy().into_owned();
        return Err(nsshell_config::Error::PolicySize { file, size }.into());
    }
    String::from_utf8(bytes).map_err(|_| unreadable(path, Errno::ILSEQ))
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
