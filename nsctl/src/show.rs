//! `nsctl show`: everything about one session.

use std::io::Write;

use nsshell_config::{Explanation, Plan};

use crate::cli::ShowArguments;
use crate::error::Error;
use crate::explain::{self, Rows};
use crate::host::{self, Found, Present, Process, Usage};
use crate::{ls, session, table};

/// Prints what is known of a session, and the lines of the policy that it came from.
pub(crate) fn run(arguments: &ShowArguments, out: &mut impl Write) -> Result<(), Error> {
    let found = session::find(&arguments.session)?;
    let all = host::processes();
    let processes = all.of(&found.record);
    let plan = found.plan()?;
    let today = plan.as_ref().map(|plan| today(plan, &found.record.session));
    let told = Told {
        logins: found.logins(host::until_told()),
        present: found.who(host::until_told()),
        files: host::usage(&found),
    };
    if arguments.json {
        let value = json(&found, &processes, plan.as_ref(), today.as_ref(), &told);
        serde_json::to_writer_pretty(&mut *out, &value).map_err(crate::error::json)?;
        writeln!(out)?;
        return Ok(());
    }
    for line in table::columns(&rows(
        &found,
        &processes,
        plan.as_ref(),
        today.as_ref(),
        &told,
    )) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// What only root is told, by init and by the session's file systems.
#[derive(Default)]
struct Told {
    logins: Option<usize>,
    present: Option<Vec<Present>>,
    files: Option<Usage>,
}

/// What the policy as it is now makes of the same login.
enum Today {
    /// the same, for these reasons
    Same(Box<Explanation>),
    /// something else: it was changed since
    Changed,
    /// that cannot be said here
    Unknown(String),
}

fn today(plan: &Plan, session: &str) -> Today {
    match host::explained(
        || host::files(None),
        &plan.account.name,
        &plan.login,
        0,
        Some(session),
    ) {
        Ok(explanation) if explanation.plan.as_ref().ok() == Some(plan) => {
            Today::Same(Box::new(explanation))
        }
        Ok(_) => Today::Changed,
        Err(error) => Today::Unknown(error.to_string()),
    }
}

fn rows(
    found: &Found,
    processes: &[&Process],
    plan: Option<&Plan>,
    today: Option<&Today>,
    told: &Told,
) -> Vec<Vec<String>> {
    let record = &found.record;
    let mut rows = Rows::default();
    rows.say("session", record.session.clone());
    rows.say("age", table::age(session::age(found)));
    rows.say("logins", table::count(told.logins));
    if let Some(present) = &told.present {
        rows.table("who", &present_cells(present, told.logins));
    }
    rows.say("files", ls::files(told.files.as_ref()));
    rows.say("init", format!("process {}", record.pid));
    let made = record.own_namespaces();
    let inodes = made.iter();
    let inodes: Vec<_> = inodes
        .map(|(kind, inode)| vec![host::name(*kind).to_owned(), inode.to_string()])
        .collect();
    rows.table("inodes", &inodes);
    let memory: u64 = processes.iter().map(|process| process.memory).sum();
    rows.say("memory", table::size(memory));
    rows.table("processes", &process_cells(processes));
    match plan {
        Some(plan) => rows.0.extend(explain::rows(
            plan,
            &host::nsshell(),
            host::judge(plan).is_ok(),
        )),
        None => {
            rows.say("user", format!("{} (uid {})", record.user, record.uid));
            rows.say("login", login(found));
            if let Some(rule) = &record.rule {
                rows.say("rule", format!("{}:{}", rule.file, rule.line));
            }
            rows.say("profile", record.profile.clone());
        }
    }
    match today {
        Some(Today::Same(explanation)) => {
            rows.table("values", &explain::values(&explanation.origins));
        }
        Some(Today::Changed) => rows.say(
            "policy",
            "changed since: the same login would get another plan now".to_owned(),
        ),
        Some(Today::Unknown(why)) => rows.say("policy", format!("cannot be compared: {why}")),
        None => {}
    }
    rows.0
}

fn login(found: &Found) -> String {
    let record = &found.record;
    let mut how = format!("service {}", record.service);
    for (name, value) in [("tty", &record.tty), ("from", &record.rhost)] {
        if let Some(value) = value {
            how += &format!(", {name} {value}");
        }
    }
    how
}

/// The logins that share it, and how many more there are.
fn present_cells(present: &[Present], logins: Option<usize>) -> Vec<Vec<String>> {
    let head = ["SERVICE", "TTY", "FROM", "FOR"].map(str::to_owned);
    let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let cells = |one: &Present| {
        vec![
            one.service.clone(),
            dash(&one.tty),
            dash(&one.rhost),
            table::age(one.seconds),
        ]
    };
    let more = logins.unwrap_or_default().saturating_sub(present.len());
    let rest = (more > 0).then(|| vec![format!("and {more} more")]);
    std::iter::once(head.to_vec())
        .chain(present.iter().map(cells))
        .chain(rest)
        .collect()
}

fn process_cells(processes: &[&Process]) -> Vec<Vec<String>> {
    let head = ["PID", "INSIDE", "UID", "MEMORY", "COMMAND"].map(str::to_owned);
    let cells = |process: &&Process| {
        vec![
            process.pid.to_string(),
            process
                .inside
                .last()
                .map(i32::to_string)
                .unwrap_or_default(),
            process.uid.to_string(),
            table::size(process.memory),
            process.command.clone(),
        ]
    };
    std::iter::once(head.to_vec())
        .chain(processes.iter().map(cells))
        .collect()
}

fn json(
    found: &Found,
    processes: &[&Process],
    plan: Option<&Plan>,
    today: Option<&Today>,
    told: &Told,
) -> serde_json::Value {
    let values = match today {
        Some(Today::Same(explanation)) => Some(explain::origins(&explanation.origins)),
        _ => None,
    };
    serde_json::json!({
        "session": found.record,
        "age": session::age(found),
        "logins": told.logins,
        "present": told.present,
        "files": told.files,
        "memory": processes.iter().map(|process| process.memory).sum::<u64>(),
        "processes": processes,
        "plan": plan,
        "values": values,
        "policy_changed": match today {
            Some(Today::Same(_)) => Some(false),
            Some(Today::Changed) => Some(true),
            Some(Today::Unknown(_)) | None => None,
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use nsshell_config::{Matched, OnFailure, Origin};
    use nsshell_tests::validate;

    use super::*;
    use crate::host::{Record, State};

    fn found() -> Found {
        let record = Record {
            session: "k3".to_owned(),
            user: "alice".to_owned(),
            uid: 1000,
            service: "sshd".to_owned(),
            pid: 4711,
            namespaces: [("mnt".to_owned(), 7)].into(),
            rule: Some(Matched {
                file: "p".to_owned(),
                line: 3,
            }),
            environment: vec!["XDG_RUNTIME_DIR=/run/user/1000".to_owned()],
            on_disk: vec!["/srv/store/k3".into()],
            ..Record::default()
        };
        Found {
            record,
            state: State::Listed,
        }
    }

    fn today() -> Today {
        Today::Same(Box::new(Explanation {
            missed_before: 0,
            missed: Vec::new(),
            chosen: None,
            groups: None,
            top: Vec::new(),
            origins: vec![Origin {
                key: "grace",
                place: Some(("p".to_owned(), 4)),
                written: Some("5".to_owned()),
                inherited: Some("standard".to_owned()),
                overridden: vec![("q".to_owned(), 1)],
            }],
            plan: Err(nsshell_config::Error::NoRule {
                user: "alice".to_owned(),
                service: "sshd".to_owned(),
            }),
            on_failure: OnFailure::Deny,
            spared: None,
        }))
    }

    fn told() -> Told {
        let present = |tty: Option<&str>| Present {
            service: "sshd".to_owned(),
            tty: tty.map(str::to_owned),
            rhost: Some("192.0.2.7".to_owned()),
            seconds: 90,
        };
        Told {
            logins: Some(3),
            present: Some(vec![present(Some("pts/1")), present(None)]),
            files: Some(Usage {
                used: 1,
                limit: Some(2),
                on_disk: vec!["/srv/k3".into()],
            }),
        }
    }

    #[test]
    fn the_logins_that_share_a_session_are_listed_with_how_many_more_there_are() {
        let told = told();
        let cells = present_cells(told.present.as_ref().unwrap(), told.logins);
        let want = [
            "SERVICE     TTY    FROM       FOR",
            "sshd        pts/1  192.0.2.7  1m",
            "sshd        -      192.0.2.7  1m",
            "and 1 more",
        ];
        assert_eq!(table::columns(&cells), want);
    }

    #[test]
    fn what_is_printed_as_json_is_as_the_schema_has_it_and_nothing_can_be_left_out() {
        let schema = validate::outputs();
        let process = Process {
            pid: 812,
            inside: vec![812, 1],
            uid: 0,
            memory: 4096,
            command: "nsshell-init".to_owned(),
            namespaces: [("pid".to_owned(), 8)].into(),
        };
        let whole = json(&found(), &[&process], None, Some(&today()), &told());
        let bare = json(&found(), &[], None, Some(&Today::Changed), &Told::default());
        for value in [&whole, &bare] {
            let faults = validate::faults_as("show", &schema, value);
            assert!(faults.is_empty(), "{faults:#?}: {value:#}");
        }
        // a process need not show every namespace that it is in
        let want = ["namespaces/mnt", "namespaces/pid"].map(str::to_owned);
        assert_eq!(validate::unnoticed("show", &schema, &whole), want.into());
    }
}
