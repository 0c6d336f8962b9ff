//! `nsctl tree`: the namespaces of sessions, how they own each other, and who is in them.

use std::io::Write;
use std::time::Instant;

use crate::cli::TreeArguments;
use crate::error::Error;
use crate::host::{self, Found, Node, Process};
use crate::session;
use nsshell_config::printable;

/// Prints one tree a session, from the host's user namespace down.
pub(crate) fn run(arguments: &TreeArguments, out: &mut impl Write) -> Result<(), Error> {
    let sessions = match &arguments.session {
        Some(name) => vec![session::find(name)?],
        None => host::sessions()?,
    };
    let live: Vec<Found> = sessions
        .into_iter()
        .filter(|found| session::why_dead(found).is_none())
        .collect();
    let all = host::processes();
    let own = host::own_user_namespace();
    let mut values = Vec::new();
    for (at, found) in live.iter().enumerate() {
        let processes = all.of(&found.record);
        let nodes = match host::family(found, &processes) {
            // It has ended since it was listed: no reason not to show the others.
            Err(_) if arguments.session.is_none() && found.wait(Instant::now()) => continue,
            nodes => nodes?,
        };
        if arguments.json {
            values.push(serde_json::json!({
                "session": found.record.session,
                "user": found.record.user,
                "host": own,
                "namespaces": nodes,
                "processes": processes,
            }));
            continue;
        }
        if at > 0 {
            writeln!(out)?;
        }
        let record = &found.record;
        writeln!(
            out,
            "session {} of {}",
            record.session,
            printable(&record.user)
        )?;
        for line in draw(own, &nodes, &processes) {
            writeln!(out, "{line}")?;
        }
    }
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &values).map_err(crate::error::json)?;
        writeln!(out)?;
    }
    Ok(())
}

/// The lines of a tree whose root is the user namespace `own`.
fn draw(own: Option<u64>, nodes: &[Node], processes: &[&Process]) -> Vec<String> {
    let name = own.map_or("-".to_owned(), |inode| inode.to_string());
    let mut lines = vec![format!("user {name}, the host's")];
    branches(own, nodes, processes, own, "", &mut lines);
    lines
}

fn branches(
    owner: Option<u64>,
    nodes: &[Node],
    processes: &[&Process],
    own: Option<u64>,
    indent: &str,
    lines: &mut Vec<String>,
) {
    let owned: Vec<&Node> = nodes.iter().filter(|node| node.owner == owner).collect();
    for (at, node) in owned.iter().enumerate() {
        let last = at + 1 == owned.len();
        let (branch, below) = if last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        lines.push(format!("{indent}{branch}{}", label(node, nodes)));
        let indent = format!("{indent}{below}");
        match node.kind {
            // Another one could only own itself if the kernel were wrong.
            "user" if Some(node.inode) != owner => {
                branches(Some(node.inode), nodes, processes, own, &indent, lines);
            }
            "pid" => {
                let inside =
                    |process: &&&Process| process.namespaces.get("pid") == Some(&node.inode);
                let inside: Vec<_> = processes.iter().filter(inside).collect();
                for (at, process) in inside.iter().enumerate() {
                    let branch = if at + 1 == inside.len() {
                        "└─ "
                    } else {
                        "├─ "
                    };
                    lines.push(format!("{indent}{branch}{}", process_label(process, own)));
                }
            }
            _ => {}
        }
    }
}

fn label(node: &Node, nodes: &[Node]) -> String {
    let mut label = format!("{} {}", node.kind, node.inode);
    if let Some(uid) = node.uid {
        label += &format!(", made by uid {uid}");
    }
    let nested = |parent: &u64| nodes.iter().any(|other| other.inode == *parent);
    if node.kind == "pid"
        && let Some(parent) = node.parent.filter(nested)
    {
        label += &format!(", in pid {parent}");
    }
    label
}

/// Its numbers from outside to inside, its name, and where else it is.
fn process_label(process: &Process, own: Option<u64>) -> String {
    let numbers: Vec<_> = process.inside.iter().map(i32::to_string).collect();
    let mut label = format!("{} {}", numbers.join(" → "), printable(&process.command));
    let user = process.namespaces.get("user").copied();
    if let Some(user) = user.filter(|user| Some(*user) != own) {
        label += &format!(", in user {user}");
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(kind: &'static str, inode: u64, owner: u64) -> Node {
        Node {
            kind,
            inode,
            owner: Some(owner),
            parent: (kind == "user" || kind == "pid").then_some(owner),
            uid: (kind == "user").then_some(1000),
        }
    }

    #[test]
    fn every_namespace_hangs_under_the_user_namespace_that_owns_it() {
        let nodes = [
            node("mnt", 11, 1),
            node("mnt", 12, 20),
            node("pid", 13, 1),
            Node {
                parent: Some(13),
                ..node("pid", 14, 20)
            },
            node("user", 20, 1),
        ];
        let process = |inside: &[i32], command: &str, pid: u64, user: u64| Process {
            pid: inside[0],
            inside: inside.to_vec(),
            uid: 1000,
            memory: 0,
            command: command.to_owned(),
            namespaces: [("pid".to_owned(), pid), ("user".to_owned(), user)].into(),
        };
        let processes = [
            process(&[812, 1], "nsshell-init", 13, 1),
            process(&[817, 8], "bash", 13, 20),
            process(&[820, 9, 1], "a\nb", 14, 20),
        ];
        let want = "\
user 1, the host's
├─ mnt 11
├─ pid 13
│  ├─ 812 → 1 nsshell-init
│  └─ 817 → 8 bash, in user 20
└─ user 20, made by uid 1000
   ├─ mnt 12
   └─ pid 14, in pid 13
      └─ 820 → 9 → 1 a\\nb, in user 20";
        let processes: Vec<_> = processes.iter().collect();
        assert_eq!(draw(Some(1), &nodes, &processes).join("\n"), want);
    }
}
