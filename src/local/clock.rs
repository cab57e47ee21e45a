//! The system's time, made steady.

#![allow(clippy::disallowed_methods, reason = "this is the place that asks the system's clocks")]

use std::time::{Duration, Instant, SystemTime};

use crate::context::Timestamp;

/// How far the system's clock may be set back before the step is followed. Less is absorbed: the broker tolerates it.
const ABSORBED: Duration = Duration::from_secs(300);

/// A clock that goes on over suspend and never runs backwards, but for steps that cannot be absorbed.
pub(super) struct Clock {
    last: Timestamp,
    at: Instant,
}

impl Clock {
    /// A clock that shows the system's time.
    pub(super) fn new() -> Self {
        Self { last: Timestamp::from(SystemTime::now()), at: Instant::now() }
    }

    /// The time now.
    pub(super) fn now(&mut self) -> Timestamp {
        let at = Instant::now();
        // The time that is kept in hand is what was not yet a whole millisecond.
        let (now, passed) =
            advance(self.last, at.saturating_duration_since(self.at), Timestamp::from(SystemTime::now()));
        self.last = now;
        self.at += passed;
        now
    }
}

/// The next time to show, and how much of `passed` went into it.
fn advance(last: Timestamp, passed: Duration, system: Timestamp) -> (Timestamp, Duration) {
    let steady = last.saturating_add(passed);
    if system >= steady || system.saturating_add(ABSORBED) < steady {
        return (system, passed);
    }
    let slow = Duration::from_millis(u64::try_from(passed.as_millis() / 2).unwrap_or(u64::MAX));
    (last.saturating_add(slow), slow * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn shown(passed: u64, system: i64) -> i64 {
        let system = Timestamp::from_millis(START.as_millis().saturating_add_signed(system));
        let (now, used) = advance(START, Duration::from_millis(passed), system);
        assert!(used <= Duration::from_millis(passed));
        i64::try_from(now.as_millis()).unwrap() - i64::try_from(START.as_millis()).unwrap()
    }

    #[test]
    fn it_follows_the_system_forwards_and_over_suspend() {
        assert_eq!(shown(1000, 1000), 1000);
        assert_eq!(shown(1000, 8 * 3_600_000), 8 * 3_600_000);
    }

    #[test]
    fn it_slows_down_while_the_system_is_behind() {
        assert_eq!(shown(1000, -5000), 500);
        assert_eq!(shown(1, -5000), 0);
        assert_eq!(shown(0, -299_000), 0);
    }

    #[test]
    fn it_follows_a_step_that_cannot_be_absorbed() {
        assert_eq!(shown(1000, -3_600_000), -3_600_000);
    }
}
