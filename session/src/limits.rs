//! What ends a session though somebody is in it: its lifetime, and that nobody types.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use nsshell_config::Life;

/// Init's clock for the limits of a session.
pub(crate) struct Limits {
    ends: Option<Instant>,
    idle: Option<Duration>,
    /// before which nothing can have been idle for long enough
    look: Option<Instant>,
}

/// Which limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    /// `max_lifetime`
    Lifetime,
    /// `idle`
    Idle,
}

impl Limits {
    /// From now on.
    pub(crate) fn new(life: &Life) -> Limits {
        let now = Instant::now();
        let seconds = |time: Option<u32>| time.map(|time| Duration::from_secs(time.into()));
        let idle = seconds(life.idle);
        Limits {
            ends: seconds(life.max_lifetime).map(|time| now + time),
            idle,
            look: idle.map(|idle| now + idle),
        }
    }

    /// When to look again.
    pub(crate) fn next(&self) -> Option<Instant> {
        [self.ends, self.look].into_iter().flatten().min()
    }

    /// A login has just come: somebody is there.
    pub(crate) fn login(&mut self) {
        self.look = self.idle.map(|idle| Instant::now() + idle);
    }

    /// Whether a limit is reached now.
    pub(crate) fn reached(&mut self) -> Option<Reached> {
        let now = Instant::now();
        if self.ends.is_some_and(|ends| ends <= now) {
            return Some(Reached::Lifetime);
        }
        let (Some(idle), Some(look)) = (self.idle, self.look) else {
            return None;
        };
        if now < look {
            return None;
        }
        // Without a terminal nobody could type: a copy that runs for hours is not idle.
        let since = since_input().unwrap_or_default();
        match idle.checked_sub(since) {
            Some(left) if !left.is_zero() => {
                self.look = Some(now + left);
                None
            }
            _ => Some(Reached::Idle),
        }
    }
}

/// How long ago something was last typed on any terminal that a process of the caller's PID
/// namespace has; none if none has one. The time of last access of a terminal is that of its
/// last input, as w(1) shows it.
fn since_input() -> Option<Duration> {
    let newest = terminals()
        .iter()
        .filter_map(|path| std::fs::metadata(path).ok()?.accessed().ok())
        .max()?;
    Some(SystemTime::now().duration_since(newest).unwrap_or_default())
}

fn terminals() -> BTreeSet<PathBuf> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return BTreeSet::new();
    };
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            entry.file_name().to_str()?.parse::<u32>().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            terminal(tty_of(&stat)?)
        })
        .collect()
}

/// The number of the controlling terminal in a line of /proc/PID/stat (proc_pid_stat(5)). The
/// name of the program, in parentheses, may hold anything.
fn tty_of(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    let number: i32 = rest.split_ascii_whitespace().nth(4)?.parse().ok()?;
    Some(number.cast_unsigned()).filter(|number| *number != 0)
}

/// The device of a number (Linux's Documentation/admin-guide/devices.txt).
fn terminal(number: u32) -> Option<PathBuf> {
    let (major, minor) = (
        (number >> 8) & 0xfff,
        (number & 0xff) | ((number >> 12) & 0xf_ff00),
    );
    let name = match (major, minor) {
        (136..=143, _) => format!("pts/{}", (major - 136) * 256 + minor),
        (4, 0..=63) => format!("tty{minor}"),
        (4, _) => format!("ttyS{}", minor - 64),
        (204, 64..) => format!("ttyAMA{}", minor - 64),
        (229, _) => format!("hvc{minor}"),
        _ => return None,
    };
    Some(Path::new("/dev").join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_terminal_of_a_process_is_found_whatever_its_name() {
        let stat = "7 (a) R 1 (b) S 1 7 7 34819 7 4194304 0";
        assert_eq!(tty_of(stat), Some(34819));
        assert_eq!(tty_of("7 (a) S 1 7 7 0 -1 4194304 0"), None);
        assert_eq!(tty_of("7 (a"), None);
        let path = |number| terminal(number).map(|path| path.display().to_string());
        assert_eq!(path(34819).as_deref(), Some("/dev/pts/3"));
        assert_eq!(path((137 << 8) | 4).as_deref(), Some("/dev/pts/260"));
        // the kernel gives all pseudo-terminals major 136, and minors beyond 255
        assert_eq!(
            path((136 << 8) | 4 | (1 << 20)).as_deref(),
            Some("/dev/pts/260")
        );
        assert_eq!(path((4 << 8) | 1).as_deref(), Some("/dev/tty1"));
        assert_eq!(path((4 << 8) | 65).as_deref(), Some("/dev/ttyS1"));
        assert_eq!(path(1), None);
    }

    #[test]
    fn a_lifetime_is_reached_when_it_is_over_and_not_before() {
        let life = |max_lifetime| Life {
            max_lifetime,
            ..Life::default()
        };
        assert_eq!(
            Limits::new(&life(Some(0))).reached(),
            Some(Reached::Lifetime)
        );
        assert_eq!(Limits::new(&life(Some(100))).reached(), None);
        assert_eq!(Limits::new(&life(None)).next(), None);
    }
}
