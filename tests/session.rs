//! What a session does: its life, its faults, and what it reports.

#![cfg(feature = "simulator")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::field_reassign_with_default,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

#[path = "session/clock.rs"]
mod clock;
#[path = "session/compete.rs"]
mod compete;
#[path = "session/faults.rs"]
mod faults;
#[path = "session/hand_over.rs"]
mod hand_over;
#[path = "session/late_signatures.rs"]
mod late_signatures;
#[path = "session/life.rs"]
mod life;
#[path = "support/machine.rs"]
mod machine;
#[path = "session/misuse.rs"]
mod misuse;
#[path = "session/penalty_box.rs"]
mod penalty_box;
#[path = "session/remote_keys.rs"]
mod remote_keys;
#[path = "session/reports.rs"]
mod reports;
mod simulation;

use std::time::Duration;

use ibkr_oauth::{
    Error,
    session::{SessionConfig, SessionEvent, State},
    simulator::Broker,
};
use simulation::Simulation;

const HANDSHAKE: &str = "/oauth/live_session_token";
const OPEN: &str = "/iserver/auth/ssodh/init";
const STATUS: &str = "/iserver/auth/status";
const TICKLE: &str = "/tickle";
const LOGOUT: &str = "/logout";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn hours(hours: u64) -> Duration {
    seconds(3600 * hours)
}

fn config(change: impl FnOnce(&mut SessionConfig)) -> SessionConfig {
    let mut config = SessionConfig::default();
    change(&mut config);
    config
}

/// A simulation whose session has been live for some seconds.
fn live_simulation(config: SessionConfig) -> Simulation {
    live_simulation_with(config, Broker::default())
}

fn live_simulation_with(config: SessionConfig, broker: Broker) -> Simulation {
    let mut simulation = Simulation::with_broker(1, config, broker).unwrap();
    simulation.run_for(seconds(10));
    assert_eq!(simulation.session().view().state(), State::Live);
    simulation
}

/// The paths of what was sent, from the end of the base URL on.
fn paths(simulation: &Simulation) -> Vec<&str> {
    simulation.sent().iter().map(|sent| sent.path.trim_start_matches("/v1/api")).collect()
}

fn count_sent(simulation: &Simulation, path: &str) -> usize {
    paths(simulation).into_iter().filter(|sent| *sent == path).count()
}

fn count_events(simulation: &Simulation, wanted: impl Fn(&SessionEvent) -> bool) -> usize {
    simulation.events().iter().filter(|(_, event)| wanted(event)).count()
}

/// Why the session gave up.
fn given_up(simulation: &Simulation) -> Option<&Error> {
    simulation.events().iter().find_map(|(_, event)| match event {
        SessionEvent::GaveUp { error } => Some(error),
        _ => None,
    })
}
