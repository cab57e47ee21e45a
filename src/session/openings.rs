//! The brokerage session: opened, settling, ready, lost, in another session's hands.

use std::time::Duration;

use super::{
    OnShutdown, PENALTY_BOX, SETTLE_TIMEOUT, Session, SessionEvent,
    moment::Moment,
    outstanding::Answer,
    pace::{Trouble, UNBROKEN},
    phase::{Live, Pause, Phase, Readiness, Retry, Rival, Settling},
    task::Task,
    verdict::{Verdict, is_about_take, trouble},
};
use crate::{
    brokerage::Compete,
    context::Context,
    error::{Cause, Error, ErrorKind, Stage},
};

/// After how long each the brokerage session is asked whether it is ready; the last of them is repeated.
const POLLS: [u64; 7] = [1, 2, 3, 5, 8, 13, 28];
/// So many of the first are left out while openings fail, to stay within 150 requests an hour.
const HURRIED_POLLS: usize = 3;
/// How soon an opening without a take follows a take that was refused.
const FALL_BACK: Duration = Duration::from_secs(3);
/// How long nothing was sent where a loss is no wonder: the machine slept.
const ASLEEP: Duration = Duration::from_secs(300);
/// Each how many losses without a rival the session starts over, with a logout and a new token.
const START_OVER: u32 = 3;
/// After how many openings without authentication it is suspected that the user has no brokerage session.
const FRUITLESS: u32 = 3;

impl Session {
    /// Opens the brokerage session at once, or waits as long as its pace wants.
    pub(super) fn open_or_wait(&mut self) {
        let now = self.clock.now();
        let next = self.openings.next(now);
        if next <= now {
            return self.open(false);
        }
        self.wait(Pause { until: next, retry: Retry::Opening });
    }

    fn wait(&mut self, pause: Pause) {
        if let Phase::BackingOff(earlier) = &mut self.phase {
            *earlier = pause;
        } else {
            self.go(Phase::BackingOff(pause));
        }
    }

    fn open(&mut self, asks: bool) {
        let compete = self.takeover.compete(self.config.compete, &self.clock);
        self.go(Phase::Opening { compete, asks });
    }

    /// The wait after a failure is over.
    pub(super) fn try_again(&mut self) {
        let now = self.clock.now();
        let Phase::BackingOff(pause) = &mut self.phase else { return };
        let (opening, handshake) = (self.openings.next(now), self.handshakes.next(now));
        let next = match pause.retry {
            Retry::Negotiation { log_out: true } => opening.max(handshake),
            Retry::Negotiation { log_out: false } => handshake,
            Retry::Opening | Retry::Tickle => opening,
        };
        if next > now {
            pause.until = next;
            return;
        }
        match pause.retry {
            Retry::Negotiation { log_out } => {
                self.go(Phase::Negotiating { log_out });
            }
            Retry::Opening | Retry::Tickle => self.open(false),
        }
    }

    /// The time has come to ask whether the brokerage session is free, or to take it.
    pub(super) fn ask_again(&mut self) {
        let now = self.clock.now();
        let next = self.openings.next(now);
        match &mut self.phase {
            Phase::Displaced(rival) if next > now => rival.retry = next,
            _ => self.open(true),
        }
    }

    /// A person wants the next attempt now.
    pub(super) fn retry_now(&mut self) {
        let now = self.clock.now();
        let waits = match &self.phase {
            Phase::BackingOff(_) | Phase::Displaced(_) => true,
            Phase::Live(live) => live.reopen.is_some(),
            _ => false,
        };
        if !waits || self.present_penalty().is_some() || !self.wishes.draw(now) {
            return;
        }
        match &mut self.phase {
            Phase::BackingOff(Pause { retry: Retry::Tickle, .. }) => {
                self.tickles.schedule_early(now, now);
            }
            Phase::BackingOff(pause) => {
                pause.until = now;
                if let Retry::Negotiation { .. } = pause.retry {
                    self.handshakes.skip_wait();
                }
                if pause.retry != (Retry::Negotiation { log_out: false }) {
                    self.openings.skip_wait();
                }
            }
            Phase::Displaced(rival) => {
                rival.retry = now;
                self.openings.skip_wait();
                self.takeover.skip_wait(now);
            }
            Phase::Live(live) => {
                live.reopen = Some(now);
                self.openings.skip_wait();
            }
            _ => {}
        }
    }

    /// An opening, or a question for its status, was answered.
    pub(super) fn opening_answered(&mut self, cx: &mut Context<'_>, answer: Answer) {
        let (compete, asks) = match self.phase {
            Phase::Opening { compete, asks } => (compete, asks),
            Phase::Settling(Settling { asks, .. }) => (Compete::Yield, asks),
            _ => return,
        };
        let is_opening = answer.task == Task::Open;
        match answer.verdict {
            Verdict::TokenRefused(error) => self.token_refused(cx, answer.task, error),
            Verdict::Failed(error) if is_opening && compete == Compete::Take && is_about_take(&error) => {
                let in_known_words = error.cause() == Some(Cause::BrokerageNotEntitled);
                let falls_back = self.takeover.take_refused(in_known_words);
                let soon = falls_back.then(|| self.clock.after(FALL_BACK));
                self.opening_failed(cx, error, Trouble::Refused, answer.wait, soon);
            }
            Verdict::Failed(error) => {
                if is_opening && error.status().is_some_and(|status| status.is_success()) {
                    self.takeover.answered(compete);
                }
                let trouble = trouble(&error, answer.is_unsent);
                self.opening_failed(cx, error, trouble, answer.wait, None);
            }
            verdict => {
                if is_opening {
                    self.takeover.answered(compete);
                }
                self.opening_judged(cx, verdict, asks);
            }
        }
    }

    fn opening_judged(&mut self, cx: &mut Context<'_>, verdict: Verdict, asks: bool) {
        match verdict {
            Verdict::Ready => self.became_ready(Readiness::Opening),
            Verdict::Unsettled { error, is_authenticated } => {
                self.history.was_authenticated |= is_authenticated;
                self.settle(cx, error, asks);
            }
            Verdict::Rival { error, is_named } => {
                if !asks {
                    self.slow_openings(cx, Trouble::Refused, None);
                }
                self.displaced(error, is_named);
            }
            Verdict::Wait(error, wait) => {
                let wait = wait.min(PENALTY_BOX);
                self.opening_failed(cx, error, Trouble::Refused, Some(wait), None);
            }
            _ => {}
        }
    }

    /// Asks again soon whether the brokerage session is ready, until that has taken too long.
    fn settle(&mut self, cx: &mut Context<'_>, error: Error, asks: bool) {
        let now = self.clock.now();
        let (opened, polls) = match self.phase {
            Phase::Settling(settling) => (settling.opened, settling.polls + 1),
            _ if self.openings.is_troubled() => (now, HURRIED_POLLS),
            _ => (now, 0),
        };
        let end = opened.after(SETTLE_TIMEOUT);
        if end <= now {
            return self.opening_failed(cx, error, Trouble::Refused, None, None);
        }
        let wait = POLLS.get(polls).or(POLLS.last()).copied().unwrap_or_default();
        let next = now.after(Duration::from_secs(wait)).min(end);
        // With the hour's extra requests used up, it is asked once, at the end, when a tickle would be due anyway.
        let next = if next < end && !self.tickles.extras().draw(now) { end } else { next };
        let settling = Phase::Settling(Settling { opened, polls, next, asks });
        if matches!(self.phase, Phase::Settling(_)) {
            self.phase = settling;
        } else {
            self.go(settling);
        }
    }

    /// An opening came to nothing; `soon` is when the next may come, where that is not for the pace to say.
    fn opening_failed(
        &mut self,
        cx: &mut Context<'_>,
        error: Error,
        trouble: Trouble,
        wait: Option<Duration>,
        soon: Option<Moment>,
    ) {
        if self.is_hopeless(&error) {
            return self.give_up(error);
        }
        self.slow_openings(cx, trouble, wait);
        if let Some(soon) = soon {
            self.openings.wait_until(soon);
        }
        let error = self.suspect_no_entitlement(error, trouble);
        let now = self.clock.now();
        let next = self.openings.next(now);
        if trouble != Trouble::NotSent {
            // What was just sent has kept the token alive.
            self.tickles.schedule(now.after(self.config.tickle_interval));
        }
        self.emit_failed(error, next);
        self.go(Phase::BackingOff(Pause { until: next, retry: Retry::Opening }));
    }

    pub(super) fn slow_openings(&mut self, cx: &mut Context<'_>, trouble: Trouble, wait: Option<Duration>) {
        let (now, live) = (self.clock.now(), self.live_time);
        self.openings.fail(now, trouble, wait, live, cx.entropy());
    }

    /// A user who was never authenticated, without a word why, may be one who has no brokerage session.
    fn suspect_no_entitlement(&mut self, error: Error, trouble: Trouble) -> Error {
        let is_silent = error.detail().is_none_or(str::is_empty);
        if trouble != Trouble::Refused || self.history.was_authenticated || !is_silent {
            return error;
        }
        self.history.fruitless = self.history.fruitless.saturating_add(1);
        if self.history.fruitless < FRUITLESS {
            return error;
        }
        error.with_remedy(
            "check in the portal that this user may trade; where only portfolios are read, configure the session with \
             `brokerage = false`",
        )
    }

    /// The brokerage session takes requests.
    pub(super) fn became_ready(&mut self, cause: Readiness) {
        let now = self.clock.now();
        self.history.was_authenticated = true;
        self.takeover.ready(now);
        if cause == Readiness::Opening {
            self.history.opened = Some(now);
            self.view.progress.openings += 1;
        }
        let extras = self.tickles.extras();
        let may_prime = self.config.brokerage
            && match cause {
                Readiness::Opening => extras.draw_for_opening(now),
                // The accounts were queried before, most likely; if not, that can wait.
                Readiness::Tickle => extras.draw(now),
            };
        if may_prime {
            self.phase = Phase::Priming { shown: self.phase.state(), cause };
        } else {
            self.become_live(cause, self.config.brokerage);
        }
    }

    fn become_live(&mut self, cause: Readiness, is_unprimed: bool) {
        let is_new = cause == Readiness::Opening;
        if is_new {
            let now = self.clock.now();
            self.tickles.schedule_early(now.after(self.tickles.soon()), now);
        }
        let primes_after_tickle = is_unprimed || is_new;
        self.go(Phase::Live(Live { primes_after_tickle, ..Live::default() }));
    }

    /// The accounts were queried, or could not be.
    pub(super) fn primed(&mut self, verdict: Verdict) {
        self.view.progress.primes += 1;
        self.view.primed = Some(self.clock.wall_now());
        let now = self.clock.now();
        if let Verdict::Failed(error) | Verdict::TokenRefused(error) = verdict {
            let again = match self.phase {
                Phase::Priming { cause: Readiness::Opening, .. } => now.after(self.tickles.soon()),
                _ => self.tickles.next().unwrap_or(now),
            };
            self.emit_failed(error, again);
        }
        if let Phase::Priming { cause, .. } = self.phase {
            self.become_live(cause, false);
        }
    }

    /// Another session of the same user is in the way.
    pub(super) fn displaced(&mut self, error: Error, is_named: bool) {
        let now = self.clock.now();
        if is_named {
            self.takeover.name(now);
        }
        self.suspicion.forget_suspects();
        self.history.opened = None;
        let retry = self.takeover.displaced(&self.clock, &self.config).max(self.openings.next(now));
        // A displaced session is kept alive too: the live session token goes on reading.
        self.tickles.schedule(now.after(self.config.tickle_interval));
        let error = if error.cause() == Some(Cause::ForceCompeteRequired) {
            error.with_remedy(
                "decide whether other sessions of this user may be ended by this one: with `CompetePolicy::TakeAlways`, \
                 or with `TakeOnce` at the start, it can be opened; where only portfolios are read, configure the \
                 session with `brokerage = false`",
            )
        } else {
            error
        };
        let retry_at = self.clock.wall(self.outside_penalty(retry));
        self.emit(SessionEvent::Displaced { error, retry_at });
        self.go(Phase::Displaced(Rival { retry, is_named }));
    }

    /// The brokerage session is over, says a tickle before which nothing was sent for this long.
    pub(super) fn lost(&mut self, cx: &mut Context<'_>, error: Error, silence: Duration) {
        self.suspicion.forget_suspects();
        let now = self.clock.now();
        let is_soon = self.history.opened.take().is_some_and(|opened| now.since(opened) < UNBROKEN);
        if is_soon {
            self.slow_openings(cx, Trouble::Refused, None);
        }
        let mut starts_over = false;
        if silence < ASLEEP {
            self.history.losses = self.history.losses.saturating_add(1);
            starts_over = self.history.losses.is_multiple_of(START_OVER)
                && self.takeover.is_without_rival(&self.clock)
                && self.config.on_shutdown != OnShutdown::LeaveOpen;
        }
        let opening = self.openings.next(now);
        let next = if starts_over { opening.max(self.handshakes.next(now)) } else { opening };
        if is_soon {
            self.emit_failed(error, next);
        }
        if !starts_over {
            return self.open_or_wait();
        }
        if next <= now {
            self.go(Phase::Negotiating { log_out: true });
        } else {
            self.wait(Pause { until: next, retry: Retry::Negotiation { log_out: true } });
        }
    }

    /// Requests find no brokerage session although tickles agree: opens it again, as soon as the pace allows. Until
    /// then the session stays live.
    pub(super) fn doubt_brokerage(&mut self, cx: &mut Context<'_>) {
        let now = self.clock.now();
        let is_soon = self.history.opened.is_some_and(|opened| now.since(opened) < UNBROKEN);
        if is_soon {
            self.slow_openings(cx, Trouble::Refused, None);
        }
        let next = self.openings.next(now);
        if is_soon {
            let message = "requests find no brokerage session, although tickles say that it is ready";
            self.emit_failed(Error::new(ErrorKind::Unavailable, Stage::OpenBrokerage, message), next);
        }
        if let Phase::Live(live) = &mut self.phase {
            live.reopen = Some(next);
        }
    }

    /// The time has come to open the brokerage session again although it seems to be ready.
    pub(super) fn reopen(&mut self) {
        let now = self.clock.now();
        let next = self.openings.next(now);
        match &mut self.phase {
            Phase::Live(live) if next > now => live.reopen = Some(next),
            _ => {
                self.suspicion.forget_suspects();
                self.open(false);
            }
        }
    }
}
