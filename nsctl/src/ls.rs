//! `nsctl ls`: live sessions.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cli::LsArguments;
use crate::error::Error;
use crate::host::{self, Record, Usage};
use crate::table;

/// A session with what it has written to where it will be gone.
#[derive(serde::Serialize)]
struct Row {
    #[serde(flatten)]
    record: Record,
    /// null if it cannot be seen
    files: Option<Usage>,
}

/// Prints the live sessions, oldest first.
pub(crate) fn run(arguments: &LsArguments, out: &mut impl Write) -> Result<(), Error> {
    let sessions: Vec<Row> = host::sessions()?
        .into_iter()
        .map(|record| Row {
            files: host::usage(&record),
            record,
        })
        .collect();
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &sessions).map_err(crate::error::json)?;
        writeln!(out)?;
        return Ok(());
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    for line in table::columns(&rows(&sessions, now)) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// What is in memory, of how much at most; for what is on disk only that there is some: its
/// size would take a walk through all of it.
fn files(usage: Option<&Usage>) -> String {
    let Some(usage) = usage else {
        return "-".to_owned();
    };
    let used = table::size(usage.used);
    let disk = if usage.on_disk.is_empty() {
        ""
    } else {
        "+disk"
    };
    match usage.limit {
        Some(limit @ 1..) => format!("{used}/{}{disk}", table::size(limit)),
        _ => format!("{used}{disk}"),
    }
}

fn rows(sessions: &[Row], now: u64) -> Vec<Vec<String>> {
    let head = [
        "SESSION", "USER", "SERVICE", "TTY", "PROFILE", "AGE", "PID", "FILES",
    ];
    let row = |Row {
                   record,
                   files: usage,
               }: &Row| {
        vec![
            record.session.clone(),
            record.user.clone(),
            record.service.clone(),
            record.tty.clone().unwrap_or_else(|| "-".to_owned()),
            record.profile.clone(),
            // a clock that was set back makes nobody older than 0
            table::age(now.saturating_sub(record.started)),
            record.pid.to_string(),
            files(usage.as_ref()),
        ]
    };
    std::iter::once(head.map(str::to_owned).to_vec())
        .chain(sessions.iter().map(row))
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
        let usage = |limit, on_disk: &[&str]| Usage {
            used: 1_300_000,
            limit,
            on_disk: on_disk.iter().map(|path| path.into()).collect(),
        };
        let row = |record, files| Row { record, files };
        let sessions = [
            row(record.clone(), None),
            row(evil, Some(usage(Some(67_108_864), &[]))),
            row(record, Some(usage(None, &["/srv/k3"]))),
        ];
        let want = [
            "SESSION  USER   SERVICE  TTY   PROFILE   AGE  PID   FILES",
            "k3       alice  sshd     -     standard  2m   4711  -",
            "k3       alice  sshd     a\\nb  standard  0s   4711  1.3M/64M",
            "k3       alice  sshd     -     standard  2m   4711  1.3M+disk",
        ];
        assert_eq!(table::columns(&rows(&sessions, 1120)), want);
    }
}
