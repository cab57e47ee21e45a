//! The broker's limits on requests, kept before the broker has to: pure, and off unless you ask for it.
//!
//! A [`Pacer`] counts what one user sends, whichever of the user's programs sends it, and says of each request whether
//! it may go [now, later, or not at all](Admission). It goes by the limit on all requests together
//! ([`PacingConfig::per_second`]), and by those on single paths that the broker's Web API documentation has under "Pacing
//! Limitations". A 429 teaches it more.
//!
//! | paths | requests |
//! |---|---|
//! | `/iserver/account/orders`, `/iserver/account/trades`, `/iserver/account/pnl/partitioned`, `/portfolio/accounts`, `/portfolio/subaccounts` | one in 5 s |
//! | `/iserver/scanner/params`, `/pa/performance`, `/pa/summary`, `/pa/transactions` | one in 15 min |
//! | `/iserver/marketdata/history` | five at a time |
//! | `/iserver/marketdata/snapshot` | ten a second |
//! | `/iserver/scanner/run`, `/tickle`, and all under `/fyi/` together | one a second |
//! | `/sso/validate` | one a minute |
//!
//! Nothing here sends or waits. `Client` keeps to one if [asked to](crate::client::Client::pace), and `Session` has none.
//!
//! ```
//! use ibkr_oauth::{Timestamp, pacing::{Admission, Pacer, PacingConfig}};
//!
//! let mut pacer = Pacer::new(PacingConfig::default());
//! let now = Timestamp::from_secs(1_700_000_000);
//! assert_eq!(pacer.admit(now, "/portfolio/accounts"), Admission::Now);
//! // Once in five seconds.
//! let Admission::NotBefore(later) = pacer.admit(now, "/portfolio/accounts") else { unreachable!() };
//! assert_eq!(pacer.admit(later, "/portfolio/accounts"), Admission::Now);
//! // Once in a quarter of an hour: nobody waits for that.
//! assert_eq!(pacer.admit(later, "/pa/summary"), Admission::Now);
//! assert!(matches!(pacer.admit(later, "/pa/summary"), Admission::Refused(_)));
//! ```

use std::{collections::VecDeque, time::Duration};

use crate::context::Timestamp;

mod learned;
mod limits;

use self::{
    learned::Learned,
    limits::{LIMITS, Rate},
};

/// Requests that leave a window apart may arrive closer together: the network delays one more than the other.
pub(crate) const JITTER: Duration = Duration::from_millis(50);
/// When to look again where requests of a path that are under way have to end first: that has no date.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Threads arrive in another order than they read the clock. A moment that is earlier by no more than this is due to that.
const OUT_OF_ORDER: Duration = Duration::from_secs(1);
/// A request of which no end was reported is taken to have ended after this.
const LONGEST_REQUEST: Duration = Duration::from_secs(120);

/// The settings of a [`Pacer`]. Start from [`PacingConfig::default`] and change what must differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PacingConfig {
    /// How many requests a second there may be in all; 0 counts as 1. The broker's documentation of its Web API says 10; an
    /// older page says 50 for each user name, and 10 by way of its Client Portal Gateway. Default: 10.
    pub per_second: u32,
    /// How long a request is worth delaying: a longer wait is a refusal. Default: 10 s.
    pub longest_delay: Duration,
}

impl Default for PacingConfig {
    fn default() -> Self {
        Self { per_second: 10, longest_delay: Duration::from_secs(10) }
    }
}

/// Whether a request may be sent. From [`Pacer::admit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Admission {
    /// Send it now; it is counted.
    Now,
    /// Ask again at this moment: it is not counted, and somebody else may be faster.
    NotBefore(Timestamp),
    /// Do not send it: it would have to wait until this moment, which is longer than it may.
    Refused(Timestamp),
}

/// Counts the requests of one user.
///
/// Paths are those behind the base URL, such as `/iserver/accounts`, without a query.
pub struct Pacer {
    config: PacingConfig,
    /// All requests together, and then each of `LIMITS`.
    sum: Window,
    classes: Vec<Count>,
    learned: Learned,
    latest: Timestamp,
}

debug_fields!(Pacer { config, latest });

/// The count of one class of paths.
enum Count {
    Window(Window),
    /// When each request began that is under way.
    UnderWay {
        began: Vec<Timestamp>,
        most: usize,
    },
}

/// The newest requests: as many as there may be within the time.
struct Window {
    sent: VecDeque<Timestamp>,
    most: usize,
    within: Duration,
}

impl Pacer {
    /// A pacer that has seen nothing yet.
    #[must_use]
    pub fn new(config: PacingConfig) -> Self {
        let classes = LIMITS.iter().map(|limit| Count::new(limit.rate)).collect();
        let sum = Window::new(config.per_second, Duration::from_secs(1));
        Self { config, sum, classes, learned: Learned::default(), latest: Timestamp::default() }
    }

    /// Whether a request of this path may be sent now. One that may is counted: send it at once, and report its end to
    /// [`finish`](Self::finish).
    pub fn admit(&mut self, now: Timestamp, path: &str) -> Admission {
        let now = self.follow_clock(now);
        let class = class_of(path);
        let by_class = class.and_then(|class| self.classes.get_mut(class)).map(|count| count.free_at(now));
        let free_at = [Some(self.sum.free_at()), by_class, self.learned.free_at(key(class, path))];
        let free_at = free_at.into_iter().flatten().max().unwrap_or(now);
        if free_at <= now {
            self.count(now, class);
            return Admission::Now;
        }
        let delay = free_at.saturating_duration_since(now);
        if delay <= self.config.longest_delay { Admission::NotBefore(free_at) } else { Admission::Refused(free_at) }
    }

    /// Counts a request that goes before all others, as those of the session itself do and those that are sent again, and
    /// returns the moment to send it at: as soon as no more than the allowed number are sent within any span. A limit that
    /// would make it wait for longer than [`PacingConfig::longest_delay`] is not kept, nor is what 429s have taught.
    #[must_use = "the request is counted at this moment"]
    pub fn reserve(&mut self, now: Timestamp, path: &str) -> Timestamp {
        let now = self.follow_clock(now);
        let class = class_of(path);
        let by_class = match class.and_then(|class| self.classes.get(class)) {
            Some(Count::Window(window)) => window.free_at(),
            Some(Count::UnderWay { .. }) | None => now,
        };
        let is_soon = |at: &Timestamp| at.saturating_duration_since(now) <= self.config.longest_delay;
        let at = [self.sum.free_at(), by_class].into_iter().filter(is_soon).fold(now, Timestamp::max);
        self.count(at, class);
        at
    }

    /// A request that was counted has its answer, or will get none. It matters where the broker limits how many of a path
    /// may be under way at a time; without it one counts as ended after two minutes.
    pub fn finish(&mut self, path: &str) {
        if let Some(Count::UnderWay { began, .. }) = class_of(path).and_then(|class| self.classes.get_mut(class)) {
            if !began.is_empty() {
                began.remove(0);
            }
        }
    }

    /// The broker answered 429. With its `Retry-After`, nothing may be sent for that long, an hour at most; without one,
    /// nothing of this class of paths for a minute, and for twice as long each time that it happens again, up to a quarter
    /// of an hour.
    pub fn too_many(&mut self, now: Timestamp, path: &str, retry_after: Option<Duration>) {
        let now = self.follow_clock(now);
        self.learned.too_many(now, key(class_of(path), path), retry_after);
    }

    /// Until when nothing may be sent, whatever its path, because the broker said so.
    #[cfg_attr(not(feature = "getrandom"), allow(dead_code, reason = "only a `Client` asks"))]
    pub(crate) fn closed_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.learned.closed_until().filter(|until| *until > now)
    }

    fn count(&mut self, now: Timestamp, class: Option<usize>) {
        self.sum.add(now);
        match class.and_then(|class| self.classes.get_mut(class)) {
            Some(Count::Window(window)) => window.add(now),
            Some(Count::UnderWay { began, .. }) => began.push(now),
            None => {}
        }
    }

    /// The moment to go by. A clock that was set back makes nobody wait for what it has taken back: what was sent counts as
    /// sent now.
    fn follow_clock(&mut self, now: Timestamp) -> Timestamp {
        let by = self.latest.saturating_duration_since(now);
        if by <= OUT_OF_ORDER {
            self.latest = self.latest.max(now);
            return self.latest;
        }
        let windows = self.classes.iter_mut().filter_map(|count| match count {
            Count::Window(window) => Some(&mut window.sent),
            Count::UnderWay { .. } => None,
        });
        for sent in windows.chain([&mut self.sum.sent]).flatten() {
            *sent = now.min(*sent);
        }
        self.learned.step_back(by);
        self.latest = now;
        now
    }
}

impl Count {
    fn new(rate: Rate) -> Self {
        match rate {
            Rate::Within(most, within) => Self::Window(Window::new(most, within)),
            Rate::AtATime(most) => {
                Self::UnderWay { began: Vec::new(), most: usize::try_from(most.max(1)).unwrap_or(usize::MAX) }
            }
        }
    }

    fn free_at(&mut self, now: Timestamp) -> Timestamp {
        match self {
            Self::Window(window) => window.free_at(),
            Self::UnderWay { began, most } => {
                began.retain(|began| *began <= now && now.saturating_duration_since(*began) < LONGEST_REQUEST);
                if began.len() < *most { now } else { now.saturating_add(LOOK_AGAIN) }
            }
        }
    }
}

impl Window {
    fn new(most: u32, within: Duration) -> Self {
        let most = usize::try_from(most.max(1)).unwrap_or(usize::MAX);
        Self { sent: VecDeque::new(), most, within: within.saturating_add(JITTER) }
    }

    fn free_at(&self) -> Timestamp {
        let oldest = self.sent.front().filter(|_| self.sent.len() >= self.most);
        oldest.map_or_else(Timestamp::default, |oldest| oldest.saturating_add(self.within))
    }

    fn add(&mut self, now: Timestamp) {
        if self.sent.len() >= self.most {
            self.sent.pop_front();
        }
        // Behind one that is reserved: the order of the moments is kept, and none is counted too early.
        self.sent.push_back(self.sent.back().map_or(now, |newest| now.max(*newest)));
    }
}

fn class_of(path: &str) -> Option<usize> {
    LIMITS.iter().position(|limit| limit.covers(path))
}

/// What is learned of a path is learned of its class.
fn key(class: Option<usize>, path: &str) -> &str {
    class.and_then(|class| LIMITS.get(class)).and_then(|limit| limit.paths.first()).map_or(path, |first| first)
}

#[cfg(test)]
mod tests;
