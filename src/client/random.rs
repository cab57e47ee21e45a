//! The random bytes of signatures: the system's, drawn many at a time, since a system call for each request is a noticeable
//! part of it.

use std::cell::RefCell;

use crate::context::{Context, Entropy, EntropyError, OsEntropy, Timestamp};

/// How many bytes are drawn at a time.
const DRAWN: usize = 1024;

thread_local! {
    static RANDOM: RefCell<Random> = const { RefCell::new(Random { bytes: [0; DRAWN], used: DRAWN }) };
}

/// Bytes of the system's. Each is given out once.
struct Random {
    bytes: [u8; DRAWN],
    used: usize,
}

/// Works with this thread's, at this moment.
pub(super) fn with<T>(now: Timestamp, work: impl FnOnce(&mut Context<'_>) -> T) -> T {
    RANDOM.with_borrow_mut(|random| work(&mut Context::new(now, random)))
}

impl Entropy for Random {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        let wanted = destination.len();
        if wanted > DRAWN {
            return OsEntropy.fill(destination);
        }
        if DRAWN.saturating_sub(self.used) < wanted {
            // None of what was there before is used if this fails.
            self.used = DRAWN;
            OsEntropy.fill(&mut self.bytes)?;
            self.used = 0;
        }
        for (to, from) in destination.iter_mut().zip(self.bytes.iter_mut().skip(self.used)) {
            *to = std::mem::take(from);
        }
        self.used = self.used.saturating_add(wanted);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_bytes_are_given_out_twice() {
        let mut random = Random { bytes: [0; DRAWN], used: DRAWN };
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
}
