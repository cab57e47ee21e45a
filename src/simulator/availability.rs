//! When the broker is there, and for whom: other programs of the same user, nights, maintenance, too many requests.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode};

use super::{
    Broker,
    answers::{Answer, Body},
    refusal::{Objection, RefusalReason},
};
use crate::context::Timestamp;

const DAY: i64 = 24 * 3600 * 1000;

/// What of that is known beforehand.
#[derive(Debug, Default)]
pub(super) struct Availability {
    /// How far local time is ahead of UTC where the brokerage session is reset at midnight, in seconds.
    pub(super) daily_reset: Option<i32>,
    /// From the first moment to just before the second.
    pub(super) maintenance: Vec<(Timestamp, Timestamp)>,
    /// How long `/iserver` has no bridge after the brokerage session was opened.
    pub(super) settling: Duration,
    pub(super) rate_limit: Option<RateLimit>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct RateLimit {
    pub(super) requests_per_second: u32,
    pub(super) penalty_box: Duration,
}

impl Availability {
    /// When the brokerage session opened at `now` is reset; `None` where it never is.
    pub(super) fn next_reset(&self, now: Timestamp) -> Option<Timestamp> {
        let offset = i64::from(self.daily_reset?) * 1000;
        let local = i64::try_from(now.as_millis()).ok()?.checked_add(offset)?;
        let midnight = local.div_euclid(DAY).checked_add(1)?.checked_mul(DAY)?;
        u64::try_from(midnight.checked_sub(offset)?).ok().map(Timestamp::from_millis)
    }

    fn is_maintenance(&self, now: Timestamp) -> bool {
        self.maintenance.iter().any(|(from, until)| (*from..*until).contains(&now))
    }
}

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
        if now < self.boxed_until {
            return Err(Objection::new(
                RefusalReason::PenaltyBox,
                format!("no request may come before {}", self.boxed_until),
            ));
        }
        let Some(limit) = limit else { return Ok(()) };
        let second = Duration::from_secs(1);
        // A moment that lies ahead was counted before the time was set back, and says nothing about now.
        self.recent.retain(|at| *at <= now && now.saturating_duration_since(*at) < second);
        if u32::try_from(self.recent.len()).is_ok_and(|count| count < limit.requests_per_second) {
            self.recent.push_back(now);
            return Ok(());
        }
        self.confine(now, limit.penalty_box);
        Err(Objection::new(
            RefusalReason::RateExceeded,
            format!("there were more than {} requests within a second", limit.requests_per_second),
        ))
    }

    /// Opens the penalty box. While it is open nothing gets so far as to open it again.
    pub(super) fn confine(&mut self, now: Timestamp, penalty_box: Duration) {
        self.recent.clear();
        self.boxed_until = now.saturating_add(penalty_box);
    }
}

impl Broker {
    /// Another program of the same user, such as TWS, takes the brokerage session.
    ///
    /// From then on the brokerage session is closed and each status says `"authenticated": false, "competing": true`.
    /// Opening it with `"compete": false` changes nothing, and answers so with a 200; with `"compete": true` it throws
    /// the other program out.
    pub fn start_competing_session(&mut self) {
        self.brokerage_session = None;
        self.starts_open = false;
        self.competing = true;
    }

    /// The other program leaves: nothing competes any more, and the brokerage session has to be opened anew.
    pub const fn end_competing_session(&mut self) {
        self.competing = false;
    }

    /// Answers what gets no further than the broker's front door.
    pub(super) fn turn_away(&mut self, request: &Request<Bytes>, arrived: Timestamp, now: Timestamp) -> Option<Answer> {
        if let Err(objection) = self.pacing.admit(self.profile.availability.rate_limit, arrived) {
            self.record(request, now, objection);
            return Some(Answer::too_many_requests());
        }
        if !self.profile.availability.is_maintenance(now) {
            return None;
        }
        // Both shapes were seen.
        Some(if self.requests.is_multiple_of(2) {
            Answer::new(StatusCode::SERVICE_UNAVAILABLE, Body::Empty)
        } else {
            Answer::error(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
        })
    }
}
