//! The protocol as a model: whose logins there are, what may happen next, what always holds.

use stateright::{Model, Property};

use crate::state::{At, Fault, Login, Phase, Session, State, Step, Why};

/// Any number of accidents.
pub const ANY: u8 = u8::MAX;

/// Logins and the policy that they come under.
pub struct Protocol {
    /// whose each login is, and whether it is planned by another policy with
    /// on_policy_change = "replace"
    pub logins: &'static [(u8, bool)],
    /// how many accidents there are at most, or [`ANY`]
    pub accidents: u8,
    /// max_sessions
    pub most: usize,
    /// on_logout = "keep"
    pub keep: bool,
    /// scope = "session"
    pub apart: bool,
    pub fault: Fault,
}

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            logins: self.logins.iter().copied().map(Login::new).collect(),
            sessions: Vec::new(),
            locks: [None; 2],
            accidents: self.accidents,
            entered_late: false,
            kept_ended: false,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for at in 0..state.logins.len() {
            self.steps_of_login(state, at, steps);
        }
        for at in 0..state.sessions.len() {
            self.steps_of_session(state, at, steps);
        }
        if state.accidents == 0 {
            steps.retain(|step| !step.is_accident());
        }
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = state.clone();
        if state.accidents != ANY {
            next.accidents -= u8::from(step.is_accident());
        }
        match step {
            Step::Lock(at)
            | Step::Scan(at)
            | Step::Verify(at)
            | Step::Connect(at)
            | Step::Ask(at)
            | Step::HearAnswer(at)
            | Step::Make(at)
            | Step::Publish(at)
            | Step::Hand(at)
            | Step::Linger(at)
            | Step::Enter(at)
            | Step::Look(at)
            | Step::LeaveByModule(at)
            | Step::TimeOut(at)
            | Step::CrashOfHelper(at)
            | Step::CrashOfApplication(at) => self.step_of_login(&mut next, at, step),
            Step::Open(at)
            | Step::Listen(at)
            | Step::Ready(at)
            | Step::Accept(at, _)
            | Step::Hear(at, _)
            | Step::Drop(at, _)
            | Step::Leave(at, _)
            | Step::Decide(at)
            | Step::AskedToEnd(at)
            | Step::Unlink(at)
            | Step::Shut(at)
            | Step::DropWaiting(at)
            | Step::Tell(at)
            | Step::End(at)
            | Step::CrashOfInit(at)
            | Step::SweepRecord(at)
            | Step::SweepDoor(at)
            | Step::Quiet(at) => self.step_of_session(&mut next, at, step),
        }
        Some(next.canonical(self.apart))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "nothing ends a session under its logins",
                |_, state: &State| {
                    let mut used = state.logins.iter().filter_map(Login::is_in);
                    used.all(|s| state.sessions[s].why() != Some(Why::Empty))
                },
            ),
            Property::always(
                "nothing ends a session under what is kept in it",
                |_, state: &State| !state.kept_ended,
            ),
            Property::always(
                "no login is in another user's session",
                |_, state: &State| {
                    let mut logins = state.logins.iter();
                    logins.all(|login| {
                        let session = login.is_in().map(|s| &state.sessions[s]);
                        session.is_none_or(|session| session.user == login.user)
                    })
                },
            ),
            Property::always(
                "one session of a user takes logins",
                |model: &Self, state: &State| {
                    model.apart
                        || [0, 1].into_iter().all(|user| {
                            let own = state.sessions.iter().filter(|one| one.user == user);
                            own.filter(|session| session.takes_logins()).count() <= 1
                        })
                },
            ),
            Property::always(
                "no more logins than may be",
                |model: &Self, state: &State| {
                    let listed = |session: &&Session| {
                        session.user == 0 && session.record && session.is_alive()
                    };
                    match model.apart {
                        true => state.sessions.iter().filter(listed).count() <= model.most,
                        false => {
                            let mut sessions = state.sessions.iter();
                            sessions.all(|session| session.leases.len() <= model.most)
                        }
                    }
                },
            ),
            Property::always(
                "no login enters a session that has said that it ends",
                |_, state: &State| !state.entered_late,
            ),
            Property::always("a live session has its door", |_, state: &State| {
                let mut live = state.sessions.iter().filter(|one| one.phase == Phase::Live);
                live.all(|session| session.name && session.listens)
            }),
            Property::always(
                "a lock has a living holder",
                |model: &Self, state: &State| {
                    let holders = state.locks.iter().flatten();
                    model.fault == Fault::LockLeft
                        || holders.into_iter().all(|at| state.logins[*at].has_helper())
                },
            ),
            // Where nothing can happen any more but accidents, all is over and nothing is left.
            Property::always(
                "everything comes to its end",
                |model: &Self, state: &State| {
                    let mut steps = Vec::new();
                    model.actions(state, &mut steps);
                    let over = |login: &Login| login.at == At::Over && !login.lingers;
                    let nothing =
                        |session: &Session| !session.is_alive() && !session.name && !session.record;
                    !steps.into_iter().all(Step::is_accident)
                        || (state.logins.iter().all(over)
                            && state.sessions.iter().all(nothing)
                            && state.locks == [None; 2])
                },
            ),
        ]
    }
}
