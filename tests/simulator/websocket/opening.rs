//! Who gets a WebSocket, and what it says first.

use http::{Method, Request};
use ibkr_oauth::{
    Timestamp,
    simulator::{Broker, Dropped, Fault, SocketOutput},
};
use serde_json::json;

use super::{Desk, NOTHING, TOKEN, topics, upgrade};

#[test]
fn the_greeting_is_complete_within_a_quarter_of_a_second_and_then_there_are_heartbeats() {
    let mut desk = Desk::new(|builder| builder);
    desk.open_brokerage_session();
    desk.connect();
    assert!(desk.poll().is_empty());
    desk.now = desk.now.saturating_add(std::time::Duration::from_millis(250));
    let greeting = desk.hear(0);
    assert_eq!(topics(&greeting), ["system", "act", "sts"]);
    assert_eq!(greeting[0]["isPaper"], true);
    assert_eq!(greeting[1]["args"]["accounts"], json!(["DU0000001"]));
    assert_eq!(greeting[2]["args"]["authenticated"], true);
    assert_eq!(greeting[2]["args"]["established"], true);
    assert_eq!(greeting[2]["args"]["competing"], false);

    let heartbeats = desk.hear(60);
    assert_eq!(heartbeats.len(), 6, "an idle connection says nothing else: {heartbeats:?}");
    let times: Vec<u64> = heartbeats.iter().map(|heartbeat| heartbeat["hb"].as_u64().unwrap()).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 10_000), "{times:?}");
    assert!(desk.reasons().is_empty());
    assert_eq!(desk.broker.sockets_opened(), 1);
}

#[test]
fn the_time_that_is_told_is_the_broker_s() {
    let mut desk = Desk::streaming_from(|builder| builder.clock_skew(120));
    let told = desk.hear(10)[0]["hb"].as_u64().unwrap();
    assert!(told.abs_diff(desk.now.as_millis() + 120_000) <= 1000, "{told}");
}

/// A change of a good request, the status that it is answered with, and the reason.
type Spoiled = (fn(&mut Request<()>), u16, &'static str);

#[test]
fn what_gets_no_further_than_the_front_door_is_refused() {
    let cases: [Spoiled; 7] = [
        (|request| drop(request.headers_mut().remove("user-agent")), 403, "user_agent_missing"),
        (|request| *request.method_mut() = Method::POST, 405, "method_not_allowed"),
        (|request| *request.uri_mut() = "wss://example.com/v1/api/ws".parse().unwrap(), 421, "host_differs"),
        (|request| *request.uri_mut() = "ws://api.ibkr.com/v1/api/ws".parse().unwrap(), 421, "scheme_differs"),
        (|request| *request.uri_mut() = "/v1/api/ws".parse().unwrap(), 400, "uri_not_absolute"),
        (|request| *request.uri_mut() = "wss://api.ibkr.com/v1/api/wss".parse().unwrap(), 404, "resource_unknown"),
        (
            |request| drop(request.headers_mut().insert("authorization", "OAuth realm=\"x\"".parse().unwrap())),
            401,
            "parameter_misplaced",
        ),
    ];
    for (spoil, status, reason) in cases {
        let mut desk = Desk::new(|builder| builder);
        let session = desk.tickle();
        let mut request = upgrade(TOKEN, &session);
        spoil(&mut request);
        assert_eq!(desk.try_open(&request).unwrap_err().status().as_u16(), status, "{reason}");
        assert_eq!(desk.reasons(), [reason]);
        assert_eq!(desk.broker.sockets_opened(), 0);
        let refusal = desk.broker.refusals()[0].to_string();
        assert!(!refusal.contains(TOKEN) && !refusal.contains(&session), "{refusal}");
    }
}

#[test]
fn habits_of_clients_are_named_where_the_broker_is_lenient() {
    let mut desk = Desk::new(|_| Broker::builder().access_token(TOKEN, super::SECRET));
    let session = desk.tickle();
    let request = Request::get(format!("https://api.ibkr.com/v1/api/ws?oauth_token={TOKEN}"))
        .header("cookie", format!("a=b; api={{\"session\":\"{session}\"}}; c=d"))
        .header("authorization", "OAuth realm=\"limited_poa\"")
        .header("user-agent", "x")
        .body(())
        .unwrap();
    let socket = desk.try_open(&request).unwrap();
    assert_eq!(socket.deviations(), ["authorization_at_websocket", "cookie_as_json"]);
    desk.socket = Some(socket);
    assert_eq!(topics(&desk.hear(1)), ["system"]);
    assert_eq!(desk.broker.deviations().count(), 2);
}

#[test]
pub(crate) fn a_socket_without_its_session_waits_for_it() {
    let mut desk = Desk::new(|builder| builder);
    desk.open_brokerage_session();
    let session = desk.tickle();
    for cookie in [None, Some("api=00000000000000000000000000000000"), Some("other=1")] {
        let mut request = upgrade(TOKEN, &session);
        request.headers_mut().remove("cookie");
        if let Some(cookie) = cookie {
            request.headers_mut().insert("cookie", cookie.parse().unwrap());
        }
        desk.socket = Some(desk.try_open(&request).unwrap());
        assert_eq!(desk.hear(2), [json!({ "message": "waiting for session" })]);
        desk.say("tic");
        assert_eq!(desk.ask(&json!({ "session": session }).to_string()), NOTHING);
        assert_eq!(topics(&desk.hear(1)), ["system", "act", "sts"]);
        // A second time it is a topic like any other.
        let again = desk.ask(&json!({ "session": session }).to_string());
        assert!(again[0]["error"].as_str().unwrap().starts_with("Topic unknown"), "{again:?}");
        assert_eq!(again[0]["code"], 1);
    }
    let expected = ["session_value_differs", "subscribed_too_early", "topic_unknown"];
    assert_eq!(desk.reasons(), [expected, expected, expected].concat());
    assert!(desk.broker.refusals().iter().all(|refusal| !refusal.to_string().contains(&session)));
}

#[test]
fn a_socket_that_gets_no_session_or_a_wrong_one_is_closed_with_1000() {
    let closed = SocketOutput::Close(Some(1000));
    let mut desk = Desk::new(|builder| builder);
    let session = desk.tickle();

    desk.socket = Some(desk.try_open(&upgrade(TOKEN, "stale")).unwrap());
    let outputs = desk.outputs(9);
    assert_eq!(outputs.len(), 1, "{outputs:?}");
    assert_eq!(desk.outputs(1), std::slice::from_ref(&closed));
    assert_eq!(desk.socket.as_ref().unwrap().next_output_at(&desk.broker), None);
    desk.say("tic");
    assert_eq!(desk.outputs(100), []);

    desk.socket = Some(desk.try_open(&upgrade(TOKEN, "stale")).unwrap());
    desk.poll();
    desk.say("{\"session\":\"wrong\"}");
    assert_eq!(desk.poll(), std::slice::from_ref(&closed));

    // A live session token, say, in place of the access token: no session helps.
    for request in [upgrade("bGl2ZSBzZXNzaW9uIHRva2Vu", &session), upgrade("", &session)] {
        desk.socket = Some(desk.try_open(&request).unwrap());
        assert_eq!(desk.poll().len(), 1);
        desk.say(&json!({ "session": session }).to_string());
        assert_eq!(desk.poll(), std::slice::from_ref(&closed));
    }
    desk.broker.expire_live_session_token();
    desk.socket = Some(desk.try_open(&upgrade(TOKEN, &session)).unwrap());
    assert_eq!(desk.outputs(10)[1..], [closed]);
    assert_eq!(desk.reasons()[desk.reasons().len() - 1], "live_session_token_expired");
}

#[test]
fn the_value_of_a_session_is_the_last_tickle_s() {
    let mut desk = Desk::new(|builder| builder);
    let before = desk.tickle();
    assert_eq!(desk.tickle(), before);
    desk.connect();
    desk.hear(1);
    desk.broker.control(desk.now, r#"{"action": "renew-session-value"}"#).unwrap();
    let after = desk.tickle();
    assert_ne!(after, before);
    assert_eq!(desk.hear(10).len(), 1, "an open socket lives on");
    desk.socket = Some(desk.try_open(&upgrade(TOKEN, &before)).unwrap());
    assert_eq!(desk.hear(0), [json!({ "message": "waiting for session" })]);
    desk.socket = Some(desk.try_open(&upgrade(TOKEN, &after)).unwrap());
    assert_eq!(topics(&desk.hear(1)), ["system"]);
}

#[test]
fn faults_and_bad_times_strike_the_opening_too() {
    let mut desk = Desk::new(|builder| builder);
    let session = desk.tickle();
    let request = upgrade(TOKEN, &session);
    desk.broker.inject(Fault::status(503).at("/ws"));
    desk.broker.inject(Fault::drop_request().at("/ws"));
    desk.broker.inject(Fault::drop_response().at("/ws"));
    assert_eq!(desk.try_open(&request).unwrap_err().status(), 503);
    let lost = desk.try_open(&request).unwrap_err();
    assert_eq!(lost.extensions().get(), Some(&Dropped::Request));
    assert_eq!(desk.broker.sockets_opened(), 0);
    let lost = desk.try_open(&request).unwrap_err();
    assert_eq!(lost.extensions().get(), Some(&Dropped::Response));
    assert_eq!(desk.broker.sockets_opened(), 1);
    desk.broker.control(desk.now, r#"{"action": "start-maintenance"}"#).unwrap();
    assert_eq!(desk.try_open(&request).unwrap_err().status(), 503);
    let orders = r#"{"actions": ["end-maintenance", "penalty-box"], "seconds": 60}"#;
    desk.broker.control(desk.now, orders).unwrap();
    assert_eq!(desk.try_open(&request).unwrap_err().status(), 429);
    desk.wait(60);
    desk.try_open(&request).unwrap();
}

#[test]
fn a_broker_that_starts_with_a_brokerage_session_has_it_at_the_first_socket() {
    let mut desk = Desk::new(|builder| builder.brokerage_session(true));
    desk.connect();
    assert_eq!(desk.hear(1)[2]["args"]["authenticated"], true);
}

#[test]
fn durations_are_shorter_where_all_is_faster() {
    let mut desk = Desk::streaming_from(|builder| builder.speed(10));
    assert_eq!(desk.hear_topic(60, "system").len(), 60, "a heartbeat each second");
    desk.socket = Some(desk.try_open(&upgrade(TOKEN, "stale")).unwrap());
    assert_eq!(desk.outputs(1)[1..], [SocketOutput::Close(Some(1000))]);
}

#[test]
fn a_clock_at_the_end_of_time_or_before_its_beginning_is_no_trouble() {
    let mut desk = Desk::streaming();
    let end = Timestamp::from_millis(u64::MAX);
    for now in [end, Timestamp::from_millis(0), end] {
        let socket = desk.socket.as_mut().unwrap();
        for said in ["spl+{}", "smd+265598+{}", "str+{}", "tic"] {
            socket.receive(&mut desk.broker, now, said.as_bytes());
        }
        for _ in 0..100 {
            socket.poll(&desk.broker, now);
        }
        assert!(socket.next_output_at(&desk.broker).is_some());
    }
    desk.socket = Some(desk.try_open(&upgrade(TOKEN, "stale")).unwrap());
    desk.now = end;
    assert_eq!(desk.outputs(1).len(), 2, "nothing comes without an end");
}
