//! Init's side of its leases: takes logins in, notes that they leave, and decides when the
//! session ends. The protocol is in [`crate::join`]; the steps are called the same here.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nsshell_config::{Life, OnLogout};

use crate::door::Door;
use crate::join::{Answer, Asked, HOW_MANY, WHO, encode_who};
use crate::limits::{Limits, Reached};
use crate::sys::{Errno, socket, unix};

/// How often a session that is kept looks whether anything is left in it: most of its
/// processes are not init's children, so their end is no event for it. And how long a door is
/// left alone at which a login could not be taken in.
const LOOK: Duration = Duration::from_secs(1);

/// The module's word when it leaves; a lease that ends without it was the application's, which
/// was killed.
pub(crate) use crate::caller::BYE;

/// Most connections that have not said yet what they want.
const MOST_WAITING: usize = 64;

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// its last login has left
    Logout,
    /// the application of its last login was killed
    Killed,
    /// it was kept, and nothing is left in it
    Empty,
    /// it was kept as long as it may be
    KeepFor,
    /// a login under another policy wants a new one
    Replaced,
    /// `max_lifetime`
    Lifetime,
    /// `idle`
    Idle,
    /// SIGTERM or SIGPWR: nsctl, systemd
    Asked,
    /// the kernel does not let init wait
    Fault,
}

impl Reason {
    /// As it stands in the audit trail.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Killed => "killed",
            Self::Empty => "empty",
            Self::KeepFor => "keep_for",
            Self::Replaced => "replaced",
            Self::Lifetime => "lifetime",
            Self::Idle => "idle",
            Self::Asked => "asked",
            Self::Fault => "fault",
        }
    }
}

/// One login.
pub(crate) struct Lease {
    pub(crate) connection: OwnedFd,
    /// pidfd of its application
    pub(crate) holder: OwnedFd,
    /// service, terminal, remote host
    pub(crate) login: [Vec<u8>; 3],
    pub(crate) since: Instant,
}

/// What init holds of a session.
pub(crate) struct Leases<'a> {
    life: &'a Life,
    limits: Limits,
    door: Option<Door>,
    /// no more descriptors or no memory can be had: until when nobody is taken in, or until
    /// somebody goes
    crowded: Option<Instant>,
    leases: Vec<Lease>,
    waiting: Vec<OwnedFd>,
    /// since when nobody is in it, and how the last one went
    empty: Option<(Instant, Reason)>,
}

/// What init does for its leases, and they cannot do themselves.
pub(crate) trait Host {
    /// Reads the pending signals: whether one asks for the end.
    fn asked_to_end(&self) -> bool;
    /// Whether any process is left in the session.
    fn has_processes(&self) -> bool;
    /// A login is gone whose application was killed.
    fn lost(&mut self, lease: &Lease);
}

impl<'a> Leases<'a> {
    pub(crate) fn new(life: &'a Life, door: Option<Door>, first: Lease) -> Self {
        Self {
            life,
            limits: Limits::new(life),
            door,
            crowded: None,
            leases: vec![first],
            waiting: Vec::new(),
            empty: None,
        }
    }

    /// Waits until the session is to end, and shuts its door: why.
    pub(crate) fn hold(mut self, signals: impl AsFd, host: &mut impl Host) -> (Reason, Vec<Lease>) {
        let reason = loop {
            match self.step(signals.as_fd(), host) {
                Ok(None) => {}
                Ok(Some(reason)) => break reason,
                Err(_) => break Reason::Fault,
            }
        };
        (reason, self.close())
    }

    /// Waits for one event and deals with it. Leaving comes before joining, and deciding last.
    fn step(
        &mut self,
        signals: BorrowedFd<'_>,
        host: &mut impl Host,
    ) -> Result<Option<Reason>, Errno> {
        if self.crowded.is_some_and(|until| until <= Instant::now()) {
            self.crowded = None;
        }
        let door = self.door.as_ref().filter(|_| self.crowded.is_none());
        let (leases, waiting) = (self.leases.len(), self.waiting.len());
        let mut fds = vec![signals];
        fds.extend(self.leases.iter().map(|lease| lease.connection.as_fd()));
        fds.extend(self.leases.iter().map(|lease| lease.holder.as_fd()));
        fds.extend(self.waiting.iter().map(AsFd::as_fd));
        fds.extend(door.map(AsFd::as_fd));
        let ready = unix::readable_of(&fds, self.next_look())?;
        let is_ready = |at: usize| ready.get(at).copied().unwrap_or(false);
        if is_ready(0) && host.asked_to_end() {
            return Ok(Some(Reason::Asked));
        }
        for at in (0..leases).rev() {
            if is_ready(1 + at) || is_ready(1 + leases + at) {
                self.leave(at, host);
            }
        }
        for at in (0..waiting).rev() {
            if is_ready(1 + 2 * leases + at)
                && let Some(reason) = self.hear(at)
            {
                return Ok(Some(reason));
            }
        }
        if is_ready(1 + 2 * leases + waiting) {
            self.accept();
        }
        Ok(self.decide(host))
    }

    fn next_look(&self) -> Option<Instant> {
        let kept = self.empty.map(|_| Instant::now() + LOOK);
        let looks = [kept, self.limits.next(), self.crowded];
        looks.into_iter().flatten().min()
    }

    /// A connection that was made. Only root can, and it is looked at all the same.
    fn accept(&mut self) {
        match self.door.as_ref().map(Door::accept) {
            Some(Ok(Some(connection))) => {
                let root = unix::peer(&connection).is_ok_and(|peer| peer.uid == 0);
                if root && self.waiting.len() < MOST_WAITING {
                    self.waiting.push(connection);
                }
            }
            // It waits until there is room: not only a login of ours may make it.
            Some(Err(_)) => self.crowded = Some(Instant::now() + LOOK),
            _ => {}
        }
    }

    /// What a connection says: it becomes a lease, or is dropped. A helper that is dropped
    /// without an answer asks again.
    fn hear(&mut self, at: usize) -> Option<Reason> {
        let connection = self.waiting.swap_remove(at);
        self.crowded = None;
        let (message, mut fds) = socket::receive(&connection, Instant::now()).ok()?;
        if message == HOW_MANY {
            let _ = socket::send(&connection, self.leases.len().to_string().as_bytes(), &[]);
            return None;
        }
        if message == WHO {
            let present = |lease: &Lease| (lease.login.clone(), lease.since.elapsed().as_secs());
            let who = encode_who(self.leases.iter().map(present));
            let _ = socket::send(&connection, &who, &[]);
            return None;
        }
        let answer = |answer: Answer| socket::send(&connection, answer.encode(), &[]);
        let Some(asked) = Asked::decode(&message) else {
            if !message.is_empty() {
                let _ = answer(Answer::Version);
            }
            return None;
        };
        let holder = fds.pop()?;
        if asked.replace && self.leases.is_empty() {
            let _ = answer(Answer::Ending);
            return Some(Reason::Replaced);
        }
        let most = asked.most.and_then(|most| usize::try_from(most).ok());
        if most.is_some_and(|most| self.leases.len() >= most) {
            let _ = answer(Answer::Full);
            return None;
        }
        // A login of which nobody knows any more is none.
        if answer(Answer::Joined).is_ok() {
            self.limits.login();
            self.empty = None;
            self.leases.push(Lease {
                connection,
                holder,
                login: asked.login,
                since: Instant::now(),
            });
        }
        None
    }

    /// A login whose lease has ended or whose application is dead.
    fn leave(&mut self, at: usize, host: &mut impl Host) {
        let lease = self.leases.swap_remove(at);
        self.crowded = None;
        let word = socket::receive(&lease.connection, Instant::now());
        let orderly = word.is_ok_and(|(word, _)| word == BYE);
        if !orderly {
            host.lost(&lease);
        }
        if self.leases.is_empty() {
            let reason = if orderly {
                Reason::Logout
            } else {
                Reason::Killed
            };
            self.empty = Some((Instant::now(), reason));
        }
    }

    /// Whether the session is to end, and why. Final.
    fn decide(&mut self, host: &mut impl Host) -> Option<Reason> {
        match self.limits.reached() {
            Some(Reached::Lifetime) => return Some(Reason::Lifetime),
            Some(Reached::Idle) => return Some(Reason::Idle),
            None => {}
        }
        let (since, how) = self.empty?;
        if self.life.on_logout == OnLogout::Kill {
            return Some(how);
        }
        if !host.has_processes() {
            return Some(Reason::Empty);
        }
        let most = self
            .life
            .keep_for
            .map(|most| Duration::from_secs(most.into()));
        most.is_some_and(|most| since.elapsed() >= most)
            .then_some(Reason::KeepFor)
    }

    /// Shuts the door, drops whoever waits, and tells every login that the session ends.
    fn close(self) -> Vec<Lease> {
        if let Some(door) = self.door {
            door.close();
        }
        drop(self.waiting);
        for lease in &self.leases {
            // One that is just leaving does not need to know.
            let _ = socket::send(&lease.connection, Answer::Ending.encode(), &[]);
        }
        self.leases
    }
}
