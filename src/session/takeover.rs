//! Whether the brokerage session is asked for or taken, and when next, where another session of the user is in the way.

use std::time::Duration;

use super::{
    CompetePolicy, SessionConfig,
    moment::{Clock, Moment},
    pace::{UNBROKEN, limit},
};
use crate::brokerage::Compete;

/// The wait before the first taking back under [`CompetePolicy::TakeAlways`], and the longest.
const RETAKE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(900));
/// How often at most an ask is made early because the broker stopped saying `competing`.
const EARLY_ASKS: Duration = Duration::from_secs(900);

/// Whether an opening without a take follows one that was refused: once in each trouble.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum FallBack {
    #[default]
    Possible,
    /// The next opening is without a take, whatever the policy.
    Next,
    Done,
}

/// What is known of other sessions of the same user.
#[derive(Clone, Debug, Default)]
pub(super) struct Takeover {
    /// The broker has answered to an opening.
    is_opened: bool,
    /// The one take of [`CompetePolicy::TakeOnce`] was made.
    is_used: bool,
    /// How often the session was displaced since it last was ready for long.
    displacements: u32,
    /// From when on it may be taken without an ask: the last answer named another session.
    take_from: Option<Moment>,
    fall_back: FallBack,
    /// When the broker last said `competing`.
    named: Option<Moment>,
    asked_early: Option<Moment>,
    /// When the brokerage session became ready that is not taken since.
    ready: Option<Moment>,
}

impl Takeover {
    /// Goes on for another process, which has made the first opening.
    pub(super) fn resumed() -> Self {
        Self { is_opened: true, is_used: true, ..Self::default() }
    }

    /// What the next opening does.
    pub(super) fn compete(&self, policy: CompetePolicy, clock: &Clock) -> Compete {
        let takes = match policy {
            CompetePolicy::Yield => false,
            CompetePolicy::TakeOnce => !self.is_used,
            CompetePolicy::TakeAlways => !self.is_opened || clock.is_due(self.take_from),
        };
        if takes && self.fall_back != FallBack::Next { Compete::Take } else { Compete::Yield }
    }

    /// The broker answered to an opening with 200.
    pub(super) fn answered(&mut self, compete: Compete) {
        self.is_opened = true;
        self.is_used |= compete == Compete::Take;
        self.fell_back();
    }

    fn fell_back(&mut self) {
        if self.fall_back == FallBack::Next {
            self.fall_back = FallBack::Done;
        }
    }

    /// The broker refused a take with 500, in the words that are known or in none. Whether an opening without it follows.
    pub(super) fn take_refused(&mut self, in_known_words: bool) -> bool {
        self.is_used |= in_known_words;
        self.is_opened |= in_known_words;
        let is_possible = self.fall_back == FallBack::Possible;
        self.fall_back = if is_possible { FallBack::Next } else { FallBack::Done };
        is_possible
    }

    /// The trouble is over.
    pub(super) fn forget_trouble(&mut self) {
        self.fall_back = FallBack::Possible;
    }

    /// Another session is in the way; when this one asks, or takes, again.
    pub(super) fn displaced(&mut self, clock: &Clock, config: &SessionConfig) -> Moment {
        if config.compete != CompetePolicy::TakeAlways {
            return clock.after(config.displaced_retry);
        }
        // An answer before its time does not begin another wait.
        if let Some(at) = self.take_from.filter(|at| *at > clock.now()) {
            return at;
        }
        if self.ready.take().is_some_and(|ready| clock.since(Some(ready)) >= UNBROKEN) {
            self.displacements = 0;
        }
        self.displacements = self.displacements.saturating_add(1);
        let at = clock.after(limit(RETAKE.0, RETAKE.1, self.displacements));
        self.take_from = Some(at);
        at
    }

    /// The broker said `competing`.
    pub(super) fn name(&mut self, now: Moment) {
        self.named = Some(now);
    }

    /// Whether the broker has not said `competing` for a while.
    pub(super) fn is_without_rival(&self, clock: &Clock) -> bool {
        clock.since(self.named) >= UNBROKEN
    }

    /// Whether to ask at once, now that the broker stopped saying `competing`.
    pub(super) fn asks_early(&mut self, clock: &Clock) -> bool {
        let asks = clock.since(self.asked_early) >= EARLY_ASKS;
        if asks {
            self.asked_early = Some(clock.now());
        }
        asks
    }

    /// A person wants the next attempt now.
    pub(super) fn skip_wait(&mut self, now: Moment) {
        self.take_from = self.take_from.map(|at| at.min(now));
    }

    pub(super) fn ready(&mut self, now: Moment) {
        self.ready = Some(now);
        self.take_from = None;
    }
}
