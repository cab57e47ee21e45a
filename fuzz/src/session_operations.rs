//! A session under whatever inputs, faults and clock jumps a fuzzer makes up, watched for what it promises:
//!
//! * it is drained in a bounded number of calls, every deadline lies ahead, and a healed session is live again;
//! * timestamps never decrease except across `ClockStepped`, no nonce comes twice, and each signature is right, under a
//!   live session token whose proof matched;
//! * at most one exchange is outstanding, and none is started in the penalty box;
//! * it makes no transition that is not in the table, and ends with an event and then `Finished`;
//! * advice that has to wait is known in the end;
//! * the same inputs give the same outputs.

use std::{
    collections::HashSet,
    fmt::Write,
    time::{Duration, SystemTime},
};

use crate::authorization_header::AuthorizationHeader;
use arbitrary::{Arbitrary, Unstructured};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    Request, Response, StatusCode,
    header::{AUTHORIZATION, DATE, RETRY_AFTER},
};
use ibkr_oauth::{
    Consumer, Context, QueryPolicy, Signer, Timestamp, UnlockedToken,
    session::{
        Advice, CompetePolicy, ExchangeId, Failure, FailureKind, Input, OnShutdown, Output, Report, Session,
        SessionConfig, SessionEvent, Snapshot, State, Ticket,
    },
};

use crate::{
    canonical,
    simulation::{self, CONSUMER, Half, LimitedEntropy, REMOTE, SIGNATURE},
};

#[derive(Clone, Debug)]
struct Script {
    seed: u8,
    remote: bool,
    config: Config,
    operations: Vec<Operation>,
}

impl Script {
    /// All of the input, one operation after the other, so that what is cut out of the middle leaves the rest as it is.
    fn read(input: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let (seed, remote, config) = (input.arbitrary()?, input.arbitrary()?, input.arbitrary()?);
        let mut operations = Vec::new();
        while !input.is_empty() && operations.len() < 400 {
            operations.push(input.arbitrary()?);
        }
        Ok(Self { seed, remote, config, operations })
    }
}

#[derive(Arbitrary, Clone, Debug)]
struct Config {
    is_default: bool,
    read_only: bool,
    compete: u8,
    /// Each setting in seconds, some of them scaled up.
    times: [u16; 6],
    /// Of no use; without it, the committed inputs would be others.
    _unused: u8,
    correct_clock: bool,
    leave_open: bool,
}

#[derive(Arbitrary, Clone, Debug)]
enum Operation {
    /// The time of the deadline comes.
    Wait,
    /// Some part of the time until the deadline passes, in 256ths.
    Early(u8),
    /// The machine sleeps.
    Sleep(u16, Unit),
    /// The clock is set back.
    Back(u16, Unit),
    /// What is outstanding is answered.
    Answer(Answer),
    /// Something is answered that was asked before, perhaps again.
    Stale(u8, Answer),
    /// What is outstanding comes to nothing.
    Fail(u8),
    /// The key store answers.
    Sign(u8),
    /// The application reports what became of a request of its own.
    Observe {
        status: u8,
        token_id: u8,
        body: u8,
        path: u8,
        attempt: u8,
        age: u8,
        retry_after: Option<u16>,
    },
    /// The application signs a request of its own, perhaps with a signer of before.
    Request {
        signer: u8,
    },
    /// The source of random bytes fails after so many deliveries, until the next of these.
    Entropy(Option<u8>),
    /// Another process goes on.
    HandOver {
        correct_clock: bool,
    },
    Shutdown,
    RetryNow,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Unit {
    Milliseconds,
    Seconds,
    Minutes,
}

impl Unit {
    fn of(self, count: u16) -> u64 {
        u64::from(count)
            * match self {
                Self::Milliseconds => 1,
                Self::Seconds => 1000,
                Self::Minutes => 60_000,
            }
    }
}

#[derive(Arbitrary, Clone, Debug)]
enum Answer {
    Good { latency: u8, life: u16, skew: i16 },
    WrongProof,
    Brokerage { authenticated: Option<bool>, competing: Option<bool>, connected: Option<bool>, fail: bool },
    Wait(u32),
    Refused { status: u8, body: u8, retry_after: Option<u16> },
    Raw(u16, [u8; 6]),
}

pub fn run(data: &[u8]) {
    let Ok(script) = Script::read(&mut Unstructured::new(data)) else { return };
    let first = Watch::new(&script).run(&script.operations);
    if script.seed % 4 == 0 {
        assert_eq!(Watch::new(&script).run(&script.operations), first, "the same inputs gave other outputs");
    }
}

const START: u64 = 1_700_000_000_000;
const READY: &str = r#""authenticated":true,"competing":false,"connected":true,"established":true"#;

struct Outstanding {
    id: ExchangeId,
    give_up_at: u64,
    /// Nothing where a signature is awaited.
    request: Option<Request<Bytes>>,
}

struct Watch {
    session: Session,
    consumer: &'static Consumer,
    token: UnlockedToken,
    config: SessionConfig,
    rng: LimitedEntropy,
    now: u64,
    deadline: u64,
    state: State,
    outstanding: Option<Outstanding>,
    asked: Vec<(ExchangeId, Option<Request<Bytes>>)>,
    handshakes: u64,
    /// The live session tokens whose right proof was sent.
    proved: Vec<[u8; 20]>,
    signers: Vec<Signer>,
    nonces: HashSet<String>,
    timestamp: u64,
    /// The key store was asked, and its signature has not been sent.
    outstanding_signature: Option<()>,
    penalty: Option<u64>,
    shutting_down: bool,
    told_the_end: bool,
    finished: bool,
    /// Advice that had to wait: when the session has healed, all of it is known.
    tickets: Vec<Ticket>,
    log: String,
}

fn config(of: &Config) -> SessionConfig {
    let mut config = SessionConfig::default();
    if of.is_default {
        return config;
    }
    let seconds = |index: usize| Duration::from_secs(u64::from(of.times[index]));
    config.brokerage = !of.read_only;
    config.compete =
        [CompetePolicy::Yield, CompetePolicy::TakeOnce, CompetePolicy::TakeAlways][usize::from(of.compete % 3)];
    config.tickle_interval = seconds(0);
    config.response_timeout = seconds(1) / 100;
    config.renewal_margin = seconds(2) * 10;
    config.displaced_retry = seconds(5) / 2;
    config.correct_clock = of.correct_clock;
    config.on_shutdown = if of.leave_open { OnShutdown::LeaveOpen } else { OnShutdown::LogOut };
    config
}

impl Watch {
    fn new(script: &Script) -> Self {
        let consumer: &'static Consumer = if script.remote { &REMOTE } else { &CONSUMER };
        let (token, config) = (simulation::unlocked(), config(&script.config));
        let session = Session::new(consumer.clone(), token.clone(), config.clone());
        Self {
            session,
            consumer,
            token,
            config,
            rng: LimitedEntropy::new(script.seed.into()),
            now: START,
            deadline: START,
            state: State::Negotiating,
            outstanding: None,
            asked: Vec::new(),
            handshakes: 0,
            proved: Vec::new(),
            signers: Vec::new(),
            nonces: HashSet::new(),
            timestamp: 0,
            outstanding_signature: None,
            penalty: None,
            shutting_down: false,
            told_the_end: false,
            finished: false,
            tickets: Vec::new(),
            log: String::new(),
        }
    }

    fn run(mut self, operations: &[Operation]) -> String {
        self.drain();
        for operation in operations {
            let _ = writeln!(self.log, "{} {operation:?}", self.now);
            self.operate(operation.clone());
        }
        self.heal();
        self.log
    }

    fn operate(&mut self, operation: Operation) {
        match operation {
            Operation::Wait => self.pass(self.deadline.saturating_sub(self.now)),
            Operation::Early(part) => self.pass(self.deadline.saturating_sub(self.now) / 256 * u64::from(part)),
            Operation::Sleep(count, unit) => self.pass(unit.of(count)),
            Operation::Back(count, unit) => self.set_back(unit.of(count)),
            Operation::Answer(answer) => {
                if let Some(outstanding) = self.outstanding.take_if(|outstanding| outstanding.request.is_some()) {
                    let (input, latency) = self.answer(outstanding.id, &outstanding.request.expect("some"), &answer);
                    self.now += latency;
                    self.tell(input);
                }
            }
            Operation::Stale(which, answer) => self.answer_again(usize::from(which), &answer),
            Operation::Fail(kind) => {
                if let Some(outstanding) = self.outstanding.take() {
                    let kinds = [
                        FailureKind::NotSent,
                        FailureKind::MaybeSent,
                        FailureKind::TimedOut,
                        FailureKind::TooLarge,
                        FailureKind::Refused,
                    ];
                    let failure = Failure::new(kinds[usize::from(kind) % 5], "fuzz");
                    self.tell(Input::Failed { id: outstanding.id, failure });
                }
            }
            Operation::Sign(how) => {
                if let Some(outstanding) = self.outstanding.take_if(|outstanding| outstanding.request.is_none()) {
                    let signature = match how {
                        0 => Vec::new(),
                        1 => vec![b'a'; 256],
                        2 => vec![0xaa; 255],
                        _ => SIGNATURE.to_vec(),
                    };
                    self.tell(Input::Signed { id: outstanding.id, signature });
                }
            }
            Operation::Observe { status, token_id, body, path, attempt, age, retry_after } => {
                let statuses = [401, 410, 429, 500, 503, 200, 403, 408, 302, 599];
                let status = StatusCode::from_u16(statuses[usize::from(status) % statuses.len()]).expect("valid");
                if let Some(signer) = self.signer(token_id) {
                    let words = ["", r#"{"error":"no bridge"}"#, r#"{"error":"Please query /accounts first"}"#];
                    let mut response = Response::new(Bytes::from_static(words[usize::from(body) % 3].as_bytes()));
                    *response.status_mut() = status;
                    if let Some(seconds) = retry_after {
                        response.headers_mut().insert(RETRY_AFTER, seconds.into());
                    }
                    let paths = ["/portfolio/accounts", "/iserver/account/orders", "/trsrv/a", "/trsrv/b"];
                    let url = format!("https://api.ibkr.com/v1/api{}", paths[usize::from(path) % 4]);
                    let uri = url.parse().expect("a URL");
                    let at = Timestamp::from_millis(self.now.saturating_sub(u64::from(age) * 1000));
                    let report = Report::new(signer.token_id(), at, &http::Method::POST, &uri, &response);
                    let report = report.attempt(u32::from(attempt));
                    let ticket = match self.session.view().advise(&report) {
                        Advice::AwaitSession(ticket) => Some(ticket),
                        _ => None,
                    };
                    self.tell(Input::Reported(report.clone()));
                    let _ = self.session.view().advise(&report);
                    self.tickets.extend(ticket);
                }
            }
            Operation::RetryNow => {
                self.tell(Input::RetryNow);
                self.tell(Input::Tickle);
            }
            Operation::Request { signer } => self.request(signer),
            Operation::Entropy(deliveries) => self.rng.deliveries = deliveries.map(u32::from),
            Operation::HandOver { correct_clock } => self.hand_over(correct_clock),
            Operation::Shutdown => {
                self.shutting_down = true;
                if let Some(outstanding) = &mut self.outstanding {
                    outstanding.give_up_at = outstanding.give_up_at.min(self.now + 5000);
                }
                self.tell(Input::Shutdown);
            }
        }
    }

    fn pass(&mut self, milliseconds: u64) {
        // No calendar goes further, and sums with the longest settings do not overflow.
        self.now = (self.now.saturating_add(milliseconds)).min(u64::MAX / 8);
        self.tell(Input::Timeout);
    }

    /// All moments that the session keeps move along.
    fn set_back(&mut self, milliseconds: u64) {
        let back = milliseconds.min(self.now);
        self.now -= back;
        self.penalty = self.penalty.map(|until| until.saturating_sub(back));
        if let Some(outstanding) = &mut self.outstanding {
            outstanding.give_up_at = outstanding.give_up_at.saturating_sub(back);
        }
        self.tell(Input::Timeout);
    }

    fn tell(&mut self, input: Input) {
        let mut cx = Context::new(Timestamp::from_millis(self.now), &mut self.rng);
        self.session.handle_input(&mut cx, input);
        self.drain();
    }

    fn drain(&mut self) {
        for call in 0.. {
            assert!(call < 32, "it does not come to an end: {}", self.log);
            let mut cx = Context::new(Timestamp::from_millis(self.now), &mut self.rng);
            let output = self.session.poll_output(&mut cx);
            let _ = writeln!(self.log, "{} {output:?}", self.now);
            match output {
                Output::Transmit { id, request, give_up_at } => {
                    let _ = writeln!(self.log, "{:?} {:?}", request.headers()[AUTHORIZATION].to_str(), request.body());
                    self.sent(&request);
                    self.started(id, give_up_at, Some(request));
                }
                Output::Sign { id, give_up_at, .. } => {
                    self.outstanding_signature = Some(());
                    self.started(id, give_up_at, None);
                }
                Output::Event(event) => self.hear(event),
                Output::Timeout { at } => {
                    assert!(!self.finished);
                    assert!(at.as_millis() > self.now, "a deadline that is not ahead: {}", self.log);
                    self.deadline = at.as_millis();
                    break;
                }
                Output::Finished => {
                    assert!(self.told_the_end, "it ended without a word: {}", self.log);
                    self.finished = true;
                    break;
                }
                output => panic!("{output:?} is new"),
            }
        }
        let view = self.session.view();
        assert_eq!(view.state(), self.state, "{}", self.log);
        assert_eq!(self.finished, self.state == State::Closed, "{}", self.log);
        if let Some(signer) = view.signer()
            && self.signers.last().map(Signer::token_id) != Some(signer.token_id())
        {
            self.signers.push(signer.clone());
        }
        let in_penalty_box = self.penalty.is_some_and(|until| until > self.now);
        if in_penalty_box && !self.finished {
            let waiting = view.wait_until().map(Timestamp::as_millis);
            assert_eq!(waiting, self.penalty, "{}", self.log);
        }
    }

    fn started(&mut self, id: ExchangeId, give_up_at: Timestamp, request: Option<Request<Bytes>>) {
        let give_up_at = give_up_at.as_millis();
        assert!(give_up_at > self.now, "{}", self.log);
        assert!(self.asked.last().is_none_or(|(last, _)| *last < id), "{id:?} is used twice: {}", self.log);
        let earlier = self.outstanding.as_ref().is_some_and(|earlier| earlier.give_up_at > self.now);
        assert!(!earlier, "another exchange is outstanding: {}", self.log);
        let in_penalty_box = self.penalty.is_some_and(|until| until > self.now);
        assert!(!in_penalty_box, "it sends in the penalty box: {}", self.log);
        assert!(!self.finished);
        self.asked.push((id, request.clone()));
        self.outstanding = Some(Outstanding { id, give_up_at, request });
    }

    fn hear(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::StateChanged { from, to } => {
                assert_eq!(from, self.state, "{}", self.log);
                assert!(from.successors().contains(&to), "{from} {to}");
                self.state = to;
            }
            SessionEvent::ClockStepped { .. } => {
                self.timestamp = 0;
                // What was to be signed is dated by the time before.
                self.outstanding.take_if(|outstanding| outstanding.request.is_none());
            }
            SessionEvent::PenaltyBox { until } => self.penalty = Some(until.as_millis()),
            SessionEvent::Failed { retry_at, .. } => assert!(retry_at.as_millis() >= self.now),
            SessionEvent::Closed { .. } | SessionEvent::GaveUp { .. } => {
                assert!(!self.told_the_end, "it ended twice: {}", self.log);
                self.told_the_end = true;
            }
            SessionEvent::InputAfterEnd => assert!(self.finished),
            _ => {}
        }
    }

    /// Looks at a signed request, the session's or the application's.
    fn sent(&mut self, request: &Request<Bytes>) {
        let header = &request.headers()[AUTHORIZATION];
        assert!(header.is_sensitive());
        let header: AuthorizationHeader = header.to_str().expect("ASCII").parse().expect("what we write");
        let get = |name: &str| header.get(name).unwrap_or_else(|| panic!("no {name}")).to_owned();
        let timestamp: u64 = get("oauth_timestamp").parse().expect("a number");
        assert!(timestamp >= self.timestamp, "{timestamp} after {}: {}", self.timestamp, self.log);
        self.timestamp = timestamp;
        // Where a key store signs, the timestamp is of when it was asked.
        let is_handshake = request.uri().path().ends_with("/live_session_token");
        let was_asked = is_handshake && self.outstanding_signature.take().is_some();
        if !self.config.correct_clock {
            let now = self.now / 1000;
            let earliest = if was_asked { now.saturating_sub(300) } else { now };
            assert!((earliest..=now + 300).contains(&timestamp), "{timestamp} at {now}: {}", self.log);
        }
        assert!(self.nonces.insert(get("oauth_nonce")), "a nonce comes twice: {}", self.log);
        let signature = STANDARD.decode(get("oauth_signature")).expect("Base64");
        if request.uri().path().ends_with("/live_session_token") {
            assert_eq!(signature, SIGNATURE);
            return;
        }
        let protocol: Vec<(&str, &str)> = header.parameters().filter(|(name, _)| *name != "oauth_signature").collect();
        let url = request.uri().to_string();
        let base = canonical::base_string(request.method().as_str(), &url, &protocol, None, QueryPolicy::Rfc5849);
        let is_right = self.proved.iter().any(|token| simulation::hmac_sha256(token, base.as_bytes()) == signature[..]);
        assert!(is_right, "it is signed with no token that was proved: {}", self.log);
    }

    fn answer(&mut self, id: ExchangeId, request: &Request<Bytes>, answer: &Answer) -> (Input, u64) {
        let path = request.uri().path();
        let mut response = Response::builder();
        let mut waited = 0;
        let body = match answer {
            Answer::Good { latency, life, skew } => {
                waited = u64::from(*latency) * 40;
                if *skew != 0 {
                    let date = (self.now / 1000).saturating_add_signed(i64::from(*skew)).min(200_000_000_000);
                    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(date);
                    response = response.header(DATE, httpdate::fmt_http_date(date));
                }
                let life = if *life == 0 { 1440 } else { *life };
                self.good_body(request, self.now + u64::from(life) * 60_000)
            }
            Answer::WrongProof if path.ends_with("/live_session_token") => {
                let half = Half::new(&challenge(request), 3);
                half.json(0).replace(&half.proof, &"ab".repeat(20))
            }
            Answer::WrongProof => "{}".to_owned(),
            Answer::Brokerage { authenticated, competing, connected, fail } => {
                let status = serde_json::json!({
                    "authenticated": authenticated, "competing": competing, "connected": connected,
                    "fail": if *fail { "no" } else { "" },
                });
                if path.ends_with("/tickle") {
                    serde_json::json!({ "session": "cb0f", "iserver": { "authStatus": status } }).to_string()
                } else {
                    status.to_string()
                }
            }
            Answer::Wait(milliseconds) => format!(r#"{{"wait":{milliseconds}}}"#),
            Answer::Refused { status, body, retry_after } => {
                let statuses = [401, 410, 429, 500, 503, 400, 403, 408, 302, 404, 502, 200];
                response = response.status(statuses[usize::from(*status) % statuses.len()]);
                if let Some(seconds) = retry_after {
                    response = response.header(RETRY_AFTER, *seconds);
                }
                let bodies = [
                    "",
                    r#"{"error":"unauthorized","statusCode":401}"#,
                    r#"{"title":"Unauthorized","status":401,"detail":"Access token expired"}"#,
                    "id: 1, error: invalid consumer. reason: consumer not found",
                    r#"{"error":"Bad Request: no bridge","statusCode":400}"#,
                    "<html>503</html>",
                    r#"{"error":"invalid consumer"}"#,
                ];
                bodies[usize::from(*body) % bodies.len()].to_owned()
            }
            Answer::Raw(status, body) => {
                response = response.status(100 + status % 900);
                String::from_utf8_lossy(body).into_owned()
            }
        };
        (Input::Response { id, response: response.body(Bytes::from(body)).expect("a response") }, waited)
    }

    /// What a broker in good health answers.
    fn good_body(&mut self, request: &Request<Bytes>, expiration: u64) -> String {
        let path = request.uri().path();
        if path.ends_with("/live_session_token") {
            self.handshakes += 1;
            let half = Half::new(&challenge(request), 1000 + self.handshakes);
            self.proved.push(half.live_session_token);
            half.json(expiration)
        } else if path.ends_with("/tickle") {
            format!(r#"{{"session":"cb0f","ssoExpires":460311,"iserver":{{"authStatus":{{{READY}}}}}}}"#)
        } else if path.ends_with("/logout") {
            r#"{"status":true}"#.to_owned()
        } else {
            format!("{{{READY}}}")
        }
    }

    fn answer_again(&mut self, which: usize, answer: &Answer) {
        let Some((id, request)) = self.asked.get(which % self.asked.len().max(1)).cloned() else { return };
        let is_outstanding = self.outstanding.as_ref().is_some_and(|outstanding| outstanding.id == id);
        let input = match &request {
            Some(request) => self.answer(id, request, answer).0,
            None => Input::Signed { id, signature: SIGNATURE.to_vec() },
        };
        if is_outstanding {
            self.outstanding = None;
        }
        self.tell(input);
    }

    fn signer(&self, which: u8) -> Option<Signer> {
        let newest = self.signers.len().checked_sub(1)?;
        self.signers.get(newest.saturating_sub(usize::from(which % 4))).cloned()
    }

    fn request(&mut self, which: u8) {
        let Some(signer) = self.signer(which) else { return };
        let url = "https://api.ibkr.com/v1/api/iserver/secdef/search?symbol=BRK%20B";
        let mut request = Request::get(url).body(Bytes::new()).expect("a request");
        let mut cx = Context::new(Timestamp::from_millis(self.now), &mut self.rng);
        if signer.sign(&mut cx, &mut request).is_ok() {
            self.sent(&request);
        }
        self.tell(Input::Timeout);
    }

    fn hand_over(&mut self, correct_clock: bool) {
        let Some(snapshot) = self.session.snapshot() else { return };
        let written = serde_json::to_string(&snapshot.expose_secrets()).expect("it is text");
        let snapshot: Snapshot = serde_json::from_str(&written).expect("what we write");
        let expired = snapshot.expires_at().as_millis() <= self.now;
        let mut config = self.config.clone();
        config.correct_clock = correct_clock;
        let (consumer, token) = (self.consumer.clone(), simulation::unlocked());
        let now = Timestamp::from_millis(self.now);
        match Session::resume(consumer, token.clone(), config.clone(), snapshot, now) {
            Err(_) => assert!(expired, "{}", self.log),
            Ok(session) => {
                assert!(!expired, "{}", self.log);
                (self.session, self.token, self.config) = (session, token, config);
                self.state = State::BackingOff;
                self.tickets.clear();
                self.outstanding = None;
                self.asked.clear();
                self.signers.clear();
                (self.shutting_down, self.told_the_end, self.finished) = (false, false, false);
                self.drain();
            }
        }
    }

    /// From now on all goes well, and soon the session does too.
    fn heal(&mut self) {
        self.rng.deliveries = None;
        let good = Answer::Good { latency: 1, life: 0, skew: 0 };
        for _ in 0..64 {
            let view = self.session.view();
            self.tickets.retain(|ticket| matches!(view.resolve(ticket), Advice::AwaitSession(_)));
            let is_live = self.state == State::Live && self.outstanding.is_none();
            if self.finished || is_live && self.tickets.is_empty() {
                return;
            }
            match self.outstanding.as_ref().map(|outstanding| outstanding.request.is_some()) {
                Some(true) => self.operate(Operation::Answer(good.clone())),
                Some(false) => self.operate(Operation::Sign(9)),
                None => self.operate(Operation::Wait),
            }
        }
        panic!("it does not recover, or leaves {} callers waiting: {}", self.tickets.len(), self.log);
    }
}

fn challenge(request: &Request<Bytes>) -> String {
    let header = request.headers()[AUTHORIZATION].to_str().expect("ASCII");
    let header: AuthorizationHeader = header.parse().expect("what we write");
    header.get("diffie_hellman_challenge").expect("it is there").to_owned()
}
