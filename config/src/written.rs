//! One entry of a list of a rule as it is written, and what to write for one that is wrong.

use crate::network::Network;
use crate::pattern::{Name, Remote, Uids, Who, plain_host, plain_tty};

/// What is wrong with an entry, and what to do about it, if that is known.
pub(crate) struct Wrong {
    pub(crate) why: String,
    pub(crate) help: Option<String>,
}

impl From<String> for Wrong {
    fn from(why: String) -> Wrong {
        Wrong { why, help: None }
    }
}

fn wrong<T>(why: impl Into<String>, help: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong {
        why: why.into(),
        help: Some(help.into()),
    })
}

/// Whom a rule without a list is about.
pub(crate) fn everything(key: &str) -> &'static str {
    match key {
        "services" => "all services",
        "ttys" => "all terminals, and logins without one",
        "hosts" => "all hosts, and logins from none",
        _ => "all persons",
    }
}

/// Refuses characters that no name has. `mend` is given the text, and what a writer may have
/// meant by it.
fn no_part_of_a_name(
    text: &str,
    part: &[u8],
    mend: impl Fn(&str) -> Option<String>,
) -> Result<(), Wrong> {
    let Some(byte) = text.bytes().find(|byte| part.contains(byte)) else {
        return Ok(());
    };
    let names: Vec<_> = text.split(',').map(str::trim).collect();
    let help = match names.iter().all(|name| !name.is_empty()) && names.len() > 1 {
        true => Some(format!("write \"{}\"", names.join("\", \""))),
        false => mend(text),
    };
    let byte = char::from(byte);
    Err(Wrong {
        why: format!("`{text}` has `{byte}` in it, which is no part of a name"),
        help,
    })
}

/// Whether there is nothing but a name, perhaps of a group, in an entry: that takes one look at
/// each byte, and to see what else there may be takes several.
pub(crate) fn is_plain(text: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    let name = text.strip_prefix('@').unwrap_or(text);
    (1..=32).contains(&name.len()) && name.bytes().all(is_part) && name != "all"
}

pub(crate) fn user(text: &str) -> Result<Who, Wrong> {
    if is_plain(text) {
        let group = text
            .strip_prefix('@')
            .map(|name| Who::Group(Name::Literal(name.into())));
        return Ok(group.unwrap_or_else(|| Who::User(Name::Literal(text.into()))));
    }
    // groups are written otherwise for access.conf(5)
    let group = |text: &str| {
        let name = text.trim_matches(['(', ')', '@', ':']);
        let is_group = text.starts_with(['(', '@']) && user(name).is_ok();
        is_group.then(|| format!("write \"@{name}\""))
    };
    no_part_of_a_name(text, b"!:/,()", group)?;
    match text.strip_prefix('@') {
        Some("") => wrong(
            "`@` without the name of a group",
            "write a group as \"@NAME\"",
        ),
        Some(group) => Ok(Who::Group(Name::new(group))),
        None => Ok(Who::User(Name::new(text))),
    }
}

pub(crate) fn uids(text: &str) -> Result<Uids, Wrong> {
    Uids::parse(text).map_err(|why| {
        let last = u32::MAX - 1;
        let numbers = text
            .split_once('-')
            .map(|(first, last)| (first.parse::<u32>(), last));
        let help = match numbers {
            Some((Ok(first), "" | "4294967295")) => Some(format!("write \"{first}-{last}\"")),
            Some((Ok(first), last)) => match last.parse::<u32>() {
                Ok(last) if last < first => Some(format!("write \"{last}-{first}\"")),
                _ => None,
            },
            _ if text.starts_with(char::is_alphabetic) => {
                Some("names belong in `users`".to_owned())
            }
            _ => None,
        };
        Wrong { why, help }
    })
}

pub(crate) fn service(text: &str) -> Result<Name, Wrong> {
    if is_plain(text) && !text.starts_with('@') {
        return Ok(Name::Literal(text.into()));
    }
    let name = |text: &str| {
        let (_, name) = text.rsplit_once('/')?;
        (!name.is_empty()).then(|| format!("write \"{name}\""))
    };
    no_part_of_a_name(text, b"!:/,@", name)?;
    // libpam makes service names lower case
    match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Ok(Name::new(&text.to_ascii_lowercase())),
        false => Ok(Name::new(text)),
    }
}

pub(crate) fn tty(text: &str) -> Result<Name, Wrong> {
    let group = |text: &str| {
        let is_group = text.starts_with('@');
        is_group.then(|| "groups belong in `users`; write a terminal as \"tty1\"".to_owned())
    };
    no_part_of_a_name(text, b"!,@", group)?;
    Ok(Name::new(plain_tty(text)))
}

pub(crate) fn host(text: &str) -> Result<Remote, Wrong> {
    if let Some(network) = Network::parse(text) {
        return network.map(Remote::Network).map_err(|why| Wrong {
            why: format!("`{text}`: {why}"),
            help: of_netmask(text).map(|network| format!("write \"{network}\"")),
        });
    }
    let is_part = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "._-:*?%".contains(c);
    if let Some(c) = text.chars().find(|c| !is_part(*c)) {
        let names: Vec<_> = text.split(',').map(str::trim).collect();
        return Err(Wrong {
            why: format!(
                "`{text}` has `{c}` in it, which is no part of a host name, an address or a network"
            ),
            help: (c == ',').then(|| format!("write \"{}\"", names.join("\", \""))),
        });
    }
    // taken for a name, it would match no host that there is
    let numbers = text
        .bytes()
        .all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
    let colons = text.matches(':').count() > 1;
    if (numbers || colons) && !text.contains(['*', '?']) {
        let like = match (of_first_numbers(text), colons) {
            (Some(network), _) => format!("write \"{network}\" for the network"),
            (None, true) => "write an address, or a network such as 2001:db8::/32".to_owned(),
            (None, false) => "write an address, or a network such as 192.0.2.0/24".to_owned(),
        };
        return wrong(format!("`{text}` is no address and no network"), like);
    }
    Ok(Remote::Name(Name::new(&plain_host(text))))
}

/// "192.0.2.0/24" of "192.0.2.0/255.255.255.0".
fn of_netmask(text: &str) -> Option<String> {
    let (address, mask) = text.split_once('/')?;
    let address: std::net::Ipv4Addr = address.parse().ok()?;
    let mask = mask.parse::<std::net::Ipv4Addr>().ok()?.to_bits();
    let length = mask.leading_ones();
    let first = std::net::Ipv4Addr::from_bits(address.to_bits() & mask);
    (length == mask.count_ones()).then(|| format!("{first}/{length}"))
}

/// "192.0.2.0/24" of "192.0.2" and "192.0.2.", as others write networks.
fn of_first_numbers(text: &str) -> Option<String> {
    let numbers = text.strip_suffix('.').unwrap_or(text).split('.');
    let numbers: Vec<u8> = numbers
        .map(|number| number.parse().ok())
        .collect::<Option<_>>()?;
    let count = numbers.len();
    let padded = numbers.iter().copied().chain([0; 3]).take(4);
    let padded: Vec<_> = padded.map(|number| number.to_string()).collect();
    (count < 4).then(|| format!("{}/{}", padded.join("."), count * 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_no_host_is_no_name_of_one() {
        for good in [
            "mill",
            "mill.example.org",
            "10-1-2-3.example.org",
            "192.0.2.*",
            "2001:db8:*",
            "*",
            "192.0.2.7",
            "::1",
            "3com",
            "x-1",
        ] {
            assert!(host(good).is_ok(), "{good}");
        }
        let cases = [
            ("192.0.2.300", "network such as 192.0.2.0/24"),
            ("192.0.2", "\"192.0.2.0/24\""),
            ("192.0.2.", "\"192.0.2.0/24\""),
            ("10", "\"10.0.0.0/8\""),
            ("10.0.0.0-10.0.0.9", "network such as 192.0.2.0/24"),
            ("1.2.3.4.5", "network such as 192.0.2.0/24"),
            ("2001:db8::g", "network such as 2001:db8::/32"),
        ];
        for (bad, mend) in cases {
            let help = host(bad).err().and_then(|wrong| wrong.help);
            let help = help.unwrap_or_default();
            assert!(help.contains(mend), "{bad}: {help}");
        }
    }

    #[test]
    fn a_netmask_is_told_as_its_length() {
        let cases = [
            ("192.0.2.0/255.255.255.0", Some("192.0.2.0/24")),
            ("10.1.2.3/255.0.0.0", Some("10.0.0.0/8")),
            ("10.0.0.0/255.0.255.0", None),
            ("10.0.0.0/x", None),
            ("::/0", None),
        ];
        for (text, want) in cases {
            assert_eq!(of_netmask(text).as_deref(), want, "{text}");
        }
    }
}
