//! The clock as a session sees it: one that never goes back.

use std::time::Duration;

use crate::context::Timestamp;

/// The latest moment that a session distinguishes (far beyond any calendar), so that a deadline can always lie ahead.
const LATEST: Timestamp = Timestamp::from_millis(u64::MAX / 4);

/// A moment on a session's own clock.
///
/// It is the machine's clock plus all that this was ever set back by. So no deadline has to be moved when that happens:
/// the waits that are left stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(Duration);

impl Moment {
    pub(crate) fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(in_whole_millis(wait)))
    }

    pub(crate) fn before(self, margin: Duration) -> Self {
        Self(self.0.saturating_sub(in_whole_millis(margin)))
    }

    /// How long after `earlier` this is; nothing where it is not.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// The machine's clock shows no less: a moment between two of its milliseconds would not have come when it is said to.
fn in_whole_millis(wait: Duration) -> Duration {
    let up = wait.saturating_add(Duration::from_nanos(999_999));
    Duration::new(up.as_secs(), up.subsec_millis() * 1_000_000)
}

/// A session's own clock, and how far it is ahead of the machine's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    now: Moment,
    ahead: Duration,
}

impl Clock {
    /// Moves to the time of this call.
    pub(crate) fn advance(&mut self, wall: Timestamp) {
        let seen = self.moment(wall.min(LATEST));
        self.ahead = self.ahead.saturating_add(self.now.since(seen));
        self.now = self.now.max(seen);
    }

    pub(crate) fn now(&self) -> Moment {
        self.now
    }

    /// The present time on the machine's clock.
    pub(crate) fn wall_now(&self) -> Timestamp {
        self.wall(self.now)
    }

    /// A moment on the machine's clock.
    pub(crate) fn wall(&self, moment: Moment) -> Timestamp {
        let millis = moment.0.saturating_sub(self.ahead).as_millis();
        Timestamp::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }

    /// A moment of the machine's clock on this one.
    pub(crate) fn moment(&self, wall: Timestamp) -> Moment {
        Moment(Duration::from_millis(wall.as_millis()).saturating_add(self.ahead))
    }

    pub(crate) fn after(&self, wait: Duration) -> Moment {
        self.now.after(wait)
    }

    /// Whether a deadline is set and has come.
    pub(crate) fn is_due(&self, deadline: Option<Moment>) -> bool {
        deadline.is_some_and(|at| at <= self.now)
    }

    /// How long ago a moment was; for ever where there was none.
    pub(crate) fn since(&self, moment: Option<Moment>) -> Duration {
        moment.map_or(Duration::MAX, |moment| self.now.since(moment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_takes_the_deadlines_along() {
        let mut clock = Clock::default();
        clock.advance(Timestamp::from_secs(1000));
        let deadline = clock.after(Duration::from_secs(60));
        assert_eq!(clock.wall(deadline), Timestamp::from_secs(1060));
        clock.advance(Timestamp::from_secs(400));
        assert_eq!(clock.wall(deadline), Timestamp::from_secs(460));
        assert_eq!(clock.wall_now(), Timestamp::from_secs(400));
        clock.advance(Timestamp::from_secs(500));
        assert!(clock.is_due(Some(deadline)));
        assert_eq!(clock.since(Some(deadline)), Duration::from_secs(40));
    }

    #[test]
    fn a_deadline_has_come_when_the_clock_shows_it() {
        let mut clock = Clock::default();
        for nanos in [1, 499_999, 1_000_000, 1_500_000] {
            let deadline = clock.after(Duration::from_nanos(nanos));
            clock.advance(clock.wall(deadline));
            assert!(clock.is_due(Some(deadline)), "{nanos}");
        }
    }

    #[test]
    fn a_deadline_lies_ahead_wherever_the_clock_goes() {
        let mut clock = Clock::default();
        for wall in [u64::MAX, 0, 5, u64::MAX / 4, 1, u64::MAX / 2, 0].into_iter().cycle().take(400) {
            clock.advance(Timestamp::from_millis(wall));
            let now = clock.wall_now();
            assert_eq!(now, Timestamp::from_millis(wall).min(LATEST));
            assert_eq!(clock.wall(clock.after(Duration::from_secs(1))), now.saturating_add(Duration::from_secs(1)));
        }
    }
}
