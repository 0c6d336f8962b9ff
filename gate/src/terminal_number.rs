//! Terminals by the number that the kernel has for them.

use alloc::format;
use alloc::string::String;

/// The device file of a terminal's number, as it stands in field 7 of /proc/PID/stat
/// (proc_pid_stat(5)) and in st_rdev (stat(2)): twelve bits of major, and a minor in two pieces.
/// None for a driver that is not known here.
#[must_use]
pub fn device_file(number: u32) -> Option<String> {
    let major = (number >> 8) & 0xfff;
    let minor = (number & 0xff) | ((number >> 12) & 0xf_ff00);
    // Linux's Documentation/admin-guide/devices.txt
    Some(match (major, minor) {
        (136..=143, _) => format!("/dev/pts/{}", (major - 136) * 256 + minor),
        (4, 0..=63) => format!("/dev/tty{minor}"),
        (4, _) => format!("/dev/ttyS{}", minor - 64),
        (204, 64..) => format!("/dev/ttyAMA{}", minor - 64),
        (229, _) => format!("/dev/hvc{minor}"),
        _ => return None,
    })
}

/// The number of the controlling terminal in the text of /proc/PID/stat; none if there is no
/// terminal, or the text is not of that file.
#[must_use]
pub fn controlling(stat: &[u8]) -> Option<u32> {
    Job::read(stat)?.terminal
}

/// Job control's view of a process, as it stands in /proc/PID/stat (proc_pid_stat(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// its process group
    pub group: i32,
    /// its session
    pub session: i32,
    /// number of the controlling terminal; none: it has none
    pub terminal: Option<u32>,
    /// the process group in the foreground of that terminal
    foreground: i32,
}

impl Job {
    /// Reads the text of the file; none if it is not one. The name of the program, in parentheses,
    /// may hold anything.
    #[must_use]
    pub fn read(stat: &[u8]) -> Option<Self> {
        let end = stat.iter().rposition(|&byte| byte == b')')?;
        let text = core::str::from_utf8(&stat[end + 1..]).ok()?;
        let mut fields = text.split_ascii_whitespace().skip(2);
        let mut field = || fields.next()?.parse::<i32>().ok();
        Some(Self {
            group: field()?,
            session: field()?,
            terminal: Some(field()?.cast_unsigned()).filter(|number| *number != 0),
            foreground: field()?,
        })
    }

    /// True if the process is in the foreground of its controlling terminal.
    #[must_use]
    pub fn is_in_foreground(&self) -> bool {
        self.terminal.is_some() && self.group > 0 && self.group == self.foreground
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_terminal_of_a_process_is_found_whatever_its_name() {
        let stat = b"7 (a) R 1 (b) S 1 7 7 34819 7 4194304 0";
        assert_eq!(controlling(stat), Some(34819));
        assert_eq!(controlling(b"7 (a) S 1 7 7 0 -1 4194304 0"), None);
        assert_eq!(controlling(b"7 (a"), None);
        let is_in_foreground = |stat| Job::read(stat).is_some_and(|job| job.is_in_foreground());
        assert!(is_in_foreground(stat));
        assert!(!is_in_foreground(b"7 (a) T 1 7 7 34819 8 0"));
        assert!(!is_in_foreground(b"7 (a) T 1 0 7 34819 0 0"));
        assert!(!is_in_foreground(b"7 (a) T 1 7 7 0 7 0"));
        assert_eq!(device_file(34819).as_deref(), Some("/dev/pts/3"));
        assert_eq!(device_file((137 << 8) | 4).as_deref(), Some("/dev/pts/260"));
        // the kernel gives all pseudo-terminals major 136, and minors beyond 255
        let high = (136 << 8) | 4 | (1 << 20);
        assert_eq!(device_file(high).as_deref(), Some("/dev/pts/260"));
        assert_eq!(device_file((4 << 8) | 1).as_deref(), Some("/dev/tty1"));
        assert_eq!(device_file((4 << 8) | 65).as_deref(), Some("/dev/ttyS1"));
        assert_eq!(device_file(1), None);
    }
}
