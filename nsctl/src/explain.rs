//! `nsctl explain`: the plan of a login, for people or as the engine gets it.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use nsshell_config::{
    Explanation, IdMapLine, Login, Missed, Mode, Namespace, Obstacle, OnFailure, Origin, Plan,
    PolicyFile, SessionPlan, Spared,
};

use crate::cli::ExplainArguments;
use crate::error::Error;
use crate::{draft, host, life, mounts, table};

/// How many of the rules that do not match are shown if not all are asked for: those right
/// before the one that does.
const SHOWN: usize = 10;

/// How much of a value is shown.
const WRITTEN: usize = 40;

/// Prints what becomes of the login, which rule holds and why, where the plan's values are from,
/// and the plan.
pub(crate) fn run(
    arguments: &ExplainArguments,
    out: &mut impl Write,
    told: &mut impl Write,
) -> Result<(), Error> {
    let login = Login {
        service: arguments.service.clone(),
        tty: arguments.tty.clone(),
        rhost: arguments.rhost.clone(),
    };
    let user = arguments.user.as_deref().unwrap_or_default();
    let most = match arguments.all {
        true => usize::MAX,
        false => SHOWN,
    };
    let files = || files(arguments, told);
    let explanation = host::explained(files, user, &login, most, None)?;
    let obstacle = explanation.plan.as_ref().ok().and_then(host::hindrance);
    let refusal = match (&explanation.plan, &obstacle) {
        (Err(error), _) => Some(error.to_string()),
        (Ok(_), Some(Obstacle::Certain(why))) => Some(why.clone()),
        (Ok(_), _) => None,
    };
    let spared = match &explanation.plan {
        Err(_) => explanation.spared,
        Ok(plan) => plan.spared(),
    };
    // of a login that nothing is wrong with there is nobody to be spared
    let spared = spared.filter(|_| refusal.is_some());
    if arguments.json {
        let value = json(&explanation, refusal.as_deref(), spared);
        serde_json::to_writer_pretty(&mut *out, &value).map_err(crate::error::json)?;
        writeln!(out)?;
    } else {
        let mut rows = vec![vec![
            "result".to_owned(),
            result(&explanation, &refusal, spared),
        ]];
        rows.extend(why(&explanation));
        if let Ok(plan) = &explanation.plan {
            let fits = host::judge(plan).is_ok();
            rows.extend(self::rows(plan, &host::nsshell(), fits));
        }
        if let Some(Obstacle::Perhaps(why)) = &obstacle {
            rows.push(vec!["in doubt".to_owned(), why.clone()]);
        }
        for line in table::columns(&rows) {
            writeln!(out, "{line}")?;
        }
    }
    // what was found out stays in front of the reason
    out.flush()?;
    match (explanation.plan, refusal) {
        (Err(error), _) => Err(error.into()),
        (Ok(_), Some(why)) if spared.is_none() => Err(Error::Refused(why)),
        (Ok(_), _) => Ok(()),
    }
}

/// The files of the policy that is asked about.
fn files(arguments: &ExplainArguments, told: &mut impl Write) -> Result<Vec<PolicyFile>, Error> {
    let (Some(file), Some(place)) = (&arguments.config, &arguments.place) else {
        // as the module takes its argument `config`
        return host::files(arguments.config.as_deref());
    };
    let draft = draft::load(file, Some(place))?;
    for note in &draft.notes {
        writeln!(told, "{note:#}")?;
    }
    Ok(draft.files)
}

/// What becomes of the login, in a line.
fn result(explanation: &Explanation, refusal: &Option<String>, spared: Option<Spared>) -> String {
    match (&explanation.plan, refusal, spared) {
        (_, Some(why), None) => format!("refused: {why}"),
        (_, Some(why), Some(spared)) => format!("left unconfined, {spared}: {why}"),
        (Ok(plan), None, _) => match (&plan.session, plan.mode) {
            (None, _) => "left as it is".to_owned(),
            (Some(_), Mode::Observe) => "left as it is, and observed".to_owned(),
            (Some(_), Mode::Enforce) => format!("confined by profile {}", plan.profile),
        },
        (Err(error), None, _) => error.to_string(),
    }
}

/// The rules that were tried, and where the profile's values are from.
fn why(explanation: &Explanation) -> Vec<Vec<String>> {
    let mut rows = Rows::default();
    let hidden = explanation.missed_before;
    let mut tried: Vec<Vec<String>> = Vec::new();
    if hidden > 0 {
        let what = format!("{hidden} rules before these do not match either; --all shows them");
        tried.push(vec!["...".to_owned(), String::new(), what]);
    }
    tried.extend(explanation.missed.iter().map(|missed| {
        let place = format!("{}:{}", missed.rule.file, missed.rule.line);
        vec![place, missed.profile.clone(), missed.why.clone()]
    }));
    rows.table("not", &tried);
    let about_users = |missed: &Missed| missed.why.contains("`users`");
    if let (Some(groups), true) = (
        &explanation.groups,
        explanation.missed.iter().any(about_users),
    ) {
        let groups: Vec<_> = groups.iter().map(|group| format!("@{group}")).collect();
        rows.say("groups", groups.join(" "));
    }
    let top: Vec<_> = explanation.top.iter().map(origin_cells).collect();
    rows.table("policy", &top);
    rows.table("values", &values(&explanation.origins));
    rows.0
}

/// Where what is set is from; of all the rest it is enough to say that it is not.
pub(crate) fn values(origins: &[Origin]) -> Vec<Vec<String>> {
    let set = origins.iter().filter(|origin| origin.place.is_some());
    let mut cells: Vec<_> = set.map(origin_cells).collect();
    if !origins.is_empty() {
        let rest = match cells.is_empty() {
            true => "all keys",
            false => "all others",
        };
        cells.push(vec![rest.to_owned(), String::new(), "(default)".to_owned()]);
    }
    cells
}

fn origin_cells(origin: &Origin) -> Vec<String> {
    let place = |(file, line): &(String, usize)| format!("{file}:{line}");
    let mut from = origin.place.as_ref().map_or("(default)".to_owned(), place);
    if let Some(profile) = &origin.inherited {
        from += &format!(", by profile {profile}");
    }
    if !origin.overridden.is_empty() {
        let weaker: Vec<_> = origin.overridden.iter().map(place).collect();
        from += &format!(", not {}", weaker.join(", "));
    }
    vec![origin.key.to_owned(), short(origin), from]
}

/// What is written for a value, in one line of which the end may be missing.
fn short(origin: &Origin) -> String {
    let written = origin.written.as_deref().unwrap_or_default();
    let line = written.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(WRITTEN) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line,
    }
}

fn json(
    explanation: &Explanation,
    refusal: Option<&str>,
    spared: Option<Spared>,
) -> serde_json::Value {
    let missed = explanation.missed.iter().map(|missed| {
        serde_json::json!({
            "file": missed.rule.file,
            "line": missed.rule.line,
            "profile": missed.profile,
            "why": missed.why,
        })
    });
    serde_json::json!({
        "missed_before": explanation.missed_before,
        "missed": missed.collect::<Vec<_>>(),
        "groups": explanation.groups,
        "chosen": explanation.chosen.as_ref().map(|(profile, rule)| {
            serde_json::json!({ "profile": profile, "file": rule.file, "line": rule.line })
        }),
        "policy": origins(&explanation.top),
        "values": origins(&explanation.origins),
        "on_failure": explanation.on_failure,
        "plan": explanation.plan.as_ref().ok(),
        "refused": refusal,
        "spared": spared.map(Spared::key),
    })
}

/// Where each value is from, for programs.
pub(crate) fn origins(origins: &[Origin]) -> Vec<serde_json::Value> {
    let place = |(file, line): &(String, usize)| serde_json::json!({ "file": file, "line": line });
    let origin = |origin: &Origin| {
        serde_json::json!({
            "key": origin.key,
            "place": origin.place.as_ref().map(place),
            "written": origin.written,
            "inherited": origin.inherited,
            "overridden": origin.overridden.iter().map(place).collect::<Vec<_>>(),
        })
    };
    origins.iter().map(origin).collect()
}

/// What is said about the plan: a name and a text, or further texts under the same name.
/// `fits`: the login shell of the account can enter what is planned.
pub(crate) fn rows(plan: &Plan, nsshell: &Path, fits: bool) -> Vec<Vec<String>> {
    let mut rows = Rows::default();
    let (account, login) = (&plan.account, &plan.login);
    rows.say(
        "user",
        format!(
            "{} (uid {}, gid {})",
            account.name, account.uid, account.gid
        ),
    );
    let mut how = format!("service {}", login.service);
    for (name, value) in [("tty", &login.tty), ("from", &login.rhost)] {
        if let Some(value) = value {
            how += &format!(", {name} {value}");
        }
    }
    rows.say("login", how);
    rows.say(
        "rule",
        match plan.matched.line {
            0 => "none; root and systemd-user are left alone then".to_owned(),
            line => format!("{}:{line}", plan.matched.file),
        },
    );
    rows.say("profile", plan.profile.clone());
    if plan.require_nsshell {
        let (is, wanted) = (account.shell.display(), nsshell.display());
        let judged = match (fits, plan.spared()) {
            (true, _) => "which enters the user namespace".to_owned(),
            (false, None) => format!("so the login is refused: only {wanted} enters"),
            (false, Some(_)) => format!("so the login stays unconfined: only {wanted} enters"),
        };
        rows.say("login shell", format!("{is}, {judged}"));
    }
    rows.say("real shell", plan.shell.display().to_string());
    if !plan.command.is_empty() {
        let what = format!("{}, in place of the shell", words(&plan.command));
        rows.say("command", what);
        if !plan.pass_environment.is_empty() {
            let names = plan.pass_environment.join(", ");
            rows.say(
                "environment",
                format!("made for the command, with {names} of the login"),
            );
        }
    }
    match &plan.session {
        None => rows.say("session", "none: the login stays as it is".to_owned()),
        Some(session) => {
            rows.session(session, &account.home);
            let failure = match (plan.on_failure, plan.exempt) {
                (OnFailure::Deny, _) => "the login is refused",
                (OnFailure::Unconfined, true) => "the user is exempt: unconfined, and logged",
                (OnFailure::Unconfined, false) => "the login goes on unconfined, and is logged",
            };
            rows.say("on failure", failure.to_owned());
            if plan.mode == Mode::Observe {
                let what = "observe: made beside the login, which stays as it is";
                rows.say("mode", what.to_owned());
            }
        }
    }
    rows.0
}

#[derive(Default)]
pub(crate) struct Rows(pub(crate) Vec<Vec<String>>);

impl Rows {
    pub(crate) fn say(&mut self, name: &str, text: String) {
        self.0.push(vec![name.to_owned(), text]);
    }

    fn session(&mut self, session: &SessionPlan, home: &Path) {
        self.say("namespaces", kinds(&session.namespaces));
        if session.has(Namespace::Uts) {
            let outside = || "the host's".to_owned();
            self.say(
                "host name",
                session.hostname.clone().unwrap_or_else(outside),
            );
        }
        if let Some(maps) = &session.id_maps {
            self.map("uid map", &maps.uid);
            self.map("gid map", &maps.gid);
        }
        if let Some(root) = &session.root {
            let what = format!("{}, read-only, in place of the host's", root.display());
            self.say("root", what);
        }
        let cells = |mount| {
            let (target, what) = mounts::described(mount, home);
            vec![target, what]
        };
        let mounts: Vec<_> = session.mounts.iter().map(cells).collect();
        self.table("mounts", &mounts);
        let grace = session.grace;
        self.say(
            "grace",
            format!("{grace} s from SIGTERM to SIGKILL at the end of the session"),
        );
        self.say(
            "timeout",
            format!("{} s to make the session", session.timeout),
        );
        for (name, text) in life::rows(&session.life) {
            self.say(name, text);
        }
    }

    fn map(&mut self, name: &str, lines: &[IdMapLine]) {
        let head = ["inside", "outside", "count"].map(str::to_owned).to_vec();
        let cells = |line: &IdMapLine| {
            [line.inside, line.outside, line.count]
                .map(|id| id.to_string())
                .to_vec()
        };
        let table: Vec<_> = std::iter::once(head)
            .chain(lines.iter().map(cells))
            .collect();
        self.table(name, &table);
    }

    /// A table of its own in the second column.
    pub(crate) fn table(&mut self, name: &str, rows: &[Vec<String>]) {
        for (at, line) in table::columns(rows).into_iter().enumerate() {
            self.say(if at == 0 { name } else { "" }, line);
        }
    }
}

/// The words of a command.
pub(crate) fn words(command: &[String]) -> String {
    let words: Vec<_> = command.iter().map(|word| format!("{word:?}")).collect();
    words.join(" ")
}

/// The kinds of namespaces, as a policy names them.
pub(crate) fn kinds(namespaces: &BTreeSet<Namespace>) -> String {
    let names: Vec<_> = namespaces.iter().map(|kind| name_of(*kind)).collect();
    names.join(" ")
}

fn name_of(kind: Namespace) -> &'static str {
    match kind {
        Namespace::Mount => "mount",
        Namespace::Ipc => "ipc",
        Namespace::Pid => "pid",
        Namespace::User => "user",
        Namespace::Uts => "uts",
        Namespace::Net => "net",
        Namespace::Cgroup => "cgroup",
        Namespace::Time => "time",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nsshell_config::{Account, Error, Host, IdKind, Policy, Range, resolve};

    struct Table;

    impl Host for Table {
        fn groups(&self, _: &Account) -> Result<Vec<String>, Error> {
            Ok(vec![])
        }
        fn primary_group(&self, _: &Account) -> Result<String, Error> {
            Ok("users".to_owned())
        }
        fn ranges(&self, _: &Account, _: IdKind) -> Result<Vec<Range>, Error> {
            Ok(vec![Range {
                start: 100_000,
                count: 65536,
            }])
        }
        fn hostname(&self) -> Result<String, Error> {
            Ok("mill".to_owned())
        }
    }

    fn explained(text: &str, name: &str, uid: u32) -> String {
        judged(text, name, uid, false)
    }

    fn judged(text: &str, name: &str, uid: u32, fits: bool) -> String {
        let account = Account {
            name: name.to_owned(),
            uid,
            gid: uid,
            home: "/home".into(),
            shell: "/bin/zsh".into(),
        };
        let (tty, rhost) = (Some("ssh".to_owned()), Some("192.0.2.1".to_owned()));
        let login = Login {
            service: "sshd".to_owned(),
            tty,
            rhost,
        };
        let policy = Policy::parse(text, "/etc/p.toml").unwrap();
        let plan = resolve(&policy, &login, &account, &Table).unwrap();
        table::columns(&rows(&plan, Path::new("/usr/bin/nsshell"), fits)).join("\n")
    }

    #[test]
    fn a_confined_login_is_explained_in_full() {
        let text = "[[rule]]\nusers = ['alice']\nprofile = 'dev'\n[profile.dev]\n\
                    hostname = 'dev-{hostname}'\nprivate = [{ path = '/tmp', size = '1g' }]\n";
        let want = "\
user         alice (uid 1000, gid 1000)
login        service sshd, tty ssh, from 192.0.2.1
rule         /etc/p.toml:1
profile      dev
login shell  /bin/zsh, so the login is refused: only /usr/bin/nsshell enters
real shell   /bin/bash
namespaces   mount ipc pid user uts cgroup
host name    dev-mill
uid map      inside  outside  count
             0       100000   1000
             1000    1000     1
             1001    101000   64536
gid map      inside  outside  count
             0       100000   1000
             1000    1000     1
             1001    101000   64536
mounts       /proc        the session's processes
             /dev/mqueue  the session's message queues
             /tmp         empty, mode 1777, size 1g
             /run/user    one empty runtime directory, the user's
grace        5 s from SIGTERM to SIGKILL at the end of the session
timeout      10 s to make the session
scope        user: shared by the user's logins under this profile; also if it was planned otherwise
on logout    it ends with its last login
on failure   the login is refused";
        assert_eq!(explained(text, "alice", 1000), want);
    }

    #[test]
    fn a_login_shell_is_judged_by_what_becomes_of_the_login() {
        let of = |profile: &str, fits| {
            let text = format!("[profile.standard]\n{profile}\n");
            let told = judged(&text, "alice", 1000, fits);
            let line = told.lines().find_map(|l| l.strip_prefix("login shell  "));
            line.map(str::to_owned)
        };
        let nsshell = "only /usr/bin/nsshell enters";
        let cases = [
            ("", true, "which enters the user namespace".to_owned()),
            ("", false, format!("so the login is refused: {nsshell}")),
            (
                "mode = 'observe'",
                false,
                format!("so the login stays unconfined: {nsshell}"),
            ),
        ];
        for (profile, fits, want) in cases {
            assert_eq!(of(profile, fits), Some(format!("/bin/zsh, {want}")));
        }
        assert_eq!(of("require_nsshell = false", false), None);
    }

    #[test]
    fn an_unconfined_login_is_explained_in_short() {
        let text = explained("", "root", 0);
        assert!(text.contains("rule        built-in policy:5\n"), "{text}");
        assert!(
            text.ends_with("session     none: the login stays as it is"),
            "{text}"
        );
        assert!(!text.contains("login shell"), "{text}");
        let nobody = explained("", "toor", 0);
        assert!(
            nobody.contains("rule        none; root and systemd-user are left alone"),
            "{nobody}"
        );
    }
}
