//! What a login with a plan would be refused for, on a host made of a table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::path::Path;

use crate::common::{Table, account, login, parse};
use nsshell_config::{Found, Obstacle, obstacle, resolve};

/// alice has a home; bob's is not there yet; /net is an automounter's; /link is a link.
fn look(path: &Path) -> Found {
    let directories = [
        "/",
        "/tmp",
        "/etc",
        "/home",
        "/home/alice",
        "/home/alice/x",
        "/skel",
        "/skel/s",
        "/jail",
    ];
    match path.to_str().unwrap() {
        one if one.starts_with("/net/") => Found::Hidden,
        one if one.starts_with("/link/") => Found::Link(Some(one.replace("/link", "/real").into())),
        one if directories.contains(&one) => Found::Directory,
        "/etc/file" | "/jail/file" => Found::File,
        _ => Found::Missing,
    }
}

fn of(user: &str, keys: &str) -> Option<Obstacle> {
    let base = match keys.contains("private") {
        true => "",
        false => "private = []\n",
    };
    let policy = parse(&format!("[profile.standard]\n{base}{keys}\n"));
    let account = account(user, 1000);
    let plan = resolve(&policy, &login("sshd"), &account, &Table::default()).unwrap();
    obstacle(&plan, &look)
}

#[test]
fn what_a_template_makes_missing_for_a_user_is_found() {
    let certain = [
        (
            "private = ['{home}/.cache']",
            "mounts on /home/alice/.cache, which does not exist; make it, or say optional = true in the profile",
        ),
        (
            "binds = ['/etc/{user}']",
            "binds /etc/alice, which does not exist; make it, or say optional = true in the profile",
        ),
        (
            "binds = [{ source = '/etc', target = '/opt/{user}' }]",
            "mounts on /opt/alice, which does not exist; make it, or say optional = true in the profile",
        ),
        (
            "private = ['/link/{user}']",
            "mounts on /link/alice, which leads over a symbolic link; name /real/alice",
        ),
        (
            "private = ['/etc/file']",
            "mounts on /etc/file, which is no directory",
        ),
        (
            "binds = [{ source = '/etc', target = '/etc/file' }]",
            "mounts on /etc/file, which is no directory",
        ),
        (
            "binds = [{ source = '/etc/file', target = '/tmp' }]",
            "mounts on /tmp, which is a directory",
        ),
        (
            "masked = ['/nowhere']",
            "mounts on /nowhere, which does not exist; make it, or say optional = true in the profile",
        ),
        (
            "hide_homes = ['/home']\nprivate = ['{home}/y']",
            "mounts on /home/alice/y, which does not exist; make it, or say optional = true in the profile",
        ),
    ];
    for (keys, want) in certain {
        let want = format!("profile \"standard\" {want}");
        assert_eq!(of("alice", keys), Some(Obstacle::Certain(want)), "{keys}");
    }
}

#[test]
fn what_is_there_or_is_made_or_may_be_missing_is_no_obstacle() {
    for keys in [
        "private = ['/tmp', '{home}/x']",
        "private = ['/tmp']\nbinds = [{ source = '/etc', target = '/tmp/a/{user}' }]",
        "private = [{ path = '{home}/.cache', optional = true }]",
        "binds = [{ source = '/etc/{user}', target = '/tmp', optional = true }]",
        "hide_homes = ['/home']\nprivate = ['{home}/x']",
        "hide_homes = ['/home']\nbinds = [{ source = '/etc', target = '/home/etc' }]",
        "home = { kind = 'ephemeral', skeleton = '/skel' }\nprivate = ['{home}/s']",
        "root = '/jail'\nbinds = [{ source = '/etc', target = '/{user}' }]",
        "root = '/jail'\nbinds = [{ source = '/etc/file', target = '/file' }]",
        "binds = [{ source = '/skel', target = '/tmp' }, { source = '/etc', target = '/tmp/s' }]",
        "expose = ['/etc/{user}']",
    ] {
        assert_eq!(of("alice", keys), None, "{keys}");
    }
    assert_eq!(of("root", "private = ['/none']"), None);
}

#[test]
fn what_cannot_be_seen_or_may_be_made_at_the_login_is_not_held_against_it() {
    let hidden = Obstacle::Perhaps(
        "profile \"standard\" binds /net/alice, which cannot be seen from here".to_owned(),
    );
    assert_eq!(
        of(
            "alice",
            "binds = [{ source = '/net/{user}', target = '/tmp' }]"
        ),
        Some(hidden)
    );
    let home = Obstacle::Perhaps(
        "profile \"standard\" mounts on /home/bob/.cache, and the home directory is not there yet"
            .to_owned(),
    );
    assert_eq!(of("bob", "private = ['{home}/.cache']"), Some(home));
    // what is certain counts for more
    let both = "binds = [{ source = '/net/{user}', target = '/tmp' }]\nmasked = ['/nowhere']";
    assert!(matches!(of("alice", both), Some(Obstacle::Certain(_))));
}
