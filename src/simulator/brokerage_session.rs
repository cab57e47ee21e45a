//! The brokerage session, from its opening to its end.

use std::time::Duration;

use crate::context::Timestamp;

/// How long a brokerage session lives without a tickle.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(6 * 60);

/// An open brokerage session.
#[derive(Clone, Copy, Debug)]
pub(super) struct BrokerageSession {
    /// When `/iserver` begins to answer.
    pub(super) ready_from: Timestamp,
    /// How long it lives without a tickle.
    idle_timeout: Duration,
    /// Unless there is a tickle before.
    idle_at: Timestamp,
    /// Whatever the tickles.
    reset_at: Option<Timestamp>,
    /// Whether its accounts were asked for, which market data and orders need.
    pub(super) accounts_queried: bool,
}

impl BrokerageSession {
    /// One that is opened now, is ready after `settling`, lives for `idle_timeout` without a tickle, and is reset at
    /// `reset_at` if at all.
    pub(super) fn open(
        now: Timestamp,
        settling: Duration,
        idle_timeout: Duration,
        reset_at: Option<Timestamp>,
    ) -> Self {
        Self {
            ready_from: now.saturating_add(settling),
            idle_timeout,
            idle_at: now.saturating_add(idle_timeout),
            reset_at,
            accounts_queried: false,
        }
    }

    pub(super) fn keep_alive(&mut self, now: Timestamp) {
        self.idle_at = now.saturating_add(self.idle_timeout);
    }

    /// Whether `/iserver` answers.
    pub(super) fn is_ready(&self, now: Timestamp) -> bool {
        now >= self.ready_from
    }

    /// When it is over, if there is no tickle before.
    pub(super) fn ends_at(&self) -> Timestamp {
        self.reset_at.map_or(self.idle_at, |at| at.min(self.idle_at))
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.ends_at()
    }
}
