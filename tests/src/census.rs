use std::collections::BTreeSet;

use crate::Host;

/// What there is in a host that a session may leave behind. A thing is a line such as
/// `process 12 sshd` or `namespace mnt:[4026532200]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Census {
    things: BTreeSet<String>,
}

/// Prints a line for each thing, but the processes of its own process group: the count must not
/// count itself.
///
/// The machine's cgroups are in sight: those of other test hosts, which run at the same time, are
/// passed by.
///
/// A namespace is alive while a process is in it, has a descriptor of it or a bind mount of its
/// nsfs file; the kernel has no list of them all.
const COUNT: &str = r#"
me=$(ps -o pgid= -p $$ | tr -d ' ')
for pid in $(ps -e -o pid=,pgid= | awk -v me="$me" '$2 != me { print $1 }'); do
    comm=$(cat /proc/$pid/comm 2>/dev/null) || continue
    echo "process $pid $comm"
    find /proc/$pid/ns /proc/$pid/fd -type l -printf '%l\n' 2>/dev/null |
        grep -E '^(cgroup|ipc|mnt|net|pid|time|user|uts):\[' | sed 's/^/namespace /'
    sed "s/^[^ ]* [^ ]* [^ ]* \([^ ]*\) \([^ ]*\) .* - \([^ ]*\) .*/\3 \1 on \2/" /proc/$pid/mountinfo 2>/dev/null |
        sed -n 's/^nsfs /pinned namespace /p'
done
lsns --noheadings --output TYPE,NS | sed 's/ *\([a-z]*\) *\([0-9]*\)/namespace \1:[\2]/'
sed 's/^\([^ ]*\) [^ ]* [^ ]* \([^ ]*\) \([^ ]*\) .*/mount \1 \2 on \3/' /proc/1/mountinfo
find /run/nsshell /sys/fs/cgroup -mindepth 1 -name 'nsshell-testhost-*' -prune -o \( -type d -printf 'directory %p\n' -o -printf 'file %p\n' \) 2>/dev/null | grep -v -e '^file /sys' -e '^directory /run/nsshell/sessions$' -e '^directory /run/nsshell/users$'
find /tmp /var/tmp /dev/shm /dev/mqueue -mindepth 1 -printf 'file %p\n'
ipcs -a | awk '/^0x/ { print "ipc " $0 }'
"#;

impl Census {
    pub(crate) fn take(host: &Host) -> Self {
        let text = host.argv(&["setsid", "bash", "-c", COUNT]).output().ok();
        Self {
            things: text.lines().map(str::to_owned).collect(),
        }
    }

    /// The things whose line begins with `kind`.
    #[must_use]
    pub fn of(&self, kind: &str) -> Vec<&str> {
        self.things
            .iter()
            .map(String::as_str)
            .filter(|thing| thing.starts_with(kind))
            .collect()
    }

    /// What is here and was not at `before`.
    #[must_use]
    pub fn without(&self, before: &Self) -> Vec<String> {
        self.things.difference(&before.things).cloned().collect()
    }
}
