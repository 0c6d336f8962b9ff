//! The test host's systemd and the machine that it runs on.

use std::path::PathBuf;

use nsshell_tests::{Host, root_or_skip, wait_for};

use super::unconfined;

/// The host's control group as the machine sees it.
fn group_of(host: &Host) -> PathBuf {
    let text = std::fs::read_to_string(format!("/proc/{}/cgroup", host.pid())).unwrap();
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"));
    let path = path.unwrap().trim_end_matches("/init.scope");
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let place = mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ")
            .then(|| mount.split(' ').nth(4))?
    });
    PathBuf::from(place.unwrap()).join(path)
}

/// What systemd would change if it took itself for the machine's own.
fn state_of_the_machine() -> Vec<String> {
    [
        "/proc/modules",
        "/proc/mounts",
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/hostname",
        "/proc/sys/fs/nr_open",
        "/proc/sys/net/unix/max_dgram_qlen",
        "/etc/machine-id",
    ]
    .map(|path| std::fs::read_to_string(path).unwrap_or_default())
    .into()
}

#[test]
fn nothing_of_a_host_with_systemd_is_left_on_the_machine_and_nothing_there_is_changed() {
    root_or_skip!();
    let before = state_of_the_machine();
    let host = unconfined();
    host.ssh("alice", "setsid -f sleep 1000 >/dev/null 2>&1")
        .ok();
    let (group, pid) = (group_of(&host), host.pid());
    assert!(group.to_string_lossy().contains("nsshell-testhost-"));
    assert!(group.join("user.slice").is_dir());
    drop(host);
    assert!(!group.exists(), "{}", group.display());
    assert!(!PathBuf::from(format!("/proc/{pid}")).exists());
    assert_eq!(state_of_the_machine(), before);
}

#[test]
fn what_a_host_leaves_whose_first_process_is_killed_the_next_one_removes() {
    root_or_skip!();
    let host = unconfined();
    let (group, pid) = (group_of(&host), host.pid());
    // unshare, the first process, unshare, systemd
    let parent = |pid: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields = stat.rsplit(')').next().unwrap();
        fields.split_whitespace().nth(1).unwrap().to_owned()
    };
    let first = parent(&parent(&pid.to_string()));
    let killed = std::process::Command::new("kill")
        .args(["-KILL", &first])
        .status();
    assert!(killed.unwrap().success());
    let process = PathBuf::from(format!("/proc/{pid}"));
    wait_for("the end of the host's systemd", || !process.exists());
    drop(host);
    assert!(group.exists());
    drop(unconfined());
    assert!(!group.exists());
}

#[test]
fn a_host_s_systemd_runs_nothing_of_the_machine_s_and_has_no_power_over_it() {
    root_or_skip!();
    let host = unconfined();
    let units = "systemctl list-units --plain --no-legend --type=service,timer,mount,automount,swap \
                 --state=active | cut -d' ' -f1";
    let running = host.run(units).ok();
    let wanted = [
        "-.mount",
        "dev-mqueue.mount",
        "dbus.service",
        "sshd.service",
        "systemd-journald.service",
        "systemd-logind.service",
    ];
    assert_eq!(running.lines().collect::<Vec<_>>(), wanted);
    let bounding = host.run("grep CapBnd: /proc/1/status").ok();
    let bounding = u64::from_str_radix(bounding.split_whitespace().last().unwrap(), 16).unwrap();
    // CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_TIME
    assert_eq!(bounding & (1 << 16 | 1 << 17 | 1 << 25), 0);
    host.run("echo 1 > /proc/sys/kernel/sysrq").fails();
}
