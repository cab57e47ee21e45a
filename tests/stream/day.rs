//! A whole day, in which everything happens that happens in a month.

use std::{collections::BTreeMap, time::Duration};

use ibkr_oauth::{session::State, simulator::Fault, stream::StreamEvent};

use crate::{
    simulated::Simulated,
    simulation::{Simulation, topic_of},
};

const HOUR: u64 = 3600;
const TOPICS: [&str; 4] = ["smd+265598", "smd+8314", "sor", "str"];

/// It is 22:13:20 UTC when the simulation starts, and half a minute later when the day does; twelve hours later it is
/// midnight at the broker's.
const UTC_OFFSET: i32 = -(10 * 3600 + 13 * 60 + 50);

fn is_silent(second: u64) -> bool {
    (12_000..13_800).contains(&second)
}

/// What the broker does at a second of the day.
fn script(simulation: &mut Simulation<Simulated>, second: u64) {
    // It restarts each hour, now with a word and now without.
    if second % HOUR == 1800 {
        match second / HOUR % 3 {
            0 => simulation.broker.close_sockets(Some(1001)),
            1 => {
                // With something on its way.
                simulation.happen("smd+265598");
                simulation.fill();
                simulation.cut();
            }
            _ => simulation.control(r#"{"action": "silence-sockets"}"#),
        }
    }
    // One line says nothing for half an hour, however often it is asked for.
    if is_silent(second) {
        simulation.broker.silence("smd+8314");
    }
    match second {
        // Another program of the user's has the session for an hour.
        25_200 => simulation.broker.start_competing_session(),
        28_800 => simulation.broker.end_competing_session(),
        // At midnight the session is reset, and nothing answers as it should for a quarter of an hour.
        43_199 => {
            simulation.broker.inject(Fault::status(401).times(6));
            simulation.broker.inject(Fault::status(500).times(u32::MAX));
        }
        44_100 => simulation.control(r#"{"action": "clear-faults"}"#),
        // Flags that mean nothing.
        60_000 => simulation.control(r#"{"action": "flicker-status"}"#),
        _ => {}
    }
    simulation.carry();
}

#[test]
fn every_message_of_a_day_is_handed_on_or_in_a_gap_that_was_announced() {
    let mut simulation = Simulation::built(1, |broker| {
        // Beside what is published, lines bring something of their own.
        broker.daily_reset(UTC_OFFSET).market_data_period(Duration::from_secs(30))
    });
    simulation.get_ready(&[r#"smd+265598+{"fields":["31"]}"#, r#"smd+8314+{"fields":["31"]}"#, "sor", "str"]);
    simulation.clear();
    let frames = simulation.stream.counts().frames;
    for second in 0..86_400 {
        script(&mut simulation, second);
        if second % 5 == 0 {
            simulation.happen("smd+265598");
        }
        if second % 7 == 0 {
            simulation.happen_unless_silent("smd+8314", is_silent(second));
        }
        if simulation.random(300) == 0 {
            simulation.fill();
        }
        simulation.run(1);
    }
    simulation.run(60);

    // All that happened, whether the broker had anybody to tell it or not.
    let missing = simulation.unaccounted(Duration::from_secs(60));
    assert!(
        missing.is_empty(),
        "{} of {}: {:?}",
        missing.len(),
        simulation.happened.len(),
        &missing[..missing.len().min(5)]
    );
    // All that the broker sent: what arrived was handed on, each message once, and what did not is in a gap.
    assert_eq!(simulation.stream.counts().frames - frames, u64::try_from(simulation.delivered.len()).unwrap());
    let mut delivered: BTreeMap<String, usize> = BTreeMap::new();
    for frame in &simulation.delivered {
        *delivered.entry(topic_of(frame)).or_default() += 1;
    }
    for topic in TOPICS {
        assert_eq!(simulation.of(topic).len(), delivered[topic], "{topic}");
        assert_eq!(simulation.unaccounted_frames(topic, Duration::from_secs(60)), 0, "{topic}");
    }
    assert!(!simulation.lost.is_empty(), "frames were lost on their way");

    // It is as it was, and hears of all.
    assert_eq!(simulation.state(), State::Live);
    simulation.happened.clear();
    simulation.happen("smd+265598");
    simulation.happen("smd+8314");
    simulation.fill();
    let trades = simulation.numbers("str");
    let last = simulation.happened.last().unwrap().number;
    assert!((1..last).all(|number| trades.contains(&number)), "trades come again");
    simulation.run(2);
    assert!(simulation.unaccounted(Duration::ZERO).is_empty());

    // Most of the day it heard everything, so the gaps are no excuse.
    let lines = simulation.numbers("smd+265598").len() + simulation.numbers("smd+8314").len();
    assert!(lines * 100 > (86_400 / 5 + 86_400 / 7) * 90, "{lines} of the lines' messages");
    assert!(simulation.numbers("sor").len() * 100 > usize::try_from(last).unwrap() * 85);
    assert!(simulation.opens.len() < 60, "{} connections", simulation.opens.len());
    // Once before the restart amid its silence, and once after.
    let quiet: Vec<&StreamEvent> = simulation.events.iter().map(|(_, event)| event).collect();
    let quiet = quiet.iter().filter_map(|event| match event {
        StreamEvent::Quiet { topic, .. } => Some(&**topic),
        _ => None,
    });
    assert_eq!(quiet.collect::<Vec<_>>(), ["smd+8314"; 2]);
    assert_eq!(simulation.refusals().iter().filter(|reason| **reason == "subscribed_too_early").count(), 0);
}
