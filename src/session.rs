//! A session that keeps itself alive: live session token, brokerage session, tickles, renewal.
//!
//! Everything here that has timers is one machine, and the machine has no clock, no socket and no thread. It says what
//! it wants, and is told what happened.
//!
//! # Contract
//!
//! **After each input, drain [`poll_output`](Session::poll_output) until it returns [`Output::Timeout`] or
//! [`Output::Finished`].**
//!
//! 1. Make a [`Session`] and drain it.
//! 2. On [`Output::Transmit`], send the request; on [`Output::Sign`], have it signed. There is at most one of both under
//!    way. Where another comes, or `give_up_at` passes, the earlier one is of no interest any more.
//! 3. On [`Output::Event`], tell whoever wants to know, or nobody.
//! 4. On [`Output::Timeout`], wait until `at` or until something happens, whichever is first.
//! 5. Call [`handle_input`](Session::handle_input) with what happened; with [`Input::Timeout`] if it was nothing.
//! 6. Drain again, until [`Output::Finished`].
//!
//! Each call has its own [`Context`], whose time is the time of that call. Clocks that step back or leap ahead, and
//! machines that sleep for hours, are no trouble. Nothing here fails: trouble is an event. An answer to an exchange
//! that waits for none, and an input after the end, do no harm and are events too.
//!
//! The same inputs at the same times with the same random bytes give the same outputs, to the byte.
//!
//! ```
//! # #[cfg(all(feature = "simulator", feature = "getrandom"))] {
//! use ibkr_oauth::{
//!     Context, OsEntropy, Timestamp,
//!     session::{Input, Output, Session, SessionConfig, SessionEvent},
//!     simulator::{Broker, test_keys},
//! };
//!
//! let mut broker = Broker::default(); // in production: the network
//! let mut now = Timestamp::from_secs(1_700_000_000); // in production: the clock
//! let mut entropy = OsEntropy;
//!
//! # let token = test_keys::unlocked_token(&mut broker, &mut Context::new(now, &mut entropy))?;
//! let mut session = Session::new(test_keys::consumer()?, token, SessionConfig::default());
//! let end = Timestamp::from_secs(1_700_000_000 + 3600);
//! loop {
//!     match session.poll_output(&mut Context::new(now, &mut entropy)) {
//!         Output::Transmit { id, request, .. } => {
//!             let response = broker.handle(&mut Context::new(now, &mut entropy), &request);
//!             session.handle_input(&mut Context::new(now, &mut entropy), Input::Response { id, response });
//!         }
//!         Output::Event(SessionEvent::StateChanged { from, to, .. }) => println!("{now}  {from} -> {to}"),
//!         Output::Event(event) => println!("{now}  {event:?}"),
//!         Output::Timeout { at, .. } => {
//!             now = at; // in production: sleep until then
//!             let input = if now < end { Input::Timeout } else { Input::Shutdown };
//!             session.handle_input(&mut Context::new(now, &mut entropy), input);
//!         }
//!         Output::Finished => break,
//!         _ => {}
//!     }
//! }
//! # }
//! # Ok::<(), ibkr_oauth::Error>(())
//! ```
//!
//! # States
//!
//! Each line of the table is in [`TRANSITIONS`], and the machine makes no other. `GaveUp` comes with
//! [`SessionEvent::GaveUp`], which says who must act.
//!
#![doc = include_str!("session/states.md")]

use std::{collections::VecDeque, fmt, time::Duration};

use crate::{
    consumer::Consumer,
    context::{Context, Timestamp},
    error::Error,
    flow::{LiveSessionToken, UnlockedToken},
};

mod clock_skew;
mod config;
mod contract;
mod exchange;
mod schedule;
mod snapshot;
mod state;
mod verdict;
mod view;

pub(crate) use self::clock_skew::estimate as clock_skew;
pub use self::{
    config::{CompetePolicy, OnShutdown, SessionConfig},
    contract::{ExchangeId, Failure, FailureKind, Input, Output, SessionEvent, TimeoutReason},
    snapshot::Snapshot,
    state::{State, TRANSITIONS, Trigger},
    view::{Advice, SessionView},
};
use self::{
    exchange::{Outstanding, Task},
    schedule::Schedule,
};

/// How long an answer may still take once the application wants the end.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);

/// The machine. See the [module](self) for its contract.
pub struct Session {
    consumer: Consumer,
    token: UnlockedToken,
    config: SessionConfig,
    view: SessionView,
    live: Option<LiveSessionToken>,
    /// A live session token from before, to begin with.
    given: Option<LiveSessionToken>,
    schedule: Schedule,
    outstanding: Option<Outstanding>,
    outputs: VecDeque<Output>,
    next_id: u64,
    /// Exchanges that failed since one brought the session on.
    failures: u32,
    /// Refusals since a tickle came back well: a token that merely opens may still be refused a minute later, for ever.
    refusals: u32,
    /// Replies of status 410 since then.
    gone: u32,
    /// The application reported a refusal while a tickle was under way.
    doubted: bool,
    /// Renewals that failed since a live session token was proved.
    renewals_failed: u32,
    /// How far ahead the next handshake is dated: for as long as the key store took when it was overtaken.
    signing_takes: Duration,
    /// What comes after backing off.
    retry: Trigger,
    /// How often the brokerage session was taken back in the present quarrel.
    takes: u32,
    /// The broker has answered to an opening, so that the next is not the first.
    opened: bool,
    shutting_down: bool,
    told_skew: i64,
}

impl Session {
    /// A session that starts with a handshake.
    #[must_use]
    pub fn new(consumer: Consumer, token: UnlockedToken, config: SessionConfig) -> Self {
        let told_skew = token.floor().correction();
        Self {
            consumer,
            token,
            config: config.sane(),
            view: SessionView { state: State::Negotiating, signer: None, wait_until: None, confirmations: 0 },
            live: None,
            given: None,
            schedule: Schedule::default(),
            outstanding: None,
            outputs: VecDeque::new(),
            next_id: 0,
            failures: 0,
            refusals: 0,
            gone: 0,
            doubted: false,
            renewals_failed: 0,
            signing_takes: Duration::ZERO,
            retry: Trigger::RetryNegotiation,
            takes: 0,
            opened: false,
            shutting_down: false,
            told_skew,
        }
    }

    /// A session that starts with a live session token which was negotiated already.
    #[must_use]
    pub fn with_live_session_token(
        consumer: Consumer,
        token: UnlockedToken,
        live: LiveSessionToken,
        config: SessionConfig,
    ) -> Self {
        Self { given: Some(live), ..Self::new(consumer, token, config) }
    }

    /// A session that goes on where another process stopped, with no handshake of its own: timestamps go on rising, and
    /// the first tickle tells how the brokerage session is. Where that is lost, [`CompetePolicy::TakeOnce`] does not throw
    /// another session out: the first opening was the other process's.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the snapshot is of another consumer or access token, or has expired at `now`.
    pub fn resume(
        consumer: Consumer,
        token: UnlockedToken,
        config: SessionConfig,
        snapshot: Snapshot,
        now: Timestamp,
    ) -> Result<Self, Error> {
        // One that is told for longer than any token lives is a mistake.
        let longest_penalty = now.saturating_add(crate::response::LONGEST_RETRY_AFTER);
        let penalty = snapshot.penalty_until().map(|until| until.min(longest_penalty));
        let (live, expires_at) = snapshot.restore(&consumer, &token, config.correct_clock, now)?;
        let mut session = Self { opened: true, ..Self::new(consumer, token, config) };
        session.schedule.advance(now);
        session.schedule.expiry = Some(expires_at);
        session.schedule.tickle = Some(now);
        session.schedule.penalty = penalty;
        session.schedule.in_penalty_box();
        let (signer, wait_until) = (Some(live.signer()), session.schedule.penalty);
        session.view = SessionView { state: State::Live, signer, wait_until, ..session.view };
        session.live = Some(live);
        Ok(session)
    }

    /// What another process needs to go on; `None` while there is no live session token.
    #[must_use]
    pub fn snapshot(&self) -> Option<Snapshot> {
        let (live, expires_at) = (self.live.as_ref()?, self.schedule.expiry?);
        Some(Snapshot::take(&self.consumer, &self.token, live, expires_at, self.schedule.penalty))
    }

    /// How the session is: its state, and what signs requests now.
    #[must_use]
    pub fn view(&self) -> &SessionView {
        &self.view
    }

    /// What the session wants next. Call it until it returns [`Output::Timeout`] or [`Output::Finished`].
    pub fn poll_output(&mut self, cx: &mut Context<'_>) -> Output {
        self.schedule.advance(cx.now());
        if self.outputs.is_empty() {
            self.act(&mut Context::new(self.schedule.now(), cx.entropy()));
        }
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        match self.deadline() {
            Some((at, reason)) => Output::Timeout { at, reason },
            None => Output::Finished,
        }
    }

    /// Tells the session what happened. Drain [`poll_output`](Self::poll_output) afterwards.
    pub fn handle_input(&mut self, cx: &mut Context<'_>, input: Input) {
        self.schedule.advance(cx.now());
        let cx = &mut Context::new(self.schedule.now(), cx.entropy());
        if self.view.state == State::Closed {
            if !matches!(input, Input::Timeout) {
                self.tell(SessionEvent::InputAfterEnd);
            }
            return;
        }
        match input {
            // What is due is found when the session is polled.
            Input::Timeout => {}
            Input::Shutdown => {
                self.shutting_down = true;
                let patience = self.schedule.after(SHUTDOWN_PATIENCE);
                self.schedule.answer = self.schedule.answer.map(|at| at.min(patience));
            }
            Input::Reported { token_id, status } => self.report(token_id, status),
            Input::Signed { id, signature } => self.attach(cx, id, &signature),
            Input::Failed { id, failure } => match self.take_outstanding(|outstanding| outstanding.is(id)) {
                Some(outstanding) => self.fail(cx, outstanding.task(), outstanding.failure(failure), None),
                None => self.tell(SessionEvent::UnexpectedAnswer { id }),
            },
            Input::Response { id, response } => self.receive(cx, id, response),
        }
    }

    /// Does the one thing that is due, if one is.
    fn act(&mut self, cx: &mut Context<'_>) {
        let state = self.view.state;
        if matches!(state, State::Closed) {
            return;
        }
        let in_penalty_box = self.schedule.in_penalty_box();
        self.view.wait_until = self.schedule.penalty;
        if let Err(behind) = self.token.floor().check(cx.now()) {
            return self.start_timestamps_afresh(behind);
        }
        if self.schedule.is_due(self.expiry()) {
            return self.lose_token();
        }
        if self.live.is_some() && self.schedule.renewal.is_none() {
            self.plan_renewal(cx);
        }
        if let Some(outstanding) = self.outstanding.take_if(|_| self.schedule.is_due(self.schedule.answer)) {
            self.schedule.answer = None;
            let failure = Failure { kind: FailureKind::TimedOut, detail: String::new() };
            self.fail(cx, outstanding.task(), outstanding.failure(failure), None);
        }
        // A time-out that an event has overtaken changes nothing, and something else may be due.
        if self.outstanding.is_some() || !self.outputs.is_empty() {
            return;
        }
        if self.shutting_down && state != State::Closing {
            return self.go(Trigger::Shutdown);
        }
        if in_penalty_box {
            if state == State::Closing {
                self.end(false);
            }
            return;
        }
        match state {
            State::Negotiating => match self.given.take() {
                Some(live) => self.adopt(cx, live),
                None => self.start(cx, Task::Negotiate),
            },
            State::Opening => self.start(cx, Task::Open),
            State::Settling if self.schedule.is_due(self.schedule.settle) => self.start(cx, Task::Status),
            State::Renewing => self.start(cx, Task::Negotiate),
            State::Live | State::Displaced if self.schedule.is_due(self.schedule.renewal) => {
                self.go(Trigger::RenewalDue);
            }
            State::Displaced if self.schedule.is_due(self.schedule.displaced) => self.go(Trigger::RetakeDue),
            State::Live | State::Displaced if self.schedule.is_due(self.schedule.tickle) => {
                self.start(cx, Task::Tickle);
            }
            State::BackingOff if self.schedule.is_due(self.schedule.back_off) => self.go(self.retry),
            State::Closing => match self.config.on_shutdown {
                OnShutdown::LogOut if self.live.is_some() => self.start(cx, Task::LogOut),
                OnShutdown::LogOut | OnShutdown::LeaveOpen => self.end(false),
            },
            _ => {}
        }
    }

    /// The next moment at which something will be due; `None` at the end.
    fn deadline(&self) -> Option<(Timestamp, TimeoutReason)> {
        if self.view.state == State::Closed {
            return None;
        }
        let schedule = &self.schedule;
        let expiry = (self.expiry(), TimeoutReason::Expiry);
        if self.outstanding.is_some() {
            return Schedule::earliest([(schedule.answer, TimeoutReason::Answer), expiry]);
        }
        if schedule.penalty.is_some() {
            return Schedule::earliest([(schedule.penalty, TimeoutReason::PenaltyBox), expiry]);
        }
        let renewal = (schedule.renewal, TimeoutReason::Renewal);
        let tickle = (schedule.tickle, TimeoutReason::Tickle);
        match self.view.state {
            State::Live => Schedule::earliest([renewal, tickle, expiry]),
            State::Displaced => {
                Schedule::earliest([(schedule.displaced, TimeoutReason::Displaced), renewal, tickle, expiry])
            }
            State::Settling => Schedule::earliest([(schedule.settle, TimeoutReason::Settling), expiry]),
            State::BackingOff => Schedule::earliest([(schedule.back_off, TimeoutReason::BackOff), expiry]),
            _ => None,
        }
    }

    /// When the live session token expires, where that still matters.
    fn expiry(&self) -> Option<Timestamp> {
        self.schedule.expiry.filter(|_| self.live.is_some() && self.view.state != State::Closing)
    }

    /// Makes the transition that the table has for `trigger`.
    fn go(&mut self, trigger: Trigger) {
        let from = self.view.state;
        let Some(to) = from.on(trigger) else {
            debug_assert!(false, "no transition from {from} on {trigger}");
            return;
        };
        self.view.state = to;
        self.tell(SessionEvent::StateChanged { from, trigger, to });
    }

    fn tell(&mut self, event: SessionEvent) {
        crate::trace::session(&event);
        self.outputs.push_back(Output::Event(event));
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("consumer", &self.consumer).field("view", &self.view).finish_non_exhaustive()
    }
}
