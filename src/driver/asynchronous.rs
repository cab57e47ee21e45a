//! The loop as a future, for any runtime.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
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

/// What is done for the session outside.
enum Work<F, G> {
    Send(F),
    Sign(G),
}

async fn perform<F, G>(id: ExchangeId, work: Work<F, G>) -> Input
where
    F: Future<Output = Result<Response<Bytes>, Failure>>,
    G: Future<Output = Result<Vec<u8>, Failure>>,
{
    match work {
        Work::Send(response) => answered(id, response.await),
        Work::Sign(signature) => signed(id, signature.await),
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
        let mailbox = Arc::clone(&self.mailbox);
        // Kept while the application is heard, so that no request is dropped for a word of its.
        let mut under_way = None;
        loop {
            let wait = match self.next_action(&mut on_event) {
                Action::Send { id, request, timeout } => {
                    let response = transport.send(request, Limits::PROTOCOL.within(timeout));
                    under_way = Some((id, Box::pin(perform(id, Work::Send(response)))));
                    continue;
                }
                Action::Sign { id, input, .. } => {
                    under_way = Some((id, Box::pin(perform(id, Work::Sign(sign(input))))));
                    continue;
                }
                Action::Wait(wait) => wait,
                Action::Stop => return,
            };
            let awaited = self.session.awaited();
            under_way.take_if(|(id, _)| Some(*id) != awaited);
            let mut timer = pin!(transport.sleep(wait));
            let input = poll_fn(|task| {
                if let Some((_, work)) = &mut under_way {
                    if let Poll::Ready(input) = work.as_mut().poll(task) {
                        under_way = None;
                        return Poll::Ready(input);
                    }
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
