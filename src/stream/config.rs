//! What a stream may be told to do otherwise.

/// How a [`Stream`](super::Stream) behaves. Start from [`StreamConfig::default`] and change what must differ.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamConfig {
    /// How many lines of market data (`smd`) may be subscribed at once. Default: 100, as IBKR gives to a user without booster
    /// packs; TWS shares them.
    pub market_data_lines: usize,
    /// How many histories (`smh`) may be subscribed at once. Default: 5, IBKR's limit.
    pub histories: usize,
}

impl Default for StreamConfig {
    fn default() -> Self {
        Self { market_data_lines: 100, histories: 5 }
    }
}
