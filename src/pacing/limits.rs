//! The broker's documented limits, as data.

use std::time::Duration;

/// How many requests there may be.
#[derive(Clone, Copy)]
pub(super) enum Rate {
    /// At most this number within any span of this length.
    Within(u32, Duration),
    /// At most this number whose answers are awaited at a time.
    AtATime(u32),
}

/// A documented limit on a class of paths, for one user.
pub(super) struct Limit {
    /// The paths behind the base URL that count together; one that ends with a slash matches all that begin with it.
    pub(super) paths: &'static [&'static str],
    /// How many requests of them there may be.
    pub(super) rate: Rate,
}

impl Limit {
    /// Whether it is a limit on this path.
    pub(super) fn covers(&self, path: &str) -> bool {
        self.paths.iter().any(|known| *known == path || known.ends_with('/') && path.starts_with(known))
    }
}

const FIVE_SECONDS: Rate = Rate::Within(1, Duration::from_secs(5));
const QUARTER_OF_AN_HOUR: Rate = Rate::Within(1, Duration::from_secs(900));
const EACH_SECOND: Rate = Rate::Within(1, Duration::from_secs(1));

/// The limits of single paths, from "Pacing Limitations" in the Web API v1.0 documentation and in its older edition (2024-06).
/// That on all requests together is [`PacingConfig::per_second`](super::PacingConfig::per_second).
pub(super) const LIMITS: &[Limit] = &[
    // The documentation limits each of eleven paths; all of them together are slower, and never too fast.
    Limit { paths: &["/fyi/"], rate: EACH_SECOND },
    // The older edition leaves `account` out.
    Limit { paths: &["/iserver/account/orders", "/iserver/orders"], rate: FIVE_SECONDS },
    Limit { paths: &["/iserver/account/trades", "/iserver/trades"], rate: FIVE_SECONDS },
    Limit { paths: &["/iserver/account/pnl/partitioned"], rate: FIVE_SECONDS },
    Limit { paths: &["/portfolio/accounts"], rate: FIVE_SECONDS },
    Limit { paths: &["/portfolio/subaccounts"], rate: FIVE_SECONDS },
    Limit { paths: &["/iserver/marketdata/history"], rate: Rate::AtATime(5) },
    Limit { paths: &["/iserver/marketdata/snapshot"], rate: Rate::Within(10, Duration::from_secs(1)) },
    Limit { paths: &["/iserver/scanner/params"], rate: QUARTER_OF_AN_HOUR },
    Limit { paths: &["/iserver/scanner/run"], rate: EACH_SECOND },
    Limit { paths: &["/pa/performance"], rate: QUARTER_OF_AN_HOUR },
    Limit { paths: &["/pa/summary"], rate: QUARTER_OF_AN_HOUR },
    Limit { paths: &["/pa/transactions"], rate: QUARTER_OF_AN_HOUR },
    Limit { paths: &["/sso/validate"], rate: Rate::Within(1, Duration::from_secs(60)) },
    Limit { paths: &["/tickle"], rate: EACH_SECOND },
];
