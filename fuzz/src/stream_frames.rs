//! A stream under arbitrary frames.
//!
//! The input is steps: a byte that says what, two bytes with a number, and as many bytes of content as that number says,
//! where there is any. The session behind the stream is live.

use std::{sync::LazyLock, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Response;
use ibkr_oauth::{
    Context, Timestamp,
    session::{self, Failure, FailureKind, Session, SessionConfig, SessionView, Snapshot},
    stream::{Input, Output, Stream, StreamConfig, Topic},
};
use serde_json::json;

use crate::simulation::{self, CONSUMER, CONSUMER_KEY, LIVE, LimitedEntropy, NOW, TOKEN};

const COOKIE: &str = "c00k1e0fth15s3ss10n";
const TOPICS: [&str; 8] = ["smd+1", "smd+2@SMART", "smd+3", "smh+1", "sor", "str", "ssd+U1", "sbd+U1+1"];

/// A session that another process left, and that is live.
static VIEW: LazyLock<SessionView> = LazyLock::new(|| {
    let stored = json!({
        "version": 1, "consumer_key": CONSUMER_KEY, "access_token": TOKEN,
        "live_session_token": STANDARD.encode(LIVE), "expires_at": NOW.as_millis() + 86_400_000,
        "timestamp_floor": 0, "clock_correction": 0, "penalty_until": null,
    });
    let snapshot: Snapshot = serde_json::from_value(stored).expect("a snapshot");
    let config = SessionConfig::default();
    let mut session =
        Session::resume(CONSUMER.clone(), simulation::unlocked(), config, snapshot, NOW).expect("it is ours");
    let (mut rng, mut now) = (LimitedEntropy::new(1), NOW);
    while !session.view().is_live() || session.view().last_tickle().is_none() {
        let cx = &mut Context::new(now, &mut rng);
        match session.poll_output(cx) {
            session::Output::Transmit { id, .. } => {
                let status = r#"{"authenticated":true,"established":true,"competing":false,"connected":true}"#;
                let body = format!(r#"{{"session":"{COOKIE}","iserver":{{"authStatus":{status}}}}}"#);
                let response = Response::new(Bytes::from(body));
                session.handle_input(cx, session::Input::Response { id, response });
            }
            session::Output::Timeout { at } => {
                now = at;
                session.handle_input(&mut Context::new(now, &mut rng), session::Input::Timeout);
            }
            _ => {}
        }
    }
    session.view().clone()
});

struct Play {
    stream: Stream,
    rng: LimitedEntropy,
    now: Timestamp,
    is_open: bool,
    deadline: Timestamp,
}

pub fn run(mut data: &[u8]) {
    let mut config = StreamConfig::default();
    config.market_data_lines = 2;
    let mut play =
        Play { stream: Stream::new(config), rng: LimitedEntropy::new(1), now: NOW, is_open: false, deadline: NOW };
    play.drain();
    while let [what, high, low, rest @ ..] = data {
        let number = u16::from_be_bytes([*high, *low]);
        let (content, after) = rest.split_at(rest.len().min(usize::from(number)));
        data = if what % 8 < 4 { after } else { rest };
        let topic = || TOPICS[usize::from(number) % TOPICS.len()].parse::<Topic>().expect("a topic");
        match what % 8 {
            0..4 => play.hand(Input::Frame(Bytes::copy_from_slice(content))),
            4 => {
                play.now = play.now.saturating_add(Duration::from_secs(number.into()));
                play.hand(Input::Timeout);
            }
            5 => drop(play.stream.subscribe(&topic())),
            6 => play.stream.unsubscribe(&topic()),
            _ => {
                let input = match number % 4 {
                    0 => Input::Closed(Some(number)),
                    1 => Input::Failed(Failure::new(FailureKind::MaybeSent, "it broke")),
                    2 => Input::Opened,
                    _ => {
                        play.now = play.now.max(play.deadline);
                        Input::Timeout
                    }
                };
                play.hand(input);
            }
        }
        play.drain();
    }
    // Whatever was said: it ends when it is told to.
    play.hand(Input::Shutdown);
    let output = play.stream.poll_output(&mut Context::new(play.now, &mut play.rng), &VIEW);
    assert!(!matches!(output, Output::Timeout { .. }), "{output:?}");
}

impl Play {
    fn hand(&mut self, input: Input) {
        let shown = format!("{input:?}");
        assert!(!shown.contains(COOKIE));
        self.stream.handle_input(&mut Context::new(self.now, &mut self.rng), input);
    }

    fn drain(&mut self) {
        for count in 0.. {
            assert!(count < 200, "no end of outputs");
            let output = self.stream.poll_output(&mut Context::new(self.now, &mut self.rng), &VIEW);
            assert!(!format!("{output:?}").contains(COOKIE), "{output:?}");
            match output {
                Output::Open(request) => {
                    assert!(request.headers()[http::header::COOKIE].is_sensitive());
                    self.is_open = true;
                    self.hand(Input::Opened);
                }
                Output::Close => self.is_open = false,
                Output::Send(text) => {
                    let text = std::str::from_utf8(text.expose()).expect("it is text");
                    // A frame of the broker's is never sent back, whatever number it gives itself.
                    let is_known = text == "tic"
                        || text == format!(r#"{{"session":"{COOKIE}"}}"#)
                        || TOPICS.iter().any(|topic| {
                            text.get(1..).is_some_and(|rest| topic.get(1..).is_some_and(|name| rest.starts_with(name)))
                        })
                        || text
                            .strip_prefix("umh+")
                            .is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
                        || text == "utr"
                        || text == "ubd+U1";
                    assert!(is_known, "{text}");
                }
                Output::Message(message) => {
                    assert!(std::str::from_utf8(&message.bytes).is_ok());
                    assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&message.bytes).is_ok());
                    assert!(!["system", "sts", "tic"].contains(&&*message.topic));
                }
                Output::Event(event) => assert!(!event.to_string().contains(['\n', '\r']), "{event}"),
                Output::Timeout { at } => {
                    assert!(at > self.now, "{at} is no deadline at {}", self.now);
                    self.deadline = at;
                    return;
                }
                Output::Finished => panic!("nobody ended it"),
                _ => {}
            }
        }
    }
}
