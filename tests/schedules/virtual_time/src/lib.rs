//! Threads, locks and waits whose schedule shuttle chooses, in a time that passes only when every thread waits.
//!
//! Shuttle has no time: its waits with a timeout never time out. Here the earliest of them does as soon as no thread can
//! go on without it, and not before, so that whoever is not woken wakes too late by the clock, or, where he waits without
//! a limit, never: which shuttle reports as a deadlock. On a slow machine time passes while threads run, too.

mod alarm;
mod clock;
mod explore;
mod lock;
mod task;
mod thread;
mod waker;

pub use self::{
    alarm::Sleep,
    clock::{now, sleep},
    explore::{Machine, explore},
    lock::{Condvar, Mutex, MutexGuard},
    task::{Bell, block_on},
    thread::{JoinHandle, pause, spawn},
    waker::{Touched, meddling_waker},
};
