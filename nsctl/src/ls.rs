//! `nsctl ls`: live sessions.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use serde::Serialize;

use crate::cli::LsArguments;
use crate::error::Error;
use crate::host::{self, Record};
use crate::{session, table};

/// How often a list that is watched is made again.
const AGAIN: Duration = Duration::from_secs(2);

/// One session of the list.
#[derive(Debug, Clone, Serialize)]
struct Row {
    #[serde(flatten)]
    record: Record,
    /// seconds since it was opened
    age: u64,
    /// how many logins share it
    logins: usize,
    /// how many processes are in it, as far as the caller may look
    processes: usize,
    /// their anonymous memory, in bytes
    memory: u64,
}

/// Prints the live sessions, oldest first.
pub(crate) fn run(
    arguments: &LsArguments,
    out: &mut impl Write,
    told: &mut impl Write,
) -> Result<(), Error> {
    if arguments.names {
        for found in host::sessions()? {
            if session::why_dead(&found).is_none() {
                writeln!(out, "{}", found.record.session)?;
            }
        }
        return Ok(());
    }
    loop {
        let (rows, dead) = look()?;
        match (arguments.json, arguments.watch) {
            (true, false) => serde_json::to_writer_pretty(&mut *out, &rows),
            (true, true) => serde_json::to_writer(&mut *out, &rows),
            (false, _) => Ok(()),
        }
        .map_err(crate::error::json)?;
        if arguments.json {
            writeln!(out)?;
        } else {
            if arguments.watch && std::io::stdout().is_terminal() {
                // home, and clear what follows
                write!(out, "\x1b[H\x1b[J")?;
            }
            for line in table::columns(&cells(&rows)) {
                writeln!(out, "{line}")?;
            }
        }
        out.flush()?;
        if !arguments.watch {
            return tell(dead, told);
        }
        std::thread::sleep(AGAIN);
    }
}

/// The live sessions, and how many dead ones have left something.
fn look() -> Result<(Vec<Row>, usize), Error> {
    let all = host::sessions()?;
    let processes = host::processes();
    let count = all.len();
    let live = all
        .into_iter()
        .filter(|one| session::why_dead(one).is_none());
    let row = |found: host::Found| {
        let inside = processes.of(&found.record);
        Row {
            age: session::age(&found),
            logins: 1,
            processes: inside.len(),
            memory: inside.iter().map(|process| process.memory).sum(),
            record: found.record,
        }
    };
    let rows: Vec<_> = live.map(row).collect();
    let dead = count - rows.len();
    Ok((rows, dead))
}

fn tell(dead: usize, told: &mut impl Write) -> Result<(), Error> {
    match dead {
        0 => {}
        1 => writeln!(
            told,
            "1 dead session has left a record; `nsctl gc` removes it"
        )?,
        many => writeln!(
            told,
            "{many} dead sessions have left records; `nsctl gc` removes them"
        )?,
    }
    Ok(())
}

fn cells(rows: &[Row]) -> Vec<Vec<String>> {
    let head = [
        "SESSION",
        "USER",
        "SERVICE",
        "TTY",
        "PROFILE",
        "AGE",
        "LOGINS",
        "PROCS",
        "MEMORY",
        "PID",
        "NAMESPACES",
    ];
    let cells = |row: &Row| {
        let record = &row.record;
        let made = record.own_namespaces();
        let kinds: Vec<_> = made.keys().map(|kind| host::name(*kind)).collect();
        vec![
            record.session.clone(),
            record.user.clone(),
            record.service.clone(),
            record.tty.clone().unwrap_or_else(|| "-".to_owned()),
            record.profile.clone(),
            table::age(row.age),
            row.logins.to_string(),
            row.processes.to_string(),
            table::size(row.memory),
            record.pid.to_string(),
            kinds.join(","),
        ]
    };
    std::iter::once(head.map(str::to_owned).to_vec())
        .chain(rows.iter().map(cells))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_one_line_whatever_its_terminal_is_called() {
        let namespaces = ["mnt", "pid", "net"]
            .map(|link| (link.to_owned(), 7))
            .into();
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
            start: 99,
            namespaces,
            kinds: 0x2002_0000,
            user_namespace: Some(8),
            ..Record::default()
        };
        let evil = Record {
            tty: Some("a\nb".to_owned()),
            ..record.clone()
        };
        let row = |record, age| Row {
            record,
            age,
            logins: 1,
            processes: 3,
            memory: 5 << 20,
        };
        let want = [
            "SESSION  USER   SERVICE  TTY   PROFILE   AGE  LOGINS  PROCS  MEMORY  PID   NAMESPACES",
            "k3       alice  sshd     -     standard  2m   1       3      5.0M    4711  mount,pid,user",
            "k3       alice  sshd     a\\nb  standard  0s   1       3      5.0M    4711  mount,pid,user",
        ];
        let rows = [row(record, 120), row(evil, 0)];
        assert_eq!(table::columns(&cells(&rows)), want);
    }
}
