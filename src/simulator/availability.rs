//! When the broker is available, as far as that is known beforehand: nights, maintenance, rate limits.

use std::time::Duration;

use crate::context::Timestamp;

const DAY: i64 = 24 * 3600 * 1000;

/// The broker's calendar and limits.
#[derive(Debug, Default)]
pub(super) struct Availability {
    /// How far local time is ahead of UTC where the brokerage session is reset at midnight, in seconds.
    pub(super) daily_reset: Option<i32>,
    /// From the first moment to just before the second.
    pub(super) maintenance: Vec<(Timestamp, Timestamp)>,
    /// How long `/iserver` has no bridge after the brokerage session was opened.
    pub(super) settling: Duration,
    pub(super) rate_limit: Option<RateLimit>,
    /// What durations are divided by; 0 counts as 1.
    pub(super) speed: u32,
    /// From one frame of a market data line to the next; `None` where that is as the real broker has it.
    pub(super) market_data_period: Option<Duration>,
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

    /// How long that is where everything is faster.
    pub(super) fn scaled(&self, duration: Duration) -> Duration {
        duration.checked_div(self.speed).unwrap_or(duration)
    }

    pub(super) fn is_maintenance(&self, now: Timestamp) -> bool {
        self.maintenance.iter().any(|(from, until)| (*from..*until).contains(&now))
    }
}
