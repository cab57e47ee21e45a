//! The broker's documented limits, as data.

use std::time::Duration;

/// How many requests there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rate {
    /// So many within any span of this length.
    Within(u32, Duration),
    /// So many whose answers are awaited at a time.
    AtATime(u32),
}

/// A documented limit on a class of paths, for one user.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limit {
    /// The paths behind the base URL that count together; one that ends with a slash matches all that begin with it.
    pub paths: &'static [&'static str],
    /// How many requests of them there may be.
    pub rate: Rate,
    /// Where the broker says so.
    pub source: &'static str,
}

impl Limit {
    /// Whether it is a limit on this path.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        self.paths.iter().any(|known| *known == path || known.ends_with('/') && path.starts_with(known))
    }
}

const BOTH: &str = "\"Pacing Limitations\" in the Web API v1.0 documentation and in its older edition (2024-06)";
const FIVE_SECONDS: Rate = Rate::Within(1, Duration::from_secs(5));
const QUARTER_OF_AN_HOUR: Rate = Rate::Within(1, Duration::from_secs(900));
const EACH_SECOND: Rate = Rate::Within(1, Duration::from_secs(1));

/// The limits of single paths. That on all requests together is [`PacingConfig::per_second`](super::PacingConfig::per_second).
pub const LIMITS: &[Limit] = &[
    // The documentation limits each of eleven paths; all of them together are slower, and never too fast.
    Limit { paths: &["/fyi/"], rate: EACH_SECOND, source: BOTH },
    // The older edition leaves `account` out.
    Limit { paths: &["/iserver/account/orders", "/iserver/orders"], rate: FIVE_SECONDS, source: BOTH },
    Limit { paths: &["/iserver/account/trades", "/iserver/trades"], rate: FIVE_SECONDS, source: BOTH },
    Limit { paths: &["/iserver/account/pnl/partitioned"], rate: FIVE_SECONDS, source: BOTH },
    Limit { paths: &["/portfolio/accounts"], rate: FIVE_SECONDS, source: BOTH },
    Limit { paths: &["/portfolio/subaccounts"], rate: FIVE_SECONDS, source: BOTH },
    Limit { paths: &["/iserver/marketdata/history"], rate: Rate::AtATime(5), source: BOTH },
    Limit { paths: &["/iserver/marketdata/snapshot"], rate: Rate::Within(10, Duration::from_secs(1)), source: BOTH },
    Limit { paths: &["/iserver/scanner/params"], rate: QUARTER_OF_AN_HOUR, source: BOTH },
    Limit { paths: &["/iserver/scanner/run"], rate: EACH_SECOND, source: BOTH },
    Limit { paths: &["/pa/performance"], rate: QUARTER_OF_AN_HOUR, source: BOTH },
    Limit { paths: &["/pa/summary"], rate: QUARTER_OF_AN_HOUR, source: BOTH },
    Limit { paths: &["/pa/transactions"], rate: QUARTER_OF_AN_HOUR, source: BOTH },
    Limit { paths: &["/sso/validate"], rate: Rate::Within(1, Duration::from_secs(60)), source: BOTH },
    Limit { paths: &["/tickle"], rate: EACH_SECOND, source: BOTH },
];
