//! A whole day, in which everything happens that happens in a month.

use std::time::Duration;

use ibkr_oauth::{session::State, stream::StreamEvent};

use crate::simulation::Simulation;

const HOUR: u64 = 3600;
const TOPICS: [&str; 4] = ["smd+265598", "smd+8314", "sor", "str"];

/// What the broker does at a second of the day.
fn script(simulation: &mut Simulation, second: u64) {
    // It restarts each hour, now with a word and now without.
    if second % HOUR == 1800 {
        match second / HOUR % 3 {
            0 => simulation.server.cut(Some(1001)),
            1 => simulation.cut(),
            _ => simulation.server.behaviour.frozen = true,
        }
        simulation.carry();
    }
    if second % HOUR == 1860 {
        simulation.server.behaviour.frozen = false;
    }
    match second {
        // One line says nothing for half an hour.
        12_000 => drop(simulation.server.behaviour.silent.insert("smd+8314".to_owned())),
        13_800 => simulation.server.behaviour.silent.clear(),
        // Another program of the user's has the session for an hour.
        25_200 => {
            simulation.broker.start_competing_session();
            simulation.server.sts(r#"{"authenticated":false,"competing":true}"#);
            simulation.server.forget();
        }
        28_800 => simulation.broker.end_competing_session(),
        // At midnight the session is reset, and nothing answers for a quarter of an hour.
        43_200 => {
            simulation.broker.end_brokerage_session();
            simulation.broker.start_maintenance();
            simulation.server.sts(r#"{"authenticated":false}"#);
            simulation.server.forget();
            simulation.server.behaviour.no_sts = true;
        }
        44_100 => {
            simulation.broker.end_maintenance();
            simulation.server.behaviour.no_sts = false;
        }
        // Flags that mean nothing.
        60_000 => simulation.server.sts(r#"{"authenticated":false}"#),
        60_002 => simulation.server.sts(r#"{"authenticated":true}"#),
        _ => {}
    }
    simulation.carry();
}

#[test]
fn every_message_of_a_day_is_handed_on_or_in_a_gap_that_was_announced() {
    let mut simulation =
        Simulation::ready(&[r#"smd+265598+{"fields":["31"]}"#, r#"smd+8314+{"fields":["31"]}"#, "sor", "str"]);
    simulation.clear();
    for second in 0..86_400 {
        script(&mut simulation, second);
        if second % 5 == 0 {
            simulation.happen("smd+265598");
        }
        if second % 7 == 0 {
            simulation.happen("smd+8314");
        }
        if simulation.random(60) == 0 {
            simulation.happen("sor");
        }
        if simulation.random(300) == 0 {
            simulation.happen("str");
        }
        simulation.run(1);
    }
    simulation.run(60);
    let missing = simulation.unaccounted(Duration::from_secs(60));
    assert!(
        missing.is_empty(),
        "{} of {}: {:?}",
        missing.len(),
        simulation.happened.len(),
        &missing[..missing.len().min(5)]
    );
    assert_eq!(simulation.state(), State::Live);
    for topic in TOPICS {
        assert!(simulation.server.knows(topic), "{topic}");
    }
    let trades = simulation.happened.iter().filter(|happening| happening.topic == "str").count();
    assert_eq!(simulation.numbers("str").len(), trades, "trades come again");

    // Most of the day it heard everything, so the gaps are no excuse.
    let heard: usize = TOPICS.iter().map(|topic| simulation.numbers(topic).len()).sum();
    assert!(heard * 100 > simulation.happened.len() * 88, "{heard} of {}", simulation.happened.len());
    assert!(simulation.opens.len() < 60, "{} connections", simulation.opens.len());
    let quiet = |event: &StreamEvent| matches!(event, StreamEvent::Quiet { .. });
    assert_eq!(simulation.events.iter().filter(|(_, event)| quiet(event)).count(), 1);
    assert_eq!(simulation.server.lapsed, Vec::<String>::new());
}
