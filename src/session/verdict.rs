//! What replies, failures and observations mean for a session: each ends in deadlines set and in a transition.

use std::time::Duration;

use http::StatusCode;

use super::{
    CompetePolicy, Session, SessionEvent, State, Trigger, clock_skew,
    exchange::{Reply, Task},
    schedule::{back_off_limit, jitter},
};
use crate::{
    brokerage::{BrokerageStatus, Compete, Tickle},
    context::{Context, Timestamp},
    error::{Error, ErrorKind, Scope, Stage},
    flow::LiveSessionToken,
    signer::TokenId,
    timestamp_floor::ClockBehind,
};

/// What the broker's documents promise of a live session token whose expiry it does not tell.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);
/// From how many seconds on a difference of the clocks is suspected when the broker refuses something. It tolerates
/// about 300.
const SUSPICIOUS_SKEW: u64 = 120;
/// How often the brokerage session is asked whether it is ready.
const SETTLE_INTERVAL: Duration = Duration::from_secs(2);
/// How young a live session token must be for a 401 of the application's to be doubted: the token is then tried with a
/// tickle first, so that one request that is always refused cannot cause a handshake each time.
const TOKEN_ABOVE_DOUBT: Duration = Duration::from_secs(60);
/// How long a session must have held before another displacement is not taken for the same quarrel.
const QUARREL: Duration = Duration::from_secs(1800);
/// The wait before the first taking back under [`CompetePolicy::TakeAlways`], and the longest.
const RETAKE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(600));

impl Session {
    pub(super) fn succeed(&mut self, cx: &mut Context<'_>, reply: Reply) {
        match reply {
            Reply::Negotiated(live) => self.adopt(cx, live),
            Reply::Brokerage(status) => self.judge_brokerage(cx, &status),
            Reply::Tickled(tickle) => self.judge_tickle(&tickle),
            Reply::LoggedOut(confirmed) => self.end(confirmed),
        }
    }

    /// Signs with a live session token from now on.
    pub(super) fn adopt(&mut self, cx: &mut Context<'_>, live: LiveSessionToken) {
        let now = self.schedule.now();
        let correction = self.token.floor().correction();
        let expires_at = live.expires_at().map(|theirs| clock_skew::on_our_clock(theirs, correction));
        let expires_at = expires_at.unwrap_or_else(|| self.schedule.after(TOKEN_LIFE));
        self.schedule.expiry = Some(expires_at);
        self.plan_renewal(cx);
        self.schedule.proved = Some(now);
        (self.failures, self.renewals_failed) = (0, 0);
        let signer = live.signer();
        let token_id = signer.token_id();
        self.view.signer = Some(signer);
        self.live = Some(live);
        self.tell(SessionEvent::Negotiated { token_id, expires_at });
        if self.view.state == State::Renewing {
            // Tells at once whether the brokerage session outlived its token.
            self.schedule.tickle = Some(now);
            self.go(Trigger::Renewed);
        } else if self.config.brokerage {
            self.go(Trigger::Proved);
        } else {
            self.schedule.tickle = Some(self.schedule.after(self.config.tickle_interval));
            self.go(Trigger::ProvedReadOnly);
        }
    }

    /// Sets when to renew, from when the live session token expires.
    pub(super) fn plan_renewal(&mut self, cx: &mut Context<'_>) {
        let early = self.config.renewal_margin.saturating_add(jitter(cx.entropy(), self.config.renewal_jitter));
        let now = self.schedule.now();
        self.schedule.renewal = self.schedule.expiry.map(|expires_at| {
            // A margin longer than the token's life must not renew without end.
            let life = expires_at.saturating_duration_since(now);
            expires_at.saturating_sub(early.min(life / 2))
        });
    }

    fn judge_brokerage(&mut self, cx: &mut Context<'_>, status: &BrokerageStatus) {
        if let Some(wait) = status.wait() {
            let wait = wait.min(self.config.penalty_box);
            let error = Error::new(ErrorKind::Unavailable, Stage::OpenBrokerage, "the broker asks to wait");
            self.failures = self.failures.saturating_add(1);
            let retry_at = self.retry_at(cx, self.failures, Some(wait));
            return self.back_off(error, retry_at, Trigger::RetryOpening);
        }
        self.opened = true;
        // What was due then is done; what is not yet due stays.
        self.schedule.displaced = self.schedule.displaced.filter(|at| *at > self.schedule.now());
        if is_displaced(status) {
            self.displace();
        } else if is_ready(status) {
            self.schedule.tickle = Some(self.schedule.after(self.config.tickle_interval));
            self.be_ready();
        } else if self.view.state == State::Opening {
            self.schedule.settled_by = Some(self.schedule.after(self.config.settle_timeout));
            self.schedule.settle = Some(self.schedule.after(SETTLE_INTERVAL));
            self.go(Trigger::Unsettled);
        } else {
            self.await_settling(cx);
        }
    }

    /// Asks again later whether the brokerage session is ready, or opens it anew when that has taken too long.
    fn await_settling(&mut self, cx: &mut Context<'_>) {
        if self.schedule.is_due(self.schedule.settled_by) {
            let error = Error::new(ErrorKind::Unavailable, Stage::OpenBrokerage, "it did not become ready in time");
            self.failures = self.failures.saturating_add(1);
            let retry_at = self.retry_at(cx, self.failures, None);
            self.back_off(error, retry_at, Trigger::RetryOpening);
        } else {
            self.schedule.settle = Some(self.schedule.after(SETTLE_INTERVAL));
        }
    }

    fn be_ready(&mut self) {
        self.failures = 0;
        self.schedule.ready = Some(self.schedule.now());
        self.schedule.displaced = None;
        self.go(Trigger::Ready);
    }

    fn judge_tickle(&mut self, tickle: &Tickle) {
        (self.failures, self.refusals, self.gone) = (0, 0, 0);
        self.schedule.tickled = Some(self.schedule.now());
        self.view.confirmations += 1;
        // A refusal that was reported meanwhile may be younger than this answer.
        let doubted = std::mem::take(&mut self.doubted);
        let wait = if doubted { self.config.tickle_retry } else { self.config.tickle_interval };
        self.schedule.tickle = Some(self.schedule.after(wait));
        let Some(status) = tickle.brokerage().filter(|_| self.config.brokerage) else { return };
        match (self.view.state, is_displaced(status), is_ready(status)) {
            (State::Displaced, false, true) => self.be_ready(),
            (State::Live, true, _) => {
                if self.schedule.since(self.schedule.ready) >= QUARREL {
                    self.takes = 0;
                }
                self.displace();
            }
            (State::Live, false, false) if status.authenticated.is_some() => self.go(Trigger::BrokerageLost),
            _ => {}
        }
    }

    fn displace(&mut self) {
        self.failures = 0;
        let retry_at = self.schedule.displaced.unwrap_or_else(|| {
            let wait = match self.config.compete {
                CompetePolicy::Yield | CompetePolicy::TakeOnce => self.config.displaced_retry,
                CompetePolicy::TakeAlways => {
                    self.takes = self.takes.saturating_add(1);
                    back_off_limit(RETAKE.0, RETAKE.1, self.takes)
                }
            };
            self.schedule.after(wait)
        });
        self.schedule.displaced = Some(retry_at);
        // A displaced session is kept alive too: the live session token goes on reading.
        self.schedule.tickle = Some(self.schedule.after(self.config.tickle_interval));
        self.tell(SessionEvent::Displaced { retry_at });
        self.go(Trigger::Displaced);
    }

    /// Whoever takes always, still asks first when the session is lost, and takes only when that wait is over: else two
    /// of a kind would fight without a pause.
    pub(super) fn compete(&self) -> Compete {
        match self.config.compete {
            CompetePolicy::TakeOnce | CompetePolicy::TakeAlways if !self.opened => Compete::Take,
            CompetePolicy::TakeAlways if self.schedule.is_due(self.schedule.displaced) => Compete::Take,
            CompetePolicy::TakeAlways | CompetePolicy::TakeOnce | CompetePolicy::Yield => Compete::Yield,
        }
    }

    /// Decides what a failure means for the session. `wait` is what the broker asked for, if it did.
    pub(super) fn fail(&mut self, cx: &mut Context<'_>, task: Task, error: Error, wait: Option<Duration>) {
        let state = self.view.state;
        if state == State::Closing {
            return self.end(false);
        }
        // Another signer of this token has seen a later clock since the floor was looked at.
        let source = std::error::Error::source(&error);
        if let Some(behind) = source.and_then(<dyn std::error::Error>::downcast_ref::<ClockBehind>) {
            return self.start_timestamps_afresh(*behind);
        }
        if error.status() == Some(StatusCode::TOO_MANY_REQUESTS) {
            self.enter_penalty_box(wait.unwrap_or(self.config.penalty_box));
        }
        // The answer to a question that an event has overtaken, such as a tickle signed with a token lost since.
        if !task.belongs_to(state) {
            return;
        }
        if error.status() == Some(StatusCode::GONE) {
            self.gone = self.gone.saturating_add(1);
            if self.gone == 2 {
                self.tell(SessionEvent::HostGone);
            }
        }
        let error = self.suspect_clock(error);
        if error.kind() == ErrorKind::Config {
            return self.give_up(error);
        }
        if state == State::Renewing {
            return self.postpone_renewal(cx, error, wait);
        }
        if task == Task::Status && error.status() == Some(StatusCode::BAD_REQUEST) {
            return self.await_settling(cx);
        }
        self.failures = self.failures.saturating_add(1);
        let refused = !matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Malformed);
        let token_refused = error.scope() == Scope::Token;
        // A tickle that is refused for other reasons than its token says nothing about the session.
        if refused && (task != Task::Tickle || token_refused) {
            self.refusals = self.refusals.saturating_add(1);
            if self.refusals > self.config.max_refusals {
                return self.give_up(error);
            }
        }
        let retry_at = self.retry_at(cx, self.failures.max(self.refusals), wait);
        match task {
            Task::Negotiate => self.back_off(error, retry_at, Trigger::RetryNegotiation),
            _ if token_refused && self.refusals > 1 => {
                self.forget_token();
                self.back_off(error, retry_at, Trigger::RetryNegotiation);
            }
            _ if token_refused => {
                self.tell(SessionEvent::Failed { error, retry_at: self.schedule.now() });
                self.lose_token();
            }
            Task::Tickle if self.failures < 2 => {
                let retry_at = self.allowed_after(self.config.tickle_retry.max(wait.unwrap_or_default()));
                self.schedule.tickle = Some(retry_at);
                self.tell(SessionEvent::Failed { error, retry_at });
            }
            Task::Tickle => {
                self.schedule.tickle = Some(self.schedule.now());
                self.back_off(error, retry_at, Trigger::RetryTickle);
            }
            Task::Open | Task::Status | Task::LogOut => self.back_off(error, retry_at, Trigger::RetryOpening),
        }
    }

    /// The old live session token still signs, so that no failure to get the next one ends the session.
    fn postpone_renewal(&mut self, cx: &mut Context<'_>, error: Error, wait: Option<Duration>) {
        self.renewals_failed = self.renewals_failed.saturating_add(1);
        let retry_at = self.retry_at(cx, self.renewals_failed, wait);
        self.schedule.renewal = Some(retry_at);
        if self.schedule.displaced.is_some() {
            // `Live` says too much: the next tickle puts that right.
            self.schedule.tickle = Some(self.schedule.now());
        }
        self.tell(SessionEvent::Failed { error, retry_at });
        self.go(Trigger::RenewalFailed);
    }

    /// The clock was set back too far for timestamps to go on rising from where they are.
    pub(super) fn start_timestamps_afresh(&mut self, behind: ClockBehind) {
        self.token.floor().reset();
        // What the key store was to sign has a timestamp of before.
        self.take_outstanding(|outstanding| outstanding.awaits_signature());
        self.tell(SessionEvent::ClockStepped { by: Duration::from_secs(behind.0) });
        self.lose_token();
    }

    /// Takes note of how far the broker's clock is from ours.
    pub(super) fn judge_skew(&mut self, seconds: i64) {
        if !clock_skew::is_news(seconds, self.told_skew) {
            return;
        }
        self.told_skew = seconds;
        let correction = if self.config.correct_clock { clock_skew::correction(seconds) } else { 0 };
        self.token.floor().correct(correction);
        self.tell(SessionEvent::ClockSkew { seconds, corrected: correction != 0 });
    }

    /// A clock that is minutes off is the likeliest cause of a refusal, whatever else could be.
    fn suspect_clock(&self, error: Error) -> Error {
        let off = self.told_skew.unsigned_abs();
        if error.kind() != ErrorKind::Rejected || off < SUSPICIOUS_SKEW || self.token.floor().correction() != 0 {
            return error;
        }
        error.with_clock_skew(off)
    }

    pub(super) fn back_off(&mut self, error: Error, retry_at: Timestamp, retry: Trigger) {
        self.retry = retry;
        self.schedule.back_off = Some(retry_at);
        self.tell(SessionEvent::Failed { error, retry_at });
        self.go(Trigger::Failed);
    }

    /// When to try again after so many failures in a row, and not before `wait` is over.
    fn retry_at(&self, cx: &mut Context<'_>, failures: u32, wait: Option<Duration>) -> Timestamp {
        let limit = back_off_limit(self.config.initial_backoff, self.config.max_backoff, failures);
        self.allowed_after(jitter(cx.entropy(), limit).max(wait.unwrap_or_default()))
    }

    /// When `wait` is over, and the penalty box.
    fn allowed_after(&self, wait: Duration) -> Timestamp {
        let at = self.schedule.after(wait);
        self.schedule.penalty.map_or(at, |penalty| penalty.max(at))
    }

    fn enter_penalty_box(&mut self, wait: Duration) {
        let until = self.schedule.after(wait);
        let until = self.schedule.penalty.map_or(until, |earlier| earlier.max(until));
        self.schedule.penalty = Some(until);
        self.view.wait_until = Some(until);
        self.withdraw();
        self.tell(SessionEvent::PenaltyBox { until });
    }

    /// The fate of a request of the application's own.
    pub(super) fn report(&mut self, token_id: TokenId, status: StatusCode) {
        if status == StatusCode::TOO_MANY_REQUESTS {
            return self.enter_penalty_box(self.config.penalty_box);
        }
        let of_this_token = self.view.token_id() == Some(token_id);
        if !of_this_token || !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::GONE) {
            return;
        }
        if self.schedule.since(self.schedule.proved) < TOKEN_ABOVE_DOUBT {
            // Not more often than a failed tickle is repeated, however many requests are refused.
            let tickled =
                self.schedule.tickled.map_or(self.schedule.now(), |at| at.saturating_add(self.config.tickle_retry));
            let soon = tickled.max(self.schedule.now());
            self.schedule.tickle = self.schedule.tickle.map(|at| at.min(soon));
            self.doubted = self.outstanding.as_ref().is_some_and(|outstanding| outstanding.task() == Task::Tickle);
        } else if self.view.state != State::Closing {
            // That was the first refusal; if the next token fares no better, it is the second.
            self.refusals = self.refusals.max(1);
            if status == StatusCode::GONE {
                self.gone = self.gone.max(1);
            }
            self.lose_token();
        }
    }

    fn forget_token(&mut self) {
        self.live = None;
        self.view.signer = None;
        (self.schedule.expiry, self.schedule.renewal) = (None, None);
    }

    /// Negotiates anew, unless that is under way already.
    pub(super) fn lose_token(&mut self) {
        self.forget_token();
        if self.view.state != State::Negotiating && self.view.state != State::Closing {
            self.go(Trigger::TokenLost);
        }
    }

    fn give_up(&mut self, error: Error) {
        self.forget_token();
        self.tell(SessionEvent::GaveUp { error });
        self.go(Trigger::GaveUp);
    }

    pub(super) fn end(&mut self, logged_out: bool) {
        if logged_out {
            self.forget_token();
        }
        self.view.signer = None;
        self.tell(SessionEvent::Closed { logged_out });
        self.go(Trigger::Ended);
    }
}

/// Whether another session of the same user stands in the way of this one.
fn is_displaced(status: &BrokerageStatus) -> bool {
    status.competing == Some(true)
}

fn is_ready(status: &BrokerageStatus) -> bool {
    status.is_ready() && status.fail.as_deref().is_none_or(str::is_empty)
}
