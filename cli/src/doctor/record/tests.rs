//! Recordings of the simulator, in this process and on a clock of its own.

mod answers;
mod bounds;
mod expected;
mod markers;
mod replays;

use std::time::Duration;

use ibkr_oauth::{
    Context, Secret, Timestamp, UnlockedToken,
    bytes::Bytes,
    http::{Request, Response},
    simulator::{Broker, BrokerBuilder, Dropped, SeededEntropy, test_keys},
};

use super::{
    interview::{self, Line, MOST, Wishes},
    probes::Probe,
    recording::{Recording, Source},
    redaction::{self, About},
};
use crate::{
    doctor::websocket::{in_process, listening::Listening},
    failure::Failure,
};

/// A broker at the other end, and a clock that stands still unless time is passed.
struct Simulated {
    broker: Broker,
    token: UnlockedToken,
    now: Timestamp,
    entropy: SeededEntropy,
    /// Method and path of each request.
    sent: Vec<(String, String)>,
    announced: usize,
}

/// The access token, which the broker has given out already.
const TOKEN: &str = "218c1d970d85a8442825";

const ALL: Wishes = Wishes { live: false, logout: true, pace: Duration::from_millis(1500) };

impl Simulated {
    fn new(builder: BrokerBuilder) -> Self {
        let secret = Secret::from([7; 32].as_slice());
        Self {
            broker: builder.access_token(TOKEN, secret.expose()).build().unwrap(),
            token: UnlockedToken::from_plaintext(TOKEN, secret),
            now: Timestamp::from_secs(1_800_000_000),
            entropy: SeededEntropy::new(7),
            sent: Vec::new(),
            announced: 0,
        }
    }

    fn record(&mut self, wishes: Wishes) -> Recording {
        let token = self.token.clone();
        let consumer = test_keys::consumer().unwrap();
        let conducted = interview::conduct(self, &consumer, &token, wishes);
        let (heard, login) = conducted.unwrap_or_else(|failure| panic!("{}", failure.what()));
        assert!(self.sent.len() <= usize::try_from(MOST).unwrap(), "{}", self.sent.len());
        let made_by = format!("ibkr-oauth {}", env!("CARGO_PKG_VERSION"));
        let about = About { made_by, made_in: "2027-01".to_owned(), source: Source::Simulator, login };
        let recording = redaction::record(&heard, about, &[token.token().to_owned()]);
        assert!(Recording::is_one(recording.to_text().as_bytes()));
        recording
    }
}

impl Line for Simulated {
    fn announce(&mut self, _: &Probe) -> Result<(), Failure> {
        self.announced += 1;
        Ok(())
    }

    fn send(&mut self, request: Request<Bytes>) -> Result<Response<Bytes>, &'static str> {
        assert!(self.announced > 0, "something was sent before it was said what");
        let path = request.uri().path().trim_start_matches("/v1/api");
        self.sent.push((request.method().to_string(), path.to_owned()));
        let response = self.broker.handle(&mut Context::new(self.now, &mut self.entropy), &request);
        if response.extensions().get::<Dropped>().is_some() {
            self.now = self.now.saturating_add(Duration::from_secs(30));
            return Err("no response in time");
        }
        Ok(response)
    }

    fn listen(&mut self, upgrade: Request<()>, listening: &mut Listening) -> Result<Response<Bytes>, &'static str> {
        self.sent.push(("GET".to_owned(), "/ws".to_owned()));
        let response = in_process::listen(&mut self.broker, &mut self.now, &mut self.entropy, &upgrade, listening);
        if response.is_none() {
            self.now = self.now.saturating_add(Duration::from_secs(20));
        }
        response.ok_or("no response in time")
    }

    fn pause(&mut self, time: Duration) {
        self.now = self.now.saturating_add(time);
    }

    fn with_context<T>(&mut self, work: impl FnOnce(&mut Context<'_>) -> T) -> T {
        work(&mut Context::new(self.now, &mut self.entropy))
    }
}

/// The answers, by their questions.
fn answers(recording: &Recording) -> Vec<(&str, &str)> {
    recording.answers.iter().map(|answer| (answer.question.as_str(), answer.answer.as_str())).collect()
}
