//! Every place of a policy where a path can lead through what a user can change.

use super::attacks::Attack;

/// A use of the path `$A/b` = /home/alice/a/b, or of a path beneath alice's home.
pub struct Path {
    pub name: &'static str,
    pub policy: &'static str,
    /// the path has to be root's, so that even a proper directory of alice's is refused
    pub always_refused: bool,
    /// it may be a file as well, or missing
    pub needs_no_directory: bool,
    /// the line of namespace.conf(5) that comes closest
    pub peer: Option<&'static str>,
}

impl Path {
    /// Whether the attack is one: where the path means a file or nothing, some are not.
    pub fn can_be(&self, attack: &Attack) -> bool {
        !(self.needs_no_directory && attack.harmless)
    }
}

const fn path(name: &'static str, policy: &'static str) -> Path {
    Path {
        name,
        policy,
        always_refused: false,
        needs_no_directory: false,
        peer: None,
    }
}

pub const PATHS: &[Path] = &[
    Path {
        peer: Some("/home/alice/a/b tmpfs tmpfs root"),
        ..path("private", "private = ['/home/alice/a/b']")
    },
    Path {
        peer: Some("$HOME/a/b tmpfs tmpfs root"),
        ..path("private by template", "private = ['{home}/a/b']")
    },
    Path {
        peer: Some("/home/alice/a/b /srv/instances/ user root"),
        ..path(
            "instance's target",
            "private = [{ path = '{home}/a/b', instance = '/srv/instances/{user}' }]",
        )
    },
    path(
        "bind's target",
        "binds = [{ source = '/srv/data', target = '{home}/a/b' }]",
    ),
    path(
        "bind's source",
        "binds = [{ source = '{home}/a/b', target = '/mnt' }]",
    ),
    Path {
        always_refused: true,
        ..path("read_only", "read_only = ['/home/alice/a/b']")
    },
    Path {
        always_refused: true,
        ..path("masked", "masked = ['/home/alice/a/b']")
    },
    Path {
        always_refused: true,
        ..path("unmounted", "unmounted = ['/home/alice/a/b']")
    },
    Path {
        needs_no_directory: true,
        ..path(
            "exposed",
            "private = ['/mnt']\nbinds = [{ source = '{home}', target = '/mnt/h', options = ['ro'] }]\nexpose = ['{home}/a/b']",
        )
    },
    Path {
        always_refused: true,
        ..path("hide_homes", "hide_homes = ['/home/alice/a/b']")
    },
    Path {
        always_refused: true,
        peer: Some("/mnt /home/alice/a/b/ user root"),
        ..path(
            "store of instances",
            "private = [{ path = '/mnt', instance = '/home/alice/a/b/{user}' }]",
        )
    },
    Path {
        always_refused: true,
        ..path(
            "skeleton",
            "private = [{ path = '/mnt', instance = '/srv/fresh/{session}', skeleton = '/home/alice/a/b' }]",
        )
    },
    Path {
        always_refused: true,
        ..path(
            "store of homes",
            "home = { kind = 'ephemeral', store = '/home/alice/a/b' }",
        )
    },
    Path {
        always_refused: true,
        ..path(
            "skeleton of homes",
            "home = { kind = 'ephemeral', skeleton = '/home/alice/a/b' }",
        )
    },
    Path {
        always_refused: true,
        ..path(
            "bind's source with ids",
            "binds = [{ source = '/home/alice/a/b', target = '/mnt', ids = 'owner' }]",
        )
    },
    Path {
        always_refused: true,
        ..path(
            "root",
            "root = '/home/alice/a/b'\nnamespaces = ['mount', 'ipc', 'pid', 'uts']",
        )
    },
];
