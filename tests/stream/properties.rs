//! Whatever the broker, the network and the application are up to.

use crate::cases::cases;
use std::time::Duration;

use ibkr_oauth::{
    session::SessionConfig,
    stream::{StreamConfig, StreamEvent, Topic},
};
use proptest::prelude::*;

use crate::{
    server::Server,
    simulation::{Happening, Simulation},
};

/// What is always wanted, and accounted for.
const KEPT: [&str; 6] = ["smd+1", "smd+2", "smd+3", "sor", "str", "spl"];

/// What goes wrong, some of it for a number of seconds.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    Close(Option<u16>),
    Cut,
    Frozen(u64),
    NoHeartbeats(u64),
    Silent(usize, u64),
    Flap(u64),
    BrokerageLost,
    Displaced(u64),
    Maintenance(u64),
    Offline(u64),
    Refused(u64),
    ClosedAtOnce(u64),
    NoFlags(u64),
    Slow(u64),
    WaitingForSession(u64),
    TopicRefused(usize, u64),
    PenaltyBox(u64),
    Nonsense(u64),
    Subscribe(i64),
    Unsubscribe(i64),
    TokenExpires,
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let some = 1u64..400;
    prop_oneof![
        prop_oneof![Just(None), Just(Some(1000)), Just(Some(1006)), Just(Some(1011))].prop_map(Trouble::Close),
        Just(Trouble::Cut),
        // What is frozen for less loses what no client can know of.
        (40u64..400).prop_map(Trouble::Frozen),
        some.clone().prop_map(Trouble::NoHeartbeats),
        (0usize..3, 310u64..2000).prop_map(|(which, seconds)| Trouble::Silent(which, seconds)),
        (1u64..30).prop_map(Trouble::Flap),
        Just(Trouble::BrokerageLost),
        some.clone().prop_map(Trouble::Displaced),
        some.clone().prop_map(Trouble::Maintenance),
        some.clone().prop_map(Trouble::Offline),
        some.clone().prop_map(Trouble::Refused),
        some.clone().prop_map(Trouble::ClosedAtOnce),
        some.clone().prop_map(Trouble::NoFlags),
        some.clone().prop_map(Trouble::Slow),
        some.clone().prop_map(Trouble::WaitingForSession),
        (0usize..6, some.clone()).prop_map(|(which, seconds)| Trouble::TopicRefused(which, seconds)),
        some.clone().prop_map(Trouble::PenaltyBox),
        some.prop_map(Trouble::Nonsense),
        (0i64..6).prop_map(Trouble::Subscribe),
        (0i64..6).prop_map(Trouble::Unsubscribe),
        Just(Trouble::TokenExpires),
    ]
}

/// What ends a trouble.
type End = Box<dyn FnOnce(&mut Simulation<Server>)>;

/// Lets the trouble begin; and what ends it, and when.
fn begin(simulation: &mut Simulation<Server>, trouble: &Trouble) -> Option<(u64, End)> {
    let behaviour = &mut simulation.server.behaviour;
    let (seconds, end): (u64, End) = match *trouble {
        Trouble::Close(code) => {
            simulation.server.cut(code);
            return None;
        }
        Trouble::Cut => {
            simulation.cut();
            return None;
        }
        Trouble::Frozen(seconds) => {
            behaviour.frozen += 1;
            (seconds, Box::new(|simulation| simulation.server.behaviour.frozen -= 1))
        }
        Trouble::NoHeartbeats(seconds) => {
            behaviour.heartbeats = false;
            (seconds, Box::new(|simulation| simulation.server.behaviour.heartbeats = true))
        }
        Trouble::Silent(which, seconds) => {
            behaviour.silent.insert(KEPT[which].to_owned());
            (
                seconds,
                Box::new(move |simulation| simulation.server.behaviour.silent.retain(|topic| topic != KEPT[which])),
            )
        }
        Trouble::Flap(seconds) => {
            simulation.server.sts(r#"{"authenticated":false}"#);
            simulation.server.forget();
            (seconds, Box::new(|simulation| simulation.server.sts(r#"{"authenticated":true}"#)))
        }
        Trouble::BrokerageLost => {
            simulation.broker.end_brokerage_session();
            simulation.server.forget();
            simulation.server.sts(r#"{"authenticated":false}"#);
            return None;
        }
        Trouble::Displaced(seconds) => {
            simulation.broker.start_competing_session();
            simulation.server.forget();
            simulation.server.sts(r#"{"authenticated":false,"competing":true}"#);
            (seconds, Box::new(|simulation| simulation.broker.end_competing_session()))
        }
        Trouble::Maintenance(seconds) => {
            simulation.control(r#"{"action": "start-maintenance"}"#);
            (seconds, Box::new(|simulation| simulation.control(r#"{"action": "end-maintenance"}"#)))
        }
        Trouble::Offline(seconds) => {
            simulation.is_offline = true;
            simulation.cut();
            behaviour_of(simulation).refuses = Some(0);
            (
                seconds,
                Box::new(|simulation| {
                    simulation.is_offline = false;
                    simulation.server.behaviour.refuses = None;
                }),
            )
        }
        Trouble::Refused(seconds) => {
            behaviour.refuses = Some(503);
            (seconds, Box::new(|simulation| simulation.server.behaviour.refuses = None))
        }
        Trouble::ClosedAtOnce(seconds) => {
            behaviour.closes = Some(1000);
            (seconds, Box::new(|simulation| simulation.server.behaviour.closes = None))
        }
        Trouble::NoFlags(seconds) => {
            behaviour.no_sts = true;
            (seconds, Box::new(|simulation| simulation.server.behaviour.no_sts = false))
        }
        Trouble::Slow(seconds) => {
            behaviour.settling = 7;
            behaviour.sts_in_pieces = true;
            (
                seconds,
                Box::new(|simulation| {
                    simulation.server.behaviour.settling = 0;
                    simulation.server.behaviour.sts_in_pieces = false;
                }),
            )
        }
        Trouble::WaitingForSession(seconds) => {
            behaviour.wants_session = true;
            (seconds, Box::new(|simulation| simulation.server.behaviour.wants_session = false))
        }
        Trouble::TopicRefused(which, seconds) => {
            behaviour.refused.insert(KEPT[which].to_owned());
            (
                seconds,
                Box::new(move |simulation| simulation.server.behaviour.refused.retain(|topic| topic != KEPT[which])),
            )
        }
        Trouble::PenaltyBox(seconds) => {
            simulation.control(&format!(r#"{{"action": "penalty-box", "seconds": {seconds}}}"#));
            return None;
        }
        Trouble::Nonsense(seconds) => {
            for frame in ["", "{", "[]", "{}", "\u{fffd}", r#"{"topic":5}"#, r#"{"topic":"smd+77"}"#, r#"{"error":[]}"#]
            {
                simulation.server.say(frame);
            }
            (seconds, Box::new(|simulation| simulation.server.say(b"\xff\xfe".as_slice())))
        }
        // Beyond the limit it is refused, and does nothing.
        Trouble::Subscribe(conid) => {
            let _ = simulation.stream.subscribe(&Topic::market_data(10 + conid, &["31"]));
            return None;
        }
        Trouble::Unsubscribe(conid) => {
            simulation.stream.unsubscribe(&Topic::market_data(10 + conid, &["31"]));
            return None;
        }
        Trouble::TokenExpires => {
            simulation.broker.expire_live_session_token();
            return None;
        }
    };
    Some((seconds, end))
}

fn behaviour_of(simulation: &mut Simulation<Server>) -> &mut crate::server::Behaviour {
    &mut simulation.server.behaviour
}

fn happen(simulation: &mut Simulation<Server>, topic: &str) {
    let number = simulation.server.happen(topic);
    let is_silent = simulation.server.behaviour.silent.contains(topic);
    simulation.happened.push(Happening { topic: topic.to_owned(), number, at: simulation.now, is_silent });
    simulation.carry();
}

/// A seed, by how many milliseconds frames overtake each other, and what goes wrong after how many seconds each.
pub(crate) type Play = (u64, u64, Vec<(u64, Trouble)>);

pub(crate) fn plays() -> impl Strategy<Value = Play> {
    // Often one trouble meets the other.
    let wait = prop_oneof![0u64..15, 0u64..300];
    (any::<u64>(), prop_oneof![Just(0), 1u64..2000], prop::collection::vec((wait, trouble()), 1..12))
}

/// Plays it, and as many quiet seconds afterwards.
pub(crate) fn troubled((seed, shuffle, script): &Play, quiet: u64) -> Simulation<Server> {
    let (seed, shuffle) = (*seed, *shuffle);
    let mut config = StreamConfig::default();
    config.market_data_lines = 5;
    let mut simulation: Simulation<Server> = Simulation::with(seed, SessionConfig::default(), config, |broker| broker);
    simulation.shuffle = Duration::from_millis(shuffle);
    for topic in KEPT {
        simulation.subscribe(topic);
    }
    simulation.run(40);
    assert!(KEPT.iter().all(|topic| simulation.server.knows(topic)), "{:?}", simulation.events);
    simulation.clear();
    let mut ends: Vec<(u64, End)> = Vec::new();
    let mut script = script.iter();
    let mut next = script.next();
    let mut until_next = next.map_or(0, |(wait, _)| *wait);
    let mut calm = 0;
    while calm < quiet {
        match next {
            Some((_, trouble)) if until_next == 0 => {
                ends.extend(begin(&mut simulation, trouble).map(|(wait, end)| (simulation.elapsed() + wait, end)));
                simulation.carry();
                simulation.drain();
                next = script.next();
                until_next = next.map_or(0, |(wait, _)| *wait);
            }
            _ => until_next = until_next.saturating_sub(1),
        }
        for (_, end) in ends.extract_if(.., |(at, _)| *at <= simulation.elapsed()).collect::<Vec<_>>() {
            end(&mut simulation);
            simulation.carry();
        }
        if next.is_none() && ends.is_empty() {
            calm += 1;
        }
        for topic in KEPT {
            if simulation.random(20) == 0 {
                happen(&mut simulation, topic);
            }
        }
        simulation.run(1);
    }
    simulation
}

pub(crate) fn check(play: &Play) {
    // After all of it, a quiet hour and a half: the longest that the session may wait is half an hour.
    let mut simulation = troubled(play, 5400);
    // What is on its way comes.
    simulation.run(5);
    let missing = simulation.unaccounted(Duration::from_secs(60));
    assert!(missing.is_empty(), "{missing:?}\n{:#?}", simulation.events);
    for topic in KEPT {
        assert!(simulation.server.knows(topic), "{topic} is not subscribed: {:#?}", simulation.events);
        let last = simulation.events.iter().rev().find_map(|(_, event)| match event {
            StreamEvent::Subscribed { topic: confirmed, .. } if confirmed.name() == topic => Some(true),
            StreamEvent::Refused { topic: other, .. } | StreamEvent::Unconfirmed { topic: other, .. } => {
                (**other == *topic).then_some(false)
            }
            _ => None,
        });
        assert_ne!(last, Some(false), "{topic} is not confirmed: {:#?}", simulation.events);
    }
    assert!(simulation.server.most_lines <= 5, "{} lines", simulation.server.most_lines);
    assert_eq!(simulation.server.early, 0, "it subscribed before the broker was ready");
    let hours = simulation.elapsed() / 3600 + 1;
    assert!(simulation.opens.len() <= 90 * usize::try_from(hours).unwrap(), "{} connections", simulation.opens.len());
    let inputs =
        simulation.messages.len() + simulation.sent.len() + simulation.events.len() + simulation.happened.len();
    assert!(
        simulation.polls < 30 * inputs + 2000 * usize::try_from(hours).unwrap(),
        "{} polls, {inputs}",
        simulation.polls
    );
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 300, ..cases(48) })]

    #[test]
    fn each_known_loss_is_announced_and_each_subscription_comes_back(
        play in plays(),
    ) {
        check(&play);
    }
}

/// What was lost before a topic was refused is announced with the refusal: its end may be hours away.
#[test]
fn a_loss_that_ends_in_a_refusal_is_announced_with_it() {
    let script = vec![
        (265, Trouble::Maintenance(95)),
        (10, Trouble::TopicRefused(1, 144)),
        (84, Trouble::Silent(2, 310)),
        (22, Trouble::Flap(3)),
    ];
    check(&(5_147_903_869_278_343_274, 1, script));
}
