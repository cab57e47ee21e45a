//! A client's stream: one connection for all who subscribe.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite};

use super::Client;
use crate::{
    adapter::tungstenite::{Received, Socket, Upgrade},
    context::{Context, OsEntropy},
    error::Error,
    session::Failure,
    stream::{Input, Output, Stream, StreamConfig, Topic},
};

mod hub;
mod inbox;
mod receivers;

use self::hub::{Hub, Shared};
pub use self::receivers::{Events, Subscription};

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How many actions may be under way at once: requests whose responses are of no interest, and connections that close.
const ACTIONS: usize = 16;

impl<T: Upgrade + 'static> Client<T> {
    /// A stream over the broker's WebSocket, and what drives it: a future, to be spawned. It connects when the session is
    /// live, and ends with it; dropped, it cuts the connection. See [`stream`](crate::stream) for what it looks after. Needs the feature `tungstenite`.
    ///
    /// One stream is enough for a program: callers that want messages [subscribe](StreamHandle::subscribe) to a topic
    /// of it.
    pub fn stream(&self) -> (StreamHandle, impl Future<Output = ()> + Send + use<T>) {
        self.stream_with(StreamConfig::default())
    }

    /// As [`stream`](Self::stream), with other limits.
    pub fn stream_with(&self, config: StreamConfig) -> (StreamHandle, impl Future<Output = ()> + Send + use<T>) {
        let shared = Arc::new(Shared::new(Hub::new(Stream::new(config))));
        let (client, guard) = (self.clone(), CloseOnDrop(Arc::clone(&shared)));
        let running = async move {
            drive(&client, &guard.0).await;
            drop(guard);
        };
        (StreamHandle(shared), running)
    }
}

/// All who wait learn that nobody drives the stream any more, also where its future is dropped.
struct CloseOnDrop(Arc<Shared>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.with(Hub::close);
    }
}

/// A stream that is driven elsewhere. From [`Client::stream`]. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StreamHandle(Arc<Shared>);

impl StreamHandle {
    /// Subscribes to a topic for as long as the [`Subscription`] lives, over all gaps, which are [events](Self::events). What
    /// several want is asked of the broker once.
    ///
    /// # Errors
    /// As [`Stream::subscribe`].
    pub fn subscribe(&self, topic: &Topic) -> Result<Subscription, Error> {
        self.subscribe_all(std::slice::from_ref(topic))
    }

    /// As [`subscribe`](Self::subscribe), to several topics at once, whose messages come in the order in which the broker sent
    /// them.
    ///
    /// # Errors
    /// As there; then none of them is subscribed.
    pub fn subscribe_all(&self, topics: &[Topic]) -> Result<Subscription, Error> {
        let id = self.0.with(|hub| hub.subscribe(topics))?;
        Ok(Subscription::new(Arc::clone(&self.0), id))
    }

    /// What happens to the stream from now on: gaps, refusals, lines that are quiet. An event's `Display` is a sentence for a
    /// log.
    #[must_use]
    pub fn events(&self) -> Events {
        let id = self.0.with(Hub::listen);
        Events::new(Arc::clone(&self.0), id)
    }

    /// Ends the stream. Returns at once; the driver returns when the connection is closed.
    pub fn shutdown(&self) {
        self.0.with(Hub::shut_down);
    }
}

/// The connection, as far as there is one.
enum Link<C> {
    None,
    Opening(Work<Result<Socket<C>, Failure>>),
    Open(Box<Socket<C>>),
    Broken(Failure),
}

impl<C: AsyncRead + AsyncWrite + Unpin> Link<C> {
    /// Looks what became of the connection. What is left of one that is over is to be closed.
    fn poll(&mut self, task: &mut TaskContext<'_>) -> Poll<(Input, Option<Box<Socket<C>>>)> {
        let (next, input) = match std::mem::replace(self, Self::None) {
            Self::None => return Poll::Pending,
            Self::Broken(failure) => (Self::None, Input::Failed(failure)),
            Self::Opening(mut opening) => match opening.as_mut().poll(task) {
                Poll::Ready(Ok(socket)) => (Self::Open(Box::new(socket)), Input::Opened),
                Poll::Ready(Err(failure)) => (Self::None, Input::Failed(failure)),
                Poll::Pending => {
                    *self = Self::Opening(opening);
                    return Poll::Pending;
                }
            },
            Self::Open(mut socket) => match socket.poll(task) {
                Poll::Ready(Received::Frame(bytes)) => (Self::Open(socket), Input::Frame(bytes)),
                Poll::Ready(Received::Closed(code)) => return Poll::Ready((Input::Closed(code), Some(socket))),
                Poll::Ready(Received::Failed(failure)) => (Self::None, Input::Failed(failure)),
                Poll::Pending => {
                    *self = Self::Open(socket);
                    return Poll::Pending;
                }
            },
        };
        *self = next;
        Poll::Ready((input, None))
    }
}

async fn drive<T: Upgrade + 'static>(client: &Client<T>, shared: &Shared) {
    let (transport, handle) = (&client.shared.transport, &client.shared.handle);
    let (mut link, mut actions) = (Link::None, Vec::<Work<()>>::new());
    let closing = |socket: Box<Socket<T::Connection>>| -> Work<()> {
        let transport = Arc::clone(transport);
        Box::pin(async move { socket.close(&*transport).await })
    };
    loop {
        let view = handle.view();
        let at = loop {
            let now = handle.now();
            let output = shared.with(|hub| hub.poll_output(&mut Context::new(now, &mut OsEntropy), &view));
            match output {
                Output::Open(request) => {
                    let transport = Arc::clone(transport);
                    link = Link::Opening(Box::pin(async move { Socket::open(&*transport, request).await }));
                }
                Output::Send(text) => {
                    if let Link::Open(socket) = &mut link {
                        if let Err(failure) = socket.send(&text) {
                            link = Link::Broken(failure);
                        }
                    }
                }
                Output::Close => {
                    if let Link::Open(socket) = std::mem::replace(&mut link, Link::None) {
                        actions.push(closing(socket));
                    }
                }
                Output::Tickle => handle.tickle(),
                Output::Request(request) if actions.len() < ACTIONS => {
                    let client = client.clone();
                    actions.push(Box::pin(async move { drop(client.request(request).await) }));
                }
                Output::Timeout { at } => break Some(at),
                Output::Finished => break None,
                // Messages and events went to those who wait for them.
                _ => {}
            }
        };
        let Some(at) = at else { break };
        let wait = at.saturating_duration_since(handle.now());
        let (mut timer, mut news) = (pin!(transport.sleep(wait)), pin!(handle.news(&view)));
        let input = poll_fn(|task| {
            actions.retain_mut(|action| action.as_mut().poll(task).is_pending());
            // What has come goes before a timeout.
            if !shared.is_full() {
                if let Poll::Ready((input, over)) = link.poll(task) {
                    actions.extend(over.map(closing));
                    return Poll::Ready(input);
                }
            }
            if shared.poll_changed(task).is_ready() || news.as_mut().poll(task).is_ready() {
                return Poll::Ready(Input::Timeout);
            }
            timer.as_mut().poll(task).map(|()| Input::Timeout)
        });
        let input = input.await;
        let now = handle.now();
        shared.with(|hub| hub.handle_input(&mut Context::new(now, &mut OsEntropy), input));
    }
    // The last connection is closed in order.
    poll_fn(|task| {
        actions.retain_mut(|action| action.as_mut().poll(task).is_pending());
        if actions.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
