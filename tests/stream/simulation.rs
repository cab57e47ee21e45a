//! A session, its stream and both halves of the broker on one virtual clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::known_user;
use ibkr_oauth::{
    Context, Timestamp,
    bytes::Bytes,
    http::Request,
    session::{self, Failure, FailureKind, Session, SessionConfig, State},
    simulator::{Broker, BrokerBuilder, SeededEntropy},
    stream::{Input, Message, Output, Stream, StreamConfig, StreamEvent, Topic},
};

/// How long each message is on its way.
pub(crate) const LATENCY: Duration = Duration::from_millis(5);

/// The broker's end of the stream's connection.
pub(crate) trait Upstream: Default {
    /// A client connects.
    fn connect(&mut self, broker: &mut Broker, cx: &mut Context<'_>, request: &Request<()>) -> Connecting;

    /// The client is gone.
    fn disconnect(&mut self);

    /// The client sends a text.
    fn receive(&mut self, broker: &mut Broker, now: Timestamp, text: &str);

    /// What it does to the connection at this moment, until there is nothing more.
    fn act(&mut self, broker: &Broker, now: Timestamp) -> Option<Act>;

    /// When something is to be done.
    fn deadline(&self, broker: &Broker) -> Option<Timestamp>;
}

/// What becomes of an opening.
pub(crate) enum Connecting {
    Open,
    /// With this status.
    Refused(u16),
    /// No answer arrives.
    Lost,
}

/// What is done to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Frame(Vec<u8>),
    Close(Option<u16>),
}

/// What comes by and by.
enum Arrival {
    Open(Request<()>),
    Refused(u16),
    Frame(Vec<u8>),
    Closed(Option<u16>),
    /// A text of the client's comes to the broker.
    Text(String),
}

/// Something that happened at the broker.
#[derive(Clone, Debug)]
pub(crate) struct Happening {
    pub(crate) topic: String,
    pub(crate) number: u64,
    pub(crate) at: Timestamp,
    /// The broker kept silent about this topic alone: that is known only after five minutes.
    pub(crate) is_silent: bool,
}

pub(crate) struct Simulation<U> {
    pub(crate) now: Timestamp,
    pub(crate) start: Timestamp,
    pub(crate) broker: Broker,
    pub(crate) session: Session,
    pub(crate) stream: Stream,
    pub(crate) server: U,
    entropy: SeededEntropy,
    arrivals: BTreeMap<(Timestamp, u64), Arrival>,
    counted: u64,
    /// Frames do not overtake each other.
    latest: Timestamp,
    session_at: Option<Timestamp>,
    stream_at: Option<Timestamp>,
    is_open: bool,
    pub(crate) events: Vec<(Timestamp, StreamEvent)>,
    pub(crate) messages: Vec<(Timestamp, Message)>,
    pub(crate) opens: Vec<(Timestamp, Request<()>)>,
    pub(crate) requests: Vec<(Timestamp, String)>,
    pub(crate) tickles_asked: usize,
    pub(crate) sent: Vec<(Timestamp, String)>,
    pub(crate) happened: Vec<Happening>,
    /// Frames that were handed in, and those that were lost on their way, with when they were sent.
    pub(crate) delivered: Vec<Vec<u8>>,
    pub(crate) lost: Vec<(Timestamp, Vec<u8>)>,
    pub(crate) polls: usize,
    pub(crate) is_finished: bool,
    /// By how much each frame may be late beyond its place.
    pub(crate) shuffle: Duration,
    /// The client's machine hears nothing of what the session says of a network that is down.
    pub(crate) is_offline: bool,
}

impl<U: Upstream> Simulation<U> {
    pub(crate) fn with(
        seed: u64,
        config: SessionConfig,
        stream: StreamConfig,
        make: impl FnOnce(BrokerBuilder) -> BrokerBuilder,
    ) -> Self {
        let now = Timestamp::from_secs(1_700_000_000);
        let broker = known_user::known_to(Broker::builder().strict());
        Self {
            now,
            start: now,
            session: Session::new(known_user::consumer(), known_user::token(), config),
            stream: Stream::new(stream),
            broker: make(broker).build().unwrap(),
            server: U::default(),
            entropy: SeededEntropy::new(seed),
            arrivals: BTreeMap::new(),
            counted: 0,
            latest: now,
            session_at: None,
            stream_at: None,
            is_open: false,
            events: Vec::new(),
            messages: Vec::new(),
            opens: Vec::new(),
            requests: Vec::new(),
            tickles_asked: 0,
            sent: Vec::new(),
            happened: Vec::new(),
            delivered: Vec::new(),
            lost: Vec::new(),
            polls: 0,
            is_finished: false,
            shuffle: Duration::ZERO,
            is_offline: false,
        }
    }

    pub(crate) fn subscribe(&mut self, topic: &str) {
        self.stream.subscribe(&topic.parse::<Topic>().unwrap()).unwrap();
        self.drain();
    }

    pub(crate) fn unsubscribe(&mut self, topic: &str) {
        self.stream.unsubscribe(&topic.parse::<Topic>().unwrap());
        self.drain();
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.stream.handle_input(&mut Context::new(self.now, &mut self.entropy), input);
        self.drain();
    }

    pub(crate) fn end_session(&mut self) {
        self.session.handle_input(&mut Context::new(self.now, &mut self.entropy), session::Input::Shutdown);
    }

    /// Has the broker do something.
    pub(crate) fn control(&mut self, orders: &str) {
        self.broker.control(self.now, orders).unwrap();
    }

    /// Lets seconds pass.
    pub(crate) fn run(&mut self, seconds: u64) {
        self.run_to(self.now.saturating_add(Duration::from_secs(seconds)));
    }

    pub(crate) fn elapsed(&self) -> u64 {
        self.now.saturating_duration_since(self.start).as_secs()
    }

    pub(crate) fn run_to(&mut self, end: Timestamp) {
        self.carry();
        self.drain();
        loop {
            let arrival = self.arrivals.first_key_value().map(|((at, _), _)| *at);
            let next = [arrival, self.session_at, self.stream_at, self.server.deadline(&self.broker)];
            let Some(next) = next.into_iter().flatten().min().filter(|next| *next <= end) else { break };
            self.now = next.max(self.now);
            self.carry();
            while let Some(entry) = self.arrivals.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let arrival = entry.remove();
                self.arrive(arrival);
            }
            if self.session_at.is_some_and(|at| at <= self.now) {
                self.session.handle_input(&mut Context::new(self.now, &mut self.entropy), session::Input::Timeout);
            }
            if self.stream_at.is_some_and(|at| at <= self.now) {
                self.stream.handle_input(&mut Context::new(self.now, &mut self.entropy), Input::Timeout);
            }
            self.drain();
        }
        self.now = end;
    }

    fn arrive(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Open(request) => {
                let cx = &mut Context::new(self.now, &mut self.entropy);
                match self.server.connect(&mut self.broker, cx, &request) {
                    Connecting::Open => {
                        self.is_open = true;
                        self.input(Input::Opened);
                        self.carry();
                    }
                    Connecting::Refused(status) => self.put(LATENCY, Arrival::Refused(status)),
                    Connecting::Lost => {}
                }
            }
            Arrival::Refused(status) => {
                let failure = Failure::new(FailureKind::NotSent, format!("the upgrade was answered with {status}"));
                self.input(Input::Failed(failure));
            }
            Arrival::Frame(bytes) if self.is_open => {
                self.delivered.push(bytes.clone());
                self.input(Input::Frame(Bytes::from(bytes)));
            }
            Arrival::Closed(code) if self.is_open => {
                self.is_open = false;
                self.input(Input::Closed(code));
            }
            Arrival::Text(text) => {
                self.server.receive(&mut self.broker, self.now, &text);
                self.carry();
            }
            Arrival::Frame(bytes) => self.lost.push((self.now.saturating_sub(LATENCY), bytes)),
            Arrival::Closed(_) => {}
        }
    }

    fn put(&mut self, wait: Duration, arrival: Arrival) {
        self.counted += 1;
        let mut at = self.now.saturating_add(wait).max(self.latest);
        if self.shuffle.is_zero() || !matches!(arrival, Arrival::Frame(_)) {
            self.latest = at;
        } else {
            let most = u64::try_from(self.shuffle.as_millis()).unwrap();
            at = at.saturating_add(Duration::from_millis(self.random(most + 1)));
        }
        self.arrivals.insert((at, self.counted), arrival);
    }

    pub(crate) fn random(&mut self, below: u64) -> u64 {
        let mut bytes = [0; 8];
        ibkr_oauth::Entropy::fill(&mut self.entropy, &mut bytes).unwrap();
        u64::from_le_bytes(bytes) % below.max(1)
    }

    /// What the broker did goes on its way.
    pub(crate) fn carry(&mut self) {
        while let Some(act) = self.server.act(&self.broker, self.now) {
            match act {
                Act::Frame(bytes) => self.put(LATENCY, Arrival::Frame(bytes)),
                Act::Close(code) => self.put(LATENCY, Arrival::Closed(code)),
            }
        }
    }

    /// The network between breaks: what is on its way is lost, and nobody says so to the broker.
    pub(crate) fn cut(&mut self) {
        self.lose_arrivals();
        self.server.disconnect();
        if std::mem::take(&mut self.is_open) {
            self.input(Input::Closed(None));
        }
    }

    fn lose_arrivals(&mut self) {
        for ((at, _), arrival) in std::mem::take(&mut self.arrivals) {
            if let Arrival::Frame(bytes) = arrival {
                self.lost.push((at.saturating_sub(LATENCY), bytes));
            }
        }
    }

    pub(crate) fn drain(&mut self) {
        self.drain_session();
        let mut outputs = 0;
        loop {
            outputs += 1;
            assert!(outputs < 2000, "no end of outputs");
            self.polls += 1;
            let output = self.stream.poll_output(&mut Context::new(self.now, &mut self.entropy), self.session.view());
            match output {
                Output::Open(request) => {
                    assert!(self.session.view().is_live(), "it opens though the session is not live");
                    assert!(!self.is_open, "there is a connection");
                    self.latest = self.now;
                    self.opens.push((self.now, request.clone()));
                    self.put(Duration::from_millis(50), Arrival::Open(request));
                }
                Output::Send(text) => {
                    let text = String::from_utf8(text.expose().to_vec()).unwrap();
                    assert!(self.is_open, "there is nobody to send it to: {text}");
                    self.sent.push((self.now, text.clone()));
                    self.put(LATENCY, Arrival::Text(text));
                }
                Output::Close => {
                    self.is_open = false;
                    self.lose_arrivals();
                    self.server.disconnect();
                }
                Output::Tickle => {
                    self.tickles_asked += 1;
                    let cx = &mut Context::new(self.now, &mut self.entropy);
                    self.session.handle_input(cx, session::Input::Tickle);
                    self.drain_session();
                }
                Output::Request(request) => {
                    self.requests.push((self.now, request.uri().path_and_query().unwrap().to_string()));
                    if !self.is_offline {
                        self.call(request);
                    }
                }
                Output::Message(message) => self.messages.push((self.now, message)),
                Output::Event(event) => self.events.push((self.now, event)),
                Output::Timeout { at } => {
                    assert!(at > self.now, "{at} is no deadline at {}", self.now);
                    self.stream_at = Some(at);
                    break;
                }
                Output::Finished => {
                    self.is_finished = true;
                    self.stream_at = None;
                    break;
                }
                output => panic!("unheard of: {output:?}"),
            }
        }
    }

    /// Sends a request of the application's own. Returns the status of its response.
    pub(crate) fn call(&mut self, mut request: Request<Bytes>) -> u16 {
        let Some(signer) = self.session.view().signer() else { return 0 };
        let headers = request.headers_mut();
        headers.insert("user-agent", "stream/1".parse().unwrap());
        let cx = &mut Context::new(self.now, &mut self.entropy);
        signer.sign(cx, &mut request).unwrap();
        self.broker.handle(cx, &request).status().as_u16()
    }

    fn drain_session(&mut self) {
        loop {
            match self.session.poll_output(&mut Context::new(self.now, &mut self.entropy)) {
                session::Output::Transmit { id, .. } if self.is_offline => {
                    let failure = Failure::new(FailureKind::NotSent, "offline");
                    let cx = &mut Context::new(self.now, &mut self.entropy);
                    self.session.handle_input(cx, session::Input::Failed { id, failure });
                }
                session::Output::Transmit { id, request, .. } => {
                    let cx = &mut Context::new(self.now, &mut self.entropy);
                    let response = self.broker.handle(cx, &request);
                    self.session.handle_input(cx, session::Input::Response { id, response });
                }
                session::Output::Timeout { at } => {
                    self.session_at = Some(at);
                    return;
                }
                session::Output::Finished => {
                    self.session_at = None;
                    return;
                }
                _ => {}
            }
        }
    }

    pub(crate) fn state(&self) -> State {
        self.session.view().state()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.events.iter().map(|(_, event)| event.name()).collect()
    }

    pub(crate) fn count(&self, name: &str) -> usize {
        self.names().iter().filter(|known| **known == name).count()
    }

    /// How often the client sent a text that starts so.
    pub(crate) fn sent(&self, start: &str) -> usize {
        self.sent.iter().filter(|(_, text)| text.starts_with(start)).count()
    }

    pub(crate) fn clear(&mut self) {
        self.events.clear();
        self.messages.clear();
        self.sent.clear();
        self.opens.clear();
        self.requests.clear();
        self.delivered.clear();
        self.lost.clear();
    }

    /// The messages of a topic, as text.
    pub(crate) fn of(&self, topic: &str) -> Vec<String> {
        let of = self.messages.iter().filter(|(_, message)| &*message.topic == topic);
        of.map(|(_, message)| String::from_utf8(message.bytes.to_vec()).unwrap()).collect()
    }

    /// The numbers of a topic that were handed on: those of the market, or of orders.
    pub(crate) fn numbers(&self, topic: &str) -> BTreeSet<u64> {
        let mut numbers = BTreeSet::new();
        for (_, message) in self.messages.iter().filter(|(_, message)| &*message.topic == topic) {
            let value: serde_json::Value = serde_json::from_slice(&message.bytes).unwrap();
            let items = value["args"].as_array().cloned().unwrap_or_else(|| vec![value]);
            let number =
                |item: &serde_json::Value| ["n", "orderId", "order_id"].iter().find_map(|name| item[name].as_u64());
            numbers.extend(items.iter().filter_map(number));
        }
        numbers
    }

    /// What happened, was not handed on, and is in no gap that was announced within `within` of it.
    pub(crate) fn unaccounted(&self, within: Duration) -> Vec<Happening> {
        let mut numbers = BTreeMap::new();
        let mut missing = Vec::new();
        for happening in &self.happened {
            let known = numbers.entry(&happening.topic).or_insert_with(|| self.numbers(&happening.topic));
            let within = if happening.is_silent { Duration::MAX } else { within };
            if !known.contains(&happening.number) && !self.is_announced(happening, within) {
                missing.push(happening.clone());
            }
        }
        missing
    }

    /// Frames of this topic that were lost on their way, and are in no gap that was announced within `within`.
    pub(crate) fn unaccounted_frames(&self, topic: &str, within: Duration) -> usize {
        let lost = self.lost.iter().filter(|(_, bytes)| topic_of(bytes) == topic);
        let lost = lost.map(|(at, _)| Happening { topic: topic.to_owned(), number: 0, at: *at, is_silent: false });
        lost.filter(|happening| !self.is_announced(happening, within)).count()
    }

    fn is_announced(&self, lost: &Happening, within: Duration) -> bool {
        // By the client's clock, it would have come then.
        let at = lost.at.saturating_add(LATENCY).saturating_add(self.shuffle);
        let mut open: Option<Timestamp> = None;
        for (said, event) in &self.events {
            if *said > lost.at.saturating_add(within) {
                break;
            }
            let since = match event {
                StreamEvent::Disconnected { since: Some(since), .. }
                | StreamEvent::Renewing { since }
                | StreamEvent::Restored { since } => Some(*since),
                StreamEvent::Quiet { topic, since } if **topic == lost.topic => Some(*since),
                StreamEvent::Refused { topic, since, .. } | StreamEvent::Unconfirmed { topic, since, .. }
                    if **topic == lost.topic =>
                {
                    *since
                }
                StreamEvent::Subscribed { topic, gap } if topic.name() == lost.topic => {
                    if gap.is_some_and(|since| since <= at) && *said >= lost.at {
                        return true;
                    }
                    open = None;
                    None
                }
                // Not confirmed so far: nobody relies on it.
                _ => None,
            };
            if let Some(since) = since {
                open = Some(open.map_or(since, |open| open.min(since)));
            }
            if *said >= lost.at && open.is_some_and(|since| since <= at) {
                return true;
            }
        }
        open.is_some_and(|since| since <= at)
    }
}

/// The topic that a frame names.
pub(crate) fn topic_of(frame: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(frame).unwrap_or_default();
    value["topic"].as_str().unwrap_or_default().to_owned()
}
