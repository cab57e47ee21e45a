//! What must hold of everything that a session sent and told.

use std::collections::HashSet;

use crate::simulation::Simulation;
use ibkr_oauth::session::{SessionEvent, State};

/// `boxes`: whether the clock ran evenly, so that the times of penalty boxes and of requests can be compared.
pub(crate) fn check(simulation: &Simulation, boxes: bool) {
    assert_eq!(simulation.stalls(), 0, "each deadline moves on");
    assert_eq!(simulation.overlaps(), 0, "one request at a time");
    assert!(simulation.longest_drain() <= 12, "{} calls to drain", simulation.longest_drain());

    let mut nonces = HashSet::new();
    let (mut signer, mut boxed_until, mut last) = (false, None, 0);
    let mut events = simulation.events().iter();
    let mut told = 0;
    for sent in simulation.sent() {
        let mut stepped = false;
        while told < sent.events_before {
            told += 1;
            let (_, event) = events.next().expect("an event");
            match event {
                SessionEvent::Negotiated { .. } => signer = true,
                SessionEvent::StateChanged { to: State::Closed, .. } => signer = false,
                SessionEvent::PenaltyBox { until } => boxed_until = boxed_until.max(Some(*until)),
                SessionEvent::ClockStepped { .. } => stepped = true,
                _ => {}
            }
        }
        assert!(nonces.insert(&sent.nonce), "a nonce is used once");
        assert!(stepped || sent.timestamp >= last, "timestamps never decrease but across ClockStepped");
        last = sent.timestamp;
        let handshake = sent.path.ends_with("/oauth/live_session_token");
        assert!(handshake || signer, "only a proved token signs");
        assert!(!boxes || boxed_until.is_none_or(|until| sent.at >= until), "nothing is sent inside a penalty box");
    }
}
