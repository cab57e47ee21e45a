//! The heap of C, which no allocator of Rust's sees: `malloc` and `free` of the whole program, in the place of glibc's.
//!
//! While a thread records, no block that it frees goes back to the system, and each block that it gets is zeroed, so that
//! nothing of an earlier one is in it.

use std::{
    cell::Cell,
    ffi::c_void,
    ptr, slice,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::SeqCst},
};

use ibkr_oauth_wiped::Marker;

const MOST_BLOCKS: usize = 1 << 18;

struct Slot {
    start: AtomicPtr<u8>,
    size: AtomicUsize,
    is_freed: AtomicBool,
}

static SLOTS: [Slot; MOST_BLOCKS] = [const {
    Slot { start: AtomicPtr::new(ptr::null_mut()), size: AtomicUsize::new(0), is_freed: AtomicBool::new(false) }
}; MOST_BLOCKS];
static USED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static RECORDS: Cell<bool> = const { Cell::new(false) };
}

fn records() -> bool {
    RECORDS.try_with(Cell::get).unwrap_or(false)
}

unsafe extern "C" {
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_free(block: *mut c_void);
    fn malloc_usable_size(block: *mut c_void) -> usize;
}

/// # Safety
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
    let block = unsafe { __libc_malloc(size) };
    if !block.is_null() && records() {
        // SAFETY: the block is new, and this long.
        let size = unsafe { malloc_usable_size(block) };
        unsafe { ptr::write_bytes(block.cast::<u8>(), 0, size) };
        let index = USED.fetch_add(1, SeqCst);
        assert!(index < MOST_BLOCKS, "too many blocks to keep");
        SLOTS[index].size.store(size, SeqCst);
        SLOTS[index].start.store(block.cast(), SeqCst);
    }
    block
}

/// # Safety
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free(block: *mut c_void) {
    if !block.is_null() && records() {
        let used = USED.load(SeqCst).min(MOST_BLOCKS);
        let slot = SLOTS[..used]
            .iter()
            .rev()
            .find(|slot| slot.start.load(SeqCst) == block.cast() && !slot.is_freed.load(SeqCst));
        if let Some(slot) = slot {
            return slot.is_freed.store(true, SeqCst);
        }
    }
    unsafe { __libc_free(block) }
}

/// Does this while the heap of C is watched. What it frees is kept for good.
pub(crate) fn record<T>(work: impl FnOnce() -> T) -> T {
    RECORDS.set(true);
    let result = work();
    RECORDS.set(false);
    result
}

/// In how many blocks a part of the secret is, of those that are in use, or of those that were freed.
pub(crate) fn count(marker: &Marker, are_freed: bool) -> usize {
    let used = USED.load(SeqCst);
    let blocks = SLOTS[..used].iter().filter(|slot| slot.is_freed.load(SeqCst) == are_freed);
    let found = blocks.filter(|slot| {
        // SAFETY: a block in use is its owner's, who does nothing now, and a freed one is kept.
        marker.is_in(unsafe { slice::from_raw_parts(slot.start.load(SeqCst), slot.size.load(SeqCst)) })
    });
    found.count()
}
