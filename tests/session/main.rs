//! What a session does, and its driver: their life, their faults, and what comes out of them.

#![cfg(feature = "simulator")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::field_reassign_with_default,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::match_same_arms,
    unreachable_pub,
    dead_code,
    reason = "a test fails by panicking"
)]

mod adversary;
#[path = "../support/cases.rs"]
mod cases;
mod clock;
mod compete;
#[cfg(feature = "getrandom")]
mod driver;
mod faults;
#[path = "../support/fixture.rs"]
mod fixture;
mod hand_over;
mod late_signatures;
mod life;
#[path = "../support/machine.rs"]
mod machine;
mod misuse;
mod not_sent;
mod penalty_box;
mod properties;
mod remote_keys;
mod replay;
mod reports;
#[path = "../simulation/mod.rs"]
mod simulation;
mod states;
mod stories;
mod texts;
mod transitions;
mod wanted_tickles;

use crate::simulation::{Simulation, known_user};
use std::time::Duration;

use ibkr_oauth::{
    Error,
    session::{SessionConfig, SessionEvent, State},
    simulator::{Broker, BrokerBuilder},
};

const HANDSHAKE: &str = "/oauth/live_session_token";
const OPEN: &str = "/iserver/auth/ssodh/init";
const STATUS: &str = "/iserver/auth/status";
const TICKLE: &str = "/tickle";
const LOGOUT: &str = "/logout";
const ACCOUNTS: &str = "/iserver/accounts";

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
fn live_world(config: SessionConfig) -> Simulation {
    live_world_with(config, Broker::builder().strict())
}

fn live_world_with(config: SessionConfig, broker: BrokerBuilder) -> Simulation {
    let mut simulation = Simulation::with_broker(1, config, broker);
    simulation.run_for(seconds(10));
    assert_eq!(simulation.session().view().state(), State::Live);
    simulation
}

/// The paths of what was sent, from the end of the base URL on, without the queries of the accounts.
fn paths(simulation: &Simulation) -> Vec<&str> {
    let paths = simulation.sent().iter().map(|sent| sent.path.trim_start_matches("/v1/api"));
    paths.filter(|path| *path != ACCOUNTS).collect()
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
