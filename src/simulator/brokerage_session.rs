//! The brokerage session, from its opening to its end.

use std::time::Duration;

use crate::context::Timestamp;

/// How long a brokerage session lives without a tickle.
const IDLE_TIMEOUT: Duration = Duration::from_secs(6 * 60);

/// An open brokerage session.
#[derive(Clone, Copy, Debug)]
pub(super) struct BrokerageSession {
    ready_from: Timestamp,
    /// Unless there is a tickle before.
    idle_at: Timestamp,
    /// Whatever the tickles.
    reset_at: Option<Timestamp>,
    /// Whether its accounts were asked for, which market data and orders need.
    pub(super) accounts_queried: bool,
}

impl BrokerageSession {
    /// One that is opened now, is ready after `settling`, and is reset at `reset_at` if at all.
    pub(super) fn open(now: Timestamp, settling: Duration, reset_at: Option<Timestamp>) -> Self {
        Self {
            ready_from: now.saturating_add(settling),
            idle_at: now.saturating_add(IDLE_TIMEOUT),
            reset_at,
            accounts_queried: false,
        }
    }

    pub(super) fn keep_alive(&mut self, now: Timestamp) {
        self.idle_at = now.saturating_add(IDLE_TIMEOUT);
    }

    /// Whether `/iserver` answers.
    pub(super) fn is_ready(&self, now: Timestamp) -> bool {
        now >= self.ready_from
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.idle_at || self.reset_at.is_some_and(|at| now >= at)
    }
}
