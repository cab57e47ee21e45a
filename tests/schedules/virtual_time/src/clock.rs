//! The time, who runs, and who waits for a moment.

use std::{
    cell::RefCell,
    mem::ManuallyDrop,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
    time::Duration,
};

use shuttle::{
    rand::{Rng, thread_rng},
    thread::{self, Thread},
};

use crate::alarm::Sleep;

std::thread_local! {
    // Shuttle runs all threads of a schedule on one thread of the system, and switches only where its own functions are
    // called: never while this is borrowed.
    // What a schedule that failed has left refers to threads that are no more, and is dropped by nobody.
    static WORLD: RefCell<ManuallyDrop<World>> = RefCell::default();
}

#[derive(Default)]
struct World {
    now: Duration,
    /// Threads that do not wait for another or for a moment.
    running: usize,
    alarms: Vec<Alarm>,
    numbers: u64,
    is_slow: bool,
}

struct Alarm {
    number: u64,
    at: Duration,
    rings: Rings,
}

enum Rings {
    Thread(Arc<Waiter>),
    Task(Waker),
}

/// A thread that waits for another, or for a moment.
pub(crate) struct Waiter {
    thread: Thread,
    is_woken: AtomicBool,
    /// It does not count as running.
    is_idle: AtomicBool,
}

/// Begins a schedule, in which one thread runs.
pub(crate) fn begin(is_slow: bool) {
    WORLD.set(ManuallyDrop::new(World { running: 1, is_slow, ..World::default() }));
}

/// How much time has passed since the schedule began.
#[must_use]
pub fn now() -> Duration {
    WORLD.with_borrow(|world| world.now)
}

/// Waits, as a future.
#[must_use]
pub fn sleep(time: Duration) -> Sleep {
    Sleep::until(WORLD.with_borrow(|world| world.now.saturating_add(time)))
}

fn is_slow_now() -> bool {
    WORLD.with_borrow(|world| world.is_slow && !world.alarms.is_empty()) && thread_rng().gen_ratio(1, 8)
}

/// Takes some time, on a slow machine and now and then. No lock must be held: what waits for the time is woken from here.
pub(crate) fn dawdle() {
    if is_slow_now() {
        ring_next();
    }
}

/// Lets the time pass until the next alarm.
fn ring_next() {
    let due = WORLD.with_borrow_mut(|world| {
        let next = world.alarms.iter().map(|alarm| alarm.at).min().unwrap_or_default();
        world.now = world.now.max(next);
        let now = world.now;
        world.alarms.extract_if(.., |alarm| alarm.at <= now).collect::<Vec<_>>()
    });
    for alarm in due {
        match alarm.rings {
            Rings::Thread(waiter) => waiter.wake(),
            Rings::Task(waker) => waker.wake(),
        }
    }
}

/// Whether this thread alone is running, and time may pass for others.
fn must_ring() -> bool {
    WORLD.with_borrow(|world| world.running == 1 && !world.alarms.is_empty())
}

/// One thread more runs.
pub(crate) fn enter() {
    WORLD.with_borrow_mut(|world| world.running += 1);
}

/// This thread runs no more.
pub(crate) fn leave() {
    while must_ring() {
        ring_next();
    }
    WORLD.with_borrow_mut(|world| world.running -= 1);
}

/// Sets an alarm that wakes a task, in place of the one of this number.
pub(crate) fn set(number: Option<u64>, at: Duration, waker: Waker) -> u64 {
    let (number, before) = add(number, at, Rings::Task(waker));
    drop(before);
    number
}

fn add(number: Option<u64>, at: Duration, rings: Rings) -> (u64, Vec<Alarm>) {
    WORLD.with_borrow_mut(|world| {
        let number = number.unwrap_or_else(|| {
            world.numbers += 1;
            world.numbers
        });
        let before = world.alarms.extract_if(.., |alarm| alarm.number == number).collect();
        world.alarms.push(Alarm { number, at, rings });
        (number, before)
    })
}

pub(crate) fn unset(number: u64) {
    let before: Vec<_> =
        WORLD.with_borrow_mut(|world| world.alarms.extract_if(.., |alarm| alarm.number == number).collect());
    drop(before);
}

impl Waiter {
    pub(crate) fn new() -> Arc<Self> {
        let (is_woken, is_idle) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { thread: thread::current(), is_woken, is_idle })
    }

    pub(crate) fn wake(&self) {
        if self.is_woken.swap(true, Ordering::SeqCst) {
            return;
        }
        if self.is_idle.swap(false, Ordering::SeqCst) {
            enter();
        }
        self.thread.unpark();
    }

    /// Waits until it is woken, or this time has passed. No other thread runs before it waits.
    pub(crate) fn wait(self: &Arc<Self>, timeout: Option<Duration>) {
        let at = timeout.map(|timeout| WORLD.with_borrow(|world| world.now.saturating_add(timeout)));
        let alarm = at.map(|at| add(None, at, Rings::Thread(Arc::clone(self))).0);
        while !self.is_woken.load(Ordering::SeqCst) && (must_ring() || is_slow_now()) {
            ring_next();
        }
        if !self.is_woken.load(Ordering::SeqCst) {
            self.is_idle.store(true, Ordering::SeqCst);
            WORLD.with_borrow_mut(|world| world.running -= 1);
            while !self.is_woken.load(Ordering::SeqCst) {
                thread::park();
            }
        }
        if let Some(alarm) = alarm {
            unset(alarm);
        }
    }
}
