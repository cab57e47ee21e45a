//! Each row of section 9 of the fact sheet: what the broker's WebSocket is known to do, and what the stream makes of it.

use std::collections::{BTreeMap, BTreeSet};

use ibkr_oauth::{
    session::State,
    simulator::Fault,
    stream::{StreamConfig, StreamEvent, Topic},
};
use serde_json::Value;

use crate::{
    simulated::Simulated,
    simulation::Simulation,
    stories::{LINE, seconds},
};

/// The place in the broker's list of refusals of a subscription that was sent too early.
const TOO_EARLY: &str = "subscribed_too_early";

/// The topics that were said to have had a gap.
fn gaps(simulation: &Simulation<Simulated>) -> BTreeSet<&str> {
    let events = simulation.events.iter().map(|(_, event)| event);
    let gaps = events.filter_map(|event| match event {
        StreamEvent::Subscribed { topic, gap: Some(_) } => Some(topic.name()),
        _ => None,
    });
    gaps.collect()
}

/// The longest time between two messages of each topic, by what they say of it.
fn longest_waits(simulation: &Simulation<Simulated>) -> BTreeMap<String, u64> {
    let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
    let mut longest = BTreeMap::new();
    for (_, message) in &simulation.messages {
        let value: Value = serde_json::from_slice(&message.bytes).unwrap();
        let Some(updated) = value["_updated"].as_u64() else { continue };
        if let Some(before) = newest.insert(&message.topic, updated) {
            let wait: &mut u64 = longest.entry(message.topic.to_string()).or_default();
            *wait = (*wait).max(updated.saturating_sub(before));
        }
    }
    longest
}

#[test]
fn burst_order_and_split_sts() {
    let mut simulation = Simulation::faulty("ws-status-in-pieces", 1);
    simulation.get_ready(&[LINE]);
    let burst: Vec<String> =
        simulation.delivered.iter().map(|frame| String::from_utf8(frame.clone()).unwrap()).collect();
    for (frame, part) in burst.iter().zip(["\"system\"", "\"act\"", "competing", "message", "authenticated"]) {
        assert!(frame.contains(part), "{frame}");
    }
    assert_eq!(simulation.names(), ["ready", "subscribed"]);
    assert!(!simulation.refusals().contains(&TOO_EARLY));
}

#[test]
fn top_level_sts() {
    let mut simulation = Simulation::faulty("ws-status-at-top", 1);
    simulation.get_ready(&[LINE]);
    assert_eq!((simulation.opens.len(), simulation.sent("smd")), (1, 1));
    simulation.clear();
    simulation.control(r#"{"action": "flicker-status"}"#);
    simulation.run(10);
    assert_eq!((simulation.sent("smd"), simulation.opens.len()), (1, 0), "a loss is read there too");
}

#[test]
fn binary_text_text_with_0x99_empty_object_not_json_json_array() {
    for fault in ["ws-binary", "ws-fragments", "ws-not-utf8", "ws-odd-messages"] {
        let mut simulation = Simulation::faulty(fault, 1);
        simulation.get_ready(&[LINE, "sor", "str"]);
        simulation.happen("smd+265598");
        simulation.fill();
        simulation.run(60);
        assert!(simulation.unaccounted(seconds(0)).is_empty(), "{fault:?}: {:?}", simulation.unaccounted(seconds(0)));
        assert_eq!(simulation.opens.len(), 1, "{fault:?}");
        let counts = simulation.stream.counts();
        let is_odd = fault == "ws-odd-messages";
        assert_eq!(counts.not_utf8 > 0, fault == "ws-not-utf8", "{fault:?}");
        assert_eq!(
            (counts.unreadable, simulation.count("unreadable") > 0),
            (if is_odd { 2 } else { 0 }, is_odd),
            "{fault:?}"
        );
        assert_eq!(simulation.of("").contains(&"[1]".to_owned()), is_odd, "{fault:?}");
        if fault == "ws-not-utf8" {
            assert!(simulation.of("sor").iter().all(|message| message.contains('\u{fffd}')));
        }
    }
}

#[test]
fn four_tic_replies() {
    let mut simulation = Simulation::ready(&[]);
    simulation.clear();
    simulation.run(600);
    assert_eq!(simulation.sent("tic"), 20);
    let replies = simulation.delivered.iter().filter(|frame| frame.starts_with(b"{\"alive\""));
    assert_eq!(replies.count(), 80);
    assert!(simulation.messages.is_empty() && simulation.events.is_empty(), "they are nobody's business");
}

#[test]
fn waiting_for_session_then_session_frame_then_sts() {
    let mut simulation = Simulation::faulty("ws-stale-session", 1);
    simulation.get_ready(&[LINE]);
    let session = simulation.session.view().last_tickle().unwrap().session().unwrap();
    let frame = format!(r#"{{"session":"{}"}}"#, str::from_utf8(session.expose()).unwrap());
    assert_eq!(simulation.sent[0].1, frame);
    assert_eq!((simulation.opens.len(), simulation.names()), (1, vec!["ready", "subscribed"]));
    assert_eq!(simulation.refusals(), [""; 0]);
}

#[test]
fn session_frame_when_already_in_is_a_code_1_error() {
    let mut simulation = Simulation::ready(&[LINE]);
    simulation.publish("system", r#"{"message":"waiting for session"}"#);
    simulation.run(5);
    assert_eq!(simulation.sent("{\"session\""), 1);
    assert!(simulation.delivered.iter().any(|frame| frame == br#"{"code":1,"error":"Topic unknown"}"#));
    assert_eq!(simulation.names(), ["ready", "subscribed"], "it does no harm");
    simulation.publish("system", r#"{"message":"waiting for session"}"#);
    simulation.run(5);
    assert_eq!(simulation.sent("{\"session\""), 1, "once in a connection");
}

#[test]
fn subscribe_before_ready_is_lost() {
    let mut simulation = Simulation::faulty("ws-no-status", 1);
    simulation.subscribe(LINE);
    simulation.run(8);
    simulation.subscribe("sor");
    assert!(simulation.is_open() && !simulation.stream.is_ready());
    assert_eq!(simulation.sent.len(), 0, "it is kept until the broker is ready");
    simulation.publish("sts", r#"{"topic":"sts","args":{"authenticated":true}}"#);
    simulation.run(10);
    assert_eq!(simulation.names(), ["ready", "subscribed", "subscribed"]);
    // Where some are lost all the same, they are missed and asked for again.
    let mut simulation = Simulation::faulty("ws-lost-subscriptions", 1);
    simulation.get_ready(&[LINE, r#"smd+8314+{"fields":["31"]}"#]);
    assert_eq!((simulation.sent("smd"), simulation.names()), (4, vec!["ready", "subscribed", "subscribed"]));
    assert!(!simulation.refusals().contains(&TOO_EARLY));
}

#[test]
fn smd_stops_at_600_s_silently_and_resumes_after_re_send() {
    let mut simulation: Simulation<Simulated> = Simulation::built(1, |broker| broker.market_data_period(seconds(10)));
    simulation.get_ready(&[LINE, "sor"]);
    simulation.clear();
    simulation.run(3 * 3600);
    assert!((21..=42).contains(&simulation.sent("smd")), "{}", simulation.sent("smd"));
    assert_eq!((simulation.sent("umd"), simulation.sent("sor")), (0, 0));
    assert!(simulation.names().is_empty(), "{:?}", simulation.events);
    let longest = longest_waits(&simulation);
    assert!(longest["smd+265598"] <= 10_000, "{longest:?}");

    // One that stops before its time is missed after five minutes at most, and resumes.
    simulation.clear();
    simulation.broker.silence("smd+265598");
    simulation.run(900);
    let longest = longest_waits(&simulation);
    assert!((10_000..=310_000).contains(&longest["smd+265598"]), "{longest:?}");
    assert!(simulation.messages.len() > 55, "{}", simulation.messages.len());
}

#[test]
fn hb_stops_and_the_socket_stays_open() {
    let mut simulation = Simulation::ready(&[LINE, "sor"]);
    simulation.run(100);
    simulation.clear();
    simulation.control(r#"{"action": "silence-sockets"}"#);
    simulation.run(40);
    let (at, StreamEvent::Disconnected { since: Some(since), .. }) = &simulation.events[0] else {
        panic!("{:?}", simulation.events)
    };
    let since = *since;
    assert_eq!(at.saturating_duration_since(since), seconds(25));
    simulation.run(60);
    assert!(simulation.stream.is_ready());
    assert_eq!(gaps(&simulation), BTreeSet::from(["smd+265598", "sor"]));

    // Without heartbeats, messages are life enough.
    let mut simulation = Simulation::faulty("ws-no-heartbeat", 1);
    simulation.get_ready(&[LINE]);
    simulation.clear();
    for _ in 0..100 {
        simulation.happen("smd+265598");
        simulation.run(15);
    }
    assert_eq!(simulation.names(), Vec::<&str>::new());
}

#[test]
fn close_1000_at_once() {
    let mut simulation = Simulation::faulty("ws-close", 10_000);
    simulation.subscribe(LINE);
    simulation.run(3600);
    let opens = simulation.opens.len();
    assert!((50..90).contains(&opens), "{opens} attempts in an hour");
    // Each has a tickle of its own: so many there were, but no more than the session allows itself.
    let tickles = simulation.broker.accepted().filter(|request| request.path == "/tickle").count();
    assert!(tickles >= opens, "{tickles} tickles, {opens} openings");
    assert!(tickles <= 60 + 20, "{tickles} tickles");
    simulation.control(r#"{"action": "clear-faults"}"#);
    simulation.run(130);
    assert!(simulation.stream.is_ready());
}

#[test]
fn reconnect_gives_no_streams_until_re_sent() {
    let mut simulation = Simulation::ready(&[LINE, "sor", "str", "spl", "sld+DU1", "sbd+DU1+265598"]);
    simulation.run(100);
    simulation.clear();
    simulation.broker.close_sockets(Some(1006));
    for _ in 0..20 {
        simulation.fill();
        simulation.happen("smd+265598");
        simulation.run(1);
    }
    assert!(simulation.stream.is_ready());
    assert_eq!(simulation.count("disconnected"), 1);
    assert_eq!(gaps(&simulation), BTreeSet::from(["sbd+DU1+265598", "sld+DU1", "smd+265598", "sor", "spl", "str"]));
    assert!(simulation.events.iter().any(|(_, event)| event.to_string().contains("lost since")));
    assert!(simulation.unaccounted(seconds(60)).is_empty(), "{:?}", simulation.unaccounted(seconds(60)));
    assert_eq!(simulation.numbers("str").len(), 20, "trades come again");
}

#[test]
fn str_replay_duplicates() {
    let mut simulation = Simulation::ready(&["str"]);
    simulation.clear();
    for _ in 0..5 {
        simulation.fill();
        simulation.run(2);
    }
    assert_eq!(simulation.of("str").len(), 10, "again with the commission");
    simulation.cut();
    simulation.run(30);
    let trades = simulation.of("str");
    assert_eq!(
        trades.iter().filter(|trade| trade.contains("\"commission\"")).count(),
        11,
        "5, 5 again, one of the table's"
    );
    assert_eq!(simulation.numbers("str").len(), 5);
    let again = simulation.events.last().unwrap().1.to_string();
    assert!(again.contains("some twice"), "{again}");
}

#[test]
fn id_only_and_delta_sor() {
    let mut simulation = Simulation::ready(&["sor"]);
    simulation.clear();
    simulation.fill();
    simulation.run(2);
    let orders: Vec<Value> = simulation.of("sor").iter().map(|order| serde_json::from_str(order).unwrap()).collect();
    let args: Vec<&Value> = orders.iter().map(|order| &order["args"][0]).collect();
    assert_eq!(
        args.iter().map(|order| order.as_object().unwrap().len() == 1).collect::<Vec<_>>(),
        [true, false, false, false]
    );
    let states: Vec<_> = args.iter().map(|order| order["status"].as_str().unwrap_or_default()).collect();
    assert_eq!(states, ["", "PreSubmitted", "Submitted", "Filled"], "in their order");
}

#[test]
fn umd_without_ack_usd_and_uld_with_topic_less_ack_umh_both_ways() {
    let topics =
        [LINE, "sor", "str", "spl", "ssd+DU1", "sld+DU1", "sbd+DU1+1", "sbd+DU1+2", "sbd+DU2+1", "ntf", "smh+7"];
    for is_confirmed in [true, false] {
        let mut simulation = Simulation::new(1);
        if !is_confirmed {
            simulation.broker.inject("ws-unconfirmed".parse().unwrap());
        }
        simulation.get_ready(&topics);
        simulation.clear();
        let now = simulation.now;
        for topic in topics {
            simulation.unsubscribe(topic);
        }
        simulation.run(2);
        let mut sent: Vec<&str> = simulation.sent.iter().map(|(_, text)| text.as_str()).collect();
        sent.retain(|text| *text != "tic");
        sent.sort_unstable();
        let umh = sent.iter().position(|text| text.starts_with("umh+")).map(|place| sent.remove(place)).unwrap();
        assert!(umh.len() > 4, "the broker's number");
        assert_eq!(
            sent,
            ["ubd+DU1", "ubd+DU2", "uld+DU1+{}", "umd+265598+{}", "uor+{}", "upl+{}", "usd+DU1+{}", "utr"]
        );
        let acknowledged = simulation.delivered.iter().filter(|frame| {
            let text = String::from_utf8_lossy(frame);
            text.contains("unsubscribed from") || text.contains("Unsubscribed")
        });
        assert_eq!(acknowledged.count(), if is_confirmed { 3 } else { 0 });
        let late = simulation.messages.iter().filter(|(at, _)| *at > now.saturating_add(seconds(1)));
        assert_eq!(
            (late.count(), simulation.events.len()),
            (0, 0),
            "nothing is waited for, and no answer is handed on"
        );
        assert_eq!(simulation.refusals(), [""; 0], "the broker understood all of it");
    }
}

#[test]
fn authenticated_false_then_true_within_1_s() {
    let mut simulation = Simulation::ready(&[LINE, "sor", "str"]);
    simulation.clear();
    let before = simulation.tickles_asked;
    simulation.control(r#"{"action": "flicker-status"}"#);
    simulation.run(10);
    assert_eq!((simulation.opens.len(), simulation.count("disconnected")), (0, 0), "it costs no connection");
    assert_eq!(simulation.tickles_asked, before + 1);
    assert_eq!((simulation.sent("smd"), simulation.sent("sor"), simulation.sent("str")), (1, 1, 1));
    assert_eq!(
        simulation.names(),
        ["restored", "subscribed", "subscribed", "subscribed"],
        "but all is asked for again"
    );
    assert_eq!(gaps(&simulation).len(), 3);
}

#[test]
fn error_frame_with_and_without_topic() {
    let mut simulation = Simulation::ready(&[LINE]);
    simulation.clear();
    // The broker loses the session, and says so by an error only.
    simulation.broker.silence("sts");
    simulation.broker.end_brokerage_session();
    simulation.subscribe("sor");
    simulation.run(1);
    let (_, StreamEvent::Refused { topic, error, .. }) = &simulation.events[0] else {
        panic!("{:?}", simulation.events)
    };
    assert_eq!(&**topic, "sor");
    assert!(error.detail().unwrap().contains("Missing iserver bridge"), "{error:?}");
    simulation.run(60);
    assert!(simulation.stream.is_ready(), "the session was opened again: {:?}", simulation.events);
    assert_eq!(simulation.count("subscribed"), 2);

    simulation.clear();
    simulation.subscribe("sxy+1");
    simulation.run(1);
    assert_eq!(simulation.names(), ["error"]);
    assert!(simulation.events[0].1.to_string().contains("Topic unknown"), "{}", simulation.events[0].1);
}

#[test]
fn tickle_session_changes_between_tickle_and_open() {
    let mut simulation = Simulation::new(1);
    simulation.server.renewals = 3;
    simulation.get_ready(&[LINE]);
    assert_eq!((simulation.opens.len(), simulation.count("disconnected")), (4, 3));
    assert_eq!(simulation.sent("{\"session\""), 3, "the broker waited for it");
    let differ = simulation.refusals().iter().filter(|reason| **reason == "session_value_differs").count();
    assert_eq!(differ, 6, "in the cookie and in the text");
    let cookies: BTreeSet<_> =
        simulation.opens.iter().map(|(_, request)| request.headers()["cookie"].to_str().unwrap()).collect();
    assert_eq!(cookies.len(), 4, "each time that of another tickle");
}

#[test]
fn unknown_topics_and_keys_pass_through() {
    let mut simulation = Simulation::faulty("ws-odd-messages", 1);
    simulation.get_ready(&[LINE]);
    assert_eq!(simulation.of("xyz+1"), [r#"{"topic":"xyz+1","new":{"key":[]}}"#]);
    let own = r#"{"topic":"smd+265598","never":{"heard":["of"]},"31":"C1.00","2.02E8":1}"#;
    simulation.publish("smd+265598", own);
    simulation.run(1);
    assert_eq!(simulation.of("smd+265598").last().unwrap(), own);
}

#[test]
fn a_hundred_lines_at_2_frames_a_second() {
    let mut simulation: Simulation<Simulated> =
        Simulation::built(1, |broker| broker.market_data_period(std::time::Duration::from_millis(500)));
    for conid in 0..100 {
        simulation.stream.subscribe(&Topic::market_data(conid, &["31"])).unwrap();
    }
    simulation.run(120);
    assert_eq!((simulation.count("subscribed"), simulation.events.len()), (100, 101));
    let longest = longest_waits(&simulation);
    assert_eq!(longest.len(), 100);
    assert!(longest.values().all(|wait| *wait <= 500), "{longest:?}");
    assert!(simulation.messages.len() > 100 * 2 * 110, "{}", simulation.messages.len());
    assert_eq!(simulation.opens.len(), 1);
}

#[test]
fn a_burst_of_300() {
    let mut simulation = Simulation::ready(&["str", "sor"]);
    simulation.clear();
    for _ in 0..300 {
        simulation.happen("str");
    }
    for _ in 0..50 {
        simulation.fill();
    }
    simulation.run(2);
    assert!(simulation.unaccounted(seconds(0)).is_empty());
    assert_eq!((simulation.of("str").len(), simulation.of("sor").len()), (400, 200));
    assert!(simulation.names().is_empty());
}

#[test]
fn midnight_sts_false_rest_401_and_500_for_minutes_then_recovery_incl_get_accounts() {
    // In 100 seconds it is midnight there: the simulation starts at 22:13:20 UTC.
    let mut simulation: Simulation<Simulated> = Simulation::built(1, |broker| broker.daily_reset(24 * 3600 - 80_100));
    simulation.get_ready(&[LINE, "sor", "str"]);
    simulation.run(65);
    simulation.clear();
    let primed = |simulation: &Simulation<Simulated>| {
        simulation.broker.accepted().filter(|request| request.path == "/iserver/accounts").count()
    };
    let before = primed(&simulation);
    simulation.broker.inject(Fault::status(401).times(6).after(1));
    simulation.broker.inject(Fault::status(500).times(10_000).after(1));
    for second in 0..1800 {
        if second == 400 {
            simulation.control(r#"{"action": "clear-faults"}"#);
        }
        simulation.fill();
        simulation.happen("smd+265598");
        simulation.run(1);
    }
    assert!(simulation.delivered.iter().any(|frame| {
        let text = String::from_utf8_lossy(frame);
        text.contains("\"sts\"") && text.contains("\"authenticated\":false")
    }));
    assert_eq!(simulation.state(), State::Live);
    assert!(simulation.stream.is_ready(), "{:?}", simulation.events);
    assert!(primed(&simulation) > before);
    assert!(simulation.opens.len() < 20, "{} connections", simulation.opens.len());
    assert!(simulation.unaccounted(seconds(60)).is_empty(), "{:?}", simulation.unaccounted(seconds(60)).len());
    assert_eq!(gaps(&simulation), BTreeSet::from(["smd+265598", "sor", "str"]));
}

#[test]
fn the_limits_of_a_user_are_the_brokers_too() {
    let mut config = StreamConfig::default();
    (config.market_data_lines, config.histories) = (101, 6);
    let mut simulation: Simulation<Simulated> =
        Simulation::configured(1, ibkr_oauth::session::SessionConfig::default(), config, |broker| broker);
    for conid in 0..=100 {
        simulation.subscribe(&format!("smd+{conid}"));
    }
    for conid in 0..=5 {
        simulation.subscribe(&format!("smh+{conid}"));
    }
    simulation.run(30);
    assert_eq!((simulation.count("subscribed"), simulation.count("refused")), (105, 2), "{:?}", simulation.events);
    simulation.unsubscribe("smd+3");
    simulation.unsubscribe("smh+3");
    simulation.run(60);
    assert_eq!(simulation.count("subscribed"), 107, "there is room for those that were refused");
}
