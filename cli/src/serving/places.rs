//! The places of the connections that are open.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::Notify;

/// The turn of a connection that answers a request.
const ANSWERING: u64 = 0;
/// The turn of a connection that has to make room.
const SENT_AWAY: u64 = u64::MAX;

/// The places of the connections that are open: a bounded number.
///
/// A connection waits for a request or answers one. Where all places are taken, the one that has waited longest makes
/// room: whoever means to ask does so at once, and whoever wants to keep others out does not.
pub(super) struct Places {
    most: usize,
    taken: Mutex<Vec<Arc<Seat>>>,
    /// The turn of the wait that began last.
    last_turn: AtomicU64,
    /// One is free, or waits again.
    changed: Notify,
}

/// The place of one connection, which it leaves when this is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    seat: Arc<Seat>,
}

struct Seat {
    /// When it began to wait, among all waits. Its connection alone changes that, but for [`SENT_AWAY`].
    turn: AtomicU64,
    sent_away: Notify,
}

impl Places {
    pub(super) fn new(most: usize) -> Self {
        Self { most, taken: Mutex::default(), last_turn: AtomicU64::new(0), changed: Notify::new() }
    }

    fn taken(&self) -> MutexGuard<'_, Vec<Arc<Seat>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_turn(&self) -> u64 {
        self.last_turn.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Returns when there is room for one more.
    pub(super) async fn room(&self) {
        loop {
            let changed = self.changed.notified();
            if self.makes_room() {
                return;
            }
            changed.await;
        }
    }

    fn makes_room(&self) -> bool {
        let taken = self.taken();
        if taken.iter().filter(|seat| seat.turn() != SENT_AWAY).count() < self.most {
            return true;
        }
        loop {
            let waiting = taken.iter().map(|seat| (seat.turn(), seat));
            let waiting = waiting.filter(|(turn, _)| *turn != ANSWERING && *turn != SENT_AWAY);
            let Some((turn, oldest)) = waiting.min_by_key(|(turn, _)| *turn) else { return false };
            // Unless its request has just come.
            if oldest.change(turn, SENT_AWAY) {
                oldest.sent_away.notify_one();
                return true;
            }
        }
    }

    /// Returns when nobody is left.
    pub(super) async fn empty(&self) {
        loop {
            let changed = self.changed.notified();
            if self.taken().is_empty() {
                return;
            }
            changed.await;
        }
    }

    pub(super) fn enter(self: &Arc<Self>) -> Arc<Place> {
        let seat = Arc::new(Seat { turn: AtomicU64::new(self.next_turn()), sent_away: Notify::new() });
        self.taken().push(Arc::clone(&seat));
        Arc::new(Place { places: Arc::clone(self), seat })
    }
}

impl Seat {
    fn turn(&self) -> u64 {
        self.turn.load(Ordering::Acquire)
    }

    fn change(&self, from: u64, to: u64) -> bool {
        self.turn.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Changes the turn, unless the connection has to make room.
    fn turn_to(&self, turn: u64) {
        let before = self.turn();
        if before != SENT_AWAY {
            // Fails only where it was sent away just now.
            self.change(before, turn);
        }
    }
}

impl Place {
    /// The request is there, whole.
    pub(super) fn answers(&self) {
        self.seat.turn_to(ANSWERING);
    }

    /// The answer is made.
    pub(super) fn waits(&self) {
        self.seat.turn_to(self.places.next_turn());
        self.places.changed.notify_waiters();
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.seat.turn() != ANSWERING
    }

    /// Returns when this connection has to make room.
    pub(super) async fn sent_away(&self) {
        self.seat.sent_away.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().retain(|seat| !Arc::ptr_eq(seat, &self.seat));
        self.places.changed.notify_waiters();
    }
}
