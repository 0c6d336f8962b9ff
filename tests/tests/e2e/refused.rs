//! Fail closed (G6): a session that cannot be made as planned is refused, whatever the reason,
//! and the log says why.

mod policy;
mod stages;

use nsshell_tests::{Host, Output, root_or_skip, wait_for};

use crate::attempt::{Fault, WAYS, Way, attempt, confined, logged, refused};

const HELPER: &str = "/usr/libexec/nsshell/session-init";

/// What may stand in the helper's place, as shell scripts.
const HELPERS: [(&str, &[&str]); 9] = [
    (
        "exit 0",
        &["session-init failed with exit status 0: it ended before it answered"],
    ),
    (
        "exit 3",
        &["session-init failed with exit status 3: it ended"],
    ),
    (
        "kill -KILL $$",
        &["session-init failed with signal 9: it ended"],
    ),
    (
        "kill -SEGV $$",
        &["session-init failed with signal 11: it ended"],
    ),
    (
        "echo hello >&3",
        &["the parts of nsshell do not fit together"],
    ),
    (
        "dd if=/dev/zero bs=20000 count=1 >&3",
        &["cannot hear session-init: Message too long"],
    ),
    // The answer to the other question.
    ("printf A >&3", &["session-init answered another question"]),
    (
        "printf 'Cname\\000standard\\000131072\\0001000\\000\\0000\\000' >&3",
        &["do not fit together: a session without its descriptors"],
    ),
    (
        "printf 'Cname\\000standard\\0001\\0001000\\000\\0000\\000' >&3",
        &["do not fit together: unknown kind of namespace"],
    ),
];

#[test]
fn g6_a_helper_that_is_missing_broken_or_dies_refuses_the_session() {
    root_or_skip!();
    let host = Host::confined();
    host.run("sed -i '/^account.*pam_nsshell/d' /etc/pam.d/sudo")
        .ok();
    confined(&host, Way::Sudo);
    let before = host.census();
    let refuses = |cause: &str, reason| {
        host.run(&format!("mv {HELPER} /root/helper; {cause}")).ok();
        refused(&host, Way::Sudo, reason);
        host.run(&format!("rm -rf {HELPER}; mv /root/helper {HELPER}"))
            .ok();
        host.wait_for_nothing_left(&before);
        confined(&host, Way::Sudo);
    };
    refuses("true", &["session-init is missing; install nsshell again"]);
    for cause in ["echo x > ", "mkdir "] {
        let reason = &["cannot execute", "session-init: Permission denied"];
        refuses(&format!("{cause} {HELPER}"), reason);
    }
    let cut = format!("cp /bin/true {HELPER}; truncate -s 100 {HELPER}");
    refuses(&cut, &["cannot execute", "session-init: Exec format error"]);
    for (script, reason) in HELPERS {
        let cause = format!("cat > {HELPER} <<'END'\n#!/bin/sh\n{script}\nEND\nchmod 755 {HELPER}");
        refuses(&cause, reason);
    }
}

/// Faults that show in the session phase only.
const IN_SESSION: [Fault; 7] = [
    Fault {
        cause: "mount -t tmpfs -o size=4k,mode=700 full /run/nsshell
            mkdir -m 700 /run/nsshell/sessions; head -c 4096 /dev/zero > /run/nsshell/ballast",
        reason: &["No space left on device; free space on /run"],
        mend: "umount /run/nsshell",
    },
    Fault {
        cause: "mount -t tmpfs -o nr_inodes=2,mode=700 full /run/nsshell
            mkdir -m 700 /run/nsshell/sessions",
        reason: &[
            "cannot make the directory /run/nsshell/users: No space left on device; free space on /run",
        ],
        mend: "umount /run/nsshell",
    },
    Fault {
        cause: "mount -t tmpfs -o nr_inodes=1,mode=700 full /run/nsshell",
        reason: &["cannot make the directory /run/nsshell/users: No space left on device"],
        mend: "umount /run/nsshell",
    },
    Fault {
        cause: "mount -t tmpfs -o ro,mode=700 full /run/nsshell",
        reason: &["cannot make the directory /run/nsshell/users: Read-only file system"],
        mend: "umount /run/nsshell",
    },
    Fault {
        cause: "chmod 755 /run/nsshell/sessions",
        reason: &["/run/nsshell/sessions is not root's alone (uid 0, mode 0755); remove it"],
        mend: "chmod 700 /run/nsshell/sessions",
    },
    Fault {
        cause: "chown alice /run/nsshell/sessions",
        reason: &["/run/nsshell/sessions is not root's alone (uid 1000, mode 0700); remove it"],
        mend: "chown root /run/nsshell/sessions",
    },
    Fault {
        cause: "mv /run/nsshell /run/away; mkdir /home/alice/own; ln -s /home/alice/own /run/nsshell",
        reason: &["cannot open the directory /run/nsshell: Too many levels of symbolic links"],
        mend: "rm -r /run/nsshell /home/alice/own; mv /run/away /run/nsshell",
    },
];

#[test]
fn g6_a_full_or_foreign_run_directory_refuses_the_session_by_every_way() {
    root_or_skip!();
    let host = Host::confined();
    for way in WAYS {
        IN_SESSION[0].refuses(&host, way);
    }
    for fault in &IN_SESSION[1..] {
        fault.refuses(&host, Way::Sudo);
    }
}

#[test]
fn g6_a_refused_ssh_session_gives_no_shell_no_sftp_and_no_forwarding() {
    root_or_skip!();
    let host = Host::confined();
    host.run("echo own > /home/alice/own; chown alice /home/alice/own")
        .ok();
    let tries = |host: &Host| -> [Output; 4] {
        let shell = host
            .ssh_cmd("alice", &["-tt"], "")
            .stdin("id -un; exit\n")
            .output();
        let sftp = host.argv(&["sftp", "-b", "-", "alice@127.0.0.1"]);
        let sftp = sftp.stdin("get own /root/own\n").output();
        let external = host.argv(&["sftp", "-s", "sftp-external", "-b", "-", "alice@127.0.0.1"]);
        let external = external.stdin("get own /root/own\n").output();
        let forwarding = host.ssh_cmd("alice", &["-W", "127.0.0.1:22"], "").output();
        [shell, sftp, external, forwarding]
    };
    for output in tries(&host) {
        output.ok();
    }
    host.run(IN_SESSION[0].cause).ok();
    for output in tries(&host) {
        output.fails();
        assert!(
            !output.text().contains("alice") && !output.text().contains("SSH-2.0"),
            "{output}"
        );
    }
}

#[test]
fn g6_login_and_cron_refuse_too() {
    root_or_skip!();
    let host = Host::confined();
    confined(&host, Way::Su);
    host.run(
        "cd /var/spool/cron/crontabs; echo '* * * * * touch /home/alice/ran-by-cron' > alice
        echo '@reboot touch /home/alice/ran-by-cron' >> alice
        chown alice:crontab alice; chmod 600 alice",
    )
    .ok();
    let fault = &IN_SESSION[0];
    host.run(fault.cause).ok();
    let (status, lines) = logged(&host, || host.pty("exec login -f alice").wait());
    assert!(!status.0.success(), "{status:?}");
    assert_eq!(lines.len(), 1, "{lines:?}");
    host.run("cron").ok();
    host.wait_for_log("pam_nsshell(cron:session): session of alice refused");
    wait_for("the end of the job", || {
        !host.run("pgrep -P $(pgrep -o -x cron)").success()
    });
    host.run("test -e /home/alice/ran-by-cron").fails();
    host.run("kill $(pgrep -x cron)").ok();
    host.run(fault.mend).ok();
    let mut shell = host.pty("exec login -f alice");
    shell.prompt();
    // Cron runs what it did not before only after a start of the host, which it sees by a file.
    host.run("rm -f /run/crond.reboot; cron").ok();
    wait_for("the job", || {
        host.run("test -e /home/alice/ran-by-cron").success()
    });
}

#[test]
fn g6_a_user_who_is_removed_in_between_is_refused() {
    root_or_skip!();
    let host = Host::confined();
    let fault = Fault {
        cause: "for service in sshd su su-l sudo; do
                sed -i 's/^session.*pam_nsshell.so/session required pam_exec.so \\/root\\/remove\\n&/' \\
                    /etc/pam.d/$service
            done
            cp -a /etc/passwd /root/passwd
            printf '#!/bin/sh\nsed -i /^alice:/d /etc/passwd\n' > /root/remove
            chmod 700 /root/remove",
        reason: &["session of alice refused: user \"alice\" is not in the user database"],
        mend: "sed -i /pam_exec/d /etc/pam.d/*; cat /root/passwd > /etc/passwd",
    };
    for way in WAYS {
        fault.refuses(&host, way);
    }
    // Without the module nobody notices: the application goes on with what it has read before.
    let control = Host::unconfined();
    control.run(fault.cause).ok();
    control
        .run("sed -i '$a session required pam_exec.so /root/remove' /etc/pam.d/su")
        .ok();
    assert!(attempt(&control, Way::Su).ran_in.is_some());
    control.run("grep alice: /etc/passwd").fails();
}

#[test]
fn g6_an_argument_that_the_module_does_not_take_refuses_the_session() {
    root_or_skip!();
    let host = Host::confined();
    for (argument, reason) in [
        (
            "debgu",
            "pam_nsshell.so does not take the argument \"debgu\"; it takes config=PATH",
        ),
        (
            "config=nsshell.toml",
            "does not take the argument \"config=nsshell.toml\"",
        ),
        (
            "config=/etc/other.toml",
            "cannot read the policy /etc/other.toml: No such file",
        ),
    ] {
        for way in WAYS {
            confined(&host, way);
            host.run(&format!(
                "cp -a /etc/pam.d /root; sed -i '/^session.*pam_nsshell/s|$| {argument}|' /etc/pam.d/*"
            ))
            .ok();
            refused(&host, way, &[reason]);
            host.run("rm -r /etc/pam.d; mv /root/pam.d /etc").ok();
        }
    }
    // Both arguments that there are.
    host.run(
        "echo '[profile.standard]' > /etc/other.toml
        sed -i '/pam_nsshell/s|$| debug config=/etc/other.toml|' /etc/pam.d/*",
    )
    .ok();
    confined(&host, Way::Su);
}

#[test]
fn g6_a_user_whose_processes_are_at_their_limit_is_refused() {
    root_or_skip!();
    let host = Host::confined();
    confined(&host, Way::Su);
    let _process = host.argv(&["sleep", "1000"]).user("alice").spawn();
    wait_for("the process", || host.run("pgrep -u alice").success());
    // The limits of process 1 hold for what makes the session, whatever those of the login are.
    let fault = Fault {
        cause: "prlimit --pid 1 --nproc --output SOFT --noheadings > /root/nproc; \
                prlimit --pid 1 --nproc=1:",
        reason: &[": Resource temporarily unavailable; no more processes: see `sysctl"],
        mend: "prlimit --pid 1 --nproc=$(tr -d ' ' < /root/nproc):",
    };
    fault.refuses(&host, Way::Su);
    fault.refuses(&host, Way::Ssh);
}

#[test]
fn a_user_with_another_shell_is_refused_with_the_advice_unless_the_profile_waives_it() {
    root_or_skip!();
    let host = Host::builder()
        .confined()
        .user_with("alice", |alice| alice.shell("/bin/bash"))
        .start();
    let advice = "login of alice refused: the login shell of alice is /bin/bash, but profile \
                  \"standard\" has a user namespace, which only /usr/bin/nsshell enters; run \
                  `usermod --shell /usr/bin/nsshell alice`, or set require_nsshell = false";
    for way in [Way::Ssh, Way::Su] {
        refused(&host, way, &[advice]);
    }
    host.run("usermod --shell /usr/bin/nsshell alice").ok();
    confined(&host, Way::Ssh);
    assert_eq!(host.ssh("alice", "wc -l < /proc/self/uid_map").ok(), "3");
    // By another name of the same file.
    host.run(
        "ln -s /usr/bin/nsshell /usr/local/bin/shell; usermod --shell /usr/local/bin/shell alice",
    )
    .ok();
    confined(&host, Way::Ssh);
    host.run("usermod --shell /bin/bash alice").ok();
    for waiver in [
        "[profile.standard]\nrequire_nsshell = false\n",
        "[profile.standard]\nnamespaces = [\"mount\", \"pid\"]\n",
    ] {
        host.run("mkdir -p /etc/nsshell").ok();
        host.argv(&["tee", "/etc/nsshell/nsshell.toml"])
            .stdin(waiver)
            .output()
            .ok();
        confined(&host, Way::Ssh);
        confined(&host, Way::Su);
        assert_eq!(host.ssh("alice", "wc -l < /proc/self/uid_map").ok(), "1");
    }
}

#[test]
fn g6_sudo_goes_on_after_another_module_s_session_error_but_not_after_ours() {
    root_or_skip!();
    let host = Host::confined();
    host.run(
        "cp /etc/pam.d/sudo /root
        sed -i '/^session.*pam_nsshell/s/.*/session required pam_debug.so open_session=session_err/' /etc/pam.d/sudo",
    )
    .ok();
    let went_on = attempt(&host, Way::Sudo);
    assert!(
        went_on.output.success() && went_on.ran_in.is_some(),
        "{went_on:?}"
    );
    host.run("cat /root/sudo > /etc/pam.d/sudo").ok();
    for fault in &IN_SESSION[..2] {
        fault.refuses(&host, Way::Sudo);
    }
}
