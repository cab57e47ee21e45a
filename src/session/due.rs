//! What is due, and when the next will be.

use super::{
    Failure, FailureKind, LONGEST_LIVE_WAIT, OnShutdown, Session, TimeoutReason, Trigger,
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
            held.plan_renewal(self.clock.now(), &self.config, cx.entropy());
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
            self.go(Trigger::Shutdown, Phase::Closing);
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
                self.go(Trigger::Failed, Phase::BackingOff(Pause { until, retry: Retry::Tickle }));
            }
            _ => return false,
        }
        true
    }

    fn act_in_phase(&mut self, cx: &mut Context<'_>) -> bool {
        if self.tickle_wanted && matches!(self.phase, Phase::Live(_)) {
            self.tickle_wanted = false;
            self.tickles.hasten_for_stream(self.clock.now(), &self.config);
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
            Phase::Renewing { .. } => self.start(cx, Task::Negotiate),
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
                self.tickles.start(self.clock.now(), &self.config);
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
    pub(super) fn deadline(&self) -> Option<(Moment, TimeoutReason)> {
        if matches!(self.phase, Phase::Closed) {
            return None;
        }
        let expiry = (self.expiry(), TimeoutReason::Expiry);
        if let Some(outstanding) = &self.outstanding {
            return earliest([(Some(outstanding.give_up_at), TimeoutReason::Answer), expiry]);
        }
        if let Some(until) = self.present_penalty() {
            return earliest([(Some(until), TimeoutReason::PenaltyBox), expiry]);
        }
        let renewal = (self.renewal(), TimeoutReason::Renewal);
        let tickle = (self.tickle(), TimeoutReason::Tickle);
        match &self.phase {
            Phase::Live(live) => earliest([renewal, (live.reopen, TimeoutReason::BackOff), tickle, expiry]),
            Phase::Displaced(rival) => {
                earliest([(Some(rival.retry), TimeoutReason::Displaced), renewal, tickle, expiry])
            }
            Phase::Settling(settling) => earliest([(Some(settling.next), TimeoutReason::Settling), expiry]),
            Phase::BackingOff(Pause { retry: Retry::Tickle, .. }) => {
                earliest([renewal, (tickle.0, TimeoutReason::BackOff), expiry])
            }
            Phase::BackingOff(pause) => {
                earliest([(Some(pause.until), TimeoutReason::BackOff), renewal, tickle, expiry])
            }
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
fn earliest(candidates: impl IntoIterator<Item = (Option<Moment>, TimeoutReason)>) -> Option<(Moment, TimeoutReason)> {
    candidates.into_iter().filter_map(|(at, reason)| Some((at?, reason))).min_by_key(|(at, _)| *at)
}
