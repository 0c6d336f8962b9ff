//! What a user, with whatever help an accident of root's gives, can put at `$A/b`.

/// Something at the path, as lines of shell: root's, in which `as_alice` runs a line as her.
pub struct Attack {
    pub name: &'static str,
    pub make: &'static str,
    /// keeps running meanwhile: a command of `hostile`
    pub meanwhile: Option<&'static str>,
    /// a directory as it should be: the login must succeed
    pub harmless: bool,
    /// root takes it away again, beyond `rm -rf $A`
    pub undo: &'static str,
}

const fn attack(name: &'static str, make: &'static str) -> Attack {
    Attack {
        name,
        make,
        meanwhile: None,
        harmless: false,
        undo: "",
    }
}

pub const ATTACKS: &[Attack] = &[
    Attack {
        harmless: true,
        ..attack("a directory", "as_alice mkdir -p $A/b")
    },
    attack(
        "a link",
        "as_alice mkdir $A; as_alice ln -s /srv/victim/b $A/b",
    ),
    attack("a link on the way", "as_alice ln -s /srv/victim $A"),
    attack(
        "a relative link",
        "as_alice mkdir $A; as_alice ln -s ../../../srv/victim/b $A/b",
    ),
    attack(
        "a link into /proc",
        "as_alice mkdir $A; as_alice ln -s /proc/1/root/srv/victim/b $A/b",
    ),
    attack(
        "a link to nothing",
        "as_alice mkdir $A; as_alice ln -s /srv/none $A/b",
    ),
    attack(
        "a link to itself",
        "as_alice mkdir $A; as_alice ln -s b $A/b",
    ),
    attack("a FIFO", "as_alice mkdir $A; as_alice mkfifo $A/b"),
    attack(
        "a socket",
        "as_alice mkdir $A; as_alice hostile socket $A/b",
    ),
    attack(
        "a device node",
        "as_alice mkdir $A; mknod $A/b c 1 3; chown alice $A/b",
    ),
    attack("a file", "as_alice mkdir $A; as_alice touch $A/b"),
    attack(
        "a hard link of root's",
        "as_alice mkdir $A; ln /home/of-root $A/b",
    ),
    attack("missing", "as_alice mkdir $A"),
    attack("missing from the start", ":"),
    attack("a closed directory", "as_alice mkdir -p $A/b; chmod 0 $A/b"),
    attack(
        "in a closed directory",
        "as_alice mkdir -p $A/b; chmod 0 $A",
    ),
    attack(
        "somebody else's",
        "as_alice mkdir $A; mkdir $A/b; chown bob $A/b",
    ),
    Attack {
        undo: "umount $A/b",
        ..attack(
            "a mount of root's",
            "as_alice mkdir -p $A/b; mount --bind /srv/open $A/b",
        )
    },
    Attack {
        meanwhile: Some("mount /srv/open $A/b"),
        ..attack("a mount of the user's own", "as_alice mkdir -p $A/b")
    },
    Attack {
        meanwhile: Some("fuse $A/b 1000"),
        undo: "umount -l $A/b 2>/dev/null",
        ..attack("a FUSE that hangs", "as_alice mkdir -p $A/b")
    },
    Attack {
        meanwhile: Some("fuse $A 1000"),
        undo: "umount -l $A 2>/dev/null",
        ..attack("in a FUSE that hangs", "as_alice mkdir $A")
    },
    Attack {
        meanwhile: Some("own $A/b 1000"),
        undo: "umount -l $A/b 2>/dev/null",
        ..attack("a FUSE of the user's own", "as_alice mkdir -p $A/b")
    },
    Attack {
        meanwhile: Some("own $A 1000"),
        undo: "umount -l $A 2>/dev/null",
        ..attack("in a FUSE of the user's", "as_alice mkdir $A")
    },
    Attack {
        meanwhile: Some("deaf $A 1000"),
        undo: "umount -l $A 2>/dev/null",
        ..attack("in a FUSE that is deaf", "as_alice mkdir $A")
    },
    Attack {
        meanwhile: Some("liar $A 1000 /srv/victim/b"),
        undo: "umount -l $A 2>/dev/null",
        ..attack("in a FUSE that lies", "as_alice mkdir $A")
    },
    Attack {
        meanwhile: Some("swap $A/b $A/c"),
        ..attack(
            "swapped with a link",
            "as_alice mkdir -p $A/b; as_alice ln -s /srv/victim/b $A/c",
        )
    },
    Attack {
        meanwhile: Some("swap $A $A.other"),
        undo: "rm -rf $A.other",
        ..attack(
            "on a way that is swapped",
            "as_alice mkdir -p $A/b; as_alice ln -s /srv/victim $A.other",
        )
    },
    Attack {
        meanwhile: Some("move $A/b $A/c"),
        ..attack("moved away and back", "as_alice mkdir -p $A/b")
    },
];
