//! A session as its application may find it, in the states that matter to a call.

use std::time::Duration;

use ibkr_oauth::{
    Context, Timestamp,
    session::{Input, Output, Session, SessionConfig, SessionView, State},
    simulator::{Broker, Fault, SeededEntropy, test_keys},
};

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
/// When the views are looked at: the session has lived for some minutes by then.
pub(crate) const LATER: Timestamp = Timestamp::from_secs(1_700_000_600);

/// A session with the simulated broker, by hand.
pub(crate) struct Life {
    pub(crate) broker: Broker,
    pub(crate) session: Session,
    rng: SeededEntropy,
    now: Timestamp,
}

impl Life {
    /// One that has begun, and done nothing yet.
    pub(crate) fn new() -> Self {
        let (mut broker, mut rng) = (Broker::default(), SeededEntropy::new(7));
        let token = test_keys::unlocked_token(&mut broker, &mut Context::new(NOW, &mut rng)).unwrap();
        let session = Session::new(test_keys::consumer().unwrap(), token, SessionConfig::default());
        Self { broker, session, rng, now: NOW }
    }

    pub(crate) fn tell(&mut self, input: Input) {
        self.session.handle_input(&mut Context::new(self.now, &mut self.rng), input);
    }

    /// Lets it live up to a moment.
    pub(crate) fn until(mut self, end: Timestamp) -> Self {
        loop {
            match self.session.poll_output(&mut Context::new(self.now, &mut self.rng)) {
                Output::Transmit { id, request, .. } => {
                    let response = self.broker.handle(&mut Context::new(self.now, &mut self.rng), &request);
                    self.tell(Input::Response { id, response });
                }
                Output::Timeout { at, .. } if at <= end => {
                    self.now = self.now.max(at);
                    self.tell(Input::Timeout);
                }
                Output::Timeout { .. } | Output::Finished => break,
                _ => {}
            }
        }
        self.now = end;
        self
    }

    pub(crate) fn view(&self) -> SessionView {
        self.session.view().clone()
    }
}

/// Live.
pub(crate) fn live() -> SessionView {
    Life::new().until(LATER).view()
}

/// Live, with another token.
pub(crate) fn renewed() -> SessionView {
    let mut life = Life::new();
    life.broker.inject(Fault::expire_live_session_token().at("/tickle"));
    let view = life.until(LATER).view();
    assert_eq!(view.state(), State::Live);
    view
}

/// Another program has the brokerage session; the token signs.
pub(crate) fn displaced() -> SessionView {
    let mut life = Life::new();
    life.broker.start_competing_session();
    let view = life.until(LATER).view();
    assert_eq!(view.state(), State::Displaced);
    view
}

/// The handshake goes on, for the first time.
pub(crate) fn negotiating() -> SessionView {
    Life::new().view()
}

/// Over.
pub(crate) fn closed() -> SessionView {
    let mut life = Life::new().until(LATER);
    life.tell(Input::Shutdown);
    let view = life.until(LATER.saturating_add(Duration::from_secs(10))).view();
    assert_eq!(view.state(), State::Closed);
    view
}
