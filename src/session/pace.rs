//! How soon a handshake, or an opening of the brokerage session, may be tried again.

use std::{collections::VecDeque, time::Duration};

use super::moment::Moment;
use crate::context::Entropy;

/// The most attempts of one kind in an hour, whatever happens.
const MOST_AN_HOUR: usize = 20;
const HOUR: Duration = Duration::from_secs(3600);
/// How long a session must have been live since the last trouble for that to be over.
pub(super) const UNBROKEN: Duration = Duration::from_secs(1800);
/// The longest wait before the first new attempt after a failure; it doubles with each, and is drawn from its upper half.
const FIRST: Duration = Duration::from_secs(2);
/// Where that doubling ends: while nothing can be sent, while the broker cannot answer, and while it answers and refuses.
const NOT_SENT: Duration = Duration::from_secs(300);
const UNAVAILABLE: Duration = Duration::from_secs(600);
const REFUSED: Duration = Duration::from_secs(1800);

/// What kind of trouble an attempt met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nothing was sent.
    NotSent,
    /// The broker cannot answer now.
    Unavailable,
    /// The broker answers, and refuses.
    Refused,
}

/// How long the session was live before it got into trouble, as far as a pace asks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LiveTime {
    /// Since when it is live without a break.
    pub(super) since: Option<Moment>,
    /// The last moment at which it had been so for long enough.
    pub(super) good: Option<Moment>,
}

impl LiveTime {
    /// Since when a session is live that enters (`Some`) or leaves `Live`.
    pub(super) fn set(&mut self, now: Moment, is_live: bool) {
        self.look(now);
        self.since = is_live.then(|| self.since.unwrap_or(now));
    }

    pub(super) fn look(&mut self, now: Moment) {
        if self.since.is_some_and(|since| now.since(since) >= UNBROKEN) {
            self.good = Some(now);
        }
    }

    /// Whether trouble is young after a good time, so that waits stay short.
    fn was_good_lately(self, now: Moment) -> bool {
        self.good.is_some_and(|good| now.since(good) < HOUR)
    }
}

/// The pace of one kind of attempt.
///
/// Without trouble the wait is zero. In trouble it doubles up to a limit that depends on the kind of trouble.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    /// Attempts in a row that failed, or whose gain was lost soon.
    steps: u32,
    /// Attempts in a row that were not even sent, and when the last of them was.
    unsent: u32,
    unsent_at: Option<Moment>,
    troubled: Option<Moment>,
    allowed: Option<Moment>,
    /// When the latest attempts were made.
    recent: VecDeque<Moment>,
}

impl Pace {
    /// Forgets the trouble if the session has been live for long enough since; whether it has.
    pub(super) fn refresh(&mut self, now: Moment, live: LiveTime) -> bool {
        let Some(since) = live.since else { return false };
        let is_over = |last: Option<Moment>| now.since(last.map_or(since, |last| last.max(since))) >= UNBROKEN;
        // An attempt that was not sent is no trouble of the broker's, but its wait holds as long.
        if is_over(self.troubled.max(self.unsent_at)) {
            self.allowed = None;
        }
        if is_over(self.unsent_at) {
            (self.unsent, self.unsent_at) = (0, None);
        }
        if is_over(self.troubled) {
            (self.steps, self.troubled) = (0, None);
            return true;
        }
        false
    }

    /// An attempt is being made.
    pub(super) fn attempt(&mut self, now: Moment) {
        if self.recent.len() >= MOST_AN_HOUR {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
    }

    /// The latest attempt was not sent after all.
    pub(super) fn take_back(&mut self) {
        self.recent.pop_back();
    }

    /// The last attempt came to nothing, or what it gained was lost. `wait` is what the broker asked for, if it did.
    pub(super) fn fail(
        &mut self,
        now: Moment,
        trouble: Trouble,
        wait: Option<Duration>,
        live: LiveTime,
        entropy: &mut dyn Entropy,
    ) {
        let own = match trouble {
            Trouble::NotSent => {
                self.unsent = self.unsent.saturating_add(1);
                self.unsent_at = Some(now);
                from_zero(entropy, limit(FIRST, NOT_SENT, self.unsent))
            }
            Trouble::Unavailable | Trouble::Refused => {
                self.steps = self.steps.saturating_add(1);
                (self.unsent, self.unsent_at) = (0, None);
                self.troubled = Some(now);
                let is_short = trouble == Trouble::Unavailable || live.was_good_lately(now);
                let longest = if is_short { UNAVAILABLE } else { REFUSED };
                from_upper_half(entropy, limit(FIRST, longest, self.steps))
            }
        };
        let asked = wait.unwrap_or_default().min(REFUSED);
        self.allowed = Some(now.after(own.max(asked)));
    }

    /// Another wait than its own, for this once.
    pub(super) fn wait_until(&mut self, at: Moment) {
        self.allowed = Some(at);
    }

    /// When the next attempt may be made, at the earliest.
    pub(super) fn next(&self, now: Moment) -> Moment {
        let hourly = match self.recent.front() {
            Some(first) if self.recent.len() >= MOST_AN_HOUR => first.after(HOUR),
            _ => now,
        };
        self.allowed.unwrap_or(now).max(hourly).max(now)
    }

    /// Whether an attempt has failed that nothing has made up for yet.
    pub(super) fn is_troubled(&self) -> bool {
        self.troubled.is_some()
    }

    /// A person wants the next attempt now.
    pub(super) fn skip_wait(&mut self) {
        self.allowed = None;
    }
}

/// The longest wait before the attempt that follows the `failures`-th failure in a row.
pub(crate) fn limit(first: Duration, longest: Duration, failures: u32) -> Duration {
    let doubled = 2u32.checked_pow(failures.saturating_sub(1)).and_then(|factor| first.checked_mul(factor));
    doubled.map_or(longest, |wait| wait.min(longest))
}

/// A wait drawn evenly from zero to `limit` ("full jitter"), but never under 100 ms, so that a deadline lies ahead.
///
/// Where the random number generator fails, the wait is `limit` itself.
pub(crate) fn from_zero(entropy: &mut dyn Entropy, limit: Duration) -> Duration {
    let mut bytes = [0; 8];
    if entropy.fill(&mut bytes).is_err() {
        return limit;
    }
    let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX).min(u64::MAX / 2);
    Duration::from_millis((u64::from_le_bytes(bytes) % (limit + 1)).max(100))
}

/// A wait drawn evenly from half of `limit` to `limit`.
pub(crate) fn from_upper_half(entropy: &mut dyn Entropy, limit: Duration) -> Duration {
    let half = limit / 2;
    half + from_zero(entropy, half).min(half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::EntropyError;

    struct Fixed(u8);

    impl Entropy for Fixed {
        fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
            destination.fill(self.0);
            if self.0 == 9 { Err(EntropyError::default()) } else { Ok(()) }
        }
    }

    fn at(seconds: u64) -> Moment {
        Moment::default().after(Duration::from_secs(seconds))
    }

    /// The waits after this many failures in a row, in seconds, each attempt made as soon as it may be.
    fn waits(trouble: Trouble, count: usize, live: LiveTime, byte: u8) -> Vec<u64> {
        let (mut pace, mut now) = (Pace::default(), at(100_000));
        let mut wait = |_| {
            pace.attempt(now);
            pace.fail(now, trouble, None, live, &mut Fixed(byte));
            let next = pace.next(now);
            let wait = next.since(now).as_secs();
            now = next;
            wait
        };
        (0..count).map(&mut wait).collect()
    }

    #[test]
    fn waits_double_to_a_limit_that_depends_on_the_trouble() {
        let never = LiveTime::default();
        assert_eq!(waits(Trouble::Unavailable, 12, never, 9), [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600]);
        assert_eq!(waits(Trouble::Refused, 13, never, 9)[8..], [512, 1024, 1800, 1800, 1800]);
        assert_eq!(waits(Trouble::Refused, 13, never, 0)[8..], [256, 512, 900, 900, 900]);
        assert_eq!(waits(Trouble::NotSent, 10, never, 9)[7..], [256, 300, 300]);
        let lately = LiveTime { since: None, good: Some(at(99_000)) };
        assert_eq!(waits(Trouble::Refused, 11, lately, 9)[8..], [512, 600, 600]);
    }

    #[test]
    fn no_hour_has_more_than_twenty_attempts() {
        let (mut pace, mut now, mut made) = (Pace::default(), at(0), Vec::new());
        for _ in 0..100 {
            now = pace.next(now);
            pace.attempt(now);
            made.push(now);
            pace.skip_wait();
        }
        assert!(made.windows(21).all(|hour| hour[20].since(hour[0]) >= HOUR));
    }

    #[test]
    fn half_an_hour_of_being_live_ends_the_trouble() {
        let mut pace = Pace::default();
        let mut live = LiveTime::default();
        pace.fail(at(1000), Trouble::Refused, None, live, &mut Fixed(9));
        live.set(at(1002), true);
        assert!(!pace.refresh(at(1002 + 1799), live));
        assert!(pace.next(at(1001)) > at(1001));
        assert!(pace.refresh(at(1002 + 1800), live));
        assert_eq!(pace.next(at(5000)), at(5000));
        // Trouble while it is live starts the half hour again.
        pace.fail(at(2000), Trouble::Refused, None, live, &mut Fixed(9));
        assert!(!pace.refresh(at(3799), live));
        assert!(pace.refresh(at(3800), live));
    }

    #[test]
    fn what_the_broker_asks_for_is_granted_within_limits() {
        let mut pace = Pace::default();
        for (asked, granted) in [(0, 2), (700, 700), (86_400, 1800)] {
            let mut fresh = pace.clone();
            let wait = Some(Duration::from_secs(asked));
            fresh.fail(at(0), Trouble::Unavailable, wait, LiveTime::default(), &mut Fixed(9));
            assert_eq!(fresh.next(at(0)), at(granted));
        }
        pace.wait_until(at(3));
        assert_eq!(pace.next(at(0)), at(3));
    }

    #[test]
    fn jitter_stays_within_its_limit_and_never_is_nothing() {
        let limit = Duration::from_secs(7);
        assert_eq!(from_zero(&mut Fixed(0), limit), Duration::from_millis(100));
        assert!(from_zero(&mut Fixed(0xff), limit) <= limit);
        assert_eq!(from_zero(&mut Fixed(9), limit), limit);
        assert!(from_zero(&mut Fixed(0xff), Duration::from_millis(u64::MAX)) > limit);
        assert!(from_zero(&mut Fixed(0xff), Duration::MAX) > limit);
        assert!(from_upper_half(&mut Fixed(0), limit) >= limit / 2);
        assert!(from_upper_half(&mut Fixed(0xff), limit) <= limit);
    }
}
