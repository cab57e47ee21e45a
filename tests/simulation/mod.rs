//! A session and its broker on one virtual clock and one seed, with network conditions between them.
#![allow(dead_code, clippy::unwrap_used, reason = "a test fails by panicking, and not each uses all of it")]

use std::{collections::BTreeMap, time::Duration};

use ibkr_oauth::{
    Context, Entropy, Timestamp,
    bytes::Bytes,
    http::{Request, Response, StatusCode, header::AUTHORIZATION},
    session::{ExchangeId, Failure, FailureKind, Input, Output, Report, Session, SessionConfig, SessionEvent},
    simulator::{Broker, BrokerBuilder, Dropped, SeededEntropy},
};

#[path = "../support/authorization_header.rs"]
pub(crate) mod authorization_header;
#[path = "../support/known_user.rs"]
pub(crate) mod known_user;

use authorization_header::AuthorizationHeader;

/// What chance decides.
struct Chance(SeededEntropy);

impl Chance {
    /// A number from 0 to `limit`, both included.
    fn up_to(&mut self, limit: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes).unwrap();
        let number = u64::from_le_bytes(bytes);
        limit.checked_add(1).map_or(number, |count| number % count)
    }

    /// Whether something happens that happens `in_a_thousand` times of a thousand.
    fn happens(&mut self, in_a_thousand: u16) -> bool {
        self.up_to(999) < u64::from(in_a_thousand)
    }
}

/// What happens to requests and replies on their way. Chances are in a thousand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NetworkConditions {
    /// The shortest and the longest time that a request, or a reply, is on its way.
    pub(crate) latency: (Duration, Duration),
    /// No connection can be made.
    pub(crate) refused: u16,
    /// The connection breaks before the request arrives.
    pub(crate) dropped_request: u16,
    /// The connection breaks after the broker has acted.
    pub(crate) dropped_response: u16,
    /// The reply comes twice.
    pub(crate) repeated_response: u16,
    /// The reply comes only after one to three minutes, perhaps behind those to later requests.
    pub(crate) late_response: u16,
}

impl Default for NetworkConditions {
    /// Fair: 5 to 80 ms each way, and nothing is lost.
    fn default() -> Self {
        Self {
            latency: (Duration::from_millis(5), Duration::from_millis(80)),
            refused: 0,
            dropped_request: 0,
            dropped_response: 0,
            repeated_response: 0,
            late_response: 0,
        }
    }
}

/// A request that the session sent, as a watcher on the wire sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SentRequest {
    /// When, by the client's clock.
    pub(crate) at: Timestamp,
    /// The path of its URL.
    pub(crate) path: String,
    /// Its `oauth_nonce`.
    pub(crate) nonce: String,
    /// Its `oauth_timestamp`, in seconds.
    pub(crate) timestamp: u64,
    /// How many events the session had told before: its place among [`Simulation::events`].
    pub(crate) events_before: usize,
}

/// What is under way in the simulation, or will be done to it.
enum Scheduled {
    Arrival { id: ExchangeId, request: Request<Bytes> },
    Delivery { input: Input },
    Script(Box<dyn FnOnce(&mut Simulation)>),
}

/// A [`Session`] and a [`Broker`] on one virtual clock and one seed.
pub(crate) struct Simulation {
    session: Session,
    broker: Broker,
    network: NetworkConditions,
    chance: Chance,
    client_entropy: SeededEntropy,
    broker_entropy: SeededEntropy,
    now: Timestamp,
    started: Timestamp,
    /// The client's clock less the simulation's, in milliseconds.
    client_ahead: i64,
    asleep_until: Timestamp,
    /// In the order of time, then of coming about.
    schedule: BTreeMap<(Timestamp, u64), Scheduled>,
    scheduled: u64,
    deadline: Option<Timestamp>,
    events: Vec<(Timestamp, SessionEvent)>,
    sent: Vec<SentRequest>,
    finished: bool,
    longest_drain: usize,
    stalls: usize,
    /// What waits for its answer, and until when by the client's clock.
    outstanding: Option<(ExchangeId, Timestamp)>,
    overlaps: usize,
}

impl Simulation {
    /// A simulation that begins at 2023-11-14T22:13:20Z, with a user who has consented and a session about to start.
    pub(crate) fn new(seed: u64, config: SessionConfig) -> Self {
        Self::with_broker(seed, config, Broker::builder().strict())
    }

    /// As [`new`](Self::new), with a broker of your making, which gets to know the user.
    pub(crate) fn with_broker(seed: u64, config: SessionConfig, broker: BrokerBuilder) -> Self {
        let now = Timestamp::from_secs(1_700_000_000);
        Self {
            session: Session::new(known_user::consumer(), known_user::token(), config),
            broker: known_user::known_to(broker).build().unwrap(),
            network: NetworkConditions::default(),
            chance: Chance(SeededEntropy::new(seed)),
            client_entropy: SeededEntropy::new(seed ^ 0xc11e),
            broker_entropy: SeededEntropy::new(seed ^ 0xb20e),
            now,
            started: now,
            client_ahead: 0,
            asleep_until: now,
            schedule: BTreeMap::new(),
            scheduled: 0,
            deadline: None,
            events: Vec::new(),
            sent: Vec::new(),
            finished: false,
            longest_drain: 0,
            stalls: 0,
            outstanding: None,
            overlaps: 0,
        }
    }

    /// The session.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// The broker, to inject faults or ask for its refusals.
    pub(crate) fn broker(&mut self) -> &mut Broker {
        &mut self.broker
    }

    /// The network, which may be changed at any time.
    pub(crate) fn network(&mut self) -> &mut NetworkConditions {
        &mut self.network
    }

    /// The time, as the broker's clock tells it.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// How long the simulation has lasted.
    pub(crate) fn elapsed(&self) -> Duration {
        self.now.saturating_duration_since(self.started)
    }

    /// The time, as the client's clock tells it.
    pub(crate) fn client_now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.as_millis().saturating_add_signed(self.client_ahead))
    }

    /// Everything that the session told, with the time on its own clock.
    pub(crate) fn events(&self) -> &[(Timestamp, SessionEvent)] {
        &self.events
    }

    /// Everything that the session sent.
    pub(crate) fn sent(&self) -> &[SentRequest] {
        &self.sent
    }

    /// Whether the session has finished.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// The most calls of `poll_output` that it took to reach `Timeout` or `Finished`.
    pub(crate) fn longest_drain(&self) -> usize {
        self.longest_drain
    }

    /// How often a deadline had not moved on after it was handled. A session that is right never stalls.
    pub(crate) fn stalls(&self) -> usize {
        self.stalls
    }

    /// How often a request went out while another one still waited for its answer. A session that is right never does
    /// that.
    pub(crate) fn overlaps(&self) -> usize {
        self.overlaps
    }

    /// Does something to the simulation when `wait` has passed.
    pub(crate) fn after(&mut self, wait: Duration, script: impl FnOnce(&mut Self) + 'static) {
        self.put(self.now.saturating_add(wait), Scheduled::Script(Box::new(script)));
    }

    /// Sets the client's clock ahead by so many milliseconds, or back where it is negative.
    pub(crate) fn step_client_clock(&mut self, millis: i64) {
        self.client_ahead = self.client_ahead.saturating_add(millis);
        if let (Some((_, give_up_at)), Ok(back)) = (&mut self.outstanding, u64::try_from(millis.saturating_neg())) {
            *give_up_at = give_up_at.saturating_sub(Duration::from_millis(back));
        }
        self.drain();
    }

    /// Puts the client's machine to sleep: its clock runs on, but the session hears and does nothing.
    pub(crate) fn suspend_client(&mut self, sleep: Duration) {
        self.asleep_until = self.asleep_until.max(self.now.saturating_add(sleep));
    }

    /// Tells the session that a request of the application's own, signed just now, was answered with `status`.
    pub(crate) fn report(&mut self, status: StatusCode) {
        let Some(token_id) = self.session.view().token_id() else { return };
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status;
        let uri = http::Uri::from_static("https://api.ibkr.com/v1/api/portfolio/accounts");
        self.handle_input(Input::Reported(Report::new(
            token_id,
            self.client_now(),
            &http::Method::GET,
            &uri,
            &response,
        )));
    }

    /// Gives the session an input.
    pub(crate) fn handle_input(&mut self, input: Input) {
        if let Input::Response { id, .. } | Input::Failed { id, .. } = &input {
            self.outstanding.take_if(|(outstanding, _)| outstanding == id);
        }
        // Whoever wants to leave does not wait long for what is under way.
        if let Input::Shutdown = input {
            self.outstanding = None;
        }
        let mut cx = Context::new(
            Timestamp::from_millis(self.now.as_millis().saturating_add_signed(self.client_ahead)),
            &mut self.client_entropy,
        );
        self.session.handle_input(&mut cx, input);
        self.drain();
    }

    /// Lets time pass, or, where the session finishes first, the time until then.
    pub(crate) fn run_for(&mut self, duration: Duration) {
        let end = self.now.saturating_add(duration);
        self.drain();
        while !self.finished && self.step(end) {}
        if !self.finished {
            self.now = end;
        }
    }

    /// Lets time pass until the session is as `wanted`, has finished, or `limit` has passed; whether it is as wanted.
    pub(crate) fn run_until(&mut self, limit: Duration, wanted: impl Fn(&Session) -> bool) -> bool {
        let end = self.now.saturating_add(limit);
        self.drain();
        while !wanted(&self.session) {
            if self.finished || !self.step(end) {
                return false;
            }
        }
        true
    }

    /// Goes to the next thing that happens, unless that is after `end`.
    fn step(&mut self, end: Timestamp) -> bool {
        let happening = self.schedule.first_key_value().map(|((at, _), _)| *at);
        let deadline = self.deadline.map(|at| self.on_the_simulations_clock(at).max(self.asleep_until));
        match (happening, deadline) {
            (Some(at), deadline) if deadline.is_none_or(|deadline| at <= deadline) => {
                if at > end {
                    return false;
                }
                self.now = at.max(self.now);
                if let Some((_, happening)) = self.schedule.pop_first() {
                    self.happen(happening);
                }
            }
            (_, Some(deadline)) => {
                if deadline > end {
                    return false;
                }
                // A deadline that lies behind would hold the simulation still.
                if self.deadline.is_some_and(|at| at <= self.client_now()) && self.asleep_until <= self.now {
                    self.now = self.now.saturating_add(Duration::from_millis(1));
                }
                self.now = deadline.max(self.now);
                self.handle_input(Input::Timeout);
                if self.deadline.is_some_and(|at| at <= self.client_now()) {
                    self.stalls += 1;
                }
            }
            (None, None) => return false,
            (Some(_), None) => {}
        }
        true
    }

    fn on_the_simulations_clock(&self, client: Timestamp) -> Timestamp {
        Timestamp::from_millis(client.as_millis().saturating_add_signed(self.client_ahead.saturating_neg()))
    }

    fn put(&mut self, at: Timestamp, happening: Scheduled) {
        self.scheduled += 1;
        self.schedule.insert((at, self.scheduled), happening);
    }

    fn happen(&mut self, happening: Scheduled) {
        match happening {
            Scheduled::Arrival { id, request } => {
                let mut cx = Context::new(self.now, &mut self.broker_entropy);
                let response = self.broker.handle(&mut cx, &request);
                self.reply(id, response);
            }
            Scheduled::Delivery { input } if self.asleep_until > self.now => {
                self.put(self.asleep_until, Scheduled::Delivery { input });
            }
            Scheduled::Delivery { input } => self.handle_input(input),
            Scheduled::Script(script) => {
                script(self);
                self.drain();
            }
        }
    }

    fn drain(&mut self) {
        if self.asleep_until > self.now {
            return;
        }
        let mut calls = 0;
        loop {
            calls += 1;
            let now = self.client_now();
            match self.session.poll_output(&mut Context::new(now, &mut self.client_entropy)) {
                Output::Transmit { id, request, give_up_at } => {
                    let earlier = self.outstanding.replace((id, give_up_at));
                    self.overlaps += usize::from(earlier.is_some_and(|(_, give_up_at)| give_up_at > now));
                    self.send(id, request);
                }
                Output::Event(event) => self.events.push((now, event)),
                // The simulation's consumer has its signature key at hand.
                Output::Sign { .. } => {}
                Output::Timeout { at, .. } => {
                    self.deadline = Some(at);
                    break;
                }
                Output::Finished => {
                    self.deadline = None;
                    self.finished = true;
                    break;
                }
                output => unreachable!("{output:?}"),
            }
        }
        self.longest_drain = self.longest_drain.max(calls);
    }

    fn send(&mut self, id: ExchangeId, request: Request<Bytes>) {
        let at = self.client_now();
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.parse().ok());
        let header: AuthorizationHeader = header.unwrap_or_default();
        let text = |name: &str| header.get(name).unwrap_or_default().to_owned();
        let timestamp = text("oauth_timestamp").parse().unwrap_or_default();
        let (path, nonce) = (request.uri().path().to_owned(), text("oauth_nonce"));
        self.sent.push(SentRequest { at, path, nonce, timestamp, events_before: self.events.len() });

        let latency = self.latency();
        if self.chance.happens(self.network.refused) {
            self.fail(id, latency, FailureKind::NotSent);
        } else if self.chance.happens(self.network.dropped_request) {
            self.fail(id, latency, FailureKind::MaybeSent);
        } else {
            self.put(self.now.saturating_add(latency), Scheduled::Arrival { id, request });
        }
    }

    fn reply(&mut self, id: ExchangeId, response: Response<Bytes>) {
        let latency = self.latency();
        // The broker's own way to lose a request or its reply: nothing ever comes back.
        if response.extensions().get::<Dropped>().is_some() {
            return;
        }
        if self.chance.happens(self.network.dropped_response) {
            return self.fail(id, latency, FailureKind::MaybeSent);
        }
        let mut at = self.now.saturating_add(latency);
        if self.chance.happens(self.network.late_response) {
            at = at.saturating_add(Duration::from_secs(60 + self.chance.up_to(120)));
        }
        if self.chance.happens(self.network.repeated_response) {
            let again = at.saturating_add(self.latency());
            self.put(again, Scheduled::Delivery { input: Input::Response { id, response: response.clone() } });
        }
        self.put(at, Scheduled::Delivery { input: Input::Response { id, response } });
    }

    fn fail(&mut self, id: ExchangeId, wait: Duration, kind: FailureKind) {
        let failure = Failure::new(kind, "injected by the simulation");
        self.put(self.now.saturating_add(wait), Scheduled::Delivery { input: Input::Failed { id, failure } });
    }

    fn latency(&mut self) -> Duration {
        let (shortest, longest) = self.network.latency;
        let spread = u64::try_from(longest.saturating_sub(shortest).as_millis()).unwrap_or_default();
        shortest.saturating_add(Duration::from_millis(self.chance.up_to(spread)))
    }
}
