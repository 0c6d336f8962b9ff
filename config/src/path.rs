//! Paths and sizes as a policy may name them. Nothing is looked up: a policy is valid or not
//! on every host.

use std::path::{Path, PathBuf};

/// Longest path of a policy, in bytes. The kernel's limit is four times that; but the plan,
/// with all its paths, has to fit into the session's own small directory.
const MAX_PATH: usize = 1023;

/// Longest name of a file, in bytes.
pub(crate) const MAX_NAME: usize = 255;

/// Where the session's own plan lies.
const STATE: &str = "/run/nsshell";

/// The directory in every store that what is made and removed lies in.
pub(crate) const SCRATCH: &str = ".nsshell";

/// Directories that every user of the host can write in: what root makes there, somebody may
/// have made first.
const ANYBODYS: [&str; 4] = ["/tmp", "/var/tmp", "/dev/shm", "/run/user"];

/// Directories without which no session works, whose content can be changed but not the whole.
const NEEDED: [&str; 4] = ["/", "/dev", "/proc", "/run"];

/// Directories that a session has mounts of its own on, or whose content the session needs:
/// no private directory lies above or below them.
const RESERVED: [(&str, &str); 4] = [
    ("/proc", "a session has its own"),
    ("/run/nsshell", "the session's own plan lies there"),
    ("/run/user", "`runtime_dir` is about it"),
    ("/dev/mqueue", "the `ipc` namespace has its own"),
];

/// Refuses a path that is not absolute and plain: two ways to write one directory would be
/// two mounts, and `..` another directory than it seems.
pub(crate) fn plain(text: &str) -> Result<PathBuf, String> {
    let bad = |why: &str| Err(format!("path `{text}` {why}"));
    if !text.starts_with('/') {
        return bad("is not absolute: it has to begin with `/`");
    }
    if text.contains(char::is_control) {
        return bad("has a control character");
    }
    if text.len() > MAX_PATH {
        return Err(format!("the path is longer than {MAX_PATH} bytes"));
    }
    let mut names = text.split('/').skip(1);
    if names.clone().any(|name| name.len() > MAX_NAME) {
        return Err(format!(
            "the path has a name that is longer than {MAX_NAME} bytes"
        ));
    }
    if text != "/" && names.clone().any(|name| name.is_empty()) {
        return bad("has a `/` too many");
    }
    if names.any(|name| name == "." || name == "..") {
        return bad("has `.` or `..` in it");
    }
    Ok(PathBuf::from(text))
}

/// Refuses a directory that cannot be a private one.
pub(crate) fn private(text: &str) -> Result<PathBuf, String> {
    emptied(text, "be private")
}

/// Refuses a directory that cannot be one of hidden homes.
pub(crate) fn homes(text: &str) -> Result<PathBuf, String> {
    emptied(text, "hide homes")
}

/// Refuses a directory that cannot be empty in a session.
fn emptied(text: &str, what: &str) -> Result<PathBuf, String> {
    let path = plain(text)?;
    if path == Path::new("/") {
        return Err(format!("`/` cannot {what}: nothing would be left"));
    }
    for (reserved, why) in RESERVED {
        if path.starts_with(reserved) || Path::new(reserved).starts_with(&path) {
            return Err(format!(
                "`{text}` cannot {what} because of {reserved}: {why}"
            ));
        }
    }
    Ok(path)
}

/// Refuses what cannot be masked.
pub(crate) fn masked(text: &str) -> Result<PathBuf, String> {
    replaced(text, "be masked")
}

/// Refuses what cannot be taken off.
pub(crate) fn unmounted(text: &str) -> Result<PathBuf, String> {
    replaced(text, "be unmounted")
}

/// Refuses what nothing can be bound on.
pub(crate) fn bind_target(text: &str) -> Result<PathBuf, String> {
    replaced(text, "be the target of a bind")
}

/// Refuses what a session cannot be without. A part of /proc may be replaced: its files tell
/// much of the host.
fn replaced(text: &str, what: &str) -> Result<PathBuf, String> {
    let path = outside_state(text, what)?;
    match NEEDED.iter().any(|needed| path == Path::new(needed)) {
        true => Err(format!(
            "`{text}` cannot {what}: no session works without it"
        )),
        false => Ok(path),
    }
}

fn outside_state(text: &str, what: &str) -> Result<PathBuf, String> {
    let path = plain(text)?;
    match path.starts_with(STATE) {
        true => Err(format!(
            "`{text}` cannot {what}: the session's own plan lies in {STATE}"
        )),
        false => Ok(path),
    }
}

/// Refuses what cannot be made read-only.
pub(crate) fn read_only(text: &str) -> Result<PathBuf, String> {
    let path = outside_state(text, "be read-only")?;
    match path.starts_with("/proc") {
        true => Err(format!(
            "`{text}` cannot be read-only: a session has a /proc of its own"
        )),
        false => Ok(path),
    }
}

/// Refuses what cannot be bound.
pub(crate) fn bind_source(text: &str) -> Result<PathBuf, String> {
    outside_state(text, "be the source of a bind")
}

/// Refuses what cannot be let through.
pub(crate) fn exposed(text: &str) -> Result<PathBuf, String> {
    let path = outside_state(text, "be exposed")?;
    let whole = |one: &&&str| Path::new(one).starts_with(&path);
    if let Some(whole) = ANYBODYS.iter().find(whole) {
        return Err(format!(
            "`{text}` cannot be exposed: that is all of {whole}; name the socket or its directory"
        ));
    }
    match path.starts_with("/proc") || path.starts_with("/dev") {
        true => Err(format!("`{text}` cannot be exposed: it is no socket")),
        false => Ok(path),
    }
}

/// Refuses another root directory that cannot be one; `/` is the host's own.
pub(crate) fn root(text: &str) -> Result<PathBuf, String> {
    match text {
        "/" => Ok(PathBuf::from(text)),
        _ => trusted(text, "be the root directory"),
    }
}

/// Refuses a directory that cannot be copied from.
pub(crate) fn skeleton(text: &str) -> Result<PathBuf, String> {
    trusted(text, "be a skeleton")
}

/// Refuses a directory that nothing can be stored in.
pub(crate) fn store(text: &str) -> Result<PathBuf, String> {
    trusted(text, "be a store")
}

/// Refuses a directory that cannot be an instance of another one.
pub(crate) fn instance(text: &str) -> Result<PathBuf, String> {
    trusted(text, "be an instance")
}

/// Refuses a directory that cannot be root's with everything above it.
fn trusted(text: &str, what: &str) -> Result<PathBuf, String> {
    let path = outside_state(text, what)?;
    if NEEDED.iter().any(|needed| path == Path::new(needed)) {
        return Err(format!(
            "`{text}` cannot {what}: name a directory of its own"
        ));
    }
    if path.components().any(|name| name.as_os_str() == SCRATCH) {
        return Err(format!(
            "`{text}` cannot {what}: what is in a directory named {SCRATCH} is nsshell's own and \
             is removed"
        ));
    }
    if let Some(open) = ANYBODYS.iter().find(|open| path.starts_with(open)) {
        return Err(format!(
            "`{text}` cannot {what}: anybody can write in {open}, and this has to be root's alone; \
             choose a place like /var/lib/nsshell"
        ));
    }
    let virtual_fs = ["/proc", "/sys", "/dev"];
    match virtual_fs.iter().find(|fs| path.starts_with(fs)) {
        Some(fs) => Err(format!("`{text}` cannot {what}: {fs} is no place on disk")),
        None => Ok(path),
    }
}

/// Refuses a size that tmpfs(5) would refuse or take for "no limit".
pub(crate) fn size(text: &str) -> Result<(), String> {
    let wrong = || format!("size `{text}` is not like \"64m\" or \"10%\"");
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number = match digits.parse::<u64>() {
        Ok(number) if digits.bytes().all(|byte| byte.is_ascii_digit()) => number,
        _ => return Err(wrong()),
    };
    if number == 0 {
        return Err(format!("size `{text}` would be no limit at all"));
    }
    let shift = match text.get(digits.len()..).unwrap_or("?") {
        "%" if number <= 100 => return Ok(()),
        "%" => return Err(format!("size `{text}` is more than all of the memory")),
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        "t" | "T" => 40,
        _ => return Err(wrong()),
    };
    match number.checked_mul(1 << shift) {
        Some(bytes) if i64::try_from(bytes).is_ok() => Ok(()),
        _ => Err(format!("size `{text}` is more than a file system can have")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_directories_are_absolute_plain_and_not_the_sessions_own() {
        for good in [
            "/tmp",
            "/var/tmp",
            "/dev/shm",
            "/srv/a b",
            "/run/lock",
            "/procs",
            "/run/users",
            "/é",
            "/a/..b",
        ] {
            assert_eq!(private(good), Ok(PathBuf::from(good)));
        }
        let bad = [
            "",
            "tmp",
            "./tmp",
            "/",
            "//",
            "/tmp/",
            "//tmp",
            "/a//b",
            "/a/../b",
            "/..",
            "/a/.",
            "/a/..",
            "/t\0",
            "/t\nx",
            "/run",
            "/run/nsshell",
            "/run/nsshell/x",
            "/run/user",
            "/run/user/1000",
            "/proc",
            "/proc/sys",
            "/dev",
            "/dev/mqueue",
        ];
        for path in bad {
            assert!(private(path).is_err(), "{path:?}");
        }
        assert!(private(&format!("/a{}", "/a".repeat(510))).is_ok());
        assert!(private(&format!("/a{}", "/a".repeat(511))).is_err());
        assert!(private(&format!("/{}", "a".repeat(255))).is_ok());
        assert!(private(&format!("/{}", "a".repeat(256))).is_err());
    }

    #[test]
    fn no_path_on_disk_leads_through_a_directory_that_is_emptied() {
        for check in [store, instance, skeleton, root] {
            for bad in ["/srv/.nsshell", "/srv/.nsshell/x", "/.nsshell/a/b"] {
                assert!(check(bad).is_err(), "{bad}");
            }
            for good in ["/srv/nsshell", "/srv/.nsshell.d/x", "/srv/x.nsshell"] {
                assert_eq!(check(good), Ok(PathBuf::from(good)));
            }
        }
    }

    #[test]
    fn sizes_are_those_of_tmpfs() {
        for good in ["1", "4096", "64k", "64M", "1g", "2T", "10%", "1%", "100%"] {
            assert_eq!(size(good), Ok(()), "{good}");
        }
        let bad = [
            "",
            "0",
            "0m",
            "0%",
            "101%",
            "-1",
            "+1",
            "m",
            "%",
            "64mb",
            "64 m",
            " 64m",
            "1.5g",
            "1e3",
            "64p",
            "1,mode=0",
            "٣m",
            "9223372036854775808",
            "99999999999999999999",
            "9000000t",
            "1%%",
        ];
        for text in bad {
            assert!(size(text).is_err(), "{text:?}");
        }
    }
}
