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
    bytes: usize,
    /// Since when it says that the user is not served.
    doubtful: Option<Duration>,
    pub(in super::super) seen: Seen,
}

/// What was heard and said so far.
#[derive(Default)]
pub(in super::super) struct Seen {
    /// The first messages, in order.
    pub(in super::super) messages: Vec<Heard>,
    /// How many messages came after those.
    pub(in super::super) more: u64,
    /// What the broker says of the session, all pieces taken together.
    pub(in super::super) status: BrokerageStatus,
    /// When the broker said that the user is served.
    pub(in super::super) ready: Option<Duration>,
    /// Whether the broker said that it waits for the session.
    pub(in super::super) is_waiting_for_session: bool,
    /// When it was sent, since the broker waited for it.
    pub(in super::super) session_sent: Option<Duration>,
    pub(in super::super) tic_sent: Option<Duration>,
    pub(in super::super) close_sent: Option<Duration>,
    pub(in super::super) heartbeats: u32,
    pub(in super::super) tic_answers: u32,
    /// The first message that is an error.
    pub(in super::super) error: Option<Bytes>,
    /// When it ended, and how.
    pub(in super::super) ended: Option<(Duration, Close)>,
}

impl Listening {
    /// Until the broker says that the user is authenticated, and then one sign of life. `session` is the tickle's.
    pub(in super::super) fn for_a_sign_of_life(session: Secret) -> Self {
        Self { session, heartbeats_wanted: 0, bytes: 0, doubtful: None, seen: Seen::default() }
    }

    /// As [`for_a_sign_of_life`](Self::for_a_sign_of_life), until there were two heartbeats and an answer to `tic`.
    pub(in super::super) fn for_two_heartbeats(session: Secret) -> Self {
        Self { heartbeats_wanted: 2, ..Self::for_a_sign_of_life(session) }
    }

    /// A message came.
    pub(in super::super) fn hear(&mut self, at: Duration, is_text: bool, payload: Bytes) {
        match Said::read(&payload) {
            Said::Heartbeat => self.seen.heartbeats = self.seen.heartbeats.saturating_add(1),
            Said::TicAnswer => self.seen.tic_answers = self.seen.tic_answers.saturating_add(1),
            Said::Status(status) => self.learn(at, *status),
            Said::WaitingForSession => self.seen.is_waiting_for_session = true,
            // The broker lets who was waiting in meanwhile, and then does not know the answer.
            Said::Error(words) if self.seen.session_sent.is_some() && words.starts_with("Topic unknown") => {}
            Said::Error(_) => {
                self.seen.error.get_or_insert_with(|| payload.clone());
            }
            Said::Other => {}
        }
        if self.seen.messages.len() < MOST_MESSAGES && self.bytes.saturating_add(payload.len()) <= MOST_BYTES {
            self.bytes = self.bytes.saturating_add(payload.len());
            self.seen.messages.push(Heard { at, is_text, payload });
        } else {
            self.seen.more = self.seen.more.saturating_add(1);
        }
    }

    fn learn(&mut self, at: Duration, news: BrokerageStatus) {
        let status = &mut self.seen.status;
        status.authenticated = news.authenticated.or(status.authenticated);
        status.established = news.established.or(status.established);
        status.competing = news.competing.or(status.competing);
        status.connected = news.connected.or(status.connected);
        status.message = news.message.or(status.message.take());
        status.fail = news.fail.or(status.fail.take());
        if status.is_ready() {
            self.seen.ready.get_or_insert(at);
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
        self.seen.ended.get_or_insert((at, close));
    }

    /// What to do at this moment.
    pub(in super::super) fn next(&mut self, at: Duration) -> Next {
        if self.seen.ended.is_some() {
            return Next::Done;
        }
        if let Some(sent) = self.seen.close_sent {
            let until = sent.saturating_add(CLOSING);
            if at < until {
                return Next::Wait(until);
            }
            self.seen.ended = Some((at, Close::NoFrame));
            return Next::Done;
        }
        if self.seen.is_waiting_for_session && self.seen.session_sent.is_none() {
            self.seen.session_sent = Some(at);
            return Next::Send(session_message(&self.session));
        }
        if self.seen.ready.is_some() && self.seen.tic_sent.is_none() {
            self.seen.tic_sent = Some(at);
            return Next::Send(Secret::from("tic"));
        }
        let until = self.deadline();
        if at < until && !self.is_enough() {
            return Next::Wait(until);
        }
        self.seen.close_sent = Some(at);
        Next::Close
    }

    /// How long it listens at most.
    fn deadline(&self) -> Duration {
        let patience = if self.heartbeats_wanted == 0 { SIGN_OF_LIFE } else { TWO_HEARTBEATS };
        match (self.seen.ready, self.doubtful) {
            (Some(ready), None) => ready.saturating_add(patience),
            (Some(ready), Some(since)) => ready.saturating_add(patience).min(since.saturating_add(DOUBTFUL)),
            (None, Some(since)) => READYING.min(since.saturating_add(DOUBTFUL)),
            (None, None) => READYING,
        }
    }

    fn is_enough(&self) -> bool {
        let is_answered = self.seen.tic_answers > 0;
        let is_alive = if self.heartbeats_wanted == 0 {
            is_answered || self.seen.heartbeats > 0
        } else {
            is_answered && self.seen.heartbeats >= self.heartbeats_wanted
        };
        self.seen.ready.is_some() && self.doubtful.is_none() && is_alive
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
