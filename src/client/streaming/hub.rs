//! What the handles of a stream and its driver share.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
    task::{Context as TaskContext, Poll, Waker},
};

use super::inbox::Inbox;
use crate::{
    context::Context,
    error::Error,
    session::SessionView,
    stream::{Input, Message, Output, Stream, StreamEvent, Topic},
};

/// How many events may wait for one who listens. A day has fewer.
const EVENTS: usize = 4096;

/// The hub behind its lock.
#[derive(Debug)]
pub(super) struct Shared(Mutex<Hub>);

impl Shared {
    pub(super) fn new(hub: Hub) -> Self {
        Self(Mutex::new(hub))
    }

    /// Does something to the hub, and wakes whom that concerns when it is unlocked again: wakers are other people's code.
    /// A panic elsewhere leaves the content whole: each change of it is one call.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut Hub) -> R) -> R {
        let mut hub = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let result = work(&mut hub);
        let mut wakers = std::mem::take(&mut hub.wakers);
        if hub.is_changed {
            wakers.extend(hub.driver.take());
        }
        drop(hub);
        wakers.into_iter().for_each(Waker::wake);
        result
    }

    /// Whether somebody has so much unread that no more is to be read.
    pub(super) fn is_full(&self) -> bool {
        self.with(|hub| hub.inboxes.values().any(Inbox::is_full))
    }

    /// Whether a handle wants something of the driver.
    pub(super) fn poll_changed(&self, task: &TaskContext<'_>) -> Poll<()> {
        let waker = task.waker().clone();
        let before = self.with(|hub| {
            if std::mem::take(&mut hub.is_changed) {
                return Err(());
            }
            Ok(hub.driver.replace(waker))
        });
        if before.is_err() { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// The stream, who waits for its messages, and who for its events.
pub(super) struct Hub {
    stream: Stream,
    inboxes: BTreeMap<u64, Inbox>,
    listeners: BTreeMap<u64, Listener>,
    ids: u64,
    driver: Option<Waker>,
    /// Whom to wake.
    wakers: Vec<Waker>,
    /// A handle did something that the driver has not seen yet.
    is_changed: bool,
    ends: bool,
    is_closed: bool,
}

debug_fields!(Hub { stream });

#[derive(Default)]
struct Listener {
    events: VecDeque<StreamEvent>,
    missed: u64,
    waker: Option<Waker>,
}

impl Hub {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            inboxes: BTreeMap::new(),
            listeners: BTreeMap::new(),
            ids: 0,
            driver: None,
            wakers: Vec::new(),
            is_changed: false,
            ends: false,
            is_closed: false,
        }
    }

    fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    pub(super) fn subscribe(&mut self, topics: &[Topic]) -> Result<u64, Error> {
        for (count, topic) in topics.iter().enumerate() {
            if let Err(error) = self.stream.subscribe(topic) {
                // All or none.
                topics.iter().take(count).for_each(|topic| self.stream.unsubscribe(topic));
                return Err(error);
            }
        }
        self.is_changed = true;
        let id = self.id();
        self.inboxes.insert(id, Inbox::new(topics.to_vec()));
        Ok(id)
    }

    pub(super) fn unsubscribe(&mut self, id: u64) {
        if let Some(inbox) = self.inboxes.remove(&id) {
            inbox.topics.iter().for_each(|topic| self.stream.unsubscribe(topic));
            self.is_changed = true;
            self.wakers.extend(inbox.waker);
        }
    }

    pub(super) fn listen(&mut self) -> u64 {
        let id = self.id();
        self.listeners.insert(id, Listener::default());
        id
    }

    pub(super) fn leave(&mut self, id: u64) {
        if let Some(listener) = self.listeners.remove(&id) {
            self.wakers.extend(listener.waker);
        }
    }

    pub(super) fn shut_down(&mut self) {
        self.ends = true;
        self.is_changed = true;
    }

    /// Nobody drives the stream any more.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        let inboxes = self.inboxes.values_mut().filter_map(|inbox| inbox.waker.take());
        let listeners = self.listeners.values_mut().filter_map(|listener| listener.waker.take());
        self.wakers.extend(inboxes.chain(listeners));
    }

    pub(super) fn handle_input(&mut self, cx: &mut Context<'_>, input: Input) {
        if std::mem::take(&mut self.ends) {
            self.stream.handle_input(cx, Input::Shutdown);
        }
        self.stream.handle_input(cx, input);
    }

    /// What the stream wants of its driver; messages and events are handed on here.
    pub(super) fn poll_output(&mut self, cx: &mut Context<'_>, view: &SessionView) -> Output {
        loop {
            match self.stream.poll_output(cx, view) {
                Output::Message(message) => self.deliver(&message),
                Output::Event(event) => self.tell(&event),
                output => return output,
            }
        }
    }

    fn deliver(&mut self, message: &Message) {
        for inbox in self.inboxes.values_mut().filter(|inbox| inbox.wants(&message.topic)) {
            inbox.push(message.clone());
            self.wakers.extend(inbox.waker.take());
        }
    }

    fn tell(&mut self, event: &StreamEvent) {
        for listener in self.listeners.values_mut() {
            if listener.events.len() >= EVENTS {
                listener.events.pop_front();
                listener.missed = listener.missed.saturating_add(1);
            }
            listener.events.push_back(event.clone());
            self.wakers.extend(listener.waker.take());
        }
    }

    pub(super) fn poll_message(&mut self, id: u64, waker: Waker) -> Poll<Option<Message>> {
        let Some(inbox) = self.inboxes.get_mut(&id) else { return Poll::Ready(None) };
        let was_full = inbox.is_full();
        if let Some(message) = inbox.pop() {
            self.is_changed |= was_full;
            return Poll::Ready(Some(message));
        }
        if self.is_closed {
            return Poll::Ready(None);
        }
        inbox.waker = Some(waker);
        Poll::Pending
    }

    pub(super) fn poll_event(&mut self, id: u64, waker: Waker) -> Poll<Option<StreamEvent>> {
        let Some(listener) = self.listeners.get_mut(&id) else { return Poll::Ready(None) };
        if let Some(event) = listener.events.pop_front() {
            return Poll::Ready(Some(event));
        }
        if self.is_closed {
            return Poll::Ready(None);
        }
        listener.waker = Some(waker);
        Poll::Pending
    }

    pub(super) fn missed(&self, id: u64) -> u64 {
        self.listeners.get(&id).map_or(0, |listener| listener.missed)
    }
}
