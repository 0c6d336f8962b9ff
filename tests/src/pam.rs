//! The PAM stacks of a test host: what Debian's come down to on a host without systemd, with the
//! product's lines where its documentation puts them.

use crate::spec::File;

/// The services that get the module's lines on a confined host.
pub const SERVICES: [&str; 8] = [
    "sshd",
    "login",
    "su",
    "su-l",
    "cron",
    "sudo",
    "runuser",
    "runuser-l",
];

/// The files of /etc/pam.d; with the module's lines if `confined`, and with those that Debian
/// has on a host with `systemd`.
#[must_use]
pub fn stacks(confined: bool, systemd: bool) -> Vec<File> {
    let mut files: Vec<File> = SERVICES
        .map(|service| stack(service, confined, systemd))
        .into();
    if systemd {
        files.push(user_manager(confined));
    }
    // Whatever is not listed is refused; pamtester and the like bring their own file.
    files.push(file(
        "other",
        ["auth", "account", "password", "session"]
            .map(|kind| format!("{kind} required pam_deny.so\n"))
            .concat(),
    ));
    files
}

/// The stack of user@.service: Debian's takes in what pam-auth-update writes for all services.
fn user_manager(confined: bool) -> File {
    let ours = |kind: &str| match confined {
        true => format!("{kind} required pam_nsshell.so\n"),
        false => String::new(),
    };
    let lines = [
        "account required pam_unix.so\n",
        &ours("account"),
        "session required pam_loginuid.so\n",
        "session required pam_limits.so\n",
        "session required pam_unix.so\n",
        &ours("session"),
        "session optional pam_keyinit.so force revoke\n",
        "session optional pam_systemd.so\n",
    ];
    file("systemd-user", lines.concat())
}

fn stack(service: &str, confined: bool, systemd: bool) -> File {
    let mut lines = Vec::new();
    if matches!(service, "su" | "su-l" | "runuser" | "runuser-l") {
        lines.push("auth sufficient pam_rootok.so");
    }
    lines.push("auth required pam_unix.so");
    lines.push("account required pam_unix.so");
    if confined {
        lines.push("account required pam_nsshell.so");
    }
    lines.push("password required pam_deny.so");
    if matches!(service, "sshd" | "login" | "su-l" | "cron") {
        lines.push("session required pam_loginuid.so");
    }
    lines.push("session required pam_env.so");
    lines.push("session required pam_limits.so");
    lines.push("session required pam_unix.so");
    if systemd && matches!(service, "sshd" | "login" | "su" | "su-l") {
        lines.push("session optional pam_systemd.so");
    }
    if confined {
        // Last: what another module puts into place for the session must be there already.
        lines.push("session required pam_nsshell.so");
    }
    file(service, lines.join("\n") + "\n")
}

fn file(service: &str, content: String) -> File {
    File {
        path: format!("/etc/pam.d/{service}").into(),
        mode: 0o644,
        content,
    }
}
