//! Wakers that do something of their own.

use std::{
    mem::ManuallyDrop,
    sync::Arc,
    task::{RawWaker, RawWakerVTable, Waker},
};

/// What was done with a waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    /// It was cloned.
    Cloned,
    /// It was woken.
    Woken,
    /// It was dropped.
    Dropped,
}

type Meddler = Box<dyn Fn(Touched) + Send + Sync>;

/// A waker that calls a function whenever it is cloned, woken or dropped.
pub fn meddling_waker(meddle: impl Fn(Touched) + Send + Sync + 'static) -> Waker {
    let meddler: Arc<Meddler> = Arc::new(Box::new(meddle));
    // SAFETY: the pointer is `Arc::into_raw`'s, each waker owns one count of it, and the functions below take an `Arc` of
    // that type from it; `Meddler` is `Send` and `Sync`.
    unsafe { Waker::from_raw(raw(meddler)) }
}

fn raw(meddler: Arc<Meddler>) -> RawWaker {
    static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, dropped);
    RawWaker::new(Arc::into_raw(meddler).cast(), &TABLE)
}

/// The waker's own count, which stays its own.
///
/// # Safety
/// `data` is [`raw`]'s, and its waker is there as long as what is returned.
unsafe fn borrowed(data: *const ()) -> ManuallyDrop<Arc<Meddler>> {
    ManuallyDrop::new(unsafe { Arc::from_raw(data.cast()) })
}

unsafe fn clone(data: *const ()) -> RawWaker {
    let meddler = unsafe { borrowed(data) };
    meddler(Touched::Cloned);
    raw(Arc::clone(&meddler))
}

unsafe fn wake(data: *const ()) {
    let meddler: Arc<Meddler> = unsafe { Arc::from_raw(data.cast()) };
    meddler(Touched::Woken);
}

unsafe fn wake_by_ref(data: *const ()) {
    let meddler = unsafe { borrowed(data) };
    meddler(Touched::Woken);
}

unsafe fn dropped(data: *const ()) {
    let meddler: Arc<Meddler> = unsafe { Arc::from_raw(data.cast()) };
    meddler(Touched::Dropped);
}
