//! One connection, from its opening on.

use std::time::Duration;

use crate::{
    brokerage::BrokerageStatus,
    error::{Error, ErrorKind, Stage},
    session::Moment,
    signer::TokenId,
};

/// How long the broker may take from the opening until it says that the user is authenticated, and how long it may say that
/// it is not afterwards: at night it does so without meaning it.
const SETTLING: Duration = Duration::from_secs(10);
/// The broker beats each 10 s.
const SILENCE: Duration = Duration::from_secs(25);
/// The broker wants a beat each minute.
const BEAT: Duration = Duration::from_secs(30);
/// So many texts may be sent at once, and then one each interval.
const BURST: u32 = 25;
const INTERVAL: Duration = Duration::from_millis(40);

/// An open connection.
pub(super) struct Connection {
    pub(super) token_id: Option<TokenId>,
    /// Which opening of the brokerage session it belongs to.
    pub(super) opening: u64,
    /// When a tickle last said that all is well, and which that was.
    assured: (Moment, u64),
    /// When the last frame came.
    pub(super) heard: Moment,
    pub(super) standing: Standing,
    pub(super) waiting: WaitingForSession,
    pub(super) ready_since: Option<Moment>,
    status: BrokerageStatus,
    is_logged_in: bool,
    beat: Moment,
    room: Moment,
}

/// Whether the broker serves this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has not said so yet.
    Settling {
        until: Moment,
    },
    Ready,
    /// It says that it does not, since a moment.
    Doubtful {
        since: Moment,
        until: Moment,
    },
}

/// What became of "waiting for session".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaitingForSession {
    NotSaid,
    Said,
    Answered,
}

/// What a change of the flags brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Ready,
    Doubtful,
    /// Ready again, after messages may have been missed since a moment.
    Restored(Moment),
}

impl Connection {
    pub(super) fn open(now: Moment, token_id: Option<TokenId>, opening: u64) -> Self {
        Self {
            token_id,
            opening,
            assured: (now, 0),
            heard: now,
            standing: Standing::Settling { until: now.after(SETTLING) },
            waiting: WaitingForSession::NotSaid,
            ready_since: None,
            status: BrokerageStatus::default(),
            is_logged_in: false,
            beat: now,
            room: now,
        }
    }

    pub(super) fn is_served(&self) -> bool {
        self.standing == Standing::Ready
    }

    /// A tickle, which the session knows by this number, said that all is well.
    pub(super) fn assure(&mut self, now: Moment, round: u64) {
        if round > self.assured.1 {
            self.assured = (now, round);
        }
    }

    /// From when on messages may be missing where the connection ends now.
    pub(super) fn relied_until(&self) -> Moment {
        match self.standing {
            Standing::Doubtful { since, .. } => since.min(self.heard),
            Standing::Settling { .. } | Standing::Ready => self.heard,
        }
    }

    /// From when on messages may be missing where the session turns out to be lost.
    pub(super) fn last_certain(&self) -> Moment {
        self.relied_until().min(self.assured.0)
    }

    /// The broker named the user; without a brokerage session, that is all there is to wait for.
    pub(super) fn log_in(&mut self, now: Moment, wants_brokerage: bool) -> Change {
        self.is_logged_in = true;
        self.judge(now, wants_brokerage)
    }

    /// Takes in what the broker said of the session. What it leaves out is as it was.
    pub(super) fn learn(&mut self, now: Moment, news: BrokerageStatus, wants_brokerage: bool) -> Change {
        self.status.update(news);
        self.judge(now, wants_brokerage)
    }

    fn judge(&mut self, now: Moment, wants_brokerage: bool) -> Change {
        let is_ready = if wants_brokerage { self.status.is_ready() } else { self.is_logged_in };
        match (self.standing, is_ready) {
            (Standing::Settling { .. }, true) => {
                self.standing = Standing::Ready;
                self.ready_since = Some(now);
                self.beat = now;
                Change::Ready
            }
            (Standing::Doubtful { since, .. }, true) => {
                self.standing = Standing::Ready;
                Change::Restored(since)
            }
            (Standing::Ready, false) => {
                self.standing = Standing::Doubtful { since: now, until: now.after(SETTLING) };
                Change::Doubtful
            }
            (Standing::Settling { .. } | Standing::Doubtful { .. }, false) | (Standing::Ready, true) => Change::None,
        }
    }

    /// Why the connection is over, if it is.
    pub(super) fn failure(&self, now: Moment) -> Option<Error> {
        match self.standing {
            Standing::Settling { until } | Standing::Doubtful { until, .. } if until <= now => Some(self.not_served()),
            _ if self.heard.after(SILENCE) <= now => {
                let message = format!("nothing came from the broker for {} s", SILENCE.as_secs());
                Some(lost(message).with_remedy("wait: the stream connects again by itself"))
            }
            _ => None,
        }
    }

    fn not_served(&self) -> Error {
        let known = self.status != BrokerageStatus::default();
        self.status.error().filter(|_| known).map_or_else(
            || {
                lost("the broker did not say that the user is authenticated")
                    .with_remedy("wait: the stream connects again by itself, with the session of another tickle")
            },
            |error| error.at(Stage::WebSocket),
        )
    }

    /// Whether a beat is due; it is taken as sent.
    pub(super) fn beats(&mut self, now: Moment) -> bool {
        let is_due = self.is_served() && self.beat <= now;
        if is_due {
            self.beat = now.after(BEAT);
        }
        is_due
    }

    /// Whether one more text may be sent now; it is taken as sent.
    pub(super) fn has_room(&mut self, now: Moment) -> bool {
        let has_room = self.room() <= now;
        if has_room {
            self.room = self.room.max(now).after(INTERVAL);
        }
        has_room
    }

    /// When there is room for the next text.
    pub(super) fn room(&self) -> Moment {
        self.room.before(INTERVAL * (BURST - 1))
    }

    /// When something is due by itself.
    pub(super) fn deadline(&self) -> Moment {
        let silence = self.heard.after(SILENCE);
        match self.standing {
            Standing::Settling { until } | Standing::Doubtful { until, .. } => until.min(silence),
            Standing::Ready => self.beat.min(silence),
        }
    }
}

/// A connection that is over, in other words than the broker's.
pub(super) fn lost(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Unavailable, Stage::WebSocket, message).with_nothing_sent()
}
