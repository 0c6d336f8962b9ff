use crate::Host;
use crate::pam;
use crate::product::Product;
use crate::spec::{Disk, File, Spec, User};

/// crypt(5) of [`PASSWORD`](crate::PASSWORD).
const PASSWORD_HASH: &str = "$6$testhost$AM4.L5ox/OGlFXvNDo4T0BOpZTVBP3UAurqgF9QpqRhhz79LmPFHZgRqeIpgo/efCkaGC7AMDdwD3BbNklIU2/";

const FIRST_UID: u32 = 1000;
/// Subordinate ranges of the first user; the next one's begin this much higher.
const FIRST_SUBORDINATE: u32 = 100_000;
const SUBORDINATE_COUNT: u32 = 65_536;

const SSHD_CONFIG: &str = "\
ListenAddress 127.0.0.1
HostKey /etc/ssh/host_key
AuthorizedKeysFile /etc/ssh/client_key.pub
PidFile /run/sshd.pid
UsePAM yes
UseDNS no
PermitRootLogin yes
PrintMotd no
MaxStartups 200
AcceptEnv LANG TESTHOST_*
Subsystem sftp internal-sftp
";

const SSH_CONFIG: &str = "\
Host *
  IdentityFile /etc/ssh/client_key
  GlobalKnownHostsFile /etc/ssh/known_hosts
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  ConnectTimeout 10
  KexAlgorithms curve25519-sha256
  LogLevel ERROR
";

/// Where distributions keep the sftp server that is a program of its own.
const SFTP_SERVERS: [&str; 2] = [
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
];

/// What a host is to have; see [`Host::builder`].
#[derive(Debug)]
pub struct Builder {
    spec: Spec,
    sshd_config: String,
    installed: bool,
    confined: bool,
}

impl Builder {
    pub(crate) fn new() -> Self {
        let spec = Spec {
            users: Vec::new(),
            password_hash: PASSWORD_HASH.to_owned(),
            files: Vec::new(),
            copies: Vec::new(),
            disks: Vec::new(),
            prepare: Vec::new(),
            sshd: true,
            systemd: false,
        };
        Self {
            spec,
            sshd_config: SSHD_CONFIG.to_owned(),
            installed: false,
            confined: false,
        }
    }

    /// The product's programs are there, and the module is in every PAM stack. Users that are
    /// added after this have nsshell as their login shell.
    #[must_use]
    pub fn confined(self) -> Self {
        Self {
            installed: true,
            confined: true,
            ..self
        }
    }

    /// The product's programs are there, but no PAM stack knows of the module: for nsshell on
    /// its own.
    #[must_use]
    pub fn installed(self) -> Self {
        Self {
            installed: true,
            confined: false,
            ..self
        }
    }

    /// An account with the next free uid from 1000, the password
    /// [`PASSWORD`](crate::PASSWORD) and 65536 subordinate ids (the first user's from 100000,
    /// the second's from 200000, …).
    #[must_use]
    pub fn user(self, name: &str) -> Self {
        self.user_with(name, |user| user)
    }

    /// The same, changed by `change`.
    #[must_use]
    pub fn user_with(
        mut self,
        name: &str,
        change: impl FnOnce(UserBuilder) -> UserBuilder,
    ) -> Self {
        let index = u32::try_from(self.spec.users.len()).expect("fewer users than uids");
        let range = (FIRST_SUBORDINATE * (index + 1), SUBORDINATE_COUNT);
        let user = User {
            name: name.to_owned(),
            uid: FIRST_UID + index,
            gid: FIRST_UID + index,
            shell: if self.confined {
                "/usr/bin/nsshell"
            } else {
                "/bin/bash"
            }
            .to_owned(),
            home: format!("/home/{name}").into(),
            subuid: vec![range],
            subgid: vec![range],
        };
        self.spec.users.push(change(UserBuilder { user }).user);
        self
    }

    /// A policy file, /etc/nsshell/nsshell.toml.
    #[must_use]
    pub fn policy(self, toml: &str) -> Self {
        self.file("/etc/nsshell/nsshell.toml", 0o644, toml)
    }

    /// A file of root's.
    #[must_use]
    pub fn file(mut self, path: &str, mode: u32, content: &str) -> Self {
        self.spec.files.push(File {
            path: path.into(),
            mode,
            content: content.to_owned(),
        });
        self
    }

    /// A line more in sshd's configuration. The first setting of a keyword counts, and the
    /// harness's come first.
    #[must_use]
    pub fn sshd_config(mut self, line: &str) -> Self {
        self.sshd_config += &format!("{line}\n");
        self
    }

    /// No sshd: for what needs none, 30 ms sooner.
    #[must_use]
    pub fn without_sshd(mut self) -> Self {
        self.spec.sshd = false;
        self
    }

    /// PID 1 is systemd, with its logind, a system bus and users' managers, and pam_systemd is in
    /// the PAM stacks where Debian has it. What is logged goes to its journal.
    #[must_use]
    pub fn systemd(mut self) -> Self {
        self.spec.systemd = true;
        self
    }

    /// A line of shell that root runs before sshd starts.
    #[must_use]
    pub fn prepare(mut self, line: &str) -> Self {
        self.spec.prepare.push(line.to_owned());
        self
    }

    /// A directory of the machine in the host, with everything that the host does to it: what is
    /// a disk to the host, and is still there for the next one. `/home` is one that users have
    /// their homes on.
    #[must_use]
    pub fn disk(mut self, from: &std::path::Path, to: &str) -> Self {
        self.spec.disks.push(Disk {
            from: from.to_owned(),
            to: to.into(),
        });
        self
    }

    /// Starts the host.
    ///
    /// # Panics
    /// If it cannot be made, or if the product is wanted and not built.
    #[must_use]
    pub fn start(mut self) -> Host {
        if self.installed {
            self.spec.copies = Product::find()
                .unwrap_or_else(|reason| panic!("{reason}"))
                .copies();
        }
        for server in SFTP_SERVERS {
            if std::path::Path::new(server).exists() {
                self.sshd_config += &format!("Subsystem sftp-external {server}\n");
            }
        }
        let mut files = pam::stacks(self.confined, self.spec.systemd);
        files.push(File {
            path: "/etc/ssh/ssh_config".into(),
            mode: 0o644,
            content: SSH_CONFIG.to_owned(),
        });
        files.push(File {
            path: "/etc/ssh/sshd_config".into(),
            mode: 0o644,
            content: self.sshd_config,
        });
        // The test's own files last: they may replace the harness's.
        files.append(&mut self.spec.files);
        self.spec.files = files;
        Host::start(&self.spec)
    }
}

/// An account that is being described; see [`Builder::user_with`].
#[derive(Debug)]
pub struct UserBuilder {
    user: User,
}

impl UserBuilder {
    /// Uid, and gid of the user's own group.
    #[must_use]
    pub fn uid(mut self, uid: u32) -> Self {
        (self.user.uid, self.user.gid) = (uid, uid);
        self
    }

    /// Home directory, as the user database has it; made if it is a plain path beneath /home.
    #[must_use]
    pub fn home(mut self, home: &str) -> Self {
        self.user.home = home.into();
        self
    }

    /// Login shell.
    #[must_use]
    pub fn shell(mut self, shell: &str) -> Self {
        self.user.shell = shell.to_owned();
        self
    }

    /// Subordinate ranges of both kinds instead of the one by default: first id, count.
    #[must_use]
    pub fn subordinate(mut self, ranges: &[(u32, u32)]) -> Self {
        (self.user.subuid, self.user.subgid) = (ranges.to_vec(), ranges.to_vec());
        self
    }

    /// Subordinate ranges, user ids and group ids apart.
    #[must_use]
    pub fn subordinate_apart(mut self, uids: &[(u32, u32)], gids: &[(u32, u32)]) -> Self {
        (self.user.subuid, self.user.subgid) = (uids.to_vec(), gids.to_vec());
        self
    }
}
