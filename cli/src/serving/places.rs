//! The places of the connections that are open.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// The places of the connections that are open: a bounded number.
///
/// A connection waits for a request or answers one. Where all places are taken, the one that has waited longest makes
/// room: whoever means to ask does so at once, and whoever wants to keep others out does not.
pub(super) struct Places {
    most: usize,
    taken: Mutex<Taken>,
    /// One is free, or waits again.
    changed: Notify,
}

#[derive(Default)]
struct Taken {
    last: u64,
    /// Those that wait for a request, by when they began to.
    waiting: BTreeMap<u64, Arc<Notify>>,
    answering: usize,
}

/// The place of one connection, which it leaves when this is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    /// `None` while a request is being answered.
    waits_since: Mutex<Option<u64>>,
    sent_away: Arc<Notify>,
}

impl Places {
    pub(super) fn new(most: usize) -> Self {
        Self { most, taken: Mutex::default(), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when there is room for one more.
    pub(super) async fn room(&self) {
        loop {
            let changed = self.changed.notified();
            {
                let mut taken = self.lock();
                if taken.waiting.len().saturating_add(taken.answering) < self.most {
                    return;
                }
                if let Some((_, oldest)) = taken.waiting.pop_first() {
                    oldest.notify_one();
                    return;
                }
            }
            changed.await;
        }
    }

    /// Returns when nobody is left.
    pub(super) async fn empty(&self) {
        loop {
            let changed = self.changed.notified();
            {
                let taken = self.lock();
                if taken.waiting.is_empty() && taken.answering == 0 {
                    return;
                }
            }
            changed.await;
        }
    }

    pub(super) fn enter(self: &Arc<Self>) -> Arc<Place> {
        let sent_away = Arc::new(Notify::new());
        let since = self.lock().wait(Arc::clone(&sent_away));
        Arc::new(Place { places: Arc::clone(self), waits_since: Mutex::new(Some(since)), sent_away })
    }
}

impl Taken {
    fn wait(&mut self, sent_away: Arc<Notify>) -> u64 {
        self.last = self.last.saturating_add(1);
        self.waiting.insert(self.last, sent_away);
        self.last
    }
}

impl Place {
    fn since(&self) -> MutexGuard<'_, Option<u64>> {
        self.waits_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request is there, whole.
    pub(super) fn answers(&self) {
        if let Some(since) = self.since().take() {
            let mut taken = self.places.lock();
            taken.waiting.remove(&since);
            taken.answering = taken.answering.saturating_add(1);
        }
    }

    /// The answer is made.
    pub(super) fn waits(&self) {
        let mut since = self.since();
        let mut taken = self.places.lock();
        match *since {
            // Sent away already.
            Some(before) if taken.waiting.remove(&before).is_none() => return,
            Some(_) => {}
            None => taken.answering = taken.answering.saturating_sub(1),
        }
        *since = Some(taken.wait(Arc::clone(&self.sent_away)));
        drop(taken);
        self.places.changed.notify_waiters();
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.since().is_some()
    }

    /// Returns when this connection has to make room.
    pub(super) async fn sent_away(&self) {
        self.sent_away.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let since = *self.since();
        let mut taken = self.places.lock();
        match since {
            Some(since) => drop(taken.waiting.remove(&since)),
            None => taken.answering = taken.answering.saturating_sub(1),
        }
        drop(taken);
        self.places.changed.notify_waiters();
    }
}
