//! What drives a client's session, as one future.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};

use super::shared::Shared;
use crate::{
    context::OsEntropy,
    driver::Driver,
    key::SigningInput,
    session::{Failure, SessionEvent},
    transport::{AsyncTransport, Limits},
};

type Signature = Pin<Box<dyn Future<Output = Result<Vec<u8>, Failure>> + Send>>;

/// Drives the session of a [`Client`](super::Client) when it is spawned or awaited, until the session ends. Dropped, it
/// leaves the session as it is, with no logout.
#[must_use = "the session goes nowhere unless this is spawned"]
pub struct ClientDriver<T> {
    start: Option<Box<Start<T>>>,
    running: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

debug_fields!(self: ClientDriver<T> { is_running: self.running.is_some() });

struct Start<T> {
    driver: Driver<OsEntropy>,
    transport: First<T>,
    on_event: Box<dyn FnMut(SessionEvent) + Send>,
    key_store: Option<Box<dyn FnMut(SigningInput) -> Signature + Send>>,
}

impl<T> ClientDriver<T> {
    pub(super) fn new(driver: Driver<OsEntropy>, shared: Arc<Shared<T>>) -> Self {
        let transport = First(shared);
        let start = Start { driver, transport, on_event: Box::new(drop), key_store: None };
        Self { start: Some(Box::new(start)), running: None }
    }

    /// Hands each event to this function, in order; an event's `Display` is a sentence for a log.
    pub fn on_event(mut self, on_event: impl FnMut(SessionEvent) + Send + 'static) -> Self {
        if let Some(start) = &mut self.start {
            start.on_event = Box::new(on_event);
        }
        self
    }

    /// Has this function sign what the consumer signs with RSA, where it has no signature key itself: an HSM, a KMS. It
    /// returns the raw signature, as long as the key's modulus.
    pub fn key_store<G>(mut self, mut sign: impl FnMut(SigningInput) -> G + Send + 'static) -> Self
    where
        G: Future<Output = Result<Vec<u8>, Failure>> + Send + 'static,
    {
        if let Some(start) = &mut self.start {
            start.key_store = Some(Box::new(move |input| Box::pin(sign(input))));
        }
        self
    }
}

impl<T: AsyncTransport> Start<T> {
    async fn run(self) {
        let Self { driver, transport, on_event, key_store } = self;
        match key_store {
            Some(key_store) => driver.run_with_key_store(&transport, key_store, on_event).await,
            None => driver.run(&transport, on_event).await,
        }
    }
}

/// The transport of a client's session, whose requests go before those of calls.
struct First<T>(Arc<Shared<T>>);

impl<T: AsyncTransport> AsyncTransport for First<T> {
    async fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>, Failure> {
        let Shared { transport, pacing, .. } = &*self.0;
        let now = transport.now();
        let turn = pacing.reserve(now, request.uri());
        if turn > now {
            transport.sleep(turn.saturating_duration_since(now)).await;
        }
        transport.send(request, limits).await
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        self.0.transport.sleep(time)
    }
}

impl<T: AsyncTransport + 'static> Future for ClientDriver<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<()> {
        if let Some(start) = self.start.take() {
            self.running = Some(Box::pin(start.run()));
        }
        self.running.as_mut().map_or(Poll::Ready(()), |running| running.as_mut().poll(task))
    }
}
