//! How a login shares a session that is there, and how a session ends while logins arrive.
//!
//! # Who takes part
//! - the **helper** (session-init, one a login, root): [`seek`], which calls `lock`, `scan`,
//!   `verify`, `connect` and `ask`; or it makes a session, and `publish`es it;
//! - **init** (one a session, root, one thread): `accept`, `hear`, `leave`, `decide`, `close`;
//! - the **module** (in the application, root): `enter`, `leave`.
//!
//! # Objects
//! - the *lock*: flock(2) on the directory of the user's doors. Gone with its holder.
//! - the *record* of a session, which init holds locked while it lives.
//! - the *door*: a socket in the directory of the user's doors that init itself listens on.
//! - a *lease*: one connection for each login; at one end init, at the other the module. Beside
//!   it init holds a pidfd of the application. There is no number of logins anywhere: a login
//!   is in the session exactly while init's end of its lease is open and its application alive.
//!
//! # The protocol
//! 1. `lock`: the helper waits for the user's lock, at most for the plan's `timeout`.
//! 2. `scan`: it reads the names of the doors. A name without a live record is swept away if
//!    nobody listens there.
//!    Records of another profile or scope are passed by.
//! 3. `verify`: the record names a process. Its pidfd is opened, and then start time and
//!    namespaces of that number are compared with the record; if the pidfd still means a live
//!    process afterwards, it was that process all the time.
//! 4. `connect` to the door. There is nothing to connect to: the session is ending, and is
//!    passed by. Who listens there is asked of the kernel (SO_PEERCRED): it has to be the
//!    process of the record, and root.
//! 5. `ask`: the helper sends "join" with the application's pidfd. **Only init's answer decides**:
//!    - joined: from now on this connection is the lease, and goes to the module;
//!    - ending: the session is passed by;
//!    - full: the login is refused;
//!    - another version: an init that does not understand the question is passed by, which the
//!      audit trail says. It takes no login of ours, nor we one of its;
//!    - none, the connection just ends: that may be the end of init or a lack of descriptors or
//!      memory in an init that goes on taking logins. The helper connects again (4) until it is
//!      one or the other, at most for the plan's `timeout`; then the login is refused.
//! 6. If every session was passed by, the helper makes one while it holds the lock: init opens
//!    its door, and only then is the session `publish`ed. The lock goes with the helper.
//! 7. init has one thread, so between two of its steps nothing happens to its leases:
//!    - `accept` and `hear`: a connection of root's that says "join" becomes a lease, and is
//!      answered after that; one that only asks for their number (`logins`, of nsctl) is told
//!      it and dropped;
//!    - `leave`: a lease whose other end is closed, or whose application is dead, is dropped;
//!    - `decide`: without a lease (and without processes, if it is to be kept), at a limit or a
//!      signal it decides to end. This is final.
//!    - `close` comes next and before anything else: the door's name is removed, the door is
//!      shut, and only then is every connection that was not answered dropped: who connects
//!      again finds no door. Each lease that is left is told so. Only then are processes ended.
//! 8. `enter`: the module enters the namespaces and *then* looks at its lease. If init has said
//!    meanwhile that the session ends, or is dead, the module goes back and refuses the login.
//!
//! A login that is made in a cgroup which another user has power over ([`Standing::Foreign`])
//! goes without the lock: that user could stop it with the lock in its hands. It joins by 3 to 5
//! what it finds, sweeps and replaces nothing, and what it makes has no door. One in a mount
//! namespace of its own takes no part at all.
//!
//! # What follows
//! A login that init has answered holds a lease, so the session does not end for want of one.
//! A login that comes too late finds no door, and makes a session of its own, while the old one,
//! which takes nobody any more, is ended beside it. Two sessions that both take logins cannot be: making one needs the lock, and that no other takes logins. Whoever
//! dies at whatever point lets go of the lock, the record and the leases that it held: these
//! are the kernel's. `tests/join_model.rs` walks through all interleavings of this.
//!
//! # What a user can do about it
//! Nothing: the directories are root's with mode 0700 and covered inside of a session, and of
//! what a user can make (processes with init's name, sockets, files, namespaces, an
//! environment) nothing is looked at.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nsshell_config::{Mount, OnPolicyChange, Plan, Scope, SessionPlan};

use crate::error::Error;
use crate::live::Present;
use crate::record::{self, Record};
use crate::standing::Standing;
use crate::sys::{Errno, pidfd, socket, unix};
use crate::{door, processes, trail};

/// The version of what is said through a door, and of what a login finds in the session: init of a
/// session without the gate's orders has version 1, and a login that it refuses makes another one.
const VERSION: &[u8] = b"2";

/// How many logins a session has, asked by `nsctl` through its door. No login, so that the
/// connection never becomes a lease, and nothing of the protocol hangs on the answer.
pub(crate) const HOW_MANY: &[u8] = b"N1";

/// Who they are, asked in the same way.
pub(crate) const WHO: &[u8] = b"W1";

/// Most bytes of what is told of one login's service, terminal and remote host each.
const MOST_OF_ONE: usize = 64;

/// How long a helper waits before it asks again that has got no answer.
const AGAIN: Duration = Duration::from_millis(10);

/// What a login asks of init.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// rather end, if nobody is in the session
    pub(crate) replace: bool,
    /// most logins that may be in it with this one
    pub(crate) most: Option<u32>,
    /// service, terminal and remote host, for the audit trail
    pub(crate) login: [Vec<u8>; 3],
}

/// What init answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// the connection is a lease
    Joined,
    /// the session is ending
    Ending,
    /// as many logins as there may be are in it
    Full,
    /// init does not understand the question: it is of another version than session-init
    Version,
}

impl Asked {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let kind = if self.replace { b'R' } else { b'J' };
        let most = self.most.map(|most| most.to_string()).unwrap_or_default();
        let [service, tty, rhost] = &self.login;
        crate::protocol::message(kind, &[VERSION, most.as_bytes(), service, tty, rhost])
    }

    pub(crate) fn decode(message: &[u8]) -> Option<Self> {
        let (kind, fields) = crate::protocol::fields(message).ok()?;
        let [VERSION, most, service, tty, rhost] = fields[..] else {
            return None;
        };
        let most = match most {
            b"" => None,
            digits => Some(std::str::from_utf8(digits).ok()?.parse().ok()?),
        };
        Some(Self {
            replace: match kind {
                b'J' => false,
                b'R' => true,
                _ => return None,
            },
            most,
            login: [service, tty, rhost].map(<[u8]>::to_vec),
        })
    }
}

impl Answer {
    pub(crate) fn encode(self) -> &'static [u8] {
        match self {
            Self::Joined => b"=",
            Self::Ending => b"!",
            Self::Full => b"F",
            Self::Version => b"V",
        }
    }

    fn decode(message: &[u8]) -> Option<Self> {
        [Self::Joined, Self::Ending, Self::Full, Self::Version]
            .into_iter()
            .find(|answer| answer.encode() == message)
    }
}

/// What came of looking for a session.
pub(crate) enum Sought {
    /// one that is shared now
    Joined(Box<Joined>),
    /// there is none: one has to be made, with the lock held until it is published
    Make(Making),
}

/// A session that the login shares.
pub(crate) struct Joined {
    pub(crate) record: Record,
    /// of its init
    pub(crate) pidfd: OwnedFd,
    pub(crate) lease: OwnedFd,
    /// whether today's policy plans it as it is
    pub(crate) as_planned: bool,
}

/// What making a session needs to know.
pub(crate) struct Making {
    /// where the login stands
    pub(crate) standing: Standing,
    /// the user's lock, if one is needed
    pub(crate) turn: Option<door::Turn>,
    /// a session of another policy that was ended for it
    pub(crate) replaced: Option<String>,
    /// a session that takes logins of another version of ours
    pub(crate) passed_by: Option<String>,
}

/// Looks for a session that the login may share, and waits for its turn to make one. `name`:
/// what one would be called that is made by this plan.
///
/// # Errors
/// The login is one too many, or not to share the session that there is; the user's lock or
/// the session's init keeps it waiting beyond the deadline; /run is not as it should be.
pub(crate) fn seek(
    plan: &Plan,
    session: &SessionPlan,
    name: &str,
    holder: &OwnedFd,
    deadline: Instant,
) -> Result<Sought, Error> {
    let life = &session.life;
    let alone = life.scope == Scope::Session && life.max_sessions.is_none();
    let uid = plan.account.uid;
    let standing = Standing::of(plan)?;
    if alone && standing.has_door() {
        // Nobody else would: no login of this profile looks for another's session.
        door::sweep_user(uid, name);
    }
    if alone || matches!(standing, Standing::Apart | Standing::Alone) {
        return Ok(Sought::Make(Making {
            standing,
            turn: None,
            replaced: None,
            passed_by: None,
        }));
    }
    let guest = standing == Standing::Foreign;
    let turn = match guest {
        // Whoever has power over our cgroup could stop us with the lock in our hands.
        true => door::glance(uid)?,
        false => Some(door::lock(uid, deadline, session.timeout)?),
    };
    let planned = fingerprint(plan, name);
    let (mut replaced, mut passed_by, mut others) = (None, None, 0);
    let records = turn
        .as_ref()
        .map_or(Ok(Vec::new()), |turn| scan(turn, plan));
    for record in records? {
        if life.scope == Scope::Session || record.scope == Scope::Session {
            others += u32::from(record.scope == Scope::Session);
            continue;
        }
        let Some(pidfd) = verify(&record)? else {
            continue;
        };
        let as_planned = record.planned == planned;
        if !as_planned && life.on_policy_change == OnPolicyChange::Refuse {
            match connect(&record) {
                Ok(None) => continue,
                _ => return Err(other_policy(&record)),
            }
        }
        // Only who holds the lock may end it for one of its own.
        if guest && !as_planned && life.on_policy_change == OnPolicyChange::Replace {
            continue;
        }
        let asked = Asked {
            replace: !as_planned && life.on_policy_change == OnPolicyChange::Replace,
            most: life.max_sessions,
            login: trail::login_of(plan),
        };
        let Some((answer, connection)) = ask(&record, &asked, holder, deadline, session.timeout)?
        else {
            continue;
        };
        match answer {
            Answer::Joined => {
                return Ok(Sought::Joined(Box::new(Joined {
                    record,
                    pidfd,
                    lease: connection,
                    as_planned,
                })));
            }
            Answer::Ending if asked.replace => replaced = Some(record.session),
            Answer::Ending => {}
            Answer::Version => passed_by = Some(record.session),
            Answer::Full => return Err(too_many(plan, life.max_sessions)),
        }
    }
    if guest && life.max_sessions.is_some() {
        return Err(uncounted(plan));
    }
    if life.scope == Scope::Session && life.max_sessions.is_some_and(|most| others >= most) {
        if let Some(turn) = turn {
            turn.tidy();
        }
        return Err(too_many(plan, life.max_sessions));
    }
    Ok(Sought::Make(Making {
        standing,
        turn: turn.filter(|_| !guest),
        replaced,
        passed_by,
    }))
}

/// The live sessions of the user under the plan's profile.
fn scan(turn: &door::Turn, plan: &Plan) -> Result<Vec<Record>, Error> {
    let mut records = Vec::new();
    for session in turn.sessions()? {
        match record::find(&session, plan.account.uid)? {
            // Its init was killed, or it is being made by a login that is alone, without lock.
            None => turn.sweep(&session),
            Some(record) => {
                // Another name with the same number is another user's: another home, another
                // shell, other maps.
                let account = &plan.account;
                let own = record.uid == account.uid && record.user == account.name;
                if own && record.profile == plan.profile && record.session == session {
                    records.push(record);
                }
            }
        }
    }
    Ok(records)
}

/// The pidfd of the record's init, if the process of that number is the one that the record
/// was written for; none if it is dead or another one.
fn verify(record: &Record) -> Result<Option<OwnedFd>, Error> {
    let cannot = |errno| {
        let doing = format!("cannot look at the init of session {}", record.session);
        Error::system(doing, errno)
    };
    let init = match pidfd::open(record.pid) {
        Err(Errno::SRCH | Errno::INVAL) => return Ok(None),
        other => other.map_err(cannot)?,
    };
    let (start, namespaces) = match processes::identity(record.pid) {
        Err(Errno::NOENT | Errno::SRCH) => return Ok(None),
        other => other.map_err(cannot)?,
    };
    let same = start == record.start && namespaces == record.namespaces;
    // Alive still, so the number was its own all the time.
    let alive = !socket::readable(&init, Some(Instant::now())).map_err(cannot)?;
    Ok((same && alive && !record.namespaces.is_empty()).then_some(init))
}

/// A connection to the record's init; none if its door is shut, or somebody else's.
fn connect(record: &Record) -> Result<Option<OwnedFd>, Errno> {
    let connection = match unix::connect(&door::path(record.uid, &record.session)) {
        Err(Errno::NOENT | Errno::CONNREFUSED) => return Ok(None),
        other => other?,
    };
    let peer = unix::peer(&connection)?;
    Ok((peer.pid == record.pid && peer.uid == 0).then_some(connection))
}

/// Asks init, and waits for its answer; none if its door is shut. An end without an answer may
/// be the end of the session or of init's descriptors: it is asked again until it is clear.
fn ask(
    record: &Record,
    asked: &Asked,
    holder: &OwnedFd,
    deadline: Instant,
    limit: u32,
) -> Result<Option<(Answer, OwnedFd)>, Error> {
    let cannot = |errno| {
        let doing = format!("cannot reach the init of session {}", record.session);
        Error::system(doing, errno)
    };
    while Instant::now() < deadline {
        match connect(record) {
            Ok(None) => return Ok(None),
            Ok(Some(connection)) => {
                if let Some(answer) = ask_once(&connection, asked, holder, deadline)? {
                    return Ok(Some((answer, connection)));
                }
            }
            // As many wait as the kernel lets wait.
            Err(Errno::AGAIN) => {}
            Err(errno) => return Err(cannot(errno)),
        }
        std::thread::sleep(AGAIN);
    }
    Err(Error::NotAsPlanned(format!(
        "the init of session {0} has answered nothing for {limit} s and takes logins still; end \
         it with `nsctl end {0}`",
        record.session
    )))
}

/// One connection's question and its answer; none if it ends without.
fn ask_once(
    connection: &OwnedFd,
    asked: &Asked,
    holder: &OwnedFd,
    deadline: Instant,
) -> Result<Option<Answer>, Error> {
    if socket::send(connection, &asked.encode(), &[holder.as_fd()]).is_err() {
        return Ok(None);
    }
    match socket::receive(connection, deadline) {
        Err(Errno::TIMEDOUT | Errno::CONNRESET) => Ok(None),
        Err(errno) => Err(Error::system("cannot hear the session's init", errno)),
        Ok((answer, _)) if answer.is_empty() => Ok(None),
        Ok((answer, _)) => match Answer::decode(&answer) {
            None => Err(Error::Protocol(
                "the session's init answers another question",
            )),
            answer => Ok(answer),
        },
    }
}

/// How many logins share a session, as its init counts them; none if it does not tell until the
/// deadline, or has no door.
pub(crate) fn logins(record: &Record, deadline: Instant) -> Option<usize> {
    let connection = connect(record).ok()??;
    socket::send(&connection, HOW_MANY, &[]).ok()?;
    let (answer, _) = socket::receive(&connection, deadline).ok()?;
    std::str::from_utf8(&answer).ok()?.parse().ok()
}

/// Who shares a session, oldest first, as far as one message can tell; none as of [`logins`].
pub(crate) fn who(record: &Record, deadline: Instant) -> Option<Vec<Present>> {
    let connection = connect(record).ok()??;
    socket::send(&connection, WHO, &[]).ok()?;
    let (answer, _) = socket::receive(&connection, deadline).ok()?;
    decode_who(&answer)
}

/// Init's answer to [`WHO`]: service, terminal, remote host and seconds of each login.
pub(crate) fn encode_who(logins: impl Iterator<Item = ([Vec<u8>; 3], u64)>) -> Vec<u8> {
    let mut message = crate::protocol::message(b'W', &[]);
    for (login, seconds) in logins {
        let seconds = seconds.to_string();
        let [service, tty, rhost] = login.each_ref().map(|one| cut(one));
        let one = crate::protocol::message(b'W', &[service, tty, rhost, seconds.as_bytes()]);
        if message.len() + one.len() > socket::MAX_MESSAGE {
            break;
        }
        message.extend(&one[1..]);
    }
    message
}

fn cut(text: &[u8]) -> &[u8] {
    &text[..text.len().min(MOST_OF_ONE)]
}

fn decode_who(message: &[u8]) -> Option<Vec<Present>> {
    let (b'W', fields) = crate::protocol::fields(message).ok()? else {
        return None;
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let some = |bytes: &[u8]| (!bytes.is_empty()).then(|| text(bytes));
    let mut present = Vec::new();
    for login in fields.chunks(4) {
        let [service, tty, rhost, seconds] = login else {
            return None;
        };
        present.push(Present {
            service: text(service),
            tty: some(tty),
            rhost: some(rhost),
            seconds: std::str::from_utf8(seconds).ok()?.parse().ok()?,
        });
    }
    present.sort_by_key(|one| std::cmp::Reverse(one.seconds));
    Some(present)
}

fn too_many(plan: &Plan, most: Option<u32>) -> Error {
    Error::Refused(format!(
        "{} has as many logins as max_sessions = {} allows in profile \"{}\"; end one of them, or \
         raise it",
        plan.account.name,
        most.unwrap_or_default(),
        plan.profile
    ))
}

fn uncounted(plan: &Plan) -> Error {
    Error::Refused(format!(
        "{0} would get a session that max_sessions does not count, since not only root has power \
         over the cgroup that this login is made in; log in as {0} by another way first",
        plan.account.name
    ))
}

fn other_policy(record: &Record) -> Error {
    Error::Refused(format!(
        "session {0} of {1} was made under another policy, and on_policy_change = \"refuse\"; end \
         it with `nsctl end {0}`",
        record.session, record.user
    ))
}

/// Changes with everything that another login of the same user under the same policy would
/// have alike. Not for keeping: another build may come to another one.
pub(crate) fn fingerprint(plan: &Plan, name: &str) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut session = plan.session.clone();
    if let Some(session) = &mut session {
        // What a login does about a change is no change of the session.
        session.life.on_policy_change = OnPolicyChange::default();
        for mount in &mut session.mounts {
            if let Mount::Dev { tty } = mount {
                *tty = None;
            }
        }
    }
    let account = &plan.account;
    let text = serde_json::to_vec(&(
        (&account.name, account.uid, account.gid, &account.home),
        (&plan.profile, &plan.shell, &session),
        (&plan.command, &plan.pass_environment),
    ));
    let mut hasher = DefaultHasher::new();
    // {session} in a path is another one each time.
    let text = String::from_utf8(text.unwrap_or_default()).unwrap_or_default();
    text.replace(name, "{session}").hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn who_is_there_comes_back_as_it_was_told_as_far_as_a_message_goes() {
        let login = |tty: &[u8]| [b"sshd".to_vec(), tty.to_vec(), b"192.0.2.7".to_vec()];
        let told = encode_who([(login(b"pts/1"), 5), (login(b""), 90)].into_iter());
        let known = decode_who(&told).unwrap();
        let seconds: Vec<_> = known.iter().map(|one| one.seconds).collect();
        assert_eq!(seconds, [90, 5], "oldest first");
        assert_eq!(
            (known[0].tty.as_deref(), known[1].tty.as_deref()),
            (None, Some("pts/1"))
        );
        assert_eq!(
            decode_who(&encode_who(std::iter::empty())),
            Some(Vec::new())
        );
        let long = vec![b'x'; 300];
        let many = encode_who((0..1000).map(|number| (login(&long), number)));
        assert!(many.len() <= socket::MAX_MESSAGE);
        let known = decode_who(&many).unwrap();
        assert!(known.len() > 20 && known[0].tty.as_ref().unwrap().len() == MOST_OF_ONE);
        for wrong in [
            b"".as_slice(),
            b"W",
            b"Wa\0",
            b"Xa\0b\0c\x001\0",
            b"Wa\0b\0c\0x\0",
        ] {
            assert!(
                decode_who(wrong).is_none_or(|known| known.is_empty()),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn what_a_login_asks_and_hears_comes_back_as_it_was_sent() {
        for (replace, most) in [(false, None), (true, Some(3))] {
            let asked = Asked {
                replace,
                most,
                login: [b"sshd".to_vec(), Vec::new(), b"\xff\n".to_vec()],
            };
            let message = asked.encode();
            assert_eq!(Asked::decode(&message), Some(asked));
            for length in 0..message.len() {
                assert_eq!(Asked::decode(&message[..length]), None, "cut at {length}");
            }
        }
        for answer in [
            Answer::Joined,
            Answer::Ending,
            Answer::Full,
            Answer::Version,
        ] {
            assert_eq!(Answer::decode(answer.encode()), Some(answer));
        }
        assert_eq!(Answer::decode(b""), None);
        assert_eq!(Asked::decode(b"J9\0\0\0\0\0"), None);
        assert_eq!(Asked::decode(b"X1\0\0\0\0\0"), None);
    }
}
