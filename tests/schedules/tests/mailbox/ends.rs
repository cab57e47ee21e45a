//! However a session ends, all who have to do with it do.

use ibkr_oauth::session::State;
use virtual_time::{block_on, spawn};

use crate::stage::{Broker, Loop, assert_soon, drive, driver, expect, explore_loops, join_all, seconds};

/// Before the driver begins, while it sends, and just as it goes to wait.
#[test]
fn a_shutdown_is_heard_whenever_it_comes() {
    explore_loops(|machine, by| {
        for takes in [0, 1] {
            let driver = driver();
            let handles = [driver.handle(), driver.handle()];
            let driver = drive(driver, by, Broker::that_takes(seconds(takes)));
            let speakers = handles.map(|handle| spawn(move || handle.shutdown()));
            driver.join();
            join_all(speakers);
            assert_soon(machine);
        }
    });
}

#[test]
fn a_shutdown_at_rest_is_heard() {
    explore_loops(|machine, by| {
        let driver = driver();
        let handle = driver.handle();
        let driver = drive(driver, by, Broker::default());
        expect(machine, handle.ready_blocking(seconds(20)));
        // Just as it has shown that it is live, and goes to wait for the next tickle.
        handle.shutdown();
        driver.join();
        assert_eq!(handle.view().state(), State::Closed);
        assert_soon(machine);
    });
}

#[test]
fn who_waits_while_the_session_ends_hears_of_it() {
    explore_loops(|machine, by| {
        let driver = driver();
        let handle = driver.handle();
        let driver = drive(driver, by, Broker::default());
        let [one, two, three] = [(); 3].map(|()| handle.clone());
        let waiters = [
            spawn(move || expect(machine, one.wait_for_blocking(State::Closed, seconds(1000)))),
            spawn(move || assert!(block_on(two.wait_for(State::Displaced, seconds(1000))).is_err())),
            spawn(move || {
                let mut seen = three.view();
                while seen.state() != State::Closed {
                    three.news_blocking(&seen, three.now().saturating_add(seconds(1000)));
                    seen = three.view();
                }
            }),
        ];
        handle.shutdown();
        join_all(waiters);
        driver.join();
        assert_soon(machine);
    });
}

/// Handles come and go while the driver works, and what one of them said last is heard although it is gone.
#[test]
fn handles_come_and_go() {
    explore_loops(|machine, by| {
        let driver = driver();
        let handle = driver.handle();
        let driver = drive(driver, by, Broker::default());
        let threads = [Loop::Blocking, Loop::Asynchronous].map(|by| {
            let handle = handle.clone();
            spawn(move || {
                let another = handle.clone();
                drop(handle);
                match by {
                    Loop::Blocking => expect(machine, another.ready_blocking(seconds(1000))),
                    Loop::Asynchronous => expect(machine, block_on(another.ready(seconds(1000)))),
                }
                assert!(another.snapshot().is_some());
            })
        });
        join_all(threads);
        handle.shutdown();
        drop(handle);
        driver.join();
        assert_soon(machine);
    });
}
