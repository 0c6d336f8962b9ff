//! The life of a session: who shares it, how long it lasts, what ends it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::diagnostic::Faults;
use crate::profile::{Keys, Profile};
use crate::shape;
use crate::source::{At, Place};
use crate::tree::{Node, Value};
use crate::{HidePid, Namespace};

/// Which logins share a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// all logins of a user under one profile
    User,
    /// none: each login has its own
    #[default]
    Session,
}

/// What becomes of a session when its last login ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnLogout {
    /// it ends, with everything in it
    #[default]
    Kill,
    /// it stays while processes of it remain, at most [`Life::keep_for`]
    Keep,
}

/// What a login does that finds a session of its user which was planned otherwise than today's
/// policy plans one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnPolicyChange {
    /// shares it as it is
    #[default]
    Join,
    /// ends it if no login is in it, and has a new one; shares it otherwise
    Replace,
    /// is refused
    Refuse,
}

/// How long a session lasts and who shares it. All times in seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Life {
    /// who shares it
    pub scope: Scope,
    /// what the end of its last login means
    pub on_logout: OnLogout,
    /// how long it stays without a login; none: while processes remain
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_for: Option<u32>,
    /// most logins of the user under the profile at a time; none: any number
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_sessions: Option<u32>,
    /// after which it ends in any case; none: never
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_lifetime: Option<u32>,
    /// without input on any of its terminals, after which it ends; none: never
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<u32>,
    /// what a login does about a session of another policy
    pub on_policy_change: OnPolicyChange,
}

const DAY: u32 = 24 * 60 * 60;

/// Longest time of a key here.
const LONGEST: u32 = 366 * DAY;

/// The kernel notes input on a terminal in steps of 8 s, so that nobody can tell the pauses
/// between keystrokes from them; a shorter limit would end sessions in use.
const SHORTEST_IDLE: u32 = 10;

const MOST_SESSIONS: i64 = 10_000;

pub(crate) fn scope(node: &Node<'_>, faults: &mut Faults) -> Option<At<Scope>> {
    let words = [("user", Scope::User), ("session", Scope::Session)];
    shape::word(node, &words, faults)
}

pub(crate) fn on_logout(node: &Node<'_>, faults: &mut Faults) -> Option<At<OnLogout>> {
    let words = [("kill", OnLogout::Kill), ("keep", OnLogout::Keep)];
    shape::word(node, &words, faults)
}

pub(crate) fn on_policy_change(node: &Node<'_>, faults: &mut Faults) -> Option<At<OnPolicyChange>> {
    let words = [
        ("join", OnPolicyChange::Join),
        ("replace", OnPolicyChange::Replace),
        ("refuse", OnPolicyChange::Refuse),
    ];
    shape::word(node, &words, faults)
}

pub(crate) fn max_sessions(node: &Node<'_>, faults: &mut Faults) -> Option<At<u32>> {
    let Value::Number(number) = node.value else {
        shape::wrong(node, "a whole number of logins", faults);
        return None;
    };
    match u32::try_from(number) {
        Ok(value) if (1..=MOST_SESSIONS).contains(&number) => Some(At {
            value,
            place: node.place,
        }),
        _ => {
            let what = format!("`max_sessions` is {number}, not 1 to {MOST_SESSIONS}");
            let noted = faults.error(node.place, what);
            if number == 0 {
                noted.help("leave it out for any number");
            }
            None
        }
    }
}

/// A time: a number of seconds, or a number with s, m, h or d.
pub(crate) fn time(key: &str, node: &Node<'_>, faults: &mut Faults) -> Option<At<u32>> {
    let shortest = if key == "idle" { SHORTEST_IDLE } else { 1 };
    let (seconds, written) = match &node.value {
        Value::Number(number) => (u64::try_from(*number).ok(), format!("{number} seconds")),
        Value::Text(text) => {
            match parse(text) {
                Some(seconds) => (Some(seconds), text.to_string()),
                None => {
                    let what = format!("`{text}` is no time");
                    let noted = faults.error(node.place, what);
                    noted.help("write a number with s, m, h or d, such as \"90m\", or seconds without quotes");
                    return None;
                }
            }
        }
        _ => {
            shape::wrong(node, "seconds or a time such as \"8h\"", faults);
            return None;
        }
    };
    let fits = |value: &u32| (shortest..=LONGEST).contains(value);
    match seconds.and_then(|s| u32::try_from(s).ok()).filter(fits) {
        Some(value) => Some(At {
            value,
            place: node.place,
        }),
        None => {
            let plural = if shortest == 1 { "" } else { "s" };
            let what = format!("`{key}` is {written}, not {shortest} second{plural} to 366 days");
            faults.error(node.place, what);
            None
        }
    }
}

/// The seconds of a number with a unit.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let unit = match text.as_bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3600,
        b'd' => u64::from(DAY),
        _ => return None,
    };
    let number = &text[..text.len() - 1];
    // not parse() alone, which takes "+5"
    let digits = !number.is_empty() && number.len() <= 10;
    if !digits || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(unit)
}

impl Life {
    /// Of a profile's keys. A key has no effect that a stronger file, or a profile that extends
    /// this one, has taken the ground from.
    pub(crate) fn new(keys: &Keys, namespaces: &BTreeSet<Namespace>) -> Life {
        fn value<T: Copy>(set: &Option<At<T>>) -> Option<T> {
            set.as_ref().map(|set| set.value)
        }
        let pid = namespaces.contains(&Namespace::Pid);
        let scope = value(&keys.scope).unwrap_or(Scope::User);
        let on_logout = value(&keys.on_logout).filter(|_| pid);
        let on_logout = on_logout.unwrap_or_default();
        let kept = on_logout == OnLogout::Keep;
        let shared = scope == Scope::User;
        let on_policy_change = value(&keys.on_policy_change).filter(|_| shared);
        Life {
            scope,
            on_logout,
            keep_for: value(&keys.keep_for).filter(|_| kept),
            max_sessions: value(&keys.max_sessions),
            max_lifetime: value(&keys.max_lifetime),
            idle: value(&keys.idle).filter(|_| pid),
            on_policy_change: on_policy_change.unwrap_or_default(),
        }
    }
}

/// Notes keys that say something about what the profile does not have; see
/// [`crate::conflict::contradictions`], which does so for namespaces, for `own` and `settled`.
pub(crate) fn contradictions(name: &str, own: &Keys, settled: &Keys, faults: &mut Faults) {
    fn at<T>(set: &Option<At<T>>) -> Option<Place> {
        set.as_ref().map(|set| set.place)
    }
    let profile = Profile::new(settled);
    if profile.namespaces.is_empty() {
        return;
    }
    let mut pointless = |place: Place, why: Option<(Place, &str)>, what: String, help: &str| {
        if why.is_none_or(|(why, _)| place.knows(why)) {
            let noted = faults.error(place, what).help(help);
            if let Some((why, said)) = why {
                noted.other(why, said);
            }
        }
    };
    let kinds = at(&settled.namespaces).map(|place| (place, "the namespaces are set here"));
    let pid = profile.has(Namespace::Pid);
    if let (Some(keep), false) = (&own.on_logout, pid)
        && keep.value == OnLogout::Keep
    {
        let what = format!("profile `{name}` cannot keep a session without a pid namespace");
        let help = "add \"pid\" to `namespaces`: without it nobody knows what belongs to a session";
        pointless(keep.place, kinds, what, help);
    }
    if let (Some(idle), false) = (&own.idle, pid) {
        let what = format!("`idle` has no effect in profile `{name}`, which has no pid namespace");
        let help = "add \"pid\" to `namespaces`: without it nobody knows which terminals are a \
                    session's";
        pointless(idle.place, kinds, what, help);
    }
    // Init sees the processes of others in the session's own /proc, and has no right to trace.
    if pid && profile.hidepid == HidePid::Ptraceable && settled.idle.is_some() {
        let what = format!(
            "`idle` has no effect in profile `{name}`, where hidepid = \"ptraceable\" hides \
             terminals from the session's init"
        );
        let help = "set hidepid = \"invisible\", which hides the same processes from users";
        let hidepid = at(&settled.hidepid).map(|place| (place, "`hidepid` is set here"));
        let idle = at(&settled.idle).map(|place| (place, "`idle` is set here"));
        match (at(&own.idle), at(&own.hidepid)) {
            (Some(place), _) => pointless(place, hidepid, what, help),
            (None, Some(place)) => pointless(place, idle, what, help),
            (None, None) => {}
        }
    }
    let on_logout = settled.on_logout.as_ref();
    if let Some(keep_for) = &own.keep_for
        && on_logout.is_none_or(|set| set.value == OnLogout::Kill)
    {
        let what = format!("`keep_for` has no effect in profile `{name}`, which keeps no session");
        let kill = on_logout.map(|set| (set.place, "`on_logout` is set here"));
        let help = "set on_logout = \"keep\", or take it out";
        pointless(keep_for.place, kill, what, help);
    }
    if let (Some(change), Some(scope)) = (&own.on_policy_change, &settled.scope)
        && scope.value == Scope::Session
    {
        let what = format!(
            "`on_policy_change` has no effect in profile `{name}`, where each login has a session \
             of its own"
        );
        let scope = Some((scope.place, "`scope` is set here"));
        pointless(
            change.place,
            scope,
            what,
            "set scope = \"user\", or take it out",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_with_a_unit() {
        let cases = [
            ("0s", 0),
            ("30s", 30),
            ("90m", 5400),
            ("8h", 28_800),
            ("2d", 172_800),
        ];
        for (text, seconds) in cases {
            assert_eq!(parse(text), Some(seconds), "{text}");
        }
        for text in [
            "",
            "s",
            "5",
            "+5s",
            "-5s",
            "5 s",
            "1h30m",
            "5S",
            "99999999999d",
            "é",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
