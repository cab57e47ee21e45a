//! The loop around a [`Session`]: it sends, waits and does what the session wants, in any runtime or in none.
//!
//! A [`Driver`] owns the session; a [`SessionHandle`] is what the rest of the program holds. The driver brings no HTTP
//! client, no timer and no executor: it is given a [transport](crate::transport).
//!
//! ```
//! # #[cfg(all(feature = "simulator", feature = "getrandom"))] {
//! use ibkr_oauth::{OsEntropy, driver::Driver, session::{Session, SessionConfig, SessionEvent, State}};
//! # use ibkr_oauth::{bytes::Bytes, http::Request, local::SystemContext, simulator::{Broker, test_keys}, transport::Limits};
//! # let mut broker = Broker::default();
//! # let token = test_keys::unlocked_token(&mut broker, &mut SystemContext::new().context())?;
//! # let consumer = test_keys::consumer()?;
//! # let broker = std::sync::Mutex::new(broker);
//! # let transport = |request: Request<Bytes>, _: Limits| {
//! #     Ok(broker.lock().unwrap().handle(&mut SystemContext::new().context(), &request))
//! # };
//!
//! let driver = Driver::new(Session::new(consumer, token, SessionConfig::default()), OsEntropy);
//! let handle = driver.handle();
//! // `transport` is your HTTP client. This program leaves as soon as it is in.
//! driver.run_blocking(&transport, |event| {
//!     if matches!(event, SessionEvent::StateChanged { to: State::Live, .. }) {
//!         handle.shutdown();
//!     }
//! });
//! # }
//! # Ok::<(), ibkr_oauth::Error>(())
//! ```

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};

use crate::{
    context::{Context, Entropy, Timestamp},
    local,
    session::{ExchangeId, Failure, FailureKind, Input, Output, Session, SessionEvent},
};

mod asynchronous;
mod blocking;
mod handle;
mod mailbox;
mod sync;

pub use self::handle::SessionHandle;
use self::mailbox::Mailbox;

/// Drives one session until it finishes.
pub struct Driver<E> {
    session: Session,
    entropy: E,
    mailbox: Arc<Mailbox>,
}

debug_fields!(Driver<E> { session });

/// What the driver has to do next.
#[allow(clippy::large_enum_variant, reason = "one at a time, and taken apart at once")]
enum Action {
    Send { id: ExchangeId, request: Request<Bytes>, timeout: Duration },
    Sign { id: ExchangeId, input: crate::key::SigningInput, timeout: Duration },
    Wait(Duration),
    Stop,
}

impl<E: Entropy> Driver<E> {
    /// A driver for this session on [the system's time](local::now), with a source of random bytes that is its own.
    #[must_use]
    pub fn new(session: Session, entropy: E) -> Self {
        Self::with_clock(session, entropy, local::now)
    }

    /// As [`new`](Self::new), with another clock than [`local::now`]: for tests on a virtual clock, and for platforms where the
    /// standard library has none.
    #[must_use]
    pub fn with_clock(session: Session, entropy: E, now: impl FnMut() -> Timestamp + Send + 'static) -> Self {
        let mailbox = Arc::new(Mailbox::new(&session, Box::new(now)));
        Self { session, entropy, mailbox }
    }

    /// A handle to the session, for code that sends its own requests. Make as many as you need.
    #[must_use]
    pub fn handle(&self) -> SessionHandle {
        SessionHandle::new(Arc::clone(&self.mailbox))
    }

    fn hand(&mut self, input: Input) {
        let mut cx = Context::new(self.mailbox.now(), &mut self.entropy);
        self.session.handle_input(&mut cx, input);
    }

    /// Hands over what the application said, and drains the session up to the next action.
    fn next_action(&mut self, on_event: &mut impl FnMut(SessionEvent)) -> Action {
        loop {
            for input in self.mailbox.take() {
                self.hand(input);
            }
            let now = self.mailbox.now();
            let output = self.session.poll_output(&mut Context::new(now, &mut self.entropy));
            self.mailbox.publish(&self.session);
            let wait = |at: Timestamp| at.saturating_duration_since(now);
            match output {
                Output::Event(event) => on_event(event),
                Output::Transmit { id, request, give_up_at } => {
                    return Action::Send { id, request, timeout: wait(give_up_at) };
                }
                Output::Sign { id, input, give_up_at } => return Action::Sign { id, input, timeout: wait(give_up_at) },
                Output::Timeout { at } => {
                    let deadline = self.mailbox.wake_expired(now);
                    return Action::Wait(wait(deadline.map_or(at, |deadline| deadline.min(at))));
                }
                Output::Finished => {
                    self.mailbox.close();
                    return Action::Stop;
                }
            }
        }
    }
}

fn answered(id: ExchangeId, result: Result<Response<Bytes>, Failure>) -> Input {
    match result {
        Ok(response) => Input::Response { id, response },
        Err(failure) => Input::Failed { id, failure },
    }
}

fn signed(id: ExchangeId, result: Result<Vec<u8>, Failure>) -> Input {
    match result {
        Ok(signature) => Input::Signed { id, signature },
        Err(failure) => Input::Failed { id, failure },
    }
}

fn no_key_store() -> Failure {
    Failure::new(FailureKind::Refused, "the consumer has no signature key, and the driver was given none")
}

impl<E> Drop for Driver<E> {
    /// Whoever waits for the session learns that nobody drives it any more.
    fn drop(&mut self) {
        self.mailbox.close();
    }
}
