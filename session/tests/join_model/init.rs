//! The steps of init, and of whoever removes what a dead one has left.

use crate::model::Protocol;
use crate::state::{Answer, Fault, Phase, Session, State, Step, Why};

impl Session {
    pub fn new(user: u8, maker: usize) -> Self {
        Self {
            user,
            maker,
            phase: Phase::Preparing,
            ready: false,
            bound: false,
            name: false,
            listens: false,
            record: false,
            processes: false,
            leases: vec![maker],
            waiting: Vec::new(),
        }
    }

    /// The kernel lets go of the record, breaks the connections, and kills what is in it.
    pub fn die(&mut self) {
        self.phase = Phase::Gone(None);
        (self.listens, self.processes) = (false, false);
        self.waiting.clear();
        self.leases.clear();
    }
}

impl State {
    /// Whether anybody holds the record of a session: init, or the helper that is its copy.
    pub fn holds_record(&self, session: &Session) -> bool {
        session.is_alive() || self.logins[session.maker].has_helper()
    }
}

impl Protocol {
    pub fn steps_of_session(&self, state: &State, at: usize, steps: &mut Vec<Step>) {
        let session = &state.sessions[at];
        if session.record && !state.holds_record(session) {
            steps.push(Step::SweepRecord(at));
        }
        if session.name && !session.listens {
            steps.push(Step::SweepDoor(at));
        }
        let name_first = self.fault == Fault::NameFirst;
        match session.phase {
            Phase::Gone(_) => return,
            Phase::Preparing if session.listens || (name_first && !session.bound) => {
                steps.push(Step::Open(at));
            }
            Phase::Preparing => steps.push(Step::Listen(at)),
            Phase::Opened => steps.push(Step::Ready(at)),
            Phase::Live => {
                let gone = |login: &&usize| self.is_gone(state, at, **login);
                steps.extend(
                    session
                        .leases
                        .iter()
                        .filter(gone)
                        .map(|of| Step::Leave(at, *of)),
                );
                let kept = session.processes && self.fault != Fault::ProcessesIgnored;
                if session.leases.is_empty() && !kept {
                    steps.push(Step::Decide(at));
                }
                steps.push(Step::AskedToEnd(at));
            }
            Phase::Decided(_) => steps.push(Step::Unlink(at)),
            Phase::Unlinked(_) => steps.push(Step::Shut(at)),
            Phase::Shut(_) => steps.push(Step::DropWaiting(at)),
            Phase::Dropped(_) => steps.push(Step::Tell(at)),
            Phase::Ending(_) => steps.push(Step::End(at)),
        }
        let hears = session.phase == Phase::Live
            || (self.fault == Fault::CloseLate && matches!(session.phase, Phase::Decided(_)));
        for one in session.waiting.iter().filter(|_| hears) {
            // An end without a word is heard as well.
            let ended = state.logins[one.login].holds() != Some(at);
            match one.accepted {
                false => steps.push(Step::Accept(at, one.login)),
                true if one.said || ended => {
                    steps.push(Step::Hear(at, one.login));
                    steps.push(Step::Drop(at, one.login));
                }
                true => {}
            }
        }
        if session.processes {
            steps.push(Step::Quiet(at));
        }
        steps.push(Step::CrashOfInit(at));
    }

    /// Whether the other end of a lease is closed, or its application dead. A child of the
    /// application may hold a copy of its end.
    fn is_gone(&self, state: &State, at: usize, login: usize) -> bool {
        let login = &state.logins[login];
        let closed = login.holds() != Some(at);
        match self.fault {
            // Nobody takes back from a file what a crash has left in it.
            Fault::LeaseCounted => false,
            Fault::NoHolder => closed && login.application,
            _ => closed || !login.application,
        }
    }

    pub fn step_of_session(&self, state: &mut State, at: usize, step: Step) {
        let logins = &mut state.logins;
        let session = &mut state.sessions[at];
        let why = session.why().unwrap_or(Why::Asked);
        match step {
            Step::Listen(_) => {
                session.listens = true;
                if self.fault == Fault::NameFirst {
                    session.phase = Phase::Opened;
                }
            }
            Step::Open(_) => {
                (session.name, session.bound) = (true, true);
                if self.fault != Fault::NameFirst {
                    session.phase = Phase::Opened;
                }
            }
            Step::Ready(_) => (session.phase, session.ready) = (Phase::Live, true),
            Step::Accept(_, login) => {
                let mut waiting = session.waiting.iter_mut();
                if let Some(one) = waiting.find(|one| one.login == login) {
                    one.accepted = true;
                }
            }
            Step::Drop(_, login) => session.waiting.retain(|one| one.login != login),
            Step::Hear(_, login) => {
                session.waiting.retain(|one| one.login != login);
                // An answer to nobody fails.
                if logins[login].holds() != Some(at) {
                    return;
                }
                let empty = session.leases.is_empty() || self.fault == Fault::ReplaceInUse;
                let answer = if logins[login].replaces && empty {
                    session.phase = Phase::Decided(Why::Empty);
                    Answer::Ending
                } else if session.leases.len() >= self.most {
                    Answer::Full
                } else {
                    session.leases.push(login);
                    Answer::Joined
                };
                logins[login].answer = Some(answer);
            }
            Step::Leave(_, login) => session.leases.retain(|of| *of != login),
            Step::Decide(_) => {
                session.phase = Phase::Decided(Why::Empty);
                state.kept_ended |= session.processes;
            }
            Step::AskedToEnd(_) => session.phase = Phase::Decided(Why::Asked),
            Step::Unlink(_) => (session.phase, session.name) = (Phase::Unlinked(why), false),
            Step::Shut(_) => {
                (session.phase, session.listens) = (Phase::Shut(why), false);
                session.waiting.retain(|one| one.accepted);
            }
            Step::DropWaiting(_) => {
                session.phase = Phase::Dropped(why);
                session.waiting.clear();
            }
            Step::Tell(_) => session.phase = Phase::Ending(why),
            Step::End(_) => {
                session.record = false;
                session.die();
                session.phase = Phase::Gone(Some(why));
            }
            Step::SweepRecord(_) => session.record = false,
            Step::SweepDoor(_) => session.name = false,
            Step::Quiet(_) => session.processes = false,
            _ => session.die(),
        }
    }
}
