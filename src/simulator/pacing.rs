//! Too many requests, and the penalty box.

use std::{collections::VecDeque, time::Duration};

use super::{
    availability::RateLimit,
    reason::Reason,
    refusal::{Objection, ensure, refuse},
};
use crate::context::Timestamp;

/// Who sent too many requests, and until when that is not forgiven.
///
/// It goes by the time that passes and not by the broker's clock, which a fault can set: a box must not get longer or
/// shorter by that.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    /// The requests of the last second, the oldest first; at most as many as are allowed.
    recent: VecDeque<Timestamp>,
    boxed_until: Timestamp,
}

impl Pacing {
    /// Counts a request that arrives.
    pub(super) fn admit(&mut self, limit: Option<RateLimit>, now: Timestamp) -> Result<(), Objection> {
        ensure(
            now >= self.boxed_until,
            Reason::PenaltyBox,
            format_args!("no request may come before {}", self.boxed_until),
        )?;
        let Some(limit) = limit else { return Ok(()) };
        let second = Duration::from_secs(1);
        // A moment that lies ahead was counted before the time was set back, and says nothing about now.
        self.recent.retain(|at| *at <= now && now.saturating_duration_since(*at) < second);
        if u32::try_from(self.recent.len()).is_ok_and(|count| count < limit.requests_per_second) {
            self.recent.push_back(now);
            return Ok(());
        }
        self.confine(now, limit.penalty_box);
        refuse(
            Reason::RateExceeded,
            format_args!("there were more than {} requests within a second", limit.requests_per_second),
        )
    }

    /// Opens the penalty box. While it is open nothing gets so far as to open it again.
    pub(super) fn confine(&mut self, now: Timestamp, penalty_box: Duration) {
        self.recent.clear();
        self.boxed_until = now.saturating_add(penalty_box);
    }
}
