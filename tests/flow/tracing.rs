//! What is told to `tracing`: the names of the documentation, and nothing secret.

use std::{
    fmt::{Debug, Write as _},
    sync::{Mutex, atomic::AtomicU64, atomic::Ordering},
};

use crate::fixture::{self, NOW, SeededEntropy};
use ibkr_oauth::{
    Compete, Context, Timestamp,
    session::{Input, Output, Session, SessionConfig},
    simulator::{Broker, test_keys},
};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Writes down every span and event with all its fields.
struct Recorder(AtomicU64);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

fn note(kind: &str, metadata: &Metadata<'_>, record: impl FnOnce(&mut Line)) {
    let mut line = Line(format!("{kind} {} {} {}", metadata.level(), metadata.target(), metadata.name()));
    record(&mut line);
    LINES.lock().unwrap().push(line.0);
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        note("span", span.metadata(), |line| span.record(line));
        Id::from_u64(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        note("event", event.metadata(), |line| event.record(line));
    }

    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn names_are_as_documented_and_nothing_is_secret() {
    tracing::subscriber::set_global_default(Recorder(AtomicU64::new(0))).unwrap();
    let mut broker = Broker::builder().strict().build().unwrap();
    let mut rng = SeededEntropy(3);
    let token = test_keys::unlocked_token(&mut broker, &mut Context::new(NOW, &mut rng)).unwrap();
    let name = token.token().to_owned();
    let consumer = test_keys::consumer().unwrap();
    broker.inject("no-access-secret".parse().unwrap());
    let mut session = Session::new(consumer, token, SessionConfig::default());
    let mut secrets = vec![name];
    let mut now = NOW;
    loop {
        match session.poll_output(&mut Context::new(now, &mut rng)) {
            Output::Transmit { id, request, .. } => {
                secrets.push(request.headers()["authorization"].to_str().unwrap()[..60].to_owned());
                let response = broker.handle(&mut Context::new(now, &mut SeededEntropy(4)), &request);
                session.handle_input(&mut Context::new(now, &mut rng), Input::Response { id, response });
            }
            Output::Timeout { at, .. } => {
                now = at;
                let input =
                    if now < Timestamp::from_secs(NOW.as_secs() + 300) { Input::Timeout } else { Input::Shutdown };
                session.handle_input(&mut Context::new(now, &mut rng), input);
            }
            Output::Finished => break,
            _ => {}
        }
    }
    let signer = fixture::signer(&fixture::consumer_builder().build().unwrap());
    let exchange = signer.brokerage().open(&mut Context::new(NOW, &mut rng), Compete::Yield).unwrap();
    exchange.complete(fixture::reply(429, "MARKER")).unwrap_err();

    let lines = LINES.lock().unwrap();
    let all = lines.join("\n");
    for expected in [
        "event DEBUG ibkr_oauth::exchange event src/trace.rs",
        "message=exchange made stage=live session token method=POST host=\"api.ibkr.com\" path=\"/v1/api/oauth/live_session_token\"",
        "span DEBUG ibkr_oauth::exchange reply stage=live session token status=401",
        "message=exchange failed kind=\"rejected\" cause=\"access_token_secret_missing\"",
        "message=failed stage=live session token kind=\"rejected\" cause=\"access_token_secret_missing\"",
        "message=exchange succeeded",
        "message=state changed from=Negotiating to=Opening",
        "message=exchange failed kind=\"unavailable\" cause=\"rate_limited\"",
    ] {
        assert!(all.contains(expected), "{expected} is missing:\n{all}");
    }
    secrets.extend(["MARKER".to_owned(), fixture::hex(&fixture::LIVE), fixture::TOKEN.to_owned(), "oauth_".to_owned()]);
    for secret in secrets {
        assert!(!all.contains(&secret), "{secret} is told:\n{all}");
    }
    // Each message of the tests stands in the table, with its target.
    let table = include_str!("../../src/trace.md");
    for line in lines.iter().filter(|line| line.contains(" ibkr_oauth::")) {
        let target = line.split_whitespace().nth(2).unwrap();
        let message = match line.split_once("message=") {
            Some((_, rest)) => {
                rest.split(" stage=").next().unwrap().split(" from=").next().unwrap().split(" kind=").next().unwrap()
            }
            None => "reply",
        };
        assert!(table.contains(&format!("`{message}`")) && table.contains(&format!("`{target}`")), "{line}");
    }
}
