//! Being asked to stop: Ctrl-C, SIGTERM, SIGHUP.

use std::sync::mpsc::{self, Receiver};

use crate::{failure::Failure, output};

/// Calls `action`, on a thread of its own, each time the program is asked to stop. To be called once.
fn on_request(action: impl FnMut() + Send + 'static) -> Result<(), Failure> {
    ctrlc::set_handler(action).map_err(|error| {
        Failure::refused(format!("signals cannot be received: {error}"), "look after the limits of the system")
    })
}

/// Calls `action` when the program is asked to stop, and ends it at once when it is asked again, with `note`. To be called
/// once, in place of [`on_request`].
pub(crate) fn in_order(note: &'static str, action: impl Fn() + Send + 'static) -> Result<(), Failure> {
    let mut asked = false;
    on_request(move || {
        if std::mem::replace(&mut asked, true) {
            output::print_note(note);
            std::process::exit(1);
        }
        action();
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
