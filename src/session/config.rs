//! The settings of a session.

use std::time::Duration;

/// How a [`Session`](super::Session) behaves. Start from [`SessionConfig::default`] and change what must differ.
///
/// An interval under one second is taken as one second.
///
/// ```
/// use std::time::Duration;
///
/// use ibkr_oauth::session::{CompetePolicy, SessionConfig};
///
/// let mut config = SessionConfig::default();
/// config.compete = CompetePolicy::TakeOnce;
/// config.renewal_margin = Duration::from_secs(3600);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionConfig {
    /// Whether to open the brokerage session, without which `/iserver` does not answer. Those who only read portfolios
    /// need none. Default: yes.
    pub brokerage: bool,
    /// What to do about another session of the same user. Default: [`CompetePolicy::Yield`].
    pub compete: CompetePolicy,
    /// How often the session is kept alive. Default: 60 s. The broker ends it after about six minutes of silence.
    pub tickle_interval: Duration,
    /// How soon a tickle that failed is tried again, and how soon an opening is confirmed by a first one; further failures
    /// double it, up to the interval. Default: 5 s.
    pub tickle_retry: Duration,
    /// How long before its expiry the live session token is renewed. Default: 10 minutes.
    pub renewal_margin: Duration,
    /// Up to how much earlier still, by chance, so that many sessions do not renew at once. Default: 5 minutes.
    pub renewal_jitter: Duration,
    /// How long a response, or a signature of a remote key, is waited for. Default: 30 s.
    pub response_timeout: Duration,
    /// Whether `GET /iserver/accounts` is sent in each new brokerage session before it counts as live: without it, the
    /// broker refuses orders and snapshots ("Please query /accounts first"). Default: yes.
    pub prime: bool,
    /// How long a brokerage session may take from its opening until it is ready. Default: 60 s.
    pub settle_timeout: Duration,
    /// For how long nothing is sent after a 429 that names no time itself. A time that it names is granted up to this, or
    /// an hour where that is longer. Default: 15 minutes.
    pub penalty_box: Duration,
    /// The longest wait before the first new attempt at a handshake or an opening after a failure; it doubles with each, and
    /// the wait is drawn from its upper half. Default: 2 s.
    pub initial_backoff: Duration,
    /// Where that doubling ends while the broker cannot answer; while it answers and refuses, at three times this. In any
    /// hour there are at most 20 handshakes and 20 openings, whatever happens. Default: 10 minutes.
    pub max_backoff: Duration,
    /// After how many refusals of its token (401, 410) a session gives up that was never live. One that was goes on until
    /// it is asked to end. Default: 8.
    pub max_refusals: u32,
    /// How long after it was displaced a session asks again whether the brokerage session is free; it asks earlier where the
    /// broker stops saying that it is not. Default: 15 minutes.
    pub displaced_retry: Duration,
    /// Whether signatures are dated by the broker's clock, as the `Date` of its responses gives it, where that differs
    /// from ours by 5 seconds to one hour and three responses in a row agree. Allow it only over TLS, which vouches for
    /// the responses. Default: no.
    pub correct_clock: bool,
    /// What becomes of the broker's side at shutdown. Default: [`OnShutdown::LogOut`].
    pub on_shutdown: OnShutdown,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            brokerage: true,
            compete: CompetePolicy::Yield,
            tickle_interval: Duration::from_secs(60),
            tickle_retry: Duration::from_secs(5),
            renewal_margin: Duration::from_secs(600),
            renewal_jitter: Duration::from_secs(300),
            response_timeout: Duration::from_secs(30),
            prime: true,
            settle_timeout: Duration::from_secs(60),
            penalty_box: Duration::from_secs(900),
            initial_backoff: Duration::from_secs(2),
            max_backoff: Duration::from_secs(600),
            max_refusals: 8,
            displaced_retry: Duration::from_secs(900),
            correct_clock: false,
            on_shutdown: OnShutdown::LogOut,
        }
    }
}

impl SessionConfig {
    /// The same with every interval long enough that no setting can make the machine spin.
    pub(super) fn clamped(mut self) -> Self {
        for interval in [
            &mut self.tickle_interval,
            &mut self.tickle_retry,
            &mut self.response_timeout,
            &mut self.settle_timeout,
            &mut self.penalty_box,
            &mut self.initial_backoff,
            &mut self.max_backoff,
            &mut self.displaced_retry,
        ] {
            *interval = (*interval).max(Duration::from_secs(1));
        }
        self.max_backoff = self.max_backoff.max(self.initial_backoff);
        self
    }
}

/// What to do where the user has a brokerage session elsewhere: in TWS, on the phone, in another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CompetePolicy {
    /// Never throw another session out; ask again from time to time whether it has gone.
    Yield,
    /// Throw another session out at the first opening that the broker answers; from then on, yield.
    TakeOnce,
    /// Throw another session out each time. At the first opening that is done at once; later the session is asked for
    /// first, and taken only after waits that double, from 10 s to 15 minutes, while the other one keeps coming back.
    TakeAlways,
}

/// What becomes of the broker's side of the session at shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnShutdown {
    /// Log out: the brokerage session and the live session token end.
    LogOut,
    /// Leave all as it is, for a successor that goes on from a [`Snapshot`](super::Snapshot).
    LeaveOpen,
}
