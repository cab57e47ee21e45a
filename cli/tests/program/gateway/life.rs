//! What happens to the session while programs ask, and the end.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    sync::mpsc,
    thread,
    time::Duration,
};

use super::{Gateway, agent};
use crate::terminal::run_in;
use serde_json::{Value, json};

#[test]
fn a_token_that_ends_is_renewed_and_no_program_notices() {
    let gateway = Gateway::start(&[], &[]).live();
    assert_eq!(gateway.get("/v1/api/iserver/secdef/search?symbol=A").status, 200);
    gateway.action("expire-token");
    // Several at once, of which none has caused it.
    thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                let got = gateway.get("/v1/api/iserver/secdef/search?symbol=A");
                assert_eq!(got.status, 200, "{}", got.text());
            });
        }
    });
    let said = gateway.stop();
    assert_eq!(said.count("200: POST /v1/api/oauth/live_session_token"), 2, "{}", said.broker);
}

#[test]
fn what_comes_at_the_nightly_reset_goes_on_after_the_accounts_were_asked_for() {
    let gateway = Gateway::start(&[], &["--allow-orders"]).live();
    gateway.action("expire-token");
    gateway.action("end-brokerage-session");
    let order = r#"{"orders":[{"conid":265598,"side":"BUY","quantity":1,"orderType":"MKT"}]}"#;
    thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                let got = gateway.get("/v1/api/iserver/secdef/search?symbol=A");
                assert_eq!(got.status, 200, "{}", got.text());
            });
        }
        scope.spawn(|| {
            let got = gateway.post("/v1/api/iserver/account/DU0000001/orders", order);
            assert_eq!(got.status, 200, "{}", got.text());
        });
    });
    let said = gateway.stop();
    // Orders and snapshots are refused until then, and no program knows that the broker has forgotten it.
    let of = |words: &'static str| said.broker.lines().enumerate().filter(move |(_, line)| line.contains(words));
    let lines = |words| of(words).map(|(index, _)| index).collect::<Vec<_>>();
    let handshakes = lines("200: POST /v1/api/oauth/live_session_token");
    let accounts = lines("200: GET /v1/api/iserver/accounts");
    assert_eq!((handshakes.len(), accounts.len()), (2, 2), "{}", said.broker);
    assert!(handshakes[1] < accounts[1], "{}", said.broker);
    let searches = lines("200: GET /v1/api/iserver/secdef/search");
    assert!(searches.len() == 5 && searches.iter().all(|search| *search > accounts[1]), "{}", said.broker);
    let orders = lines("200: POST /v1/api/iserver/account/DU0000001/orders");
    assert!(orders.len() == 1 && orders[0] > accounts[1], "{}", said.broker);
}

#[test]
fn who_is_displaced_is_told_so_and_by_when() {
    let gateway = Gateway::start(&[], &[]).live();
    gateway.action("start-competing-session");
    gateway.wait_for("displaced");
    let got = gateway.get("/v1/api/iserver/secdef/search?symbol=A");
    assert_eq!(got.status, 503, "{}", got.text());
    assert!(got.headers.get("retry-after").is_some() && got.text().contains("another session"), "{}", got.text());
    let page = gateway.get("/");
    assert!(page.status == 503 && page.text().contains("Displaced"), "{}", page.text());
    assert_eq!(gateway.get("/readyz").status, 503);
    // What needs no brokerage session goes on.
    assert_eq!(gateway.get("/v1/api/portfolio/accounts").status, 200);
    let tickle = gateway.post("/v1/api/tickle", "").json();
    assert_eq!(tickle["iserver"]["authStatus"]["competing"], true, "{tickle}");
    let validate = gateway.get("/v1/portal/sso/validate").json();
    assert_eq!(validate["RESULT"], false);
    // A program that asks for it has it tried again, when the other has gone.
    gateway.action("end-competing-session");
    let status = gateway.post("/v1/api/iserver/auth/ssodh/init", r#"{"compete":true,"publish":true}"#).json();
    assert_eq!(status["authenticated"], true, "{status}");
    assert_eq!(gateway.get("/v1/api/iserver/secdef/search?symbol=A").status, 200);
    gateway.stop();
}

#[test]
fn a_program_that_saw_the_session_end_first_has_it_opened() {
    let gateway = Gateway::start(&[], &[]).live();
    gateway.action("end-brokerage-session");
    let status = gateway.post("/v1/api/iserver/auth/ssodh/init", "").json();
    assert_eq!(status["authenticated"], true, "{status}");
    gateway.stop();
}

#[test]
fn a_broker_under_maintenance_is_a_503_with_a_date() {
    let gateway = Gateway::start(&[], &[]).live();
    gateway.action("start-maintenance");
    let got = gateway.get("/v1/api/iserver/secdef/search?symbol=A");
    assert_eq!(got.status, 503, "{}", got.text());
    gateway.action("end-maintenance");
    assert_eq!(gateway.get("/v1/api/iserver/secdef/search?symbol=A").status, 200);
    gateway.stop();
}

#[test]
fn one_program_logs_out_and_the_other_goes_on() {
    let gateway = Gateway::start(&[], &[]).live();
    assert_eq!(gateway.post("/v1/api/logout", "").json(), json!({ "status": true }));
    assert_eq!(gateway.get("/v1/api/iserver/secdef/search?symbol=A").status, 200);
    let said = gateway.stop();
    assert_eq!((said.count("/logout"), said.count("live_session_token")), (1, 1), "{}", said.broker);
}

#[test]
fn a_penalty_box_is_kept_for_all() {
    let gateway = Gateway::start(&[], &[]).live();
    gateway.order(&json!({ "action": "penalty-box", "seconds": 300 }));
    let got = gateway.get("/v1/api/iserver/secdef/search?symbol=A");
    assert!(matches!(got.status, 429 | 503), "{}: {}", got.status, got.text());
    for _ in 0..5 {
        let got = gateway.get("/v1/api/iserver/secdef/search?symbol=B");
        assert!(matches!(got.status, 429 | 503), "{}: {}", got.status, got.text());
    }
    let said = gateway.stop();
    // The one that found out, and what the session asks to be sure.
    assert!(said.count("Too Many") + said.count("429") + said.count("penalty") <= 4, "{}", said.broker);
}

#[test]
fn a_state_file_survives_a_restart_without_a_handshake() {
    let gateway = Gateway::start(&[], &["--state", "state"]).live();
    let path = gateway.folder.0.join("state");
    let (gateway, said) = gateway.start_again(&["--state", "state"]);
    assert!(!said.contains("logged out"), "{said}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let gateway = gateway.live();
    assert_eq!(gateway.get("/v1/api/iserver/secdef/search?symbol=A").status, 200);
    assert!(gateway.get("/health").json()["token_expires_at"].is_string());
    // What is no state is left as it is.
    let bundle = fs::read(gateway.folder.0.join("sim/bundle.json")).unwrap();
    let wrong = ["gateway", "--bundle", "sim/bundle.json", "--listen", "0", "--state", "sim/bundle.json"];
    run_in(&gateway.folder.0, &wrong).assert_failure(2, "", "is no state of a gateway", "does not exist yet");
    assert_eq!(fs::read(gateway.folder.0.join("sim/bundle.json")).unwrap(), bundle);
    let token = serde_json::from_slice::<Value>(&fs::read(&path).unwrap()).unwrap()["live_session_token"].clone();
    let said = gateway.stop();
    assert_eq!((said.count("live_session_token"), said.count("/logout")), (1, 0), "{}", said.broker);
    assert!(!said.gateway.contains(token.as_str().unwrap()));
}

#[test]
fn what_is_under_way_at_the_end_is_answered() {
    // A mock behind the broker, which answers when it is told to.
    let mock = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", mock.local_addr().unwrap());
    let gateway = Gateway::start(&["--upstream", &url], &["--allow-orders"]);
    let (arrived, arrivals) = mpsc::channel();
    let (go_on, gone_on) = mpsc::channel::<()>();
    let mocking = thread::spawn(move || {
        for stream in mock.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut bytes = [0; 1024];
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                let count = stream.read(&mut bytes).unwrap();
                head.extend_from_slice(&bytes[..count]);
            }
            let is_order = String::from_utf8_lossy(&head).contains("/orders");
            if is_order {
                arrived.send(()).unwrap();
                gone_on.recv().unwrap();
            }
            let body = r#"[{"order_id":"1"}]"#;
            let reply = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(reply.as_bytes()).unwrap();
            if is_order {
                return;
            }
        }
    });
    let gateway = gateway.live();
    let order = gateway.url("/v1/api/iserver/account/DU0000001/orders");
    let asking = thread::spawn(move || agent().post(order).send(r#"{"orders":[]}"#).unwrap().status().as_u16());
    arrivals.recv_timeout(Duration::from_secs(30)).unwrap();
    gateway.running.signal("TERM");
    // It takes no more requests, which is how it is known that it has heard.
    while agent().get(gateway.url("/livez")).call().is_ok() {
        thread::sleep(Duration::from_millis(10));
    }
    go_on.send(()).unwrap();
    assert_eq!(asking.join().unwrap(), 200);
    mocking.join().unwrap();
    let outcome = gateway.running.end();
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("closed, and logged out"), "{}", outcome.stderr);
}
