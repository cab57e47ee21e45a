//! The WebSocket of `simulate`, over a connection.

use std::{collections::BTreeSet, net::TcpStream, time::Duration};

use crate::simulated_broker::Simulator;
use ibkr_oauth::http::Request;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Error, HandshakeError, Message, WebSocket, client::IntoClientRequest};

type Wire = WebSocket<TcpStream>;

/// What the broker is asked for with this session; `change` spoils it.
fn upgrade(simulator: &Simulator, session: &str, change: impl FnOnce(&mut Request<()>)) -> Result<Wire, u16> {
    let bundle: Value = serde_json::from_slice(&std::fs::read(simulator.bundle()).unwrap()).unwrap();
    let url = simulator.ready["base_url"].as_str().unwrap().replace("http://", "ws://");
    let url = format!("{url}/ws?oauth_token={}", bundle["access_token"].as_str().unwrap());
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("user-agent", "test/1".parse().unwrap());
    request.headers_mut().insert("cookie", format!("api={session}").parse().unwrap());
    change(&mut request);
    let stream = TcpStream::connect(simulator.ready["address"].as_str().unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    match tungstenite::client(request, stream) {
        Ok((wire, response)) => {
            assert_eq!(response.status(), 101);
            Ok(wire)
        }
        Err(HandshakeError::Failure(Error::Http(response))) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

fn session(simulator: &Simulator) -> String {
    let outcome = simulator.run(&["request", "POST", "/tickle"]);
    let tickle: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    tickle["session"].as_str().unwrap().to_owned()
}

fn connect(simulator: &Simulator) -> Wire {
    upgrade(simulator, &session(simulator), |_| {}).unwrap()
}

fn json_of(message: &Message) -> Value {
    serde_json::from_slice(&message.clone().into_data()).unwrap_or_default()
}

/// The next message under this topic.
fn hear(wire: &mut Wire, topic: &str) -> Value {
    loop {
        let message = json_of(&wire.read().unwrap());
        if message["topic"] == topic {
            return message;
        }
    }
}

/// A connection in a brokerage session.
fn greeted(simulator: &Simulator) -> Wire {
    let mut wire = connect(simulator);
    let greeting: Vec<Value> = (0..3).map(|_| json_of(&wire.read().unwrap())["topic"].clone()).collect();
    assert_eq!(greeting, ["system", "act", "sts"]);
    wire
}

/// One without a brokerage session.
fn named(simulator: &Simulator) -> Wire {
    let mut wire = connect(simulator);
    assert_eq!(json_of(&wire.read().unwrap())["topic"], "system");
    wire
}

/// How the broker ends it.
fn end(wire: &mut Wire) -> Option<u16> {
    loop {
        match wire.read() {
            Ok(Message::Close(frame)) => {
                let _ = wire.flush();
                return frame.map(|frame| frame.code.into());
            }
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

#[test]
fn a_client_is_greeted_subscribes_and_hears_of_its_order() {
    let simulator = Simulator::start(&["--speed", "20"]);
    let open = ["request", "POST", "/iserver/auth/ssodh/init", "--json", "{\"publish\":true,\"compete\":true}"];
    assert_eq!(simulator.run(&open).status, 0);
    simulator.get("/iserver/accounts");
    let mut wire = greeted(&simulator);
    assert!(hear(&mut wire, "system")["hb"].is_u64());
    wire.send(Message::text("smd+265598+{\"fields\":[\"31\"]}")).unwrap();
    let first = hear(&mut wire, "smd+265598");
    assert!(first["31"].is_string() && first["6509"] == "RpB", "{first}");
    assert!(hear(&mut wire, "smd+265598")["6509"].is_null());
    // Text or binary, it is the same to the broker.
    wire.send(Message::binary("tic")).unwrap();
    assert_eq!(hear(&mut wire, "tic")["alive"], true);
    wire.send(Message::Ping("x".into())).unwrap();
    loop {
        if let Message::Pong(payload) = wire.read().unwrap() {
            assert_eq!(payload, "x");
            break;
        }
    }
    wire.send(Message::text("sor+{}")).unwrap();
    wire.send(Message::text("tic")).unwrap();
    hear(&mut wire, "tic");
    let order = "{\"orders\":[{\"conid\":265598,\"orderType\":\"MKT\",\"side\":\"BUY\",\"quantity\":1}]}";
    let path = "/iserver/account/DU0000001/orders";
    assert_eq!(simulator.run(&["request", "POST", path, "--json", order]).status, 0);
    let states: Vec<Value> = (0..4).map(|_| hear(&mut wire, "sor")["args"][0]["status"].clone()).collect();
    assert_eq!(states, [Value::Null, "PreSubmitted".into(), "Submitted".into(), "Filled".into()]);
    wire.close(None).unwrap();
    end(&mut wire);
    let said = simulator.stop();
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("/v1/api/ws")).collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert_eq!(lines[0], "101: GET /v1/api/ws");
    assert!(lines[1].starts_with("closed: GET /v1/api/ws: by the client; messages sent: "), "{}", lines[1]);
    assert!(lines[1].ends_with(", received: 4"), "{}", lines[1]);
}

#[test]
fn a_burst_and_a_large_message_arrive_whole() {
    let simulator = Simulator::start(&[]);
    let mut wire = named(&simulator);
    let burst: Vec<Value> = (0..300).map(|number| json!({ "topic": "ntf", "args": { "id": number } })).collect();
    simulator.assert_done(&json!({ "publish": burst }));
    for expected in &burst {
        assert_eq!(hear(&mut wire, "ntf"), *expected);
    }
    let large = json!({ "topic": "blt", "args": { "message": "x".repeat(900 << 10) } });
    simulator.assert_done(&json!({ "publish": [large] }));
    assert_eq!(hear(&mut wire, "blt"), large);
    simulator.stop();
}

#[test]
fn what_is_no_upgrade_of_the_broker_s_is_refused_and_a_wrong_session_waits() {
    let simulator = Simulator::start(&[]);
    let session = session(&simulator);
    let refused = |change: fn(&mut Request<()>)| upgrade(&simulator, &session, change).map(drop).unwrap_err();
    assert_eq!(refused(|request| drop(request.headers_mut().remove("user-agent"))), 403);
    assert_eq!(refused(|request| drop(request.headers_mut().insert("sec-websocket-version", 7.into()))), 400);
    simulator.assert_done(&json!({ "fault": "unavailable@/ws" }));
    assert_eq!(refused(|_| {}), 503);

    let mut wire = upgrade(&simulator, "0", |_| {}).unwrap();
    assert_eq!(json_of(&wire.read().unwrap()), json!({ "message": "waiting for session" }));
    wire.send(Message::text("smd+1+{}")).unwrap();
    wire.send(Message::text("{\"session\":\"1\"}")).unwrap();
    assert_eq!(end(&mut wire), Some(1000));
    let said = simulator.stop();
    for expected in [
        "refused: GET http://",
        "refused: GET /v1/api/ws: no handshake of a WebSocket",
        "503: GET /v1/api/ws",
        "101: GET /v1/api/ws; waiting for session: GET http://",
        "refused: WebSocket message `smd+1+`: lost",
        "closed: GET /v1/api/ws: by the broker, with 1000; messages sent: 1, received: 2",
    ] {
        assert!(said.lines().any(|line| line.starts_with(expected)), "{expected}: {said}");
    }
    assert!(!said.contains(&session) && !said.contains("oauth_token="), "{said}");
}

#[test]
fn faults_reach_the_wire() {
    let simulator = Simulator::start(&["--fault", "ws-close", "--output", "json"]);
    assert_eq!(end(&mut connect(&simulator)), Some(1000));

    simulator.assert_done(&json!({ "fault": "ws-fragments" }));
    named(&simulator);
    simulator.assert_done(&json!({ "fault": "ws-binary" }));
    assert!(connect(&simulator).read().unwrap().is_binary());

    let mut wire = named(&simulator);
    simulator.assert_done(&json!({ "action": "close-sockets", "code": 4001 }));
    assert_eq!(end(&mut wire), Some(4001));
    let mut wire = named(&simulator);
    simulator.assert_done(&json!({ "action": "cut-sockets" }));
    assert_eq!(end(&mut wire), None);
    let ends: BTreeSet<String> = simulator
        .stop()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter_map(|line| line["closed"].is_string().then(|| line["how"].as_str().unwrap().to_owned()))
        .collect();
    for how in ["by the broker, with 1000", "by the broker, with 4001", "by the broker, cut"] {
        assert!(ends.contains(how), "{how}: {ends:?}");
    }
}

#[test]
fn text_that_is_not_utf_8_is_sent_as_it_is() {
    let simulator = Simulator::start(&["--fault", "ws-not-utf8"]);
    let open = ["request", "POST", "/iserver/auth/ssodh/init", "--json", "{\"publish\":true,\"compete\":true}"];
    assert_eq!(simulator.run(&open).status, 0);
    let mut wire = greeted(&simulator);
    wire.send(Message::text("str+{}")).unwrap();
    let error = loop {
        if let Err(error) = wire.read() {
            break error;
        }
    };
    assert!(matches!(error, Error::Utf8(_)), "{error}");
    simulator.stop();
}

#[test]
fn open_sockets_are_told_when_the_simulator_ends() {
    let simulator = Simulator::start(&[]);
    let mut wires = [named(&simulator), named(&simulator)];
    simulator.running.signal("TERM");
    for wire in &mut wires {
        assert_eq!(end(wire), Some(1001));
    }
    let outcome = simulator.running.end();
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert_eq!(outcome.stderr.matches("by the broker, with 1001").count(), 2, "{}", outcome.stderr);
}
