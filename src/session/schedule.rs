//! Deadlines and waits: the arithmetic of time, with no clock.

use std::time::Duration;

use super::contract::TimeoutReason;
use crate::context::{Entropy, Timestamp};

/// The latest moment that a session distinguishes (far beyond any calendar), so that a deadline can always lie ahead.
const LATEST: Timestamp = Timestamp::from_millis(u64::MAX / 4);

/// The clock as a session sees it, and all its deadlines.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    now: Timestamp,
    pub(super) tickle: Option<Timestamp>,
    pub(super) renewal: Option<Timestamp>,
    pub(super) expiry: Option<Timestamp>,
    pub(super) back_off: Option<Timestamp>,
    pub(super) penalty: Option<Timestamp>,
    pub(super) settle: Option<Timestamp>,
    pub(super) settled_by: Option<Timestamp>,
    pub(super) displaced: Option<Timestamp>,
    pub(super) answer: Option<Timestamp>,
    /// When the live session token was proved.
    pub(super) proved: Option<Timestamp>,
    /// When the brokerage session was last found to have become ready.
    pub(super) ready: Option<Timestamp>,
    /// When a tickle last came back well.
    pub(super) tickled: Option<Timestamp>,
}

impl Schedule {
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    pub(super) fn after(&self, wait: Duration) -> Timestamp {
        self.now.saturating_add(wait)
    }

    /// How long ago a moment was; for ever where there was none.
    pub(super) fn since(&self, moment: Option<Timestamp>) -> Duration {
        moment.map_or(Duration::MAX, |moment| self.now.saturating_duration_since(moment))
    }

    /// Moves to the time of this call. Where the clock went back, every moment goes back with it, so that the waits
    /// that are left stay as they are; where it leapt ahead, what is due is due once.
    pub(super) fn advance(&mut self, now: Timestamp) {
        let now = now.min(LATEST);
        let back = self.now.saturating_duration_since(now);
        if !back.is_zero() {
            for moment in self.all() {
                *moment = moment.map(|at| at.saturating_sub(back));
            }
        }
        self.now = now;
    }

    fn all(&mut self) -> [&mut Option<Timestamp>; 12] {
        let Self { now: _, tickle, renewal, expiry, back_off, penalty, settle, settled_by, displaced, .. } = self;
        let Self { answer, proved, ready, tickled, .. } = self;
        [tickle, renewal, expiry, back_off, penalty, settle, settled_by, displaced, answer, proved, ready, tickled]
    }

    /// Whether a deadline is set and has come.
    pub(super) fn is_due(&self, deadline: Option<Timestamp>) -> bool {
        deadline.is_some_and(|at| at <= self.now)
    }

    /// Whether the penalty box lasts; forgets it when it ended.
    pub(super) fn in_penalty_box(&mut self) -> bool {
        if self.is_due(self.penalty) {
            self.penalty = None;
        }
        self.penalty.is_some()
    }

    /// The earliest of some deadlines.
    pub(super) fn earliest(
        candidates: impl IntoIterator<Item = (Option<Timestamp>, TimeoutReason)>,
    ) -> Option<(Timestamp, TimeoutReason)> {
        candidates.into_iter().filter_map(|(at, reason)| Some((at?, reason))).min_by_key(|(at, _)| *at)
    }
}

/// The longest wait before the attempt that follows the `failures`-th failure in a row.
pub(super) fn back_off_limit(first: Duration, most: Duration, failures: u32) -> Duration {
    let doubled = 2u32.checked_pow(failures.saturating_sub(1)).and_then(|factor| first.checked_mul(factor));
    doubled.map_or(most, |wait| wait.min(most))
}

/// A wait drawn evenly from zero to `limit` ("full jitter"), but never under 100 ms, so that a deadline lies ahead.
///
/// Where the source of random bytes fails, the wait is `limit` itself.
pub(super) fn jitter(entropy: &mut dyn Entropy, limit: Duration) -> Duration {
    let mut bytes = [0; 8];
    if entropy.fill(&mut bytes).is_err() {
        return limit;
    }
    let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX).min(u64::MAX / 2);
    Duration::from_millis((u64::from_le_bytes(bytes) % (limit + 1)).max(100))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::EntropyError;

    struct Fixed(u8);

    impl Entropy for Fixed {
        fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
            destination.fill(self.0);
            if self.0 == 9 { Err(EntropyError::new()) } else { Ok(()) }
        }
    }

    #[test]
    fn waits_double_up_to_the_most() {
        let limit = |failures| back_off_limit(Duration::from_secs(2), Duration::from_secs(300), failures).as_secs();
        assert_eq!([0, 1, 2, 3, 8, 9, 40, u32::MAX].map(limit), [2, 2, 4, 8, 256, 300, 300, 300]);
    }

    #[test]
    fn jitter_stays_within_its_limit_and_never_is_nothing() {
        let limit = Duration::from_secs(7);
        assert_eq!(jitter(&mut Fixed(0), limit), Duration::from_millis(100));
        assert!(jitter(&mut Fixed(0xff), limit) <= limit);
        assert_eq!(jitter(&mut Fixed(9), limit), limit);
        assert!(jitter(&mut Fixed(0xff), Duration::from_millis(u64::MAX)) > limit);
        assert!(jitter(&mut Fixed(0xff), Duration::MAX) > limit);
    }

    #[test]
    fn a_clock_that_goes_back_takes_the_deadlines_along() {
        let mut schedule = Schedule::default();
        schedule.advance(Timestamp::from_secs(1000));
        schedule.tickle = Some(Timestamp::from_secs(1060));
        schedule.advance(Timestamp::from_secs(400));
        assert_eq!(schedule.tickle, Some(Timestamp::from_secs(460)));
        schedule.advance(Timestamp::from_secs(500));
        assert!(schedule.is_due(schedule.tickle));
    }
}
