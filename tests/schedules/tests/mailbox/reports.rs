//! What the handles say is heard.

use std::sync::atomic::Ordering;

use ibkr_oauth::{
    ErrorKind,
    session::{Advice, State},
};
use virtual_time::{Machine, block_on, pause, spawn};

use crate::stage::{
    Broker, assert_soon, drive, driver, expect, expect_advice, explore_loops, join_all, refusal, resolved, seconds,
};

#[test]
fn each_report_is_heard_while_others_report() {
    explore_loops(|machine, by| {
        let driver = driver();
        let handle = driver.handle();
        let driver = drive(driver, by, Broker::default());
        expect(machine, handle.ready_blocking(seconds(20)));
        // Two of the same path, of which one covers the other.
        let reporters = ["/portfolio/accounts", "/portfolio/accounts", "/trsrv/secdef"].map(|path| {
            let handle = handle.clone();
            spawn(move || {
                let report = refusal(&handle, path);
                let advice = resolved(&handle, &report, by);
                expect_advice(machine, advice, &[Advice::GiveUp(ErrorKind::Rejected)]);
            })
        });
        join_all(reporters);
        assert_soon(machine);
        // One exchange may answer several; that each was heard by itself shows when the driver is at rest.
        pause(seconds(20));
        for path in ["/portfolio/accounts", "/trsrv/secdef"] {
            let advice = handle.view().advise(&refusal(&handle, path));
            assert!(machine == Machine::Slow || advice == Advice::GiveUp(ErrorKind::Rejected), "{path}: {advice:?}");
        }
        handle.shutdown();
        driver.join();
    });
}

#[test]
fn a_report_beside_a_shutdown_gets_an_answer() {
    explore_loops(|machine, by| {
        let driver = driver();
        let handle = driver.handle();
        let driver = drive(driver, by, Broker::default());
        expect(machine, handle.ready_blocking(seconds(20)));
        let report = refusal(&handle, "/portfolio/accounts");
        let reporter = handle.clone();
        let reporter = spawn(move || resolved(&reporter, &report, by));
        handle.shutdown();
        let advice = reporter.join();
        let ended = Advice::GiveUp(ErrorKind::Config);
        expect_advice(machine, advice, &[Advice::GiveUp(ErrorKind::Rejected), ended]);
        driver.join();
        assert_soon(machine);
    });
}

#[test]
fn a_wish_for_another_attempt_is_heard() {
    explore_loops(|machine, by| {
        let (driver, broker) = (driver(), Broker::default());
        broker.failures.store(1, Ordering::SeqCst);
        let (handle, before) = (driver.handle(), driver.handle().view());
        let driver = drive(driver, by, broker);
        // The driver shows the failure before it goes to wait for the next attempt.
        let mut seen = before;
        while seen.last_error().is_none() {
            block_on(handle.news(&seen));
            seen = handle.view();
        }
        handle.retry_now();
        expect(machine, handle.wait_for_blocking(State::Live, seconds(600)));
        assert_soon(machine);
        handle.shutdown();
        driver.join();
    });
}
