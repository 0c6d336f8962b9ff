//! What ends a session though somebody is in it: its lifetime, and that nobody types.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use nsshell_config::Life;
use nsshell_gate::terminal_number;

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
            let stat = std::fs::read(entry.path().join("stat")).ok()?;
            let number = terminal_number::controlling(&stat)?;
            terminal_number::device_file(number).map(PathBuf::from)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
