//! Accounts and configuration of the host.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use nsshell_tests::spec::{Spec, User};

use crate::Because as _;
use crate::root::make_dir;

/// First id of ordinary users (login.defs(5)): the machine's own are not taken over.
const FIRST_USER: u32 = 1000;
const NOBODY: u32 = 65534;

/// What is the machine's own configuration and must not reach the host.
const REMOVED: [&str; 9] = [
    "/etc/pam.d",
    "/etc/ssh",
    "/etc/nsshell",
    "/etc/sudoers.d",
    "/etc/cron.d",
    "/etc/subuid",
    "/etc/subgid",
    "/etc/gshadow",
    "/var/spool/cron/crontabs",
];

/// Directories of a host that has just started: path and mode.
const DIRS: [(&str, u32); 7] = [
    ("/etc/pam.d", 0o755),
    ("/etc/ssh", 0o755),
    ("/etc/sudoers.d", 0o750),
    ("/etc/cron.d", 0o755),
    ("/run/sshd", 0o755),
    ("/run/lock", 0o1777),
    ("/run/user", 0o755),
];

/// Files whose content does not depend on the test: path, mode, content.
const FILES: [(&str, u32, &str); 11] = [
    ("/etc/hosts", 0o644, "127.0.0.1 localhost testhost\n"),
    ("/etc/hostname", 0o644, "testhost\n"),
    ("/etc/resolv.conf", 0o644, ""),
    (
        "/etc/nsswitch.conf",
        0o644,
        "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
    ),
    ("/etc/environment", 0o644, ""),
    ("/etc/crontab", 0o644, ""),
    (
        "/etc/sudoers",
        0o440,
        "root ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n",
    ),
    ("/var/log/wtmp", 0o664, ""),
    ("/var/log/btmp", 0o660, ""),
    ("/var/log/lastlog", 0o664, ""),
    ("/run/utmp", 0o664, ""),
];

/// Makes the accounts, the keys and every file of the description.
pub fn write(spec: &Spec) -> Result<(), String> {
    for path in REMOVED {
        remove(path)?;
    }
    for (dir, mode) in DIRS {
        make_dir(dir, mode)?;
    }
    for (path, mode, content) in FILES {
        put(path, mode, content)?;
    }
    if spec.systemd {
        crate::systemd::write(spec)?;
    }
    accounts(spec)?;
    for file in &spec.files {
        put(&file.path, file.mode, &file.content)?;
    }
    spool()?;
    keys()
}

pub fn remove(path: &str) -> Result<(), String> {
    let removed = if Path::new(path).is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{path}: {error}"))
        }
        _ => Ok(()),
    }
}

/// Writes a file of root's with exactly this mode.
pub fn put(path: impl AsRef<Path>, mode: u32, content: &str) -> Result<(), String> {
    let path = path.as_ref();
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).because(dir.display())?;
    }
    fs::write(path, content).because(path.display())?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).because(path.display())
}

fn accounts(spec: &Spec) -> Result<(), String> {
    let hash = &spec.password_hash;
    let mut passwd = String::from("root:x:0:0:root:/root:/bin/bash\n");
    let mut shadow = shadow_line("root", hash);
    for line in system_lines("/etc/passwd")? {
        let name = line.split(':').next().unwrap_or_default();
        if name != "root" {
            passwd += &format!("{line}\n");
            shadow += &shadow_line(name, "*");
        }
    }
    let mut group = String::new();
    for line in system_lines("/etc/group")? {
        // Without the members: they are accounts of the machine.
        let members = line.rfind(':').unwrap_or(line.len());
        group += &format!("{}:\n", &line[..members]);
    }
    for user in &spec.users {
        let User {
            name,
            uid,
            gid,
            shell,
            home,
            ..
        } = user;
        passwd += &format!("{name}:x:{uid}:{gid}:{name}:{}:{shell}\n", home.display());
        shadow += &shadow_line(name, hash);
        group += &format!("{name}:x:{gid}:\n");
        user_dirs(user, spec.systemd)?;
    }
    put("/etc/passwd", 0o644, &passwd)?;
    put("/etc/group", 0o644, &group)?;
    put("/etc/shadow", 0o640, &shadow)?;
    chown("/etc/shadow", Some(0), Some(group_id("shadow")?)).because("/etc/shadow")?;
    put(
        "/etc/subuid",
        0o644,
        &subordinate(spec, |user| &user.subuid),
    )?;
    put(
        "/etc/subgid",
        0o644,
        &subordinate(spec, |user| &user.subgid),
    )?;
    // As the product leaves it: without nsshell.
    put("/etc/shells", 0o644, "/bin/sh\n/bin/bash\n/usr/bin/bash\n")
}

/// shadow(5): the password never expires.
fn shadow_line(name: &str, hash: &str) -> String {
    format!("{name}:{hash}:19000:0:99999:7:::\n")
}

/// Lines of passwd(5) or group(5) whose id is a system account's. They are kept because files of
/// the machine belong to them (crontab, shadow, _ssh …).
fn system_lines(path: &str) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(path).because(path)?;
    let is_system = |line: &&str| {
        let id = line.split(':').nth(2).and_then(|id| id.parse().ok());
        id.is_some_and(|id: u32| id < FIRST_USER || id == NOBODY)
    };
    Ok(text.lines().filter(is_system).map(str::to_owned).collect())
}

/// The id of a group of the host; root's if there is no such group.
fn group_id(name: &str) -> Result<u32, String> {
    let groups = system_lines("/etc/group")?;
    let line = groups
        .iter()
        .find(|line| line.split(':').next() == Some(name));
    Ok(line
        .and_then(|line| line.split(':').nth(2)?.parse().ok())
        .unwrap_or(0))
}

/// logind makes runtime directories itself.
fn user_dirs(user: &User, systemd: bool) -> Result<(), String> {
    let home = user.home.display().to_string();
    let runtime = (!systemd).then(|| format!("/run/user/{}", user.uid));
    // What a case calls a home may be anything; only one that can be one is made.
    let plain = home.starts_with("/home/") && !home.contains("/.") && home.len() < 4096;
    for dir in plain.then_some(home).into_iter().chain(runtime) {
        make_dir(&dir, 0o700)?;
        chown(&dir, Some(user.uid), Some(user.gid)).because(&dir)?;
    }
    Ok(())
}

fn subordinate(spec: &Spec, ranges: impl Fn(&User) -> &Vec<(u32, u32)>) -> String {
    let mut text = String::new();
    for user in &spec.users {
        for (first, count) in ranges(user) {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{}:{first}:{count}", user.name);
        }
    }
    text
}

/// crontab(1) is set-group-id crontab and cron looks at owner and mode.
fn spool() -> Result<(), String> {
    make_dir("/var/spool/cron/crontabs", 0o1730)?;
    chown(
        "/var/spool/cron/crontabs",
        Some(0),
        Some(group_id("crontab")?),
    )
    .because("/var/spool/cron/crontabs")
}

/// sshd's key, and one key that opens every account; ssh knows the first and offers the second.
fn keys() -> Result<(), String> {
    crate::shell(
        "cd /etc/ssh
        ssh-keygen -q -t ed25519 -N '' -C host -f host_key
        ssh-keygen -q -t ed25519 -N '' -C client -f client_key
        echo \"127.0.0.1,localhost,testhost $(cat host_key.pub)\" > known_hosts",
    )
}
