//! States and steps.

use stateright::{Model, Property};

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
}

/// Where a login is; with the session that it is about, by number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Login {
    Start,
    Locked,
    /// the sessions that are still to be asked
    Scanned(Vec<usize>),
    Verified(usize, Vec<usize>),
    Connected(usize, Vec<usize>),
    Asked(usize, Vec<usize>),
    /// init has answered
    Answered(usize),
    Making(usize),
    Published(usize),
    /// the module has it, and the helper is gone
    Handed(usize),
    Entering(usize),
    Entered(usize),
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    Preparing,
    Live,
    /// it has decided; true: for want of a lease
    Decided(bool),
    /// its door is shut and everybody was told
    Ending(bool),
    Gone(bool),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    user: u8,
    phase: Phase,
    /// there is something to connect to
    door: bool,
    record: bool,
    /// the logins whose leases init holds, in order
    leases: Vec<usize>,
    /// connections: of whom, accepted, with a question
    queue: Vec<(usize, bool, bool)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    logins: Vec<Login>,
    sessions: Vec<Session>,
    /// of each user, who has it
    locks: [Option<usize>; 2],
    /// a login went in though init had said that the session ends
    entered_late: bool,
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
    Enter(usize),
    Look(usize),
    LeaveByModule(usize),
    CrashOfLogin(usize),
    Open(usize),
    Accept(usize, usize),
    Hear(usize, usize),
    Leave(usize, usize),
    Decide(usize),
    AskedToEnd(usize),
    Close(usize),
    End(usize),
    CrashOfInit(usize),
}

pub struct Protocol {
    /// whose each login is
    pub users: [u8; 3],
    pub fault: Fault,
}

impl Login {
    /// The session whose lease or connection it has an end of.
    fn holds(&self) -> Option<usize> {
        match self {
            Self::Connected(s, _)
            | Self::Asked(s, _)
            | Self::Answered(s)
            | Self::Making(s)
            | Self::Published(s)
            | Self::Handed(s)
            | Self::Entering(s)
            | Self::Entered(s) => Some(*s),
            _ => None,
        }
    }

    /// The session that init has said yes to, or that was made for it.
    fn is_in(&self) -> Option<usize> {
        match self {
            Self::Connected(..) | Self::Asked(..) => None,
            other => other.holds(),
        }
    }

    /// It is still the helper's.
    fn has_lock(&self) -> bool {
        !matches!(
            self,
            Self::Start | Self::Handed(_) | Self::Entering(_) | Self::Entered(_) | Self::Over
        )
    }
}

impl Session {
    fn is_alive(&self) -> bool {
        !matches!(self.phase, Phase::Gone(_))
    }

    fn takes_logins(&self) -> bool {
        // Without a record nobody finds its door.
        self.door && self.record && self.phase == Phase::Live
    }
}

impl Protocol {
    fn steps_of_login(&self, state: &State, at: usize, steps: &mut Vec<Step>) {
        let user = usize::from(self.users[at]);
        match &state.logins[at] {
            Login::Start => {
                if state.locks[user].is_none() || self.fault == Fault::NoLock {
                    steps.push(Step::Lock(at));
                }
            }
            Login::Locked => steps.push(Step::Scan(at)),
            Login::Scanned(left) if left.is_empty() => steps.push(Step::Make(at)),
            Login::Scanned(_) => steps.push(Step::Verify(at)),
            Login::Verified(..) => steps.push(Step::Connect(at)),
            Login::Connected(..) => steps.push(Step::Ask(at)),
            Login::Asked(s, _) => {
                let session = &state.sessions[*s];
                let waits = session.queue.iter().any(|(of, ..)| *of == at);
                if session.leases.contains(&at) || !waits {
                    steps.push(Step::HearAnswer(at));
                }
            }
            Login::Making(s) if state.sessions[*s].phase == Phase::Live => {
                steps.push(Step::Publish(at));
            }
            Login::Making(s) if !state.sessions[*s].is_alive() => steps.push(Step::Hand(at)),
            Login::Making(_) => {}
            Login::Answered(_) | Login::Published(_) => steps.push(Step::Hand(at)),
            Login::Handed(_) => steps.push(Step::Enter(at)),
            Login::Entering(_) => steps.push(Step::Look(at)),
            Login::Entered(_) => steps.push(Step::LeaveByModule(at)),
            Login::Over => return,
        }
        steps.push(Step::CrashOfLogin(at));
    }

    fn steps_of_init(&self, state: &State, at: usize, steps: &mut Vec<Step>) {
        let session = &state.sessions[at];
        let hears = session.phase == Phase::Live
            || (self.fault == Fault::CloseLate && matches!(session.phase, Phase::Decided(_)));
        match session.phase {
            Phase::Gone(_) => return,
            Phase::Preparing => steps.push(Step::Open(at)),
            Phase::Live => {
                for login in &session.leases {
                    let gone = state.logins[*login].holds() != Some(at);
                    // A number in a file: nobody takes back what a crash has left in it.
                    if gone && self.fault != Fault::LeaseCounted {
                        steps.push(Step::Leave(at, *login));
                    }
                }
                if session.leases.is_empty() {
                    steps.push(Step::Decide(at));
                }
                steps.push(Step::AskedToEnd(at));
            }
            Phase::Decided(_) => steps.push(Step::Close(at)),
            Phase::Ending(_) => steps.push(Step::End(at)),
        }
        for (of, accepted, said) in session.queue.iter().filter(|_| hears) {
            match (accepted, said) {
                (false, _) => steps.push(Step::Accept(at, *of)),
                (true, true) => steps.push(Step::Hear(at, *of)),
                // An end without a word is heard as well.
                (true, false) if state.logins[*of].holds() != Some(at) => {
                    steps.push(Step::Hear(at, *of));
                }
                _ => {}
            }
        }
        steps.push(Step::CrashOfInit(at));
    }

    fn unlock(&self, state: &mut State, login: usize) {
        let lock = &mut state.locks[usize::from(self.users[login])];
        if *lock == Some(login) {
            *lock = None;
        }
    }

    /// The end of a login in whatever way: the kernel closes what it had.
    fn over(&self, state: &mut State, at: usize, crash: bool) {
        // Init dies with the helper that makes it, until it is ready.
        if let Login::Making(s) = state.logins[at]
            && state.sessions[s].phase == Phase::Preparing
        {
            state.sessions[s].phase = Phase::Gone(false);
        }
        if !(crash && self.fault == Fault::LockLeft) {
            self.unlock(state, at);
        }
        state.logins[at] = Login::Over;
    }

    fn step_of_login(&self, state: &mut State, at: usize, step: Step) {
        let user = self.users[at];
        let login = state.logins[at].clone();
        let next = match (step, login) {
            (Step::Lock(_), _) => {
                state.locks[usize::from(user)] = Some(at);
                Login::Locked
            }
            (Step::Scan(_), _) => {
                let listed = state.sessions.iter().enumerate().filter(|(_, session)| {
                    let own = session.user == user || self.fault == Fault::AnyUser;
                    session.record && session.door && own
                });
                Login::Scanned(listed.map(|(number, _)| number).collect())
            }
            (Step::Verify(_), Login::Scanned(mut left)) => {
                let first = left.remove(0);
                match state.sessions[first].is_alive() {
                    true => Login::Verified(first, left),
                    false => Login::Scanned(left),
                }
            }
            (Step::Connect(_), Login::Verified(s, left)) => {
                let session = &mut state.sessions[s];
                if !session.door || !session.is_alive() {
                    Login::Scanned(left)
                } else if self.fault == Fault::NoAnswer {
                    // Init hears of it later.
                    session.queue.push((at, false, true));
                    Login::Answered(s)
                } else {
                    session.queue.push((at, false, false));
                    Login::Connected(s, left)
                }
            }
            (Step::Ask(_), Login::Connected(s, left)) => {
                let queue = &mut state.sessions[s].queue;
                for (_, _, said) in queue.iter_mut().filter(|(of, ..)| *of == at) {
                    *said = true;
                }
                Login::Asked(s, left)
            }
            (Step::HearAnswer(_), Login::Asked(s, left)) => {
                match state.sessions[s].leases.contains(&at) {
                    true => Login::Answered(s),
                    false => Login::Scanned(left),
                }
            }
            (Step::Make(_), _) => {
                state.sessions.push(Session {
                    user,
                    phase: Phase::Preparing,
                    door: false,
                    record: false,
                    leases: vec![at],
                    queue: Vec::new(),
                });
                Login::Making(state.sessions.len() - 1)
            }
            (Step::Publish(_), Login::Making(s)) => {
                state.sessions[s].record = true;
                Login::Published(s)
            }
            // Init has died before it was ready: refused.
            (Step::Hand(_), Login::Making(_)) => return self.over(state, at, false),
            (Step::Hand(_), Login::Answered(s) | Login::Published(s)) => {
                self.unlock(state, at);
                Login::Handed(s)
            }
            (Step::Enter(_), Login::Handed(s)) => {
                let session = &state.sessions[s];
                let told = matches!(session.phase, Phase::Ending(_));
                if !session.is_alive() || (self.fault == Fault::LookFirst && told) {
                    return self.over(state, at, false);
                }
                Login::Entering(s)
            }
            (Step::Look(_), Login::Entering(s)) => {
                let told = matches!(state.sessions[s].phase, Phase::Ending(_) | Phase::Gone(_));
                if told && self.fault != Fault::LookFirst {
                    return self.over(state, at, false);
                }
                state.entered_late |= told;
                Login::Entered(s)
            }
            (Step::LeaveByModule(_), Login::Entered(s)) => {
                if self.fault == Fault::LeaseCounted {
                    state.sessions[s].leases.retain(|of| *of != at);
                }
                return self.over(state, at, false);
            }
            _ => return self.over(state, at, true),
        };
        state.logins[at] = next;
    }

    fn step_of_init(&self, state: &mut State, at: usize, step: Step) {
        let logins = &state.logins;
        let session = &mut state.sessions[at];
        match step {
            Step::Open(_) => {
                session.door = true;
                session.phase = Phase::Live;
            }
            Step::Accept(_, login) => {
                for (_, accepted, _) in session.queue.iter_mut().filter(|(of, ..)| *of == login) {
                    *accepted = true;
                }
            }
            Step::Hear(_, login) => {
                session.queue.retain(|(of, ..)| *of != login);
                // An answer to nobody fails.
                if logins[login].holds() == Some(at) {
                    session.leases.push(login);
                }
            }
            Step::Leave(_, login) => session.leases.retain(|of| *of != login),
            Step::Decide(_) => session.phase = Phase::Decided(true),
            Step::AskedToEnd(_) => session.phase = Phase::Decided(false),
            Step::Close(_) => {
                session.door = false;
                session.queue.clear();
                session.phase = Phase::Ending(session.phase == Phase::Decided(true));
            }
            Step::End(_) => {
                session.record = false;
                session.phase = Phase::Gone(session.phase == Phase::Ending(true));
            }
            _ => {
                // The kernel lets go of the record and breaks the connections.
                session.record = false;
                session.door = false;
                session.queue.clear();
                session.phase = Phase::Gone(false);
            }
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            logins: vec![Login::Start; self.users.len()],
            sessions: Vec::new(),
            locks: [None; 2],
            entered_late: false,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for at in 0..state.logins.len() {
            self.steps_of_login(state, at, steps);
        }
        for at in 0..state.sessions.len() {
            self.steps_of_init(state, at, steps);
        }
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = state.clone();
        match step {
            Step::Open(at)
            | Step::Accept(at, _)
            | Step::Hear(at, _)
            | Step::Leave(at, _)
            | Step::Decide(at)
            | Step::AskedToEnd(at)
            | Step::Close(at)
            | Step::End(at)
            | Step::CrashOfInit(at) => self.step_of_init(&mut next, at, step),
            Step::Lock(at)
            | Step::Scan(at)
            | Step::Verify(at)
            | Step::Connect(at)
            | Step::Ask(at)
            | Step::HearAnswer(at)
            | Step::Make(at)
            | Step::Publish(at)
            | Step::Hand(at)
            | Step::Enter(at)
            | Step::Look(at)
            | Step::LeaveByModule(at)
            | Step::CrashOfLogin(at) => self.step_of_login(&mut next, at, step),
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "nothing ends a session under its logins",
                |_, state: &State| {
                    let ended = |s: usize| {
                        matches!(
                            state.sessions[s].phase,
                            Phase::Decided(true) | Phase::Ending(true) | Phase::Gone(true)
                        )
                    };
                    !state.logins.iter().filter_map(Login::is_in).any(ended)
                },
            ),
            Property::always(
                "no login is in another user's session",
                |model: &Self, state: &State| {
                    let users = model.users.iter().zip(&state.logins);
                    users
                        .filter_map(|(user, login)| Some((user, login.is_in()?)))
                        .all(|(user, s)| state.sessions[s].user == *user)
                },
            ),
            Property::always("one session of a user takes logins", |_, state: &State| {
                [0, 1].into_iter().all(|user| {
                    let own = state.sessions.iter().filter(|session| session.user == user);
                    own.filter(|session| session.takes_logins()).count() <= 1
                })
            }),
            Property::always(
                "no login enters a session that has said that it ends",
                |_, state: &State| !state.entered_late,
            ),
            Property::always(
                "a lock has a living holder",
                |model: &Self, state: &State| {
                    let holders = state.locks.iter().flatten();
                    model.fault == Fault::LockLeft
                        || holders.into_iter().all(|at| state.logins[*at].has_lock())
                },
            ),
            // Where nobody can do anything any more but crash or be told to end, all is over.
            Property::always(
                "everything comes to its end",
                |model: &Self, state: &State| {
                    let mut steps = Vec::new();
                    model.actions(state, &mut steps);
                    steps.retain(|step| {
                        !matches!(
                            step,
                            Step::AskedToEnd(_) | Step::CrashOfInit(_) | Step::CrashOfLogin(_)
                        )
                    });
                    !steps.is_empty()
                        || (state.logins.iter().all(|login| *login == Login::Over)
                            && !state.sessions.iter().any(Session::is_alive)
                            && state.locks == [None; 2])
                },
            ),
        ]
    }
}
