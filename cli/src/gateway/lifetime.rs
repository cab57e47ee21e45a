//! How long the gateway runs: until it is asked to end, or until its session has ended by itself.

use std::{
    sync::mpsc::{self, Receiver, Sender},
    thread,
};

use ibkr_oauth::{
    Error, client::ClientDriver, driver::SessionHandle, session::SessionEvent, transport::AsyncTransport,
};
use tokio::runtime::Runtime;

use crate::driving;

/// What wakes the program for its end.
pub(super) struct Lifetime {
    wake: Sender<()>,
    woken: Receiver<()>,
}

impl Lifetime {
    pub(super) fn new() -> Self {
        let (wake, woken) = mpsc::channel();
        Self { wake, woken }
    }

    /// Has a call ask for the end.
    pub(super) fn end(&self) -> impl Fn() + Send + 'static {
        let wake = self.wake.clone();
        move || {
            // Nobody listens any more only where the program ends anyway.
            let _ = wake.send(());
        }
    }

    /// Drives the session on this runtime, and hands its events on. At the end, `close` closes what uses the
    /// session, which is shut down after that.
    ///
    /// # Errors
    /// What the session met last, if it ended by itself.
    pub(super) fn last<T: AsyncTransport + 'static>(
        self,
        runtime: Runtime,
        driver: ClientDriver<T>,
        handle: &SessionHandle,
        on_event: impl FnMut(&SessionEvent) + Send + 'static,
        close: impl FnOnce(),
    ) -> Result<(), Error> {
        let wake = self.end();
        let driving = thread::spawn(move || {
            let ended = runtime.block_on(driving::drive(driver, on_event));
            wake();
            ended
        });
        let _ = self.woken.recv();
        close();
        handle.shutdown();
        driving.join().unwrap_or(Ok(()))
    }
}
