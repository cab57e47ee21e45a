//! The broker's WebSocket: a stream that does not die in silence.
//!
//! What trades wants quotes, orders and fills as they happen, and a broker's stream ends in many ways that nobody
//! reports: a line of market data falls silent after ten minutes, subscriptions that are sent too early vanish, a connection
//! stays open and says nothing. A [`Stream`] knows these ways. It opens a connection when the [session](crate::session) is
//! live, with the session of a fresh tickle; waits until the broker says that the user is authenticated; keeps the
//! connection alive and watches that it is; asks for each line again in time; and after each gap, for all that is subscribed.
//! **Each loss that can be known is an event within 60 s**, which says from when on messages may be missing.
//!
//! It types no market data: a [`Message`] has the broker's bytes, by their topic.
//!
//! # Contract
//!
//! A stream has no clock, no socket and no thread, as the session has none. **After each input, drain
//! [`poll_output`](Stream::poll_output) until it returns [`Output::Timeout`] or [`Output::Finished`]**; also where the view
//! of the session changes.
//!
//! 1. On [`Output::Open`], open a WebSocket; hand in [`Input::Opened`] or [`Input::Failed`].
//! 2. On [`Output::Send`], send the text. Hand in each whole message as [`Input::Frame`], be it text or bytes; take frames of
//!    4 MiB at least.
//! 3. When the broker closes, hand in [`Input::Closed`]; on [`Output::Close`], close, and hand in nothing of that connection
//!    any more.
//! 4. On [`Output::Tickle`], hand the session [`session::Input::Tickle`](crate::session::Input::Tickle); on
//!    [`Output::Request`], send the request as one of the application's own.
//! 5. [`Output::Message`] and [`Output::Event`] are for the application.
//! 6. On [`Output::Timeout`], wait until `at`, or until something happens; then hand in what did, [`Input::Timeout`] if it was
//!    nothing. What has come by the connection goes before a timeout.
//!
//! ```
//! # #[cfg(all(feature = "simulator", feature = "getrandom"))] {
//! # use ibkr_oauth::{Context, OsEntropy, Timestamp, simulator::{Broker, test_keys}};
//! # use ibkr_oauth::session::{self, Session, SessionConfig};
//! use ibkr_oauth::{bytes::Bytes, stream::{Input, Output, Stream, StreamConfig, Topic}};
//!
//! # let mut broker = Broker::default();
//! # let mut now = Timestamp::from_secs(1_700_000_000);
//! # let mut entropy = OsEntropy;
//! # let token = test_keys::unlocked_token(&mut broker, &mut Context::new(now, &mut entropy))?;
//! # let mut session = Session::new(test_keys::consumer()?, token, SessionConfig::default());
//! let mut stream = Stream::new(StreamConfig::default());
//! stream.subscribe(&Topic::market_data(265598, &["31"]))?;
//! # let mut is_open = false;
//! let quote = loop {
//!     // In production the session has a driver, and a handle that shows its view.
//! #   match session.poll_output(&mut Context::new(now, &mut entropy)) {
//! #       session::Output::Transmit { id, request, .. } => {
//! #           let response = broker.handle(&mut Context::new(now, &mut entropy), &request);
//! #           session.handle_input(&mut Context::new(now, &mut entropy), session::Input::Response { id, response });
//! #           continue;
//! #       }
//! #       session::Output::Timeout { at } if !is_open => {
//! #           now = at;
//! #           session.handle_input(&mut Context::new(now, &mut entropy), session::Input::Timeout);
//! #       }
//! #       session::Output::Event(_) => continue,
//! #       _ => {}
//! #   }
//!     let mut cx = Context::new(now, &mut entropy);
//!     let input = match stream.poll_output(&mut cx, session.view()) {
//!         // In production: connect, and say so when that is done.
//!         Output::Open(_upgrade) => {
//! #           is_open = true;
//!             Input::Opened
//!         }
//!         Output::Send(text) if text.expose().starts_with(b"smd+265598") => {
//!             Input::Frame(Bytes::from_static(br#"{"topic":"smd+265598","31":"187.20"}"#))
//!         }
//!         Output::Tickle => {
//!             session.handle_input(&mut cx, session::Input::Tickle);
//!             continue;
//!         }
//!         Output::Message(message) => break message,
//!         // In production: wait, for what the broker says as well.
//!         Output::Timeout { .. } => {
//!             Input::Frame(Bytes::from_static(br#"{"topic":"sts","args":{"authenticated":true}}"#))
//!         }
//!         _ => continue,
//!     };
//!     stream.handle_input(&mut cx, input);
//! };
//! assert_eq!(&*quote.topic, "smd+265598");
//! # }
//! # Ok::<(), ibkr_oauth::Error>(())
//! ```
//!
//! # In a test
//!
//! With the features `simulator` and `tungstenite`, `simulator::InProcess` stands in for the HTTP client of a program that uses
//! `Client::stream`: the broker's both halves in process, with no socket, on a virtual clock. What goes wrong in a month
//! happens when the test says so.
//!
//! ```
//! # #[cfg(all(feature = "simulator", feature = "tungstenite"))] {
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! use ibkr_oauth::{Timestamp, client::Client, session::SessionConfig, stream::{StreamEvent, Topic}};
//! use ibkr_oauth::simulator::{Broker, InProcess, test_keys};
//!
//! let network = InProcess::new(Broker::default(), Timestamp::from_secs(1_700_000_000));
//! let bundle = network.broker(test_keys::bundle)?;
//! let (ibkr, driver) = Client::start(network.clone(), &bundle, SessionConfig::default())?;
//! let (stream, stream_driver) = ibkr.stream();
//! tokio::spawn(driver);
//! tokio::spawn(stream_driver);
//!
//! let mut events = stream.events();
//! let mut orders = stream.subscribe(&Topic::orders())?;
//! while !matches!(events.next().await, Some(StreamEvent::Subscribed { .. })) {}
//!
//! // The connection breaks, and another program of the user's places an order meanwhile.
//! network.broker(|broker, cx| {
//!     broker.close_sockets(None);
//!     broker.fill_order(cx.now(), 265598, 1);
//! });
//! let event = loop {
//!     match events.next().await {
//!         Some(StreamEvent::Subscribed { gap: Some(since), .. }) => break since,
//!         Some(_) => {}
//!         None => panic!("the stream has ended"),
//!     }
//! };
//! // Ask for the orders by `GET /iserver/account/orders` now; what comes from here on is heard of.
//! network.broker(|broker, cx| broker.fill_order(cx.now(), 265598, 1));
//! assert_eq!(&*orders.next().await.expect("a message").topic, "sor");
//! # let _ = event;
//! # Ok::<(), ibkr_oauth::Error>(()) })?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it does, and when
//!
//! | | |
//! |---|---|
//! | opens | the session live, no penalty box, a tickle newer than the last attempt; 30 s at most. After a failure, waits that double from 1 s to a minute |
//! | ready | the flags of `sts`, as they stand with all pieces taken together: authenticated, and nothing against it; 10 s at most |
//! | "waiting for session" | answered once in a connection |
//! | keeps alive | `tic` each 30 s; closes after 25 s without any frame (the broker beats each 10 s) |
//! | not authenticated any more | has the session tickle; 10 s later, closes. If the broker takes it back, an event, and all is asked for again |
//! | session lost, or taken by another | closes, and waits until the session is live: nothing is taken back here |
//! | new live session token | closes, and opens under the new one |
//! | market data | each line is asked for again after 4½ to 8½ minutes, by chance, for the broker ends it after ten; and where it says nothing for five |
//! | first message late | asked for again after 10 s, then an event, then after 30 s, doubling to 5 minutes |
//! | refused | an event, asked for again after 30 s, doubling to 5 minutes |
//! | `sor` | with `GET /iserver/account/orders?force=true`, without which a filtered query of somebody's leaves it mute |
//! | sends | at most 25 texts at once, and 25 a second |

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use http::{Method, Request};
use zeroize::Zeroizing;

use crate::{
    context::Context,
    error::Error,
    secret::Secret,
    session::{Clock, Moment, SessionView, State},
    signer::TokenId,
};

mod config;
mod connecting;
mod connection;
mod contract;
mod counts;
mod event;
mod frame;

mod reading;
mod subscription;
mod subscriptions;
mod topic;

pub use self::{
    config::StreamConfig,
    contract::{Input, Message, Output},
    counts::Counts,
    event::StreamEvent,
    topic::Topic,
};
use self::{
    connection::{Connection, WaitingForSession, lost},
    subscriptions::{Next, Subscriptions},
};

/// How long a stream may have nothing to do: it looks at the session now and then, should nobody tell it.
const IDLE: Duration = Duration::from_secs(60);

/// The machine. See the [module](self) for its contract.
pub struct Stream {
    clock: Clock,
    phase: Phase,
    subscriptions: Subscriptions,
    /// Connections tried since the last that was good.
    attempts: u32,
    wants_brokerage: bool,
    outputs: VecDeque<Output>,
    counts: Counts,
    unreadable_before: u64,
    unreadable_reported: Option<Moment>,
    shutting_down: bool,
}

debug_fields!(self: Stream { is_ready: self.is_ready(), counts: self.counts });

enum Phase {
    /// No connection. `asked`: of how many requests the session knew when it was asked for a tickle.
    Waiting {
        not_before: Moment,
        asked: Option<u64>,
    },
    Opening {
        until: Moment,
        token_id: Option<TokenId>,
        opening: u64,
    },
    Connected(Connection),
    Closed,
}

impl Stream {
    /// A stream that connects as soon as the session is live.
    #[must_use]
    pub fn new(config: StreamConfig) -> Self {
        Self {
            clock: Clock::default(),
            phase: Phase::Waiting { not_before: Moment::default(), asked: None },
            subscriptions: Subscriptions::new(config),
            attempts: 0,
            wants_brokerage: true,
            outputs: VecDeque::new(),
            counts: Counts::default(),
            unreadable_before: 0,
            unreadable_reported: None,
            shutting_down: false,
        }
    }

    /// Wants a topic, at once or as soon as there is a connection; again after each gap, until it is
    /// [unsubscribed](Self::unsubscribe) as often as it was subscribed. Fields of market data are joined with those that others
    /// want of the same contract. Drain [`poll_output`](Self::poll_output) afterwards.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the limit of lines or histories is reached, or the topic is
    /// subscribed with other arguments.
    pub fn subscribe(&mut self, topic: &Topic) -> Result<(), Error> {
        self.subscriptions.add(topic)
    }

    /// Wants a topic no more, once. With the last who wanted it, that is sent to the broker; messages that are on their way may
    /// come. Drain [`poll_output`](Self::poll_output) afterwards.
    pub fn unsubscribe(&mut self, topic: &Topic) {
        self.subscriptions.remove(topic);
    }

    /// What has come so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether the broker serves the present connection.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(&self.phase, Phase::Connected(connection) if connection.is_served())
    }

    /// What the stream wants next, as `view` shows the session at this moment. Call it until it returns
    /// [`Output::Timeout`] or [`Output::Finished`].
    pub fn poll_output(&mut self, cx: &mut Context<'_>, view: &SessionView) -> Output {
        self.clock.advance(cx.now());
        let now = self.clock.wall_now();
        self.wants_brokerage = view.wants_brokerage();
        while self.outputs.is_empty() && self.act(&mut Context::new(now, cx.entropy()), view) {}
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        match self.deadline(view) {
            Some(at) => Output::Timeout { at: self.clock.wall(at) },
            None => Output::Finished,
        }
    }

    /// Tells the stream what happened. Drain [`poll_output`](Self::poll_output) afterwards.
    pub fn handle_input(&mut self, cx: &mut Context<'_>, input: Input) {
        self.clock.advance(cx.now());
        let cx = &mut Context::new(self.clock.wall_now(), cx.entropy());
        match input {
            Input::Shutdown => self.shutting_down = true,
            Input::Frame(bytes) => self.read(bytes),
            Input::Opened => {
                if let Phase::Opening { token_id, opening, .. } = self.phase {
                    self.phase = Phase::Connected(Connection::open(self.clock.now(), token_id, opening));
                }
            }
            Input::Failed(failure) if self.is_connecting() => {
                let remedy = failure.remedy();
                let error = lost(format!("the connection failed: {failure}")).with_source(failure);
                let remedy =
                    remedy.unwrap_or("wait: the stream connects again by itself; check network and proxy".into());
                self.disconnect(cx, error.with_remedy(remedy), self.relied_until());
            }
            Input::Closed(code) if self.is_connecting() => {
                let code = code.map_or_else(String::new, |code| format!(" (code {code})"));
                let error = lost(format!("the broker closed the connection{code}"));
                self.disconnect(
                    cx,
                    error.with_remedy("wait: the stream connects again by itself"),
                    self.relied_until(),
                );
            }
            // What is due is found when the stream is polled.
            Input::Timeout | Input::Failed(_) | Input::Closed(_) => {}
        }
    }

    fn is_connecting(&self) -> bool {
        matches!(self.phase, Phase::Opening { .. } | Phase::Connected(_))
    }

    /// From when on messages may be missing where the present connection ends now.
    fn relied_until(&self) -> Option<Moment> {
        match &self.phase {
            Phase::Connected(connection) => Some(connection.relied_until()),
            _ => None,
        }
    }

    fn emit(&mut self, event: StreamEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Does one thing that is due; whether there was one.
    fn act(&mut self, cx: &mut Context<'_>, view: &SessionView) -> bool {
        if matches!(self.phase, Phase::Closed) {
            return false;
        }
        if self.shutting_down || matches!(view.state(), State::Closing | State::Closed) {
            if self.is_connecting() {
                self.outputs.push_back(Output::Close);
            }
            self.phase = Phase::Closed;
            self.emit(StreamEvent::Closed);
            return true;
        }
        if self.counts.unreadable > self.unreadable_before {
            self.report_unreadable();
        }
        if self.follow(cx, view) || self.open(cx, view) {
            return true;
        }
        let now = self.clock.now();
        match &mut self.phase {
            Phase::Opening { until, .. } if *until <= now => {
                self.outputs.push_back(Output::Close);
                let error = lost("the connection was not open in time");
                self.disconnect(cx, error.with_remedy("wait: the stream tries again; check network and proxy"), None);
                true
            }
            Phase::Connected(connection) => {
                if let Some(error) = connection.failure(now) {
                    self.outputs.push_back(Output::Close);
                    self.disconnect(cx, error, self.relied_until());
                    return true;
                }
                self.serve(cx, view)
            }
            _ => false,
        }
    }

    /// Sends what is due on an open connection; whether there was something.
    fn serve(&mut self, cx: &mut Context<'_>, view: &SessionView) -> bool {
        let Phase::Connected(connection) = &mut self.phase else { return false };
        if connection.waiting == WaitingForSession::Said {
            connection.waiting = WaitingForSession::Answered;
            if let Some(session) = view.last_tickle().and_then(|tickle| tickle.session()) {
                self.outputs.push_back(Output::Send(session_frame(session)));
                return true;
            }
        }
        let now = self.clock.now();
        if connection.beats(now) {
            self.outputs.push_back(Output::Send(Secret::from("tic")));
            return true;
        }
        if !connection.is_served() {
            return false;
        }
        match self.subscriptions.next(&self.clock, cx.entropy(), || connection.has_room(now)) {
            Next::Nothing => return false,
            Next::Event(event) => self.emit(event),
            Next::End(text) => self.outputs.push_back(Output::Send(Secret::from(text))),
            Next::Ask { topic, event } => {
                if let Some(event) = event {
                    self.emit(event);
                }
                if let Some(request) = unmuting(&topic, view) {
                    self.outputs.push_back(Output::Request(request));
                }
                self.outputs.push_back(Output::Send(Secret::from(topic.request())));
            }
        }
        true
    }

    /// The next moment at which something will be due; `None` at the end.
    fn deadline(&self, view: &SessionView) -> Option<Moment> {
        let now = self.clock.now();
        let idle = now.after(IDLE);
        let unreadable = self.unreadable_reported.filter(|_| self.counts.unreadable > self.unreadable_before);
        let deadline = match &self.phase {
            Phase::Closed => return None,
            Phase::Waiting { not_before, .. } => {
                let box_ends = view.wait_until().map(|until| self.clock.moment(until));
                [Some(*not_before), box_ends].into_iter().flatten().filter(|at| *at > now).min().unwrap_or(idle)
            }
            Phase::Opening { until, .. } => *until,
            Phase::Connected(connection) if connection.is_served() => {
                let subscriptions = self.subscriptions.deadline().max(connection.room());
                connection.deadline().min(subscriptions)
            }
            Phase::Connected(connection) => connection.deadline(),
        };
        let unreadable = unreadable.map_or(idle, |last| last.after(IDLE));
        // A deadline lies ahead, whatever was reckoned.
        Some(deadline.min(idle).min(unreadable).max(now.after(Duration::from_millis(1))))
    }
}

/// The answer to "waiting for session".
fn session_frame(session: &Secret) -> Secret {
    let text = Zeroizing::new(String::from_utf8_lossy(session.expose()).into_owned());
    // At its final size where the session has nothing to escape, as none has.
    let mut frame = Vec::with_capacity(text.len() + 14);
    frame.extend_from_slice(br#"{"session":"#);
    // A text can be written as JSON.
    let _ = serde_json::to_writer(&mut frame, text.as_str());
    frame.push(b'}');
    Secret::from(frame)
}

/// What makes `sor` speak where a filtered query of the orders has muted it.
fn unmuting(topic: &Topic, view: &SessionView) -> Option<Request<Bytes>> {
    if topic.kind() != topic::Kind::Orders {
        return None;
    }
    let uri = view.signer()?.consumer().endpoints().url("/iserver/account/orders?force=true").ok()?;
    let mut request = Request::new(Bytes::new());
    (*request.method_mut(), *request.uri_mut()) = (Method::GET, uri);
    Some(request)
}
