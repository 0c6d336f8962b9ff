//! Paths and sizes as a policy may name them. Nothing is looked up: a policy is valid or not
//! on every host.

use std::path::{Path, PathBuf};

/// Longest path of a policy, in bytes. The kernel's limit is four times that; but the plan,
/// with all its paths, has to fit into the session's own small directory.
const MAX_PATH: usize = 1023;

/// Directories that a session has mounts of its own on, or whose content the session needs:
/// no private directory lies above or below them.
const RESERVED: [(&str, &str); 4] = [
    ("/proc", "the session's own /proc belongs there"),
    ("/run/nsshell", "the session's own plan lies there"),
    ("/run/user", "`runtime_dir` is about it"),
    ("/dev/mqueue", "the `ipc` namespace has its own"),
];

/// Refuses a path that is not absolute and plain: two ways to write one directory would be
/// two mounts, and `..` another directory than it seems.
pub(crate) fn plain(text: &str) -> Result<PathBuf, String> {
    let bad = |why: &str| Err(format!("path `{text}` {why}"));
    if !text.starts_with('/') {
        return bad("is not absolute");
    }
    if text.contains(char::is_control) {
        return bad("has a control character");
    }
    if text.len() > MAX_PATH {
        return Err(format!("the path is longer than {MAX_PATH} bytes"));
    }
    let mut names = text.split('/').skip(1);
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
    let path = plain(text)?;
    if path == Path::new("/") {
        return Err("`/` cannot be private: nothing would be left".to_owned());
    }
    for (reserved, why) in RESERVED {
        if path.starts_with(reserved) || Path::new(reserved).starts_with(&path) {
            return Err(format!(
                "`{text}` cannot be private because of {reserved}: {why}"
            ));
        }
    }
    Ok(path)
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
        assert!(private(&format!("/{}", "a".repeat(1022))).is_ok());
        assert!(private(&format!("/{}", "a".repeat(1023))).is_err());
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
