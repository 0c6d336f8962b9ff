//! The profiles that nsshell comes with, each as it stands.

use nsshell_tests::{Builder, Host, root_or_skip, wait_for};

/// Alice has the profile; bob is somebody else.
fn builder(profile: &str) -> Builder {
    Host::builder()
        .confined()
        .policy(&format!(
            "[[rule]]\nusers = ['alice']\nprofile = '{profile}'\n"
        ))
        .prepare("install -d -m 755 /usr/lib/nsshell/sftp-root")
        .user("alice")
        .user("bob")
        .prepare("echo kept > /home/alice/kept; chown alice /home/alice/kept; chmod 755 /home/bob; echo bob > /home/bob/file")
}

#[test]
fn lab_gives_a_home_that_is_gone_at_the_end_with_all_that_ran() {
    root_or_skip!();
    let look = "cat kept; ls /home; cat /home/bob/file 2>/dev/null; echo new > new; echo changed > kept; rm -r .cache 2>/dev/null; cat new kept; setsid -f sleep 1000 >/dev/null 2>&1; ls /tmp";
    let host = builder("lab").start();
    let before = host.census();
    assert_eq!(host.ssh("alice", look).ok(), "kept\nalice\nnew\nchanged");
    assert_eq!(
        host.run("ls /home/alice; cat /home/alice/kept").ok(),
        "kept\nkept"
    );
    host.wait_for_nothing_left(&before);
    // And the next one finds nothing of it.
    assert_eq!(host.ssh("alice", "ls; cat kept").ok(), "kept\nkept");
    // As the same does without the profile.
    let control = builder("none").start();
    assert_eq!(
        control.ssh("alice", look).ok(),
        "kept\nalice\nbob\nbob\nnew\nchanged"
    );
    assert_eq!(
        control.run("ls /home/alice; cat /home/alice/kept").ok(),
        "kept\nnew\nchanged"
    );
}

#[test]
fn lab_lets_nothing_stay_in_any_directory_that_a_user_can_write() {
    root_or_skip!();
    // Everywhere but in what the kernel shows: a file is left, and looked for afterwards.
    let leave = "find / \\( -path /proc -o -path /sys -o -path /dev/pts -o -path /dev/mqueue \\) -prune -o -type d -writable -print 2>/dev/null | \
        while read -r dir; do echo x > \"$dir/left-behind\" 2>/dev/null && echo \"$dir\"; done | sort | tr '\\n' ' '";
    let left = |host: &Host| {
        let find = "find / -path /proc -prune -o -name left-behind -print | sort | tr '\\n' ' '";
        host.run(find).ok()
    };
    let start = |profile: &str| {
        builder(profile)
            .prepare(
                "mkdir -p /run/lock /var/crash /var/tmp; chmod 1777 /run/lock /var/crash /var/tmp",
            )
            .start()
    };
    let host = start("lab");
    let written = host.ssh("alice", leave).ok();
    for dir in [
        "/dev/shm",
        "/home/alice",
        "/run/lock",
        "/tmp",
        "/var/crash",
        "/var/tmp",
    ] {
        assert!(written.split(' ').any(|one| one == dir), "{dir}: {written}");
    }
    assert_eq!(left(&host), "", "{written}");
    let control = start("standard");
    control.ssh("alice", leave).ok();
    let left = left(&control);
    for dir in ["/home/alice", "/run/lock", "/var/crash"] {
        assert!(left.contains(dir), "{dir}: {left}");
    }
}

#[test]
fn the_profiles_leave_the_machine_memory_whatever_one_login_writes() {
    root_or_skip!();
    let sizes = |profile: &str, keys: &str, dirs: &str| {
        let own = format!("[profile.{profile}]\n{keys}\n");
        let rule = format!("[[rule]]\nusers = ['alice']\nprofile = '{profile}'\n");
        let host = builder(profile).policy(&format!("{rule}{own}")).start();
        let look = format!(
            "df --output=size -B1 {dirs} | tail -n +2; awk '/MemTotal/ {{print $2 * 1024}}' /proc/meminfo"
        );
        let said = host.ssh("alice", &look).ok();
        let mut numbers: Vec<f64> = said
            .lines()
            .map(|one| one.trim().parse().unwrap())
            .collect();
        let memory = numbers.pop().unwrap();
        numbers.iter().sum::<f64>() / memory
    };
    let lab = sizes("lab", "", "~ /tmp /var/tmp /dev/shm");
    assert!(lab < 0.75, "{lab}");
    let three = "/tmp /var/tmp /dev/shm";
    let standard = sizes("standard", "", three);
    assert!(standard < 0.35, "{standard}");
    // As each would be if the kernel were asked for no size.
    let half = ["/tmp", "/var/tmp", "/dev/shm"]
        .map(|path| format!("{{ path = '{path}', size = '50%' }}"))
        .join(", ");
    let half = sizes("standard", &format!("private = [{half}]"), three);
    assert!(half > 1.0, "{half}");
}

#[test]
fn kiosk_runs_its_own_program_whatever_is_asked_for() {
    root_or_skip!();
    let host = builder("kiosk").start();
    let text = "This terminal is a kiosk that nobody has set up yet.";
    for line in ["id", "/bin/bash", "sh -c 'echo escaped'"] {
        let seen = host.ssh("alice", line).ok();
        assert!(seen.starts_with(text), "{line}: {seen}");
        assert!(
            !seen.contains("uid=") && !seen.contains("escaped"),
            "{seen}"
        );
    }
    let mut terminal = host.ssh_pty("alice", "");
    terminal.expect("Press Enter to log out. ");
    terminal.line("");
    assert!(terminal.wait().0.success());
}

#[test]
fn kiosk_lets_its_program_change_and_reach_nothing() {
    root_or_skip!();
    let look = "for place in /usr /etc /var/tmp /tmp /home /root /srv /opt /run /dev /proc /sys ~; do (: > $place/by-the-kiosk) 2>/dev/null && echo writes $place; done; \
        ls /root /srv /home 2>/dev/null; cat kept; cat /proc/net/dev 2>/dev/null | wc -l; \
        ls /sys/class/net 2>/dev/null | tr '\\n' ' '; (echo > /dev/tcp/127.0.0.1/22) 2>/dev/null && echo connects; \
        test -e /dev/kmsg && echo kmsg; ls /proc | grep -c '[a-z]'";
    let with_program = |profile: &str| {
        let own = format!("[profile.{profile}]\ncommand = ['/bin/bash', '-c', '''{look}''']\n");
        builder(profile)
            .policy(&format!(
                "[[rule]]\nusers = ['alice']\nprofile = '{profile}'\n{own}"
            ))
            .prepare("echo secret > /root/secret; echo data > /srv/data; chmod 755 /root")
            .start()
    };
    let host = with_program("kiosk");
    let seen = host.ssh("alice", "").ok();
    let writes: Vec<&str> = seen
        .lines()
        .filter_map(|line| line.strip_prefix("writes "))
        .collect();
    // What is the session's own, and gone with it.
    assert_eq!(writes, ["/var/tmp", "/tmp", "/home/alice"], "{seen}");
    assert!(seen.contains("alice\nkept"), "{seen}");
    for what in ["secret", "data", "bob", "connects", "kmsg"] {
        assert!(!seen.contains(what), "{what}: {seen}");
    }
    assert_eq!(host.run("find / -xdev -name by-the-kiosk").ok(), "");
    let seen = with_program("standard").ssh("alice", "").ok();
    for what in ["secret", "data", "bob", "connects"] {
        assert!(seen.contains(what), "without: {what}: {seen}");
    }
}

/// Root's service of this name, which answers whoever connects.
const SERVE: &str = r#"mkdir -p /run/dbus /run/cups; setsid python3 -c '
import os, socket
def serve(path):
    if os.fork(): return
    s = socket.socket(socket.AF_UNIX); s.bind(path); os.chmod(path, 0o777); s.listen()
    open(path + ".up", "w").close()
    while True: s.accept()[0].send(b"answers")
serve("/run/dbus/system_bus_socket"); serve("/run/docker.sock"); serve("/run/cups/cups.sock")
' </dev/null >/dev/null 2>&1; until test -e /run/cups/cups.sock.up -a -e /run/docker.sock.up -a -e /run/dbus/system_bus_socket.up; do sleep 0.05; done"#;

#[test]
fn kiosk_keeps_its_program_from_talking_to_the_services_of_the_host() {
    root_or_skip!();
    let talk = r#"python3 -c '
import socket
for path in ("/run/dbus/system_bus_socket", "/run/docker.sock", "/run/cups/cups.sock"):
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(path); print(path, s.recv(9).decode())
    except OSError: pass
' "#;
    let answers = |profile: &str| {
        let own = format!(
            "[profile.{profile}]\ncommand = ['/bin/sh', '-c', '''{}''']\n",
            talk
        );
        let rule = format!("[[rule]]\nusers = ['alice']\nprofile = '{profile}'\n");
        let host = builder(profile)
            .policy(&format!("{rule}{own}"))
            .prepare(SERVE)
            .start();
        host.ssh("alice", "").ok().lines().count()
    };
    assert_eq!(answers("kiosk"), 0);
    assert_eq!(answers("standard"), 3);
}

#[test]
fn sftp_only_gives_files_and_neither_shell_nor_network() {
    root_or_skip!();
    let run = |profile: &str| {
        let host = builder(profile).start();
        let batch = "get kept /root/got\nput /etc/hostname put\nls /\nls /home\nls /usr\n";
        let sftp = host
            .argv(&["sftp", "-b", "-", "alice@127.0.0.1"])
            .stdin(batch)
            .output();
        let shell = host.ssh("alice", "echo a shell");
        let forward = host.run(
            "ssh -o ExitOnForwardFailure=yes -W 127.0.0.1:22 alice@127.0.0.1 </dev/null | head -c 3",
        );
        let files = host
            .run("cat /root/got; test -s /home/alice/put && echo put")
            .text();
        (sftp, shell.text(), forward.text(), files, host)
    };
    let (sftp, shell, forward, files, host) = run("sftp-only");
    // `ls /usr` is the one that fails, and ends the batch.
    let listing = sftp.text();
    assert!(sftp.fails().contains("/usr"), "{sftp}");
    assert_eq!(files, "kept\nput", "{sftp}");
    assert!(
        listing.contains("/home/alice") && !listing.contains("bob"),
        "{listing}"
    );
    assert_eq!((shell.as_str(), forward.as_str()), ("", ""));
    wait_for("the end of the sessions", || {
        !host.run("pgrep -x nsshell-init").success()
    });
    let (sftp, shell, forward, files, _) = run("none");
    assert_eq!(files, "kept\nput", "{sftp}");
    assert!(sftp.ok().contains("/home/bob"), "{sftp}");
    assert_eq!((shell.as_str(), forward.as_str()), ("a shell", "SSH"));
}

#[test]
fn standard_keeps_what_a_user_has_and_hides_what_others_do() {
    root_or_skip!();
    let host = builder("standard").start();
    host.run("touch /tmp/of-the-host").ok();
    let look = "cat kept; echo new > new; ls /tmp; ps -e -o comm= | head -1; cat /home/bob/file";
    assert_eq!(host.ssh("alice", look).ok(), "kept\nnsshell-init\nbob");
    assert_eq!(host.run("cat /home/alice/new").ok(), "new");
}
