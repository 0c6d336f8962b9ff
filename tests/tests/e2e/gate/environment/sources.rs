//! The places from where a login of alice's gets variables of hers.

use nsshell_tests::{Builder, Host, PASSWORD, pam, wait_for};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// ~/.pam_environment, as Debian 12 has sshd read it
    PamEnvironment,
    /// ~/.ssh/environment
    SshEnvironment,
    /// ssh's SetEnv
    SetEnv,
    /// her crontab, with the login shell in SHELL
    Cron,
    /// bob's own, by su
    Su,
    /// the same, by `su -m`
    SuM,
}

pub const ALL: [Source; 6] = [
    Source::PamEnvironment,
    Source::SshEnvironment,
    Source::SetEnv,
    Source::Cron,
    Source::Su,
    Source::SuM,
];

/// A host that takes in what the source has; `policy` only with the product.
pub fn builder(confined: bool, source: Source, policy: &str) -> Builder {
    let mut builder = Host::builder();
    if confined {
        builder = builder.confined().policy(policy);
    }
    // Behind everything else, as in Debian's own file, where it follows on common-session.
    let stacks = pam::stacks(confined, false);
    let of_sshd = |file: &&nsshell_tests::spec::File| file.path.ends_with("sshd");
    let stack = &stacks.iter().find(of_sshd).expect("sshd's stack").content;
    if source == Source::PamEnvironment {
        let stack = format!("{stack}session required pam_env.so user_readenv=1\n");
        builder = builder.file("/etc/pam.d/sshd", 0o644, &stack);
    }
    builder
        // nsshell is none: su(1) then takes no other shell of the user's who runs it.
        .file("/etc/shells", 0o644, "/bin/sh\n/bin/bash\n")
        .file(
            "/root/loaded.c",
            0o644,
            include_str!("../../../../apps/loaded.c"),
        )
        .file("/srv/libs/script", 0o755, SCRIPT)
        .prepare(
            "mkdir -m 1777 /srv/env; chmod 1777 /srv/env; >/srv/env/loaded
            chmod 666 /srv/env/loaded
            for name in preload audit; do
                cc -shared -fPIC -DNAME=\"\\\"$name\\\"\" -o /srv/libs/$name.so /root/loaded.c
            done",
        )
        .sshd_config("AcceptEnv *")
        .sshd_config("PermitUserEnvironment yes")
        .user("alice")
        .user("bob")
}

/// It leaves the same line as the libraries, in bash's own words.
const SCRIPT: &str = "\
if [ -n \"$BASH_VERSION\" ]; then
    read -r a b c </proc/self/uid_map
    echo \"script /usr/bin/bash $a-$b-$c\" >>/srv/env/loaded
fi
";

impl Source {
    /// Those of the variables that this source can have.
    pub fn possible<'a>(self, variables: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        // glibc takes them out of the environment of a set-user-id program.
        let unsafe_ones = [
            "LD_PRELOAD",
            "LD_AUDIT",
            "LD_LIBRARY_PATH",
            "GCONV_PATH",
            "LOCPATH",
            "GLIBC_TUNABLES",
        ];
        let is_possible = |name: &str| match self {
            // cron takes those two from the account, and the shell has to be ours.
            Self::Cron => !["USER", "LOGNAME", "SHELL"].contains(&name),
            Self::Su | Self::SuM => {
                !unsafe_ones.contains(&name)
                    // bob's own programs go by them.
                    && !["BASH_ENV", "SHELLOPTS", "PATH", "SHELL"].contains(&name)
            }
            _ => true,
        };
        let possible = variables.iter().filter(|(name, _)| is_possible(name));
        possible.copied().collect()
    }

    /// Logs alice in with these variables, to run the line; waits until /srv/env/seen is there.
    pub fn login(self, host: &Host, variables: &[(&str, &str)], line: &str) {
        host.run("rm -f /srv/env/seen; >/srv/env/loaded").ok();
        let lines = |separator: &str| {
            let line = |(name, value): &(&str, &str)| format!("{name}{separator}{value}\n");
            variables.iter().map(line).collect::<String>()
        };
        match self {
            Self::PamEnvironment => {
                write(host, "/home/alice/.pam_environment", &lines(" OVERRIDE="));
                host.ssh("alice", line).ok();
            }
            Self::SshEnvironment => {
                host.run("install -d -o alice -m 700 /home/alice/.ssh").ok();
                write(host, "/home/alice/.ssh/environment", &lines("="));
                host.ssh("alice", line).ok();
            }
            Self::SetEnv => {
                let pairs = variables
                    .iter()
                    .map(|(name, value)| format!("\"{name}={value}\""));
                let option = format!("SetEnv={}", pairs.collect::<Vec<_>>().join(" "));
                host.ssh_cmd("alice", &["-o", &option], line).output().ok();
            }
            Self::Cron => {
                let shell = "SHELL=$(getent passwd alice | cut -d: -f7)";
                let table = format!("{}@reboot {line}\n", lines("="));
                host.cmd(&format!(
                    "{{ echo \"{shell}\"; cat; }} | crontab -u alice - && cron"
                ))
                .stdin(table)
                .output()
                .ok();
            }
            Self::Su | Self::SuM => {
                let mut su = host.argv(&[
                    "su",
                    if self == Self::SuM { "-m" } else { "--" },
                    "alice",
                    "-c",
                    line,
                ]);
                for (name, value) in variables {
                    su = su.env(name, value);
                }
                let mut su = su.user("bob").pty();
                su.expect("assword: ");
                su.line(PASSWORD);
                let (status, text) = su.wait();
                assert!(status.success(), "{text}");
            }
        }
        wait_for("the environment", || {
            host.run("test -s /srv/env/seen").success()
        });
    }
}

/// A file of alice's.
fn write(host: &Host, path: &str, content: &str) {
    let line = format!("cat >{path} && chown alice {path} && chmod 600 {path}");
    host.cmd(&line).stdin(content).output().ok();
}
