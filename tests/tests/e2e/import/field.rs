//! Configurations of pam_namespace as they are in the field: what is commented out in Debian's
//! and Fedora's, and the example of the manual. A host with pam_namespace and one with the
//! imported policy show the same, login after login.

use nsshell_tests::{Host, root_or_skip};

use super::stack;

/// Flags and a method that none of those has.
const FLAGS: &str = "\
/tmp       /tmp-inst/       tmpdir:noinit root
/srv/made  /srv-inst/made/  user:create=01777,root,root:noinit root
/srv/pool  /srv-inst/pool/  level:shared:noinit root
";

const CONFIGURATIONS: [(&str, &str); 5] = [
    (
        "debian",
        include_str!("../../../../nsctl/tests/import/debian.conf"),
    ),
    (
        "fedora",
        include_str!("../../../../nsctl/tests/import/fedora.conf"),
    ),
    (
        "the manual",
        include_str!("../../../../nsctl/tests/import/manual.conf"),
    ),
    (
        "by user and in memory",
        include_str!("../../../../nsctl/tests/import/user.conf"),
    ),
    ("with flags", FLAGS),
];

/// For each directory: what is in it, whose it is, whether something is mounted on it. Then
/// leaves something for the next login.
const LOOK: &str = "for d in /tmp /var/tmp ~ /srv /srv/made /srv/pool; do \
    echo \"$d: $(ls -A $d 2>&1 | tr '\\n' ' ')| $(stat -c '%a %U:%G' $d 2>&1) | \
    $(awk -v d=$d '$5 == d { n++ } END { print n + 0 }' /proc/self/mountinfo)\"; \
    touch $d/of-$(id -un) 2>/dev/null; done; true";

fn host(conf: &str, module: &str) -> Host {
    Host::builder()
        .installed()
        .without_sshd()
        .file("/etc/security/namespace.conf", 0o644, conf)
        .file("/etc/pam.d/su", 0o644, &stack(&format!("session required {module}.so")))
        .user("alice")
        .user("bob")
        .prepare("mkdir -m 000 /tmp-inst /var/tmp/tmp-inst; mkdir /etc/nsshell")
        .prepare("mkdir /srv-inst; mkdir -m 000 /srv-inst/made /srv-inst/pool; mkdir -m 1777 /srv/pool")
        // The script of pam_namespace gives a new home the mode of login.defs(5), the import
        // that of the home: 755 both, here.
        .prepare("for u in alice bob; do echo outside > /home/$u/outside; chown $u /home/$u/outside; chmod 755 /home/$u; mkdir -m 000 /home/$u/$u.inst; done; chmod 755 /root; mkdir -m 000 /root/root.inst")
        .prepare("for d in /tmp /var/tmp /root /srv; do echo outside > $d/outside; done")
        .start()
}

/// What each user sees at two logins, one after the other.
fn views(host: &Host) -> String {
    let logins = ["alice", "bob", "root", "alice", "bob", "root"];
    let look = |user: &&str| {
        let line = host
            .cmd(&format!("exec su {user} -c \"$LOOK\""))
            .env("LOOK", LOOK);
        format!("-- {user}\n{}\n", line.output().ok())
    };
    logins.iter().map(look).collect()
}

#[test]
fn configurations_of_the_field_give_the_view_that_pam_namespace_gave() {
    root_or_skip!();
    for (name, conf) in CONFIGURATIONS {
        let before = views(&host(conf, "pam_namespace"));
        let ours = host(conf, "pam_nsshell");
        // The same stack with the old module tells the importer which service is meant.
        let old = stack("session required pam_namespace.so");
        ours.cmd("mkdir /opt/pam; cat > /opt/pam/su")
            .stdin(old)
            .output()
            .ok();
        ours.run("nsctl import /etc/security/namespace.conf --pam /opt/pam/su > /etc/nsshell/nsshell.toml")
            .ok();
        // `create` has no equal: what the policy says to do once instead, in `quotes`, is done.
        ours.run("grep -o '`install -d[^`]*`' /etc/nsshell/nsshell.toml | tr -d '`' | sh -ex")
            .ok();
        ours.run("nsctl check").ok();
        let now = views(&ours);
        assert_eq!(before, now, "{name}");
        // Alice has directories of her own, in which the second login finds what the first left,
        // unless they are made anew.
        assert!(
            before.contains("/tmp: | 1777 root:root | 1\n"),
            "{name}: {before}"
        );
        let kept = match conf == FLAGS {
            false => ["/tmp: of-alice "].as_slice(),
            // and one that is shared has no instance where SELinux is off
            true => &["/srv/made: of-alice | 1777", "/srv/pool: of-alice of-bob "],
        };
        for line in kept {
            assert!(before.contains(line), "{name}: {before}");
        }
        assert_eq!(
            conf == FLAGS,
            !before.contains("\n/tmp: of-alice "),
            "{name}: {before}"
        );
    }
}
