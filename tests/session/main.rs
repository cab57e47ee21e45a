//! What a session does, and its driver: their life, their faults, and what comes out of them.

#![cfg(feature = "simulator")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::field_reassign_with_default,
    clippy::disallowed_methods,
    clippy::match_same_arms,
    unreachable_pub,
    dead_code,
    reason = "a test fails by panicking"
)]

mod clock;
mod compete;
#[cfg(feature = "getrandom")]
mod driver;
mod faults;
mod hand_over;
mod late_signatures;
mod life;
#[path = "../support/machine.rs"]
mod machine;
mod misuse;
mod penalty_box;
mod properties;
mod remote_keys;
mod replay;
mod reports;
mod states;
mod stories;
mod texts;
mod transitions;
#[path = "../world/mod.rs"]
mod world;

use std::time::Duration;

use ibkr_oauth::{
    Error,
    session::{SessionConfig, SessionEvent, State},
    simulator::{Broker, World},
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

/// A world whose session has been live for some seconds.
fn live_world(config: SessionConfig) -> World {
    live_world_with(config, Broker::default())
}

fn live_world_with(config: SessionConfig, broker: Broker) -> World {
    let mut world = World::with_broker(1, config, broker).unwrap();
    world.run_for(seconds(10));
    assert_eq!(world.session().view().state(), State::Live);
    world
}

/// The paths of what was sent, from the end of the base URL on, without the queries of the accounts.
fn paths(world: &World) -> Vec<&str> {
    let paths = world.sent().iter().map(|sent| sent.path.trim_start_matches("/v1/api"));
    paths.filter(|path| *path != ACCOUNTS).collect()
}

fn count_sent(world: &World, path: &str) -> usize {
    paths(world).into_iter().filter(|sent| *sent == path).count()
}

fn count_events(world: &World, wanted: impl Fn(&SessionEvent) -> bool) -> usize {
    world.events().iter().filter(|(_, event)| wanted(event)).count()
}

/// Why the session gave up.
fn given_up(world: &World) -> Option<&Error> {
    world.events().iter().find_map(|(_, event)| match event {
        SessionEvent::GaveUp { error } => Some(error),
        _ => None,
    })
}
