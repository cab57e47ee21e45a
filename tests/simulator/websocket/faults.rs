//! What goes wrong with WebSockets: from their opening on, and while they are open.

use bytes::Bytes;
use http::Request;
use ibkr_oauth::{
    Context,
    simulator::{Fault, SocketOutput},
};
use serde_json::{Value, json};

use super::{Desk, NOTHING, TOKEN, topics, upgrade};

/// A socket with this fault, from its opening on.
fn desk_with(fault: &str) -> Desk {
    let mut desk = Desk::new(|builder| builder);
    desk.open_brokerage_session();
    desk.broker.inject(fault.parse::<Fault>().unwrap());
    desk.connect();
    desk
}

/// What is done by HTTP.
fn order(desk: &mut Desk, body: &Value) {
    let url = "https://api.ibkr.com/__simulator/faults";
    let request = Request::post(url).body(Bytes::from(body.to_string())).unwrap();
    let response = desk.broker.handle(&mut Context::new(desk.now, &mut desk.entropy), &request);
    assert_eq!(response.status(), 200, "{body}: {:?}", response.body());
}

#[test]
fn a_fault_strikes_one_socket() {
    let mut desk = desk_with("ws-close");
    assert_eq!(desk.outputs(10), [SocketOutput::Close(Some(1000))]);
    desk.connect();
    assert_eq!(topics(&desk.hear(1)), ["system", "act", "sts"]);
}

#[test]
fn a_stale_session_is_taken_by_message() {
    let mut desk = desk_with("ws-stale-session");
    assert_eq!(desk.hear(1), [json!({ "message": "waiting for session" })]);
    let session = desk.tickle();
    desk.say(&json!({ "session": session }).to_string());
    assert_eq!(topics(&desk.hear(1)), ["system", "act", "sts"]);
}

#[test]
fn the_status_comes_in_pieces_or_at_the_top() {
    let mut desk = desk_with("ws-status-in-pieces");
    let greeting = desk.hear(1);
    let pieces: Vec<&Value> = greeting[2..].iter().map(|message| &message["args"]).collect();
    assert_eq!(pieces, [&json!({ "competing": false }), &json!({ "message": "" }), &json!({ "authenticated": true })]);
    let mut desk = desk_with("ws-status-at-top");
    let status = &desk.hear(1)[2];
    assert!(status["args"].is_null() && status["authenticated"] == true, "{status}");
}

#[test]
fn the_status_is_kept_back_from_the_opening_on_or_from_some_moment() {
    let mut desk = desk_with("ws-no-status");
    assert_eq!(topics(&desk.hear(1)), ["system", "act"]);
    desk.broker.end_brokerage_session();
    assert_eq!(desk.hear_topic(60, "sts"), NOTHING);

    let mut desk = Desk::streaming();
    desk.say("smd+1+{}");
    assert_eq!(desk.hear_topic(1, "smd+1").len(), 3);
    order(&mut desk, &json!({ "action": "silence", "topic": "sts" }));
    order(&mut desk, &json!({ "action": "flicker-status" }));
    assert_eq!(desk.hear_topic(1, "smd+1").len(), 2, "all else goes on");
    desk.broker.end_brokerage_session();
    assert_eq!(topics(&desk.hear(20)), ["system", "system"], "the line is lost, and nobody says so");
    let refused = desk.ask("sor+{}");
    assert_eq!((&refused[0]["topic"], &refused[0]["error"]), (&json!("sor"), &json!("Missing iserver bridge")));
}

#[test]
fn the_first_subscriptions_are_lost() {
    let mut desk = desk_with("ws-lost-subscriptions");
    desk.hear(1);
    assert_eq!(desk.ask("tic").len(), 4, "no subscription");
    for _ in 0..2 {
        assert_eq!(desk.ask("spl+{}"), NOTHING);
        assert_eq!(desk.ask("uor+{}"), NOTHING);
    }
    assert_eq!(topics(&desk.ask("spl+{}")), ["spl"]);
    assert_eq!(desk.reasons(), [""; 0]);
}

#[test]
fn messages_are_binary_in_fragments_or_not_utf_8() {
    let mut desk = desk_with("ws-binary");
    assert!(desk.messages(30).iter().all(|message| !message.is_text()));
    let mut desk = desk_with("ws-fragments");
    for message in desk.messages(30) {
        let pieces: Vec<Bytes> = message.pieces().collect();
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces.concat(), message.payload().to_vec());
        assert!(message.is_text());
    }
    let mut desk = desk_with("ws-not-utf8");
    desk.hear(1);
    desk.say("sor+{}");
    desk.say("smd+265598+{}");
    desk.place(&json!({ "conid": 1, "orderType": "LMT" }));
    let mut counts = [0, 0];
    for message in desk.messages(1) {
        let text = String::from_utf8_lossy(message.payload());
        let told: Value = serde_json::from_str(&text).unwrap();
        let is_wrong = std::str::from_utf8(message.payload()).is_err();
        assert!(message.is_text() && is_wrong == (told["topic"] == "sor"), "{text}");
        counts[usize::from(is_wrong)] += 1;
    }
    assert!(counts[0] > 1 && counts[1] == 3, "{counts:?}");
}

#[test]
fn heartbeats_lines_and_confirmations_are_missing() {
    let mut desk = desk_with("ws-no-heartbeat");
    desk.hear(1);
    assert_eq!(desk.hear(100), NOTHING);
    assert_eq!(desk.ask("tic").len(), 4, "it lives");
    assert!(desk.socket.as_ref().unwrap().next_output_at(&desk.broker).is_some(), "for the session ends some day");

    let mut desk = desk_with("ws-silent-line");
    desk.hear(1);
    desk.say("smd+1+{}");
    desk.say("smd+2+{}");
    let told = desk.hear(10);
    let count = |topic: &str| told.iter().filter(|message| message["topic"] == topic).count();
    assert_eq!((count("smd+1"), count("smd+2")), (1, 21));
    desk.say("smd+1+{}");
    assert_eq!(desk.hear_topic(10, "smd+1").len(), 21);

    let mut desk = desk_with("ws-unconfirmed");
    desk.hear(1);
    desk.say("ssd+DU0000001+{}");
    desk.hear(0);
    assert_eq!(desk.ask("usd+DU0000001+{}"), NOTHING);
    assert_eq!(desk.hear_topic(60, "ssd+DU0000001"), NOTHING);
}

#[test]
fn odd_messages_come_between_others() {
    let mut desk = desk_with("ws-odd-messages");
    let messages = desk.messages(11);
    let json = |message: &ibkr_oauth::simulator::SocketMessage| serde_json::from_slice::<Value>(message.payload());
    assert_eq!(messages.iter().filter(|message| json(message).is_err()).count(), 2);
    assert!(messages.iter().any(|message| message.payload() == "{}"));
    assert!(messages.iter().any(|message| message.payload() == "[1]"));
    assert!(json(messages.last().unwrap()).unwrap()["hb"].is_u64(), "and it goes on");
}

#[test]
fn the_faults_have_names() {
    let mut desk = Desk::new(|builder| builder);
    let names: Vec<&str> = Fault::names().map(|(name, _)| name).filter(|name| name.starts_with("ws-")).collect();
    assert_eq!(names.len(), 13);
    for name in names {
        let fault: Fault = name.parse().unwrap();
        desk.broker.inject(fault);
        // Other requests are not struck.
        let session = desk.tickle();
        let mut socket = desk.try_open(&upgrade(TOKEN, &session)).unwrap();
        let first = socket.poll(&desk.broker, desk.now.saturating_add(std::time::Duration::from_secs(1)));
        assert!(first.is_some(), "{name}");
    }
}

#[test]
fn open_sockets_are_closed_cut_and_silenced() {
    for (body, end) in [
        (json!({ "action": "close-sockets" }), Some(1001)),
        (json!({ "action": "close-sockets", "code": 4001 }), Some(4001)),
        (json!({ "action": "cut-sockets" }), None),
    ] {
        let mut desk = Desk::streaming();
        order(&mut desk, &body);
        assert_eq!(desk.outputs(10), [SocketOutput::Close(end)]);
        desk.connect();
        assert_eq!(desk.hear(1).len(), 3, "who comes later is not concerned");
    }
    let mut desk = Desk::streaming();
    for said in ["smd+1+{}", "smd+11+{}", "spl+{}"] {
        desk.say(said);
    }
    desk.hear(0);
    order(&mut desk, &json!({ "action": "silence", "topic": "smd+1" }));
    let told = desk.hear(10);
    let count = |told: &[Value], topic: &str| told.iter().filter(|message| message["topic"] == topic).count();
    assert_eq!((count(&told, "smd+1"), count(&told, "smd+11"), count(&told, "spl")), (0, 20, 10));
    for _ in 0..10 {
        order(&mut desk, &json!({ "action": "silence", "topic": "smd+1" }));
        assert_eq!(desk.hear_topic(1, "smd+1"), NOTHING, "nor when it is silenced once more");
    }
    order(&mut desk, &json!({ "action": "silence" }));
    let told = desk.hear(10);
    assert_eq!((count(&told, "smd+11"), count(&told, "spl")), (0, 10));
    desk.say("smd+1+{}");
    assert_eq!(desk.hear_topic(10, "smd+1").len(), 21);

    order(&mut desk, &json!({ "action": "silence-sockets" }));
    desk.say("tic");
    assert_eq!(desk.outputs(3600), [], "not even heartbeats");
    desk.broker.close_sockets(None);
    assert_eq!(desk.outputs(0), [SocketOutput::Close(None)]);
}

#[test]
fn what_fell_silent_brings_nothing_whatever_happens_until_it_is_subscribed_again() {
    let mut desk = Desk::streaming();
    for said in ["smd+1+{}", "smd+2+{}", "sor+{}", "str+{\"realtimeUpdatesOnly\":true}"] {
        desk.say(said);
    }
    desk.hear(0);
    for topic in ["smd+1", "sor", "str"] {
        order(&mut desk, &json!({ "action": "silence", "topic": topic }));
    }
    let happen = |desk: &mut Desk| {
        desk.place(&json!({ "conid": 1, "orderType": "MKT" }));
        for topic in ["smd+1", "smd+2", "sor"] {
            desk.broker.publish(topic, json!({ "topic": topic, "own": true }).to_string());
        }
        let told = desk.hear(2);
        let own = told.iter().filter(|message| message["own"] == true).cloned().collect::<Vec<_>>();
        let orders = told.iter().filter(|message| message["topic"] == "sor" && message["own"].is_null()).count();
        let trades = told.iter().filter(|message| message["topic"] == "str").count();
        (topics(&own).join(" "), orders, trades)
    };
    assert_eq!(happen(&mut desk), ("smd+2".to_owned(), 0, 0));
    // Ten minutes end the other line.
    for _ in 0..2 {
        desk.wait(300);
        desk.tickle();
    }
    assert_eq!(happen(&mut desk), (String::new(), 0, 0));
    for said in ["smd+1+{}", "smd+2+{}", "sor+{}", "str+{\"realtimeUpdatesOnly\":true}"] {
        desk.say(said);
    }
    desk.hear(0);
    assert_eq!(happen(&mut desk), ("smd+1 smd+2 sor".to_owned(), 4, 2));
}

#[test]
fn a_status_flickers_and_nothing_is_lost() {
    let mut desk = Desk::streaming();
    desk.say("smd+1+{}");
    desk.hear(0);
    order(&mut desk, &json!({ "action": "flicker-status" }));
    let told = desk.hear(1);
    let states: Vec<&Value> = told
        .iter()
        .filter(|message| message["topic"] == "sts")
        .map(|message| &message["args"]["authenticated"])
        .collect();
    assert_eq!(states, [false, true]);
    assert_eq!(desk.hear_topic(10, "smd+1").len(), 20);
}

#[test]
fn messages_of_one_s_own_go_to_who_has_subscribed() {
    let mut desk = Desk::streaming();
    desk.say("smd+1+{}");
    desk.hear(0);
    let own = json!({ "topic": "smd+1", "31": "1.23" });
    order(&mut desk, &json!({ "publish": [own, { "topic": "smd+2" }, { "topic": "blt", "args": {} }] }));
    let told = desk.hear(0);
    assert_eq!(topics(&told), ["smd+1", "blt"]);
    assert_eq!(told[0], own);
    let large = vec![b'x'; 4 << 20];
    desk.broker.publish("smd+1", large.clone());
    assert_eq!(desk.messages(0)[0].payload(), &large);
    order(&mut desk, &json!({ "action": "renew-session-value" }));
    assert_eq!(desk.hear(0), NOTHING);
}
