//! The live session token that signs.

use std::time::Duration;

use super::{moment::Moment, pace::from_zero};
use crate::{context::Entropy, flow::LiveSessionToken};

/// Up to how much earlier than asked for a token is renewed, by chance, so that many sessions do not renew at once.
const JITTER: Duration = Duration::from_secs(300);

/// The live session token that signs.
pub(super) struct Held {
    pub(super) token: LiveSessionToken,
    pub(super) expires: Option<Moment>,
    pub(super) renewal: Option<Moment>,
    pub(super) proved: Option<Moment>,
    /// The broker refuses it, or its time is over. It is kept all the same until there is another.
    pub(super) is_dead: bool,
}

impl Held {
    pub(super) fn resumed(token: LiveSessionToken, expires: Moment) -> Self {
        Self { token, expires: Some(expires), renewal: None, proved: None, is_dead: false }
    }

    /// The token and its expiry, as long as it is known to be good.
    pub(super) fn good(&self) -> Option<(&LiveSessionToken, Moment)> {
        Some((&self.token, self.expires?)).filter(|_| !self.is_dead)
    }

    pub(super) fn wants_plan(&self) -> bool {
        !self.is_dead && self.renewal.is_none()
    }

    /// Sets when to renew, from when the token expires.
    pub(super) fn plan_renewal(&mut self, now: Moment, margin: Duration, entropy: &mut dyn Entropy) {
        let early = margin.saturating_add(from_zero(entropy, JITTER));
        self.renewal = self.expires.map(|expires| {
            // A margin longer than the token's life must not renew without end.
            expires.before(early.min(expires.since(now) / 2))
        });
    }
}
