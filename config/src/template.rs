//! Templates: `{user}` and the like in host names and paths, filled in for one login.

use std::path::PathBuf;

use crate::host::Host;
use crate::{Account, Error, Login, Stores, path};

/// The longest name that sethostname(2) takes, in bytes.
const MAX_HOSTNAME: usize = 64;

/// What can stand between braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variable {
    User,
    Uid,
    Group,
    Home,
    Hostname,
    Service,
    Session,
    Level,
    Context,
}

const VARIABLES: [(&str, Variable); 9] = [
    ("user", Variable::User),
    ("uid", Variable::Uid),
    ("group", Variable::Group),
    ("home", Variable::Home),
    ("hostname", Variable::Hostname),
    ("service", Variable::Service),
    ("session", Variable::Session),
    ("level", Variable::Level),
    ("context", Variable::Context),
];

/// What a template is about: not every variable makes sense in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    Hostname,
    Path,
    Instance,
}

impl About {
    fn knows(self, variable: Variable) -> bool {
        match variable {
            Variable::Home => self == About::Path,
            Variable::Session | Variable::Level | Variable::Context => self == About::Instance,
            _ => true,
        }
    }

    /// Why a variable that is known elsewhere cannot be used here.
    fn why_not(self, variable: Variable) -> Option<&'static str> {
        match (self, variable) {
            (About::Instance, Variable::Home) => {
                Some("which is the user's; an instance lies where only root can write")
            }
            (_, Variable::Session) => {
                Some("which is a new name at each login; only `instance` can have it")
            }
            (About::Hostname, Variable::Home) => {
                Some("which is a path and cannot be in a host name")
            }
            (_, Variable::Level | Variable::Context) => Some("which only `instance` can have"),
            _ => None,
        }
    }
}

/// Refuses a path, by what it is for.
pub(crate) type Check = fn(&str) -> Result<PathBuf, String>;

/// A text with variables in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(Variable),
}

/// Where the values of variables come from. The host is asked only for those that are there.
pub(crate) struct Values<'a> {
    pub(crate) login: &'a Login,
    pub(crate) account: &'a Account,
    pub(crate) host: &'a dyn Host,
}

impl Values<'_> {
    fn of(&self, variable: Variable) -> Result<String, Error> {
        Ok(match variable {
            Variable::User => self.account.name.clone(),
            Variable::Uid => self.account.uid.to_string(),
            Variable::Group => self.host.primary_group(self.account)?,
            Variable::Home => self.account.home.to_string_lossy().into_owned(),
            Variable::Hostname => self.host.hostname()?,
            Variable::Service => self.login.service.clone(),
            Variable::Session => self.host.session(),
            Variable::Context => self.host.context()?,
            Variable::Level => level(&self.host.context()?)?,
        })
    }
}

/// The level of a context like "staff_u:staff_r:staff_t:s0-s0:c0.c1023".
fn level(context: &str) -> Result<String, Error> {
    match context.splitn(4, ':').nth(3) {
        Some(level) => Ok(level.to_owned()),
        None => Err(Error::Host {
            what: format!(
                "the SELinux context `{context}` has no level; the policy of this host has none, \
                 so use {{context}} or {{user}}"
            ),
            errno: None,
        }),
    }
}

impl Template {
    fn parse(text: &str, about: About) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                return Err("has `{` without `}`".to_owned());
            };
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Variable(variable(name, about)?));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        match parts
            .iter()
            .any(|p| matches!(p, Part::Text(text) if text.contains('}')))
        {
            true => Err("has `}` without `{`".to_owned()),
            false => Ok(Template(parts)),
        }
    }

    /// Reads a template of a host name; the error is what is wrong with it.
    pub(crate) fn hostname(text: &str) -> Result<Template, String> {
        let template = Template::parse(text, About::Hostname)?;
        let fixed: String = template.texts().collect();
        match fixed.as_str() {
            _ if template.0.is_empty() => Err("is empty".to_owned()),
            fixed if !fixed.chars().all(is_hostname) => Err(ALLOWED.to_owned()),
            fixed if fixed.len() > MAX_HOSTNAME => Err(TOO_LONG.to_owned()),
            _ => Ok(template),
        }
    }

    /// Reads a template of a path; the error is what is wrong with it.
    pub(crate) fn path(text: &str, about: About, check: Check) -> Result<Template, String> {
        // shells fill these in, and nobody does here
        let of_home = ["~/", "$HOME/", "${HOME}/"];
        let mut of_home = of_home.iter().filter_map(|home| text.strip_prefix(home));
        if let (Some(rest), true) = (of_home.next(), about == About::Path) {
            return Err(format!(
                "path `{text}` is not absolute; write \"{{home}}/{rest}\""
            ));
        }
        let template =
            Template::parse(text, about).map_err(|why| format!("path `{text}` {why}"))?;
        let inside = template
            .0
            .iter()
            .skip(1)
            .any(|p| *p == Part::Variable(Variable::Home));
        if inside {
            return Err(format!(
                "path `{text}` has `{{home}}` in it, which is a whole path: it can only begin with it"
            ));
        }
        let home = template.0.first() == Some(&Part::Variable(Variable::Home));
        if home
            && template
                .0
                .get(1)
                .is_some_and(|p| !matches!(p, Part::Text(t) if t.starts_with('/')))
        {
            return Err(format!("path `{text}` needs a `/` after `{{home}}`"));
        }
        // some name, to see whether the rest can be right
        let example = template.0.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Variable(Variable::Home) => "/h",
            Part::Variable(_) => "v",
        });
        let example: String = example.collect();
        match check(&example) {
            // as it is written, not as the example has it
            Err(why) => Err(why.replace(&format!("`{example}`"), &format!("`{text}`"))),
            Ok(_) => Ok(template),
        }
    }

    /// Reads a template of an instance: no two logins of which it tells what differs have one
    /// directory. The error is what is wrong with it.
    pub(crate) fn instance(text: &str, check: Check) -> Result<Template, String> {
        let template = Template::path(text, About::Instance, check)?;
        let names = template.names();
        let session = |name: &&Vec<Part>| name.contains(&Part::Variable(Variable::Session));
        if names.iter().rev().skip(1).any(|name| session(&name)) {
            return Err(format!(
                "path `{text}` has `{{session}}` above its last name: one more directory would stay \
                 at each login"
            ));
        }
        if names.iter().any(|name| is_ambiguous(name)) {
            return Err(format!(
                "path `{text}` has two variables in one name that cannot be told apart, so that two \
                 logins could have one directory: put a `/` between them"
            ));
        }
        Ok(template)
    }

    /// Where the directories lie that it stands for.
    pub(crate) fn store(&self) -> Option<Stores> {
        let names = self.names();
        let above = names.split_last()?.1;
        let plain = |name: &&Vec<Part>| !name.iter().any(|p| matches!(p, Part::Variable(_)));
        let fixed = above.iter().take_while(plain).flatten();
        let mut path = PathBuf::from("/");
        path.extend(fixed.filter_map(|part| match part {
            Part::Text(text) => Some(text),
            Part::Variable(_) => None,
        }));
        let depth = above.iter().skip_while(plain).count();
        Some(Stores { path, depth })
    }

    /// The parts of each name of a path.
    fn names(&self) -> Vec<Vec<Part>> {
        let mut names: Vec<Vec<Part>> = vec![Vec::new()];
        for part in &self.0 {
            let Part::Text(text) = part else {
                names
                    .last_mut()
                    .into_iter()
                    .for_each(|name| name.push(part.clone()));
                continue;
            };
            let mut pieces = text.split('/').map(|piece| Part::Text(piece.to_owned()));
            let first = pieces.next();
            names
                .last_mut()
                .into_iter()
                .for_each(|name| name.extend(first.clone()));
            names.extend(pieces.map(|piece| vec![piece]));
        }
        names
    }

    /// Whether a variable is in it.
    pub(crate) fn has(&self, variable: Variable) -> bool {
        self.0.contains(&Part::Variable(variable))
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Variable(_) => None,
        })
    }

    /// The text, if there is no variable in it.
    pub(crate) fn fixed(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// As it is written.
    pub(crate) fn text(&self) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Variable(variable) => {
                let name = VARIABLES.iter().find(|(_, one)| one == variable);
                format!("{{{}}}", name.map_or("", |(name, _)| name))
            }
        };
        self.0.iter().map(part).collect()
    }

    /// The host name for one login. What a host name cannot hold of a value becomes `-`; a name
    /// that is too long is refused, since a cut one may be another session's.
    ///
    /// The inner error is the name and what is wrong with it.
    pub(crate) fn fill_hostname(
        &self,
        values: &Values<'_>,
    ) -> Result<Result<String, (String, &'static str)>, Error> {
        let mut name = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => name.push_str(text),
                // not mended: the host's own name is as it is, or no host name
                Part::Variable(Variable::Hostname) => name += &values.of(Variable::Hostname)?,
                Part::Variable(variable) => {
                    let value = values.of(*variable)?;
                    name.extend(value.chars().map(|c| if is_hostname(c) { c } else { '-' }));
                }
            }
        }
        let why = match name.as_str() {
            "" => "is empty",
            name if name.len() > MAX_HOSTNAME => TOO_LONG,
            name if !name.chars().all(is_hostname) => ALLOWED,
            _ => return Ok(Ok(name)),
        };
        Ok(Err((name, why)))
    }

    /// The path for one login. A value fills one component or a part of one, whatever is in it;
    /// only `{home}` is a path.
    ///
    /// The inner error says what is wrong with the path that came out.
    pub(crate) fn fill_path(
        &self,
        values: &Values<'_>,
        check: Check,
    ) -> Result<Result<PathBuf, String>, Error> {
        let mut path = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => path.push_str(text),
                Part::Variable(Variable::Home) => match values.of(Variable::Home)? {
                    home if home.is_empty() => return Ok(Err("the user has no home".to_owned())),
                    home => path += &home,
                },
                Part::Variable(variable) => escape(&values.of(*variable)?, &mut path),
            }
        }
        if !path.starts_with('/') || path.starts_with("//") {
            return Ok(Err(format!("`{path}` is not an absolute path")));
        }
        if let Some(long) = path.split('/').find(|name| name.len() > path::MAX_NAME) {
            return Ok(Err(format!(
                "`{long}` is longer than the 255 bytes of a file's name"
            )));
        }
        Ok(check(&path))
    }
}

/// Whether two logins with other values could have the same name: where one value ends has to
/// show by what stands between two, unless it can be anything.
fn is_ambiguous(name: &[Part]) -> bool {
    use Variable::{Context, Group, Home, Hostname, Level, Service, Session, Uid, User};
    let (mut free, mut before) = (0, None);
    let mut between = String::new();
    for part in name {
        let one = match part {
            Part::Text(text) => {
                between += text;
                continue;
            }
            // of one length, and of one value on this host
            Part::Variable(Session | Hostname | Home) => continue,
            Part::Variable(one) => *one,
        };
        free += usize::from(matches!(one, User | Group | Service));
        let of_selinux = |one: Variable| matches!(one, Level | Context);
        let apart = |before: Variable| match of_selinux(before) || of_selinux(one) {
            // what no level ends or begins with, as "s0-s0:c0.c1023"
            true => between.contains(|c: char| !c.is_alphanumeric() && !":.,-".contains(c)),
            false => {
                [before, one].contains(&Uid) && between.contains(|c: char| !c.is_ascii_digit())
            }
        };
        if free > 1 || before.is_some_and(|before| !apart(before)) {
            return true;
        }
        before = Some(one);
        between.clear();
    }
    false
}

/// Writes a value so that no two values give one name, and none gives a name that means
/// something else: no `/`, no leading dot (so neither `.` nor `..`), no control character.
fn escape(value: &str, out: &mut String) {
    for (at, c) in value.chars().enumerate() {
        let plain = match c {
            '.' => at > 0,
            '/' | '%' => false,
            c => !c.is_control(),
        };
        if plain {
            out.push(c);
            continue;
        }
        let mut bytes = [0; 4];
        for byte in c.encode_utf8(&mut bytes).bytes() {
            out.push_str(&format!("%{byte:02x}"));
        }
    }
}

fn variable(name: &str, about: About) -> Result<Variable, String> {
    let known = || VARIABLES.iter().filter(|(_, one)| about.knows(*one));
    let other = VARIABLES.iter().find(|(other, _)| *other == name);
    if let Some(why) = other.and_then(|(_, one)| about.why_not(*one))
        && !known().any(|(known, _)| *known == name)
    {
        return Err(format!("has `{{{name}}}` in it, {why}"));
    }
    match known().find(|(known, _)| *known == name) {
        Some((_, variable)) => Ok(*variable),
        None => {
            let names: Vec<_> = known().map(|(name, _)| format!("{{{name}}}")).collect();
            let names = crate::shape::either(names.iter().map(String::as_str));
            Err(format!("has an unknown `{{{name}}}`, expected {names}"))
        }
    }
}

const ALLOWED: &str = "has a character that is not a letter, digit, `.` or `-`";
const TOO_LONG: &str = "is longer than 64 bytes";

fn is_hostname(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '.' || c == '-'
}

#[cfg(test)]
mod tests;
