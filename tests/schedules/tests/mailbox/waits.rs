//! Who waits is told what it waits for, and in time.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use ibkr_oauth::{Error, driver::SessionHandle, session::State};
use virtual_time::{Bell, JoinHandle, Machine, block_on, explore, now, spawn};

use crate::stage::{
    Broker, Loop, assert_at, assert_soon, drive, driver, driver_without_token, expect, explore_loops, join_all, run,
    seconds,
};

/// One thread for each way to wait for a live session.
fn wait_for_live(handle: &SessionHandle, timeout: Duration) -> [JoinHandle<Result<(), Error>>; 4] {
    let [one, two, three, four] = [(); 4].map(|()| handle.clone());
    [
        spawn(move || one.ready_blocking(timeout).map(drop)),
        spawn(move || block_on(two.ready(timeout)).map(drop)),
        spawn(move || three.wait_for_blocking(State::Live, timeout).map(drop)),
        spawn(move || block_on(four.wait_for(State::Live, timeout)).map(drop)),
    ]
}

/// One thread for each way to wait for anything else than what is seen.
fn wait_for_change(handle: &SessionHandle) -> [JoinHandle<()>; 2] {
    let seen = handle.view();
    let [one, two] = [(); 2].map(|()| (handle.clone(), Arc::clone(&seen)));
    [
        spawn(move || {
            let until = one.0.now().saturating_add(seconds(1000));
            one.0.news_blocking(&one.1, until);
        }),
        spawn(move || block_on(two.0.news(&two.1))),
    ]
}

#[test]
fn what_the_driver_shows_wakes_all_who_wait_for_a_live_session() {
    explore_loops(|machine, by| {
        let driver = driver();
        let handle = driver.handle();
        let waiters = wait_for_live(&handle, seconds(1000));
        let driver = drive(driver, by, Broker::default());
        for waiter in waiters {
            expect(machine, waiter.join());
        }
        assert_soon(machine);
        handle.shutdown();
        driver.join();
    });
}

#[test]
fn what_the_driver_shows_wakes_all_who_wait_for_a_change() {
    explore_loops(|machine, by| {
        let driver = driver();
        let handle = driver.handle();
        let waiters = wait_for_change(&handle);
        let driver = drive(driver, by, Broker::default());
        join_all(waiters);
        assert_soon(machine);
        handle.shutdown();
        driver.join();
    });
}

/// One thread for each way to wait until the session is live.
fn wait_until_ready(handle: &SessionHandle, timeout: Duration) -> [JoinHandle<Result<(), Error>>; 2] {
    let [one, two] = [(); 2].map(|()| handle.clone());
    [spawn(move || one.ready_blocking(timeout).map(drop)), spawn(move || block_on(two.ready(timeout)).map(drop))]
}

#[test]
fn a_driver_that_goes_wakes_all() {
    explore(|machine| {
        let driver = driver_without_token();
        let handle = driver.handle();
        let (signers, lives) = (wait_until_ready(&handle, seconds(1000)), wait_for_live(&handle, seconds(1000)));
        let changes = wait_for_change(&handle);
        drop(driver);
        for waiter in signers.into_iter().chain(lives) {
            assert!(waiter.join().is_err());
        }
        join_all(changes);
        assert_soon(machine);
    });
}

/// A driver's future that is dropped wherever it stands wakes all, too.
#[test]
fn a_driver_that_is_stopped_wakes_all() {
    explore(|machine| {
        let driver = driver();
        let handle = driver.handle();
        let lives = wait_for_live(&handle, seconds(1000));
        let driver = spawn(move || {
            let mut running = pin!(run(driver, Broker::that_takes(seconds(20))));
            let _ = running.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        });
        for waiter in lives {
            assert!(waiter.join().is_err() || machine == Machine::Slow, "the broker has not answered");
        }
        driver.join();
        assert_soon(machine);
    });
}

/// Those who block a thread see to it themselves, those who do not are woken by the driver.
#[test]
fn each_deadline_ends() {
    explore(|machine| {
        let driver = driver_without_token();
        let handle = driver.handle();
        let early = wait_until_ready(&handle, seconds(3));
        let late = wait_for_live(&handle, seconds(5));
        let driver = drive(driver, Loop::Asynchronous, Broker::default());
        for waiter in early {
            assert!(waiter.join().is_err());
        }
        assert_at(machine, seconds(3));
        for waiter in late {
            assert!(waiter.join().is_err());
        }
        assert_at(machine, seconds(5));
        handle.shutdown();
        driver.join();
    });
}

/// As the loop that blocks hears nothing while it sends, those who wait without a thread may wait for its answer.
#[test]
fn a_deadline_ends_while_the_driver_sends() {
    explore(|machine| {
        let driver = driver();
        let handle = driver.handle();
        let driver = drive(driver, Loop::Blocking, Broker::that_takes(seconds(20)));
        let waiters = [3, 4].map(|timeout| {
            let handle = handle.clone();
            spawn(move || {
                let ready = handle.ready_blocking(seconds(timeout));
                assert!(ready.is_err() || machine == Machine::Slow);
                assert_at(machine, seconds(timeout));
            })
        });
        join_all(waiters);
        handle.shutdown();
        driver.join();
    });
}

/// The driver goes to wait at the moment when it is told of a deadline before its next attempt.
#[test]
fn a_driver_at_rest_hears_of_a_new_deadline() {
    explore_loops(|machine, by| {
        let driver = driver();
        let handle = driver.handle();
        let driver = drive(driver, by, Broker::default());
        expect(machine, block_on(handle.ready(seconds(20))));
        let begun = now();
        let waiters = [1, 2].map(|timeout| {
            let handle = handle.clone();
            spawn(move || {
                assert!(block_on(handle.wait_for(State::Displaced, seconds(timeout))).is_err());
                assert!(machine == Machine::Slow || now() == begun + seconds(timeout), "at {:?}", now());
            })
        });
        join_all(waiters);
        handle.shutdown();
        driver.join();
    });
}

/// At the same moment as the answer: either, but not later.
#[test]
fn a_deadline_at_the_moment_of_the_answer_ends() {
    explore_loops(|machine, by| {
        let driver = driver();
        let handle = driver.handle();
        // The tickle, and the accounts.
        let waiters = wait_for_live(&handle, seconds(10));
        let driver = drive(driver, by, Broker::that_takes(seconds(5)));
        for waiter in waiters {
            let _ = waiter.join();
        }
        assert!(machine == Machine::Slow || now() == seconds(10), "at {:?}", now());
        handle.shutdown();
        driver.join();
    });
}

#[test]
fn a_waiter_that_goes_takes_nobody_else_along() {
    explore_loops(|machine, by| {
        let driver = driver();
        let handle = driver.handle();
        let leaving = [false, true].map(|waits| {
            let handle = handle.clone();
            spawn(move || {
                let bell = Bell::new();
                let waker = Waker::from(Arc::clone(&bell));
                let mut future = pin!(handle.ready(seconds(1000)));
                let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
                // It goes without looking again, whether it was woken or not.
                if waits && poll.is_pending() {
                    bell.wait();
                }
            })
        });
        let staying = wait_for_live(&handle, seconds(1000));
        let driver = drive(driver, by, Broker::default());
        join_all(leaving);
        for waiter in staying {
            expect(machine, waiter.join());
        }
        assert_soon(machine);
        handle.shutdown();
        driver.join();
    });
}
