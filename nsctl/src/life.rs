//! The life of a session in the words of `nsctl explain`.

use nsshell_config::{Life, OnLogout, OnPolicyChange, Scope};

/// A name and a text for each thing that there is to say.
pub(crate) fn rows(life: &Life) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    let mut say = |name, text: String| rows.push((name, text));
    say(
        "scope",
        match (life.scope, life.on_policy_change) {
            (Scope::Session, _) => "session: each login has its own".to_owned(),
            (Scope::User, change) => {
                let change = match change {
                    OnPolicyChange::Join => "also if it was planned otherwise",
                    OnPolicyChange::Replace => {
                        "one that was planned otherwise is replaced once no login is in it"
                    }
                    OnPolicyChange::Refuse => {
                        "refused while there is one that was planned otherwise"
                    }
                };
                format!("user: shared by the user's logins under this profile; {change}")
            }
        },
    );
    say(
        "on logout",
        match (life.on_logout, life.keep_for) {
            (OnLogout::Kill, _) => "it ends with its last login".to_owned(),
            (OnLogout::Keep, None) => "it stays while processes of it remain".to_owned(),
            (OnLogout::Keep, Some(most)) => {
                format!("it stays while processes of it remain, at most {most} s")
            }
        },
    );
    if let Some(most) = life.max_sessions {
        say("most logins", format!("{most} at a time"));
    }
    if let Some(most) = life.max_lifetime {
        say("lifetime", format!("{most} s at most"));
    }
    if let Some(most) = life.idle {
        let text = format!("it ends after {most} s without input on any of its terminals");
        say("idle", text);
    }
    rows
}
