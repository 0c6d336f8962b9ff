//! `nsctl ls`: live sessions.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cli::LsArguments;
use crate::error::Error;
use crate::host::{self, Record};
use crate::table;

/// Prints the live sessions, oldest first.
pub(crate) fn run(arguments: &LsArguments, out: &mut impl Write) -> Result<(), Error> {
    let records = host::sessions()?;
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &records).map_err(crate::error::json)?;
        writeln!(out)?;
        return Ok(());
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    for line in table::columns(&rows(&records, now)) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn rows(records: &[Record], now: u64) -> Vec<Vec<String>> {
    let head = ["SESSION", "USER", "SERVICE", "TTY", "PROFILE", "AGE", "PID"];
    let row = |record: &Record| {
        vec![
            record.session.clone(),
            record.user.clone(),
            record.service.clone(),
            record.tty.clone().unwrap_or_else(|| "-".to_owned()),
            record.profile.clone(),
            // a clock that was set back makes nobody older than 0
            table::age(now.saturating_sub(record.started)),
            record.pid.to_string(),
        ]
    };
    std::iter::once(head.map(str::to_owned).to_vec())
        .chain(records.iter().map(row))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_one_line_whatever_its_terminal_is_called() {
        let record = Record {
            session: "k3".to_owned(),
            user: "alice".to_owned(),
            uid: 1000,
            service: "sshd".to_owned(),
            tty: None,
            rhost: Some("192.0.2.1".to_owned()),
            profile: "standard".to_owned(),
            pid: 4711,
            started: 1000,
            ..Record::default()
        };
        let evil = Record {
            tty: Some("a\nb".to_owned()),
            started: 9999,
            ..record.clone()
        };
        let want = [
            "SESSION  USER   SERVICE  TTY   PROFILE   AGE  PID",
            "k3       alice  sshd     -     standard  2m   4711",
            "k3       alice  sshd     a\\nb  standard  0s   4711",
        ];
        assert_eq!(table::columns(&rows(&[record, evil], 1120)), want);
    }
}
