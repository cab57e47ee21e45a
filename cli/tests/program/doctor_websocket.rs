//! The last layer of `doctor`, over real sockets: with `simulate`, with a broker that refuses the upgrade, and with what
//! stands between.

use std::{io::Write as _, thread};

use ibkr_oauth::{http::Method, simulator::Fault};
use ibkr_oauth_sockets::{
    Address, Received,
    broker::{Account, BrokerServer},
    stream::Stream,
    web_socket::switching,
};
use serde_json::{Value, json};

use crate::terminal::{
    Outcome,
    user::{User, start},
};

const ALL_IS_WELL: &str = "opens, says that the user is authenticated, and answers `tic`";

fn report(outcome: &Outcome) -> Value {
    serde_json::from_slice(&outcome.stdout).unwrap_or_else(|_| panic!("{}", outcome.stderr))
}

fn finding(report: &Value, subject: &str) -> Value {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["subject"] == subject).cloned().unwrap_or_default()
}

fn doctor(user: &User) -> Value {
    let outcome = user.run(&["doctor", "--output", "json"]);
    let report = report(&outcome);
    assert_eq!(outcome.status, i32::from(report["severity"] == "error"), "{report:#}");
    report
}

#[track_caller]
fn assert_error(report: &Value, message: &str, advice: &str) {
    let seen = finding(report, "websocket");
    assert_eq!(seen["severity"], "error", "{report:#}");
    assert!(seen["message"].as_str().unwrap().contains(message), "{seen:#}");
    assert!(report["next"].as_str().unwrap().contains(advice), "{report:#}");
}

#[test]
fn it_is_opened_once_and_the_last() {
    let (server, user) = start();
    let report = doctor(&user);
    assert_eq!(finding(&report, "websocket")["message"], ALL_IS_WELL);
    assert_eq!(report["findings"].as_array().unwrap().last().unwrap()["subject"], "websocket");
    let received = server.server.received();
    let upgrades: Vec<&Received> =
        received.iter().filter(|request| request.target().1.starts_with("/v1/api/ws")).collect();
    assert_eq!(upgrades.len(), 1);
    let (tickle, upgrade) = (&received[received.len() - 2], received.last().unwrap());
    assert!(tickle.target().1.ends_with("/tickle") && upgrade.target().1.contains("/ws?oauth_token="));
    assert!(upgrade.header("cookie")[0].starts_with("api=") && !upgrade.header("user-agent").is_empty());
    assert!(upgrade.header("authorization").is_empty());
    drop(received);
    // One who subscribed too early, or named no session, would be among them.
    let about_it = |subject: &str| subject.contains("/ws") || subject.contains("WebSocket");
    let broker = server.broker();
    let refusals: Vec<_> = broker.refusals().iter().filter(|refusal| about_it(&refusal.subject)).collect();
    assert!(refusals.is_empty(), "{refusals:?}");
}

#[test]
fn what_ends_before_leaves_it_out() {
    let (server, user) = start();
    let is_left_out = |outcome: &Outcome| finding(&report(outcome), "websocket") == Value::Null;
    assert!(is_left_out(&user.run(&["doctor", "--offline", "--output", "json"])));
    server.broker().inject("invalid-consumer".parse::<Fault>().unwrap().at("/oauth/live_session_token"));
    assert!(is_left_out(&user.run(&["doctor", "--output", "json"])));
    server.broker().inject(Fault::status(401).times(5).at("/trsrv/stocks"));
    assert!(is_left_out(&user.run(&["doctor", "--output", "json"])));
    assert!(server.server.received().iter().all(|request| !request.target().1.contains("/ws")));
}

#[test]
fn an_upgrade_that_is_refused_says_who_must_act() {
    let (server, user) = start();
    for (status, message, advice) in [
        (401, "refused (401 Unauthorized)", "negotiate a new live session token"),
        (403, "refused (403 Forbidden)", "ask IBKR"),
        (404, "refused (404 Not Found)", "check `base_url`"),
        (426, "refused (426 Upgrade Required)", "Upgrade: websocket"),
        (429, "refused (429 Too Many Requests)", "10 to 15 minutes"),
        (503, "refused (503 Service Unavailable)", "wait"),
    ] {
        server.broker().inject(Fault::status(status).at("/ws"));
        assert_error(&doctor(&user), message, advice);
    }
    server.broker().inject(Fault::drop_response().at("/ws"));
    assert_error(&doctor(&user), "does not open", "Upgrade: websocket");
    // The tickle before it names no session, or is refused.
    server.broker().inject(Fault::drop_field("session").at("/tickle"));
    assert_error(&doctor(&user), "named no session", "tickle again");
    server.broker().inject(Fault::status(401).at("/tickle"));
    assert_error(&doctor(&user), "401", "live session token");
    assert_eq!(finding(&doctor(&user), "websocket")["message"], ALL_IS_WELL);
}

#[test]
fn what_the_broker_says_of_the_brokerage_session_is_reported() {
    let (server, user) = start();
    server.broker().start_competing_session();
    let report = doctor(&user);
    assert!(report["next"].as_str().unwrap().contains("log out there"), "{report:#}");
    let seen = finding(&report, "websocket");
    // That is the layer's below.
    assert_eq!(seen["severity"], "ok", "{seen:#}");
    assert!(seen["message"].as_str().unwrap().contains("as soon as there is a brokerage session"), "{seen:#}");
}

#[test]
fn a_brokerage_session_that_is_lost_between_the_layers_is_waited_for_and_reported() {
    let (server, user) = start();
    server.broker().inject(Fault::not_authenticated().at("/tickle"));
    assert_error(&doctor(&user), "does not say in 10 s that the user is auth", "run this again");
}

/// A broker whose WebSockets are something else.
fn start_otherwise(upgrade: impl Fn(Stream, &Received) + Send + Sync + 'static) -> (BrokerServer, User) {
    let address = Address::new();
    let account = Account::at(&address.origin(), None);
    let user = User::new(account.base_url(), &account.access_token);
    let shared = account.clone();
    let server = address.serve_with_web_sockets(move |received| shared.answer(received), upgrade);
    (BrokerServer { account, server }, user)
}

/// The bytes of one unmasked frame.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    [&[0x80 | opcode, u8::try_from(payload.len()).unwrap()], payload].concat()
}

#[test]
fn what_answers_in_the_brokers_place_is_told_apart() {
    let answers = [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "as an ordinary request (200 OK)", "Upgrade: websocket"),
        ("HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n", "302 Found", "Upgrade"),
        ("", "does not open", "Upgrade: websocket"),
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
            "not by a WebSocket",
            "Upgrade: websocket",
        ),
    ];
    let greeting = frame(1, br#"{"topic":"sts","args":{"authenticated":true}}"#);
    let bad = frame(1, br#"{"error":"not authenticated"}"#);
    let waits = frame(1, br#"{"message":"waiting for session"}"#);
    let code = |code: u16| frame(8, &code.to_be_bytes());
    let frames = [
        (greeting.clone(), "and then the connection is cut", "as it comes"),
        ([greeting, code(1011)].concat(), "and then the broker closes it with code 1011", "as it comes"),
        ([bad, code(1000)].concat(), "says: not authenticated", "live session token"),
        (
            [waits, code(1000)].concat(),
            "that of the tickle is not taken: the broker closes it with code 1000",
            "run this again",
        ),
        (code(1008), "the broker closes it with code 1008", "ask IBKR"),
        (frame(8, b""), "the broker closes it without a code", "ask IBKR"),
        (Vec::new(), "the connection is cut", "ask IBKR"),
        // No frame at all.
        (vec![0xff; 40], "the connection is cut", "ask IBKR"),
    ];
    thread::scope(|scope| {
        for (answer, message, advice) in answers {
            scope.spawn(move || {
                let (_server, user) = start_otherwise(move |mut stream, _| {
                    let _ = stream.write_all(answer.as_bytes());
                    stream.end();
                });
                assert_error(&doctor(&user), message, advice);
            });
        }
        for (frames, message, advice) in frames {
            scope.spawn(move || {
                let (_server, user) = start_otherwise(move |mut stream, request| {
                    let bytes = [switching(request).as_bytes(), &frames].concat();
                    let _ = stream.write_all(&bytes);
                    stream.end();
                });
                assert_error(&doctor(&user), message, advice);
            });
        }
    });
}

#[test]
fn no_secret_is_shown_of_what_it_says() {
    let session = "5e551017ab5e551017ab5e551017ab00";
    let address = Address::new();
    let account = Account::at(&address.origin(), None);
    let tickle = json!({ "session": session, "iserver": { "authStatus": { "authenticated": true } } });
    account.broker().respond(Method::POST, "/tickle", &tickle.to_string()).unwrap();
    let user = User::new(account.base_url(), &account.access_token);
    let (shared, token) = (account.clone(), account.access_token.token().to_owned());
    let _server = address.serve_with_web_sockets(
        move |received| shared.answer(received),
        move |mut stream, request| {
            let said = format!("{{\"error\":\"no {session} of {token}\"}}");
            let _ = stream.write_all(&[switching(request).as_bytes(), &frame(1, said.as_bytes())].concat());
            stream.end();
        },
    );
    for format in ["text", "json"] {
        let outcome = user.run(&["doctor", "--output", format]);
        let shown = format!("{}{}", outcome.text(), outcome.stderr);
        assert_eq!(outcome.status, 1, "{shown}");
        assert!(shown.contains("and says: no [hidden]"), "{shown}");
        assert!(!shown.contains(session) && !shown.contains(account.access_token.token()), "{shown}");
    }
}

#[cfg(all(unix, feature = "simulate"))]
#[test]
fn simulate_with_each_of_its_faults() {
    let faults: Vec<&str> = Fault::names().map(|(name, _)| name).filter(|name| name.starts_with("ws-")).collect();
    assert!(faults.len() > 3, "{faults:?}");
    thread::scope(|scope| {
        for name in faults {
            scope.spawn(move || simulate_with(name));
        }
    });
}

#[cfg(all(unix, feature = "simulate"))]
fn simulate_with(name: &str) {
    let simulator = crate::simulated_broker::Simulator::start(&[]);
    simulator.assert_done(&json!({ "fault": name }));
    let outcome = simulator.run(&["doctor", "--output", "json"]);
    let report = report(&outcome);
    match name {
        "ws-close" => assert_error(&report, "the broker closes it with code 1000", "ask IBKR"),
        "ws-stale-session" => {
            let expected = format!("{ALL_IS_WELL}; the cookie alone was not enough, it asked for the session");
            assert_eq!(finding(&report, "websocket")["message"], expected);
        }
        "ws-no-status" => assert_error(&report, "does not say in 10 s that the user is auth", "run this again"),
        _ => assert_eq!(finding(&report, "websocket")["message"], ALL_IS_WELL, "{name}"),
    }
    assert_eq!(outcome.status, i32::from(["ws-close", "ws-no-status"].contains(&name)), "{name}");
    let said = simulator.stop();
    // Closed by the program, with its code, unless it was closed before.
    let ends: Vec<&str> = said.lines().filter(|line| line.starts_with("closed: ")).collect();
    assert_eq!(ends.len(), 1, "{name}: {said}");
    assert_eq!(ends[0].contains("by the client, with 1000"), name != "ws-close", "{name}: {said}");
}
