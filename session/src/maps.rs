//! The id maps of a user namespace: written through newuidmap(1) and newgidmap(1), then read
//! back. user_namespaces(7).

use std::fs;
use std::time::Instant;

use nsshell_config::{IdMapLine, IdMaps};

use crate::error::Error;
use crate::program::{self, As};
use crate::sys::Errno;

const REMEDY: &str = "install the package uidmap (Debian) or shadow-utils (Fedora)";

/// Whether both maps hold one id alone, the user's own: those the kernel lets its owner write.
#[must_use]
pub fn own_id_only(maps: &IdMaps) -> bool {
    let single = |lines: &[IdMapLine]| matches!(lines, [line] if line.count == 1);
    single(&maps.uid) && single(&maps.gid)
}

/// Both maps of one id each, as the two lines that [`write_own`] takes: the group's first.
#[must_use]
pub fn own_lines(maps: &IdMaps) -> String {
    text(&maps.gid) + &text(&maps.uid)
}

/// Writes the caller's own maps, which hold one id each, from inside the new namespace.
///
/// # Errors
/// The errno of the file of /proc that cannot be written; EINVAL if there are not two lines.
pub fn write_own(lines: &str) -> Result<(), Errno> {
    let [gid, uid] = lines.lines().collect::<Vec<_>>()[..] else {
        return Err(Errno::INVAL);
    };
    // Without this the kernel refuses the group map: whoever may drop a group could get past
    // a file that its group is denied (CVE-2014-8989).
    for (file, content) in [("setgroups", "deny"), ("gid_map", gid), ("uid_map", uid)] {
        fs::write(format!("/proc/self/{file}"), content)
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    }
    Ok(())
}

/// Has shadow's programs write the maps of `pid`, a process of the user's own in the new
/// namespace: both at once, since each is as slow as an exec. They check the ranges against
/// the host's, which root writing the maps itself would not.
///
/// # Errors
/// A program is missing, fails, or does not end before `deadline`.
pub fn write(pid: i32, maps: &IdMaps, who: As, deadline: Instant) -> Result<(), Error> {
    let start = |program, lines| program::start(program, REMEDY, &arguments(pid, lines), who);
    let uid = start("/usr/bin/newuidmap", &maps.uid)?;
    let gid = start("/usr/bin/newgidmap", &maps.gid)?;
    // The second is waited for even if the first has failed: it must not be left running.
    let (uid, gid) = (uid.finish(deadline), gid.finish(deadline));
    uid.and(gid).map(|_| ()).map_err(explained)
}

/// Adds what to do to the words of a program to which the kernel has refused the map.
fn explained(error: Error) -> Error {
    match error {
        Error::Program {
            program,
            ended,
            said,
        } if said.ends_with("Operation not permitted") => {
            let said = format!(
                "{said}; the program must be set-uid root or have its file capability, and can \
                 do nothing on a mount with nosuid or under no_new_privs"
            );
            Error::Program {
                program,
                ended,
                said,
            }
        }
        other => other,
    }
}

/// Reads the maps of `pid` back, and compares them with what was planned.
///
/// # Errors
/// They differ, or cannot be read.
pub fn verify(pid: i32, maps: &IdMaps) -> Result<(), Error> {
    for (file, planned) in [("uid_map", &maps.uid), ("gid_map", &maps.gid)] {
        let path = format!("/proc/{pid}/{file}");
        let mut planned: Vec<_> = planned
            .iter()
            .map(|l| [l.inside, l.outside, l.count])
            .collect();
        planned.sort_unstable();
        let found = fs::read_to_string(&path).unwrap_or_default();
        let mut found: Vec<_> = found.lines().filter_map(numbers).collect();
        found.sort_unstable();
        if found != planned {
            let line = format!(
                "{file} of the session's user namespace is not as planned; \
                has somebody interfered with the login?"
            );
            return Err(Error::NotAsPlanned(line));
        }
    }
    Ok(())
}

fn numbers(line: &str) -> Option<[u32; 3]> {
    let list: Vec<u32> = line
        .split_whitespace()
        .map_while(|one| one.parse().ok())
        .collect();
    list.try_into().ok()
}

fn arguments(pid: i32, lines: &[IdMapLine]) -> Vec<String> {
    let numbers = lines.iter().flat_map(|l| [l.inside, l.outside, l.count]);
    std::iter::once(pid.to_string())
        .chain(numbers.map(|number| number.to_string()))
        .collect()
}

fn text(lines: &[IdMapLine]) -> String {
    lines
        .iter()
        .map(|l| format!("{} {} {}\n", l.inside, l.outside, l.count))
        .collect()
}
