//! One subscription: whether the broker knows of it, and when it is asked for again.

use std::{sync::Arc, time::Duration};

use super::{
    event::StreamEvent,
    topic::{Kind, Topic},
};
use crate::{
    context::{Entropy, Timestamp},
    error::Error,
    session::{Clock, Moment, from_zero, limit},
};

/// How long a first message may take.
const ANSWER: Duration = Duration::from_secs(10);
/// How long no refusal may take, where no first message is to be expected.
const NO_REFUSAL: Duration = Duration::from_secs(5);
/// How long it is until one that was refused, or of which nothing came twice, is asked for again; it doubles.
const AGAIN: Duration = Duration::from_secs(30);
const LONGEST_AGAIN: Duration = Duration::from_secs(300);
/// The broker ends a line ten minutes after it was asked for. It is asked for again before nine have passed; by chance,
/// earlier, so that a hundred are spread.
const RENEWAL: Duration = Duration::from_secs(510);
const RENEWAL_SPREAD: Duration = Duration::from_secs(240);
/// A line that says nothing for this long may be dead.
const QUIET: Duration = Duration::from_secs(300);

/// A topic that is wanted.
#[expect(clippy::struct_excessive_bools, reason = "each is true or not whatever the others are")]
pub(super) struct Subscription {
    pub(super) topic: Topic,
    /// How often it is wanted.
    pub(super) holders: usize,
    state: State,
    /// It was asked for on this connection.
    is_known: bool,
    /// How often it was asked for since it was last confirmed.
    attempts: u32,
    /// Why it does not come was said.
    is_announced: bool,
    /// It was confirmed once, on this connection or an earlier one.
    was_confirmed: bool,
    /// From when on messages may be missing, until it is confirmed again.
    gap: Option<Moment>,
    /// When the line is asked for again.
    renewal: Moment,
    /// When its last message came by itself.
    spoken: Moment,
    is_quiet: bool,
    /// The next message may be but the answer to what was asked.
    is_asked: bool,
    /// The number by which a history is given back.
    pub(super) server_id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not asked for on this connection.
    Unsent,
    /// Asked for; until then nothing is wrong.
    Awaiting {
        until: Moment,
    },
    /// Refused, or nothing came of it; asked for again then.
    Pausing {
        until: Moment,
    },
    Confirmed,
}

/// What is due.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) event: Option<StreamEvent>,
    pub(super) sends: bool,
}

impl Subscription {
    pub(super) fn new(topic: Topic, is_known: bool) -> Self {
        Self {
            topic,
            holders: 1,
            state: State::Unsent,
            is_known,
            attempts: 0,
            is_announced: false,
            was_confirmed: false,
            gap: None,
            renewal: Moment::default(),
            spoken: Moment::default(),
            is_quiet: false,
            is_asked: false,
            server_id: None,
        }
    }

    /// Whether the broker may know of it.
    pub(super) fn is_known(&self) -> bool {
        self.is_known
    }

    /// Whether its first message is on its way, as far as is known.
    pub(super) fn is_awaited(&self) -> bool {
        self.is_known && !self.is_announced && self.state != State::Confirmed
    }

    fn is_line(&self) -> bool {
        self.topic.kind() == Kind::MarketData
    }

    /// Whether it has come, and does not again.
    fn is_over(&self) -> bool {
        self.topic.kind() == Kind::History && self.state == State::Confirmed
    }

    /// It is to be asked for once more: with more fields.
    pub(super) fn ask_again(&mut self) {
        self.state = State::Unsent;
    }

    /// The connection is gone.
    pub(super) fn forget(&mut self) {
        self.is_known = false;
        self.server_id = None;
    }

    /// The broker may have forgotten it; messages may be missing from a moment on.
    pub(super) fn lose(&mut self, since: Moment) {
        if self.is_over() {
            return;
        }
        self.miss(since);
        (self.state, self.attempts, self.is_announced) = (State::Unsent, 0, false);
        (self.is_quiet, self.is_asked) = (false, false);
    }

    /// Messages may be missing from a moment on: of a line, from its last message, for it may have been dead since.
    fn miss(&mut self, since: Moment) {
        // A history comes once, whole.
        if self.was_confirmed && self.topic.kind() != Kind::History {
            self.gap.get_or_insert(if self.is_line() { self.spoken.min(since) } else { since });
        }
    }

    /// When something is due, if ever.
    pub(super) fn deadline(&self) -> Option<Moment> {
        match self.state {
            State::Unsent => Some(Moment::default()),
            State::Awaiting { until } | State::Pausing { until } => Some(until),
            State::Confirmed if self.is_line() && self.is_quiet => Some(self.renewal),
            State::Confirmed if self.is_line() => Some(self.renewal.min(self.spoken.after(QUIET))),
            State::Confirmed => None,
        }
    }

    /// Whether what is due is to ask for it.
    pub(super) fn is_to_send(&self) -> bool {
        match self.state {
            State::Unsent => self.topic.kind() != Kind::Unasked,
            State::Awaiting { .. } => self.has_first_message() && (self.is_announced || self.attempts < 2),
            State::Pausing { .. } | State::Confirmed => true,
        }
    }

    /// Does what is due.
    pub(super) fn act(&mut self, clock: &Clock, entropy: &mut dyn Entropy) -> Due {
        let now = clock.now();
        match self.state {
            State::Unsent if self.topic.kind() == Kind::Unasked => {
                Due { event: Some(self.confirm(clock)), sends: false }
            }
            // Nobody refused it.
            State::Awaiting { .. } if !self.has_first_message() => {
                Due { event: Some(self.confirm(clock)), sends: false }
            }
            State::Awaiting { .. } if self.attempts >= 2 && !self.is_announced => {
                self.is_announced = true;
                self.miss(now);
                let until = now.after(self.pause());
                self.state = State::Pausing { until };
                let (topic, since, retry_at) = (self.name(), self.missing_since(clock), clock.wall(until));
                Due { event: Some(StreamEvent::Unconfirmed { topic, since, retry_at }), sends: false }
            }
            State::Unsent | State::Awaiting { .. } | State::Pausing { .. } => {
                self.attempts = self.attempts.saturating_add(1);
                let wait = match (self.has_first_message(), self.is_announced) {
                    (true, true) => self.pause(),
                    (true, false) => ANSWER,
                    (false, _) => NO_REFUSAL,
                };
                self.state = State::Awaiting { until: now.after(wait) };
                self.sent(now, entropy);
                Due { event: None, sends: true }
            }
            State::Confirmed => {
                let is_quiet = !self.is_quiet && self.spoken.after(QUIET) <= now;
                let (topic, since) = (self.name(), clock.wall(self.spoken));
                self.is_quiet |= is_quiet;
                self.sent(now, entropy);
                Due { event: is_quiet.then_some(StreamEvent::Quiet { topic, since }), sends: true }
            }
        }
    }

    fn sent(&mut self, now: Moment, entropy: &mut dyn Entropy) {
        (self.is_asked, self.is_known) = (true, true);
        self.renewal = now.after(RENEWAL.saturating_sub(from_zero(entropy, RENEWAL_SPREAD)));
    }

    /// Whether a message follows in any case.
    fn has_first_message(&self) -> bool {
        !matches!(self.topic.kind(), Kind::Orders | Kind::Book | Kind::Unasked | Kind::Other)
    }

    fn pause(&self) -> Duration {
        limit(AGAIN, LONGEST_AGAIN, self.attempts.saturating_sub(1))
    }

    /// A message came. Returns that it is confirmed by that, if it was not before.
    pub(super) fn hear(&mut self, clock: &Clock) -> Option<StreamEvent> {
        let was_asked = std::mem::take(&mut self.is_asked);
        if !was_asked && self.state != State::Unsent {
            self.spoken = clock.now();
            self.is_quiet = false;
        }
        // What was refused is not confirmed by what still comes of an earlier request.
        (was_asked && matches!(self.state, State::Awaiting { .. } | State::Pausing { .. })).then(|| self.confirm(clock))
    }

    /// The broker refused it.
    pub(super) fn refuse(&mut self, clock: &Clock, error: Error) -> Option<StreamEvent> {
        if self.state == State::Unsent {
            return None;
        }
        self.miss(clock.now());
        self.attempts = self.attempts.max(1);
        let until = clock.after(self.pause());
        self.state = State::Pausing { until };
        self.is_asked = false;
        let was_announced = std::mem::replace(&mut self.is_announced, true);
        let (topic, since, retry_at) = (self.name(), self.missing_since(clock), clock.wall(until));
        (!was_announced).then_some(StreamEvent::Refused { topic, error, since, retry_at })
    }

    fn confirm(&mut self, clock: &Clock) -> StreamEvent {
        self.state = State::Confirmed;
        (self.attempts, self.is_announced, self.was_confirmed) = (0, false, true);
        self.spoken = clock.now();
        let gap = self.missing_since(clock);
        self.gap = None;
        StreamEvent::Subscribed { topic: self.topic.clone(), gap }
    }

    fn missing_since(&self, clock: &Clock) -> Option<Timestamp> {
        self.gap.map(|since| clock.wall(since))
    }

    fn name(&self) -> Arc<str> {
        Arc::clone(self.topic.shared_name())
    }
}
