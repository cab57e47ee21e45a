//! What the machine has: its clock, its random numbers, files and environment. Nothing else in the library reads them, and
//! this only when it is called.

use std::sync::{LazyLock, Mutex, PoisonError};

use crate::context::Timestamp;

mod bundle_file;
mod clock;
mod location;
pub mod reading;
#[cfg(feature = "getrandom")]
mod system_context;

use self::clock::Clock;
#[cfg(feature = "getrandom")]
pub use self::system_context::SystemContext;

/// The system's time, made steady: it goes on over suspend, and is the same for the whole process.
///
/// While the system's clock is behind (because it was set back by up to 300 seconds) this one runs at half its speed until
/// they meet, so that waits go on and timestamps do not decrease. A greater step back is followed at once: requests dated
/// by the old time would be refused anyway, and a [`Session`](crate::session::Session) knows how to go on from there.
#[must_use]
pub fn now() -> Timestamp {
    static CLOCK: LazyLock<Mutex<Clock>> = LazyLock::new(|| Mutex::new(Clock::new()));

    CLOCK.lock().unwrap_or_else(PoisonError::into_inner).now()
}
