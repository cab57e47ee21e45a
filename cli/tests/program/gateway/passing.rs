//! What passes, and what comes back.

use std::fs;

use super::{Gateway, Got, agent};
use crate::terminal::Folder;
use serde_json::{Value, json};

#[test]
fn the_calls_of_a_morning_are_answered_under_both_names_and_schemes() {
    let gateway = Gateway::start(&[], &["--log-requests", "--output", "json"]).live();
    let https = gateway.url("").replacen("http", "https", 1);
    let accounts: Got = agent().get(format!("{https}/v1/portal/portfolio/accounts")).call().unwrap().into();
    assert_eq!((accounts.status, &accounts.json()[0]["id"]), (200, &json!("DU0000001")));
    let validate = gateway.get("/v1/api/sso/validate").json();
    assert_eq!((&validate["RESULT"], &validate["LOGIN_TYPE"]), (&json!(true), &json!(2)));
    let tickle = gateway.post("//v1/api/tickle", "").json();
    assert!(tickle["session"].as_str().is_some_and(|session| session.len() == 32), "{tickle}");
    assert_eq!(tickle["iserver"]["authStatus"]["established"], true);
    // However it is sent, and whatever it says: there is one session, and it is open.
    for (path, body) in [
        ("/v1/api/iserver/auth/ssodh/init", ""),
        ("/v1/api/iserver/auth/ssodh/init", r#"{"publish":true,"compete":true}"#),
        ("/v1/portal/iserver/auth/ssodh/init?compete=false&publish=true", "MAC=1&machineId=2"),
        ("/v1/api/iserver/auth/status", ""),
    ] {
        let status = gateway.post(path, body).json();
        assert_eq!((&status["authenticated"], &status["connected"]), (&json!(true), &json!(true)), "{path}: {status}");
    }
    let triggered = gateway.post("/v1/portal/iserver/reauthenticate?force=true", "").json();
    assert_eq!(triggered, json!({ "message": "triggered" }));
    assert!(gateway.get("/").text().contains("Client login succeeds"));
    assert!(gateway.get("/sso/Dispatcher").text().contains("Client login succeeds"));
    let said = gateway.stop();
    assert_eq!(said.count("ssodh/init"), 1, "{}", said.broker);
    assert_eq!(said.count("live_session_token"), 1, "{}", said.broker);
    assert_eq!(said.count("POST /v1/api/logout"), 1, "the end logs out: {}", said.broker);
    let ids: Vec<Value> =
        said.gateway.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["request_id"].clone()).collect();
    assert!(ids.iter().filter(|id| id.is_string()).count() > 8, "{}", said.gateway);
}

#[test]
fn a_request_passes_as_it_is_and_an_answer_without_cookies() {
    let folder = Folder::new();
    fs::create_dir(folder.0.join("answers")).unwrap();
    let big = vec![json!({ "conid": 265_598, "text": "é".repeat(50) }); 2_000];
    let answers = json!({ "GET /trsrv/big": big, "POST /iserver/secdef/search": [{ "conid": 1 }] });
    fs::write(folder.0.join("answers/a.json"), answers.to_string()).unwrap();
    let gateway = Gateway::start_in(folder, &["--responses", "answers"], &["--log-requests"]).live();
    let echoed = |path: &str| {
        let got = gateway.get(path);
        assert_eq!(got.status, 200, "{path}: {}", got.text());
        assert!(got.headers.get("set-cookie").is_none() && got.headers.get("x-request-id").is_some());
    };
    echoed("/v1/api/iserver/secdef/search?symbol=A%2CB&symbol=C&name=a%20b+c%7E");
    // Longer than what is looked at, so that it passes while it still comes.
    let got = gateway.get("/v1/portal/trsrv/big");
    assert_eq!(got.json(), Value::from(big));
    // A form is signed as one, a body without a type is JSON, and a body is no reason to refuse a GET.
    for request in [
        "POST /v1/api/iserver/secdef/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 13\r\nConnection: close\r\n\r\nsymbol=A%2CB+",
        "POST /v1/api/iserver/secdef/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 14\r\nConnection: close\r\n\r\n{\"symbol\":\"A\"}",
        "POST /v1/api/iserver/secdef/search HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "POST /v1/api/iserver/secdef/search HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "GET /v1/api/sso/validate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\nConnection: close\r\n\r\na=b",
        "GET /v1/api/tickle HTTP/1.0\r\nHost: localhost\r\nCookie: api=x; api=y; CF_Authorization=z\r\n\r\n",
    ] {
        let reply = gateway.say(request);
        assert!(reply.contains(" 200 OK\r\n"), "{request}: {reply}");
        assert!(!reply.to_ascii_lowercase().contains("set-cookie"), "{reply}");
    }
    let said = gateway.stop();
    assert_eq!(said.count("refused"), 0, "{}", said.broker);
    assert_eq!(said.count("deviates"), 0, "{}", said.broker);
}

#[test]
fn an_order_is_sent_once_whatever_becomes_of_it() {
    let gateway =
        Gateway::start(&["--fault", "drop-response@/iserver/account/DU0000001/orders"], &["--allow-orders"]).live();
    let order = r#"{"orders":[{"conid":265598,"side":"BUY","quantity":1,"orderType":"MKT"}]}"#;
    let lost = gateway.post("/v1/api/iserver/account/DU0000001/orders", order);
    assert_eq!(lost.status, 504, "{}", lost.text());
    let words = lost.json()["error"].as_str().unwrap().to_owned();
    assert!(words.contains("may have been sent") && lost.json()["statusCode"] == 504, "{words}");
    // What only reads is repeated.
    gateway.order(&json!({ "fault": "drop-response@/iserver/secdef/search" }));
    assert_eq!(gateway.get("/v1/api/iserver/secdef/search?symbol=A").status, 200);
    let placed = gateway.post("/v1/api/iserver/account/DU0000001/orders", order);
    assert_eq!((placed.status, &placed.json()[0]["order_status"]), (200, &json!("Submitted")));
    let said = gateway.stop();
    assert_eq!(said.count("POST /v1/api/iserver/account/DU0000001/orders"), 2, "{}", said.broker);
    assert_eq!(said.count("/iserver/secdef/search"), 2, "{}", said.broker);
}

#[test]
fn the_brokers_own_refusals_pass_as_they_are() {
    let gateway = Gateway::start(&[], &["--allow-orders"]).live();
    let unknown = gateway.get("/v1/api/no/such/path");
    assert_eq!(unknown.status, 404, "{}", unknown.text());
    let malformed = gateway.post("/v1/api/iserver/account/DU0000001/orders", "not json");
    assert_eq!((malformed.status, &malformed.json()["error"]), (400, &json!("Bad Request")));
    gateway.stop();
}

#[test]
fn what_the_broker_limits_waits_or_is_refused_here() {
    let gateway = Gateway::start(&[], &[]).live();
    // The first one passes, whatever the broker says to it.
    assert_ne!(gateway.get("/v1/api/pa/summary").status, 429);
    let refused = gateway.get("/v1/api/pa/summary");
    assert_eq!(refused.status, 429, "{}", refused.text());
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((800..=901).contains(&wait), "{wait}");
    let health = gateway.get("/health").json();
    assert!(health["paced"].as_u64().unwrap() >= 1, "{health}");
    let start = std::time::Instant::now();
    // A storm of tickles is one or two at the broker.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..12 {
                    assert_eq!(gateway.post("/v1/api/tickle", "").status, 200);
                }
            });
        }
    });
    let seconds = usize::try_from(start.elapsed().as_secs()).unwrap();
    let said = gateway.stop();
    assert!(said.count("POST /v1/api/tickle") <= 2 + seconds, "{}", said.broker);
}
