//! The locks between a driver and its handles: the standard library's, or those with which `tests/schedules`, which alone
//! sets this `cfg`, runs through many schedules of the threads.

#[cfg(not(schedules))]
pub(super) use std::sync::{Condvar, Mutex, MutexGuard};

#[cfg(schedules)]
pub(super) use virtual_time::{Condvar, Mutex, MutexGuard};
