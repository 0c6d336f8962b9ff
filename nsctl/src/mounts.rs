//! What each mount of a plan is, in words.

use std::path::Path;

use nsshell_config::{
    Attributes, BindIds, Contents, HidePid, Home, Mount, Propagation, SysView, Upper,
};

/// Where a mount is, and what is there.
pub(crate) fn described(mount: &Mount, home: &Path) -> (String, String) {
    let at = |path: &Path| path.display().to_string();
    let if_there = |optional: bool| if optional { ", if the host has it" } else { "" };
    match mount {
        Mount::Unmount { target, optional } => (
            at(target),
            format!("the host's mount is taken off{}", if_there(*optional)),
        ),
        Mount::ReadOnly { target, optional } => (
            at(target),
            format!("read-only, with all beneath{}", if_there(*optional)),
        ),
        Mount::Proc { hidepid, pids_only } => ("/proc".to_owned(), proc(*hidepid, *pids_only)),
        Mount::Mqueue => (
            "/dev/mqueue".to_owned(),
            "the session's message queues".to_owned(),
        ),
        Mount::Sys { view } => {
            let what = match view {
                SysView::ReadOnly => "the host's, read-only",
                SysView::Hidden => "only the control groups, read-only",
            };
            ("/sys".to_owned(), what.to_owned())
        }
        Mount::Dev { tty } => {
            let tty = tty.as_deref().map(|tty| format!(", and {}", at(tty)));
            let what = "null, zero, full, random, urandom, terminals and shared memory";
            (
                "/dev".to_owned(),
                format!("{what}{}", tty.unwrap_or_default()),
            )
        }
        Mount::Homes { target, optional } => (
            at(target),
            format!("no home but the user's own{}", if_there(*optional)),
        ),
        Mount::Home { home: kind } => (at(home), self::home(kind)),
        Mount::Tmpfs {
            target,
            mode,
            size,
            inodes,
            optional,
        } => {
            let limits = limits(size.as_deref(), *inodes);
            let what = format!("empty, mode {mode:04o}{limits}{}", if_there(*optional));
            (at(target), what)
        }
        Mount::Instance {
            target,
            instance,
            mode,
            skeleton,
            contents,
            optional,
        } => {
            let mode = mode.map(|mode| format!(", mode {mode:04o}"));
            let from = skeleton.as_deref();
            let from = from.map(|from| format!(", at first a copy of {}", at(from)));
            let contents = match contents {
                Contents::Keep => "",
                Contents::Empty => ", emptied at the end",
            };
            let what = format!(
                "{}{}{}{contents}{}",
                at(instance),
                mode.unwrap_or_default(),
                from.unwrap_or_default(),
                if_there(*optional)
            );
            (at(target), what)
        }
        Mount::RuntimeDir => (
            "/run/user".to_owned(),
            "one empty runtime directory, the user's".to_owned(),
        ),
        Mount::Expose { path } => (at(path), "the host's, if it is there".to_owned()),
        Mount::Bind {
            source,
            target,
            attributes,
            recursive,
            propagation,
            ids,
            optional,
        } => {
            let mut what = match source == target {
                true => "the host's".to_owned(),
                false => format!("{} of the host", at(source)),
            };
            what += &words(*attributes, *recursive, *propagation);
            what += match ids {
                None => "",
                Some(BindIds::Session) => ", with the session's ids",
                Some(BindIds::Owner) => ", its owner's files as the user's",
            };
            (at(target), what + if_there(*optional))
        }
        Mount::Mask { target, optional } => (
            at(target),
            format!(
                "masked: empty, and nobody can open it{}",
                if_there(*optional)
            ),
        ),
    }
}

fn proc(hidepid: HidePid, pids_only: bool) -> String {
    let what = match pids_only {
        true => "the session's processes and nothing else",
        false => "the session's processes",
    };
    let hidden = match hidepid {
        HidePid::Off => "",
        HidePid::NoAccess => ", of others only that they are there",
        HidePid::Invisible => ", none of others",
        HidePid::Ptraceable => ", none that one may not trace",
    };
    format!("{what}{hidden}")
}

fn home(kind: &Home) -> String {
    match kind {
        Home::Real => "the user's home".to_owned(),
        Home::ReadOnly => "the user's home, read-only".to_owned(),
        Home::Overlay { upper } => format!("the user's home, changes in {}", self::upper(upper)),
        Home::Fresh { skeleton, upper } => {
            let from = skeleton.display();
            format!("a copy of {from} in {}", self::upper(upper))
        }
    }
}

fn upper(upper: &Upper) -> String {
    match upper {
        Upper::Memory { size, inodes } => {
            let limits = limits(size.as_deref(), *inodes);
            format!("memory{limits}, gone at the end")
        }
        Upper::Disk { store } => format!("{}, gone at the end", store.display()),
    }
}

fn limits(size: Option<&str>, inodes: Option<u64>) -> String {
    let size = size.map(|size| format!(", size {size}"));
    let inodes = inodes.map(|inodes| format!(", {inodes} inodes"));
    size.unwrap_or_default() + &inodes.unwrap_or_default()
}

fn words(attributes: Attributes, recursive: bool, propagation: Propagation) -> String {
    let said = [
        (attributes.read_only, "read-only"),
        (attributes.no_suid, "nosuid"),
        (attributes.no_dev, "nodev"),
        (attributes.no_exec, "noexec"),
        (!recursive, "without the mounts beneath"),
        (
            propagation == Propagation::Private,
            "without later mounts of the host",
        ),
        (
            propagation == Propagation::Shared,
            "mounts inside show on the host",
        ),
    ];
    let said = said.iter().filter(|(holds, _)| *holds);
    said.map(|(_, word)| format!(", {word}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_mount_is_told_with_all_that_makes_it_another_one() {
        let cases = [
            (
                r#"{"type":"unmount","target":"/mnt"}"#,
                "/mnt: the host's mount is taken off",
            ),
            (
                r#"{"type":"read-only","target":"/usr","optional":true}"#,
                "/usr: read-only, with all beneath, if the host has it",
            ),
            (r#"{"type":"proc"}"#, "/proc: the session's processes"),
            (
                r#"{"type":"proc","hidepid":"invisible","pids_only":true}"#,
                "/proc: the session's processes and nothing else, none of others",
            ),
            (
                r#"{"type":"sys","view":"hidden"}"#,
                "/sys: only the control groups, read-only",
            ),
            (
                r#"{"type":"dev","tty":"/dev/tty1"}"#,
                "/dev: null, zero, full, random, urandom, terminals and shared memory, and /dev/tty1",
            ),
            (
                r#"{"type":"homes","target":"/home"}"#,
                "/home: no home but the user's own",
            ),
            (
                r#"{"type":"home","home":{"type":"real"}}"#,
                "/home/a: the user's home",
            ),
            (
                r#"{"type":"home","home":{"type":"overlay","upper":{"type":"memory","size":"1g"}}}"#,
                "/home/a: the user's home, changes in memory, size 1g, gone at the end",
            ),
            (
                r#"{"type":"home","home":{"type":"fresh","skeleton":"/etc/skel","upper":{"type":"disk","store":"/s"}}}"#,
                "/home/a: a copy of /etc/skel in /s, gone at the end",
            ),
            (
                r#"{"type":"tmpfs","target":"/tmp","mode":493,"inodes":9}"#,
                "/tmp: empty, mode 0755, 9 inodes",
            ),
            (
                r#"{"type":"instance","target":"/tmp","instance":"/i/a","skeleton":"/k","contents":"empty"}"#,
                "/tmp: /i/a, at first a copy of /k, emptied at the end",
            ),
            (
                r#"{"type":"expose","path":"/tmp/.X11-unix"}"#,
                "/tmp/.X11-unix: the host's, if it is there",
            ),
            (
                r#"{"type":"bind","source":"/a","target":"/a","recursive":true}"#,
                "/a: the host's",
            ),
            (
                r#"{"type":"bind","source":"/a","target":"/b","recursive":false,"propagation":"shared","ids":"owner","attributes":{"read_only":true}}"#,
                "/b: /a of the host, read-only, without the mounts beneath, mounts inside show on the host, its owner's files as the user's",
            ),
            (
                r#"{"type":"mask","target":"/boot"}"#,
                "/boot: masked: empty, and nobody can open it",
            ),
        ];
        for (json, want) in cases {
            let mount: Mount = serde_json::from_str(json).unwrap();
            let (target, what) = described(&mount, Path::new("/home/a"));
            assert_eq!(format!("{target}: {what}"), want);
        }
    }
}
