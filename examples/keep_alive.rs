//! A week of a session's life in the wink of an eye: what happens to a bot, and how the session keeps itself alive.
//!
//! ```sh
//! cargo run --example keep_alive --features simulator
//! ```
//!
//! The tests' `Simulation` puts a session and the simulated broker on one virtual clock. There is no network, no waiting and no chance:
//! each run prints the same.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

// What plays the network, and moves the clock.
#[path = "../tests/simulation/mod.rs"]
mod simulation;

use std::time::Duration;

use ibkr_oauth::{
    Timestamp,
    session::{Input, SessionConfig, SessionEvent},
    simulator::{Broker, Fault},
};
use simulation::Simulation;

const HOUR: u64 = 3600;

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * HOUR)
}

fn main() {
    // Our week begins on Tuesday, 14 November 2023, at 22:13 UTC. Each night at New York's midnight the broker ends the
    // brokerage session, and on Saturday evening its servers are down for half an hour.
    let saturday = Timestamp::from_secs(1_700_355_600);
    let broker = Broker::builder()
        .settling(Duration::from_secs(3))
        .daily_reset(-5 * 3600)
        .maintenance(saturday, saturday.saturating_add(hours(1) / 2));
    // Where another program of the same user takes the brokerage session, we ask each half hour whether it has gone.
    let mut config = SessionConfig::default();
    config.displaced_retry = hours(1) / 2;
    let mut simulation = Simulation::with_broker(1, config, broker);

    // What else happens to a bot in a week:
    // a response gets lost,
    simulation.after(hours(10), |simulation| simulation.broker().inject(Fault::drop_response()));
    // the live session token is withdrawn in mid-session,
    simulation.after(hours(30), |simulation| simulation.broker().inject(Fault::expire_live_session_token()));
    // the user logs in to TWS for an hour and a half,
    simulation.after(hours(40), |simulation| simulation.broker().start_competing_session());
    simulation.after(hours(40) + Duration::from_secs(5400), |simulation| simulation.broker().end_competing_session());
    // a script of ours asks too much, and the broker wants to hear nothing for ten minutes,
    simulation.after(hours(64), |simulation| simulation.broker().inject(Fault::penalty_box(Duration::from_secs(600))));
    // the laptop is closed for a night,
    simulation.after(hours(74), |simulation| simulation.suspend_client(hours(9)));
    // its clock is corrected by a minute and a half,
    simulation.after(hours(120), |simulation| simulation.step_client_clock(-90_000));
    // and the router is restarted.
    simulation.after(hours(140), |simulation| simulation.network().refused = 1000);
    simulation.after(hours(140) + Duration::from_secs(240), |simulation| simulation.network().refused = 0);

    simulation.run_for(hours(7 * 24));
    simulation.handle_input(Input::Shutdown);
    simulation.run_for(Duration::from_secs(10));

    // The events are all that a program gets to see, and most can do without.
    let mut day = String::new();
    for (at, event) in simulation.events() {
        let time = at.to_string();
        let (date, time) = time.split_at(10);
        if date != day {
            println!("\n{date}");
            date.clone_into(&mut day);
        }
        println!("  {}  {}", &time[1..9], describe(event));
    }
    let (tickles, all) = (count(&simulation, "/tickle"), simulation.sent().len());
    println!("\n{all} requests: {tickles} tickles, {} handshakes", count(&simulation, "/live_session_token"));
}

fn describe(event: &SessionEvent) -> String {
    match event {
        SessionEvent::StateChanged { from, to } => format!("{from} -> {to}"),
        SessionEvent::Negotiated { expires_at, .. } => format!("a new live session token, until {expires_at}"),
        SessionEvent::Failed { error, retry_at } => format!("{error}; next try at {retry_at}"),
        SessionEvent::Displaced { retry_at, .. } => format!("somebody else has the session; ask again at {retry_at}"),
        SessionEvent::PenaltyBox { until } => format!("too many requests: silence until {until}"),
        SessionEvent::ClockSkew { seconds, .. } => format!("the broker's clock less ours is {seconds} s"),
        SessionEvent::Closed { logged_out: true } => "logged out".to_owned(),
        other => format!("{other:?}"),
    }
}

fn count(simulation: &Simulation, path: &str) -> usize {
    simulation.sent().iter().filter(|sent| sent.path.ends_with(path)).count()
}
