//! Wakers are other people's code, which may use the handle: none is cloned, woken or dropped under a lock.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use ibkr_oauth::driver::SessionHandle;
use virtual_time::{Bell, Machine, Touched, explore, meddling_waker, spawn};

use crate::stage::{Broker, assert_soon, drive, driver, expect, explore_loops, join_all, refusal_of, run, seconds};

/// All that a handle can do without waiting.
fn meddle(handle: &SessionHandle, speaks: bool) {
    let _ = (handle.snapshot(), handle.now());
    if !speaks {
        return;
    }
    if let Some(token_id) = handle.view().token_id() {
        let _ = handle.report(&refusal_of(token_id, handle.now(), "/portfolio/accounts"));
    }
    handle.retry_now();
    let mut never = pin!(handle.ready(seconds(1000)));
    let _ = never.as_mut().poll(&mut Context::from_waker(Waker::noop()));
}

/// How often wakers were cloned, woken and dropped.
type Counts = [AtomicUsize; 3];

/// A waker that meddles, and rings a bell.
fn meddler(handle: &SessionHandle, bell: &Arc<Bell>, counts: &Arc<Counts>, total: &'static Counts) -> Waker {
    let (handle, bell, counts) = (handle.clone(), Arc::clone(bell), Arc::clone(counts));
    meddling_waker(move |touched| {
        let kind = match touched {
            Touched::Cloned => 0,
            Touched::Woken => 1,
            Touched::Dropped => 2,
        };
        total[kind].fetch_add(1, Ordering::SeqCst);
        // A driver whose wakers always have a word for it would never come to rest.
        meddle(&handle, counts[kind].fetch_add(1, Ordering::SeqCst) < 2);
        if touched == Touched::Woken {
            Arc::clone(&bell).wake();
        }
    })
}

/// Runs a future whose wakers meddle, with a new one each time it is polled: twice before each wait.
fn block_on_meddlers<F: Future>(handle: &SessionHandle, total: &'static Counts, future: F) -> F::Output {
    let (bell, counts, mut future) = (Bell::new(), Arc::default(), pin!(future));
    loop {
        for _ in 0..2 {
            let waker = meddler(handle, &bell, &counts, total);
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return output;
            }
        }
        bell.wait();
    }
}

fn assert_all(counts: &Counts) {
    assert!(counts.iter().all(|count| count.load(Ordering::SeqCst) > 0), "{counts:?}");
}

#[test]
fn wakers_of_waiters_may_use_the_handle() {
    static COUNTS: Counts = [const { AtomicUsize::new(0) }; 3];
    explore_loops(|machine, by| {
        let driver = driver();
        let handle = driver.handle();
        let waiters = [(); 2].map(|()| {
            let handle = handle.clone();
            spawn(move || expect(machine, block_on_meddlers(&handle, &COUNTS, handle.ready(seconds(1000)))))
        });
        let driver = drive(driver, by, Broker::default());
        join_all(waiters);
        assert_soon(machine);
        handle.shutdown();
        driver.join();
    });
    assert_all(&COUNTS);
}

#[test]
fn wakers_of_waiters_that_go_may_use_the_handle() {
    static COUNTS: Counts = [const { AtomicUsize::new(0) }; 3];
    explore_loops(|machine, by| {
        let driver = driver();
        let handle = driver.handle();
        let waiters = [(); 2].map(|()| {
            let handle = handle.clone();
            spawn(move || {
                let waker = meddler(&handle, &Bell::new(), &Arc::default(), &COUNTS);
                let mut ready = pin!(handle.ready(seconds(1000)));
                let _ = ready.as_mut().poll(&mut Context::from_waker(&waker));
            })
        });
        let driver = drive(driver, by, Broker::default());
        join_all(waiters);
        handle.shutdown();
        driver.join();
        assert_soon(machine);
    });
    assert_all(&COUNTS);
}

#[test]
fn wakers_of_waiters_may_use_the_handle_while_it_closes() {
    static COUNTS: Counts = [const { AtomicUsize::new(0) }; 3];
    explore(|machine| {
        let driver = driver();
        let handle = driver.handle();
        let waiters = [(); 2].map(|()| {
            let handle = handle.clone();
            spawn(move || assert!(block_on_meddlers(&handle, &COUNTS, handle.ready(seconds(1000))).is_err()))
        });
        drop(driver);
        join_all(waiters);
        assert_soon(machine);
    });
    assert_all(&COUNTS);
}

#[test]
fn the_wakers_of_a_driver_may_use_a_handle() {
    static COUNTS: Counts = [const { AtomicUsize::new(0) }; 3];
    explore(|machine| {
        let driver = driver();
        let handle = driver.handle();
        let meddled = handle.clone();
        let driver = spawn(move || block_on_meddlers(&meddled, &COUNTS, run(driver, Broker::default())));
        expect(machine, handle.ready_blocking(seconds(1000)));
        handle.shutdown();
        driver.join();
        assert_soon(machine);
    });
    assert_all(&COUNTS);
}

/// It goes while it waits for the broker, with a waker of its own left in the mailbox.
#[test]
fn the_wakers_of_a_driver_that_is_stopped_may_use_a_handle() {
    static COUNTS: Counts = [const { AtomicUsize::new(0) }; 3];
    explore(|machine| {
        let driver = driver();
        let handle = driver.handle();
        let meddled = handle.clone();
        let driver = spawn(move || {
            let counts = Arc::default();
            let mut running = pin!(run(driver, Broker::that_takes(seconds(20))));
            for _ in 0..10 {
                let waker = meddler(&meddled, &Bell::new(), &counts, &COUNTS);
                let _ = running.as_mut().poll(&mut Context::from_waker(&waker));
            }
        });
        let waited = handle.ready_blocking(seconds(1000));
        assert!(waited.is_err() || machine == Machine::Slow, "the broker has not answered");
        driver.join();
        assert_soon(machine);
    });
    assert_all(&COUNTS);
}
