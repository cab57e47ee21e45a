//! What replies, failures and observations mean for a session: each ends in deadlines set and in a transition.

use std::time::Duration;

use http::StatusCode;

use super::{
    CompetePolicy, Session, SessionEvent, State, Trigger,
    exchange::{Reply, Task},
    schedule::{back_off_limit, jitter},
};
use crate::{
    brokerage::{BrokerageStatus, Compete, Tickle},
    context::{Context, Timestamp},
    error::{Error, ErrorKind, Stage},
    flow::LiveSessionToken,
    signer::Epoch,
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
        self.failures = 0;
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
        let expires_at = live.expires_at().unwrap_or_else(|| self.schedule.after(TOKEN_LIFE));
        let early = self.config.renewal_margin.saturating_add(jitter(cx.entropy(), self.config.renewal_jitter));
        let life = expires_at.saturating_duration_since(now);
        // A margin longer than the token's life must not renew without end.
        self.schedule.renewal = Some(expires_at.saturating_sub(early.min(life / 2)));
        self.schedule.expiry = Some(expires_at);
        self.proved_at = now;
        let signer = live.signer();
        let epoch = signer.epoch();
        self.view.signer = Some(signer);
        self.live = Some(live);
        self.tell(SessionEvent::Negotiated { epoch, expires_at });
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

    fn judge_brokerage(&mut self, cx: &mut Context<'_>, status: &BrokerageStatus) {
        let (now, state) = (self.schedule.now(), self.view.state);
        if status.is_ready() {
            self.refusals = 0;
            self.taken = true;
            self.ready_at = now;
            self.schedule.tickle = Some(self.schedule.after(self.config.tickle_interval));
            self.go(Trigger::Ready);
        } else if is_displaced(status) {
            self.displace();
        } else if let Some(wait) = status.wait() {
            let wait = wait.clamp(Duration::from_secs(1), self.config.penalty_box);
            let error = Error::new(ErrorKind::Unavailable, Stage::OpenBrokerage, "the broker asks to wait");
            self.back_off(error, self.schedule.after(wait), Trigger::RetryOpening);
        } else if state == State::Opening {
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
            self.failures += 1;
            let retry_at = self.retry_at(cx);
            self.back_off(error, retry_at, Trigger::RetryOpening);
        } else {
            self.schedule.settle = Some(self.schedule.after(SETTLE_INTERVAL));
        }
    }

    fn judge_tickle(&mut self, tickle: &Tickle) {
        self.refusals = 0;
        self.view.confirmations += 1;
        self.schedule.tickle = Some(self.schedule.after(self.config.tickle_interval));
        let Some(status) = tickle.brokerage().filter(|_| self.config.brokerage) else { return };
        let displaced = self.view.state == State::Displaced;
        if status.is_ready() && displaced {
            self.ready_at = self.schedule.now();
            self.go(Trigger::Ready);
        } else if is_displaced(status) && !displaced {
            self.displace();
        } else if status.authenticated.is_some() && !status.is_ready() && !displaced {
            self.go(Trigger::BrokerageLost);
        }
    }

    fn displace(&mut self) {
        let held = self.schedule.now().saturating_duration_since(self.ready_at);
        if held >= QUARREL {
            self.takes = 0;
        }
        let wait = match self.config.compete {
            CompetePolicy::Yield | CompetePolicy::TakeOnce => self.config.displaced_retry,
            CompetePolicy::TakeAlways => {
                self.takes = self.takes.saturating_add(1);
                back_off_limit(RETAKE.0, RETAKE.1, self.takes)
            }
        };
        let retry_at = self.schedule.after(wait);
        self.schedule.displaced = Some(retry_at);
        // A displaced session is kept alive too: the live session token goes on reading.
        self.schedule.tickle = Some(self.schedule.after(self.config.tickle_interval));
        self.tell(SessionEvent::Displaced { retry_at });
        self.go(Trigger::Displaced);
    }

    pub(super) fn compete(&self) -> Compete {
        match self.config.compete {
            CompetePolicy::TakeAlways => Compete::Take,
            CompetePolicy::TakeOnce if !self.taken => Compete::Take,
            CompetePolicy::TakeOnce | CompetePolicy::Yield => Compete::Yield,
        }
    }

    /// Decides what a failure means for the session. `wait` is what the broker asked for, if it did.
    pub(super) fn fail(&mut self, cx: &mut Context<'_>, task: Task, error: Error, wait: Option<Duration>) {
        let state = self.view.state;
        if state == State::Closing {
            return self.end(false);
        }
        // Another signer of this token saw a later clock; the next look at the floor finds that too.
        if std::error::Error::source(&error).is_some_and(<dyn std::error::Error>::is::<ClockBehind>) {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        if error.status() == Some(StatusCode::TOO_MANY_REQUESTS) {
            self.enter_penalty_box(wait.unwrap_or(self.config.penalty_box));
        }
        // The answer to a question that an event has overtaken, such as a tickle signed with a token lost since.
        if !task.belongs_to(state) {
            return;
        }
        let error = self.suspect_clock(error);
        let refused = matches!(
            error.kind(),
            ErrorKind::Rejected | ErrorKind::Unverified | ErrorKind::Key | ErrorKind::Entropy | ErrorKind::Config
        );
        let token_refused = matches!(error.status(), Some(StatusCode::UNAUTHORIZED | StatusCode::GONE));
        let unsettled = task == Task::Status && error.status() == Some(StatusCode::BAD_REQUEST);
        if unsettled {
            return self.await_settling(cx);
        }
        // A tickle that is refused for other reasons than its token says nothing about the session.
        if refused && (task != Task::Tickle || token_refused) {
            self.refusals = self.refusals.saturating_add(1);
        }
        if error.status() == Some(StatusCode::GONE) && self.refusals == 2 {
            self.tell(SessionEvent::HostGone);
        }
        if error.kind() == ErrorKind::Config || self.refusals > self.config.refusals_most {
            return self.give_up(error);
        }
        let retry_at = self.retry_at(cx);
        match task {
            Task::Negotiate if state == State::Renewing => {
                self.schedule.renewal = Some(retry_at);
                self.tell(SessionEvent::Failed { error, retry_at });
                self.go(Trigger::RenewalFailed);
            }
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
                let retry_at = self.schedule.after(self.config.tickle_retry);
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

    /// A clock that is minutes off is the likeliest cause of a refusal, whatever else could be.
    fn suspect_clock(&self, error: Error) -> Error {
        let off = self.told_skew.unsigned_abs();
        if error.kind() != ErrorKind::Rejected || off < SUSPICIOUS_SKEW || self.token.floor().correction() != 0 {
            return error;
        }
        error.with_remedy(format!("the clock is {off} s off by the broker's `Date`: set it, or allow `correct_clock`"))
    }

    pub(super) fn back_off(&mut self, error: Error, retry_at: Timestamp, retry: Trigger) {
        self.retry = retry;
        self.schedule.back_off = Some(retry_at);
        self.tell(SessionEvent::Failed { error, retry_at });
        self.go(Trigger::Failed);
    }

    fn retry_at(&self, cx: &mut Context<'_>) -> Timestamp {
        let failures = self.failures.max(self.refusals);
        let limit = back_off_limit(self.config.back_off_first, self.config.back_off_most, failures);
        let retry_at = self.schedule.after(jitter(cx.entropy(), limit));
        self.schedule.penalty.map_or(retry_at, |penalty| penalty.max(retry_at))
    }

    fn enter_penalty_box(&mut self, wait: Duration) {
        let until = self.schedule.after(wait);
        let until = self.schedule.penalty.map_or(until, |earlier| earlier.max(until));
        self.schedule.penalty = Some(until);
        self.view.wait_until = Some(until);
        self.tell(SessionEvent::PenaltyBox { until });
    }

    /// The fate of a request of the application's own.
    pub(super) fn observe(&mut self, epoch: Epoch, status: StatusCode) {
        if status == StatusCode::TOO_MANY_REQUESTS {
            return self.enter_penalty_box(self.config.penalty_box);
        }
        let of_this_token = self.view.epoch() == Some(epoch);
        if !of_this_token || !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::GONE) {
            return;
        }
        let age = self.schedule.now().saturating_duration_since(self.proved_at);
        if age < TOKEN_ABOVE_DOUBT {
            self.schedule.tickle = self.schedule.tickle.map(|_| self.schedule.now());
        } else if self.view.state != State::Closing {
            self.lose_token();
        }
    }

    fn forget_token(&mut self) {
        self.live = None;
        self.view.signer = None;
        self.schedule.expiry = None;
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
    status.competing == Some(true) && status.authenticated != Some(true)
}
