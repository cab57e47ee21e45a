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
    /// How long before its expiry the live session token is renewed. Default: 10 minutes.
    pub renewal_margin: Duration,
    /// How long a response, or a signature of a remote key, is waited for. Default: 30 s.
    pub response_timeout: Duration,
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
            renewal_margin: Duration::from_secs(600),
            response_timeout: Duration::from_secs(30),
            displaced_retry: Duration::from_secs(900),
            correct_clock: false,
            on_shutdown: OnShutdown::LogOut,
        }
    }
}

impl SessionConfig {
    /// The same with every interval long enough that no setting can make the machine spin.
    pub(super) fn clamped(mut self) -> Self {
        for interval in [&mut self.tickle_interval, &mut self.response_timeout, &mut self.displaced_retry] {
            *interval = (*interval).max(Duration::from_secs(1));
        }
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
