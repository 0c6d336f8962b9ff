//! Keys together: what one takes away no other brings back.

use super::{builder, differs, seen};
use nsshell_tests::root_or_skip;

/// A home of root's with directories for alice in it: there, mounts are root's to make and stay.
const HOME: &str = "set -e; chown root /home/alice; chmod 755 /home/alice
    mkdir -m 777 /home/alice/pub /home/alice/rest /home/alice/disk
    mount -t tmpfs -o mode=777 disk /home/alice/disk; touch /home/alice/disk/of-the-disk";

const WRITES: &str = "for dir in ~/pub ~/rest; do touch $dir/new 2>/dev/null && echo ${dir##*/}; done; ls ~/disk; ls /home";

#[test]
fn what_is_read_only_in_a_home_is_so_whatever_the_home_is() {
    root_or_skip!();
    let look = |keys: &str| seen(&builder(keys).prepare(HOME).start(), WRITES);
    for home in ["real", "ephemeral"] {
        let keys = format!("home = '{home}'\nhide_homes = ['/home']");
        let of_the_disk = match home {
            // An overlay shows nothing of what is mounted in the home.
            "ephemeral" => "",
            _ => " of-the-disk",
        };
        let all = format!("pub rest{of_the_disk} alice");
        assert_eq!(look(&keys), all, "{home}");
        let keys = format!("{keys}\nread_only = ['/home/alice/pub']");
        assert_eq!(look(&keys), format!("rest{of_the_disk} alice"), "{home}");
    }
}

#[test]
fn a_read_only_system_has_a_read_only_home_even_if_other_homes_are_hidden() {
    root_or_skip!();
    let line = "touch ~/new 2>/dev/null && echo wrote; ls /home";
    for above in ["/", "/home", "/home/alice"] {
        let keys = format!("read_only = ['{above}']\nhide_homes = ['/home']");
        differs(&keys, line, "alice", "wrote alice bob");
    }
    differs(
        "hide_homes = ['/home']",
        line,
        "wrote alice",
        "wrote alice bob",
    );
    // A home that is gone at the end is the session's own, as /tmp is.
    let keys = "read_only = ['/']\nhide_homes = ['/home']\nhome = 'ephemeral'";
    differs(keys, line, "wrote alice", "wrote alice bob");
}

#[test]
fn what_is_unmounted_in_a_home_is_not_brought_back_with_it() {
    root_or_skip!();
    let look = |keys: &str| seen(&builder(keys).prepare(HOME).start(), "ls ~/disk; ls /home");
    let hidden = "hide_homes = ['/home']";
    assert_eq!(look(hidden), "of-the-disk alice");
    let keys = format!("{hidden}\nunmounted = ['/home/alice/disk']");
    assert_eq!(look(&keys), "alice");
}

#[test]
fn what_the_host_mounts_later_is_not_beneath_a_bind_with_options() {
    root_or_skip!();
    let later = |options: &str| {
        let policy =
            format!("binds = [{{ source = '/srv/open', target = '/srv/target'{options} }}]");
        let host = builder(&policy)
            .prepare("mount --bind /srv/open /srv/open && mount --make-shared /srv/open; mkdir -m 777 /srv/open/on")
            .start();
        let mut alice = host.session("alice");
        host.run("mount -t tmpfs -o mode=777 later /srv/open/on; touch /srv/open/on/later")
            .ok();
        let line = "touch /srv/target/on/new 2>/dev/null && echo wrote; ls /srv/target/on";
        alice.ask(line).text().trim().replace('\n', " ")
    };
    assert_eq!(later(""), "wrote later new");
    assert_eq!(later(", options = ['ro']"), "");
    // As the policy says, with what it says of it.
    let said = later(", options = ['ro'], propagation = 'slave'");
    assert_eq!(said, "wrote later new");
}
