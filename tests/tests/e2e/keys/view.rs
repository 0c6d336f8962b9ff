//! The keys of what a session sees of the file system.

use super::{Case, case, unlike};

/// Whether a file that alice makes in a directory is there at her next login.
const STAYS: &str =
    "su alice -c 'touch /tmp/x'; su alice -c 'test -e /tmp/x && echo kept || echo gone'";

/// Whether alice can write in /srv, where everybody can.
const WRITES: &str =
    "chmod 1777 /srv; su alice -c 'touch /srv/x 2>/dev/null && echo written || echo refused'";

const FILLS: &str =
    "su alice -c 'head -c 1000000 /dev/zero > ~/x 2>/dev/null && echo fits || echo full'";

const MANY_FILES: &str = "su alice -c 'cd ~; for i in $(seq 99); do : > f$i || exit; done' 2>/dev/null && echo fits || echo full";

const READS: &str =
    "echo open > /srv/s; chmod 644 /srv/s; su alice -c 'cat /srv/s 2>/dev/null || echo masked'";

const EPHEMERAL: &str = "[profile.standard]\nhome = 'ephemeral'";

const BOUND: &str = "[profile.standard]\nbinds = [{ source = '/srv' }]";

const IN: &str = "su alice -c 'echo in' 2>/dev/null || echo out";

pub(super) const CASES: &[Case] = &[
    case(
        "profile.home",
        EPHEMERAL,
        "su alice -c 'touch ~/x'; su alice -c 'test -e ~/x && echo kept || echo gone'",
        "gone",
        "kept",
    ),
    case(
        "profile.hide_homes",
        "[profile.standard]\nhide_homes = ['/home']",
        "mkdir /home/of-another; su alice -c 'test -e /home/of-another && echo seen || echo hidden; test -d ~ && echo own'",
        "hidden\nown",
        "seen\nown",
    ),
    case(
        "profile.binds",
        "[profile.standard]\nbinds = [{ source = '/etc', target = '/srv' }]",
        "su alice -c 'test -e /srv/passwd && echo bound || echo bare'",
        "bound",
        "bare",
    ),
    case(
        "profile.read_only",
        "[profile.standard]\nread_only = ['/srv']",
        WRITES,
        "refused",
        "written",
    ),
    case(
        "profile.masked",
        "[profile.standard]\nmasked = ['/srv/s']",
        READS,
        "masked",
        "open",
    ),
    case(
        "profile.unmounted",
        "[profile.standard]\nunmounted = ['/mnt']",
        "mount -t tmpfs t /mnt; touch /mnt/x; su alice -c 'test -e /mnt/x && echo mounted || echo bare'",
        "bare",
        "mounted",
    ),
    case(
        "profile.proc",
        "[profile.standard]\nproc = 'pids'",
        "su alice -c 'test -e /proc/meminfo && echo all || echo pids'",
        "pids",
        "all",
    ),
    case(
        "profile.hidepid",
        "[profile.standard]\nhidepid = 'invisible'",
        "su alice -c 'test -e /proc/1 && echo seen || echo hidden'",
        "hidden",
        "seen",
    ),
    case(
        "profile.dev",
        "[profile.standard]\ndev = 'minimal'",
        "touch /dev/of-the-host; su alice -c 'test -e /dev/of-the-host && echo host || echo minimal; echo > /dev/null && echo null'",
        "minimal\nnull",
        "host\nnull",
    ),
    case(
        "profile.sys",
        "[profile.standard]\nsys = 'hidden'",
        "su alice -c 'test -e /sys/class && echo host || echo hidden'",
        "hidden",
        "host",
    ),
    case(
        "profile.root",
        "[profile.standard]\nroot = '/srv/tree'\nhide_homes = ['/home']\nprivate = ['/tmp']\nbinds = ['/usr', '/etc']",
        "mkdir -m 755 -p /srv/tree/etc /srv/tree/usr /srv/tree/home /srv/tree/tmp /srv/tree/of-the-tree; cp -P /bin /sbin /lib /lib64 /srv/tree/ 2>/dev/null; su alice -c 'test -e /of-the-tree && echo tree || echo host'",
        "tree",
        "host",
    ),
    case(
        "profile.expose",
        "[profile.standard]\nexpose = ['x11']",
        "mkdir -m 1777 /tmp/.X11-unix; touch /tmp/.X11-unix/X7; su alice -c 'test -e /tmp/.X11-unix/X7 && echo seen || echo hidden'",
        "seen",
        "hidden",
    ),
    case(
        "profile.command",
        "[profile.standard]\ncommand = ['/bin/echo', 'the command']",
        "su alice -c 'echo the shell'",
        "the command",
        "the shell",
    ),
    unlike(
        "profile.pass_environment",
        "[profile.standard]\ncommand = ['/bin/sh', '-c', 'echo $TMOUT']\npass_environment = ['TMOUT']",
        "[profile.standard]\ncommand = ['/bin/sh', '-c', 'echo $TMOUT']",
        "TMOUT=passed su alice",
        "passed",
        "",
    ),
    case(
        "private.inodes",
        "[profile.standard]\nprivate = [{ path = '/tmp', inodes = 9 }]",
        "su alice -c 'cd /tmp; for i in $(seq 20); do : > f$i || exit; done' 2>/dev/null && echo fits || echo full",
        "full",
        "fits",
    ),
    case(
        "private.instance",
        "[profile.standard]\nprivate = [{ path = '/tmp', instance = '/var/lib/i/{user}' }]",
        STAYS,
        "kept",
        "gone",
    ),
    unlike(
        "private.contents",
        "[profile.standard]\nprivate = [{ path = '/tmp', instance = '/var/lib/i/{user}', contents = 'empty' }]",
        "[profile.standard]\nprivate = [{ path = '/tmp', instance = '/var/lib/i/{user}' }]",
        STAYS,
        "gone",
        "kept",
    ),
    unlike(
        "private.skeleton",
        "[profile.standard]\nprivate = [{ path = '/tmp', instance = '/var/lib/i/{user}', skeleton = '/srv/skel' }]",
        "[profile.standard]\nprivate = [{ path = '/tmp', instance = '/var/lib/i/{user}' }]",
        "mkdir /srv/skel; touch /srv/skel/s; su alice -c 'test -e /tmp/s && echo copied || echo empty'",
        "copied",
        "empty",
    ),
    case(
        "home.kind",
        "[profile.standard]\nhome = { kind = 'read-only' }",
        "su alice -c 'touch ~/x 2>/dev/null && echo written || echo refused'",
        "refused",
        "written",
    ),
    unlike(
        "home.skeleton",
        "[profile.standard]\nhome = { kind = 'ephemeral', skeleton = '/srv/skel' }",
        EPHEMERAL,
        "mkdir /srv/skel; touch /srv/skel/s; su alice -c 'test -O ~/s && echo copied || echo real'",
        "copied",
        "real",
    ),
    unlike(
        "home.store",
        "[profile.standard]\nhome = { kind = 'ephemeral', store = '/var/lib/store' }",
        EPHEMERAL,
        "su alice -c 'touch ~/x'; test -d /var/lib/store && echo disk || echo memory",
        "disk",
        "memory",
    ),
    unlike(
        "home.size",
        "[profile.standard]\nhome = { kind = 'ephemeral', size = '64k' }",
        EPHEMERAL,
        FILLS,
        "full",
        "fits",
    ),
    unlike(
        "home.inodes",
        "[profile.standard]\nhome = { kind = 'ephemeral', inodes = 20 }",
        EPHEMERAL,
        MANY_FILES,
        "full",
        "fits",
    ),
    unlike(
        "bind.source",
        "[profile.standard]\nprivate = ['/srv']\nbinds = [{ source = '/srv/a' }]",
        "[profile.standard]\nprivate = ['/srv']",
        "mkdir /srv/a /srv/b; su alice -c 'ls /srv'",
        "a",
        "",
    ),
    unlike(
        "bind.target",
        "[profile.standard]\nbinds = [{ source = '/etc', target = '/srv' }]",
        "[profile.standard]\nbinds = [{ source = '/etc' }]",
        "su alice -c 'test -e /srv/passwd && echo bound || echo bare'",
        "bound",
        "bare",
    ),
    unlike(
        "bind.options",
        "[profile.standard]\nbinds = [{ source = '/srv', options = ['ro'] }]",
        BOUND,
        WRITES,
        "refused",
        "written",
    ),
    unlike(
        "bind.recursive",
        "[profile.standard]\nbinds = [{ source = '/srv', recursive = false }]",
        BOUND,
        "mkdir /srv/m; mount -t tmpfs t /srv/m; touch /srv/m/x; su alice -c 'test -e /srv/m/x && echo beneath || echo alone'",
        "alone",
        "beneath",
    ),
    unlike(
        "bind.propagation",
        "[profile.standard]\nbinds = [{ source = '/srv', propagation = 'private' }]",
        BOUND,
        "mount --bind /srv /srv; mount --make-shared /srv; mkdir /srv/m; chmod 1777 /srv; su alice -c 'touch /srv/up; timeout 9 sh -c \"until test -e /srv/done; do sleep 0.05; done\"; test -e /srv/m/x && echo shows || echo hidden' & timeout 9 sh -c 'until test -e /srv/up; do sleep 0.05; done'; mount -t tmpfs t /srv/m; touch /srv/m/x /srv/done; wait",
        "hidden",
        "shows",
    ),
    unlike(
        "bind.ids",
        "[profile.standard]\nbinds = [{ source = '/srv/closed/x', target = '/mnt', ids = 'owner' }]",
        "[profile.standard]\nbinds = [{ source = '/srv/closed/x', target = '/mnt' }]",
        "mount -t tmpfs -o mode=700 t /srv; mkdir -m 700 -p /srv/closed/x; su alice -c 'touch /mnt/x 2>/dev/null && echo written || echo refused'",
        "written",
        "refused",
    ),
    unlike(
        "bind.optional",
        "[profile.standard]\nbinds = [{ source = '/not/there', optional = true }]",
        "[profile.standard]\nbinds = [{ source = '/not/there' }]",
        IN,
        "in",
        "out",
    ),
    case(
        "entry.path",
        "[profile.standard]\nmasked = [{ path = '/srv/s' }]",
        READS,
        "masked",
        "open",
    ),
    unlike(
        "entry.optional",
        "[profile.standard]\nmasked = [{ path = '/not/there', optional = true }]",
        "[profile.standard]\nmasked = [{ path = '/not/there' }]",
        IN,
        "in",
        "out",
    ),
];
