//! What `nsctl check` finds of the places that a policy names, on a host of known files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::path::{Path, PathBuf};

use crate::common::{account, parse};
use nsshell_config::{
    Account, Error, Facts, Found, Host, IdKind, Layer, Policy, PolicyFile, Range, lint,
};

/// A host of these files: what is not a directory ends in a name with a dot, and `/link` leads to
/// `/real`.
struct Files(&'static [&'static str], [Account; 1]);

impl Host for Files {
    fn groups(&self, _: &Account) -> Result<Vec<String>, Error> {
        Ok(vec![])
    }
    fn primary_group(&self, _: &Account) -> Result<String, Error> {
        Ok("users".to_owned())
    }
    fn ranges(&self, _: &Account, _: IdKind) -> Result<Vec<Range>, Error> {
        Ok(vec![Range {
            start: 100_000,
            count: 65536,
        }])
    }
    fn hostname(&self) -> Result<String, Error> {
        Ok("mill".to_owned())
    }
}

impl Facts for Files {
    fn accounts(&self) -> &[Account] {
        &self.1
    }
    fn account(&self, name: &str) -> Option<Account> {
        Some(account(name, 1000))
    }
    fn has_group(&self, _: &str) -> bool {
        true
    }
    fn is_directory(&self, path: &Path) -> bool {
        self.exists(path) && path.extension().is_none()
    }
    fn exists(&self, path: &Path) -> bool {
        let is_link = path.starts_with("/link") || path.starts_with("/jail/link");
        is_link || self.0.iter().any(|one| Path::new(one).starts_with(path))
    }
    fn loose_above(&self, _: &Path) -> Option<(PathBuf, String)> {
        None
    }
    fn is_program(&self, _: &Path) -> bool {
        true
    }
    fn look(&self, path: &Path) -> Found {
        match path.strip_prefix("/link") {
            Ok(rest) => Found::Link(Some(Path::new("/real").join(rest))),
            Err(_) if path.starts_with("/jail/link") => Found::Link(Some("/etc".into())),
            Err(_) if self.is_directory(path) => Found::Directory,
            Err(_) if self.exists(path) => Found::File,
            Err(_) => Found::Missing,
        }
    }
}

fn host_of(paths: &'static [&'static str]) -> Files {
    Files(paths, [account("alice", 1000)])
}

fn said_of(keys: &str) -> Vec<String> {
    let host = host_of(&[
        "/tmp",
        "/etc",
        "/data/x",
        "/dev/shm",
        "/jail/srv",
        "/jail/link",
        "/home",
    ]);
    let base = match keys.contains("private") {
        true => "",
        false => "private = []\n",
    };
    let text = format!("[profile.standard]\n{keys}\n{base}");
    let found = lint(&parse(&text), &host);
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn the_target_of_a_bind_has_to_be_there_unless_the_session_has_room_for_it() {
    let want = "p.toml:2:10: /nowhere/at/all, the target of a bind of profile `standard`, does not \
                exist; make it, or say optional = true";
    assert_eq!(
        said_of("binds = [{ source = '/etc', target = '/nowhere/at/all' }]"),
        [want]
    );
    // what is another place for each user hides only what may be in it
    for other in ["'/srv/{user}'", "'{home}/.cache'"] {
        let keys = format!(
            "binds = [{{ source = '/etc', target = '/nowhere/at/all' }}]\nprivate = [{other}]"
        );
        assert_eq!(said_of(&keys), [want], "{other}");
    }
    let jail = "p.toml:2:10: /data/x, the target of a bind of profile `standard`, does not exist; \
                make it, or say optional = true";
    let keys = "binds = [{ source = '/etc', target = '/data/x' }]\nroot = '/jail'";
    assert_eq!(said_of(keys), [jail]);
    for keys in [
        "binds = [{ source = '/etc', target = '/data/x' }]",
        "binds = [{ source = '/etc', target = '/nowhere', optional = true }]",
        "binds = [{ source = '/etc', target = '/tmp/x/y' }]\nprivate = ['/tmp']",
        "binds = [{ source = '/etc', target = '/home/{user}/x' }]",
        "binds = [{ source = '/etc', target = '/srv/a/x' }]\nprivate = ['/srv/{user}']",
        "binds = [{ source = '/etc', target = '/home/alice/x/y' }]\nprivate = ['{home}/x']",
        "binds = ['/data', { source = '/etc', target = '/data/y' }]",
        "binds = [{ source = '/etc', target = '/home/x' }]\nhide_homes = ['/home']",
        "binds = [{ source = '/etc', target = '/run/user/x' }]",
        "binds = [{ source = '/etc', target = '/dev/x' }]\ndev = 'minimal'",
        "binds = [{ source = '/etc', target = '/x' }]\nroot = '/jail'",
        "binds = [{ source = '/etc', target = '/run/x/y' }]\nroot = '/jail'",
        "binds = [{ source = '/etc', target = '/srv' }]\nroot = '/jail'",
    ] {
        assert_eq!(said_of(keys), [""; 0], "{keys}");
    }
}

#[test]
fn what_leads_over_a_symbolic_link_is_told_with_the_real_path() {
    let told = |place: &str, path: &str, help: &str| {
        format!(
            "p.toml:{place}: {path} of profile `standard` leads over a symbolic link, which no \
             session follows; name {help}"
        )
    };
    let cases = [
        ("private = ['/link/a']", "2:12", "/link/a", "/real/a"),
        (
            "private = [{ path = '/link', optional = true }]",
            "2:21",
            "/link",
            "/real/",
        ),
        ("masked = ['/link/a']", "2:11", "/link/a", "/real/a"),
        ("read_only = ['/link/a']", "2:14", "/link/a", "/real/a"),
        ("unmounted = ['/link/a']", "2:14", "/link/a", "/real/a"),
        ("hide_homes = ['/link/a']", "2:15", "/link/a", "/real/a"),
        ("binds = ['/link/a']", "2:10", "/link/a", "/real/a"),
        (
            "binds = [{ source = '/etc', target = '/link/a' }]",
            "2:10",
            "/link/a",
            "/real/a",
        ),
        (
            "private = [{ path = '/tmp', instance = '/link/a' }]",
            "2:40",
            "/link/a",
            "/real/a",
        ),
        (
            "masked = ['/link']\nroot = '/jail'",
            "2:11",
            "/link",
            "the real path",
        ),
    ];
    for (keys, place, path, help) in cases {
        assert_eq!(said_of(keys), [told(place, path, help)], "{keys}");
    }
    let exposed = "p.toml:2:11: warning: /link/socket leads over a symbolic link, which no session \
                   follows: profile `standard` exposes nothing by it; name the real path";
    assert_eq!(said_of("expose = ['/link/socket', '/etc/none']"), [exposed]);
    // the session has its own there
    assert_eq!(
        said_of("private = ['/tmp', '/dev/shm']\ndev = 'minimal'"),
        [""; 0]
    );
}

#[test]
fn what_two_files_of_one_layer_set_at_the_top_or_extend_is_told() {
    let file = |name: &str, layer, text: &str| PolicyFile {
        name: name.to_owned(),
        text: text.to_owned(),
        layer,
    };
    let (a, b) = (
        "default = 'none'\nexempt = ['@a']\n[profile.standard]\nextends = 'x'\n",
        "default = 'x'\nexempt = ['@b']\n[profile.standard]\nextends = []\n",
    );
    let main = "default = 'x'\n[profile.x]\ngrace = 1\n";
    let files = vec![
        file("a", Layer::DropIn, a),
        file("b", Layer::DropIn, b),
        file("main", Layer::Main, main),
    ];
    let found = lint(
        &Policy::from_files(files).unwrap(),
        &host_of(&["/tmp", "/var/tmp"]),
    );
    let told: Vec<_> = found.iter().map(ToString::to_string).collect();
    let holds = "is set in another file as well, which holds";
    let want = [
        format!("b:1:11: warning: `default` {holds}"),
        format!("b:2:10: warning: `exempt` {holds}"),
        format!("b:4:11: warning: `extends` of profile `standard` {holds}"),
    ];
    assert_eq!(told, want);
}
