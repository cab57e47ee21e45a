//! When the broker is there and for whom, and what it counts: competing programs, nights, maintenance, settling,
//! too many requests; accepted requests, handshakes.

use std::time::Duration;

use crate::scripted::Scripted;
use bytes::Bytes;
use http::{Method, Request};
use ibkr_oauth::{
    BrokerageStatus, Compete, Context, Secret, Signer, Timestamp, UnlockedToken,
    simulator::{Broker, BrokerBuilder, Dropped, Fault, test_keys},
};

const TOKEN: &str = "218c1d970d85a8442825";
const SECRET: [u8; 32] = [7; 32];
/// 22:13:20 UTC.
const START: u64 = 1_700_000_000;
const HOUR: u64 = 3600;

/// A broker and a signed-in client of it, on one clock.
struct Desk {
    broker: Broker,
    entropy: Scripted,
    millis: u64,
    signer: Signer,
}

impl Desk {
    fn new(change: impl FnOnce(BrokerBuilder) -> BrokerBuilder) -> Self {
        let mut broker = change(Broker::builder().strict().access_token(TOKEN, SECRET)).build().unwrap();
        let mut entropy = Scripted::default();
        let mut cx = Context::new(Timestamp::from_secs(START), &mut entropy);
        let token = UnlockedToken::from_plaintext(TOKEN, Secret::from(SECRET.to_vec()));
        let exchange = token.live_session_token(&test_keys::consumer().unwrap(), &mut cx).unwrap();
        let response = broker.handle(&mut cx, exchange.request());
        let signer = exchange.complete(response).unwrap().signer();
        Self { broker, entropy, millis: START * 1000, signer }
    }

    fn wait(&mut self, seconds: u64) {
        self.millis += seconds * 1000;
    }

    fn call(&mut self, method: Method, path: &str) -> (u16, Bytes) {
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = method;
        *request.uri_mut() = self.signer.consumer().endpoints().url(path).unwrap();
        request.headers_mut().insert("user-agent", "desk/1".parse().unwrap());
        request.headers_mut().insert("content-length", "0".parse().unwrap());
        let mut cx = Context::new(Timestamp::from_millis(self.millis), &mut self.entropy);
        self.signer.sign(&mut cx, &mut request).unwrap();
        let response = self.broker.handle(&mut cx, &request);
        (response.status().as_u16(), response.into_body())
    }

    fn accounts(&mut self) -> u16 {
        self.call(Method::GET, "/iserver/accounts").0
    }

    fn tickle(&mut self) -> u16 {
        self.call(Method::POST, "/tickle").0
    }

    fn open(&mut self, compete: Compete) -> BrokerageStatus {
        let mut cx = Context::new(Timestamp::from_millis(self.millis), &mut self.entropy);
        let exchange = self.signer.brokerage().open(&mut cx, compete).unwrap();
        let response = self.broker.handle(&mut cx, exchange.request());
        exchange.complete(response).unwrap()
    }

    fn status(&mut self) -> BrokerageStatus {
        let mut cx = Context::new(Timestamp::from_millis(self.millis), &mut self.entropy);
        let exchange = self.signer.brokerage().status(&mut cx).unwrap();
        let response = self.broker.handle(&mut cx, exchange.request());
        exchange.complete(response).unwrap()
    }

    fn reasons(&self) -> Vec<&'static str> {
        self.broker.refusals().iter().map(|refusal| refusal.reason).collect()
    }
}

fn flags(status: &BrokerageStatus) -> [Option<bool>; 3] {
    [status.authenticated, status.established, status.competing]
}

const DISPLACED: [Option<bool>; 3] = [Some(false), None, Some(true)];
const CLOSED: [Option<bool>; 3] = [Some(false), None, Some(false)];
const OPEN: [Option<bool>; 3] = [Some(true), Some(true), Some(false)];

#[test]
fn another_program_has_the_session_until_it_leaves() {
    let mut desk = Desk::new(|builder| builder);
    assert_eq!(flags(&desk.open(Compete::Yield)), OPEN);
    desk.broker.start_competing_session();
    assert_eq!(flags(&desk.status()), DISPLACED);
    assert_eq!(desk.accounts(), 400);
    assert_eq!(desk.reasons(), ["brokerage_session_closed"]);
    assert_eq!(flags(&desk.open(Compete::Yield)), DISPLACED);
    assert_eq!(desk.accounts(), 400);
    let (status, tickle) = desk.call(Method::POST, "/tickle");
    let tickle: serde_json::Value = serde_json::from_slice(&tickle).unwrap();
    assert_eq!((status, &tickle["iserver"]["authStatus"]["competing"]), (200, &true.into()));
    assert_eq!(desk.call(Method::GET, "/portfolio/accounts").0, 200);

    desk.broker.end_competing_session();
    assert_eq!(flags(&desk.status()), CLOSED);
    assert_eq!(desk.accounts(), 400);
    assert_eq!(flags(&desk.open(Compete::Yield)), OPEN);
    assert_eq!(desk.accounts(), 200);
    assert_eq!(desk.broker.brokerage_sessions_opened(), 2);
}

#[test]
fn another_program_is_thrown_out_by_who_competes() {
    let mut desk = Desk::new(|builder| builder.brokerage_session(true));
    desk.broker.start_competing_session();
    assert_eq!(flags(&desk.open(Compete::Take)), OPEN);
    assert_eq!(desk.accounts(), 200);
    desk.broker.end_competing_session();
    assert_eq!(flags(&desk.status()), OPEN, "who was thrown out leaves nothing behind");
}

#[test]
fn the_brokerage_session_ends_at_midnight_and_the_live_session_token_stays() {
    // Midnight is in 1 h 46 min 40 s in UTC, in 6 h 46 min 40 s in New York, in 46 min 40 s in Zug.
    for (offset, until_midnight) in [(0, 6400), (-18_000, 24_400), (3600, 2800), (-86_400, 6400), (i32::MAX, 81_153)] {
        let mut desk = Desk::new(|builder| builder.daily_reset(offset));
        desk.open(Compete::Take);
        let end = START * 1000 + until_midnight * 1000;
        while desk.millis + 300_000 < end {
            desk.wait(300);
            assert_eq!(desk.tickle(), 200);
        }
        desk.millis = end - 1;
        assert_eq!(desk.accounts(), 200, "{offset}");
        desk.millis = end;
        assert_eq!(desk.accounts(), 400, "{offset}");
        assert_eq!(flags(&desk.status()), CLOSED);
        assert_eq!(desk.tickle(), 200);

        assert_eq!(flags(&desk.open(Compete::Take)), OPEN, "until the next midnight");
        assert_eq!(desk.accounts(), 200);
    }
}

#[test]
fn without_a_daily_reset_there_is_none() {
    let mut desk = Desk::new(|builder| builder.brokerage_session(true));
    for _ in 0..23 * 12 {
        desk.wait(300);
        assert_eq!(desk.tickle(), 200);
    }
    assert_eq!(desk.accounts(), 200);
}

#[test]
fn a_live_session_token_lives_23_hours_and_55_minutes() {
    let mut desk = Desk::new(|builder| builder);
    desk.wait(23 * HOUR + 55 * 60 - 1);
    assert_eq!(desk.tickle(), 200);
    desk.wait(1);
    assert_eq!(desk.tickle(), 401);
    assert_eq!(desk.reasons(), ["live_session_token_expired"]);
}

#[test]
fn during_maintenance_everything_is_503() {
    let window = |from, until| (Timestamp::from_secs(START + from), Timestamp::from_secs(START + until));
    let mut desk = Desk::new(|builder| {
        let (from, until) = window(60, 120);
        let builder = builder.maintenance(from, until).brokerage_session(true);
        let (from, until) = window(200, 201);
        builder.maintenance(from, until)
    });
    for (wait, expected) in [(59, 200), (1, 503), (59, 503), (1, 200), (80, 503), (1, 200)] {
        desk.wait(wait);
        assert_eq!(desk.accounts(), expected, "{}", desk.millis);
    }
    assert!(desk.reasons().is_empty(), "the broker has looked at none of them");

    let mut desk = Desk::new(|builder| builder.maintenance(window(1, 2).0, window(1, 2).1));
    desk.wait(1);
    let bodies = [desk.call(Method::POST, "/tickle").1, desk.call(Method::POST, "/tickle").1];
    assert_eq!(bodies[0], "");
    assert_eq!(bodies[1], r#"{"error":"Service Unavailable","statusCode":503}"#);
}

#[test]
fn a_session_settles() {
    let mut desk = Desk::new(|builder| builder.settling(Duration::from_secs(3)));
    assert_eq!(flags(&desk.open(Compete::Take)), [Some(true), Some(false), Some(false)]);
    desk.wait(2);
    assert_eq!(desk.accounts(), 400);
    assert_eq!(flags(&desk.status()), [Some(true), Some(false), Some(false)]);
    desk.wait(1);
    assert_eq!(desk.accounts(), 200);
    assert_eq!(flags(&desk.status()), OPEN);

    desk.broker.inject(Fault::no_bridge_for(Duration::from_secs(5)));
    desk.open(Compete::Take);
    desk.wait(4);
    assert_eq!(desk.accounts(), 400, "the longer of the two counts");
    desk.wait(1);
    assert_eq!(desk.accounts(), 200);
}

#[test]
fn too_many_requests_open_the_penalty_box() {
    let mut desk = Desk::new(|builder| builder.rate_limit(3, Duration::from_secs(600)));
    desk.wait(1);
    for expected in [200, 200, 200] {
        desk.millis += 10;
        assert_eq!(desk.tickle(), expected);
    }
    // The first of the three is a second old, so that there is room for one.
    desk.millis += 980;
    assert_eq!(desk.tickle(), 200);
    assert_eq!(desk.tickle(), 429);
    assert_eq!(desk.reasons(), ["rate_exceeded"]);
    desk.wait(599);
    assert_eq!(desk.tickle(), 429);
    desk.millis += 999;
    assert_eq!(desk.call(Method::GET, "/nowhere").0, 429);
    assert_eq!(desk.reasons()[1..], ["penalty_box"; 2]);
    desk.millis += 1;
    assert_eq!(desk.tickle(), 200, "what was sent inside has not made it longer");
}

#[test]
fn the_limit_holds_for_each_second_of_a_long_run() {
    let mut desk = Desk::new(|builder| builder.rate_limit(10, Duration::from_secs(600)));
    desk.wait(1);
    for _ in 0..100 {
        assert_eq!(desk.tickle(), 200);
        desk.millis += 100;
    }
    assert!(desk.reasons().is_empty());
}

#[test]
fn a_request_that_never_arrives_is_not_counted() {
    let mut desk = Desk::new(|builder| builder.rate_limit(1, Duration::from_secs(600)));
    desk.wait(1);
    desk.broker.inject(Fault::drop_request().times(5));
    for _ in 0..5 {
        assert_eq!(desk.tickle(), 504);
    }
    assert_eq!(desk.tickle(), 200);
    desk.broker.inject(Fault::drop_response());
    assert_eq!(desk.tickle(), 504);
    assert_eq!(desk.reasons(), ["rate_exceeded"], "the one whose response is lost has arrived");
}

#[test]
fn a_fault_opens_the_penalty_box_which_no_fault_of_the_clock_changes() {
    let mut desk = Desk::new(|builder| builder);
    desk.broker.inject(Fault::penalty_box(Duration::from_secs(60)));
    assert_eq!(desk.tickle(), 429);
    assert!(desk.reasons().is_empty(), "nothing was sent inside it yet");
    desk.broker.inject(Fault::clock_step(120));
    desk.wait(59);
    assert_eq!(desk.tickle(), 429);
    assert_eq!(desk.reasons(), ["penalty_box"]);
    desk.wait(1);
    assert_eq!(desk.tickle(), 200);
}

#[test]
fn the_brokers_clock_may_be_off_from_the_start() {
    for (broker, expected) in [
        (Broker::builder().strict().clock_skew(5 * 60), None),
        (Broker::builder().strict().clock_skew(6 * 60), Some("timestamp_outside_window")),
        (Broker::builder().strict().clock_skew(-6 * 60), Some("timestamp_outside_window")),
    ] {
        let mut broker = broker.build().unwrap();
        let mut entropy = Scripted::default();
        let mut cx = Context::new(Timestamp::from_secs(START), &mut entropy);
        let signed_in = test_keys::sign_in(&mut broker, &mut cx).is_ok();
        assert_eq!(signed_in, expected.is_none());
        assert_eq!(broker.refusals().first().map(|refusal| refusal.reason), expected);
    }
}

#[test]
fn the_broker_counts_and_remembers_what_it_accepted() {
    let mut desk = Desk::new(|builder| builder);
    desk.wait(5);
    assert_eq!((desk.tickle(), desk.accounts()), (200, 400));
    desk.broker.inject(Fault::status(503));
    assert_eq!(desk.tickle(), 503);
    desk.broker.inject(Fault::drop_response());
    desk.broker.inject(Fault::drop_request());
    assert_eq!((desk.tickle(), desk.tickle()), (504, 504));

    assert_eq!(desk.broker.requests(), 6);
    assert_eq!(desk.broker.live_session_tokens_issued(), 1);
    assert_eq!(desk.broker.brokerage_sessions_opened(), 0);
    let logged: Vec<_> = desk
        .broker
        .accepted()
        .map(|accepted| {
            (accepted.method.as_str(), accepted.path.as_str(), accepted.timestamp, accepted.status.as_u16())
        })
        .collect();
    assert_eq!(
        logged,
        [
            ("POST", "/oauth/live_session_token", START, 200),
            ("POST", "/tickle", START + 5, 200),
            ("GET", "/iserver/accounts", START + 5, 400),
            ("POST", "/tickle", START + 5, 200),
        ],
        "neither what a fault answered nor what got lost on its way, but what was done though its answer got lost"
    );
    let last = desk.broker.accepted().next_back().unwrap();
    assert_eq!((last.token.as_deref(), last.at), (Some(TOKEN), Timestamp::from_secs(START + 5)));
    let mut nonces: Vec<&str> = desk.broker.accepted().map(|accepted| accepted.nonce.as_str()).collect();
    nonces.sort_unstable();
    nonces.dedup();
    assert_eq!(nonces.len(), 4);
}

#[test]
fn the_memory_of_what_was_accepted_is_bounded() {
    let mut desk = Desk::new(|builder| builder);
    for _ in 0..4096 {
        assert_eq!(desk.tickle(), 200);
    }
    assert_eq!(desk.broker.accepted().len(), 4096);
    assert!(desk.broker.accepted().all(|accepted| accepted.path == "/tickle"));
    assert_eq!(desk.broker.requests(), 4097);
}

#[test]
fn a_lost_reply_still_looks_lost_during_maintenance() {
    let (from, until) = (Timestamp::from_secs(START + 1), Timestamp::from_secs(START + 2));
    let mut desk = Desk::new(|builder| builder.maintenance(from, until));
    desk.wait(1);
    desk.broker.inject(Fault::drop_response());
    let mut cx = Context::new(Timestamp::from_millis(desk.millis), &mut desk.entropy);
    let exchange = desk.signer.brokerage().tickle(&mut cx).unwrap();
    let response = desk.broker.handle(&mut cx, exchange.request());
    assert_eq!((response.status().as_u16(), response.extensions().get()), (504, Some(&Dropped::Response)));
    assert_eq!(desk.broker.accepted().len(), 1);
}
