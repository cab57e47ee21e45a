//! What those hold who read messages and events.

use std::{future::poll_fn, sync::Arc};

use super::hub::Shared;
use crate::stream::{Message, StreamEvent};

/// The messages of one topic, or of several. From [`StreamHandle::subscribe`](super::StreamHandle::subscribe). Dropped, it
/// ends the subscription, if it was the last of its topic.
///
/// Of a line of market data at most 64 messages wait: beyond that they are joined, each field with its latest value, so that who reads
/// slowly reads what is true now. All other messages are kept, whole and in order; where 10,000 of one subscription wait,
/// nothing more is read from the broker until some are read here. After 25 s of that the connection counts as lost, and that
/// is an event.
#[derive(Debug)]
#[must_use = "a subscription ends when it is dropped"]
pub struct Subscription {
    shared: Arc<Shared>,
    id: u64,
}

impl Subscription {
    pub(super) fn new(shared: Arc<Shared>, id: u64) -> Self {
        Self { shared, id }
    }

    /// The next message; `None` when the stream has ended. Dropping the future is safe.
    pub async fn next(&mut self) -> Option<Message> {
        poll_fn(|task| {
            let waker = task.waker().clone();
            self.shared.with(|hub| hub.poll_message(self.id, waker))
        })
        .await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared.with(|hub| hub.unsubscribe(self.id));
    }
}

/// What happens to a stream. From [`StreamHandle::events`](super::StreamHandle::events).
#[derive(Debug)]
pub struct Events {
    shared: Arc<Shared>,
    id: u64,
}

impl Events {
    pub(super) fn new(shared: Arc<Shared>, id: u64) -> Self {
        Self { shared, id }
    }

    /// The next event; `None` when the stream has ended. Dropping the future is safe.
    pub async fn next(&mut self) -> Option<StreamEvent> {
        poll_fn(|task| {
            let waker = task.waker().clone();
            self.shared.with(|hub| hub.poll_event(self.id, waker))
        })
        .await
    }

    /// How many events were dropped, the oldest first, because more than 4,096 waited.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.shared.with(|hub| hub.missed(self.id))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.shared.with(|hub| hub.leave(self.id));
    }
}
