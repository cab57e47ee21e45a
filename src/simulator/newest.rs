//! What is remembered of the past: a bounded number of the newest.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, VecDeque},
};

/// How many refusals, accepted requests, nonces and request tokens are remembered.
pub(super) const REMEMBERED: usize = 4096;

/// A map that forgets its oldest keys.
#[derive(Debug)]
pub(super) struct Newest<K, V> {
    known: BTreeMap<K, V>,
    /// The keys, the oldest first.
    order: VecDeque<K>,
}

impl<K: Clone + Ord, V> Newest<K, V> {
    /// Returns the key that is forgotten for this one.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<K> {
        if self.known.insert(key.clone(), value).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() <= REMEMBERED {
            return None;
        }
        let oldest = self.order.pop_front()?;
        self.known.remove(&oldest);
        Some(oldest)
    }

    pub(super) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.known.get(key)
    }

    pub(super) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.known.get_mut(key)
    }
}

impl<K, V> Default for Newest<K, V> {
    fn default() -> Self {
        Self { known: BTreeMap::new(), order: VecDeque::new() }
    }
}

/// Pushes onto a queue of limited length. Where it is full, it drops its oldest, and returns that.
pub(super) fn push_newest<T>(queue: &mut VecDeque<T>, item: T, most: usize) -> Option<T> {
    let forgotten = if queue.len() >= most { queue.pop_front() } else { None };
    queue.push_back(item);
    forgotten
}
