//! Scripts of what goes wrong, as data.

use std::time::Duration;

use crate::simulation::Simulation;
use ibkr_oauth::{
    Timestamp,
    http::StatusCode,
    session::{CompetePolicy, SessionConfig},
    simulator::{Broker, Fault},
};
use proptest::prelude::*;

/// Within this time everything of a script happens.
const LENGTH: u32 = 4 * 3600;

/// What goes wrong at some moment.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    Fault {
        kind: usize,
        path: usize,
        times: u32,
    },
    /// Chances in a thousand: refused, lost request, lost reply, repeated reply, late reply.
    Network([u16; 5]),
    StartCompeting,
    StopCompeting,
    Observe(u16),
    /// The client's clock is so many seconds ahead from now on.
    ClockAhead(i64),
    Suspend(u32),
    /// Every handshake from now on is refused.
    Fatal,
}

#[derive(Clone, Debug)]
pub(crate) struct Script {
    seed: u64,
    brokerage: bool,
    compete: usize,
    correct_clock: bool,
    settling: u64,
    maintenance: Option<(u32, u32)>,
    troubles: Vec<(u32, Trouble)>,
}

const PATHS: [&str; 5] =
    ["", "/oauth/live_session_token", "/iserver/auth/ssodh/init", "/iserver/auth/status", "/tickle"];

/// All that the session may take as a refusal stands first.
const REFUSALS: usize = 11;
const FAULTS: usize = 26;

fn fault(kind: usize) -> Fault {
    match kind {
        0 => Fault::status(401).with_body("", ""),
        1 => Fault::problem(401, "Access token expired"),
        2 => "invalid-consumer".parse::<Fault>().unwrap(),
        3 => Fault::status(410),
        4 => Fault::status(403).with_body("text/html", "<h1>Unavailable</h1>"),
        5 => Fault::status(200).with_body("application/json", r#"{"error":"out of order"}"#),
        6 => "wrong-proof".parse::<Fault>().unwrap(),
        7 => "wrong-response".parse().unwrap(),
        8 => "lst-failed".parse::<Fault>().unwrap(),
        9 => Fault::status(404),
        10 => Fault::status(400),
        11 => Fault::drop_request(),
        12 => Fault::drop_response(),
        13 => Fault::status(408),
        14 => Fault::status(429),
        15 => Fault::penalty_box(Duration::from_secs(600)),
        16 => Fault::status(500).with_body("text/html", "<h1>Unavailable</h1>"),
        17 => Fault::status(503).with_body("", ""),
        18 => Fault::status(200).with_body("text/html", "<h1>Unavailable</h1>"),
        19 => Fault::not_authenticated(),
        20 => Fault::competing(),
        21 => Fault::status(200).with_body("application/json", r#"{"wait":30000}"#).at("/iserver/auth/ssodh/init"),
        22 => Fault::no_bridge_for(Duration::from_secs(90)),
        23 => "no-expiration".parse::<Fault>().unwrap(),
        24 => Fault::expire_live_session_token(),
        _ => Fault::drop_field("diffie_hellman_response"),
    }
}

impl Script {
    pub(crate) fn example() -> Self {
        let troubles = vec![
            (60, Trouble::Network([50, 50, 50, 100, 50])),
            (600, Trouble::Fault { kind: 24, path: 4, times: 1 }),
            (1200, Trouble::ClockAhead(-100)),
            (2000, Trouble::Suspend(1000)),
            (5000, Trouble::Observe(401)),
        ];
        let (compete, settling) = (2, 5);
        Self { seed: 5, brokerage: true, compete, correct_clock: true, settling, maintenance: None, troubles }
    }

    /// A simulation in which all of this has happened, and nothing more will but what is still under way.
    pub(crate) fn play(&self) -> Simulation {
        let mut config = SessionConfig::default();
        config.brokerage = self.brokerage;
        config.compete = [CompetePolicy::Yield, CompetePolicy::TakeOnce, CompetePolicy::TakeAlways][self.compete];
        config.correct_clock = self.correct_clock;
        let mut broker = Broker::builder().strict().settling(Duration::from_secs(self.settling)).daily_reset(-5 * 3600);
        if let Some((from, length)) = self.maintenance {
            let from = Timestamp::from_secs(1_700_000_000 + 60 + u64::from(from));
            broker = broker.maintenance(from, from.saturating_add(Duration::from_secs(length.into())));
        }
        let mut simulation = Simulation::with_broker(self.seed, config, broker);
        let mut ahead = 0;
        for (at, trouble) in self.in_order() {
            let wait = Duration::from_secs(at.into()).saturating_sub(simulation.elapsed());
            simulation.run_for(wait);
            match trouble {
                Trouble::Fault { kind, path, times } => {
                    let fault = fault(kind).times(times);
                    // Those that belong to one endpoint wait for it by themselves.
                    let anywhere = path == 0 || matches!(kind, 6 | 7 | 8 | 21 | 22 | 23 | 25);
                    simulation.broker().inject(if anywhere { fault } else { fault.at(PATHS[path]) });
                }
                Trouble::Network([refused, dropped_request, dropped_response, repeated_response, late_response]) => {
                    let network = simulation.network();
                    network.refused = refused;
                    network.dropped_request = dropped_request;
                    network.dropped_response = dropped_response;
                    network.repeated_response = repeated_response;
                    network.late_response = late_response;
                }
                Trouble::StartCompeting => simulation.broker().start_competing_session(),
                Trouble::StopCompeting => simulation.broker().end_competing_session(),
                Trouble::Observe(status) => simulation.report(StatusCode::from_u16(status).unwrap()),
                Trouble::ClockAhead(seconds) => {
                    simulation.step_client_clock((seconds - ahead) * 1000);
                    ahead = seconds;
                }
                Trouble::Suspend(seconds) => simulation.suspend_client(Duration::from_secs(seconds.into())),
                Trouble::Fatal => {
                    simulation
                        .broker()
                        .inject("invalid-consumer".parse::<Fault>().unwrap().at(PATHS[1]).times(u32::MAX));
                    simulation.broker().inject(Fault::expire_live_session_token());
                }
            }
        }
        *simulation.network() = crate::simulation::NetworkConditions::default();
        simulation.broker().end_competing_session();
        if let Some((from, length)) = self.maintenance {
            let until = Duration::from_secs(u64::from(60 + from + length));
            simulation.run_for(until.saturating_sub(simulation.elapsed()));
        }
        simulation
    }

    fn in_order(&self) -> Vec<(u32, Trouble)> {
        let mut troubles = self.troubles.clone();
        troubles.sort_by_key(|(at, _)| *at);
        troubles
    }

    /// How long after its end a session may take until it is live: for each fault that still lurks a penalty box, or the
    /// longest wait with what comes before it; then as much for what was under way.
    pub(crate) fn recovery(&self) -> Duration {
        let each = |trouble: &Trouble| match trouble {
            Trouble::Fault { times, .. } => u64::from(*times) * 1300,
            Trouble::Suspend(seconds) => u64::from(*seconds),
            Trouble::Fatal => 24 * 3600,
            _ => 0,
        };
        let lurking: u64 = self.troubles.iter().map(|(_, trouble)| each(trouble)).sum();
        Duration::from_secs(2 * 1300 + lurking)
    }

    /// How often the broker refuses, by its faults.
    fn refusals(&self) -> u32 {
        let each = |trouble: &Trouble| match trouble {
            Trouble::Fault { kind, times, .. } if *kind < REFUSALS => *times,
            Trouble::Fault { kind: 24, times, .. } => *times,
            Trouble::Observe(401 | 410) => 1,
            _ => 0,
        };
        self.troubles.iter().map(|(_, trouble)| each(trouble)).sum()
    }
}

fn a_fault() -> impl Strategy<Value = Trouble> {
    (0..FAULTS, 0..PATHS.len(), 1..4_u32).prop_map(|(kind, path, times)| Trouble::Fault { kind, path, times })
}

fn around() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        6 => a_fault(),
        1 => Just(Trouble::StartCompeting),
        1 => Just(Trouble::StopCompeting),
        2 => prop::sample::select(vec![401, 410, 429, 503]).prop_map(Trouble::Observe),
    ]
}

fn network() -> impl Strategy<Value = Trouble> {
    prop_oneof![Just(300_u16), Just(50), Just(0)]
        .prop_flat_map(|worst| prop::array::uniform5(0..=worst))
        .prop_map(Trouble::Network)
}

fn of(trouble: impl Strategy<Value = Trouble>) -> impl Strategy<Value = Script> {
    let who = (any::<u64>(), prop::bool::weighted(0.8), 0..3_usize, any::<bool>(), 0..40_u64);
    let maintenance = prop::option::weighted(0.2, (0..LENGTH, 60..3600_u32));
    let troubles = prop::collection::vec((0..LENGTH, trouble), 0..10);
    (who, maintenance, troubles).prop_map(
        |((seed, brokerage, compete, correct_clock, settling), maintenance, troubles)| Script {
            seed,
            brokerage,
            compete,
            correct_clock,
            settling,
            maintenance,
            troubles,
        },
    )
}

/// Eight refusals in a row end a session; so many at most are in a script that must not.
fn bearable(script: &Script) -> bool {
    script.refusals() <= 8
}

pub(crate) fn passing() -> impl Strategy<Value = Script> {
    of(prop_oneof![4 => around(), 1 => network()]).prop_filter("too many refusals", bearable)
}

/// Steps of the clock to at most so many seconds off.
pub(crate) fn stepping(most: i64) -> impl Strategy<Value = Script> {
    let steps = prop_oneof![
        3 => around(),
        3 => (-most..=most).prop_map(Trouble::ClockAhead),
        1 => (1..40_000_u32).prop_map(Trouble::Suspend),
    ];
    of(steps).prop_filter("too many refusals", bearable)
}

pub(crate) fn fatal() -> impl Strategy<Value = Script> {
    of(prop_oneof![
        4 => around(),
        1 => network(),
        3 => prop_oneof![-5000..5000_i64, -100_000_000..100_000_000_i64].prop_map(Trouble::ClockAhead),
        1 => Just(Trouble::Fatal),
        1 => (1..100_000_u32).prop_map(Trouble::Suspend),
    ])
}
