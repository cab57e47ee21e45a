//! A week of a session's life in the wink of an eye: what happens to a bot, and how the session keeps itself alive.
//!
//! ```sh
//! cargo run --example keep_alive --features simulator
//! ```
//!
//! `World` puts a session and the simulated broker on one virtual clock. There is no network, no waiting and no chance:
//! each run prints the same.

use std::{error::Error, time::Duration};

use ibkr_oauth::{
    Timestamp,
    session::{Input, SessionConfig, SessionEvent},
    simulator::{Broker, Fault, World},
};

const HOUR: u64 = 3600;

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * HOUR)
}

fn main() -> Result<(), Box<dyn Error>> {
    // Our week begins on Tuesday, 14 November 2023, at 22:13 UTC. Each night at New York's midnight the broker ends the
    // brokerage session, and on Saturday evening its servers are down for half an hour.
    let saturday = Timestamp::from_secs(1_700_355_600);
    let broker = Broker::builder()
        .settling(Duration::from_secs(3))
        .daily_reset(-5 * 3600)
        .maintenance(saturday, saturday.saturating_add(hours(1) / 2))
        .build()?;
    // Where another program of the same user takes the brokerage session, we ask each half hour whether it has gone.
    let mut config = SessionConfig::default();
    config.displaced_retry = hours(1) / 2;
    let mut world = World::with_broker(1, config, broker)?;

    // What else happens to a bot in a week:
    // a reply gets lost,
    world.after(hours(10), |world| world.broker().inject(Fault::lose_reply()));
    // the live session token is withdrawn in mid-session,
    world.after(hours(30), |world| world.broker().inject(Fault::expire_live_session_token()));
    // the user logs in to TWS for an hour and a half,
    world.after(hours(40), |world| world.broker().displace());
    world.after(hours(40) + Duration::from_secs(5400), |world| world.broker().release());
    // a script of ours asks too much, and the broker wants to hear nothing for ten minutes,
    world.after(hours(64), |world| world.broker().inject(Fault::penalty_box(Duration::from_secs(600))));
    // the laptop is closed for a night,
    world.after(hours(74), |world| world.suspend_client(hours(9)));
    // its clock is corrected by a minute and a half,
    world.after(hours(120), |world| world.step_client_clock(-90_000));
    // and the router is restarted.
    world.after(hours(140), |world| world.weather().refused = 1000);
    world.after(hours(140) + Duration::from_secs(240), |world| world.weather().refused = 0);

    world.run_for(hours(7 * 24));
    world.tell(Input::Shutdown);
    world.run_for(Duration::from_secs(10));

    // The events are all that a program gets to see, and most can do without.
    let mut day = String::new();
    for (at, event) in world.events() {
        let time = at.to_string();
        let (date, time) = time.split_at(10);
        if date != day {
            println!("\n{date}");
            date.clone_into(&mut day);
        }
        println!("  {}  {}", &time[1..9], describe(event));
    }
    let (tickles, all) = (count(&world, "/tickle"), world.sent().len());
    println!("\n{all} requests: {tickles} tickles, {} handshakes", count(&world, "/live_session_token"));
    Ok(())
}

fn describe(event: &SessionEvent) -> String {
    match event {
        SessionEvent::StateChanged { from, trigger, to } => format!("{from} -> {to} ({trigger})"),
        SessionEvent::Negotiated { expires_at, .. } => format!("a new live session token, until {expires_at}"),
        SessionEvent::Failed { error, retry_at } => format!("{error}; next try at {retry_at}"),
        SessionEvent::Displaced { retry_at, .. } => format!("somebody else has the session; ask again at {retry_at}"),
        SessionEvent::PenaltyBox { until } => format!("too many requests: silence until {until}"),
        SessionEvent::ClockSkew { seconds, .. } => format!("the broker's clock less ours is {seconds} s"),
        SessionEvent::Closed { logged_out: true } => "logged out".to_owned(),
        other => format!("{other:?}"),
    }
}

fn count(world: &World, path: &str) -> usize {
    world.sent().iter().filter(|sent| sent.path.ends_with(path)).count()
}
