//! Tickles, and where each answer to an exchange goes.

use std::time::Duration;

use http::StatusCode;

use super::{
    LONGEST_PENALTY, PENALTY_BOX, Penalty, Session, SessionEvent,
    outstanding::Answer,
    phase::{Pause, Phase, Readiness, Retry},
    suspicion::Opinion,
    task::Task,
    verdict::Verdict,
};
use crate::{context::Context, error::Error, timestamp_floor::ClockBehind};

/// How many failed tickles in a row leave open whether the session is live.
const DOUBTFUL: u32 = 2;

impl Session {
    /// Acts on an answer, if it still means something.
    pub(super) fn take(&mut self, cx: &mut Context<'_>, answer: Answer) {
        if matches!(self.phase, Phase::Closing) {
            return self.end(matches!(answer.verdict, Verdict::LoggedOut(true)));
        }
        self.age();
        if let Verdict::Failed(error) | Verdict::TokenRefused(error) = &answer.verdict {
            // Another signer of this token has seen a later clock since the floor was looked at.
            let source = std::error::Error::source(error);
            if let Some(behind) = source.and_then(<dyn std::error::Error>::downcast_ref::<ClockBehind>) {
                let behind = *behind;
                return self.start_timestamps_afresh(behind);
            }
            if error.status() == Some(StatusCode::TOO_MANY_REQUESTS) {
                self.enter_penalty_box(answer.wait.unwrap_or(PENALTY_BOX));
            }
        }
        // The answer to a question that an event has overtaken.
        if !answer.task.belongs_to(&self.phase) {
            return;
        }
        self.count(&answer);
        match answer.task {
            Task::Negotiate => match answer.verdict {
                Verdict::Negotiated(live) => self.adopt(cx, live),
                Verdict::Failed(error) => self.handshake_failed(cx, error, answer.wait, answer.is_unsent),
                _ => {}
            },
            Task::Open | Task::Status => self.opening_answered(cx, answer),
            Task::Prime => self.primed(answer.verdict),
            Task::Tickle => self.tickled(cx, answer),
            // Whatever came of it, the handshake follows.
            Task::StartOver | Task::LogOut => {}
        }
        self.hasten_for_suspects();
    }

    /// Counts what an answer says about the token.
    fn count(&mut self, answer: &Answer) {
        if answer.verdict.accepts_token() {
            self.view.progress.accepted = answer.round;
            if !matches!(self.phase, Phase::Live(_)) {
                self.suspicion.token_accepted(answer.round, self.clock.now());
            }
        } else if matches!(answer.verdict, Verdict::Failed(_)) && answer.task.is_signed_by_token() {
            self.view.progress.undecided = answer.round;
        }
    }

    fn tickled(&mut self, cx: &mut Context<'_>, answer: Answer) {
        let Answer { round, verdict, silence, .. } = answer;
        let now = self.clock.now();
        if verdict.accepts_token() {
            self.tickles.succeed(now);
            self.token_accepted();
        }
        // Who wants no brokerage session does not care how one is.
        let verdict = match verdict {
            Verdict::Ready | Verdict::Lost(_) | Verdict::Rival { .. } | Verdict::Wait(..) if !self.config.brokerage => {
                Verdict::Accepted
            }
            verdict => verdict,
        };
        match verdict {
            Verdict::TokenRefused(error) => {
                self.tickles.schedule(now.after(self.config.tickle_interval));
                self.token_refused(cx, Task::Tickle, error);
            }
            Verdict::Failed(error) => self.tickle_failed(error),
            Verdict::Ready => self.tickle_agrees(cx, round),
            Verdict::Accepted => {
                let agrees = match self.phase {
                    Phase::Live(_) => true,
                    Phase::BackingOff(pause) => !self.config.brokerage || pause.retry == Retry::Tickle,
                    _ => false,
                };
                if agrees { self.tickle_agrees(cx, round) } else { self.rival_is_gone() }
            }
            Verdict::Rival { error, is_named } => match &mut self.phase {
                Phase::Displaced(rival) => {
                    rival.is_named |= is_named;
                    if is_named {
                        self.takeover.name(now);
                    }
                }
                _ => self.displaced(error, is_named),
            },
            Verdict::Lost(error) | Verdict::Wait(error, _) => match self.phase {
                Phase::Live(_) | Phase::BackingOff(Pause { retry: Retry::Tickle, .. }) => {
                    self.lost(cx, error, silence);
                }
                // The token turned out to be good.
                Phase::BackingOff(Pause { retry: Retry::Negotiation { log_out: false }, .. }) => {
                    self.open_or_wait();
                }
                _ => self.rival_is_gone(),
            },
            _ => {}
        }
    }

    /// All is well.
    fn tickle_agrees(&mut self, cx: &mut Context<'_>, round: u64) {
        let Phase::Live(live) = &mut self.phase else { return self.became_ready(Readiness::Tickle) };
        let now = self.clock.now();
        if live.primes_after_tickle && self.tickles.extras().draw(now) {
            (live.primes_now, live.primes_after_tickle) = (true, false);
        }
        if self.suspicion.all_well(round, self.clock.now()) {
            return self.doubt_brokerage(cx);
        }
        match self.suspicion.second_opinion(self.clock.now()) {
            Some(Opinion::Renew) => self.renew(),
            Some(Opinion::Reopen) => self.doubt_brokerage(cx),
            None => {}
        }
    }

    /// The broker does not say any more that another session is in the way.
    fn rival_is_gone(&mut self) {
        let now = self.clock.now();
        if let Phase::Displaced(rival) = &mut self.phase {
            if std::mem::take(&mut rival.is_named) && self.takeover.asks_early(&self.clock) {
                rival.retry = now;
            }
        }
    }

    fn tickle_failed(&mut self, error: Error) {
        let now = self.clock.now();
        self.tickles.fail(now);
        let next = self.tickles.next().unwrap_or(now);
        self.emit_failed(error, next);
        if matches!(self.phase, Phase::Live(_)) && self.tickles.failures() >= DOUBTFUL {
            self.go(Phase::BackingOff(Pause { until: next, retry: Retry::Tickle }));
        }
    }

    /// If something is suspected that a tickle answers, it is sent soon; after what is under way, which is older.
    pub(super) fn hasten_for_suspects(&mut self) {
        if self.suspicion.is_open()
            && self.outstanding.is_none()
            && matches!(self.phase, Phase::Live(_) | Phase::Displaced(_))
        {
            self.tickles.hasten(self.clock.now());
        }
    }

    /// The broker counted too many requests: nothing is sent for a while.
    pub(super) fn enter_penalty_box(&mut self, wait: Duration) {
        let now = self.clock.now();
        let end = now.after(wait.min(LONGEST_PENALTY));
        let present = self.present_penalty();
        if present.is_some_and(|until| until >= end) {
            return;
        }
        let since = self.penalty.filter(|_| present.is_some()).map_or(now, |penalty| penalty.since);
        self.penalty = Some(Penalty { since, until: end });
        self.withdraw();
        self.emit(SessionEvent::PenaltyBox { until: self.clock.wall(end) });
    }
}
