//! The loop as a future, for any runtime.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context as TaskContext, Poll},
};

use bytes::Bytes;
use http::Response;

use super::{Action, Driver, answered, no_key_store, signed};
use crate::{
    context::Entropy,
    key::SigningInput,
    session::{ExchangeId, Failure, Input, SessionEvent},
    transport::{AsyncTransport, Limits},
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
    /// The future is `Send` if `E` and `on_event` are. Dropping it stops everything at once, with no logout.
    pub async fn run(self, transport: &impl AsyncTransport, on_event: impl FnMut(SessionEvent)) {
        let sign = |_: SigningInput| std::future::ready(Err(no_key_store()));
        self.run_with_key_store(transport, sign, on_event).await;
    }

    /// As [`run`](Self::run), for a consumer whose signature key is elsewhere: `sign` has the input signed and returns
    /// the raw signature. It needs no timeout of its own: what takes too long is dropped.
    pub async fn run_with_key_store<G>(
        mut self,
        transport: &impl AsyncTransport,
        mut sign: impl FnMut(SigningInput) -> G,
        mut on_event: impl FnMut(SessionEvent),
    ) where
        G: Future<Output = Result<Vec<u8>, Failure>>,
    {
        let mut in_flight = InFlight::Nothing;
        loop {
            let wait = match self.next_action(&mut on_event) {
                Action::Send { id, request, timeout } => {
                    let response = transport.send(request, Limits::PROTOCOL.within(timeout));
                    in_flight = InFlight::Response(id, Box::pin(response));
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
            let mut timer = Box::pin(transport.sleep(wait));
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
