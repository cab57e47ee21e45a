//! Being asked to stop: Ctrl-C, SIGTERM, SIGHUP.

use std::sync::mpsc::{self, Receiver};

use crate::failure::Failure;

/// Calls `action`, on a thread of its own, each time the program is asked to stop. To be called once.
pub(crate) fn on_request(action: impl FnMut() + Send + 'static) -> Result<(), Failure> {
    ctrlc::set_handler(action).map_err(|error| {
        Failure::refused(format!("signals cannot be received: {error}"), "look after the limits of the system")
    })
}

/// What is heard when the program is asked to stop.
pub(crate) fn channel() -> Result<Receiver<()>, Failure> {
    let (sender, receiver) = mpsc::channel();
    on_request(move || {
        // Nobody listens any more only where the program ends anyway.
        let _ = sender.send(());
    })?;
    Ok(receiver)
}
