//! A whole day, in which everything happens that happens in a month.

use std::time::Duration;

use ibkr_oauth::{session::State, stream::StreamEvent};

use crate::world::World;

const HOUR: u64 = 3600;
const TOPICS: [&str; 4] = ["smd+265598", "smd+8314", "sor", "str"];

/// What the broker does at a second of the day.
fn script(world: &mut World, second: u64) {
    // It restarts each hour, now with a word and now without.
    if second % HOUR == 1800 {
        match second / HOUR % 3 {
            0 => world.server.cut(Some(1001)),
            1 => world.cut(),
            _ => world.server.behaviour.frozen = true,
        }
        world.carry();
    }
    if second % HOUR == 1860 {
        world.server.behaviour.frozen = false;
    }
    match second {
        // One line says nothing for half an hour.
        12_000 => drop(world.server.behaviour.silent.insert("smd+8314".to_owned())),
        13_800 => world.server.behaviour.silent.clear(),
        // Another program of the user's has the session for an hour.
        25_200 => {
            world.broker.start_competing_session();
            world.server.sts(r#"{"authenticated":false,"competing":true}"#);
            world.server.forget();
        }
        28_800 => world.broker.end_competing_session(),
        // At midnight the session is reset, and nothing answers for a quarter of an hour.
        43_200 => {
            world.broker.end_brokerage_session();
            world.broker.start_maintenance();
            world.server.sts(r#"{"authenticated":false}"#);
            world.server.forget();
            world.server.behaviour.no_sts = true;
        }
        44_100 => {
            world.broker.end_maintenance();
            world.server.behaviour.no_sts = false;
        }
        // Flags that mean nothing.
        60_000 => world.server.sts(r#"{"authenticated":false}"#),
        60_002 => world.server.sts(r#"{"authenticated":true}"#),
        _ => {}
    }
    world.carry();
}

#[test]
fn every_message_of_a_day_is_handed_on_or_in_a_gap_that_was_announced() {
    let mut world = World::ready(&[r#"smd+265598+{"fields":["31"]}"#, r#"smd+8314+{"fields":["31"]}"#, "sor", "str"]);
    world.clear();
    for second in 0..86_400 {
        script(&mut world, second);
        if second % 5 == 0 {
            world.happen("smd+265598");
        }
        if second % 7 == 0 {
            world.happen("smd+8314");
        }
        if world.random(60) == 0 {
            world.happen("sor");
        }
        if world.random(300) == 0 {
            world.happen("str");
        }
        world.run(1);
    }
    world.run(60);
    let missing = world.unaccounted(Duration::from_secs(60));
    assert!(
        missing.is_empty(),
        "{} of {}: {:?}",
        missing.len(),
        world.happened.len(),
        &missing[..missing.len().min(5)]
    );
    assert_eq!(world.state(), State::Live);
    for topic in TOPICS {
        assert!(world.server.knows(topic), "{topic}");
    }
    let trades = world.happened.iter().filter(|happening| happening.topic == "str").count();
    assert_eq!(world.numbers("str").len(), trades, "trades come again");

    // Most of the day it heard everything, so the gaps are no excuse.
    let heard: usize = TOPICS.iter().map(|topic| world.numbers(topic).len()).sum();
    assert!(heard * 100 > world.happened.len() * 88, "{heard} of {}", world.happened.len());
    assert!(world.opens.len() < 60, "{} connections", world.opens.len());
    let quiet = |event: &StreamEvent| matches!(event, StreamEvent::Quiet { .. });
    assert_eq!(world.events.iter().filter(|(_, event)| quiet(event)).count(), 1);
    assert_eq!(world.server.lapsed, Vec::<String>::new());
}
