//! The host name of a session: a template of the profile, filled in for one login.

/// The longest name that sethostname(2) takes, in bytes.
const MAX_BYTES: usize = 64;

/// A host name template such as `"{hostname}-{user}"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Hostname,
    User,
}

impl Template {
    /// Reads a template; the error is what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                return Err("`{` without `}`".to_owned());
            };
            parts.push(Part::Text(before.to_owned()));
            parts.push(match name {
                "hostname" => Part::Hostname,
                "user" => Part::User,
                _ => {
                    return Err(format!(
                        "unknown `{{{name}}}`, expected `{{hostname}}` or `{{user}}`"
                    ));
                }
            });
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| *part != Part::Text(String::new()));
        let texts = parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            _ => None,
        });
        match texts.collect::<String>() {
            _ if parts.is_empty() => Err("a host name is not empty".to_owned()),
            fixed if !fixed.chars().all(is_allowed) => Err(ALLOWED.to_owned()),
            fixed if fixed.len() > MAX_BYTES => Err(TOO_LONG.to_owned()),
            _ => Ok(Template(parts)),
        }
    }

    /// Whether the host's own name is needed.
    pub(crate) fn wants_hostname(&self) -> bool {
        self.0.contains(&Part::Hostname)
    }

    /// The name for one login. What a host name cannot hold of the user's name becomes `-`;
    /// a name that is too long is refused, since a cut one may be another session's.
    ///
    /// The error is the name and what is wrong with it.
    pub(crate) fn fill(
        &self,
        hostname: &str,
        user: &str,
    ) -> Result<String, (String, &'static str)> {
        let mut name = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Hostname => name.push_str(hostname),
                Part::User => {
                    name.extend(user.chars().map(|c| if is_allowed(c) { c } else { '-' }))
                }
            }
        }
        let why = match name.as_str() {
            "" => "is empty",
            name if name.len() > MAX_BYTES => TOO_LONG,
            name if !name.chars().all(is_allowed) => ALLOWED,
            _ => return Ok(name),
        };
        Err((name, why))
    }
}

const ALLOWED: &str = "has a character that is not a letter, digit, `.` or `-`";
const TOO_LONG: &str = "is longer than 64 bytes";

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '.' || c == '-'
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_template_is_filled_in() {
        let cases = [
            ("box", "box"),
            ("{hostname}", "mill.example"),
            ("{user}", "al-ice-"),
            ("{hostname}-{user}", "mill.example-al-ice-"),
            ("a{user}b{hostname}c", "aal-ice-bmill.examplec"),
        ];
        for (template, want) in cases {
            let template = Template::parse(template).unwrap();
            assert_eq!(
                template.fill("mill.example", "al_iceé").as_deref(),
                Ok(want),
                "{template:?}"
            );
        }
        assert!(!Template::parse("{user}").unwrap().wants_hostname());
        assert!(Template::parse("x{hostname}").unwrap().wants_hostname());
    }

    #[test]
    fn a_bad_template_is_refused() {
        let long = "a".repeat(65);
        for bad in [
            "", "{", "a{user", "{users}", "{}", "a b", "a_b", "}", "é", "a/b", &long,
        ] {
            assert!(Template::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_that_the_kernel_would_refuse_or_cut_is_refused() {
        let template = Template::parse("{hostname}-{user}").unwrap();
        assert!(template.fill("h", &"u".repeat(62)).is_ok());
        assert_eq!(template.fill("h", &"u".repeat(63)).unwrap_err().1, TOO_LONG);
        assert_eq!(template.fill("a_b", "u").unwrap_err().1, ALLOWED);
        assert_eq!(template.fill("a\nb", "u").unwrap_err().1, ALLOWED);
        assert_eq!(
            Template::parse("{user}")
                .unwrap()
                .fill("h", "")
                .unwrap_err()
                .1,
            "is empty"
        );
    }
}
