//! What 429s have taught.

use std::{collections::BTreeMap, time::Duration};

use crate::context::Timestamp;

/// How long a path waits at the first 429 without a `Retry-After`.
const FIRST: Duration = Duration::from_secs(60);
/// The longest that it waits, as in the broker's penalty box.
const LONGEST: Duration = Duration::from_secs(900);
/// The longest `Retry-After` that is followed.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);
/// How long after its wait a 429 is remembered, so that the next one makes it longer.
const MEMORY: Duration = Duration::from_secs(3600);
/// The most paths that are remembered.
const PATHS: usize = 64;

#[derive(Default)]
pub(super) struct Learned {
    everything: Option<Timestamp>,
    paths: BTreeMap<String, Lesson>,
}

struct Lesson {
    until: Timestamp,
    wait: Duration,
}

impl Learned {
    pub(super) fn too_many(&mut self, now: Timestamp, key: &str, retry_after: Option<Duration>) {
        if let Some(asked) = retry_after {
            let until = now.saturating_add(asked.min(LONGEST_ASKED));
            self.everything = self.everything.max(Some(until));
            return;
        }
        self.paths.retain(|_, lesson| lesson.until.saturating_add(MEMORY) > now);
        match self.paths.get_mut(key) {
            // Several that were under way at once are one event.
            Some(lesson) if lesson.until > now => {}
            Some(lesson) => {
                lesson.wait = lesson.wait.saturating_mul(2).min(LONGEST);
                lesson.until = now.saturating_add(lesson.wait);
            }
            None => {
                if self.paths.len() >= PATHS {
                    let first = self.paths.iter().min_by_key(|(_, lesson)| lesson.until).map(|(key, _)| key.clone());
                    first.map(|key| self.paths.remove(&key));
                }
                self.paths.insert(key.to_owned(), Lesson { until: now.saturating_add(FIRST), wait: FIRST });
            }
        }
    }

    pub(super) fn free_at(&self, key: &str) -> Option<Timestamp> {
        self.everything.max(self.paths.get(key).map(|lesson| lesson.until))
    }

    pub(super) fn closed_until(&self) -> Option<Timestamp> {
        self.everything
    }

    pub(super) fn step_back(&mut self, by: Duration) {
        self.everything = self.everything.map(|until| until.saturating_sub(by));
        for lesson in self.paths.values_mut() {
            lesson.until = lesson.until.saturating_sub(by);
        }
    }
}
