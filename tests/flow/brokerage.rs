//! The requests of the brokerage session, and what is read of the replies to them.

use std::time::Duration;

use crate::fixture::{self, LIVE, NOW, SeededEntropy, TOKEN, reply};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Request, header};
use ibkr_oauth::{
    BrokerageStatus, Compete, Context, Endpoints, Error, ErrorKind, Exchange, Secret, Signer, Stage, Tickle,
};
use serde_json::{Value, json};

fn signer_at(base_url: &str, token: &str) -> Signer {
    let consumer = fixture::consumer_builder().endpoints(Endpoints::new(base_url).unwrap()).build().unwrap();
    Signer::from_stored(&consumer, token, &Secret::from(LIVE.as_slice())).unwrap()
}

fn signer() -> Signer {
    signer_at("https://api.ibkr.com/v1/api", TOKEN)
}

fn read_status(body: &Value) -> BrokerageStatus {
    let mut rng = SeededEntropy(1);
    let exchange = signer().brokerage().status(&mut Context::new(NOW, &mut rng)).unwrap();
    exchange.complete(reply(200, body.to_string())).unwrap()
}

fn read_tickle(body: &Value) -> Tickle {
    let mut rng = SeededEntropy(1);
    let exchange = signer().brokerage().tickle(&mut Context::new(NOW, &mut rng)).unwrap();
    exchange.complete(reply(200, body.to_string())).unwrap()
}

#[test]
fn each_request_is_what_the_documentation_asks_for() {
    let signer = signer();
    let mut rng = SeededEntropy(1);
    let mut cx = Context::new(NOW, &mut rng);
    let brokerage = signer.brokerage();
    let open = |cx: &mut Context<'_>, compete| brokerage.open(cx, compete).unwrap();
    check(&open(&mut cx, Compete::Take), "/iserver/auth/ssodh/init", &json!({ "publish": true, "compete": true }));
    check(&open(&mut cx, Compete::Yield), "/iserver/auth/ssodh/init", &json!({ "publish": true, "compete": false }));
    check(&brokerage.status(&mut cx).unwrap(), "/iserver/auth/status", &Value::Null);
    check(&brokerage.tickle(&mut cx).unwrap(), "/tickle", &Value::Null);
    check(&brokerage.logout(&mut cx).unwrap(), "/logout", &Value::Null);
}

/// A POST to `path` with this JSON, or with an empty body that says so.
#[track_caller]
fn check<T>(exchange: &Exchange<T>, path: &str, body: &Value) {
    let request = exchange.request();
    assert_eq!((request.method().as_str(), request.uri().path()), ("POST", format!("/v1/api{path}").as_str()));
    assert_eq!(request.headers()[header::USER_AGENT], signer().consumer().user_agent());
    assert!(request.headers().contains_key(header::AUTHORIZATION));
    if body.is_null() {
        assert!(request.body().is_empty() && !request.headers().contains_key(header::CONTENT_TYPE));
        assert_eq!(request.headers()[header::CONTENT_LENGTH], "0");
    } else {
        assert_eq!(serde_json::from_slice::<Value>(request.body()).unwrap(), *body);
        assert_eq!(request.headers()[header::CONTENT_TYPE], "application/json");
    }
}

#[test]
fn a_session_is_ready_where_nothing_is_said_against_it() {
    let flags = [json!(true), json!(false), Value::Null];
    for authenticated in &flags {
        for competing in &flags {
            for (connected, established) in flags.iter().flat_map(|flag| flags.iter().map(move |other| (flag, other))) {
                let body = json!({
                    "authenticated": authenticated,
                    "competing": competing,
                    "connected": connected,
                    "established": established,
                });
                let ready = *authenticated == json!(true)
                    && *competing != json!(true)
                    && ![connected, established].contains(&&json!(false));
                assert_eq!(read_status(&body).is_ready(), ready, "{body}");
            }
        }
    }
    assert!(!BrokerageStatus::default().is_ready());
    assert!(!read_status(&json!({ "wait": 3000 })).is_ready());
}

#[test]
fn the_broker_s_words_about_a_session_are_kept() {
    let status = read_status(&json!({ "message": "busy", "fail": "other session", "wait": 1500, "MAC": "F4:03" }));
    assert_eq!((status.message.as_deref(), status.fail.as_deref()), (Some("busy"), Some("other session")));
    assert_eq!(status.wait(), Some(Duration::from_millis(1500)));
    assert_eq!(read_status(&json!({})), BrokerageStatus::default());
}

fn read_bytes(body: &[u8]) -> Tickle {
    let mut rng = SeededEntropy(1);
    let exchange = signer().brokerage().tickle(&mut Context::new(NOW, &mut rng)).unwrap();
    exchange.complete(reply(200, body.to_vec())).unwrap()
}

#[test]
fn what_the_broker_asks_to_wait_counts_only_where_something_is_missing() {
    let ready = json!({ "authenticated": true, "connected": true, "competing": false, "wait": 0 });
    let status = read_status(&ready);
    assert!(status.is_ready() && status.wait().is_none());
    let status = read_status(&json!({ "authenticated": true, "connected": true, "wait": 3000 }));
    assert!(status.is_ready() && status.wait().is_none(), "it is open: nothing is left to wait for");
    assert_eq!(read_status(&json!({ "authenticated": false, "wait": 0 })).wait(), None);
    assert_eq!(read_status(&json!({ "authenticated": false, "wait": 3000 })).wait(), Some(Duration::from_secs(3)));
    for odd in [json!(-1), json!("soon"), json!(1.5), json!({}), json!(null)] {
        assert_eq!(read_status(&json!({ "authenticated": false, "wait": odd })).wait(), None, "{odd}");
    }
}

#[test]
fn words_of_failure_are_not_readiness() {
    let fail = |words: &str| json!({ "authenticated": true, "connected": true, "fail": words });
    assert!(!read_status(&fail("Force compete capability must be used together with compete flag")).is_ready());
    assert!(read_status(&fail("")).is_ready());
    let refused = json!({ "passed": false, "authenticated": false, "connected": true, "competing": false });
    assert!(!read_status(&refused).is_ready());
}

#[test]
fn a_text_that_is_not_utf_8_costs_no_tickle() {
    let tickle = read_bytes(
        b"{\"session\":\"5e55\",\"iserver\":{\"authStatus\":{\"authenticated\":true,\"connected\":true,\
          \"message\":\"caf\x99\"}},\"hmds\":{\"error\":\"no bridge \x99\"}}",
    );
    assert_eq!(tickle.session().unwrap().expose(), b"5e55");
    let status = tickle.brokerage().unwrap();
    assert!(status.is_ready());
    assert_eq!(status.message.as_deref(), Some("caf\u{fffd}"));
}

#[test]
fn an_old_answer_to_a_logout_says_that_nothing_ended() {
    let mut rng = SeededEntropy(1);
    let exchange = signer().brokerage().logout(&mut Context::new(NOW, &mut rng)).unwrap();
    assert!(!exchange.complete(reply(200, r#"{"confirmed":true}"#)).unwrap().status);
}

#[test]
fn a_tickle_says_what_the_broker_said() {
    let tickle = read_tickle(&json!({
        "session": "bb665d0f55b6289d70bc7380089fc96f",
        "ssoExpires": 460_311,
        "collission": false,
        "userId": 123_456_789,
        "hmds": { "error": "no bridge" },
        "iserver": { "authStatus": { "authenticated": true, "competing": false, "connected": true } },
    }));
    assert_eq!(tickle.session().unwrap().expose(), b"bb665d0f55b6289d70bc7380089fc96f");
    assert!(tickle.brokerage().unwrap().is_ready());
    for body in [json!({}), json!({ "session": "", "iserver": {} }), json!({ "session": null, "iserver": null })] {
        let tickle = read_tickle(&body);
        assert!(tickle.session().is_none() && tickle.brokerage().is_none(), "{body}");
    }
}

#[test]
fn a_field_on_which_nothing_depends_costs_no_session() {
    for odd in [json!("x"), json!(-1), json!(1.5), json!([]), json!({ "a": 1 }), json!(null)] {
        let tickle = read_tickle(&json!({
            "session": "5e55",
            "ssoExpires": odd,
            "collission": odd,
            "userId": odd,
            "iserver": { "authStatus": { "authenticated": true, "message": if odd == "x" { json!(7) } else { odd.clone() } } },
        }));
        let status = tickle.brokerage().unwrap();
        assert!(status.is_ready() && status.message.is_none(), "{odd}");
    }
}

fn upgrade(base_url: &str, token: &str, session: &str) -> Result<Request<()>, Error> {
    let mut rng = SeededEntropy(7);
    let tickle = read_tickle(&json!({ "session": session }));
    signer_at(base_url, token).brokerage().web_socket(&mut Context::new(NOW, &mut rng), &tickle)
}

#[test]
fn the_upgrade_is_one_that_a_web_socket_client_takes() {
    for (base_url, uri, host) in [
        ("https://api.ibkr.com/v1/api", "wss://api.ibkr.com/v1/api/ws?oauth_token=a%2Bb", "api.ibkr.com"),
        ("https://1.api.ibkr.com/v1/api/", "wss://1.api.ibkr.com/v1/api/ws?oauth_token=a%2Bb", "1.api.ibkr.com"),
        ("http://127.0.0.1:5000", "ws://127.0.0.1:5000/ws?oauth_token=a%2Bb", "127.0.0.1:5000"),
        ("https://[::1]:5000/v1/api", "wss://[::1]:5000/v1/api/ws?oauth_token=a%2Bb", "[::1]:5000"),
    ] {
        let request = upgrade(base_url, "a+b", "5e55").unwrap();
        assert_eq!(request.method(), "GET");
        assert_eq!(request.uri().to_string(), uri);
        let headers = request.headers();
        for (name, value) in [
            (header::HOST, host),
            (header::CONNECTION, "Upgrade"),
            (header::UPGRADE, "websocket"),
            (header::SEC_WEBSOCKET_VERSION, "13"),
            (header::COOKIE, "api=5e55"),
            (header::USER_AGENT, signer().consumer().user_agent().to_str().unwrap()),
        ] {
            assert_eq!(headers[&name], value, "{name}");
        }
        // RFC 6455 section 4.1: 16 random bytes.
        assert_eq!(STANDARD.decode(&headers[header::SEC_WEBSOCKET_KEY]).unwrap().len(), 16);
        assert!(headers[header::COOKIE].is_sensitive() && !headers[header::HOST].is_sensitive());
        assert!(!headers.contains_key(header::AUTHORIZATION), "it is not signed");
        assert_eq!(headers.len(), 7);
    }
}

#[test]
fn without_a_session_there_is_no_upgrade() {
    let error = upgrade("https://api.ibkr.com/v1/api", TOKEN, "").unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Config, Stage::WebSocket));
    assert!(!error.may_have_been_sent());
    assert!(error.remedy().contains("tickle again"), "{}", error.remedy());
    for session in ["a\r\nX-Injected: b", "a; b=c", "a b", "a,b", "\"a\"", "ä"] {
        let error = upgrade("https://api.ibkr.com/v1/api", TOKEN, session).unwrap_err();
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Malformed, Stage::WebSocket), "{session}");
        assert!(!error.may_have_been_sent(), "{session}");
        assert!(error.to_string().contains("not valid in a cookie"), "{error}");
    }
    let tickle = read_tickle(&json!({ "session": "5e55" }));
    let mut failing = fixture::Failing(0, SeededEntropy(1));
    let error = signer().brokerage().web_socket(&mut Context::new(NOW, &mut failing), &tickle).unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Entropy, Stage::WebSocket));
}
