//! What a session's driver runs on.

use tokio::runtime::{Builder, Runtime};

use crate::failure::Failure;

/// A runtime of one thread, with timers and sockets.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    Builder::new_current_thread().enable_all().build().map_err(|error| {
        Failure::refused(format!("the session cannot be driven: {error}"), "look after the system's limits")
    })
}
