//! What is said on an open WebSocket, what is heard, and when it is closed: without a clock and a socket.

use std::time::Duration;

use ibkr_oauth::{BrokerageStatus, Secret, bytes::Bytes};
use serde::{Deserialize, Serialize};

use super::message::Said;

/// How long the broker may take from the opening until it says that the user is authenticated.
const READYING: Duration = Duration::from_secs(10);
/// How long it may say that the user is not: at night it does so for moments, and without meaning it.
const DOUBTFUL: Duration = Duration::from_secs(3);
/// How long a sign of life is waited for. The broker beats each 10 s.
const SIGN_OF_LIFE: Duration = Duration::from_secs(12);
/// How long two heartbeats are waited for.
const TWO_HEARTBEATS: Duration = Duration::from_secs(32);
/// How long the broker may take to answer a close.
const CLOSING: Duration = Duration::from_secs(2);

/// How many messages are kept, and how many bytes of them.
const MOST_MESSAGES: usize = 60;
const MOST_BYTES: usize = 4 << 20;

/// A message as it came.
pub(in super::super) struct Heard {
    /// When, after the opening.
    pub(in super::super) at: Duration,
    pub(in super::super) is_text: bool,
    pub(in super::super) payload: Bytes,
}

/// The last that came by a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Close {
    /// A close frame with this code.
    Code(u16),
    /// A close frame without one.
    NoCode,
    /// No close frame: the connection was cut, or nothing came.
    NoFrame,
}

/// What to do next.
pub(in super::super) enum Next {
    Send(Secret),
    /// Send a close frame of code 1000.
    Close,
    /// Nothing until then, after the opening, unless a message comes.
    Wait(Duration),
    /// It is over.
    Done,
}

/// One connection, from its opening to its end. All times are from the opening on.
pub(in super::super) struct Listening {
    session: Secret,
    /// How many heartbeats are waited for; with none, any sign of life will do.
    heartbeats_wanted: u32,
    messages: Vec<Heard>,
    bytes: usize,
    more: u64,
    /// What the broker says of the session, all pieces taken together.
    status: BrokerageStatus,
    /// Since when it says that the user is not served.
    doubtful: Option<Duration>,
    ready: Option<Duration>,
    is_waiting_for_session: bool,
    session_sent: Option<Duration>,
    tic_sent: Option<Duration>,
    close_sent: Option<Duration>,
    heartbeats: u32,
    tic_answers: u32,
    error: Option<Bytes>,
    ended: Option<(Duration, Close)>,
}

impl Listening {
    /// Until the broker says that the user is authenticated, and then one sign of life. `session` is the tickle's.
    pub(in super::super) fn for_a_sign_of_life(session: Secret) -> Self {
        Self {
            session,
            heartbeats_wanted: 0,
            messages: Vec::new(),
            bytes: 0,
            more: 0,
            status: BrokerageStatus::default(),
            doubtful: None,
            ready: None,
            is_waiting_for_session: false,
            session_sent: None,
            tic_sent: None,
            close_sent: None,
            heartbeats: 0,
            tic_answers: 0,
            error: None,
            ended: None,
        }
    }

    /// As [`for_a_sign_of_life`](Self::for_a_sign_of_life), until there were two heartbeats and an answer to `tic`.
    pub(in super::super) fn for_two_heartbeats(session: Secret) -> Self {
        Self { heartbeats_wanted: 2, ..Self::for_a_sign_of_life(session) }
    }

    /// A message came.
    pub(in super::super) fn hear(&mut self, at: Duration, is_text: bool, payload: Bytes) {
        match Said::read(&payload) {
            Said::Heartbeat => self.heartbeats = self.heartbeats.saturating_add(1),
            Said::TicAnswer => self.tic_answers = self.tic_answers.saturating_add(1),
            Said::Status(status) => self.learn(at, *status),
            Said::WaitingForSession => self.is_waiting_for_session = true,
            // The broker lets who was waiting in meanwhile, and then does not know the answer.
            Said::Error(words) if self.session_sent.is_some() && words.starts_with("Topic unknown") => {}
            Said::Error(_) => {
                self.error.get_or_insert_with(|| payload.clone());
            }
            Said::Other => {}
        }
        if self.messages.len() < MOST_MESSAGES && self.bytes.saturating_add(payload.len()) <= MOST_BYTES {
            self.bytes = self.bytes.saturating_add(payload.len());
            self.messages.push(Heard { at, is_text, payload });
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    fn learn(&mut self, at: Duration, news: BrokerageStatus) {
        let status = &mut self.status;
        status.authenticated = news.authenticated.or(status.authenticated);
        status.established = news.established.or(status.established);
        status.competing = news.competing.or(status.competing);
        status.connected = news.connected.or(status.connected);
        status.message = news.message.or(status.message.take());
        status.fail = news.fail.or(status.fail.take());
        if status.is_ready() {
            self.ready.get_or_insert(at);
            self.doubtful = None;
        } else if status.authenticated != Some(false) && status.competing != Some(true) {
            // Its pieces may not have come yet.
            self.doubtful = None;
        } else {
            self.doubtful.get_or_insert(at);
        }
    }

    /// The connection is over.
    pub(in super::super) fn end(&mut self, at: Duration, close: Close) {
        self.ended.get_or_insert((at, close));
    }

    /// What to do at this moment.
    pub(in super::super) fn next(&mut self, at: Duration) -> Next {
        if self.ended.is_some() {
            return Next::Done;
        }
        if let Some(sent) = self.close_sent {
            let until = sent.saturating_add(CLOSING);
            if at < until {
                return Next::Wait(until);
            }
            self.ended = Some((at, Close::NoFrame));
            return Next::Done;
        }
        if self.is_waiting_for_session && self.session_sent.is_none() {
            self.session_sent = Some(at);
            return Next::Send(session_message(&self.session));
        }
        if self.ready.is_some() && self.tic_sent.is_none() {
            self.tic_sent = Some(at);
            return Next::Send(Secret::from("tic"));
        }
        let until = self.deadline();
        if at < until && !self.is_enough() {
            return Next::Wait(until);
        }
        self.close_sent = Some(at);
        Next::Close
    }

    /// How long it listens at most.
    fn deadline(&self) -> Duration {
        let patience = if self.heartbeats_wanted == 0 { SIGN_OF_LIFE } else { TWO_HEARTBEATS };
        match (self.ready, self.doubtful) {
            (Some(ready), None) => ready.saturating_add(patience),
            (Some(ready), Some(since)) => ready.saturating_add(patience).min(since.saturating_add(DOUBTFUL)),
            (None, Some(since)) => READYING.min(since.saturating_add(DOUBTFUL)),
            (None, None) => READYING,
        }
    }

    fn is_enough(&self) -> bool {
        let is_answered = self.tic_answers > 0;
        let is_alive = if self.heartbeats_wanted == 0 {
            is_answered || self.heartbeats > 0
        } else {
            is_answered && self.heartbeats >= self.heartbeats_wanted
        };
        self.ready.is_some() && self.doubtful.is_none() && is_alive
    }

    /// The first messages, in order.
    pub(in super::super) fn messages(&self) -> &[Heard] {
        &self.messages
    }

    /// How many messages came after those.
    pub(in super::super) const fn more(&self) -> u64 {
        self.more
    }

    /// What the broker says of the session.
    pub(super) const fn status(&self) -> &BrokerageStatus {
        &self.status
    }

    /// Whether it says anything.
    pub(super) fn has_status(&self) -> bool {
        self.status != BrokerageStatus::default()
    }

    /// When the broker said that the user is served.
    pub(in super::super) const fn ready(&self) -> Option<Duration> {
        self.ready
    }

    /// Whether the broker said that it waits for the session.
    pub(super) const fn is_waiting_for_session(&self) -> bool {
        self.is_waiting_for_session
    }

    /// When it was sent, since the broker waited for it.
    pub(in super::super) const fn session_sent(&self) -> Option<Duration> {
        self.session_sent
    }

    pub(in super::super) const fn tic_sent(&self) -> Option<Duration> {
        self.tic_sent
    }

    pub(in super::super) const fn close_sent(&self) -> Option<Duration> {
        self.close_sent
    }

    pub(super) const fn is_tic_answered(&self) -> bool {
        self.tic_answers > 0
    }

    pub(super) const fn has_heartbeat(&self) -> bool {
        self.heartbeats > 0
    }

    /// The first message that is an error.
    pub(super) const fn error(&self) -> Option<&Bytes> {
        self.error.as_ref()
    }

    /// When it ended, and how.
    pub(in super::super) const fn ended(&self) -> Option<(Duration, Close)> {
        self.ended
    }
}

/// The answer to "waiting for session". A session that is valid in a cookie has nothing to escape.
fn session_message(session: &Secret) -> Secret {
    let (before, after) = (&br#"{"session":""#[..], &br#""}"#[..]);
    // At its final size, so that nothing is left behind.
    let mut message = Vec::with_capacity(before.len() + session.len() + after.len());
    for part in [before, session.expose(), after] {
        message.extend_from_slice(part);
    }
    Secret::from(message)
}
