//! `stream` against `simulate`, over real sockets.

use crate::{simulated_broker::Simulator, terminal::Running};
use serde_json::{Value, json};

const LINE: &str = r#"smd+265598+{"fields":["31"]}"#;

fn messages(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_message_is_a_line_and_what_happens_is_said_beside() {
    let simulator = Simulator::start(&[]);
    let outcome = simulator.run(&["stream", "--count", "5", LINE, "8314", "str", "sor"]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let messages = messages(outcome.text());
    assert_eq!(messages.len(), 5);
    let topics: Vec<&str> = messages.iter().map(|message| message["topic"].as_str().unwrap()).collect();
    assert!(topics.contains(&"smd+265598") && topics.contains(&"smd+8314") && topics.contains(&"str"), "{topics:?}");
    for message in &messages {
        assert_eq!(message["message"]["topic"], message["topic"]);
        assert!(message["at"].as_str().unwrap().ends_with('Z'));
    }
    for said in ["the stream is ready", "subscribed: smd+265598", "closed, and logged out"] {
        assert!(outcome.stderr.contains(said), "{said}: {}", outcome.stderr);
    }
    let bundle = std::fs::read_to_string(simulator.bundle()).unwrap();
    let bundle: Value = serde_json::from_str(&bundle).unwrap();
    assert!(!outcome.stderr.contains(bundle["access_token_secret"].as_str().unwrap()));
    simulator.stop();
}

#[test]
fn a_connection_that_is_closed_is_a_gap_that_is_said_and_filled() {
    let simulator = Simulator::start(&[]);
    let arguments = ["stream", "--bundle", simulator.bundle(), "--output", "json", LINE];
    let mut running = Running::start(&simulator.folder.0, &arguments);
    let first: Value = serde_json::from_str(&running.line()).unwrap();
    assert_eq!(first["message"]["conid"], 265_598);
    simulator.assert_done(&json!({ "action": "close-sockets" }));
    // A first message after the gap has all fields, as the very first had.
    let whole = |line: &Value| line["message"].get("6509").is_some();
    assert!(whole(&first));
    while !whole(&serde_json::from_str(&running.line()).unwrap()) {}
    running.signal("TERM");
    let outcome = running.end();
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let events = messages(&outcome.stderr);
    let named = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!((named("disconnected"), named("ready"), named("subscribed")), (1, 2, 2), "{events:?}");
    let again = events.iter().rfind(|event| event["event"] == "subscribed").unwrap();
    assert!(again["text"].as_str().unwrap().contains("lost since"), "{again}");
    simulator.stop();
}

/// As `| head` does.
#[test]
fn a_stream_that_nobody_reads_any_more_logs_out_and_ends() {
    let simulator = Simulator::start(&[]);
    let mut running = Running::start(&simulator.folder.0, &["stream", "--bundle", simulator.bundle(), LINE]);
    assert!(running.line().contains("smd+265598"));
    let outcome = running.leave();
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("closed, and logged out"), "{}", outcome.stderr);
    simulator.stop();
}

#[test]
fn what_is_no_topic_is_refused_before_anything_is_sent() {
    let simulator = Simulator::start(&[]);
    for topic in ["umd+265598+{}", "smd", "sts", "smd+1+{"] {
        let outcome = simulator.run(&["stream", topic]);
        assert_eq!(outcome.status, 2, "{topic}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("cannot be subscribed"), "{topic}: {}", outcome.stderr);
    }
    assert_eq!(simulator.run(&["stream"]).status, 2);
    simulator.stop();
}
