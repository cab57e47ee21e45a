//! A heap that keeps what was freed, to look for secrets in it.
//!
//! While a thread [records](Heap::record), no block that it frees goes back to the system: each stays as it was in the
//! moment of its end, to be searched. Growing moves a block always, so that what a reallocation leaves behind is found
//! too. Not watched are other threads, the stack, and what is [paused](Heap::pause) for: the broker's half of a handshake.
//!
//! With `WIPED_BACKTRACE=1` a failing test tells where the blocks in question were allocated.

#![warn(missing_docs)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    backtrace::Backtrace,
    cell::{Cell, RefCell},
    slice,
};

mod hmac;
mod key_material;
mod marker;

pub use self::{
    hmac::{advanced_state, hmac_states},
    key_material::rsa_key,
    marker::Marker,
};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

struct Allocator;

struct Block {
    start: *mut u8,
    layout: Layout,
    origin: Option<Backtrace>,
}

#[derive(Default)]
struct Record {
    live: Vec<Block>,
    freed: Vec<Block>,
    with_origins: bool,
    paused: bool,
}

thread_local! {
    static RECORD: Cell<Option<&'static RefCell<Record>>> = const { Cell::new(None) };
}

/// What this thread records, unless the allocation is the record's own.
fn with_record<T>(work: impl FnOnce(&mut Record) -> T) -> Option<T> {
    let record = RECORD.try_with(Cell::get).ok().flatten()?;
    let mut record = record.try_borrow_mut().ok()?;
    Some(work(&mut record))
}

// SAFETY: every block is the system's, with the layout that was asked for, and goes back to it once at most.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeroed, so that nothing in it is of an earlier block, and all of it may be read.
        let start = unsafe { System.alloc_zeroed(layout) };
        if !start.is_null() {
            with_record(|record| {
                if !record.paused {
                    let origin = record.with_origins.then(Backtrace::force_capture);
                    record.live.push(Block { start, layout, origin });
                }
            });
        }
        start
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        let is_kept = with_record(|record| {
            let place = record.live.iter().rposition(|block| block.start == start);
            let block = place.map_or(Block { start, layout, origin: None }, |place| record.live.swap_remove(place));
            if !record.paused {
                record.freed.push(block);
            }
            !record.paused
        });
        if is_kept != Some(true) {
            unsafe { System.dealloc(start, layout) }
        }
    }
}

/// The heap of this thread, from here on.
pub struct Heap(&'static RefCell<Record>);

impl Heap {
    /// Starts to keep what this thread frees.
    #[must_use]
    #[allow(
        clippy::disallowed_methods,
        clippy::disallowed_types,
        clippy::print_stdout,
        clippy::print_stderr,
        reason = "the library reads no environment, its test does"
    )]
    pub fn record() -> Self {
        let with_origins = std::env::var_os("WIPED_BACKTRACE").is_some();
        let record = Box::leak(Box::new(RefCell::new(Record { with_origins, ..Record::default() })));
        assert!(RECORD.replace(Some(record)).is_none(), "this thread records already");
        Self(record)
    }

    /// Does what is not to be watched: the other side's work.
    pub fn pause<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.borrow_mut().paused = true;
        let result = work();
        self.0.borrow_mut().paused = false;
        result
    }

    /// What is in the blocks now that were allocated since, and are in use.
    #[must_use]
    pub fn held(&self) -> Content {
        Content::copy(&self.0.borrow().live)
    }

    /// Stops, and returns what was in the blocks that were freed since.
    #[must_use]
    pub fn freed(self) -> Content {
        RECORD.set(None);
        let freed = std::mem::take(&mut self.0.borrow_mut().freed);
        let content = Content::copy(&freed);
        for block in freed {
            // SAFETY: its owner gave it back, and it was only kept.
            unsafe { System.dealloc(block.start, block.layout) }
        }
        content
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        RECORD.set(None);
    }
}

/// What was in some blocks of the heap.
///
/// It is never freed: a test's own copies are no finding.
pub struct Content(&'static [(Vec<u8>, Option<String>)]);

impl Content {
    fn copy(blocks: &[Block]) -> Self {
        let copies = blocks.iter().map(|block| {
            // SAFETY: the block is kept, and was zeroed when it was allocated.
            let bytes = unsafe { slice::from_raw_parts(block.start, block.layout.size()) };
            (bytes.to_vec(), block.origin.as_ref().map(Backtrace::to_string))
        });
        Self(Vec::leak(copies.collect()))
    }

    /// How many of the blocks have a part of the secret in them.
    #[must_use]
    pub fn count(&self, marker: &Marker) -> usize {
        self.0.iter().filter(|(bytes, _)| marker.is_in(bytes)).count()
    }

    /// Panics if one of the blocks has a part of the secret in it.
    #[track_caller]
    pub fn assert_without(&self, marker: &Marker) {
        let found: Vec<_> = self.0.iter().filter(|(bytes, _)| marker.is_in(bytes)).collect();
        if found.is_empty() {
            return;
        }
        for (bytes, origin) in &found {
            println!("{} bytes, {}", bytes.len(), origin.as_deref().unwrap_or("of unknown origin: WIPED_BACKTRACE=1"));
        }
        panic!("{} blocks hold parts of the {}", found.len(), marker.name());
    }

    /// Panics if none of the blocks has a part of the secret in it: then a search for it would prove nothing.
    #[track_caller]
    pub fn assert_with(&self, marker: &Marker) {
        assert!(self.count(marker) > 0, "no block holds the {}: what is it that is searched for?", marker.name());
    }
}
