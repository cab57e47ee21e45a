//! One WebSocket, from its opening to its end.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    super::{broker::Broker, faults::SocketFault},
    feed::{Feed, Subscription, later},
    journal::{Happening, Order},
    login::{Status, account, greeting},
    message::{SocketMessage, SocketOutput},
    order_messages,
};
use crate::context::Timestamp;

/// From one message of the greeting to the next.
const GREETING: Duration = Duration::from_millis(40);

/// From one heartbeat to the next.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How long it waits for a session.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a status that is false only for a moment is so.
const FLICKER: Duration = Duration::from_millis(700);

/// The code of a close that gives no reason.
pub(super) const NORMAL: u16 = 1000;

/// Topics that nobody subscribes to, and everybody gets.
const UNSOLICITED: [&str; 5] = ["act", "blt", "ntf", "sts", "system"];

/// An open WebSocket of a [`Broker`]'s, from [`Broker::open_socket`].
///
/// Hand it what the client sends by [`receive`](Self::receive), and send what [`poll`](Self::poll) gives until there is
/// nothing more: at the moment that [`next_output_at`](Self::next_output_at) gives, after each `receive`, and after everything
/// that was done to the broker. When the client closes, drop it. What it sends is computed when it is polled, with the times at
/// which it was due: a clock that jumps an hour ahead loses nothing of the hour.
///
/// Once its session is known it says `system` and, where there is a brokerage session or a competing one, `act` and `sts`,
/// within a quarter of a second; **what is subscribed before that is lost**, and is among the broker's [`refusals`](Broker::refusals) as `subscribed_too_early`. Each 10 s it says `hb`. `smd`
/// brings all fields at once, and then those that changed; **each line falls silent ten minutes after it was asked for**, without a
/// word, until it is asked for again. There are 100 lines and 5 histories (`smh`). `sbd`, `spl`, `ssd`, `sld` bring what
/// such an account may see; `sor` and `str` tell of the orders that were placed by `POST /iserver/account/{id}/orders`, of which
/// those of type `MKT` are filled at once. `smd`, `smh`, `sbd`, `sor` and `str` need the brokerage session, and end with it.
///
/// Where the real broker's words and habits are not known (too many lines, the code of an error, `@EXCHANGE` in a
/// topic, which is said as it was asked), its own are made up: do not match on them.
pub struct Socket {
    pub(super) fault: Option<SocketFault>,
    deviations: Vec<&'static str>,
    pub(super) agenda: Agenda,
    pub(super) phase: Phase,
    heartbeat_at: Option<Timestamp>,
    heartbeat: Duration,
    /// What it has been told of the brokerage session.
    status: Status,
    /// By topic.
    pub(super) subscriptions: BTreeMap<String, Subscription>,
    /// How many subscriptions there were.
    pub(super) serial: u64,
    /// Whether the access token of its URL is the user's, so that a session can be taken.
    pub(super) is_named: bool,
    /// Its number among all.
    pub(super) number: u64,
    /// The number of the next happening to hear of.
    cursor: u64,
    is_silent: bool,
    /// It says nothing of the brokerage session any more.
    is_status_silent: bool,
    polled_at: Timestamp,
}

debug_fields!(self: Socket { number: self.number, phase: self.phase, topics: self.subscriptions.keys() });

/// What is known of who opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knowledge {
    Nothing,
    /// The user.
    User,
    /// The user and the session.
    Session,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// For a session, until then.
    Waiting(Timestamp),
    /// It takes subscriptions from then on.
    Open(Timestamp),
    Closed,
}

/// What is next.
enum Next {
    Agenda,
    Heartbeat,
    Message(String),
    Status(Status),
    OutOfPatience,
}

/// Something to be sent.
pub(super) enum Due {
    Message(Bytes),
    Close(Option<u16>),
}

/// In order of time, and of what was decided first where the time is the same.
#[derive(Default)]
pub(super) struct Agenda(VecDeque<(Timestamp, Due)>);

impl Agenda {
    pub(super) fn put(&mut self, at: Timestamp, due: Due) {
        let place = self.0.partition_point(|(other, _)| *other <= at);
        self.0.insert(place, (at, due));
    }

    pub(super) fn say(&mut self, at: Timestamp, message: &Value) {
        self.put(at, Due::Message(message.to_string().into()));
    }

    pub(super) fn first_at(&self) -> Option<Timestamp> {
        self.0.front().map(|(at, _)| *at)
    }

    pub(super) fn pop(&mut self) -> Option<(Timestamp, Due)> {
        self.0.pop_front()
    }
}

impl Socket {
    /// One that opens now.
    pub(super) fn open(
        broker: &Broker,
        now: Timestamp,
        fault: Option<SocketFault>,
        knowledge: Knowledge,
        deviations: Vec<&'static str>,
    ) -> Self {
        let scaled = |duration| broker.profile.availability.scaled(duration);
        let mut socket = Self {
            fault,
            deviations,
            agenda: Agenda::default(),
            phase: Phase::Waiting(now.saturating_add(scaled(PATIENCE))),
            heartbeat_at: None,
            heartbeat: scaled(HEARTBEAT).max(Duration::from_millis(1)),
            status: Status::default(),
            subscriptions: BTreeMap::new(),
            serial: 0,
            is_named: knowledge != Knowledge::Nothing,
            number: broker.sockets,
            cursor: broker.journal.end(),
            is_silent: false,
            is_status_silent: fault == Some(SocketFault::NoStatus),
            polled_at: now,
        };
        if fault == Some(SocketFault::CloseAtOnce) {
            socket.agenda.put(now, Due::Close(Some(NORMAL)));
        } else if knowledge == Knowledge::Session && fault != Some(SocketFault::StaleSession) {
            socket.greet(broker, now);
        } else {
            socket.agenda.say(now, &json!({ "message": "waiting for session" }));
        }
        socket
    }

    /// What was let pass at its opening although it deviates, by [name](super::super::AcceptedRequest::deviations).
    #[must_use]
    pub fn deviations(&self) -> &[&'static str] {
        &self.deviations
    }

    /// Its session is known: it is greeted, and lives.
    pub(super) fn greet(&mut self, broker: &Broker, now: Timestamp) {
        self.status = Status::of(broker, now);
        let mut at = now;
        let status = if self.status.is_known() { self.status_messages(self.status) } else { Vec::new() };
        for message in greeting(broker, self.status).into_iter().chain(status) {
            at = at.saturating_add(GREETING);
            self.agenda.say(at, &message);
        }
        self.phase = Phase::Open(at);
        self.heartbeat_at = (self.fault != Some(SocketFault::NoHeartbeat)).then(|| now.saturating_add(self.heartbeat));
        if self.fault == Some(SocketFault::OddMessages) {
            let odd = ["{}", "no JSON", "[1]", "", "{\"topic\":\"xyz+1\",\"new\":{\"key\":[]}}", "{\"topic\":7}"];
            for message in odd {
                self.agenda.put(at.saturating_add(GREETING), Due::Message(Bytes::from_static(message.as_bytes())));
            }
        }
    }

    /// What is to be sent next; `None` where nothing is yet, or any more.
    pub fn poll(&mut self, broker: &Broker, now: Timestamp) -> Option<SocketOutput> {
        self.polled_at = self.polled_at.max(now);
        while self.phase != Phase::Closed {
            self.hear(broker, now);
            let (at, next) = self.next(broker, now)?;
            if at > now {
                return None;
            }
            match self.produce(broker, at, next) {
                Some(Due::Close(code)) => {
                    self.phase = Phase::Closed;
                    return Some(SocketOutput::Close(code));
                }
                Some(Due::Message(payload)) if !self.is_silent => {
                    return Some(SocketOutput::Message(self.dressed(payload)));
                }
                _ => {}
            }
        }
        None
    }

    /// When it has to be polled at the latest, which may be past; `None` once it is closed.
    #[must_use]
    pub fn next_output_at(&self, broker: &Broker) -> Option<Timestamp> {
        if self.phase == Phase::Closed {
            return None;
        }
        if self.cursor < broker.journal.end() {
            return Some(self.polled_at);
        }
        // A brokerage session begins to answer, and ends, by itself.
        let changes = broker.brokerage_session.into_iter().flat_map(|session| [session.ready_from, session.ends_at()]);
        let changes = changes.map(|clock| broker.time_of(clock)).filter(|at| *at > self.polled_at);
        let next = self.next(broker, self.polled_at).map(|(at, _)| at);
        changes.filter(|_| !matches!(self.phase, Phase::Waiting(_))).chain(next).min()
    }

    /// What is next, and when.
    fn next(&self, broker: &Broker, now: Timestamp) -> Option<(Timestamp, Next)> {
        let mut next: Option<(Timestamp, Next)> = None;
        let mut consider = |at: Timestamp, what: Next| {
            if next.as_ref().is_none_or(|(earliest, _)| at < *earliest) {
                next = Some((at, what));
            }
        };
        if let Some(at) = self.agenda.first_at() {
            consider(at, Next::Agenda);
        }
        match self.phase {
            Phase::Waiting(until) => consider(until, Next::OutOfPatience),
            Phase::Open(_) => {
                if let Some((at, status)) = self.change(broker, now) {
                    consider(at, Next::Status(status));
                }
            }
            Phase::Closed => return None,
        }
        if let Some(at) = self.heartbeat_at {
            consider(at, Next::Heartbeat);
        }
        let due = self.subscriptions.iter().filter_map(|(topic, subscription)| Some((subscription.due()?, topic)));
        if let Some((at, topic)) = due.min() {
            consider(at, Next::Message(topic.clone()));
        }
        next
    }

    /// The status that it does not know yet, and since when it is so.
    fn change(&self, broker: &Broker, now: Timestamp) -> Option<(Timestamp, Status)> {
        let status = Status::of(broker, now);
        if status == self.status {
            return None;
        }
        let since = broker
            .brokerage_session
            .map(|session| broker.time_of(if status.authenticated { session.ready_from } else { session.ends_at() }));
        Some((since.filter(|at| *at <= now).unwrap_or(now), status))
    }

    fn produce(&mut self, broker: &Broker, at: Timestamp, next: Next) -> Option<Due> {
        match next {
            Next::Agenda => self.agenda.pop().map(|(_, due)| due),
            Next::OutOfPatience => Some(Due::Close(Some(NORMAL))),
            Next::Heartbeat => {
                self.heartbeat_at = later(at, self.heartbeat);
                Some(message(&json!({ "topic": "system", "hb": broker.clock_at(at).as_millis() })))
            }
            Next::Message(topic) => {
                let subscription = self.subscriptions.get_mut(&topic)?;
                let told = subscription.message(&topic, &broker.profile.accounts, broker.clock_at(at));
                if self.fault == Some(SocketFault::SilentLine) && matches!(subscription.feed, Feed::MarketData { .. }) {
                    self.fault = None;
                    subscription.fall_silent(at);
                }
                Some(message(&told))
            }
            Next::Status(status) => {
                let before = std::mem::replace(&mut self.status, status);
                if status.is_known() && !before.is_known() {
                    self.agenda.say(at, &account(broker));
                }
                if !status.authenticated {
                    self.subscriptions.retain(|_, subscription| !subscription.needs_brokerage_session());
                }
                for message in self.status_messages(status) {
                    self.agenda.say(at, &message);
                }
                None
            }
        }
    }

    /// Hears of what happened at the broker.
    fn hear(&mut self, broker: &Broker, now: Timestamp) {
        while self.cursor < broker.journal.end() && self.phase != Phase::Closed {
            let happening = broker.journal.get(self.cursor);
            self.cursor = self.cursor.saturating_add(1);
            match happening {
                Happening::Close(code) => self.agenda.put(now, Due::Close(code)),
                Happening::SilenceSockets => self.is_silent = true,
                Happening::Silence(topic) if topic == "sts" => self.is_status_silent = true,
                Happening::Silence(topic) => {
                    let within = |other: &str| {
                        other.strip_prefix(topic.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('+'))
                    };
                    for (_, subscription) in self.subscriptions.iter_mut().filter(|(other, _)| within(other)) {
                        subscription.fall_silent(now);
                    }
                }
                Happening::Flicker if self.status.authenticated => {
                    let lost = Status { authenticated: false, established: false, ..self.status };
                    for (status, at) in [(lost, now), (self.status, now.saturating_add(FLICKER))] {
                        for message in self.status_messages(status) {
                            self.agenda.say(at, &message);
                        }
                    }
                }
                Happening::Publish { topic, message } => {
                    if self.subscriptions.get(&topic).is_some_and(|subscription| !subscription.is_silent(now))
                        || self.is_greeted() && UNSOLICITED.contains(&topic.as_str())
                    {
                        self.agenda.put(now, Due::Message(message));
                    }
                }
                Happening::Order(order) => self.hear_of_order(broker, &order, now),
                Happening::Flicker => {}
            }
        }
    }

    /// What it says of the brokerage session.
    fn status_messages(&self, status: Status) -> Vec<Value> {
        if self.is_status_silent { Vec::new() } else { status.messages(self.fault) }
    }

    fn is_greeted(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    fn hear_of_order(&mut self, broker: &Broker, order: &Order, now: Timestamp) {
        for told in order_messages::of(order, broker.clock_at(now)) {
            let Some(subscription) = self.subscriptions.get(told.topic).filter(|held| !held.is_silent(now)) else {
                continue;
            };
            let is_wanted = match &subscription.feed {
                Feed::Orders { filters } => {
                    let is_among = told.status.is_some_and(|status| filters.iter().any(|filter| filter == status));
                    !broker.journal.orders_are_muted && (filters.is_empty() || is_among)
                }
                _ => true,
            };
            if is_wanted {
                let message = json!({ "topic": told.topic, "args": [told.args] });
                self.agenda.say(now.saturating_add(told.after), &message);
            }
        }
    }

    /// The message as it is sent where something is wrong.
    fn dressed(&self, payload: Bytes) -> SocketMessage {
        match self.fault {
            Some(SocketFault::Binary) => SocketMessage::new(payload, false, 1),
            Some(SocketFault::Fragments) => SocketMessage::new(payload, true, 3),
            Some(SocketFault::NotUtf8) => SocketMessage::new(not_utf8(payload), true, 1),
            _ => SocketMessage::new(payload, true, 1),
        }
    }
}

fn message(value: &Value) -> Due {
    Due::Message(value.to_string().into())
}

/// With a name whose last letter is in another encoding, where it is about orders or trades.
fn not_utf8(payload: Bytes) -> Bytes {
    let is_about_orders = [&b"\"topic\":\"sor\""[..], b"\"topic\":\"str\""]
        .iter()
        .any(|topic| payload.ends_with(&[topic, &b"}"[..]].concat()));
    match payload.strip_suffix(b"}") {
        Some(front) if is_about_orders => [front, b",\"venue\":\"Z\x99\"}"].concat().into(),
        _ => payload,
    }
}
