//! The memory in which signatures are made, kept from one to the next.

use std::cell::Cell;

use super::pairs::Pairs;

/// Memory for one signature after another: once it is as large as the requests need, no signature allocates any.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) base_string: Vec<u8>,
    pub(super) header: Vec<u8>,
    pub(super) pairs: Pairs,
}

impl Scratch {
    pub(super) fn clear(&mut self) {
        self.base_string.clear();
        self.header.clear();
    }

    fn capacity(&self) -> usize {
        self.base_string.capacity().saturating_add(self.header.capacity()).saturating_add(self.pairs.capacity())
    }
}

/// More memory than this is not kept: one huge form must not cost each thread its size for ever.
const MOST_KEPT: usize = 64 * 1024;

thread_local! {
    static KEPT: Cell<Scratch> = Cell::default();
}

/// Lends this thread's scratch.
///
/// It is taken away meanwhile, so that code that signs from within a signature, such as an `Entropy` that asks a
/// server, gets a new one.
pub(super) fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    // A thread that is being torn down has none left.
    let mut scratch = KEPT.try_with(Cell::take).unwrap_or_default();
    let result = work(&mut scratch);
    if scratch.capacity() <= MOST_KEPT {
        let _ = KEPT.try_with(|kept| kept.set(scratch));
    }
    result
}
