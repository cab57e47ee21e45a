//! What a session says about itself.

use std::{fmt, time::Duration};

use super::{exchange_id::ExchangeId, state::State};
use crate::{context::Timestamp, error::Error, signer::TokenId};

/// Something that happened in a session.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionEvent {
    /// The session went from one state to another.
    StateChanged {
        /// The state it left.
        from: State,
        /// The state it entered.
        to: State,
    },
    /// A live session token was negotiated and proved; from now on it signs.
    Negotiated {
        /// Which token.
        token_id: TokenId,
        /// When it expires: as the broker said, or 24 hours from now.
        expires_at: Timestamp,
    },
    /// Something failed and will be tried again.
    Failed {
        /// What.
        error: Error,
        /// When the next attempt is made, at the earliest.
        retry_at: Timestamp,
    },
    /// Another session of the same user has the brokerage session, or this one may not be opened beside it.
    Displaced {
        /// What the broker said about it, and what its user can decide.
        error: Error,
        /// When this session asks, or takes, again.
        retry_at: Timestamp,
    },
    /// The broker answered 429: nothing is sent until then.
    PenaltyBox {
        /// When sending starts again.
        until: Timestamp,
    },
    /// The broker answered 410 although the live session token is new: this host does not serve the session any more.
    /// Consider another one ([`Consumer::with_endpoints`](crate::Consumer::with_endpoints)).
    HostGone,
    /// The local clock was set back so far that timestamps had to start afresh, with a new live session token.
    ClockStepped {
        /// How far the last signed timestamp is ahead of the clock.
        by: Duration,
    },
    /// The broker's clock differs from ours, as far as the `Date` of three responses in a row shows. Positive: the
    /// broker is ahead.
    ClockSkew {
        /// The broker's time less ours, in seconds.
        seconds: i64,
        /// Whether signatures are dated by the broker's clock.
        corrected: bool,
    },
    /// The broker named an expiry for the live session token that is not ahead of the clock. It was ignored: the token is
    /// taken to live for 24 hours.
    ExpiryIgnored {
        /// The moment that it named, on our clock.
        stated: Timestamp,
    },
    /// An answer came for an exchange that waits for none: late, twice, or never made. It was ignored.
    UnexpectedAnswer {
        /// The exchange that was named.
        id: ExchangeId,
    },
    /// An input came after the end. It was ignored.
    InputAfterEnd,
    /// The session ended as it was asked to.
    Closed {
        /// Whether the broker confirmed the logout.
        logged_out: bool,
    },
    /// The session ended because going on is hopeless; [`Error::kind`] says who must act.
    GaveUp {
        /// The last failure.
        error: Error,
    },
}

impl SessionEvent {
    /// The event's name for programs and logs: lower case, with hyphens. It does not change.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::StateChanged { .. } => "state-changed",
            Self::Negotiated { .. } => "negotiated",
            Self::Failed { .. } => "failed",
            Self::Displaced { .. } => "displaced",
            Self::PenaltyBox { .. } => "penalty-box",
            Self::HostGone => "host-gone",
            Self::ClockStepped { .. } => "clock-stepped",
            Self::ClockSkew { .. } => "clock-skew",
            Self::ExpiryIgnored { .. } => "expiry-ignored",
            Self::UnexpectedAnswer { .. } => "unexpected-answer",
            Self::InputAfterEnd => "input-after-end",
            Self::Closed { .. } => "closed",
            Self::GaveUp { .. } => "gave-up",
        }
    }
}

impl fmt::Display for SessionEvent {
    /// One sentence for a reader, on one line and with no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StateChanged { from, to } => write!(f, "{from} -> {to}"),
            Self::Negotiated { expires_at, .. } => {
                write!(f, "a live session token was negotiated and proved; it expires at {expires_at}")
            }
            Self::Failed { error, retry_at } => write!(f, "{error}; next attempt at {retry_at}; {}", error.remedy()),
            Self::Displaced { error, retry_at } => {
                write!(f, "the brokerage session is not free: {error}; next attempt at {retry_at}; {}", error.remedy())
            }
            Self::PenaltyBox { until } => write!(f, "too many requests: nothing is sent until {until}"),
            Self::HostGone => f.write_str("this host does not serve the session any more: try another base URL"),
            Self::ClockStepped { by } => {
                write!(f, "the clock was set back by {} s, so a new live session token is negotiated", by.as_secs())
            }
            Self::ClockSkew { seconds, corrected } => {
                let side = if *seconds < 0 { "behind" } else { "ahead of" };
                let corrected = if *corrected { "; corrected" } else { "" };
                write!(f, "the broker's clock is {} s {side} this machine's{corrected}", seconds.unsigned_abs())
            }
            Self::ExpiryIgnored { stated } => write!(
                f,
                "the live session token is said to expire at {stated}, which is not ahead of the clock: check the clock; \
                 until then the token is taken to live for 24 hours"
            ),
            Self::UnexpectedAnswer { .. } => f.write_str("an answer came that nothing waits for; it was ignored"),
            Self::InputAfterEnd => f.write_str("the session has ended; what came after that was ignored"),
            Self::Closed { logged_out: true } => f.write_str("closed, and logged out"),
            Self::Closed { logged_out: false } => f.write_str("closed, without a confirmed logout"),
            Self::GaveUp { error } => write!(f, "gave up: {error}; {}", error.remedy()),
        }
    }
}
