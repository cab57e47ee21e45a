//! Arbitrary inputs, at arbitrary times, with arbitrary contents.

use std::{collections::HashSet, sync::LazyLock, time::Duration};

use crate::known_user;
use crate::simulation::authorization_header::AuthorizationHeader;
use ibkr_oauth::{
    Context, Signer, Timestamp, TokenId,
    bytes::Bytes,
    http::{HeaderMap, HeaderValue, Request, Response, StatusCode},
    key::{RsaKey, SigningInput, SigningKey as _},
    session::{
        CompetePolicy, ExchangeId, Failure, FailureKind, Input, OnShutdown, Output, Session, SessionConfig,
        SessionEvent, State,
    },
    simulator::{Broker, SeededEntropy, test_keys},
};
use proptest::prelude::*;

use crate::machine::report;

/// The key in the key store.
static SIGNATURE_KEY: LazyLock<RsaKey> = LazyLock::new(|| RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap());

#[derive(Clone, Debug)]
enum Operation {
    /// The broker answers the request that was sent last.
    Answer,
    /// Somebody answers one of the requests that were ever sent: this, with this status, body, `Date` and `Retry-After`.
    Reply(usize, u16, usize, Option<u64>, Option<usize>),
    Garbage(usize, u16, Vec<u8>),
    Fail(usize, usize),
    Sign(usize, Vec<u8>),
    /// The key store answers what it was asked last.
    SignRightly,
    /// The application signs a request of its own, and sends it.
    Request,
    Observe(bool, u16),
    Timeout,
    /// Waits for the deadline, then says so.
    Wait,
    Shutdown,
    Advance(u64),
    Back(u64),
    Jump(u64),
    /// One output is fetched; after every other operation all are.
    PollOnce,
    Expire,
}

#[derive(Clone, Debug)]
pub(crate) struct Operations {
    start: u64,
    /// Whether the signature key is elsewhere.
    remote: bool,
    config: (bool, usize, bool, bool, Vec<u64>),
    sequence: Vec<Operation>,
}

const BODIES: [&str; 12] = [
    "",
    "{}",
    "[]",
    "<html>",
    r#"{"error":"no"}"#,
    r#"{"wait":0}"#,
    r#"{"wait":18446744073709551615}"#,
    r#"{"authenticated":true,"connected":true,"established":true}"#,
    r#"{"authenticated":true,"competing":true}"#,
    r#"{"authenticated":false,"competing":false,"fail":"x"}"#,
    r#"{"iserver":{"authStatus":{"authenticated":true,"competing":true}}}"#,
    r#"{"iserver":{"authStatus":{"authenticated":false}},"status":true}"#,
];

const RETRY_AFTER: [&str; 6] =
    ["0", "1", "18446744073709551615", "-1", "Tue, 14 Nov 2023 22:15:20 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"];

fn moment() -> impl Strategy<Value = u64> {
    let named = [0, 1, 999, 1_700_000_000_000, 253_402_300_799_999, u64::MAX / 4, u64::MAX - 1, u64::MAX];
    prop_oneof![4 => prop::sample::select(named.to_vec()), 1 => any::<u64>(), 3 => 1_600_000_000_000..1_800_000_000_000_u64]
}

fn status() -> impl Strategy<Value = u16> {
    let usual = vec![200, 200, 200, 400, 401, 403, 408, 410, 429, 500, 503];
    prop_oneof![4 => prop::sample::select(usual), 1 => 100..1000_u16]
}

fn operation() -> impl Strategy<Value = Operation> {
    let any_body = prop::collection::vec(any::<u8>(), 0..40);
    let date = prop::option::of(0..253_402_300_799_u64);
    prop_oneof![
        8 => Just(Operation::Answer),
        6 => (0..4_usize, status(), 0..BODIES.len(), date, prop::option::of(0..RETRY_AFTER.len()))
            .prop_map(|(id, status, body, date, after)| Operation::Reply(id, status, body, date, after)),
        1 => (0..4_usize, status(), any_body.clone()).prop_map(|(id, status, body)| Operation::Garbage(id, status, body)),
        2 => (0..4_usize, 0..5_usize).prop_map(|(id, kind)| Operation::Fail(id, kind)),
        1 => (0..4_usize, any_body).prop_map(|(id, signature)| Operation::Sign(id, signature)),
        6 => Just(Operation::SignRightly),
        2 => Just(Operation::Request),
        3 => (any::<bool>(), status()).prop_map(|(current, status)| Operation::Observe(current, status)),
        2 => Just(Operation::Timeout),
        8 => Just(Operation::Wait),
        1 => prop::bool::weighted(0.1).prop_map(|really| if really { Operation::Shutdown } else { Operation::Timeout }),
        3 => (0..200_000_u64).prop_map(Operation::Advance),
        1 => (0..200_000_000_u64).prop_map(Operation::Advance),
        2 => (0..400_000_u64).prop_map(Operation::Back),
        1 => moment().prop_map(Operation::Jump),
        3 => Just(Operation::PollOnce),
        1 => Just(Operation::Expire),
    ]
}

pub(crate) fn sequence() -> impl Strategy<Value = Operations> {
    let wait = prop_oneof![
        4 => prop::sample::select(vec![0, 1, 1000, 60_000, 900_000]),
        1 => prop::sample::select(vec![u64::MAX / 4, u64::MAX]),
    ];
    let waits = prop::collection::vec(wait, 4);
    let config = (any::<bool>(), 0..3_usize, any::<bool>(), any::<bool>(), waits);
    let sequence = prop::collection::vec(operation(), 1..60);
    (moment(), any::<bool>(), config, sequence).prop_map(|(start, remote, config, sequence)| Operations {
        start,
        remote,
        config,
        sequence,
    })
}

/// A key store that takes its time, an application that signs meanwhile, and a clock that is set.
pub(crate) fn key_store() -> impl Strategy<Value = Operations> {
    let operation = prop_oneof![
        6 => Just(Operation::SignRightly),
        6 => Just(Operation::Answer),
        6 => Just(Operation::Request),
        6 => (0..20_000_u64).prop_map(Operation::Advance),
        2 => Just(Operation::Advance(13 * 3_600_000)),
        1 => (0..400_000_u64).prop_map(Operation::Back),
        1 => Just(Operation::Timeout),
    ];
    let hour = 3_600_000;
    let config = (false, 0, false, true, vec![24 * hour, 24 * hour, 60_000, hour]);
    prop::collection::vec(operation, 1..120).prop_map(move |sequence| Operations {
        start: 1_700_000_000_000,
        remote: true,
        config: config.clone(),
        sequence,
    })
}

struct Bench {
    session: Session,
    broker: Broker,
    now: Timestamp,
    entropy: SeededEntropy,
    sent: Vec<(ExchangeId, Request<Bytes>)>,
    to_sign: Option<(ExchangeId, SigningInput)>,
    nonces: HashSet<String>,
    /// The greatest timestamp since the clock stepped.
    timestamp: u64,
    /// What waits for its answer, and since when nobody waits for it any more.
    outstanding: Option<(ExchangeId, Timestamp)>,
    deadline: Option<Timestamp>,
    signer: Option<Signer>,
    token_ids: Vec<TokenId>,
}

impl Operations {
    fn config(&self) -> SessionConfig {
        let (brokerage, compete, correct_clock, log_out, waits) = self.config.clone();
        let wait = |index: usize| Duration::from_millis(waits[index]);
        let mut config = SessionConfig::default();
        config.brokerage = brokerage;
        config.compete = [CompetePolicy::Yield, CompetePolicy::TakeOnce, CompetePolicy::TakeAlways][compete];
        config.correct_clock = correct_clock;
        config.on_shutdown = if log_out { OnShutdown::LogOut } else { OnShutdown::LeaveOpen };
        config.tickle_interval = wait(0);
        config.renewal_margin = wait(1);
        config.response_timeout = wait(2);
        config.displaced_retry = wait(3);
        config
    }

    pub(crate) fn perform(&self) {
        let consumer = if self.remote { known_user::consumer_with_remote_key() } else { known_user::consumer() };
        let session = Session::new(consumer, known_user::token(), self.config());
        let broker = known_user::known_to(Broker::builder().strict()).build().unwrap();
        let now = Timestamp::from_millis(self.start);
        let mut bench = Bench {
            session,
            broker,
            now,
            entropy: SeededEntropy::new(self.start),
            sent: Vec::new(),
            to_sign: None,
            nonces: HashSet::new(),
            timestamp: 0,
            outstanding: None,
            deadline: None,
            signer: None,
            token_ids: Vec::new(),
        };
        bench.drain();
        for operation in &self.sequence {
            bench.perform(operation);
            if !matches!(operation, Operation::PollOnce) {
                bench.drain();
            }
        }
    }
}

impl Bench {
    fn handle(&mut self, input: Input) {
        if let Input::Response { id, .. } | Input::Failed { id, .. } | Input::Signed { id, .. } = &input {
            self.outstanding.take_if(|(outstanding, _)| outstanding == id);
        }
        self.session.handle_input(&mut Context::new(self.now, &mut self.entropy), input);
    }

    /// The id of the newest request but so many, if there are as many.
    fn id(&self, before: usize) -> Option<ExchangeId> {
        self.sent.iter().rev().nth(before).map(|(id, _)| *id)
    }

    fn perform(&mut self, operation: &Operation) {
        match operation {
            Operation::Answer => {
                if let Some((id, request)) = self.sent.last() {
                    let id = *id;
                    let response = self.broker.handle(&mut Context::new(self.now, &mut self.entropy), request);
                    self.handle(Input::Response { id, response });
                }
            }
            Operation::Reply(id, status, body, date, after) => {
                let mut response = Response::new(Bytes::from_static(BODIES[*body].as_bytes()));
                *response.status_mut() = StatusCode::from_u16(*status).unwrap();
                if let Some(date) = date {
                    let date = std::time::UNIX_EPOCH + Duration::from_secs(*date);
                    let date = HeaderValue::try_from(httpdate::fmt_http_date(date)).unwrap();
                    response.headers_mut().insert("date", date);
                }
                if let Some(after) = after {
                    response.headers_mut().insert("retry-after", HeaderValue::from_static(RETRY_AFTER[*after]));
                }
                if let Some(id) = self.id(*id) {
                    self.handle(Input::Response { id, response });
                }
            }
            Operation::Garbage(id, status, body) => {
                let mut response = Response::new(Bytes::from(body.clone()));
                *response.status_mut() = StatusCode::from_u16(*status).unwrap();
                if let Some(id) = self.id(*id) {
                    self.handle(Input::Response { id, response });
                }
            }
            Operation::Fail(id, kind) => {
                use FailureKind::{MaybeSent, NotSent, Refused, TimedOut, TooLarge};
                let kind = [NotSent, MaybeSent, TimedOut, TooLarge, Refused][*kind];
                if let Some(id) = self.id(*id) {
                    self.handle(Input::Failed { id, failure: Failure::new(kind, "") });
                }
            }
            Operation::Sign(id, signature) => {
                if let Some(id) = self.id(*id) {
                    self.handle(Input::Signed { id, signature: signature.clone() });
                }
            }
            Operation::SignRightly => {
                if let Some((id, input)) = self.to_sign.take() {
                    let signature = SIGNATURE_KEY.sign(&input, &mut self.entropy).unwrap();
                    self.handle(Input::Signed { id, signature });
                }
            }
            Operation::Request => {
                // Perhaps with a signer whose live session token the session has given up since.
                let Some(signer) = &self.signer else { return };
                let mut request = Request::get("https://api.ibkr.com/v1/api/portfolio/accounts").body(()).unwrap();
                if signer.sign(&mut Context::new(self.now, &mut self.entropy), &mut request).is_ok() {
                    self.note(request.headers());
                }
            }
            Operation::Observe(current, status) => {
                let token_id = if *current { self.session.view().token_id() } else { self.token_ids.first().copied() };
                if let Some(token_id) = token_id {
                    self.handle(Input::Reported(report(token_id, self.now, "/portfolio/accounts", *status, "", None)));
                }
            }
            Operation::Timeout => self.handle(Input::Timeout),
            Operation::Wait => {
                if let Some(at) = self.deadline {
                    self.now = self.now.max(at);
                    self.handle(Input::Timeout);
                }
            }
            Operation::Shutdown => {
                // Whoever wants to leave does not wait long for what is under way.
                let patience = self.now.min(LATEST).saturating_add(Duration::from_secs(5));
                if let Some((_, give_up_at)) = &mut self.outstanding {
                    *give_up_at = patience.min(*give_up_at);
                }
                self.handle(Input::Shutdown);
            }
            Operation::Advance(millis) => self.now = self.now.saturating_add(Duration::from_millis(*millis)),
            Operation::Back(millis) => self.set_back(self.now.saturating_sub(Duration::from_millis(*millis))),
            Operation::Jump(to) => self.set_back(Timestamp::from_millis(*to)),
            Operation::PollOnce => {
                self.poll();
            }
            Operation::Expire => {
                self.broker.inject(ibkr_oauth::simulator::Fault::expire_live_session_token());
            }
        }
    }

    fn set_back(&mut self, now: Timestamp) {
        let seen = self.now.min(LATEST).saturating_duration_since(now.min(LATEST));
        if let Some((_, give_up_at)) = &mut self.outstanding {
            *give_up_at = give_up_at.saturating_sub(seen);
        }
        self.now = now;
    }

    fn expect(&mut self, id: ExchangeId, give_up_at: Timestamp) {
        let earlier = self.outstanding.replace((id, give_up_at));
        let now = self.now.min(LATEST);
        assert!(earlier.is_none_or(|(_, at)| at <= now), "one exchange at a time: {earlier:?} at {now}");
    }

    /// Takes note of a signature that was sent.
    fn note(&mut self, headers: &HeaderMap) {
        let header: AuthorizationHeader = headers["authorization"].to_str().unwrap().parse().unwrap();
        assert!(self.nonces.insert(header.get("oauth_nonce").unwrap().to_owned()), "a nonce is used once");
        let timestamp = header.get("oauth_timestamp").unwrap().parse().unwrap();
        assert!(timestamp >= self.timestamp, "timestamps never decrease: {timestamp} after {}", self.timestamp);
        self.timestamp = timestamp;
    }

    fn poll(&mut self) -> bool {
        match self.session.poll_output(&mut Context::new(self.now, &mut self.entropy)) {
            Output::Transmit { id, request, give_up_at } => {
                self.expect(id, give_up_at);
                self.note(request.headers());
                self.sent.push((id, request));
            }
            Output::Sign { id, input, give_up_at } => {
                self.expect(id, give_up_at);
                self.to_sign = Some((id, input));
            }
            Output::Event(SessionEvent::ClockStepped { .. }) => {
                self.timestamp = 0;
                // What was to be signed is of no interest any more.
                let to_sign = self.to_sign.take().map(|(id, _)| id);
                self.outstanding.take_if(|(outstanding, _)| Some(*outstanding) == to_sign);
            }
            Output::Event(SessionEvent::Negotiated { token_id, .. }) => {
                self.token_ids.push(token_id);
                self.signer = self.session.view().signer().cloned().or(self.signer.take());
            }
            Output::Event(_) => {}
            Output::Timeout { at, .. } => {
                assert!(at > self.now.min(LATEST), "{at} lies ahead");
                self.deadline = Some(at);
                return true;
            }
            Output::Finished => {
                assert_eq!(self.session.view().state(), State::Closed);
                self.deadline = None;
                return true;
            }
            output => panic!("unheard of: {output:?}"),
        }
        false
    }

    fn drain(&mut self) {
        let mut calls = 0;
        while !self.poll() {
            calls += 1;
            assert!(calls < 60, "no end of outputs");
        }
    }
}

/// Later moments are all one to a session.
const LATEST: Timestamp = Timestamp::from_millis(u64::MAX / 4);
