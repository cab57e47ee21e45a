//! A session driven by hand: one answer, one failure, one moment at a time.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use ibkr_oauth::{
    Context, Timestamp, TokenId,
    key::SigningInput,
    session::{
        Advice, ExchangeId, Failure, FailureKind, Input, Output, Report, Session, SessionConfig, SessionEvent, State,
    },
    simulator::{Broker, SeededEntropy},
};

use crate::known_user;

/// A brokerage session that is ready, in the broker's words.
pub(crate) const READY: &str = r#"{"authenticated":true,"established":true,"competing":false,"connected":true}"#;
pub(crate) const UNSETTLED: &str = r#"{"authenticated":true,"established":false,"competing":false,"connected":true}"#;
pub(crate) const LOST: &str = r#"{"authenticated":false,"competing":false,"connected":true}"#;
pub(crate) const COMPETING: &str = r#"{"authenticated":false,"competing":true,"connected":true}"#;

/// The reply to a tickle while the brokerage session is like `status`.
pub(crate) fn tickle(status: &str) -> String {
    format!(r#"{{"session":"5e55","iserver":{{"authStatus":{status}}}}}"#)
}

/// A report of the first attempt of a `GET`.
pub(crate) fn report(
    token_id: TokenId,
    signed_at: Timestamp,
    path: &str,
    status: u16,
    body: &str,
    retry_after: Option<&str>,
) -> Report {
    let mut response = Response::new(Bytes::from(body.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    if let Some(wait) = retry_after {
        response.headers_mut().insert("retry-after", wait.parse().unwrap());
    }
    let uri = format!("https://api.ibkr.com/v1/api{path}").parse().unwrap();
    Report::new(token_id, signed_at, &Method::GET, &uri, &response)
}

/// The application reports a 429 that asks for a quarter of an hour.
pub(crate) fn boxed(machine: &mut Machine) -> Report {
    let token_id = machine.session.view().token_id().unwrap();
    let report = report(token_id, machine.now, "/portfolio/accounts", 429, "", Some("900"));
    machine.tell(Input::Reported(report.clone()));
    report
}

/// A session, its broker, and all that came out of the session.
pub(crate) struct Machine {
    pub(crate) session: Session,
    pub(crate) broker: Broker,
    pub(crate) now: Timestamp,
    pub(crate) entropy: SeededEntropy,
    pub(crate) events: Vec<SessionEvent>,
    pub(crate) sent: Vec<(Timestamp, Request<Bytes>)>,
    /// The last request that was sent, and the last that was to be signed.
    pub(crate) request: Option<(ExchangeId, Timestamp)>,
    pub(crate) to_sign: Option<(ExchangeId, SigningInput)>,
    pub(crate) deadline: Option<Timestamp>,
    /// How often the accounts were queried: that is answered at once, unless it is to be seen.
    pub(crate) primes: usize,
    pub(crate) shows_primes: bool,
}

impl Machine {
    pub(crate) fn new(config: SessionConfig) -> Self {
        Self::with(Session::new(known_user::consumer(), known_user::token(), config))
    }

    /// A machine around this session of the user, not yet drained.
    pub(crate) fn with(session: Session) -> Self {
        Self {
            session,
            broker: known_user::known_to(Broker::builder().strict()).build().unwrap(),
            now: Timestamp::from_secs(1_700_000_000),
            entropy: SeededEntropy::new(1),
            events: Vec::new(),
            sent: Vec::new(),
            request: None,
            to_sign: None,
            deadline: None,
            primes: 0,
            shows_primes: false,
        }
    }

    /// A machine whose session is live.
    pub(crate) fn live(config: SessionConfig) -> Self {
        let mut machine = Self::new(config);
        machine.drain();
        while machine.state() != State::Live {
            machine.answer();
        }
        machine
    }

    pub(crate) fn state(&self) -> State {
        self.session.view().state()
    }

    /// Polls once and takes note of what comes; whether that was the last.
    pub(crate) fn poll(&mut self) -> bool {
        match self.session.poll_output(&mut Context::new(self.now, &mut self.entropy)) {
            Output::Transmit { id, request, .. }
                if !self.shows_primes && request.uri().path().ends_with("/accounts") =>
            {
                self.primes += 1;
                let response = Response::new(Bytes::from(r#"{"accounts":["DU1"]}"#));
                self.handle(Input::Response { id, response });
            }
            Output::Transmit { id, request, give_up_at } => {
                assert!(give_up_at > self.now);
                self.sent.push((self.now, request));
                self.request = Some((id, give_up_at));
            }
            Output::Sign { id, input, .. } => self.to_sign = Some((id, input)),
            Output::Event(event) => self.events.push(event),
            Output::Timeout { at } => {
                assert!(at > self.now, "{at} is no deadline at {}", self.now);
                self.deadline = Some(at);
                return true;
            }
            Output::Finished => {
                assert_eq!(self.state(), State::Closed);
                self.deadline = None;
                return true;
            }
            output => panic!("unheard of: {output:?}"),
        }
        false
    }

    pub(crate) fn drain(&mut self) {
        let mut calls = 0;
        while !self.poll() {
            calls += 1;
            assert!(calls < 20, "no end of outputs");
        }
    }

    pub(crate) fn handle(&mut self, input: Input) {
        self.session.handle_input(&mut Context::new(self.now, &mut self.entropy), input);
    }

    pub(crate) fn tell(&mut self, input: Input) {
        self.handle(input);
        self.drain();
    }

    /// The request that waits for its answer.
    pub(crate) fn outstanding(&self) -> ExchangeId {
        self.request.expect("a request").0
    }

    /// The path of the last request, from the end of the base URL on.
    pub(crate) fn path(&self) -> &str {
        let (_, request) = self.sent.last().expect("a request");
        request.uri().path().trim_start_matches("/v1/api")
    }

    pub(crate) fn paths(&self) -> Vec<&str> {
        self.sent.iter().map(|(_, request)| request.uri().path().trim_start_matches("/v1/api")).collect()
    }

    /// How many live session tokens were asked for.
    pub(crate) fn handshakes(&self) -> usize {
        self.paths().iter().filter(|path| path.contains("live_session_token")).count()
    }

    /// Answers the last request as the broker does.
    pub(crate) fn answer(&mut self) {
        let (_, request) = self.sent.last().expect("a request");
        let response = self.broker.handle(&mut Context::new(self.now, &mut self.entropy), request);
        self.tell(Input::Response { id: self.outstanding(), response });
    }

    /// Answers the last request with this.
    pub(crate) fn reply(&mut self, status: u16, body: impl Into<Bytes>) {
        self.reply_with(status, body, &[]);
    }

    pub(crate) fn reply_with(&mut self, status: u16, body: impl Into<Bytes>, headers: &[(&'static str, &str)]) {
        let mut response = Response::new(body.into());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in headers {
            response.headers_mut().insert(*name, value.parse().unwrap());
        }
        self.tell(Input::Response { id: self.outstanding(), response });
    }

    pub(crate) fn fail(&mut self, kind: FailureKind) {
        let failure = Failure::new(kind, "by hand");
        self.tell(Input::Failed { id: self.outstanding(), failure });
    }

    /// Waits for the deadline.
    pub(crate) fn wait(&mut self) {
        self.now = self.deadline.expect("a deadline");
        self.tell(Input::Timeout);
    }

    /// Lets so many seconds pass, with nobody looking.
    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now = self.now.saturating_add(Duration::from_secs(seconds));
    }

    /// The application saw this status in answer to a request of the present token.
    pub(crate) fn report(&mut self, status: u16) -> Report {
        let report = self.response_to("/portfolio/accounts", status, "");
        self.tell(Input::Reported(report.clone()));
        report
    }

    /// A report of a request for this path, signed now with the present token, and answered so.
    pub(crate) fn response_to(&self, path: &str, status: u16, body: &str) -> Report {
        self.response_with(path, status, body, None)
    }

    pub(crate) fn response_with(&self, path: &str, status: u16, body: &str, retry_after: Option<&str>) -> Report {
        let token_id = self.session.view().token_id().expect("a token");
        report(token_id, self.now, path, status, body, retry_after)
    }

    /// What to do about what was reported, by the present view.
    pub(crate) fn advice(&self, report: &Report) -> Advice {
        self.session.view().advise(report)
    }

    /// All transitions so far.
    pub(crate) fn transitions(&self) -> Vec<(State, State)> {
        let transition = |event: &SessionEvent| match event {
            SessionEvent::StateChanged { from, to } => Some((*from, *to)),
            _ => None,
        };
        self.events.iter().filter_map(transition).collect()
    }

    pub(crate) fn count(&self, wanted: impl Fn(&SessionEvent) -> bool) -> usize {
        self.events.iter().filter(|event| wanted(event)).count()
    }
}
