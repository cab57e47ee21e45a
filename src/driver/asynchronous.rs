//! The loop as a future, for any runtime.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};

use super::{Action, Driver, answered, no_key_store, signed};
use crate::{
    context::Entropy,
    key::SigningInput,
    session::{ExchangeId, Failure, Input, SessionEvent},
};

/// What is under way; kept while the application is heard, so that no request is dropped for a word of its.
enum InFlight<F, G> {
    Nothing,
    Response(ExchangeId, Pin<Box<F>>),
    Signature(ExchangeId, Pin<Box<G>>),
}

impl<F, G> InFlight<F, G>
where
    F: Future<Output = Result<Response<Bytes>, Failure>>,
    G: Future<Output = Result<Vec<u8>, Failure>>,
{
    fn poll(&mut self, task: &mut TaskContext<'_>) -> Poll<Input> {
        let input = match self {
            Self::Nothing => return Poll::Pending,
            Self::Response(id, response) => response.as_mut().poll(task).map(|result| answered(*id, result)),
            Self::Signature(id, signature) => signature.as_mut().poll(task).map(|result| signed(*id, result)),
        };
        if input.is_ready() {
            *self = Self::Nothing;
        }
        input
    }

    /// Drops what the session does not wait for any more.
    fn keep_only(&mut self, awaited: Option<ExchangeId>) {
        if let Self::Response(id, _) | Self::Signature(id, _) = self {
            if Some(*id) != awaited {
                *self = Self::Nothing;
            }
        }
    }
}

impl<E: Entropy> Driver<E> {
    /// Drives the session until it finishes.
    ///
    /// `send` sends a request and returns the whole response, whatever its status; `sleep` returns after that time, as
    /// `tokio::time::sleep` does. Neither needs to have a limit of its own: what takes too long is dropped. The future is
    /// `Send` if they are, and `E` is. Dropping it stops everything where it stands, with no logout.
    pub async fn run<F, S>(
        self,
        mut send: impl FnMut(Request<Bytes>) -> F,
        sleep: impl FnMut(Duration) -> S,
        on_event: impl FnMut(SessionEvent),
    ) where
        F: Future<Output = Result<Response<Bytes>, Failure>>,
        S: Future<Output = ()>,
    {
        let sign = |_: SigningInput| std::future::ready(Err(no_key_store()));
        self.run_with_key_store(&mut send, sign, sleep, on_event).await;
    }

    /// As [`run`](Self::run), for a consumer whose signing key is elsewhere: `sign` has the input signed and returns the
    /// raw signature.
    pub async fn run_with_key_store<F, G, S>(
        mut self,
        mut send: impl FnMut(Request<Bytes>) -> F,
        mut sign: impl FnMut(SigningInput) -> G,
        mut sleep: impl FnMut(Duration) -> S,
        mut on_event: impl FnMut(SessionEvent),
    ) where
        F: Future<Output = Result<Response<Bytes>, Failure>>,
        G: Future<Output = Result<Vec<u8>, Failure>>,
        S: Future<Output = ()>,
    {
        let mut in_flight = InFlight::Nothing;
        loop {
            let wait = match self.next_action(&mut on_event) {
                Action::Send { id, request, .. } => {
                    in_flight = InFlight::Response(id, Box::pin(send(request)));
                    continue;
                }
                Action::Sign { id, input, .. } => {
                    in_flight = InFlight::Signature(id, Box::pin(sign(input)));
                    continue;
                }
                Action::Wait(wait) => {
                    in_flight.keep_only(self.session.awaited());
                    wait
                }
                Action::Stop => return,
            };
            let mut timer = Box::pin(sleep(wait));
            let mailbox = std::sync::Arc::clone(&self.mailbox);
            let input = poll_fn(|task| {
                if let Poll::Ready(input) = in_flight.poll(task) {
                    return Poll::Ready(input);
                }
                if mailbox.poll_mail(task).is_ready() {
                    return Poll::Ready(Input::Timeout);
                }
                timer.as_mut().poll(task).map(|()| Input::Timeout)
            });
            let input = input.await;
            self.hand(input);
        }
    }
}
