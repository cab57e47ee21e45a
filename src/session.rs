//! A session that keeps itself alive: live session token, brokerage session, tickles, renewal.
//!
//! Everything here that has timers is one machine, and the machine has no clock, no socket and no thread. It says what
//! it wants, and is given what happened.
//!
//! # Contract
//!
//! **After each input, drain [`poll_output`](Session::poll_output) until it returns [`Output::Timeout`] or
//! [`Output::Finished`].**
//!
//! 1. Make a [`Session`] and drain it.
//! 2. On [`Output::Transmit`], send the request; on [`Output::Sign`], have it signed. There is at most one of both under
//!    way. Where another comes, or `give_up_at` passes, the earlier one is of no interest any more.
//! 3. On [`Output::Event`], log it (it has a sentence), or drop it.
//! 4. On [`Output::Timeout`], wait until `at` or until something happens, whichever is first.
//! 5. Call [`handle_input`](Session::handle_input) with what happened; with [`Input::Timeout`] if it was nothing.
//! 6. Drain again, until [`Output::Finished`].
//!
//! An application reports what became of its own requests with [`Input::Reported`], and asks
//! [`SessionView::advise`] what to do about those that failed.
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
//!     session::{Input, Output, Session, SessionConfig},
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
//!         Output::Event(event) => println!("{now}  {event}"),
//!         Output::Timeout { at } => {
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
//! # Pace
//!
//! Handshakes and openings of the brokerage session have a pace each. Without trouble there is no wait. In trouble the
//! wait doubles from 2 s to ten minutes while the broker cannot answer, and to half an hour while it answers and refuses;
//! in the first hour after a good half hour, to ten minutes in both cases. Half an hour of being live ends the trouble.
//! In any hour there are at most 20 of each, whatever the broker and the application do.
//!
//! A session that was live keeps its token until the next is proved, goes on to tickle each minute whatever else it waits
//! for, and does not end by itself. One that was never live ends where only a person can help.
//!
//! # States
//!
//! What may follow each state, as [`State::successors`] has it; a session makes no other transition.
//!
#![doc = include_str!("session/states.md")]

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crate::{
    brokerage::Compete,
    consumer::Consumer,
    context::{Context, Timestamp},
    error::Error,
    flow::UnlockedToken,
};

mod advice;
mod config;
mod contract;
mod due;
mod event;
mod exchange;
mod exchange_id;
mod extras;
mod failure;
mod handshakes;
mod held;
mod keeping;
mod moment;
mod openings;
mod outstanding;
mod pace;
mod phase;
mod repeatable;
mod report;
mod reported;
mod showing;
mod skew;
mod snapshot;
mod state;
mod suspicion;
mod takeover;
mod task;
mod tickles;
mod trace;
mod verdict;
mod view;

pub use self::{
    advice::{Advice, Ticket},
    config::{CompetePolicy, OnShutdown, SessionConfig},
    contract::{Input, Output},
    event::SessionEvent,
    exchange_id::ExchangeId,
    failure::{Failure, FailureKind},
    report::Report,
    snapshot::Snapshot,
    state::State,
    view::SessionView,
};
use self::{
    held::Held,
    outstanding::Outstanding,
    pace::{LiveTime, Pace},
    phase::{Pause, Phase, Retry},
    skew::Skew,
    suspicion::Suspicion,
    takeover::Takeover,
    tickles::{Bucket, Tickles},
    view::Progress,
};
pub(crate) use self::{
    moment::{Clock, Moment},
    pace::{from_upper_half, from_zero, limit},
    repeatable::is_repeatable,
    report::is_iserver,
    skew::estimate as clock_skew,
};

/// How long a brokerage session may take from its opening until it is ready.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(60);
/// For how long nothing is sent after a 429 that names no time itself.
const PENALTY_BOX: Duration = Duration::from_secs(900);
/// The longest time that a 429 may name.
const LONGEST_PENALTY: Duration = Duration::from_secs(3600);
/// How long an answer may still take once the application wants the end.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);
/// The longest wait during which a session may still be called live.
const LONGEST_LIVE_WAIT: Duration = Duration::from_secs(300);
/// How often a person's wish for the next attempt is granted, beyond the first few.
const WISHES: Duration = Duration::from_secs(900);

/// The machine. See the [module](self) for its contract.
pub struct Session {
    consumer: Consumer,
    token: UnlockedToken,
    config: SessionConfig,
    view: SessionView,
    clock: Clock,
    phase: Phase,
    held: Option<Held>,
    handshakes: Pace,
    openings: Pace,
    tickles: Tickles,
    /// The application wants a tickle before the next is due.
    tickle_wanted: bool,
    suspicion: Suspicion,
    takeover: Takeover,
    live_time: LiveTime,
    history: History,
    penalty: Option<Penalty>,
    wishes: Bucket,
    skew: Skew,
    /// How far ahead the next handshake is dated: for as long as the key store took when it was overtaken.
    dated_ahead: Duration,
    last_sent: Option<Moment>,
    outstanding: Option<Outstanding>,
    outputs: VecDeque<Output>,
    next_id: u64,
    shutting_down: bool,
}

debug_fields!(Session { consumer, view });

/// What a session remembers of its past.
#[derive(Clone, Copy, Debug, Default)]
struct History {
    started: Option<Moment>,
    was_live: bool,
    /// When the brokerage session became ready by an opening that is not lost since.
    opened: Option<Moment>,
    /// Losses of the brokerage session without a rival, in the present trouble.
    losses: u32,
    was_authenticated: bool,
    /// Openings since the start by which the user was not authenticated, without a word why.
    fruitless: u32,
    /// Refusals of the token, as long as the session was never live.
    refusals: u32,
    /// Responses of status 410 since the token was last accepted by a tickle.
    gone: u32,
}

/// A penalty box, present or past: nothing was sent in it.
#[derive(Clone, Copy, Debug)]
struct Penalty {
    since: Moment,
    until: Moment,
}

impl Session {
    /// A session that starts with a handshake.
    #[must_use]
    pub fn new(consumer: Consumer, token: UnlockedToken, config: SessionConfig) -> Self {
        let config = config.clamped();
        let view = SessionView {
            now: Timestamp::from_millis(0),
            state: State::Negotiating,
            is_live: false,
            signer: None,
            wait_until: None,
            next_attempt: None,
            last_error: None,
            progress: Progress::default(),
            rejected: Arc::default(),
            suspects: Arc::default(),
            primed: None,
            tickled: None,
            next_tickle: None,
            reopening: None,
            settled_at: None,
            brokerage: config.brokerage,
        };
        Self {
            skew: Skew::new(token.floor().correction()),
            consumer,
            token,
            view,
            clock: Clock::default(),
            phase: Phase::Negotiating { log_out: false },
            held: None,
            handshakes: Pace::default(),
            openings: Pace::default(),
            tickles: Tickles::new(config.tickle_interval),
            config,
            tickle_wanted: false,
            suspicion: Suspicion::default(),
            takeover: Takeover::default(),
            live_time: LiveTime::default(),
            history: History::default(),
            penalty: None,
            wishes: Bucket::new(WISHES),
            dated_ahead: Duration::ZERO,
            last_sent: None,
            outstanding: None,
            outputs: VecDeque::new(),
            next_id: 0,
            shutting_down: false,
        }
    }

    /// A session that goes on where another process stopped, without its own handshake: timestamps go on rising, and
    /// the first tickle shows how the brokerage session is. Where that is lost, [`CompetePolicy::TakeOnce`] does not throw
    /// another session out: the first opening was the other process's.
    ///
    /// It has a signer at once, and is live when that tickle says so. As one that was live it does not end by itself.
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
        let penalty = snapshot.penalty_until();
        let (live, expires_at) = snapshot.restore(&consumer, &token, config.correct_clock, now)?;
        let mut session = Self { takeover: Takeover::resumed(), ..Self::new(consumer, token, config) };
        session.clock.advance(now);
        let since = session.clock.now();
        // One that lasts longer than any that is granted is a mistake.
        let longest = session.clock.after(LONGEST_PENALTY);
        session.penalty = penalty.map(|until| Penalty { since, until: session.clock.moment(until).min(longest) });
        session.penalty = session.penalty.filter(|penalty| penalty.until > since);
        // Keys and token were good: what refuses now is not for a person to mend.
        session.history.was_live = true;
        session.view.signer = Some(live.signer());
        session.held = Some(Held::resumed(live, session.clock.moment(expires_at)));
        session.tickles.schedule(since);
        session.phase = Phase::BackingOff(Pause { until: since, retry: Retry::Tickle });
        session.refresh_view();
        Ok(session)
    }

    /// What another process needs to go on, or to sign beside this one; `None` while there is no live session token that is
    /// known to be good.
    #[must_use]
    pub fn snapshot(&self) -> Option<Snapshot> {
        let (live, expires) = self.held.as_ref()?.good()?;
        let expires_at = self.clock.wall(expires);
        let penalty_until = self.present_penalty().map(|until| self.clock.wall(until));
        Some(Snapshot::take(&self.consumer, &self.token, live, expires_at, penalty_until))
    }

    /// The consumer whose session it is.
    #[must_use]
    pub fn consumer(&self) -> &Consumer {
        &self.consumer
    }

    /// How the session is: its state, and what signs requests now.
    #[must_use]
    pub fn view(&self) -> &SessionView {
        &self.view
    }

    /// What the session wants next. Call it until it returns [`Output::Timeout`] or [`Output::Finished`].
    pub fn poll_output(&mut self, cx: &mut Context<'_>) -> Output {
        self.clock.advance(cx.now());
        let now = self.clock.wall_now();
        while self.outputs.is_empty() && self.act(&mut Context::new(now, cx.entropy())) {}
        self.refresh_view();
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        match self.deadline() {
            Some(at) => Output::Timeout { at: self.clock.wall(at) },
            None => Output::Finished,
        }
    }

    /// Tells the session what happened. Drain [`poll_output`](Self::poll_output) afterwards.
    pub fn handle_input(&mut self, cx: &mut Context<'_>, input: Input) {
        self.clock.advance(cx.now());
        let cx = &mut Context::new(self.clock.wall_now(), cx.entropy());
        if matches!(self.phase, Phase::Closed) {
            if !matches!(input, Input::Timeout) {
                self.emit(SessionEvent::InputAfterEnd);
            }
            return;
        }
        self.age();
        match input {
            // What is due is found when the session is polled.
            Input::Timeout => {}
            Input::Shutdown => {
                self.shutting_down = true;
                let patience = self.clock.after(SHUTDOWN_PATIENCE);
                if let Some(outstanding) = &mut self.outstanding {
                    outstanding.give_up_at = outstanding.give_up_at.min(patience);
                }
            }
            Input::Tickle => self.tickle_wanted = true,
            Input::RetryNow => self.retry_now(),
            Input::Reported(report) => self.report(&report),
            Input::Signed { id, signature } => self.attach(cx, id, &signature),
            Input::Failed { id, failure } => match self.outstanding.take_if(|outstanding| outstanding.is(id)) {
                Some(outstanding) => self.fail_outstanding(cx, &outstanding, failure),
                None => self.emit(SessionEvent::UnexpectedAnswer { id }),
            },
            Input::Response { id, response } => self.receive(cx, id, response),
        }
        self.refresh_view();
    }

    /// Forgets what is over.
    fn age(&mut self) {
        let now = self.clock.now();
        self.history.started.get_or_insert(now);
        self.suspicion.age(now);
        self.live_time.look(now);
        self.handshakes.refresh(now, self.live_time);
        if self.openings.refresh(now, self.live_time) {
            self.history.losses = 0;
            self.takeover.forget_trouble();
        }
    }

    /// Makes a transition of the table.
    fn go(&mut self, phase: Phase) {
        let (from, to) = (self.phase.state(), phase.state());
        debug_assert!(from.successors().contains(&to), "no transition from {from} to {to}");
        self.phase = phase;
        self.live_time.set(self.clock.now(), self.phase.is_live());
        if to == State::Live && from != State::Renewing {
            self.view.progress.lives += 1;
            self.view.last_error = None;
            self.history.was_live = true;
        }
        self.emit(SessionEvent::StateChanged { from, to });
    }

    fn emit(&mut self, event: SessionEvent) {
        trace::event(&event);
        if let SessionEvent::Failed { error, .. }
        | SessionEvent::Displaced { error, .. }
        | SessionEvent::GaveUp { error } = &event
        {
            self.view.last_error = Some(Arc::new(error.clone()));
        }
        self.outputs.push_back(Output::Event(event));
    }

    /// Emits that something failed, and when the next attempt is made.
    fn emit_failed(&mut self, error: Error, retry: Moment) {
        let retry_at = self.clock.wall(self.outside_penalty(retry.max(self.clock.now())));
        self.emit(SessionEvent::Failed { error, retry_at });
    }

    /// This moment, or the end of the penalty box where that is later.
    fn outside_penalty(&self, moment: Moment) -> Moment {
        self.present_penalty().map_or(moment, |until| until.max(moment))
    }

    fn give_up(&mut self, error: Error) {
        self.held = None;
        self.view.signer = None;
        self.emit(SessionEvent::GaveUp { error });
        self.go(Phase::Closed);
    }

    fn end(&mut self, logged_out: bool) {
        if logged_out {
            self.held = None;
        }
        self.view.signer = None;
        self.emit(SessionEvent::Closed { logged_out });
        self.go(Phase::Closed);
    }

    /// What the brokerage session is asked with, in the present opening.
    fn compete(&self) -> Compete {
        match self.phase {
            Phase::Opening { compete, .. } => compete,
            _ => Compete::Yield,
        }
    }
}
