//! The steps of a helper and of the module in its application.

use crate::model::Protocol;
use crate::state::{Answer, At, Fault, Phase, Session, State, Step, Waiting};

impl Protocol {
    pub fn steps_of_login(&self, state: &State, at: usize, steps: &mut Vec<Step>) {
        let login = &state.logins[at];
        match &login.at {
            At::Start => {
                if state.locks[usize::from(login.user)].is_none() || self.fault == Fault::NoLock {
                    steps.push(Step::Lock(at));
                }
                steps.push(Step::TimeOut(at));
            }
            At::Locked => steps.push(Step::Scan(at)),
            At::Scanned(left) if left.is_empty() => steps.push(Step::Make(at)),
            At::Scanned(_) => steps.push(Step::Verify(at)),
            At::Verified(..) => steps.push(Step::Connect(at)),
            At::Connected(..) => steps.push(Step::Ask(at)),
            At::Asked(s, _) => {
                let waits = state.sessions[*s].waiting.iter().any(|w| w.login == at);
                if login.answer.is_some() || !waits {
                    steps.push(Step::HearAnswer(at));
                }
                steps.push(Step::TimeOut(at));
            }
            At::Making(s) => {
                let session = &state.sessions[*s];
                if session.ready {
                    steps.push(Step::Publish(at));
                } else if !session.is_alive() {
                    steps.push(Step::Hand(at));
                } else {
                    steps.push(Step::TimeOut(at));
                }
            }
            At::Joined(_) | At::Published(_) => steps.push(Step::Hand(at)),
            At::Handed(_) => steps.push(Step::Enter(at)),
            At::Entering(_) => steps.push(Step::Look(at)),
            At::Entered(_) => steps.push(Step::LeaveByModule(at)),
            At::Over => {}
        }
        if login.lingers {
            steps.push(Step::Linger(at));
        }
        if login.has_helper() {
            steps.push(Step::CrashOfHelper(at));
        }
        if login.application && login.at != At::Over {
            steps.push(Step::CrashOfApplication(at));
        }
    }

    fn unlock(state: &mut State, at: usize) {
        let lock = &mut state.locks[usize::from(state.logins[at].user)];
        if *lock == Some(at) {
            *lock = None;
        }
    }

    /// The end of a helper in whatever way: the kernel closes what it had.
    fn helper_over(&self, state: &mut State, at: usize, crash: bool) {
        // Init dies with the helper that makes it, until it is ready.
        if let At::Making(s) = state.logins[at].at {
            let session = &mut state.sessions[s];
            if matches!(session.phase, Phase::Preparing | Phase::Opened) {
                session.die();
            }
        }
        if !(crash && self.fault == Fault::LockLeft) {
            Self::unlock(state, at);
        }
        let login = &mut state.logins[at];
        if !login.lingers {
            login.at = At::Over;
            login.answer = None;
        }
        login.lingers = false;
        self.forget(state, at);
    }

    pub fn step_of_login(&self, state: &mut State, at: usize, step: Step) {
        let user = state.logins[at].user;
        let now = state.logins[at].at.clone();
        let next = match (step, now) {
            (Step::Lock(_), _) => {
                state.locks[usize::from(user)] = Some(at);
                At::Locked
            }
            (Step::Scan(_), _) => match self.scan(state, at) {
                Some(left) => At::Scanned(left),
                None => return self.helper_over(state, at, false),
            },
            (Step::Verify(_), At::Scanned(mut left)) => {
                let first = left.remove(0);
                let session = &state.sessions[first];
                match session.record && session.is_alive() {
                    true => At::Verified(first, left),
                    false => At::Scanned(left),
                }
            }
            (Step::Connect(_), At::Verified(s, left)) => {
                let session = &mut state.sessions[s];
                let waiting = Waiting {
                    login: at,
                    accepted: false,
                    said: self.fault == Fault::NoAnswer,
                };
                if !(session.name && session.listens) {
                    At::Scanned(left)
                } else if self.fault == Fault::NoAnswer {
                    // Init hears of it later.
                    session.waiting.push(waiting);
                    At::Joined(s)
                } else {
                    session.waiting.push(waiting);
                    At::Connected(s, left)
                }
            }
            (Step::Ask(_), At::Connected(s, left)) => {
                let waiting = &mut state.sessions[s].waiting;
                for one in waiting.iter_mut().filter(|one| one.login == at) {
                    one.said = true;
                }
                At::Asked(s, left)
            }
            (Step::HearAnswer(_), At::Asked(s, left)) => match state.logins[at].answer.take() {
                Some(Answer::Joined) => At::Joined(s),
                Some(Answer::Ending) => At::Scanned(left),
                Some(Answer::Full) => return self.helper_over(state, at, false),
                None if self.fault == Fault::EofIsEnding => At::Scanned(left),
                // It connects again.
                None => At::Verified(s, left),
            },
            (Step::Make(_), _) => {
                state.sessions.push(Session::new(user, at));
                if self.fault == Fault::LockShort {
                    Self::unlock(state, at);
                }
                At::Making(state.sessions.len() - 1)
            }
            (Step::Publish(_), At::Making(s)) => {
                state.sessions[s].record = true;
                At::Published(s)
            }
            (Step::Hand(_), At::Joined(s) | At::Published(s)) if state.logins[at].application => {
                state.logins[at].lingers = true;
                At::Handed(s)
            }
            // Nobody is there to hand it to; or init has died before it was ready.
            (Step::Hand(_), _) | (Step::Linger(_), _) => return self.helper_over(state, at, false),
            (Step::TimeOut(_), now) => {
                if let At::Making(s) = now {
                    let session = &mut state.sessions[s];
                    session.die();
                    (session.name, session.record) = (false, false);
                }
                return self.helper_over(state, at, false);
            }
            (Step::Enter(_), At::Handed(s)) => {
                let session = &state.sessions[s];
                let told = self.fault == Fault::LookFirst && session.has_told();
                match session.is_alive() && !told {
                    true => At::Entering(s),
                    false => At::Over,
                }
            }
            (Step::Look(_), At::Entering(s)) => {
                let session = &mut state.sessions[s];
                let told = session.has_told();
                if told && self.fault != Fault::LookFirst {
                    At::Over
                } else {
                    state.entered_late |= told;
                    session.processes = self.keep && session.is_alive();
                    At::Entered(s)
                }
            }
            (Step::LeaveByModule(_), At::Entered(s)) => {
                if self.fault == Fault::LeaseCounted {
                    state.sessions[s].leases.retain(|of| *of != at);
                }
                At::Over
            }
            (Step::CrashOfApplication(_), now) => {
                state.logins[at].application = false;
                match state.logins[at].has_helper() && !state.logins[at].lingers {
                    true => now,
                    false => At::Over,
                }
            }
            _ => return self.helper_over(state, at, true),
        };
        state.logins[at].at = next;
        self.forget(state, at);
    }

    /// What makes no difference any more where a login is over.
    fn forget(&self, state: &mut State, at: usize) {
        let login = &mut state.logins[at];
        if login.at == At::Over && self.fault != Fault::NoHolder {
            login.application = true;
            login.answer = None;
        }
    }

    /// The sessions to be asked; none if the login is one too many.
    fn scan(&self, state: &State, at: usize) -> Option<Vec<usize>> {
        let user = state.logins[at].user;
        let own = |session: &&Session| session.user == user || self.fault == Fault::AnyUser;
        if self.apart {
            let own = state.sessions.iter().filter(own);
            let live = own.filter(|session| session.record && state.holds_record(session));
            return (live.count() < self.most).then(Vec::new);
        }
        let sessions = state.sessions.iter().enumerate();
        let listed = sessions.filter(|(_, session)| own(session) && session.name);
        Some(listed.map(|(number, _)| number).collect())
    }
}
