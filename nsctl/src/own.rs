//! What of a plan is only its account's own, put back as the templates of a policy have it.

use std::path::{Path, PathBuf};

use nsshell_config::{Account, Host, Mount};

/// The account's own values, the longest first.
pub(crate) struct Own(Vec<(String, &'static str)>);

impl Own {
    pub(crate) fn new(account: &Account, host: &dyn Host) -> Own {
        let home = account.home.to_string_lossy().into_owned();
        let mut values = vec![
            (home, "{home}"),
            (account.name.clone(), "{user}"),
            (account.uid.to_string(), "{uid}"),
        ];
        values.extend(
            host.primary_group(account)
                .ok()
                .map(|name| (name, "{group}")),
        );
        values.retain(|(value, _)| !value.is_empty() && value != "/");
        Own(values)
    }

    /// A path or a host name.
    pub(crate) fn text(&self, text: &str) -> String {
        self.put_back(text, &["{home}", "{user}", "{uid}", "{group}"])
    }

    /// A sentence, in which a number may be anything.
    pub(crate) fn sentence(&self, text: &str) -> String {
        self.put_back(text, &["{home}", "{user}"])
    }

    fn put_back(&self, text: &str, names: &[&str]) -> String {
        let mut text = text.to_owned();
        for (value, name) in self.0.iter().filter(|(_, name)| names.contains(name)) {
            text = replaced(&text, value, name);
        }
        text
    }

    /// All paths of a mount.
    pub(crate) fn mount(&self, mount: &mut Mount) {
        let put_back = |path: &mut PathBuf| *path = self.path(path);
        match mount {
            Mount::Unmount { target, .. }
            | Mount::ReadOnly { target, .. }
            | Mount::Homes { target, .. }
            | Mount::Tmpfs { target, .. }
            | Mount::Mask { target, .. }
            | Mount::Expose { path: target } => put_back(target),
            Mount::Instance {
                target, instance, ..
            } => {
                put_back(target);
                put_back(instance);
            }
            Mount::Bind { source, target, .. } => {
                put_back(source);
                put_back(target);
            }
            // these have no path of an account
            Mount::Proc { .. }
            | Mount::Mqueue
            | Mount::Sys { .. }
            | Mount::Dev { .. }
            | Mount::Home { .. }
            | Mount::RuntimeDir => {}
        }
    }

    fn path(&self, path: &Path) -> PathBuf {
        match path.to_str() {
            Some(text) => self.text(text).into(),
            None => path.to_owned(),
        }
    }
}

/// The text with a value replaced where it stands for itself, and is no part of a longer word.
fn replaced(text: &str, value: &str, with: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '{' || c == '}';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(value) {
        let (before, after) = (&rest[..at], &rest[at + value.len()..]);
        let last = before.chars().next_back().or(out.chars().next_back());
        let alone = !last.is_some_and(is_word) && !after.starts_with(is_word);
        out.push_str(before);
        out.push_str(if alone { with } else { value });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_put_back_where_it_stands_for_itself() {
        let own = Own(vec![
            ("/home/al".to_owned(), "{home}"),
            ("al".to_owned(), "{user}"),
            ("1000".to_owned(), "{uid}"),
            ("staff".to_owned(), "{group}"),
        ]);
        let cases = [
            ("/home/al/.cache", "{home}/.cache"),
            ("/home/alice", "/home/alice"),
            ("/var/lib/x/al", "/var/lib/x/{user}"),
            ("al-box", "{user}-box"),
            ("local-al.al", "local-{user}.{user}"),
            ("/run/user/1000/bus", "/run/user/{uid}/bus"),
            ("/x/10001", "/x/10001"),
            ("/srv/staff/al", "/srv/{group}/{user}"),
            ("alal", "alal"),
        ];
        for (text, want) in cases {
            assert_eq!(own.text(text), want);
        }
        assert_eq!(own.sentence("user al, 1000 s"), "user {user}, 1000 s");
    }
}
