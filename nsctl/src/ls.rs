//! `nsctl ls`: live sessions.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use serde::Serialize;

use crate::cli::LsArguments;
use crate::error::Error;
use crate::host::{self, Record, Usage};
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
    /// how many logins share it; null if it cannot be seen
    logins: Option<usize>,
    /// how many processes are in it, as far as the caller may look
    processes: usize,
    /// their anonymous memory, in bytes
    memory: u64,
    /// what it has written to where it will be gone; null if it cannot be seen
    files: Option<Usage>,
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
        let (rows, [unreadable, dead]) = look()?;
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
            tell_unreadable(unreadable, told)?;
            return tell(dead, told);
        }
        std::thread::sleep(AGAIN);
    }
}

/// The live sessions, and how many there are of another version, and how many dead ones have
/// left something.
fn look() -> Result<(Vec<Row>, [usize; 2]), Error> {
    let all = host::sessions()?;
    let processes = host::processes();
    let count = all.len();
    let unreadable = |found: &&host::Found| matches!(found.state, host::State::Unreadable);
    let unreadable = all.iter().filter(unreadable).count();
    let deadline = host::until_told();
    let live = all
        .into_iter()
        .filter(|one| session::why_dead(one).is_none());
    let row = |found: host::Found| {
        let inside = processes.of(&found.record);
        Row {
            age: session::age(&found),
            logins: found.logins(deadline),
            processes: inside.len(),
            memory: inside.iter().map(|process| process.memory).sum(),
            files: host::usage(&found),
            record: found.record,
        }
    };
    let rows: Vec<_> = live.map(row).collect();
    let dead = count - rows.len() - unreadable;
    Ok((rows, [unreadable, dead]))
}

fn tell_unreadable(unreadable: usize, told: &mut impl Write) -> Result<(), Error> {
    match unreadable {
        0 => {}
        1 => writeln!(told, "1 session is of another version of nsshell")?,
        many => writeln!(told, "{many} sessions are of another version of nsshell")?,
    }
    Ok(())
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

/// What is in memory, of how much at most; for what is on disk only that there is some: its
/// size would take a walk through all of it.
pub(crate) fn files(usage: Option<&Usage>) -> String {
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
        "FILES",
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
            table::count(row.logins),
            row.processes.to_string(),
            table::size(row.memory),
            record.pid.to_string(),
            kinds.join(","),
            files(row.files.as_ref()),
        ]
    };
    std::iter::once(head.map(str::to_owned).to_vec())
        .chain(rows.iter().map(cells))
        .collect()
}

#[cfg(test)]
mod tests {
    use nsshell_tests::validate;

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
            on_disk: vec!["/srv/k3".into()],
            ..Record::default()
        };
        let evil = Record {
            tty: Some("a\nb".to_owned()),
            ..record.clone()
        };
        let usage = |limit, on_disk: &[&str]| Usage {
            used: 1_300_000,
            limit,
            on_disk: on_disk.iter().map(|path| path.into()).collect(),
        };
        let row = |record, age, files| Row {
            record,
            age,
            logins: (age > 0).then_some(2),
            processes: 3,
            memory: 5 << 20,
            files,
        };
        let want = [
            "SESSION  USER   SERVICE  TTY   PROFILE   AGE  LOGINS  PROCS  MEMORY  PID   NAMESPACES      FILES",
            "k3       alice  sshd     -     standard  2m   2       3      5M      4711  mount,pid,user  -",
            "k3       alice  sshd     a\\nb  standard  0s   -       3      5M      4711  mount,pid,user  1.3M/64M",
            "k3       alice  sshd     -     standard  2m   2       3      5M      4711  mount,pid,user  1.3M+disk",
        ];
        let rows = [
            row(record.clone(), 120, None),
            row(evil, 0, Some(usage(Some(67_108_864), &[]))),
            row(record, 120, Some(usage(None, &["/srv/k3"]))),
        ];
        assert_eq!(table::columns(&cells(&rows)), want);
        let (schema, rows) = (validate::outputs(), serde_json::json!(rows));
        let faults = validate::faults_as("ls", &schema, &rows);
        assert!(faults.is_empty(), "{faults:#?}: {rows:#}");
        let unnoticed = validate::unnoticed("ls", &schema, &rows);
        let links = |one: &String| one.starts_with("namespaces/");
        assert!(unnoticed.iter().all(links), "{unnoticed:?}");
    }
}
