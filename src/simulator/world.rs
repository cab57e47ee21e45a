//! A session and its broker in one world: one virtual clock, one seed, and weather between them.

use std::{collections::BTreeMap, fmt, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::AUTHORIZATION};

use super::{Broker, Lost, test_keys};
use crate::{
    context::{Context, Entropy, EntropyError, Timestamp},
    error::Error,
    oauth1::AuthorizationHeader,
    session::{ExchangeId, Failure, FailureKind, Input, Output, Report, Session, SessionConfig, SessionEvent},
};

/// Random bytes that are the same for the same seed. **For tests only:** they are not fit for keys.
#[derive(Clone, Debug)]
pub struct SeededEntropy(u64);

impl SeededEntropy {
    /// The stream of bytes that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits (`SplitMix64`).
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `limit`, both included.
    fn up_to(&mut self, limit: u64) -> u64 {
        let number = self.next();
        limit.checked_add(1).map_or(number, |count| number % count)
    }

    /// Whether something happens that happens `in_a_thousand` times of a thousand.
    fn happens(&mut self, in_a_thousand: u16) -> bool {
        self.up_to(999) < u64::from(in_a_thousand)
    }
}

impl Entropy for SeededEntropy {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in destination.chunks_mut(8) {
            for (to, from) in chunk.iter_mut().zip(self.next().to_le_bytes()) {
                *to = from;
            }
        }
        Ok(())
    }
}

/// What happens to requests and replies on their way. Chances are in a thousand.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Weather {
    /// The shortest and the longest time that a request, or a reply, is on its way.
    pub latency: (Duration, Duration),
    /// No connection can be made.
    pub refused: u16,
    /// The connection breaks before the request arrives.
    pub lost_request: u16,
    /// The connection breaks after the broker has acted.
    pub lost_reply: u16,
    /// The reply comes twice.
    pub repeated_reply: u16,
    /// The reply comes only after one to three minutes, perhaps behind those to later requests.
    pub late_reply: u16,
}

impl Default for Weather {
    /// Fair: 5 to 80 ms each way, and nothing is lost.
    fn default() -> Self {
        Self {
            latency: (Duration::from_millis(5), Duration::from_millis(80)),
            refused: 0,
            lost_request: 0,
            lost_reply: 0,
            repeated_reply: 0,
            late_reply: 0,
        }
    }
}

/// A request that the session sent, as a watcher on the wire sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// When, by the client's clock.
    pub at: Timestamp,
    /// The path of its URL.
    pub path: String,
    /// Its `oauth_nonce`.
    pub nonce: String,
    /// Its `oauth_timestamp`, in seconds.
    pub timestamp: u64,
    /// How many events the session had told before: its place among [`World::events`].
    pub events_before: usize,
}

/// What is under way in the world, or will be done to it.
enum Happening {
    Arrival { id: ExchangeId, request: Request<Bytes> },
    Delivery { input: Input },
    Script(Box<dyn FnOnce(&mut World)>),
}

/// A [`Session`] and a [`Broker`] on one virtual clock and one seed.
///
/// ```
/// use std::time::Duration;
/// use ibkr_oauth::{session::{SessionConfig, State}, simulator::{Fault, World}};
///
/// let mut world = World::new(1, SessionConfig::default())?;
/// world.after(Duration::from_secs(3600), |world| world.broker().inject(Fault::expire_live_session_token()));
/// world.run_for(Duration::from_secs(2 * 3600));
/// assert_eq!(world.session().view().state(), State::Live);
/// # Ok::<(), ibkr_oauth::Error>(())
/// ```
pub struct World {
    session: Session,
    broker: Broker,
    weather: Weather,
    dice: SeededEntropy,
    client_entropy: SeededEntropy,
    broker_entropy: SeededEntropy,
    now: Timestamp,
    started: Timestamp,
    /// The client's clock less the world's, in milliseconds.
    client_ahead: i64,
    asleep_until: Timestamp,
    /// In the order of time, then of coming about.
    happenings: BTreeMap<(Timestamp, u64), Happening>,
    happened: u64,
    deadline: Option<Timestamp>,
    events: Vec<(Timestamp, SessionEvent)>,
    sent: Vec<Sent>,
    finished: bool,
    longest_drain: usize,
    stalls: usize,
    /// What waits for its answer, and until when by the client's clock.
    outstanding: Option<(ExchangeId, Timestamp)>,
    overlaps: usize,
}

impl World {
    /// A world that begins at 2023-11-14T22:13:20Z, with a user who has consented and a session about to start.
    ///
    /// # Errors
    /// None: the keys are fixed. It is a [`Result`] so that nothing here can panic.
    pub fn new(seed: u64, config: SessionConfig) -> Result<Self, Error> {
        Self::with_broker(seed, config, Broker::default())
    }

    /// As [`new`](Self::new), with a broker of your making that knows the [`test_keys`].
    ///
    /// # Errors
    /// Where that broker does not let the consumer of the [`test_keys`] in.
    pub fn with_broker(seed: u64, config: SessionConfig, mut broker: Broker) -> Result<Self, Error> {
        let now = Timestamp::from_secs(1_700_000_000);
        let mut client_entropy = SeededEntropy::new(seed ^ 0xc11e);
        let token = test_keys::unlocked_token(&mut broker, &mut Context::new(now, &mut client_entropy))?;
        let session = Session::new(test_keys::consumer()?, token, config);
        Ok(Self::with_session(seed, session, broker, client_entropy, now))
    }

    /// A world around a session that exists already.
    pub(crate) fn with_session(
        seed: u64,
        session: Session,
        broker: Broker,
        client_entropy: SeededEntropy,
        now: Timestamp,
    ) -> Self {
        Self {
            session,
            broker,
            weather: Weather::default(),
            dice: SeededEntropy::new(seed),
            client_entropy,
            broker_entropy: SeededEntropy::new(seed ^ 0xb20e),
            now,
            started: now,
            client_ahead: 0,
            asleep_until: now,
            happenings: BTreeMap::new(),
            happened: 0,
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
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The broker, to inject faults or ask for its refusals.
    pub fn broker(&mut self) -> &mut Broker {
        &mut self.broker
    }

    /// The weather, which may be changed at any time.
    pub fn weather(&mut self) -> &mut Weather {
        &mut self.weather
    }

    /// The time, as the broker's clock tells it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// How long the world has lasted.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.now.saturating_duration_since(self.started)
    }

    /// The time, as the client's clock tells it.
    #[must_use]
    pub fn client_now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.as_millis().saturating_add_signed(self.client_ahead))
    }

    /// Everything that the session told, with the time on its own clock.
    #[must_use]
    pub fn events(&self) -> &[(Timestamp, SessionEvent)] {
        &self.events
    }

    /// Everything that the session sent.
    #[must_use]
    pub fn sent(&self) -> &[Sent] {
        &self.sent
    }

    /// Whether the session has finished.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// The most calls of `poll_output` that it took to reach `Timeout` or `Finished`.
    #[must_use]
    pub fn longest_drain(&self) -> usize {
        self.longest_drain
    }

    /// How often a deadline had not moved on after it was handled. A session that is right never stalls.
    #[must_use]
    pub fn stalls(&self) -> usize {
        self.stalls
    }

    /// How often a request went out while another one still waited for its answer. A session that is right never does
    /// that.
    #[must_use]
    pub fn overlaps(&self) -> usize {
        self.overlaps
    }

    /// Does something to the world when `wait` has passed.
    pub fn after(&mut self, wait: Duration, script: impl FnOnce(&mut Self) + 'static) {
        self.put(self.now.saturating_add(wait), Happening::Script(Box::new(script)));
    }

    /// Sets the client's clock ahead by so many milliseconds, or back where it is negative.
    pub fn step_client_clock(&mut self, millis: i64) {
        self.client_ahead = self.client_ahead.saturating_add(millis);
        if let (Some((_, give_up_at)), Ok(back)) = (&mut self.outstanding, u64::try_from(millis.saturating_neg())) {
            *give_up_at = give_up_at.saturating_sub(Duration::from_millis(back));
        }
        self.drain();
    }

    /// Puts the client's machine to sleep: its clock runs on, but the session hears and does nothing.
    pub fn suspend_client(&mut self, sleep: Duration) {
        self.asleep_until = self.asleep_until.max(self.now.saturating_add(sleep));
    }

    /// Tells the session that a request of the application's own, signed just now, was answered with `status`.
    pub fn report(&mut self, status: StatusCode) {
        let Some(token_id) = self.session.view().token_id() else { return };
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status;
        let uri = http::Uri::from_static("https://api.ibkr.com/v1/api/portfolio/accounts");
        self.tell(Input::Reported(Report::new(token_id, self.client_now(), &http::Method::GET, &uri, &response)));
    }

    /// Gives the session an input.
    pub fn tell(&mut self, input: Input) {
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
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now.saturating_add(duration);
        self.drain();
        while !self.finished && self.step(end) {}
        if !self.finished {
            self.now = end;
        }
    }

    /// Goes to the next thing that happens, unless that is after `end`.
    fn step(&mut self, end: Timestamp) -> bool {
        let happening = self.happenings.first_key_value().map(|((at, _), _)| *at);
        let deadline = self.deadline.map(|at| self.on_the_worlds_clock(at).max(self.asleep_until));
        match (happening, deadline) {
            (Some(at), deadline) if deadline.is_none_or(|deadline| at <= deadline) => {
                if at > end {
                    return false;
                }
                self.now = at.max(self.now);
                if let Some((_, happening)) = self.happenings.pop_first() {
                    self.happen(happening);
                }
            }
            (_, Some(deadline)) => {
                if deadline > end {
                    return false;
                }
                // A deadline that lies behind would hold the world still.
                if self.deadline.is_some_and(|at| at <= self.client_now()) && self.asleep_until <= self.now {
                    self.now = self.now.saturating_add(Duration::from_millis(1));
                }
                self.now = deadline.max(self.now);
                self.tell(Input::Timeout);
                if self.deadline.is_some_and(|at| at <= self.client_now()) {
                    self.stalls += 1;
                }
            }
            (None, None) => return false,
            (Some(_), None) => {}
        }
        true
    }

    fn on_the_worlds_clock(&self, client: Timestamp) -> Timestamp {
        Timestamp::from_millis(client.as_millis().saturating_add_signed(self.client_ahead.saturating_neg()))
    }

    fn put(&mut self, at: Timestamp, happening: Happening) {
        self.happened += 1;
        self.happenings.insert((at, self.happened), happening);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Arrival { id, request } => {
                let mut cx = Context::new(self.now, &mut self.broker_entropy);
                let response = self.broker.handle(&mut cx, &request);
                self.reply(id, response);
            }
            Happening::Delivery { input } if self.asleep_until > self.now => {
                self.put(self.asleep_until, Happening::Delivery { input });
            }
            Happening::Delivery { input } => self.tell(input),
            Happening::Script(script) => {
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
                // The world's consumer has its signing key at hand.
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
        self.sent.push(Sent { at, path, nonce, timestamp, events_before: self.events.len() });

        let latency = self.latency();
        if self.dice.happens(self.weather.refused) {
            self.fail(id, latency, FailureKind::NotSent);
        } else if self.dice.happens(self.weather.lost_request) {
            self.fail(id, latency, FailureKind::MaybeSent);
        } else {
            self.put(self.now.saturating_add(latency), Happening::Arrival { id, request });
        }
    }

    fn reply(&mut self, id: ExchangeId, response: Response<Bytes>) {
        let latency = self.latency();
        // The broker's own way to lose a request or its reply: nothing ever comes back.
        if response.extensions().get::<Lost>().is_some() {
            return;
        }
        if self.dice.happens(self.weather.lost_reply) {
            return self.fail(id, latency, FailureKind::MaybeSent);
        }
        let mut at = self.now.saturating_add(latency);
        if self.dice.happens(self.weather.late_reply) {
            at = at.saturating_add(Duration::from_secs(60 + self.dice.up_to(120)));
        }
        if self.dice.happens(self.weather.repeated_reply) {
            let again = at.saturating_add(self.latency());
            self.put(again, Happening::Delivery { input: Input::Response { id, response: response.clone() } });
        }
        self.put(at, Happening::Delivery { input: Input::Response { id, response } });
    }

    fn fail(&mut self, id: ExchangeId, wait: Duration, kind: FailureKind) {
        let failure = Failure { kind, detail: "bad weather".to_owned() };
        self.put(self.now.saturating_add(wait), Happening::Delivery { input: Input::Failed { id, failure } });
    }

    fn latency(&mut self) -> Duration {
        let (shortest, longest) = self.weather.latency;
        let spread = u64::try_from(longest.saturating_sub(shortest).as_millis()).unwrap_or_default();
        shortest.saturating_add(Duration::from_millis(self.dice.up_to(spread)))
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now)
            .field("session", &self.session)
            .field("weather", &self.weather)
            .finish_non_exhaustive()
    }
}
