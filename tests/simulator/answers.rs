//! What the broker answers, when its sessions end, and the faults it can be answered to make.

use std::time::Duration;

use crate::by_hand::{BASE, Script, base_string, handle, protected, request, rsa_signature, sign_in};
use bytes::Bytes;
use http::{Request, Response};
use ibkr_oauth::{
    Context, Timestamp,
    simulator::{Broker, BrokerBuilder, Dropped, Fault, test_keys},
};
use serde_json::{Value, json};

const TOKEN: &str = "218c1d970d85a8442825";
const SECRET: [u8; 32] = [7; 32];
const SIGNER: [u8; 20] = [9; 20];
const START: u64 = 1_700_000_000;
const TICKLE: &str = "/tickle";
const OPEN: &str = "/iserver/auth/ssodh/init";
const ACCOUNTS: &str = "/iserver/accounts";

/// A broker with a live session token that ends an hour after the start, and a client of it that counts its nonces.
pub(crate) struct Desk {
    pub(crate) broker: Broker,
    pub(crate) now: u64,
    nonce: u32,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self::with(Broker::builder().strict())
    }

    pub(crate) fn with(builder: BrokerBuilder) -> Self {
        let broker = builder
            .access_token(TOKEN, SECRET)
            .live_session_token(SIGNER, Timestamp::from_secs(START + 3600))
            .build()
            .unwrap();
        Self { broker, now: START, nonce: 0 }
    }

    pub(crate) fn signed(&mut self, method: &str, path: &str, body: Option<(&str, &str)>) -> Request<Bytes> {
        self.nonce += 1;
        let (nonce, timestamp) = (self.nonce.to_string(), self.now.to_string());
        let pairs = [
            ("oauth_consumer_key", test_keys::CONSUMER_KEY),
            ("oauth_nonce", &nonce),
            ("oauth_timestamp", &timestamp),
            ("oauth_token", TOKEN),
        ];
        protected((method, &format!("{BASE}{path}")), &SIGNER, &pairs, body)
    }

    pub(crate) fn send(&mut self, request: &Request<Bytes>) -> (u16, Value) {
        handle(&mut self.broker, self.now, &mut Script::counting(), request)
    }

    pub(crate) fn call(&mut self, method: &str, path: &str) -> (u16, Value) {
        let request = self.signed(method, path, None);
        self.send(&request)
    }

    pub(crate) fn open(&mut self) -> (u16, Value) {
        let request = self.signed("POST", OPEN, Some(("application/json", r#"{"publish":true,"compete":true}"#)));
        self.send(&request)
    }

    pub(crate) fn negotiate(&mut self) -> (u16, Value) {
        self.nonce += 1;
        let (nonce, timestamp) = (self.nonce.to_string(), self.now.to_string());
        let pairs = [
            ("oauth_consumer_key", test_keys::CONSUMER_KEY),
            ("oauth_nonce", &nonce),
            ("oauth_timestamp", &timestamp),
            ("oauth_token", TOKEN),
            ("diffie_hellman_challenge", "abcdef"),
        ];
        let prepend = "07".repeat(32);
        self.send(&sign_in(&format!("{BASE}/oauth/live_session_token"), "limited_poa", &prepend, &pairs))
    }

    pub(crate) fn raw(&mut self, request: &Request<Bytes>) -> Response<Bytes> {
        self.broker.handle(&mut Context::new(Timestamp::from_secs(self.now), &mut Script::counting()), request)
    }

    pub(crate) fn last_reason(&self) -> &'static str {
        self.broker.refusals().last().unwrap().reason
    }
}

#[test]
fn the_brokerage_session_opens_lives_by_tickles_and_dies_in_silence() {
    let mut desk = Desk::new();
    assert_eq!(desk.call("GET", ACCOUNTS), (400, json!({ "error": "Bad Request: no bridge", "statusCode": 400 })));
    assert_eq!(desk.last_reason(), "brokerage_session_closed");
    let (status, tickle) = desk.call("POST", TICKLE);
    assert_eq!(status, 200);
    assert_eq!(tickle["iserver"]["authStatus"]["authenticated"], false);
    assert_eq!(tickle["session"].as_str().unwrap().len(), 32);

    let (status, opened) = desk.open();
    assert_eq!((status, &opened["authenticated"], &opened["established"]), (200, &json!(true), &json!(true)));
    assert_eq!(desk.call("GET", ACCOUNTS).1["accounts"], json!(["DU0000001"]));
    desk.now += 359;
    assert_eq!(desk.call("GET", ACCOUNTS).0, 200);
    assert_eq!(desk.call("GET", TICKLE).1["session"], tickle["session"]);
    desk.now += 359;
    assert_eq!(desk.call("GET", ACCOUNTS).0, 200);
    desk.now += 1;
    assert_eq!(desk.call("GET", ACCOUNTS).0, 400);
    assert_eq!(desk.call("GET", "/portfolio/accounts").0, 200);
}

#[test]
fn publish_must_be_true() {
    let mut desk = Desk::new();
    let request = desk.signed("POST", OPEN, Some(("application/json", r#"{"publish":false,"compete":true}"#)));
    assert_eq!(desk.send(&request).0, 500);
    assert_eq!(desk.last_reason(), "publish_not_true");
}

#[test]
fn a_logout_ends_the_live_session_token_too() {
    let mut desk = Desk::new();
    assert_eq!(desk.call("POST", "/logout"), (200, json!({ "status": true })));
    assert_eq!(desk.call("POST", TICKLE), (401, json!({ "error": "not authenticated", "statusCode": 401 })));
    assert_eq!(desk.last_reason(), "live_session_token_expired");
}

#[test]
fn the_newest_live_session_token_and_the_one_before_it_are_valid_until_they_expire() {
    let mut desk = Desk::new();
    assert_eq!(desk.negotiate().0, 200);
    assert_eq!(desk.call("POST", TICKLE).0, 200, "the one before the newest");
    assert_eq!(desk.negotiate().0, 200);
    assert_eq!(desk.call("POST", TICKLE).0, 401, "replaced twice");

    let mut desk = Desk::new();
    desk.now += 3599;
    assert_eq!(desk.call("POST", TICKLE).0, 200);
    desk.now += 1;
    assert_eq!(desk.call("POST", TICKLE).0, 401);
    assert_eq!(desk.last_reason(), "live_session_token_expired");
}

#[test]
fn an_unknown_path_is_a_404_only_for_who_signs_rightly() {
    let mut desk = Desk::new();
    let request = desk.signed("GET", "/no/such/thing", None);
    let response = desk.raw(&request);
    assert_eq!(response.status(), 404);
    assert_eq!(response.body(), r#"{"error":"Resource not found","statusCode":404}"#);
    assert_eq!(response.headers()["date"], "Tue, 14 Nov 2023 22:13:20 GMT");
    let unsigned = request_with("GET", "/no/such/thing", &[]);
    assert_eq!(desk.raw(&unsigned).status(), 401);
    assert_eq!(desk.last_reason(), "authorization_missing");
}

fn request_with(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Bytes> {
    let mut builder = Request::builder().method(method).uri(format!("{BASE}{path}")).header("user-agent", "t");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Bytes::new()).unwrap()
}

#[test]
fn the_front_end_wants_a_user_agent_and_a_content_length() {
    let mut desk = Desk::new();
    let mut request = desk.signed("POST", TICKLE, None);
    request.headers_mut().remove("content-length");
    assert_eq!(desk.send(&request).0, 411);
    request.headers_mut().remove("user-agent");
    assert_eq!(desk.send(&request).0, 403);
}

#[test]
fn the_orders_arrive_once_the_accounts_were_queried() {
    let mut desk = Desk::new();
    desk.open();
    assert_eq!(desk.call("GET", ACCOUNTS).0, 200);
    let request = desk.signed(
        "POST",
        "/iserver/account/DU0000001/orders",
        Some(("application/json", r#"{"orders":[{"conid":8314}]}"#)),
    );
    let (status, body) = desk.send(&request);
    assert_eq!((status, &body[0]["order_status"]), (200, &json!("Submitted")));
    let request = desk.signed("POST", "/iserver/account/DU9/orders", Some(("application/json", r#"{"orders":[]}"#)));
    assert_eq!(desk.send(&request).0, 404);
    assert_eq!(desk.last_reason(), "account_unknown");
}

fn request_token_by_json(extra: &str) -> Request<Bytes> {
    let url = format!("{BASE}/oauth/request_token");
    let pairs = [
        ("oauth_callback", "https://bot.example/back?user=1"),
        ("oauth_consumer_key", test_keys::CONSUMER_KEY),
        ("oauth_nonce", "n"),
        ("oauth_signature_method", "RSA-SHA256"),
        ("oauth_timestamp", "1700000000"),
    ];
    let signature = rsa_signature(&base_string("POST", &url, &pairs));
    let mut fields: Vec<String> = pairs.iter().map(|(name, value)| format!("{name:?}:{value:?}")).collect();
    fields.push(format!("\"oauth_signature\":{signature:?}"));
    let body = format!("{{{}{extra}}}", fields.join(","));
    let mut request = request("POST", &url, "", Some(("application/json", &body)));
    request.headers_mut().remove("authorization");
    request
}

#[test]
fn the_parameters_may_stand_in_a_json_body() {
    let mut broker = Broker::builder().strict().build().unwrap();
    let mut entropy = Script::counting();
    let (status, body) = handle(&mut broker, START, &mut entropy, &request_token_by_json(""));
    assert_eq!(status, 200, "{:?}", broker.refusals());
    let token = body["oauth_token"].as_str().unwrap();
    let page = format!("https://interactivebrokers.com/authorize?oauth_token={token}");
    let callback = broker.consent(&mut Context::new(Timestamp::from_secs(START), &mut entropy), &page.parse().unwrap());
    let start = format!("https://bot.example/back?user=1&oauth_token={token}&oauth_verifier=");
    assert!(callback.unwrap().starts_with(&start));

    for (extra, reason) in [
        (r#","oauth_nonce":"n""#, "parameter_repeated"),
        (r#","realm":"limited_poa""#, "parameter_unknown"),
        (r#","oauth_version":1"#, "parameters_malformed"),
    ] {
        assert_ne!(handle(&mut broker, START, &mut entropy, &request_token_by_json(extra)).0, 200);
        assert_eq!(broker.refusals().last().unwrap().reason, reason);
    }
}

#[test]
fn a_redirect_replaces_the_path_or_the_whole_callback() {
    for (redirect, expected) in [
        ("%2Foauth%2Fv2", "https://www.example.com/oauth/v2?oauth_token="),
        ("https%3A%2F%2Felse.example%2Fx", "https://else.example/x?oauth_token="),
    ] {
        let mut broker = Broker::builder().strict().build().unwrap();
        let mut entropy = Script::counting();
        let pairs = [
            ("oauth_callback", "oob"),
            ("oauth_consumer_key", test_keys::CONSUMER_KEY),
            ("oauth_nonce", "n"),
            ("oauth_timestamp", "1700000000"),
        ];
        let request = sign_in(&format!("{BASE}/oauth/request_token"), "limited_poa", "", &pairs);
        let (_, body) = handle(&mut broker, START, &mut entropy, &request);
        let token = body["oauth_token"].as_str().unwrap();
        let page = format!("https://www.interactivebrokers.com/authorize?oauth_token={token}&redirect_uri={redirect}");
        let mut cx = Context::new(Timestamp::from_secs(START), &mut entropy);
        let callback = broker.consent(&mut cx, &page.parse().unwrap()).unwrap();
        assert!(callback.starts_with(expected), "{callback}");
        let again = broker.consent(&mut cx, &page.parse().unwrap()).unwrap_err();
        assert_eq!(again.reason, "request_token_used");
        assert_eq!(broker.refusals(), [again]);
    }
}

#[test]
fn a_first_party_is_refused_a_request_token_and_an_inactive_consumer_everything() {
    let pairs = [
        ("oauth_callback", "oob"),
        ("oauth_consumer_key", test_keys::CONSUMER_KEY),
        ("oauth_nonce", "n"),
        ("oauth_timestamp", "1700000000"),
    ];
    let request = sign_in(&format!("{BASE}/oauth/request_token"), "limited_poa", "", &pairs);
    let mut broker = Broker::builder().strict().first_party_only(true).build().unwrap();
    assert_eq!(handle(&mut broker, START, &mut Script::counting(), &request).0, 401);
    assert_eq!(broker.refusals()[0].reason, "first_party_only");
    let mut broker = Broker::builder().strict().active(false).build().unwrap();
    let (status, body) = handle(&mut broker, START, &mut Script::counting(), &request);
    assert_eq!((status, body), (401, json!({ "error": "id: 10001, error: invalid consumer", "statusCode": 401 })));
}

#[test]
fn the_secret_never_shows_in_a_refusal_or_in_the_broker() {
    let mut desk = Desk::new();
    let pairs = [
        ("oauth_consumer_key", test_keys::CONSUMER_KEY),
        ("oauth_nonce", "n"),
        ("oauth_timestamp", "1700000000"),
        ("oauth_token", TOKEN),
        ("diffie_hellman_challenge", "abcdef"),
    ];
    let (status, body) = desk.send(&sign_in(&format!("{BASE}/oauth/live_session_token"), "limited_poa", "", &pairs));
    assert_eq!(status, 401);
    assert_eq!(body["error"], "id: 10001, error: LST failed, error: ");
    let refusal = &desk.broker.refusals()[0];
    let said = refusal.to_string();
    assert!(said.contains("the access token's secret does not precede the base string"), "{said}");
    assert!(said.contains("expected base string: [secret]POST&https%3A"), "{said}");
    assert!(refusal.expected_base_string.as_deref().unwrap().starts_with("POST&https%3A"));
    let secret = "07".repeat(32);
    assert!(!said.contains(&secret) && !format!("{refusal:?}{:?}", desk.broker).contains(&secret));
}

#[test]
fn a_fault_waits_for_its_path_counts_and_is_spent() {
    let mut desk = Desk::new();
    desk.broker.inject(Fault::status(503).with_body("", "").at(TICKLE).times(2));
    assert_eq!(desk.call("GET", "/portfolio/accounts").0, 200);
    for expected in [503, 503, 200] {
        assert_eq!(desk.call("POST", TICKLE).0, expected);
    }
    desk.broker.inject(Fault::status(429).after(1));
    for expected in [200, 429, 200] {
        assert_eq!(desk.call("POST", TICKLE).0, expected);
    }
    assert_eq!(desk.broker.refusals(), []);
}

#[test]
fn faults_answer_in_the_brokers_place() {
    let mut desk = Desk::new();
    let mut answered = |fault: Fault| {
        desk.broker.inject(fault);
        let request = desk.signed("POST", TICKLE, None);
        let response = desk.raw(&request);
        let content_type = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), content_type, String::from_utf8(response.body().to_vec()).unwrap())
    };
    assert_eq!(answered(Fault::status(500).with_body("", "")), (500, None, String::new()));
    assert_eq!(answered(Fault::status(502).with_body("text/html", "<h1>Unavailable</h1>")).1.unwrap(), "text/html");
    let body = answered(Fault::status(401).with_body("text/plain", "not authenticated"));
    assert_eq!(body, (401, Some("text/plain".to_owned()), "not authenticated".to_owned()));
    let problem = answered(Fault::problem(401, "Access token expired"));
    assert_eq!(problem.1.unwrap(), "application/problem+json");
    assert!(answered("invalid-consumer".parse::<Fault>().unwrap()).2.contains("error: invalid consumer"));
    assert_eq!(answered(Fault::status(7)).0, 500);
}

#[test]
fn a_lost_request_was_not_seen_and_a_lost_reply_was_given() {
    let mut desk = Desk::new();
    let request = desk.signed("POST", TICKLE, None);
    desk.broker.inject(Fault::drop_request());
    desk.broker.inject(Fault::drop_response());
    assert_eq!(desk.raw(&request).extensions().get(), Some(&Dropped::Request));
    assert_eq!(desk.broker.refusals(), []);
    let response = desk.raw(&request);
    assert_eq!((response.status().as_u16(), response.extensions().get()), (504, Some(&Dropped::Response)));
    assert_eq!(desk.raw(&request).status(), 401);
    assert_eq!(desk.last_reason(), "nonce_repeated");
}

#[test]
fn faults_of_the_brokerage_session() {
    let mut desk = Desk::new();
    desk.broker
        .inject(Fault::status(200).with_body("application/json", r#"{"wait":3000}"#).at("/iserver/auth/ssodh/init"));
    assert_eq!(desk.open(), (200, json!({ "wait": 3000 })));
    assert_eq!(desk.call("GET", ACCOUNTS).0, 400);

    desk.broker.inject(Fault::no_bridge_for(Duration::from_secs(5)));
    assert_eq!(desk.open().1["established"], false);
    desk.now += 4;
    assert_eq!(desk.call("GET", ACCOUNTS).0, 400);
    desk.now += 1;
    assert_eq!(desk.call("GET", ACCOUNTS).0, 200);

    desk.broker.inject(Fault::not_authenticated().at(TICKLE));
    assert_eq!(desk.call("POST", TICKLE).1["iserver"]["authStatus"]["authenticated"], false);
    assert_eq!(desk.call("GET", ACCOUNTS).0, 400);
    desk.open();
    desk.broker.inject(Fault::competing().at("/iserver/auth/status"));
    assert_eq!(desk.call("POST", "/iserver/auth/status").1["competing"], true);
    assert_eq!(desk.call("GET", ACCOUNTS).0, 400);
}

#[test]
fn faults_of_the_live_session_token() {
    let plain = Desk::new().negotiate().1;
    let with = |fault: Fault| {
        let mut desk = Desk::new();
        desk.broker.inject(fault);
        desk.negotiate().1
    };
    let proof = plain["live_session_token_signature"].as_str().unwrap();
    let wrong = with("wrong-proof".parse::<Fault>().unwrap());
    assert_ne!(wrong["live_session_token_signature"], proof);
    assert_eq!(wrong["live_session_token_signature"].as_str().unwrap().len(), 40);
    assert_eq!(with("no-expiration".parse::<Fault>().unwrap()).get("live_session_token_expiration"), None);
    assert_eq!(with(Fault::set_field("live_session_token_expiration", "-1"))["live_session_token_expiration"], -1);
    assert_eq!(with(Fault::drop_field("diffie_hellman_response")).get("diffie_hellman_response"), None);
    let no_secret = with("no-access-secret".parse::<Fault>().unwrap());
    assert_eq!(
        no_secret["error"],
        format!("id: 10001, error: LST failed, error: No access secret key found for {TOKEN}")
    );
    assert_eq!(with("lst-failed".parse::<Fault>().unwrap())["error"], "id: 10001, error: LST failed, error: ");
    assert_eq!(with("wrong-response".parse().unwrap())["diffie_hellman_response"], "1");
}

#[test]
fn faults_of_time() {
    let mut desk = Desk::new();
    desk.broker.inject(Fault::expire_live_session_token().after(1));
    assert_eq!(desk.call("POST", TICKLE).0, 200);
    assert_eq!(desk.call("POST", TICKLE).0, 401);
    assert_eq!(desk.last_reason(), "live_session_token_expired");

    let mut desk = Desk::new();
    desk.broker.inject(Fault::clock_step(300));
    assert_eq!(desk.call("POST", TICKLE).0, 200);
    desk.broker.inject(Fault::clock_step(1));
    assert_eq!(desk.call("POST", TICKLE).0, 401);
    assert_eq!(desk.last_reason(), "timestamp_outside_window");
    desk.broker.inject(Fault::clock_step(-601));
    assert_eq!(desk.call("POST", TICKLE).0, 200);
}

#[test]
fn odd_requests_get_an_answer_each() {
    let mut desk = Desk::new();
    for uri in [
        "/",
        "*",
        "/v1/api/tickle",
        "api.ibkr.com:443",
        "https://api.ibkr.com",
        "https://api.ibkr.com:/v1/api/tickle",
        "https://api.ibkr.com:443/v1/api/tickle",
        "https://api.ibkr.com:99999/v1/api/tickle",
        "https://u:p@api.ibkr.com/v1/api/tickle",
        "https://[::1]:1/v1/api",
        "https://api.ibkr.com/v1/api",
        "https://api.ibkr.com/v1/api/",
        "https://api.ibkr.com/v1/apix/tickle",
        "https://api.ibkr.com/v1/api/%2e%2E/tickle",
        "https://api.ibkr.com/v1/api/tickle?%&=&&%zz=%",
        "https://api.ibkr.com/v1/api/oauth/live_session_token?a=%",
    ] {
        for authorization in ["", "OAuth", "OAuth ", "OAuth =", "OAuth a=\"", "OAuth a=\"%\"", "OAuth a=\"1\",", "B x"]
        {
            let mut request = request("POST", "/", authorization, None);
            *request.uri_mut() = uri.parse().unwrap();
            let before = desk.broker.refusals().len();
            assert!(desk.raw(&request).status().is_client_error());
            assert_eq!(desk.broker.refusals().len(), before + 1);
        }
    }
}

#[test]
fn a_broker_is_not_made_of_what_cannot_work() {
    for url in
        ["", "/v1", "ftp://h/v1", "https://h/v1/", "https://h/", "https://h/a//b", "https://h/v1?a", "https://u@h/v1"]
    {
        assert!(Broker::builder().strict().base_url(url).build().is_err(), "{url}");
    }
    assert!(Broker::builder().strict().base_url("http://127.0.0.1:8080").build().is_ok());
    for url in ["", "oob", "/callback", "https://h/#a"] {
        assert!(Broker::builder().strict().callback(url).build().is_err(), "{url}");
    }
    assert!(Broker::builder().strict().signature_public_key(test_keys::SIGNATURE_KEY).build().is_err());
    assert!(Broker::builder().strict().encryption_public_key("").build().is_err());
    for (digits, works) in [(127, false), (128, true)] {
        let group = ibkr_oauth::dh::DhGroup::read(format!("0x{}", "f".repeat(digits))).unwrap();
        assert_eq!(Broker::builder().strict().dh_params(&group).build().is_ok(), works, "{digits}");
    }
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let day = || {
        let mut desk = Desk::new();
        let answers = format!("{:?}{:?}", desk.negotiate(), desk.open());
        answers + &format!("{:?}{:?}", desk.call("POST", TICKLE), desk.call("GET", "/nothing"))
    };
    assert_eq!(day(), day());
}
