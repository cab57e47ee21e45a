//! Losses that hide behind another: each is said as soon as it is known, and since when.

use std::time::Duration;

use ibkr_oauth::{
    Timestamp,
    session::SessionConfig,
    stream::{StreamConfig, StreamEvent},
};

use crate::{
    properties::{Trouble, check},
    server::Server,
    simulation::{LATENCY, Simulation},
};

const LINE: &str = r#"smd+1+{"fields":["31"]}"#;
const WIDER: &str = r#"smd+1+{"fields":["84"]}"#;

fn ready(topics: &[&str]) -> Simulation<Server> {
    let mut simulation = Simulation::with(1, SessionConfig::default(), StreamConfig::default(), |broker| broker);
    for topic in topics {
        simulation.subscribe(topic);
    }
    simulation.run(40);
    assert!(simulation.stream.is_ready(), "{:?}", simulation.events);
    simulation.clear();
    simulation
}

/// Since when a topic's messages may be missing, by each event that says so of it alone.
fn missing(simulation: &Simulation<Server>, name: &str) -> Vec<(&'static str, Option<Timestamp>)> {
    let since = |event: &StreamEvent| match event {
        StreamEvent::Refused { topic, since, .. } | StreamEvent::Unconfirmed { topic, since, .. } => {
            (**topic == *name).then_some(*since)
        }
        StreamEvent::Subscribed { topic, gap } => (topic.name() == name).then_some(*gap),
        _ => None,
    };
    simulation.events.iter().filter_map(|(_, event)| Some((event.name(), since(event)?))).collect()
}

#[test]
fn doubts_that_follow_each_other_are_announced_each() {
    let script: Vec<_> = (0..40).map(|_| (2, Trouble::Flap(2))).collect();
    for seed in 0..8 {
        check(&(seed, 0, script.clone()));
    }
}

#[test]
fn a_doubt_that_ends_with_the_connection_is_a_loss_since_it_began() {
    let mut simulation = ready(&["sor"]);
    simulation.server.sts(r#"{"authenticated":false}"#);
    let doubt = simulation.now.saturating_add(LATENCY);
    simulation.run(5);
    // Whatever comes meanwhile: the broker may have forgotten the topic all the same.
    simulation.server.say(r#"{"topic":"system","hb":1}"#);
    simulation.run(1);
    simulation.server.cut(None);
    simulation.run(20);
    let StreamEvent::Disconnected { since, .. } = &simulation.events[0].1 else { panic!("{:?}", simulation.events) };
    assert_eq!(*since, Some(doubt));
    assert_eq!(missing(&simulation, "sor"), [("subscribed", Some(doubt))]);
}

#[test]
fn a_new_token_in_the_midst_of_a_silence_hides_no_loss() {
    let renewed = |frozen_at: Option<Timestamp>| {
        let mut simulation = ready(&["sor"]);
        while simulation.count("renewing") == 0 {
            simulation.server.behaviour.frozen = usize::from(frozen_at.is_some_and(|at| at <= simulation.now));
            simulation.run(1);
            assert_eq!(simulation.count("disconnected"), 0, "{:?}", simulation.events);
        }
        let (at, StreamEvent::Renewing { since }) = simulation.events.last().unwrap() else { panic!() };
        (*at, *since)
    };
    let (at, _) = renewed(None);
    let silence = at.saturating_sub(Duration::from_secs(15));
    let (again, since) = renewed(Some(silence));
    assert_eq!(again, at);
    assert!(since <= silence.saturating_add(Duration::from_secs(1)), "{since} is after {silence}");
}

#[test]
fn a_line_that_is_lost_as_fields_are_added_is_a_loss() {
    for trouble in ["refused", "unconfirmed", "cut"] {
        let mut simulation = ready(&[LINE]);
        let number = simulation.server.happen("smd+1");
        simulation.run(1);
        assert!(simulation.numbers("smd+1").contains(&number));
        let spoken = simulation.messages.last().unwrap().0;
        simulation.run(20);
        match trouble {
            "refused" => drop(simulation.server.behaviour.refused.insert("smd+1".to_owned())),
            "unconfirmed" => drop(simulation.server.behaviour.silent.insert("smd+1".to_owned())),
            _ => {}
        }
        simulation.subscribe(WIDER);
        if trouble == "cut" {
            simulation.cut();
        }
        simulation.run(25);
        simulation.server.behaviour.refused.clear();
        simulation.server.behaviour.silent.clear();
        simulation.run(100);
        let mut said = vec![("subscribed", Some(spoken))];
        if trouble != "cut" {
            said.insert(0, (trouble, Some(spoken)));
        }
        assert_eq!(missing(&simulation, "smd+1"), said, "{trouble}");
    }
}

#[test]
fn what_never_comes_is_said_even_if_fields_are_added_meanwhile() {
    let mut simulation = ready(&[]);
    simulation.server.behaviour.silent.insert("smd+1".to_owned());
    simulation.subscribe(LINE);
    simulation.run(12);
    simulation.subscribe(WIDER);
    simulation.run(25);
    assert_eq!(missing(&simulation, "smd+1"), [("unconfirmed", None)]);
    assert_eq!(simulation.sent("smd+1"), 3);
}
