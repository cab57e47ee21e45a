//! The rule that `oauth_timestamp` never decreases.

use std::{
    error, fmt,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
};

use crate::{
    context::Timestamp,
    error::{Error, Stage},
};

/// How many seconds a timestamp may be away from the clock: servers accept little more.
pub(crate) const TOLERANCE: u64 = 300;

/// The greatest `oauth_timestamp` given out for one access token, in seconds.
///
/// The broker may refuse a timestamp that is smaller than an earlier one (OpenAPI 1.0.0: "must be equal to or greater
/// than"), so all signers of one access token share one floor, whichever live session token they use.
#[derive(Debug, Default)]
pub(crate) struct TimestampFloor {
    floor: AtomicU64,
    /// Seconds to add to the local clock, where correcting it is allowed.
    correction: AtomicI64,
}

/// The clock was set back: the floor is this many seconds ahead of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockBehind(pub(crate) u64);

impl ClockBehind {
    pub(crate) fn error(self, stage: Stage) -> Error {
        Error::config(stage, self.to_string()).with_source(self).with_remedy(
            "the clock was set back: check it, then start again from the access token, whose timestamps start afresh",
        )
    }
}

impl fmt::Display for ClockBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the clock is {} s behind the last timestamp that was signed", self.0)
    }
}

impl error::Error for ClockBehind {}

impl TimestampFloor {
    /// The timestamp for a signature made at `now`: the clock's second, or the floor where that is greater.
    pub(crate) fn stamp(&self, now: Timestamp) -> Result<u64, ClockBehind> {
        let seconds = self.corrected(now);
        // Most signatures share their second with the one before, and need not take the cache line from other threads.
        let mut floor = self.floor();
        if floor < seconds {
            floor = self.floor.fetch_max(seconds, Ordering::Relaxed);
        }
        match floor.saturating_sub(seconds) {
            ahead if ahead > TOLERANCE => Err(ClockBehind(ahead)),
            _ => Ok(seconds.max(floor)),
        }
    }

    /// How far the floor is ahead of the clock, where that is too far to sign.
    pub(crate) fn check(&self, now: Timestamp) -> Result<(), ClockBehind> {
        let ahead = self.floor().saturating_sub(self.corrected(now));
        if ahead > TOLERANCE { Err(ClockBehind(ahead)) } else { Ok(()) }
    }

    /// Whether a timestamp given out earlier may still be sent: nothing later was, and the clock is not far from it.
    pub(crate) fn is_current(&self, timestamp: u64, now: Timestamp) -> bool {
        timestamp >= self.floor() && timestamp.abs_diff(self.corrected(now)) <= TOLERANCE
    }

    /// Whether a later timestamp than that of a signature made at `at` was given out.
    pub(crate) fn is_past(&self, at: Timestamp) -> bool {
        self.floor() > self.corrected(at)
    }

    pub(crate) fn floor(&self) -> u64 {
        self.floor.load(Ordering::Relaxed)
    }

    /// Takes over what another process gave out.
    pub(crate) fn raise(&self, floor: u64) {
        self.floor.fetch_max(floor, Ordering::Relaxed);
    }

    pub(crate) fn reset(&self) {
        self.floor.store(0, Ordering::Relaxed);
    }

    pub(crate) fn correction(&self) -> i64 {
        self.correction.load(Ordering::Relaxed)
    }

    pub(crate) fn correct(&self, seconds: i64) {
        self.correction.store(seconds, Ordering::Relaxed);
    }

    fn corrected(&self, now: Timestamp) -> u64 {
        now.as_secs().saturating_add_signed(self.correction())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_never_decrease() {
        let floor = TimestampFloor::default();
        for (now, expected) in [(1000, 1000), (1007, 1007), (1003, 1007), (707, 1007), (1008, 1008)] {
            assert_eq!(floor.stamp(Timestamp::from_secs(now)), Ok(expected), "{now}");
        }
        assert_eq!(floor.stamp(Timestamp::from_secs(707)), Err(ClockBehind(301)));
        assert_eq!(floor.check(Timestamp::from_secs(707)), Err(ClockBehind(301)));
        assert_eq!(floor.stamp(Timestamp::from_secs(708)), Ok(1008));
        floor.reset();
        assert_eq!(floor.stamp(Timestamp::from_secs(3)), Ok(3));
    }

    #[test]
    fn a_timestamp_is_current_until_another_follows_or_the_clock_leaves_it() {
        let floor = TimestampFloor::default();
        let stamp = floor.stamp(Timestamp::from_secs(1000)).unwrap();
        for (now, expected) in [(699, false), (700, true), (1300, true), (1301, false)] {
            assert_eq!(floor.is_current(stamp, Timestamp::from_secs(now)), expected, "{now}");
        }
        floor.stamp(Timestamp::from_secs(1001)).unwrap();
        assert!(!floor.is_current(stamp, Timestamp::from_secs(1001)));
        floor.reset();
        assert!(!floor.is_current(stamp, Timestamp::from_secs(10)));
    }

    #[test]
    fn a_correction_moves_the_clock_and_not_the_floor() {
        let floor = TimestampFloor::default();
        floor.correct(-100);
        assert_eq!(floor.stamp(Timestamp::from_secs(1000)), Ok(900));
        floor.correct(-150);
        assert_eq!(floor.stamp(Timestamp::from_secs(1000)), Ok(900));
        assert_eq!(floor.stamp(Timestamp::from_secs(10)), Err(ClockBehind(900)));
    }
}
