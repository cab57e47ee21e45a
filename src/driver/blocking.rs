//! The loop on its own thread.

use std::time::Duration;

use super::{Action, Driver, answered, no_key_store, signed};
use crate::{
    context::Entropy,
    key::SigningInput,
    session::{Failure, Input, SessionEvent},
    transport::{Limits, Transport},
};

impl<E: Entropy> Driver<E> {
    /// Drives the session on this thread until it finishes.
    ///
    /// While the transport is at work the driver hears nothing; what the handles say is heard when it returns.
    pub fn run_blocking(self, transport: &impl Transport, on_event: impl FnMut(SessionEvent)) {
        self.run_blocking_with_key_store(transport, |_, _| Err(no_key_store()), on_event);
    }

    /// As [`run_blocking`](Self::run_blocking), for a consumer whose signature key is elsewhere: `sign` has the input
    /// signed and returns the raw signature, within the time that it is given.
    pub fn run_blocking_with_key_store(
        mut self,
        transport: &impl Transport,
        mut sign: impl FnMut(SigningInput, Duration) -> Result<Vec<u8>, Failure>,
        mut on_event: impl FnMut(SessionEvent),
    ) {
        loop {
            let input = match self.next_action(&mut on_event) {
                Action::Send { id, request, timeout } => {
                    answered(id, transport.send(request, Limits::PROTOCOL.within(timeout)))
                }
                Action::Sign { id, input, timeout } => signed(id, sign(input, timeout)),
                Action::Wait(wait) => {
                    self.mailbox.wait(wait);
                    Input::Timeout
                }
                Action::Stop => return,
            };
            self.hand(input);
        }
    }
}
