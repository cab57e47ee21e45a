//! Live session tokens: negotiated, renewed, refused, lost.

use std::time::Duration;

use super::{
    Session, SessionEvent, State,
    held::Held,
    moment::Moment,
    pace::{Trouble, UNBROKEN},
    phase::{Live, Pause, Phase, Retry},
    skew,
    task::Task,
    verdict::{needs_person, trouble},
};
use crate::{
    context::Context,
    error::{Error, ErrorKind, Scope},
    flow::LiveSessionToken,
    timestamp_floor::ClockBehind,
};

/// What the broker's documents promise of a live session token whose expiry it does not name.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);
/// From how many seconds on a difference of the clocks is suspected when the broker refuses something. It tolerates
/// about 300.
const SUSPICIOUS_SKEW: u64 = 120;
/// After how many refusals of its token (401, 410) a session gives up that was never live.
const MAX_REFUSALS: u32 = 8;
/// How long a session that was never live goes on at least: what only a person can answer may be a passing mistake.
const FIRST_TRIES: Duration = Duration::from_secs(30);

impl Session {
    /// When the live session token expires, where that still matters.
    pub(super) fn expiry(&self) -> Option<Moment> {
        let held = self.held.as_ref().filter(|held| !held.is_dead)?;
        held.expires.filter(|_| !matches!(self.phase, Phase::Closing))
    }

    /// When the live session token is to be renewed, where no handshake comes anyway.
    pub(super) fn renewal(&self) -> Option<Moment> {
        let held = self.held.as_ref().filter(|held| !held.is_dead)?;
        let comes_anyway = matches!(self.phase, Phase::BackingOff(Pause { retry: Retry::Negotiation { .. }, .. }));
        held.renewal.filter(|_| !comes_anyway)
    }

    /// Signs with a live session token from now on.
    pub(super) fn adopt(&mut self, cx: &mut Context<'_>, live: LiveSessionToken) {
        let (now, wall) = (self.clock.now(), self.clock.wall_now());
        let correction = self.token.floor().correction();
        let stated = live.expires_at().map(|theirs| skew::on_our_clock(theirs, correction));
        if let Some(stated) = stated.filter(|at| *at <= wall) {
            self.emit(SessionEvent::ExpiryIgnored { stated });
        }
        let expires_at = stated.filter(|at| *at > wall).unwrap_or_else(|| wall.saturating_add(TOKEN_LIFE));
        let signer = live.signer();
        let token_id = signer.token_id();
        self.view.signer = Some(signer);
        let mut held = Held { proved: Some(now), ..Held::resumed(live, self.clock.moment(expires_at)) };
        held.plan_renewal(now, self.config.renewal_margin, cx.entropy());
        self.held = Some(held);
        self.suspicion.forget_token();
        self.emit(SessionEvent::Negotiated { token_id, expires_at });
        if let Some(from) = self.renewing_from() {
            // Shows at once whether the brokerage session outlived its token.
            self.tickles.schedule_early(now, now);
            self.go(from);
            return;
        }
        self.tickles.schedule(now.after(self.config.tickle_interval));
        if self.config.brokerage {
            self.open_or_wait();
        } else {
            self.go(Phase::Live(Live::default()));
        }
    }

    /// A renewal is due: begins it, as soon as the pace allows.
    pub(super) fn renew(&mut self) {
        let now = self.clock.now();
        let next = self.handshakes.next(now);
        if next > now {
            if let Some(held) = &mut self.held {
                held.renewal = Some(next);
            }
            return;
        }
        if matches!(self.phase, Phase::Live(_) | Phase::Displaced(_) | Phase::BackingOff(_)) {
            self.go(Phase::Renewing(Box::new(self.phase.clone())));
        }
    }

    /// What a renewal returns to, if there is one under way.
    fn renewing_from(&self) -> Option<Phase> {
        if let Phase::Renewing(from) = &self.phase { Some(Phase::clone(from)) } else { None }
    }

    /// A handshake came to nothing.
    pub(super) fn handshake_failed(
        &mut self,
        cx: &mut Context<'_>,
        error: Error,
        wait: Option<Duration>,
        is_unsent: bool,
    ) {
        let error = self.look_at(error);
        let from = self.renewing_from();
        if from.is_none() && self.is_hopeless(&error) {
            return self.give_up(error);
        }
        self.slow_handshakes(cx, trouble(&error, is_unsent), wait);
        let next = self.handshakes.next(self.clock.now());
        self.emit_failed(error, next);
        if let Some(from) = from {
            if let Some(held) = &mut self.held {
                held.renewal = Some(next);
            }
            return self.go(from);
        }
        let retry = Retry::Negotiation { log_out: false };
        self.go(Phase::BackingOff(Pause { until: next, retry }));
    }

    fn slow_handshakes(&mut self, cx: &mut Context<'_>, trouble: Trouble, wait: Option<Duration>) {
        let (now, live) = (self.clock.now(), self.live_time);
        self.handshakes.fail(now, trouble, wait, live, cx.entropy());
    }

    /// The broker refuses the token.
    pub(super) fn token_refused(&mut self, cx: &mut Context<'_>, task: Task, error: Error) {
        let error = self.look_at(error);
        if self.is_hopeless(&error) {
            return self.give_up(error);
        }
        if let Phase::BackingOff(Pause { retry: Retry::Negotiation { .. }, .. }) = self.phase {
            // That is known, and what follows is, too.
            return;
        }
        // A handshake whose token is soon refused was in vain.
        if self.held.as_ref().is_some_and(|held| self.clock.since(held.proved) < UNBROKEN) {
            self.slow_handshakes(cx, Trouble::Refused, None);
        }
        if matches!(task, Task::Open | Task::Status) {
            self.slow_openings(cx, Trouble::Refused, None);
        }
        self.lose_token(Some(error));
    }

    /// The token is of no use any more: a handshake follows as soon as the pace allows. The token is kept until then.
    pub(super) fn lose_token(&mut self, error: Option<Error>) {
        if let Some(held) = &mut self.held {
            held.is_dead = true;
        }
        let now = self.clock.now();
        let next = self.handshakes.next(now);
        let negotiating = Phase::Negotiating { log_out: false };
        let pause = Pause { until: next, retry: Retry::Negotiation { log_out: false } };
        let comes_anyway = match self.phase {
            Phase::Negotiating { .. } | Phase::Closing | Phase::Closed => true,
            Phase::BackingOff(pause) => matches!(pause.retry, Retry::Negotiation { .. }),
            _ => false,
        };
        if comes_anyway {
            return;
        }
        if let Some(error) = error {
            self.emit_failed(error, next);
        }
        match self.phase {
            // Its handshake goes on.
            Phase::Renewing(_) => self.go(negotiating),
            _ if next <= now => self.go(negotiating),
            Phase::BackingOff(_) | Phase::Priming { shown: State::BackingOff, .. } => {
                self.phase = Phase::BackingOff(pause);
            }
            _ => self.go(Phase::BackingOff(pause)),
        }
    }

    /// A tickle was accepted: whatever was thought of the token, it is good.
    pub(super) fn token_accepted(&mut self) {
        self.history.gone = 0;
        let now = self.clock.now();
        let next = self.handshakes.next(now);
        if let Some(held) = self.held.as_mut().filter(|held| held.is_dead) {
            held.is_dead = false;
            // One that has outlived its time is renewed soon.
            if held.expires.is_some_and(|expires| expires <= now) {
                (held.expires, held.renewal) = (None, Some(next));
            }
        }
    }

    /// Takes note of what a failure shows beside the point.
    fn look_at(&mut self, error: Error) -> Error {
        if error.status() == Some(http::StatusCode::GONE) {
            self.history.gone = self.history.gone.saturating_add(1);
            if self.history.gone == 2 {
                self.emit(SessionEvent::HostGone);
            }
        }
        // A clock that is minutes off is the likeliest cause of a refusal, whatever else could be.
        let off = self.skew.seconds().unsigned_abs();
        let is_suspect = error.kind() == ErrorKind::Rejected && off >= SUSPICIOUS_SKEW;
        if is_suspect && self.token.floor().correction() == 0 { error.with_clock_skew(off) } else { error }
    }

    /// Whether a session that was never live ends by this failure.
    pub(super) fn is_hopeless(&mut self, error: &Error) -> bool {
        if self.history.was_live {
            return false;
        }
        if error.scope() == Scope::Token {
            self.history.refusals = self.history.refusals.saturating_add(1);
        }
        let is_late = self.clock.since(self.history.started) >= FIRST_TRIES;
        error.kind() == ErrorKind::Config || is_late && needs_person(error) || self.history.refusals > MAX_REFUSALS
    }

    /// The clock was set back too far for timestamps to go on rising from where they are.
    pub(super) fn start_timestamps_afresh(&mut self, behind: ClockBehind) {
        self.token.floor().reset();
        // What the key store was to sign has a timestamp of before.
        drop(self.outstanding.take_if(|outstanding| outstanding.awaits_signature()));
        self.emit(SessionEvent::ClockStepped { by: Duration::from_secs(behind.0) });
        self.lose_token(None);
    }

    /// Takes note of how far the broker's clock is from ours.
    pub(super) fn judge_skew(&mut self, seconds: i64) {
        let Some(seconds) = self.skew.note(seconds) else { return };
        let correction = if self.config.correct_clock { skew::correction(seconds) } else { 0 };
        self.token.floor().correct(correction);
        self.emit(SessionEvent::ClockSkew { seconds, corrected: correction != 0 });
    }
}
