//! When the session is kept alive, and how often more than that it may be asked how it is.

use std::time::Duration;

use super::{extras::Extras, moment::Moment, pace::limit};

/// How soon a tickle that failed is tried again, and how soon an opening is confirmed by a first one; further failures
/// double it, up to the interval.
const RETRY: Duration = Duration::from_secs(5);
/// How many draws a full bucket has.
const DRAWS: u32 = 5;
/// The shortest time from one tickle to the next.
const APART: Duration = Duration::from_secs(1);

/// So many draws at once, and one more after each interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    left: u32,
    every: Duration,
    filled: Moment,
}

impl Bucket {
    pub(super) fn new(every: Duration) -> Self {
        Self { left: DRAWS, every, filled: Moment::default() }
    }

    /// Draws one, if there is one.
    pub(super) fn draw(&mut self, now: Moment) -> bool {
        while self.left < DRAWS && now.since(self.filled) >= self.every {
            self.left += 1;
            self.filled = self.filled.after(self.every);
        }
        if self.left == DRAWS {
            self.filled = now;
        }
        let is_drawn = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_drawn
    }
}

/// When the next tickle is due.
#[derive(Clone, Debug)]
pub(super) struct Tickles {
    interval: Duration,
    next: Option<Moment>,
    started: Option<Moment>,
    failures: u32,
    extra: Bucket,
    /// For who opens a stream.
    streams: Bucket,
    extras: Extras,
}

impl Tickles {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            next: None,
            started: None,
            failures: 0,
            extra: Bucket::new(Duration::from_secs(120)),
            streams: Bucket::new(Duration::from_secs(600)),
            extras: Extras::default(),
        }
    }

    pub(super) fn next(&self) -> Option<Moment> {
        self.next
    }

    /// How soon one follows that was in vain, or that confirms an opening.
    pub(super) fn soon(&self) -> Duration {
        RETRY.min(self.interval)
    }

    /// How many failed since one was answered well.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn schedule(&mut self, at: Moment) {
        self.next = Some(at);
    }

    /// One is wanted earlier than after the usual interval, if the hour's limit allows it.
    pub(super) fn schedule_early(&mut self, at: Moment, now: Moment) {
        let ordinary = self.started.map_or(at, |started| started.after(self.interval));
        self.next = Some(if at >= ordinary || self.extras.draw(now) { at } else { ordinary });
    }

    /// A tickle is made. The next is due as usual, unless its answer changes that.
    pub(super) fn start(&mut self, now: Moment) {
        self.started = Some(now);
        self.next = Some(now.after(self.interval));
    }

    pub(super) fn succeed(&mut self, now: Moment) {
        self.failures = 0;
        self.next = Some(now.after(self.interval));
    }

    /// A tickle came to nothing: it is repeated soon, as long as the bucket allows it.
    pub(super) fn fail(&mut self, now: Moment) {
        self.failures = self.failures.saturating_add(1);
        let soon = limit(RETRY, self.interval, self.failures);
        let is_extra = soon < self.interval && self.draw(now);
        self.next = Some(now.after(if is_extra { soon } else { self.interval }));
    }

    /// One is wanted now, since something is suspected; with the bucket empty, the ordinary one has to do.
    pub(super) fn hasten(&mut self, now: Moment) {
        let earliest = self.started.map_or(now, |started| started.after(APART)).max(now);
        if self.next.is_some_and(|next| next > earliest) && self.draw(now) {
            self.next = Some(earliest);
        }
    }

    /// One is wanted now, for a WebSocket that is to be opened. The one that confirms an opening comes soon enough, and not
    /// sooner for this.
    pub(super) fn hasten_for_stream(&mut self, now: Moment) {
        let is_soon = self.next.is_none_or(|next| next <= now.after(RETRY));
        if !is_soon && self.streams.draw(now) && self.extras.draw(now) {
            self.next = Some(self.started.map_or(now, |started| started.after(APART)).max(now));
        }
    }

    /// Whether one more request than the ordinary ones may be sent.
    pub(super) fn draw(&mut self, now: Moment) -> bool {
        self.extra.draw(now) && self.extras.draw(now)
    }

    /// The requests beyond the ordinary ones in the last hour.
    pub(super) fn extras(&mut self) -> &mut Extras {
        &mut self.extras
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::default().after(Duration::from_secs(seconds))
    }

    #[test]
    fn a_bucket_has_five_draws_and_one_more_after_each_interval() {
        let mut bucket = Bucket::new(Duration::from_secs(120));
        let mut draws = |seconds: u64| (0..9).filter(|_| bucket.draw(at(seconds))).count();
        assert_eq!([1000, 1119, 1120, 1121, 1240, 1600, 9000].map(&mut draws), [5, 0, 1, 0, 1, 3, 5]);
    }

    #[test]
    fn failures_are_repeated_after_waits_that_double_until_the_bucket_is_empty() {
        let (mut tickles, mut now) = (Tickles::new(Duration::from_secs(60)), at(1000));
        let mut waits = Vec::new();
        for _ in 0..8 {
            tickles.start(now);
            tickles.fail(now);
            let next = tickles.next().unwrap();
            waits.push(next.since(now).as_secs());
            now = next;
        }
        assert_eq!(waits, [5, 10, 20, 40, 60, 60, 60, 60]);
        tickles.succeed(now);
        // Two of the five are back, and one was left.
        for expected in [5, 5, 5, 60, 60] {
            tickles.succeed(now);
            tickles.fail(now);
            assert_eq!(tickles.next().unwrap().since(now).as_secs(), expected);
        }
    }

    #[test]
    fn suspicions_draw_from_the_same_bucket() {
        let mut tickles = Tickles::new(Duration::from_secs(60));
        let now = at(1000);
        for count in 0..7 {
            tickles.start(now);
            tickles.succeed(now);
            tickles.hasten(now);
            let expected = if count < 5 { 1 } else { 60 };
            assert_eq!(tickles.next().unwrap().since(now).as_secs(), expected, "{count}");
        }
    }
}
