//! The rule that `oauth_timestamp` never decreases.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{
    context::Timestamp,
    error::{Error, Stage},
};

/// How many seconds the floor may be ahead of the clock before a signature is refused: servers accept little more.
pub(crate) const MOST_AHEAD: u64 = 300;

/// The greatest `oauth_timestamp` given out for one access token, in seconds.
///
/// The broker may refuse a timestamp that is smaller than an earlier one (OpenAPI 1.0.0: "must be equal to or greater
/// than"), so all signers of one access token share one floor, whichever live session token they use.
#[derive(Debug, Default)]
pub(crate) struct TimestampFloor(AtomicU64);

/// The clock was set back: the floor is this many seconds ahead of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockBehind(pub(crate) u64);

impl ClockBehind {
    pub(crate) fn error(self, stage: Stage) -> Error {
        let message = format!("the clock is {} s behind the last timestamp that was signed", self.0);
        Error::config(stage, message).with_remedy(
            "the clock was set back: check it, then start anew from the access token, whose timestamps start afresh",
        )
    }
}

impl TimestampFloor {
    /// The timestamp for a signature made at `now`: the clock's second, or the floor where that is greater.
    pub(crate) fn stamp(&self, now: Timestamp) -> Result<u64, ClockBehind> {
        let seconds = now.as_secs();
        let floor = self.0.fetch_max(seconds, Ordering::Relaxed);
        match floor.saturating_sub(seconds) {
            ahead if ahead > MOST_AHEAD => Err(ClockBehind(ahead)),
            _ => Ok(seconds.max(floor)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_never_decrease() {
        let floor = TimestampFloor::default();
        for (now, expected) in [(1000, Ok(1000)), (1007, Ok(1007)), (1003, Ok(1007)), (707, Ok(1007)), (1008, Ok(1008))]
        {
            assert_eq!(floor.stamp(Timestamp::from_secs(now)), expected, "{now}");
        }
        assert_eq!(floor.stamp(Timestamp::from_secs(707)), Err(ClockBehind(301)));
        assert_eq!(floor.stamp(Timestamp::from_secs(708)), Ok(1008));
    }
}
