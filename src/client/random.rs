//! The random bytes of signatures: the system's, drawn many at a time, since a system call for each request is a noticeable
//! part of it.

use std::cell::RefCell;

use crate::context::{Context, Entropy, EntropyError, OsEntropy, Timestamp};

/// How many bytes are drawn at a time.
const DRAWN: usize = 1024;

thread_local! {
    static RANDOM: RefCell<Random> = const { RefCell::new(Random::NONE) };
}

/// Bytes of the system's. Each is given out once.
struct Random {
    bytes: [u8; DRAWN],
    used: usize,
    /// The process that drew them: a child that it forks has a copy.
    process: u32,
}

/// Does the work with this thread's random bytes, at this time.
pub(super) fn with<T>(now: Timestamp, work: impl FnOnce(&mut Context<'_>) -> T) -> T {
    RANDOM.with(|random| match random.try_borrow_mut() {
        Ok(mut random) => work(&mut Context::new(now, &mut *random)),
        // A subscriber of `tracing` may send a request while it handles the events of another.
        Err(_) => work(&mut Context::new(now, &mut OsEntropy)),
    })
}

impl Random {
    const NONE: Self = Self { bytes: [0; DRAWN], used: DRAWN, process: 0 };

    fn fill_in(&mut self, process: u32, destination: &mut [u8]) -> Result<(), EntropyError> {
        let wanted = destination.len();
        if wanted > DRAWN {
            return OsEntropy.fill(destination);
        }
        if self.process != process || DRAWN.saturating_sub(self.used) < wanted {
            // None of what was there before is used if this fails.
            self.used = DRAWN;
            OsEntropy.fill(&mut self.bytes)?;
            (self.used, self.process) = (0, process);
        }
        for (to, from) in destination.iter_mut().zip(self.bytes.iter_mut().skip(self.used)) {
            *to = std::mem::take(from);
        }
        self.used = self.used.saturating_add(wanted);
        Ok(())
    }
}

impl Entropy for Random {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        self.fill_in(std::process::id(), destination)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_bytes_are_given_out_twice() {
        let mut random = Random::NONE;
        let mut seen = BTreeSet::new();
        for _ in 0..1000 {
            let mut bytes = [0; 24];
            random.fill(&mut bytes).unwrap();
            assert!(seen.insert(bytes));
            assert!(random.bytes.iter().take(random.used).all(|byte| *byte == 0), "they are gone from here");
        }
        let mut long = vec![0; 3 * DRAWN];
        random.fill(&mut long).unwrap();
        assert!(long.chunks(24).all(|bytes| bytes.iter().any(|byte| *byte != 0)));
    }

    #[test]
    fn a_child_process_draws_its_own() {
        let mut random = Random::NONE;
        random.fill_in(1, &mut [0; 24]).unwrap();
        let mut child = Random { ..random };
        let (mut by_parent, mut by_child) = ([0; 24], [0; 24]);
        random.fill_in(1, &mut by_parent).unwrap();
        child.fill_in(2, &mut by_child).unwrap();
        assert_ne!(by_parent, by_child);
    }

    #[test]
    fn work_within_work_has_bytes_of_its_own() {
        let draw = |cx: &mut Context<'_>| {
            let mut bytes = [0; 24];
            cx.entropy().fill(&mut bytes).unwrap();
            bytes
        };
        let now = Timestamp::from_secs(0);
        let (outer, inner) = with(now, |cx| (draw(cx), with(now, draw)));
        assert_ne!(outer, inner);
    }
}
