//! A configuration of pam_namespace and the policy that `nsctl import` makes of it give the same
//! view: one host, where `su` has pam_namespace and `su-l` has the product.

mod field;

use nsshell_tests::{Host, root_or_skip};

/// A service of a host as it is without either module, and one line more.
fn stack(line: &str) -> String {
    format!(
        "auth sufficient pam_rootok.so\nauth required pam_unix.so\naccount required pam_unix.so\n\
         session required pam_unix.so\n{line}\n"
    )
}

const NAMESPACE_CONF: &str = "\
/tmp /tmp-inst/ tmpfs:mntopts=size=64m,mode=1755:noinit
/var/tmp any tmpfs:noinit root
/srv/pool any tmpfs:mntopts=size=1m,mode=1777,nosuid,nodev:noinit ~bob,root
/srv/own/$USER any tmpfs:mntopts=mode=755:noinit ~alice
$HOME/private/ any tmpfs:noinit root,bob
/opt/late any tmpfs:mntopts=size=0x100000:noinit carol
";

/// For each directory: its content, the kind, mode and owner of what is there, and the options of
/// a mount of its own; and its size if the configuration gives one. Where it gives none, both
/// have half of the memory, which the kernel rounds down for pam_namespace and up for "50%".
const LOOK: &str = "for d in /tmp /var/tmp /srv/pool /srv/own/alice ~/private /opt/late /srv; do \
    case $d in /tmp|/srv/pool|/opt/late) form='%T %b*%S';; *) form=%T;; esac; \
    echo \"$d: $(ls -A $d 2>&1 | tr '\\n' ' ') \
    $(stat -f -c \"$form\" $d) $(stat -c '%a %U:%G' $d) \
    $(awk -v d=$d '$5 == d { n = $6 } END { print n }' /proc/self/mountinfo | tr , '\\n' | \
      grep -v '^rw$\\|atime' | sort | tr '\\n' ' ')\"; done; \
    for n in ipc pid user uts net cgroup; do readlink /proc/self/ns/$n; done; \
    ls -d /run/user; cat /srv/outside";

fn host() -> Host {
    let users = ["alice", "bob", "carol"];
    let builder = users
        .iter()
        .fold(Host::builder().installed(), |builder, user| {
            builder.user(user)
        });
    builder
        .without_sshd()
        .file("/etc/security/namespace.conf", 0o644, NAMESPACE_CONF)
        .file(
            "/etc/pam.d/su",
            0o644,
            &stack("session required pam_namespace.so"),
        )
        .file(
            "/etc/pam.d/su-l",
            0o644,
            &stack("session required pam_nsshell.so"),
        )
        .prepare("mkdir -p /srv/pool /srv/own/alice /opt/late /root/private /run/user /etc/nsshell")
        .prepare("for u in alice bob carol; do install -d -o $u -g $u /home/$u/private; done")
        .prepare(
            "for d in /tmp /var/tmp /srv /srv/pool /srv/own/alice /opt/late /root/private \
             /home/*/private; do echo outside >$d/outside; chmod a+r $d/outside; done",
        )
        .start()
}

/// What a user sees by pam_namespace and by the product.
fn views(host: &Host, user: &str) -> (String, String) {
    let look = |option: &str| {
        host.cmd(&format!("exec su {option} {user} -c \"$LOOK\""))
            .env("LOOK", LOOK)
            .output()
            .ok()
    };
    (look(""), look("-l"))
}

#[test]
fn an_imported_policy_gives_the_view_that_pam_namespace_gave() {
    root_or_skip!();
    let host = host();
    // the service is another one here, since both modules are in force on one host
    host.run("mkdir /root/pam && cp /etc/pam.d/su /root/pam/su-l")
        .ok();
    host.run(
        "nsctl import /etc/security/namespace.conf --pam /root/pam/su-l >/etc/nsshell/nsshell.toml",
    )
    .ok();
    host.run("nsctl check").ok();
    let users = [
        ("root", ["/tmp", "/srv/pool", "/opt/late"].as_slice()),
        (
            "alice",
            &[
                "/tmp",
                "/var/tmp",
                "/srv/own/alice",
                "/home/alice/private",
                "/opt/late",
            ],
        ),
        ("bob", &["/tmp", "/var/tmp", "/srv/pool", "/opt/late"]),
        ("carol", &["/tmp", "/var/tmp", "/home/carol/private"]),
    ];
    for (user, private) in users {
        let (before, now) = views(&host, user);
        let strict = |view: &str| {
            let line = |line: &str| line.replace(" nodev", "").replace(" nosuid", "");
            view.lines().map(line).collect::<Vec<_>>().join("\n")
        };
        // Private directories here are stricter: what pam_namespace has without these two.
        assert_eq!(strict(&before), strict(&now), "{user}");
        for view in [&before, &now] {
            let empty = view.lines().filter_map(|line| {
                let (path, rest) = line.split_once(": ")?;
                let is_private = !rest.contains("outside") && rest.contains("tmpfs");
                is_private.then_some(path)
            });
            assert_eq!(empty.collect::<Vec<_>>(), private, "{user}: {view}");
            assert!(view.ends_with("outside"), "{view}");
        }
        let words: Vec<_> = now.split_whitespace().take(5).collect();
        assert_eq!(words, ["/tmp:", "tmpfs", "16384*4096", "1755", "root:root"]);
    }
    // and a service that the policy is not for is left alone
    let plan = host.run("nsctl explain alice --service sshd").ok();
    assert!(plan.contains("the login stays as it is"), "{plan}");
}
