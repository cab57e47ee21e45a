//! What is due, and when the next will be.

use super::{
    Failure, FailureKind, LONGEST_LIVE_WAIT, OnShutdown, Session,
    moment::Moment,
    outstanding::Outstanding,
    phase::{Pause, Phase, Retry},
    task::Task,
};
use crate::context::Context;

impl Session {
    /// Does one thing that is due; whether there was one.
    pub(super) fn act(&mut self, cx: &mut Context<'_>) -> bool {
        if matches!(self.phase, Phase::Closed) {
            return false;
        }
        self.age();
        if let Err(behind) = self.token.floor().check(cx.now()) {
            self.start_timestamps_afresh(behind);
            return true;
        }
        if self.clock.is_due(self.expiry()) {
            self.lose_token(None);
            return true;
        }
        if let Some(held) = self.held.as_mut().filter(|held| held.wants_plan()) {
            held.plan_renewal(self.clock.now(), self.config.renewal_margin, cx.entropy());
        }
        let is_overdue = |outstanding: &mut Outstanding| outstanding.give_up_at <= self.clock.now();
        if let Some(outstanding) = self.outstanding.take_if(is_overdue) {
            let failure = Failure::new(FailureKind::TimedOut, "");
            self.fail_outstanding(cx, &outstanding, failure);
            return true;
        }
        if self.outstanding.is_some() {
            return false;
        }
        if self.shutting_down && !matches!(self.phase, Phase::Closing) {
            self.go(Phase::Closing);
            return true;
        }
        match self.present_penalty() {
            Some(until) => self.wait_out(until),
            None => self.act_in_phase(cx),
        }
    }

    /// Does what is to be done at the beginning of a penalty box.
    fn wait_out(&mut self, until: Moment) -> bool {
        match self.phase {
            Phase::Closing => self.end(false),
            Phase::Live(_) if until.since(self.clock.now()) > LONGEST_LIVE_WAIT => {
                self.go(Phase::BackingOff(Pause { until, retry: Retry::Tickle }));
            }
            _ => return false,
        }
        true
    }

    fn act_in_phase(&mut self, cx: &mut Context<'_>) -> bool {
        if self.tickle_wanted && matches!(self.phase, Phase::Live(_)) {
            self.tickle_wanted = false;
            self.tickles.hasten_for_stream(self.clock.now());
        }
        let is_tickle_due = self.clock.is_due(self.tickle());
        let is_renewal_due = self.clock.is_due(self.renewal());
        match &mut self.phase {
            Phase::Negotiating { log_out } => {
                if std::mem::take(log_out) && self.held.is_some() {
                    self.start(cx, Task::StartOver);
                } else {
                    self.start(cx, Task::Negotiate);
                }
            }
            Phase::Opening { .. } => self.start(cx, Task::Open),
            Phase::Settling(settling) if self.clock.is_due(Some(settling.next)) => self.start(cx, Task::Status),
            Phase::Priming { .. } => self.start(cx, Task::Prime),
            Phase::Renewing(_) => self.start(cx, Task::Negotiate),
            Phase::Live(live) if live.primes_now => {
                live.primes_now = false;
                self.start(cx, Task::Prime);
            }
            Phase::Live(live) if self.clock.is_due(live.reopen) => self.reopen(),
            Phase::Live(_) | Phase::Displaced(_) | Phase::BackingOff(_) if is_renewal_due => {
                self.renew();
            }
            Phase::Displaced(rival) if self.clock.is_due(Some(rival.retry)) => self.ask_again(),
            Phase::BackingOff(pause) if pause.retry != Retry::Tickle && self.clock.is_due(Some(pause.until)) => {
                self.try_again();
            }
            Phase::Live(_) | Phase::Displaced(_) | Phase::BackingOff(_) if is_tickle_due => {
                self.tickle_wanted = false;
                self.tickles.start(self.clock.now());
                self.start(cx, Task::Tickle);
            }
            Phase::Closing => match self.config.on_shutdown {
                OnShutdown::LogOut if self.held.is_some() => self.start(cx, Task::LogOut),
                OnShutdown::LogOut | OnShutdown::LeaveOpen => self.end(false),
            },
            _ => return false,
        }
        true
    }

    /// The next moment at which something will be due; `None` at the end.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let expiry = self.expiry();
        let awaited = self.outstanding.as_ref().map(|outstanding| outstanding.give_up_at);
        if let Some(until) = awaited.or(self.present_penalty()).filter(|_| !matches!(self.phase, Phase::Closed)) {
            return earliest([Some(until), expiry]);
        }
        let (renewal, tickle) = (self.renewal(), self.tickle());
        match &self.phase {
            Phase::Live(live) => earliest([live.reopen, renewal, tickle, expiry]),
            Phase::Displaced(rival) => earliest([Some(rival.retry), renewal, tickle, expiry]),
            Phase::Settling(settling) => earliest([Some(settling.next), expiry]),
            Phase::BackingOff(Pause { retry: Retry::Tickle, .. }) => earliest([renewal, tickle, expiry]),
            Phase::BackingOff(pause) => earliest([Some(pause.until), renewal, tickle, expiry]),
            _ => None,
        }
    }

    /// When the next tickle is due, where there is a token.
    fn tickle(&self) -> Option<Moment> {
        self.tickles.next().filter(|_| self.held.is_some())
    }

    /// Until when a penalty box lasts, if there is one now.
    pub(super) fn present_penalty(&self) -> Option<Moment> {
        self.penalty.map(|penalty| penalty.until).filter(|until| *until > self.clock.now())
    }
}

/// The earliest of some deadlines.
fn earliest(candidates: impl IntoIterator<Item = Option<Moment>>) -> Option<Moment> {
    candidates.into_iter().flatten().min()
}
