//! What a frame of market data costs in a stream, beside reading the same as a `serde_json::Value`.
#![allow(missing_docs, reason = "criterion's macros write none")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark may fail")]

mod requests;

use criterion::{Criterion, criterion_group, criterion_main};
use ibkr_oauth::{
    Context, Timestamp,
    bytes::Bytes,
    session::{self, Session, SessionConfig},
    simulator::{Broker, test_keys},
    stream::{Input, Message, Output, Stream, StreamConfig, Topic},
};
use requests::{NOW, SeededEntropy};
use serde_json::Value;

const FRAME: &[u8] = br#"{"server_id":"q0","conidEx":"265598","conid":265598,"_updated":1700000000000,"6119":"q0",
"31":"187.20","84":"187.19","86":"187.21","85":"300","88":"1,200","topic":"smd+265598"}"#;

/// A session and the broker's half of it.
struct Desk {
    session: Session,
    broker: Broker,
    now: Timestamp,
    rng: SeededEntropy,
}

impl Desk {
    fn new() -> Self {
        let (mut broker, mut rng) = (Broker::default(), SeededEntropy(1));
        let token = test_keys::unlocked_token(&mut broker, &mut Context::new(NOW, &mut rng)).unwrap();
        let session = Session::new(test_keys::consumer().unwrap(), token, SessionConfig::default());
        Self { session, broker, now: NOW, rng }
    }

    /// Does what the session wants, until its next deadline, and says when that is.
    fn settle(&mut self) -> Timestamp {
        loop {
            let cx = &mut Context::new(self.now, &mut self.rng);
            match self.session.poll_output(cx) {
                session::Output::Transmit { id, request, .. } => {
                    let response = self.broker.handle(cx, &request);
                    self.session.handle_input(cx, session::Input::Response { id, response });
                }
                session::Output::Timeout { at } => return at,
                _ => {}
            }
        }
    }

    /// A stream that has a connection and is ready for market data.
    fn stream(&mut self) -> Stream {
        let mut stream = Stream::new(StreamConfig::default());
        stream.subscribe(&Topic::market_data(265_598, &["31", "84", "86"])).unwrap();
        loop {
            let next = self.settle();
            let cx = &mut Context::new(self.now, &mut self.rng);
            match stream.poll_output(cx, self.session.view()) {
                Output::Open(_) => {
                    stream.handle_input(cx, Input::Opened);
                    let status = Bytes::from_static(br#"{"topic":"sts","args":{"authenticated":true}}"#);
                    stream.handle_input(cx, Input::Frame(status));
                    message(&mut stream, cx, &self.session);
                    return stream;
                }
                Output::Tickle => self.session.handle_input(cx, session::Input::Tickle),
                Output::Timeout { at } => {
                    self.now = at.min(next);
                    let cx = &mut Context::new(self.now, &mut self.rng);
                    self.session.handle_input(cx, session::Input::Timeout);
                    stream.handle_input(cx, Input::Timeout);
                }
                _ => {}
            }
        }
    }
}

/// What a frame brings to the application.
fn message(stream: &mut Stream, cx: &mut Context<'_>, session: &Session) -> Option<Message> {
    let mut found = None;
    loop {
        match stream.poll_output(cx, session.view()) {
            Output::Message(message) => found = Some(message),
            Output::Timeout { .. } => return found,
            _ => {}
        }
    }
}

fn frames(criterion: &mut Criterion) {
    let mut desk = Desk::new();
    let mut stream = desk.stream();
    let Desk { session, now, mut rng, .. } = desk;
    let cx = &mut Context::new(now, &mut rng);
    let frame = Bytes::from_static(FRAME);
    let mut group = criterion.benchmark_group("a frame");
    group.bench_function("through a stream", |bencher| {
        bencher.iter(|| {
            stream.handle_input(cx, Input::Frame(frame.clone()));
            message(&mut stream, cx, &session).unwrap()
        });
    });
    group.bench_function("as a Value", |bencher| bencher.iter(|| serde_json::from_slice::<Value>(FRAME).unwrap()));
    group.finish();
}

criterion_group!(benches, frames);
criterion_main!(benches);
