//! What there is, and what can happen to it.

/// What is wrong with a protocol that is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// init decides, and answers still until it shuts the door
    CloseLate,
    /// a login is through when it has connected
    NoAnswer,
    /// sessions are looked for and made without the user's lock
    NoLock,
    /// the module looks at its lease before it enters
    LookFirst,
    /// sessions of any user are joined
    AnyUser,
    /// leases are a number that only an orderly login takes back
    LeaseCounted,
    /// the lock is a file, which a crash leaves behind
    LockLeft,
    /// a connection that ends without an answer means that the session ends
    EofIsEnding,
    /// a door has its name before anybody listens at it
    NameFirst,
    /// init does not look whether the application is alive
    NoHolder,
    /// a login of another policy ends the session though somebody is in it
    ReplaceInUse,
    /// a session is kept or not whatever is in it
    ProcessesIgnored,
    /// the lock is let go of before the session has its record
    LockShort,
}

/// What init says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    Joined,
    Ending,
    Full,
}

/// How far a login is; with the session that it is about, by number, and those that are still
/// to be asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum At {
    Start,
    Locked,
    Scanned(Vec<usize>),
    Verified(usize, Vec<usize>),
    Connected(usize, Vec<usize>),
    Asked(usize, Vec<usize>),
    Joined(usize),
    Making(usize),
    Published(usize),
    /// the module has it
    Handed(usize),
    Entering(usize),
    Entered(usize),
    Over,
}

/// A login: a helper and an application, which live and die apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Login {
    pub user: u8,
    /// it is planned by another policy, on_policy_change = "replace"
    pub replaces: bool,
    pub at: At,
    /// the application lives, or has ended in order
    pub application: bool,
    /// the helper has sent its answer, and is not gone yet: the lock is its own
    pub lingers: bool,
    pub answer: Option<Answer>,
}

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// for want of a lease, or for a login of another policy
    Empty,
    /// a limit, a signal
    Asked,
}

/// The life of init.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    Preparing,
    /// it has a door, and is not ready
    Opened,
    Live,
    Decided(Why),
    /// the door's name is gone
    Unlinked(Why),
    /// nobody listens at it any more
    Shut(Why),
    /// whoever waited was dropped
    Dropped(Why),
    /// each lease was told
    Ending(Why),
    /// none: it was killed
    Gone(Option<Why>),
}

/// A connection to init that is no lease.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Waiting {
    pub login: usize,
    pub accepted: bool,
    pub said: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    pub user: u8,
    pub maker: usize,
    pub phase: Phase,
    /// init has said that it is ready
    pub ready: bool,
    /// its door has been in the directory
    pub bound: bool,
    /// its door is in the directory
    pub name: bool,
    pub listens: bool,
    /// its record is in the directory
    pub record: bool,
    /// something runs in it
    pub processes: bool,
    /// the logins whose leases init holds
    pub leases: Vec<usize>,
    pub waiting: Vec<Waiting>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub logins: Vec<Login>,
    pub sessions: Vec<Session>,
    /// of each user, who has it
    pub locks: [Option<usize>; 2],
    /// how many accidents may still happen
    pub accidents: u8,
    /// a login went in though init had said that the session ends
    pub entered_late: bool,
    /// a session was ended for want of a lease with something in it that was to be kept
    pub kept_ended: bool,
}

/// A step of the login or the session of this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    Lock(usize),
    Scan(usize),
    Verify(usize),
    Connect(usize),
    Ask(usize),
    HearAnswer(usize),
    Make(usize),
    Publish(usize),
    Hand(usize),
    Linger(usize),
    Enter(usize),
    Look(usize),
    LeaveByModule(usize),
    /// a deadline comes
    TimeOut(usize),
    CrashOfHelper(usize),
    CrashOfApplication(usize),
    Open(usize),
    Listen(usize),
    Ready(usize),
    Accept(usize, usize),
    Hear(usize, usize),
    /// a live init has no descriptor or no memory
    Drop(usize, usize),
    Leave(usize, usize),
    Decide(usize),
    AskedToEnd(usize),
    Unlink(usize),
    Shut(usize),
    DropWaiting(usize),
    Tell(usize),
    End(usize),
    CrashOfInit(usize),
    /// by whoever looks: another login, gc, the module
    SweepRecord(usize),
    SweepDoor(usize),
    /// the user's processes end by themselves
    Quiet(usize),
}

impl Step {
    /// The function that takes it, and its file; none: the kernel does, or the user.
    pub fn function(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::Lock(_) => ("door.rs", "lock"),
            Self::Scan(_) => ("join.rs", "scan"),
            Self::Verify(_) => ("join.rs", "verify"),
            Self::Connect(_) => ("join.rs", "connect"),
            Self::Ask(_) => ("join.rs", "ask_once"),
            Self::HearAnswer(_) => ("join.rs", "ask"),
            Self::Make(_) => ("opening.rs", "make"),
            Self::Publish(_) => ("record.rs", "publish"),
            Self::Hand(_) => ("helper.rs", "run"),
            Self::Linger(_) => ("helper.rs", "run"),
            Self::Enter(_) => ("caller.rs", "enter"),
            Self::Look(_) => ("caller.rs", "state"),
            Self::LeaveByModule(_) => ("caller.rs", "give_up"),
            Self::TimeOut(_) => ("sys/lock.rs", "exclusive"),
            Self::Open(_) => ("door.rs", "open"),
            Self::Listen(_) => ("door.rs", "listen"),
            Self::Ready(_) => ("init.rs", "prepare"),
            Self::Accept(..) => ("lease.rs", "accept"),
            Self::Hear(..) | Self::Drop(..) => ("lease.rs", "hear"),
            Self::Leave(..) => ("lease.rs", "leave"),
            Self::Decide(_) => ("lease.rs", "decide"),
            Self::AskedToEnd(_) => ("init.rs", "asked_to_end"),
            Self::Unlink(_) | Self::Shut(_) => ("door.rs", "close"),
            Self::DropWaiting(_) | Self::Tell(_) => ("lease.rs", "close"),
            Self::End(_) => ("init.rs", "end"),
            Self::SweepRecord(_) => ("sweep.rs", "sweep_records"),
            Self::SweepDoor(_) => ("door.rs", "sweep_dead"),
            Self::CrashOfHelper(_)
            | Self::CrashOfApplication(_)
            | Self::CrashOfInit(_)
            | Self::Quiet(_) => return None,
        })
    }

    /// Whether it comes from outside, so that nothing may hang on its coming.
    pub fn is_accident(self) -> bool {
        matches!(
            self,
            Self::AskedToEnd(_)
                | Self::TimeOut(_)
                | Self::Drop(..)
                | Self::CrashOfHelper(_)
                | Self::CrashOfApplication(_)
                | Self::CrashOfInit(_)
        )
    }
}

impl Login {
    pub fn new((user, replaces): (u8, bool)) -> Self {
        Self {
            user,
            replaces,
            at: At::Start,
            application: true,
            lingers: false,
            answer: None,
        }
    }

    /// The session whose lease or connection it has an end of.
    pub fn holds(&self) -> Option<usize> {
        match self.at {
            At::Connected(s, _)
            | At::Asked(s, _)
            | At::Joined(s)
            | At::Making(s)
            | At::Published(s)
            | At::Handed(s)
            | At::Entering(s)
            | At::Entered(s) => Some(s),
            _ => None,
        }
    }

    /// The session that is the living application's: init has said yes to it, or it was made
    /// for it.
    pub fn is_in(&self) -> Option<usize> {
        match self.at {
            At::Connected(..) | At::Asked(..) => None,
            _ if !self.application => None,
            _ => self.holds(),
        }
    }

    /// The helper lives.
    pub fn has_helper(&self) -> bool {
        self.lingers
            || !matches!(
                self.at,
                At::Handed(_) | At::Entering(_) | At::Entered(_) | At::Over
            )
    }
}

impl At {
    /// With other numbers of sessions.
    fn renamed(self, new: &[Option<usize>]) -> Self {
        // None is left out, whom a scan has seen and nobody asks any more.
        let all = |list: Vec<usize>| list.into_iter().filter_map(|s| new[s]).collect();
        let one = |s: usize| new[s].unwrap_or(usize::MAX);
        match self {
            Self::Scanned(left) => Self::Scanned(all(left)),
            Self::Verified(s, left) => Self::Verified(one(s), all(left)),
            Self::Connected(s, left) => Self::Connected(one(s), all(left)),
            Self::Asked(s, left) => Self::Asked(one(s), all(left)),
            Self::Joined(s) => Self::Joined(one(s)),
            Self::Making(s) => Self::Making(one(s)),
            Self::Published(s) => Self::Published(one(s)),
            Self::Handed(s) => Self::Handed(one(s)),
            Self::Entering(s) => Self::Entering(one(s)),
            Self::Entered(s) => Self::Entered(one(s)),
            Self::Start | Self::Locked | Self::Over => self,
        }
    }

    /// The sessions that it means.
    fn means(&self) -> Vec<usize> {
        match self {
            Self::Scanned(left) => left.clone(),
            Self::Verified(s, left) | Self::Connected(s, left) | Self::Asked(s, left) => {
                left.iter().copied().chain([*s]).collect()
            }
            Self::Joined(s)
            | Self::Making(s)
            | Self::Published(s)
            | Self::Handed(s)
            | Self::Entering(s)
            | Self::Entered(s) => vec![*s],
            Self::Start | Self::Locked | Self::Over => Vec::new(),
        }
    }
}

impl State {
    /// The same state for all that only differ in what nobody can tell: which login has which
    /// number, sessions of which nothing is left, and how far one is with its end of which no
    /// login knows and that has no door.
    pub fn canonical(mut self, apart: bool) -> Self {
        let mut meant: Vec<usize> = self.logins.iter().flat_map(|l| l.at.means()).collect();
        for (number, session) in self.sessions.iter_mut().enumerate() {
            let known = session.name || !session.waiting.is_empty() || meant.contains(&number);
            if !known && session.why().is_some() && !apart {
                session.die();
            }
            if !session.is_alive() && !meant.contains(&number) {
                session.phase = Phase::Gone(None);
                (session.ready, session.bound) = (false, false);
            }
        }
        // Whoever holds a record may publish it still.
        let held = |login: &Login| login.has_helper() && login.at != At::Over;
        meant.extend(
            (0..self.sessions.len()).filter(|s| held(&self.logins[self.sessions[*s].maker])),
        );
        let mut new = Vec::new();
        let mut count = 0;
        for (number, session) in self.sessions.iter().enumerate() {
            let left = session.is_alive() || session.name || session.record;
            let stays = left || meant.contains(&number);
            new.push(stays.then_some(count));
            count += usize::from(stays);
        }
        let mut number = 0;
        self.sessions.retain(|_| {
            number += 1;
            new[number - 1].is_some()
        });
        for login in &mut self.logins {
            login.at = login.at.clone().renamed(&new);
        }
        let mut order: Vec<usize> = (0..self.logins.len()).collect();
        order.sort_by(|a, b| self.logins[*a].cmp(&self.logins[*b]).then(a.cmp(b)));
        let mut place = vec![0; order.len()];
        for (to, from) in order.iter().enumerate() {
            place[*from] = to;
        }
        self.logins = order
            .iter()
            .map(|from| self.logins[*from].clone())
            .collect();
        for session in &mut self.sessions {
            session.maker = place[session.maker];
            for lease in &mut session.leases {
                *lease = place[*lease];
            }
            session.leases.sort_unstable();
            for one in &mut session.waiting {
                one.login = place[one.login];
            }
            session.waiting.sort_unstable();
        }
        for holder in self.locks.iter_mut().flatten() {
            *holder = place[*holder];
        }
        self
    }
}

impl Session {
    pub fn is_alive(&self) -> bool {
        !matches!(self.phase, Phase::Gone(_))
    }

    pub fn takes_logins(&self) -> bool {
        // Without a record nobody finds its door.
        self.name && self.listens && self.record && self.phase == Phase::Live
    }

    /// Why it ends, if it was decided.
    pub fn why(&self) -> Option<Why> {
        match self.phase {
            Phase::Decided(why)
            | Phase::Unlinked(why)
            | Phase::Shut(why)
            | Phase::Dropped(why)
            | Phase::Ending(why) => Some(why),
            Phase::Gone(why) => why,
            Phase::Preparing | Phase::Opened | Phase::Live => None,
        }
    }

    /// Its leases were told that it ends, or init's ends of them are closed.
    pub fn has_told(&self) -> bool {
        matches!(self.phase, Phase::Ending(_) | Phase::Gone(_))
    }
}
