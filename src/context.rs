//! Time and randomness, which enter the crate by argument and in no other way.

use std::{
    error, fmt,
    time::{Duration, SystemTime},
};

/// A moment, in whole milliseconds since the Unix epoch: the crate's only notion of time.
///
/// It is a plain number on purpose. A test, a fuzzer or a replayed log can make one up, and it goes on counting while
/// a machine is suspended, as the life of a token does.
///
/// ```
/// use ibkr_oauth::Timestamp;
/// use std::time::Duration;
///
/// let now = Timestamp::from_secs(1_700_000_000); // in a program: `local::now()`
/// let tomorrow = now.saturating_add(Duration::from_secs(24 * 3600));
/// assert_eq!(tomorrow.to_string(), "2023-11-15T22:13:20.000Z");
/// assert_eq!(now.saturating_duration_since(tomorrow), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// The moment `seconds` seconds after the Unix epoch; the largest representable moment where that overflows.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down: what `oauth_timestamp` carries (RFC 5849 section 3.3).
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// How long after `earlier` this moment is; zero if it is not after it.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// This moment moved later, at most to the largest representable one.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// This moment moved earlier, at most to the Unix epoch.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl From<SystemTime> for Timestamp {
    /// A moment before 1970 becomes the Unix epoch.
    fn from(time: SystemTime) -> Self {
        Self(millis(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()))
    }
}

impl fmt::Display for Timestamp {
    /// Writes the moment as RFC 3339 in UTC, with milliseconds: `2023-11-14T22:13:20.000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, of_day) = (self.0 / 86_400_000, self.0 % 86_400_000);
        // A year that starts on 1 March ends with the leap day, so that months need no table of lengths.
        let days = days + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
        let (second, milli) = (of_day / 1000 % 60, of_day % 1000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

/// A source of random bytes fit for keys and nonces.
///
/// Implement it for whatever generator the application trusts; with the feature `getrandom`, `OsEntropy` is ready
/// made.
///
/// ```
/// use ibkr_oauth::{Entropy, EntropyError};
/// use std::io::Read;
///
/// /// Random bytes from a device or from a daemon.
/// struct Source<R>(R);
///
/// impl<R: Read> Entropy for Source<R> {
///     fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
///         self.0.read_exact(destination).map_err(EntropyError::with_source)
///     }
/// }
/// # let mut nonce = [0; 16];
/// # assert!(Source(&[7; 16][..]).fill(&mut nonce).is_ok() && nonce == [7; 16]);
/// # assert!(Source(&[7; 15][..]).fill(&mut nonce).is_err());
/// ```
pub trait Entropy {
    /// Fills all of `destination` with random bytes.
    ///
    /// # Errors
    /// When the source cannot deliver. Nothing that `destination` then holds is used.
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError>;
}

/// The source of random bytes could not deliver. The default has nothing more to say.
#[derive(Debug, Default)]
pub struct EntropyError {
    source: Option<Box<dyn error::Error + Send + Sync>>,
}

impl EntropyError {
    /// A failure with its cause, which [`Error::source`](error::Error::source) then returns.
    #[must_use]
    pub fn with_source(source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()) }
    }
}

impl fmt::Display for EntropyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the source of random bytes failed")
    }
}

impl error::Error for EntropyError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_deref().map(|source| -> &(dyn error::Error + 'static) { source })
    }
}

/// The operating system's random numbers. Needs the feature `getrandom`.
///
/// ```
/// use ibkr_oauth::{Entropy, OsEntropy};
///
/// let mut nonce = [0; 16];
/// OsEntropy.fill(&mut nonce)?;
/// # Ok::<(), ibkr_oauth::EntropyError>(())
/// ```
#[cfg(feature = "getrandom")]
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

#[cfg(feature = "getrandom")]
impl Entropy for OsEntropy {
    #[allow(clippy::disallowed_methods, reason = "this type is the one place with random numbers of its own")]
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(destination).map_err(EntropyError::with_source)
    }
}

/// What one call may know of the outside world: the time, and a source of random bytes.
///
/// Make a new one for each call; `local::SystemContext` does that for this machine. It is not `Send`, because a context kept across an `await` is a stopped clock.
///
/// ```
/// # #[cfg(feature = "getrandom")] {
/// use ibkr_oauth::{Context, OsEntropy, local};
///
/// let mut entropy = OsEntropy;
/// let now = local::now();
/// let cx = Context::new(now, &mut entropy);
/// assert_eq!(cx.now(), now);
/// # }
/// ```
pub struct Context<'a> {
    now: Timestamp,
    entropy: &'a mut dyn Entropy,
}

debug_fields!(Context<'a> { now });

impl<'a> Context<'a> {
    /// The outside world as of `now`.
    pub fn new(now: Timestamp, entropy: &'a mut dyn Entropy) -> Self {
        Self { now, entropy }
    }

    /// The time of this call.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The source of random bytes.
    pub fn entropy(&mut self) -> &mut dyn Entropy {
        &mut *self.entropy
    }
}

/// Lends an [`Entropy`] to code that wants `rand_core`'s traits, whose majors never show in the public surface.
#[cfg(feature = "rsa")]
pub(crate) struct RandCore<'a>(pub(crate) &'a mut dyn Entropy);

#[cfg(feature = "rsa")]
impl rand_core::TryRng for RandCore<'_> {
    type Error = EntropyError;

    fn try_next_u32(&mut self) -> Result<u32, EntropyError> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, EntropyError> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        self.0.fill(destination)
    }
}

#[cfg(feature = "rsa")]
impl rand_core::TryCryptoRng for RandCore<'_> {}
