//! A context of this machine.

use crate::context::{Context, OsEntropy};

/// This machine's time and random numbers, for who makes requests by hand. Needs the feature `getrandom`.
///
/// It is `Send`, unlike the [`Context`]s that it lends: keep this one across an `await`, and ask it for a new context
/// after.
///
/// ```
/// # #[cfg(feature = "simulator")] {
/// # use ibkr_oauth::simulator::{Broker, test_keys};
/// # let mut broker = Broker::default();
/// # let consumer = test_keys::consumer()?;
/// # let token = test_keys::unlocked_token(&mut broker, &mut ibkr_oauth::local::SystemContext::new().context())?;
/// use ibkr_oauth::local::SystemContext;
///
/// let mut system = SystemContext::new();
/// let exchange = token.live_session_token(&consumer, &mut system.context())?;
/// # let response = broker.handle(&mut system.context(), exchange.request());
/// let signer = exchange.complete(response)?.signer();
/// let tickle = signer.brokerage().tickle(&mut system.context())?;
/// # }
/// # Ok::<(), ibkr_oauth::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct SystemContext {
    entropy: OsEntropy,
}

impl SystemContext {
    /// The context of this machine.
    #[must_use]
    pub const fn new() -> Self {
        Self { entropy: OsEntropy }
    }

    /// A context of [now](super::now), for one call or for a few in a row.
    pub fn context(&mut self) -> Context<'_> {
        Context::new(super::now(), &mut self.entropy)
    }
}
