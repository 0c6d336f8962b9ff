//! The policy as text.

use std::fmt::Write;

use nsshell_config::printable;

use super::groups::{Group, Groups};
use super::parser::Entry;
use super::private::{Private, Taken};
use super::services::{Services, Told};

/// How wide comments are.
const WIDTH: usize = 98;

/// Most users of one rule: a list has at most 10,000 entries.
const MAX_USERS: usize = 10_000;

/// All that is written.
pub(crate) struct Translation<'t> {
    /// name of namespace.conf
    pub(crate) file: &'t str,
    pub(crate) entries: &'t [Entry],
    pub(crate) taken: &'t [Taken],
    /// lines that nobody can read, which pam_namespace was told to pass over
    pub(crate) unread: Vec<String>,
    pub(crate) groups: Groups<'t>,
    /// none: `--pam` was not given
    pub(crate) services: Option<(Vec<Services>, Vec<Told<'t>>)>,
}

/// The policy.
pub(crate) fn policy(translation: &Translation<'_>) -> String {
    // writing to a string does not fail
    let mut out = String::new();
    translation.head(&mut out);
    translation.left_out(&mut out);
    translation.rules(&mut out);
    out
}

impl Translation<'_> {
    fn head(&self, out: &mut String) {
        let file = printable(self.file);
        comment(out, "", &format!("Made by nsctl import from {file}."));
        comment(
            out,
            "",
            "Where a line of it has no exact equal, a comment says what is lost and what comes \
             nearest.",
        );
        if self.groups.lines.is_empty() {
            return;
        }
        let general = "Private directories in memory are without set-uid programs and device \
                       files; namespace.init is not run for any.";
        comment(out, "", general);
    }

    /// Lines of which nothing is left.
    fn left_out(&self, out: &mut String) {
        let both = self.entries.iter().zip(self.taken);
        for (entry, taken) in both.filter(|(_, taken)| taken.private.is_none()) {
            out.push('\n');
            self.written(out, "", entry);
            notes(out, "", &taken.notes);
        }
        for unread in &self.unread {
            out.push('\n');
            comment(out, "", unread);
            comment(
                out,
                "",
                "  left out: pam_namespace passes over it too (ignore_config_error)",
            );
        }
    }

    fn written(&self, out: &mut String, indent: &str, entry: &Entry) {
        // as it is, however wide
        let written = blanks(&entry.written);
        let file = match entry.file == self.file {
            true => "line ".to_owned(),
            false => format!("{}:", printable(&entry.file)),
        };
        let _ = writeln!(out, "{indent}# {file}{}: {written}", entry.line);
    }

    fn rules(&self, out: &mut String) {
        let every = [Services {
            names: None,
            optional: false,
        }];
        let (services, told) = match &self.services {
            Some((services, told)) => (services.as_slice(), told.as_slice()),
            None => (every.as_slice(), [].as_slice()),
        };
        for told in told {
            out.push('\n');
            let (file, line) = (printable(&told.line.file), told.line.line);
            let written = blanks(&told.line.written);
            let _ = writeln!(out, "# {file}:{line}: {written}");
            notes(out, "", &told.notes);
        }
        let groups = &self.groups;
        let confines = !groups.everybody.lines.is_empty();
        let everywhere = services.iter().any(|services| services.names.is_none());
        if !confines || !everywhere {
            out.push('\n');
            comment(out, "", "Who is not listed below is left alone.");
            out.push_str("default = \"none\"\n");
        }
        let mixed = services.len() > 1;
        for services in services {
            let others = groups.others.iter().filter(|group| !group.users.is_empty());
            // without a rule for everybody there is nobody to be taken out of it
            for group in others.filter(|group| confines || !group.lines.is_empty()) {
                for users in group.users.chunks(MAX_USERS) {
                    self.rule(out, users, group, services, mixed);
                }
            }
            if confines {
                let everybody: &[&str] = if groups.root { &["root", "*"] } else { &["*"] };
                if groups.root {
                    out.push('\n');
                    comment(
                        out,
                        "",
                        "Root too, as with pam_namespace: take it out to leave root alone.",
                    );
                }
                self.rule(out, everybody, &groups.everybody, services, mixed);
            }
        }
        for group in self.profiles() {
            self.profile(out, group, services);
        }
    }

    /// The groups that have a profile of their own.
    fn profiles(&self) -> impl Iterator<Item = &Group<'_>> {
        let groups = &self.groups;
        let all = std::iter::once(&groups.everybody).chain(&groups.others);
        // without services no rule would use them
        let some = self
            .services
            .as_ref()
            .is_none_or(|(services, _)| !services.is_empty());
        all.filter(move |group| some && !group.lines.is_empty())
    }

    /// The name of a group's profile.
    fn name(&self, group: &Group<'_>) -> String {
        if group.lines.is_empty() {
            return "none".to_owned();
        }
        match self.profiles().position(|other| std::ptr::eq(other, group)) {
            None | Some(0) => "private".to_owned(),
            Some(number) => format!("private-{}", number + 1),
        }
    }

    fn rule(
        &self,
        out: &mut String,
        users: &[&str],
        group: &Group<'_>,
        services: &Services,
        mixed: bool,
    ) {
        out.push_str(if out.ends_with("alone.\n") { "" } else { "\n" });
        out.push_str("[[rule]]\n");
        list(out, "users", users.iter().copied());
        if let Some(names) = &services.names {
            list(out, "services", names.iter().map(String::as_str));
        }
        let mut name = self.name(group);
        if mixed && services.optional && !group.lines.is_empty() {
            name += "-optional";
        }
        let _ = writeln!(out, "profile = {}", quoted(&name));
    }

    fn profile(&self, out: &mut String, group: &Group<'_>, services: &[Services]) {
        let name = self.name(group);
        let _ = writeln!(out, "\n[profile.{name}]");
        out.push_str("namespaces = [\"mount\"]\nruntime_dir = false\n");
        if services.iter().all(|services| services.optional) {
            out.push_str("on_failure = \"unconfined\"\n");
        }
        out.push_str("private = [\n");
        let lost = group.lost.iter().map(|(at, why)| (*at, Some(why)));
        let held = group.lines.iter().map(|at| (*at, None));
        let mut all: Vec<_> = held.chain(lost).collect();
        all.sort_by_key(|(at, _)| *at);
        for (at, lost) in all {
            let Some(line) = self.groups.lines.get(at) else {
                continue;
            };
            self.written(out, "    ", line.entry);
            match lost {
                Some(why) => notes(out, "    ", std::slice::from_ref(why)),
                None => {
                    notes(out, "    ", &line.notes);
                    let _ = writeln!(out, "    {},", private(line.private));
                }
            }
        }
        out.push_str("]\n");
        if services.len() > 1 {
            let _ = writeln!(out, "\n[profile.{name}-optional]");
            let _ = writeln!(out, "extends = [{}]", quoted(&name));
            out.push_str("on_failure = \"unconfined\"\n");
        }
    }
}

/// An entry of `private`.
pub(crate) fn private(private: &Private) -> String {
    let path = quoted(&private.template);
    let mut keys = String::new();
    if let Some(size) = &private.size {
        let _ = write!(keys, ", size = {}", quoted(size));
    }
    if let Some(inodes) = private.inodes {
        let _ = write!(keys, ", inodes = {inodes}");
    }
    if let Some(instance) = &private.instance {
        let _ = write!(keys, ", instance = {}", quoted(instance));
    }
    if let Some(skeleton) = private.skeleton {
        let _ = write!(keys, ", skeleton = {}", quoted(skeleton));
    }
    if let Some(mode) = private.mode {
        let _ = write!(keys, ", mode = \"{mode:04o}\"");
    }
    if private.optional {
        keys += ", optional = true";
    }
    match keys.is_empty() {
        true => path,
        false => format!("{{ path = {path}{keys} }}"),
    }
}

/// `key = [...]`, over several lines if it is long.
fn list<'t>(out: &mut String, key: &str, values: impl Iterator<Item = &'t str>) {
    let values: Vec<_> = values.map(quoted).collect();
    let one = format!("{key} = [{}]", values.join(", "));
    if one.chars().count() <= WIDTH {
        let _ = writeln!(out, "{one}");
        return;
    }
    let _ = writeln!(out, "{key} = [");
    let mut line = String::new();
    for value in values {
        if !line.is_empty() && line.chars().count() + value.chars().count() > WIDTH - 8 {
            let _ = writeln!(out, "   {line}");
            line.clear();
        }
        let _ = write!(line, " {value},");
    }
    let _ = writeln!(out, "   {line}\n]");
}

/// A line of a configuration for a comment: blanks that line up columns tell nothing there.
fn blanks(written: &str) -> String {
    let words: Vec<_> = written.split_ascii_whitespace().collect();
    printable(&words.join(" ")).into_owned()
}

fn notes(out: &mut String, indent: &str, notes: &[String]) {
    for note in notes {
        comment(out, indent, &format!("  {note}"));
    }
}

/// A comment over as many lines as it needs; blanks at its beginning are kept in each.
fn comment(out: &mut String, indent: &str, text: &str) {
    let text = printable(text);
    let body = text.trim_start_matches(' ');
    let inner = text.get(..text.len() - body.len()).unwrap_or("");
    let start = format!("{indent}# {inner}");
    let mut line = start.clone();
    for word in body.split(' ') {
        let is_begun = line.len() > start.len();
        if is_begun && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(out, "{line}");
            line = format!("{start}{word}");
        } else {
            if is_begun {
                line.push(' ');
            }
            line += word;
        }
    }
    let _ = writeln!(out, "{}", line.trim_end());
}

/// A string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
