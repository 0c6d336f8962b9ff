//! What the PAM module and session-init say to each other: one request, one reply.
//!
//! A message is a byte for its kind and fields, each ended by NUL: none of the strings of PAM
//! or of a path can hold one. The two programs are installed together, so a message of another
//! version is an error, never guessed at.

use crate::audit::{Facts, Format};
use crate::error::Error;
use crate::sys::Errno;
use crate::sys::ns::Kinds;
use crate::sys::spawn::EXEC_FAILED;

/// Version of the messages; the first field of each request.
const VERSION: &[u8] = b"nsshell-3";

/// Which of the module's two questions it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// may this account log in? (pam_acct_mgmt)
    Account,
    /// make the session (pam_open_session)
    Open,
}

/// The module's request. Strings are bytes as PAM has them: no NUL, any encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// the question
    pub verb: Verb,
    /// PAM_USER
    pub user: Vec<u8>,
    /// PAM_SERVICE
    pub service: Vec<u8>,
    /// PAM_TTY, empty if none
    pub tty: Vec<u8>,
    /// PAM_RHOST, empty if none
    pub rhost: Vec<u8>,
    /// policy file, absolute; empty for the default
    pub config: Vec<u8>,
    /// how the lines of the audit trail are written
    pub format: Format,
}

/// session-init's reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// the account may log in
    Allowed,
    /// the policy leaves this login as it is
    Unconfined {
        /// the profile that says so
        profile: String,
        /// why there is no policy to ask, for a login that is let in all the same; empty if
        /// all is well
        warning: String,
    },
    /// the session is made; with it come init's pidfd and the lease, in this order
    Confined(Confined),
    /// no session; why, and what to do, in one line, and what is known for the audit trail
    Refused(String, Facts),
    /// session-init itself could not be executed
    NotExecuted(Errno),
}

/// A session that the application may now enter, made for it or shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confined {
    /// the session's name
    pub session: String,
    /// the profile it was made by
    pub profile: String,
    /// what to enter
    pub kinds: Kinds,
    /// whose it is, on the host
    pub uid: u32,
    /// it was there before this login
    pub joined: bool,
    /// `NAME=value` pairs for the PAM environment
    pub environment: Vec<String>,
    /// what the audit trail says of it
    pub facts: Facts,
}

impl Request {
    /// The request as a message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let verb = match self.verb {
            Verb::Account => b'A',
            Verb::Open => b'O',
        };
        message(
            verb,
            &[
                VERSION,
                &self.user,
                &self.service,
                &self.tty,
                &self.rhost,
                &self.config,
                match self.format {
                    Format::Text => b"",
                    Format::Json => b"json",
                },
            ],
        )
    }

    /// The request in a message.
    ///
    /// # Errors
    /// [`Error::Protocol`] if it is not one of ours.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let (kind, fields) = fields(message)?;
        let verb = match kind {
            b'A' => Verb::Account,
            b'O' => Verb::Open,
            _ => return Err(Error::Protocol("unknown request")),
        };
        let [VERSION, user, service, tty, rhost, config, format] = fields[..] else {
            return Err(Error::Protocol("request of another version"));
        };
        let own = <[u8]>::to_vec;
        Ok(Self {
            verb,
            user: own(user),
            service: own(service),
            tty: own(tty),
            rhost: own(rhost),
            config: own(config),
            format: match format {
                b"" => Format::Text,
                _ => Format::Json,
            },
        })
    }
}

impl Reply {
    /// The reply as a message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Allowed => message(b'A', &[]),
            Self::Unconfined { profile, warning } => {
                message(b'U', &[profile.as_bytes(), warning.as_bytes()])
            }
            Self::Refused(why, facts) => {
                let facts: Vec<_> = facts.fields().collect();
                let mut list = vec![why.as_bytes()];
                list.extend(facts.iter().map(Vec::as_slice));
                message(b'R', &list)
            }
            Self::NotExecuted(errno) => {
                vec![EXEC_FAILED, u8::try_from(errno.raw_os_error()).unwrap_or(0)]
            }
            Self::Confined(confined) => {
                let kinds = confined.kinds.bits().to_string();
                let uid = confined.uid.to_string();
                let variables = confined.environment.len().to_string();
                let facts: Vec<_> = confined.facts.fields().collect();
                let mut list: Vec<&[u8]> = vec![
                    confined.session.as_bytes(),
                    confined.profile.as_bytes(),
                    kinds.as_bytes(),
                    uid.as_bytes(),
                    if confined.joined { b"joined" } else { b"" },
                    variables.as_bytes(),
                ];
                list.extend(confined.environment.iter().map(String::as_bytes));
                list.extend(facts.iter().map(Vec::as_slice));
                message(b'C', &list)
            }
        }
    }

    /// The reply in a message.
    ///
    /// # Errors
    /// [`Error::Protocol`] if it is not one of ours.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        if let [EXEC_FAILED, errno] = message {
            return Ok(Self::NotExecuted(Errno::from_raw_os_error(i32::from(
                *errno,
            ))));
        }
        let text = |field: &[u8]| {
            String::from_utf8(field.to_vec()).map_err(|_| Error::Protocol("reply is no UTF-8"))
        };
        let (kind, fields) = fields(message)?;
        match (kind, &fields[..]) {
            (b'A', []) => Ok(Self::Allowed),
            (b'U', [profile, warning]) => Ok(Self::Unconfined {
                profile: text(profile)?,
                warning: text(warning)?,
            }),
            (b'R', [why, facts @ ..]) => Ok(Self::Refused(
                text(why)?,
                Facts::from_fields(facts.iter().copied()),
            )),
            (b'C', [session, profile, kinds, uid, joined, variables, rest @ ..]) => {
                let kinds = text(kinds)?.parse().ok().and_then(Kinds::from_bits);
                let odd = Error::Protocol("a session without its data");
                let variables = text(variables)?.parse().map_err(|_| odd.clone())?;
                let (environment, facts) = rest
                    .split_at_checked(variables)
                    .ok_or_else(|| odd.clone())?;
                Ok(Self::Confined(Confined {
                    session: text(session)?,
                    profile: text(profile)?,
                    kinds: kinds.ok_or(Error::Protocol("unknown kind of namespace"))?,
                    uid: text(uid)?.parse().map_err(|_| odd)?,
                    joined: !joined.is_empty(),
                    facts: Facts::from_fields(facts.iter().copied()),
                    environment: environment
                        .iter()
                        .map(|one| text(one))
                        .collect::<Result<_, _>>()?,
                }))
            }
            _ => Err(Error::Protocol("unknown reply")),
        }
    }
}

/// A kind and its fields as one message. A NUL inside a field would shift the ones after it:
/// what follows it is left out.
pub(crate) fn message(kind: u8, fields: &[&[u8]]) -> Vec<u8> {
    let mut message = vec![kind];
    for field in fields {
        message.extend(field.iter().take_while(|&&byte| byte != 0));
        message.push(0);
    }
    message
}

pub(crate) fn fields(message: &[u8]) -> Result<(u8, Vec<&[u8]>), Error> {
    let (&kind, rest) = message
        .split_first()
        .ok_or(Error::Protocol("empty message"))?;
    if rest.is_empty() {
        return Ok((kind, Vec::new()));
    }
    let rest = rest
        .strip_suffix(&[0])
        .ok_or(Error::Protocol("message cut short"))?;
    Ok((kind, rest.split(|&byte| byte == 0).collect()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn request() -> Request {
        Request {
            verb: Verb::Open,
            user: b"alice".to_vec(),
            service: b"sshd".to_vec(),
            tty: b"ssh".to_vec(),
            rhost: b"\xff\n".to_vec(),
            config: Vec::new(),
            format: Format::Json,
        }
    }

    #[test]
    fn a_request_comes_back_as_it_was_sent() {
        assert_eq!(Request::decode(&request().encode()).unwrap(), request());
    }

    #[test]
    fn every_reply_comes_back_as_it_was_sent() {
        let confined = Confined {
            session: "k3x9".into(),
            profile: "standard".into(),
            kinds: Kinds::MOUNT.with(Kinds::PID),
            uid: 1000,
            joined: true,
            environment: vec!["A=b".into(), "C=".into()],
            facts: Facts::default().with("rhost", b"\xff\n").with("mnt", "4"),
        };
        for reply in [
            Reply::Allowed,
            Reply::Unconfined {
                profile: "none".into(),
                warning: String::new(),
            },
            Reply::Unconfined {
                profile: "none".into(),
                warning: "no policy".into(),
            },
            Reply::Refused("no; do this".into(), Facts::default()),
            Reply::Refused("no".into(), Facts::default().with("user", "alice")),
            Reply::NotExecuted(Errno::NOENT),
            Reply::Confined(confined),
        ] {
            assert_eq!(Reply::decode(&reply.encode()).unwrap(), reply);
        }
    }

    #[test]
    fn a_message_cut_anywhere_or_of_another_version_is_refused() {
        let whole = request().encode();
        for length in 0..whole.len() {
            assert!(
                Request::decode(&whole[..length]).is_err(),
                "cut at {length}"
            );
        }
        let mut other = whole;
        other[8] = b'9';
        assert!(Request::decode(&other).is_err());
    }

    #[test]
    fn a_field_with_a_nul_cannot_become_two_fields() {
        let mut sly = request();
        sly.user = b"alice\0root".to_vec();
        assert_eq!(Request::decode(&sly.encode()).unwrap().user, b"alice");
    }
}
