//! A log of what went into a session replays it, to the byte: time, random bytes, replies.

use std::{collections::VecDeque, fmt::Write as _, time::Duration};

use crate::known_user;
use ibkr_oauth::{
    Context, Entropy, EntropyError, Timestamp,
    bytes::Bytes,
    http::{Request, Response},
    session::{CompetePolicy, ExchangeId, Failure, FailureKind, Input, Output, Report, Session, SessionConfig, State},
    simulator::{Broker, Fault, SeededEntropy},
};

use crate::machine::report;

const DAYS: u64 = 4;

/// One call of the session, with all that went into it.
struct Call {
    now: Timestamp,
    entropy: Vec<u8>,
    /// What was handled; `None` where the session was polled.
    input: Option<Word>,
}

/// An input, as data.
#[derive(Clone)]
enum Word {
    Response(ExchangeId, Response<Bytes>),
    Failed(ExchangeId, Failure),
    Reported(Report),
    Shutdown,
    Timeout,
}

impl Word {
    fn input(self) -> Input {
        match self {
            Self::Response(id, response) => Input::Response { id, response },
            Self::Failed(id, failure) => Input::Failed { id, failure },
            Self::Reported(report) => Input::Reported(report),
            Self::Shutdown => Input::Shutdown,
            Self::Timeout => Input::Timeout,
        }
    }
}

/// Random bytes that are written down.
struct Recording<'a>(&'a mut SeededEntropy, Vec<u8>);

impl Entropy for Recording<'_> {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        self.0.fill(destination)?;
        self.1.extend_from_slice(destination);
        Ok(())
    }
}

/// Bytes that were written down.
struct Recorded<'a>(&'a [u8]);

impl Entropy for Recorded<'_> {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        let (now, rest) = self.0.split_at_checked(destination.len()).expect("the log has all bytes that are drawn");
        destination.copy_from_slice(now);
        self.0 = rest;
        Ok(())
    }
}

/// All of an output, secret headers included.
fn render(output: &Output) -> String {
    let mut text = String::new();
    match output {
        Output::Transmit { id, request, give_up_at } => {
            write!(text, "{id:?} until {give_up_at}: {} {} {:?}", request.method(), request.uri(), request.version())
                .unwrap();
            for (name, value) in request.headers() {
                write!(text, "\n  {name}: {}", value.to_str().unwrap()).unwrap();
            }
            write!(text, "\n  {:?}", request.body()).unwrap();
        }
        Output::Timeout { at } => write!(text, "wait until {at}").unwrap(),
        other => write!(text, "{other:?}").unwrap(),
    }
    text
}

fn session() -> Session {
    let mut config = SessionConfig::default();
    config.compete = CompetePolicy::TakeAlways;
    config.correct_clock = true;
    Session::new(known_user::consumer(), known_user::token(), config)
}

/// A stormy life, written down.
struct Storm {
    session: Session,
    broker: Broker,
    rng: SeededEntropy,
    entropy: SeededEntropy,
    /// The broker's time, and how far ours is off, in seconds.
    now: Timestamp,
    ahead: i64,
    log: Vec<Call>,
    outputs: Vec<String>,
}

impl Storm {
    fn new() -> Self {
        let broker = known_user::known_to(Broker::builder().strict()).settling(Duration::from_secs(3)).daily_reset(0);
        Self {
            session: session(),
            broker: broker.build().unwrap(),
            rng: SeededEntropy::new(2),
            entropy: SeededEntropy::new(3),
            now: Timestamp::from_secs(1_700_000_000),
            ahead: 0,
            log: Vec::new(),
            outputs: Vec::new(),
        }
    }

    fn ours(&self) -> Timestamp {
        Timestamp::from_millis(self.now.as_millis().saturating_add_signed(self.ahead * 1000))
    }

    fn poll(&mut self) -> Output {
        let now = self.ours();
        let mut entropy = Recording(&mut self.entropy, Vec::new());
        let output = self.session.poll_output(&mut Context::new(now, &mut entropy));
        self.log.push(Call { now, entropy: entropy.1, input: None });
        self.outputs.push(render(&output));
        output
    }

    fn tell(&mut self, word: Word) {
        let now = self.ours();
        let mut entropy = Recording(&mut self.entropy, Vec::new());
        self.session.handle_input(&mut Context::new(now, &mut entropy), word.clone().input());
        self.log.push(Call { now, entropy: entropy.1, input: Some(word) });
    }

    fn roll(&mut self) -> u8 {
        let mut byte = [0];
        self.rng.fill(&mut byte).unwrap();
        byte[0]
    }

    /// What becomes of a request; the answers that come of it.
    fn fate(&mut self, id: ExchangeId, request: &Request<Bytes>) -> Vec<Word> {
        let roll = self.roll();
        match roll {
            0 => self.broker.inject(Fault::expire_live_session_token()),
            1 => self.broker.inject(Fault::status(503).with_body("text/html", "<h1>Unavailable</h1>").times(3)),
            2 => self.broker.inject(Fault::penalty_box(Duration::from_secs(600))),
            3 => self.broker.inject(Fault::status(410)),
            4 => self.broker.start_competing_session(),
            5 => self.broker.inject(
                Fault::status(200).with_body("application/json", r#"{"wait":20000}"#).at("/iserver/auth/ssodh/init"),
            ),
            6..=9 => {
                let failure = Failure::new(FailureKind::MaybeSent, "storm");
                return vec![Word::Failed(id, failure)];
            }
            _ => {}
        }
        self.now = self.now.saturating_add(Duration::from_millis(u64::from(roll) * 3));
        let response = self.broker.handle(&mut Context::new(self.now, &mut self.rng), request);
        let answer = Word::Response(id, response);
        if roll > 250 { vec![answer.clone(), answer] } else { vec![answer] }
    }

    fn rage(&mut self) {
        let end = self.now.saturating_add(Duration::from_secs(DAYS * 24 * 3600));
        loop {
            match self.poll() {
                Output::Transmit { id, request, .. } => {
                    for word in self.fate(id, &request) {
                        self.tell(word);
                    }
                }
                Output::Timeout { at, .. } => {
                    self.now = self.now.saturating_add(at.saturating_duration_since(self.ours()));
                    match self.roll() {
                        0..=3 => self.ahead = [0, -100, 90, -1000][usize::from(self.roll() % 4)],
                        4 => {
                            if let Some(token_id) = self.session.view().token_id() {
                                self.tell(Word::Reported(report(token_id, self.ours(), "/trsrv", 401, "", None)));
                            }
                        }
                        5 => self.now = self.now.saturating_add(Duration::from_secs(3 * 3600)),
                        _ => {}
                    }
                    self.tell(if self.now < end { Word::Timeout } else { Word::Shutdown });
                }
                Output::Finished => return,
                _ => {}
            }
        }
    }
}

#[test]
fn a_log_of_inputs_replays_a_stormy_life_to_the_byte() {
    let mut storm = Storm::new();
    storm.rage();
    let Storm { log, outputs, .. } = storm;
    let kinds = ["oauth/live_session_token", "ClockStepped", "ClockSkew", "PenaltyBox", "Displaced", "MaybeSent"];
    for kind in kinds {
        assert!(outputs.iter().any(|output| output.contains(kind)), "the storm had no {kind}");
    }
    assert!(log.len() > 5000, "{}", log.len());

    let mut session = session();
    let mut expected = VecDeque::from(outputs);
    for call in &log {
        let mut entropy = Recorded(&call.entropy);
        let mut cx = Context::new(call.now, &mut entropy);
        match &call.input {
            Some(word) => session.handle_input(&mut cx, word.clone().input()),
            None => assert_eq!(Some(render(&session.poll_output(&mut cx))), expected.pop_front()),
        }
        assert!(entropy.0.is_empty(), "as many random bytes are drawn");
    }
    assert!(expected.is_empty());
    assert_eq!(session.view().state(), State::Closed);
    println!("{} calls replayed", log.len());
}
